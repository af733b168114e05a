//! Why there is no token.

use crate::diagnostic::Problem;
use crate::http;

/// What a service gives as its reason: one of the codes of RFC 6749 and RFC 8628, or one that we do not know and do not
/// repeat, since it is a stranger's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason(&'static str);

impl Reason {
    const KNOWN: [&'static str; 13] = [
        "access_denied",
        "authorization_pending",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "slow_down",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    ];

    pub(super) fn of(text: &str) -> Self {
        Self(Self::KNOWN.into_iter().find(|known| *known == text).unwrap_or("an unknown reason"))
    }

    /// The code.
    pub fn code(self) -> &'static str {
        self.0
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The flow needs an address that nobody named.
    #[error("the sign-in needs `{0}`")]
    MissingUrl(&'static str),
    /// Without encryption anybody on the way gets the token.
    #[error("`{url}` is not encrypted")]
    Unencrypted {
        /// Scheme, host and port.
        url: String,
    },
    /// There is no answer.
    #[error(transparent)]
    Connection(http::Error),
    /// An answer that is none.
    #[error("`{url}` answered with status {status} and nothing that a sign-in could go on with")]
    Unexpected {
        /// Scheme, host and port.
        url: String,
        /// The status.
        status: u16,
    },
    /// The service, or the person at it, said no.
    #[error("`{url}` refused the sign-in: {}", reason.code())]
    Refused {
        /// Scheme, host and port.
        url: String,
        /// Its reason.
        reason: Reason,
    },
    /// Nobody signed in.
    #[error("nobody signed in within {seconds} s")]
    TimedOut {
        /// For how long was waited.
        seconds: u64,
    },
    /// The sign-in worked, and gives access for minutes only.
    #[error("the answer of `{url}` holds no refresh token")]
    NoRefreshToken {
        /// Scheme, host and port.
        url: String,
    },
    /// The port for the browser's answer.
    #[error("cannot listen on 127.0.0.1 for the browser's answer")]
    Listen(#[source] std::io::Error),
    /// No state or verifier.
    #[error("the operating system has no randomness to give")]
    Randomness,
}

impl Error {
    /// Stable, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingUrl(_) => "provisor::sign_in::missing_url",
            Self::Unencrypted { .. } => "provisor::sign_in::unencrypted",
            Self::Connection(_) => "provisor::sign_in::unreachable",
            Self::Unexpected { .. } => "provisor::sign_in::unexpected_response",
            Self::Refused { reason, .. } => match reason.code() {
                "access_denied" => "provisor::sign_in::denied",
                "expired_token" => "provisor::sign_in::expired",
                _ => "provisor::sign_in::refused",
            },
            Self::TimedOut { .. } => "provisor::sign_in::expired",
            Self::NoRefreshToken { .. } => "provisor::sign_in::no_refresh_token",
            Self::Listen(_) => "provisor::sign_in::listen",
            Self::Randomness => "provisor::sign_in::randomness",
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::MissingUrl(_) => "name it with its option; the documentation of the service tells it",
            Self::Unencrypted { .. } => "use `https`; only a service on this machine may do without",
            Self::Refused { reason, .. } => match reason.code() {
                "access_denied" => "the person at the service said no, or may not say yes",
                "expired_token" => "run it again, and sign in sooner",
                "invalid_client" | "unauthorized_client" => {
                    "check `--client-id` and `--client-secret-file`, and whether the service lets this client use the flow"
                }
                "invalid_scope" => "check `--scope`",
                "invalid_grant" => "run it again; a code is good once, and not for long",
                _ => return None,
            },
            Self::TimedOut { .. } => "run it again; `--timeout` gives more time",
            Self::NoRefreshToken { .. } => {
                "many services give one only when asked for it: try `--scope offline_access` beside the others"
            }
            Self::Connection(_) | Self::Unexpected { .. } | Self::Listen(_) | Self::Randomness => return None,
        })
    }

    /// The error as reports carry it, with its causes.
    pub fn to_problem(&self) -> Problem {
        let mut message = self.to_string();
        for cause in std::iter::successors(std::error::Error::source(self), |error| error.source()) {
            message = format!("{message}: {cause}");
        }
        let problem = Problem::new(self.code(), message);
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}
