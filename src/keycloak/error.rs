//! What goes wrong between us and Keycloak, in words that say what to do about it.
//!
//! Of a remote body only the server's own short error text is kept: bounded, without control characters, and with
//! every secret replaced that was part of the request.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;

use crate::diagnostic::{Class, Problem};
use crate::http;
use crate::secret::Secret;

/// The longest text of a server that an error repeats.
const MOST_TEXT: usize = 300;

/// A call that did not do what it was to do. `doing` is what was tried, as in "create the client `x`".
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configured address cannot be one of a Keycloak.
    #[error("the address cannot be used: {reason}")]
    InvalidUrl {
        /// Why.
        reason: &'static str,
    },
    /// The identity got no token, or its token is not accepted.
    #[error("`{identity}` cannot sign in to the realm `{realm}`: {reason}")]
    Unauthorized {
        /// Who.
        identity: String,
        /// The realm that was asked for a token.
        realm: String,
        /// Why.
        reason: SignIn,
    },
    /// The identity lacks a right.
    #[error("`{identity}` may not {doing}")]
    Forbidden {
        /// Who.
        identity: String,
        /// What was tried.
        doing: String,
        /// The roles that would allow it.
        needs: &'static str,
        /// Where those roles are found, in words.
        place: String,
    },
    /// There is no such realm.
    #[error("there is no realm `{realm}` at `{server}`")]
    RealmNotFound {
        /// The server.
        server: String,
        /// The realm.
        realm: String,
    },
    /// What was to be changed is not there, or no longer.
    #[error("cannot {doing}: {detail}")]
    NotFound {
        /// What was tried.
        doing: String,
        /// The server's words.
        detail: String,
    },
    /// Something of that name is there already.
    #[error("cannot {doing}: {detail}")]
    AlreadyExists {
        /// What was tried.
        doing: String,
        /// The server's words.
        detail: String,
    },
    /// The server does not accept what was sent.
    #[error("Keycloak refused to {doing}: {detail}")]
    Rejected {
        /// What was tried.
        doing: String,
        /// The status.
        status: u16,
        /// The server's error code, such as `invalid_input`.
        code: Option<String>,
        /// The server's words, or the status.
        detail: String,
    },
    /// The server is overloaded or broken, and further attempts did not help.
    #[error("Keycloak could not {doing}: {detail}")]
    Unavailable {
        /// What was tried.
        doing: String,
        /// The status.
        status: u16,
        /// After how long it wants to be asked again.
        retry_after: Option<Duration>,
        /// The status, and the server's words if there are any.
        detail: String,
    },
    /// No answer.
    #[error("cannot {doing}")]
    Connection {
        /// What was tried.
        doing: String,
        /// Why there is none.
        #[source]
        cause: http::Error,
    },
    /// The answer is not one that a Keycloak gives.
    #[error("cannot {doing}: {what}")]
    UnexpectedResponse {
        /// What was tried.
        doing: String,
        /// The status.
        status: u16,
        /// What is wrong with the answer.
        what: String,
    },
    /// The list changed under each of several readings.
    #[error("cannot {doing}: the list keeps changing while it is read")]
    Unsettled {
        /// What was tried.
        doing: String,
    },
    /// A request that cannot be written down.
    #[error("cannot {doing}: the request cannot be written as JSON")]
    Encoding {
        /// What was tried.
        doing: String,
    },
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignIn {
    /// The realm has no such client, or it is disabled.
    #[error("the realm has no such client, or it is disabled")]
    UnknownClient,
    /// The client secret is wrong.
    #[error("its secret is wrong")]
    WrongSecret,
    /// The client has no service account.
    #[error("the client has no service account")]
    NoServiceAccount,
    /// User name or password is wrong.
    #[error("user name or password is wrong, or the account is locked")]
    WrongPassword,
    /// The client may not be used with a password.
    #[error("the client does not allow the password grant")]
    NoPasswordGrant,
    /// A fresh token was refused, too.
    #[error("the server does not accept the token that it has just issued")]
    TokenRefused,
    /// Something else, in the server's words.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Stable, such as `provisor::keycloak::forbidden`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidUrl { .. } => "provisor::keycloak::invalid_url",
            Self::Unauthorized { .. } => "provisor::keycloak::unauthorized",
            Self::Forbidden { .. } => "provisor::keycloak::forbidden",
            Self::RealmNotFound { .. } => "provisor::keycloak::realm_not_found",
            Self::NotFound { .. } => "provisor::keycloak::not_found",
            Self::AlreadyExists { .. } => "provisor::keycloak::already_exists",
            Self::Rejected { .. } => "provisor::keycloak::rejected",
            Self::Unavailable { .. } => "provisor::keycloak::unavailable",
            Self::UnexpectedResponse { .. } => "provisor::keycloak::unexpected_response",
            Self::Unsettled { .. } => "provisor::keycloak::unsettled",
            Self::Encoding { .. } => "provisor::keycloak::encoding",
            Self::Connection { cause, .. } => match cause {
                http::Error::Unreachable { .. } => "provisor::keycloak::unreachable",
                http::Error::Tls { .. } => "provisor::keycloak::tls",
                http::Error::CaFile { .. } => "provisor::keycloak::ca_file",
                http::Error::Lost { .. } => "provisor::keycloak::no_answer",
                http::Error::TooLarge { .. } => "provisor::keycloak::unexpected_response",
                http::Error::Setup(_) => "provisor::keycloak::http_setup",
            },
        }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::InvalidUrl { .. } => Class::Manifest,
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::RealmNotFound { .. } | Self::Rejected { .. } => {
                Class::Refused
            }
            Self::NotFound { .. } | Self::AlreadyExists { .. } | Self::Unsettled { .. } => Class::Conflict,
            Self::Unavailable { .. } => Class::Unreachable,
            Self::UnexpectedResponse { status, .. } if *status >= 500 => Class::Unreachable,
            Self::UnexpectedResponse { .. } => Class::Refused,
            Self::Encoding { .. } => Class::Bug,
            Self::Connection { cause, .. } => match cause {
                http::Error::Unreachable { .. } | http::Error::Lost { .. } => Class::Unreachable,
                http::Error::CaFile { .. } => Class::Manifest,
                http::Error::Tls { .. } | http::Error::TooLarge { .. } => Class::Refused,
                http::Error::Setup(_) => Class::Bug,
            },
        }
    }

    /// Whether the call may have been carried out nevertheless: who wants to repeat it must look first.
    pub fn maybe_done(&self) -> bool {
        match self {
            Self::Connection { cause, .. } => cause.maybe_done(),
            Self::Unavailable { status, .. } => *status != 429,
            // A create that succeeded without saying where, or an answer that a gateway replaced.
            Self::UnexpectedResponse { status, .. } => (200..400).contains(status) || *status >= 500,
            _ => false,
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidUrl { .. } => Some("write it like `https://keycloak.example.org`".to_owned()),
            Self::Unauthorized { reason, realm, .. } => reason.hint(realm),
            Self::Forbidden { needs, place, .. } => {
                Some(format!("it needs {needs} {place}; `provisor keycloak doctor` prints the commands that give it"))
            }
            Self::RealmNotFound { .. } => {
                Some("make the realm first, or correct `realm` or `authRealm`; names are case-sensitive".to_owned())
            }
            Self::NotFound { .. } => Some("somebody removed it meanwhile; run it again".to_owned()),
            Self::Unsettled { .. } => Some("run it again when nobody else is writing".to_owned()),
            Self::Unavailable { retry_after: Some(after), .. } => {
                Some(format!("the server asks to be left alone for {} s", after.as_secs()))
            }
            Self::Unavailable { status: 500, .. } => Some("the server's log says why".to_owned()),
            Self::UnexpectedResponse { status: 300..400 | 404, .. } => Some(
                "`url` must be the server's base address, with its path (such as `/auth`) if it has one".to_owned(),
            ),
            Self::Connection { cause, .. } => match cause {
                http::Error::Unreachable { .. } => Some(
                    "see that `url` is right and the server is up; `--wait 2m` waits for one that starts".to_owned(),
                ),
                http::Error::Tls { cause, .. } if cause.to_string().contains("InvalidContentType") => {
                    Some("the server does not speak TLS there; see that `url` has the right port".to_owned())
                }
                http::Error::Tls { .. } => Some(
                    "a private authority is named with `caFile`; the certificate must be valid for the host in `url`"
                        .to_owned(),
                ),
                http::Error::CaFile { .. } => Some("`caFile` must name a readable PEM file".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The error for a report: code, one sentence with its cause, remedy.
    pub fn to_problem(&self) -> Problem {
        let mut message = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            // Writing to a text cannot fail.
            let _written = write!(message, ": {cause}");
            source = cause.source();
        }
        let problem = Problem::new(self.code(), message);
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}

impl SignIn {
    /// Reads the refusal of a token endpoint. Keycloak tells an unknown client from a wrong secret by the code alone.
    pub(super) fn of(said: &Said) -> Self {
        let text = said.text.as_deref().unwrap_or_default();
        match said.code.as_deref() {
            Some("unauthorized_client") if text.contains("service account") => Self::NoServiceAccount,
            Some("unauthorized_client") if text.contains("direct access grants") => Self::NoPasswordGrant,
            Some("unauthorized_client") => Self::WrongSecret,
            Some("invalid_client") => Self::UnknownClient,
            Some("invalid_grant") if text.contains("credentials") => Self::WrongPassword,
            _ => Self::Other(said.to_string()),
        }
    }

    fn hint(&self, realm: &str) -> Option<String> {
        match self {
            Self::UnknownClient => Some(format!("see that `clientId` is an enabled client of the realm `{realm}`")),
            Self::WrongSecret => {
                Some("take the secret from the client's credentials in Keycloak; it may have been rotated".to_owned())
            }
            Self::NoServiceAccount => {
                Some("switch on its service account, and client authentication with it".to_owned())
            }
            Self::NoPasswordGrant => {
                Some("`admin-cli` allows it; better is a client with a service account and `clientSecret`".to_owned())
            }
            Self::WrongPassword | Self::TokenRefused | Self::Other(_) => None,
        }
    }
}

/// What the server said in an error body, made safe to repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: Option<String>,
    pub(super) text: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    error: Option<String>,
    error_description: Option<String>,
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
}

impl Said {
    /// Keycloak has three shapes: `errorMessage`, `error`, and `error` with `error_description`; in the first two the
    /// text is a sentence, in the third `error` is a code.
    pub(super) fn read(body: &[u8], sent: &[&Secret]) -> Self {
        let Ok(body) = serde_json::from_slice::<Body>(body) else { return Self::default() };
        let safe = |text: Option<String>| text.map(|text| sanitise(&text, sent)).filter(|text| !text.is_empty());
        let (error, description) = (safe(body.error), safe(body.error_message.or(body.error_description)));
        let is_code = |text: &String| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        match error {
            Some(code) if is_code(&code) => Self { code: Some(code), text: description },
            sentence => Self { code: None, text: description.or(sentence) },
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.code, &self.text) {
            (_, Some(text)) => out.write_str(text),
            (Some(code), None) => out.write_str(code),
            (None, None) => out.write_str("no reason given"),
        }
    }
}

/// `text` on one line, bounded, without what we sent in secret.
fn sanitise(text: &str, sent: &[&Secret]) -> String {
    let mut text = text.to_owned();
    for secret in sent.iter().map(|secret| secret.expose()).filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "(secret)");
        let escaped = serde_json::Value::from(secret).to_string();
        text = text.replace(escaped.trim_matches('"'), "(secret)");
    }
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        Said::read(body.as_bytes(), &[])
    }

    #[test]
    fn the_three_shapes_of_an_error_are_read() {
        assert_eq!(said(r#"{"errorMessage":"Client x already exists"}"#).to_string(), "Client x already exists");
        assert_eq!(said(r#"{"error":"Could not find client"}"#).text.as_deref(), Some("Could not find client"));
        let described = said(r#"{"error":"invalid_input","error_description":"bad uri"}"#);
        assert_eq!((described.code.as_deref(), described.text.as_deref()), (Some("invalid_input"), Some("bad uri")));
        assert_eq!(said("<html>"), Said::default());
    }

    #[test]
    fn what_was_sent_in_secret_is_not_repeated() {
        let secret = Secret::new("can\"ary".to_owned());
        let body = serde_json::json!({"errorMessage": "bad can\"ary, or can\\\"ary\nat 1"}).to_string();
        let said = Said::read(body.as_bytes(), &[&secret]);
        assert_eq!(said.to_string(), "bad (secret), or (secret) at 1");
        let long = serde_json::json!({"error": "ü".repeat(1000)}).to_string();
        assert_eq!(Said::read(long.as_bytes(), &[]).to_string().chars().count(), MOST_TEXT + 3);
    }

    #[test]
    fn refusals_of_the_token_endpoint_are_told_apart() {
        let of =
            |code: &str, text: &str| SignIn::of(&Said { code: Some(code.to_owned()), text: Some(text.to_owned()) });
        let same = "Invalid client or Invalid client credentials";
        assert_eq!(of("unauthorized_client", same), SignIn::WrongSecret);
        assert_eq!(of("invalid_client", same), SignIn::UnknownClient);
        let disabled = "Client not enabled to retrieve service account";
        assert_eq!(of("unauthorized_client", disabled), SignIn::NoServiceAccount);
        assert_eq!(of("invalid_grant", "Invalid user credentials"), SignIn::WrongPassword);
        let other = of("invalid_grant", "Account is not fully set up");
        assert_eq!(other, SignIn::Other("Account is not fully set up".to_owned()));
    }
}
