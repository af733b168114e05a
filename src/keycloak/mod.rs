//! Keycloak's administration interface, as far as clients, client scopes and roles go.
//!
//! [`Api`] speaks to one realm as one identity; it knows nothing of manifests or plans. What always holds:
//!
//! - A failed read is an error, never "absent": only Keycloak's own "could not find" counts as absent.
//! - Secrets leave through buffers that are zeroed, and are taken out of answers while these are read.
//! - A create whose answer was lost is not repeated; [`Error::maybe_done`] tells the caller to look first.
//! - Several calls succeed and do nothing (scopes in an update of a client, unknown scopes in a create): callers read
//!   back. What was measured is in `tests/keycloak_api.rs`.

mod api;
pub mod doctor;
mod error;
mod remedy;
mod representation;
mod roles;
mod scopes;
mod token;

use url::Url;

pub use api::Api;
pub use error::{Error, SignIn};
pub use representation::{Client, ClientScope, Mapper, Role, RoleMappings, TokenClaims};

use crate::http::{self, Response, StatusCode};
use crate::secret::Secret;
use error::Said;

/// Which realm, and as whom.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's base address.
    pub url: Url,
    /// The realm that is managed.
    pub realm: String,
    /// The realm that the identity belongs to.
    pub auth_realm: String,
    /// The identity.
    pub credentials: Credentials,
    /// How to reach the server.
    pub http: http::Options,
}

/// The identity that signs in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A client's service account.
    Client {
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// A user, through a client that allows the password grant.
    Password {
        /// The client, such as `admin-cli`.
        client_id: String,
        /// The user.
        username: Secret,
        /// The password.
        password: Secret,
    },
}

impl Credentials {
    /// For messages. A user name may be secret, so that a user is named by the client.
    fn identity(&self) -> &str {
        match self {
            Self::Client { client_id, .. } | Self::Password { client_id, .. } => client_id,
        }
    }

    /// What no message may repeat. A user name is no such thing elsewhere: `admin` is part of many names.
    fn secret(&self) -> &Secret {
        match self {
            Self::Client { client_secret, .. } => client_secret,
            Self::Password { password, .. } => password,
        }
    }
}

/// The server, and how to address things on it.
#[derive(Debug)]
struct Connection {
    http: http::Client,
    base: Url,
}

impl Connection {
    fn new(base: Url, options: &http::Options) -> Result<Self, Error> {
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(Error::InvalidUrl { reason: "it must begin with `https://` or `http://` and name a host" });
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Error::InvalidUrl { reason: "it must not contain a user or password" });
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(Error::InvalidUrl { reason: "it must end with the host, the port or the path" });
        }
        let doing = || format!("prepare a connection to `{}`", base.origin().ascii_serialization());
        let http = http::Client::new(&base, options).map_err(|cause| Error::Connection { doing: doing(), cause })?;
        Ok(Self { http, base })
    }

    /// The address of `segments` below the base, each escaped as it must be.
    fn address(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        // The URL type drops such segments silently, and what remains would mean something else.
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(Error::InvalidUrl { reason: "a name or id is empty or consists of dots" });
        }
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(segments),
            Err(()) => return Err(Error::InvalidUrl { reason: "it has no path" }),
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// The error for an answer that is none of those a caller expects.
    fn failure(&self, doing: String, response: &Response, said: &Said) -> Error {
        let status = response.status.as_u16();
        let detail = match said.text.as_ref().or(said.code.as_ref()) {
            Some(text) => format!("{text} (status {status})"),
            None => format!("status {status}"),
        };
        match response.status {
            StatusCode::CONFLICT => Error::AlreadyExists { doing, detail: said.to_string() },
            StatusCode::TOO_MANY_REQUESTS => {
                Error::Unavailable { doing, status, retry_after: response.retry_after, detail }
            }
            code if code.is_server_error() => {
                Error::Unavailable { doing, status, retry_after: response.retry_after, detail }
            }
            code if code.is_redirection() => {
                let what = format!("`{}` redirects to another address", self.http.server());
                Error::UnexpectedResponse { doing, status, what }
            }
            StatusCode::NOT_FOUND => {
                let what = format!("`{}` has no such interface; {detail}", self.base);
                Error::UnexpectedResponse { doing, status, what }
            }
            code if code.is_client_error() => {
                Error::Rejected { doing, status, code: said.code.clone(), detail: said.text.clone().unwrap_or(detail) }
            }
            _ => Error::UnexpectedResponse { doing, status, what: format!("status {status} was not expected") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(url: &str) -> Result<Connection, Error> {
        Connection::new(Url::parse(url).unwrap(), &http::Options::default())
    }

    #[test]
    fn an_address_keeps_the_base_path_and_escapes_names() {
        for base in ["http://localhost:1/auth", "http://localhost:1/auth/"] {
            let url = connection(base).unwrap().address(&["realms", "a/b c"], &[("clientId", "x&y")]).unwrap();
            assert_eq!(url.as_str(), "http://localhost:1/auth/realms/a%2Fb%20c?clientId=x%26y");
        }
        assert!(connection("http://localhost:1").unwrap().address(&["roles", ".."], &[]).is_err());
    }

    #[test]
    fn addresses_that_cannot_be_meant_are_refused() {
        for base in ["ftp://h", "https://user:pw@h", "https://h?x=1", "mailto:a@b"] {
            let error = connection(base).unwrap_err();
            assert_eq!(error.code(), "provisor::keycloak::invalid_url", "{base}");
            assert!(!error.to_problem().message.contains("pw"));
        }
    }
}
