//! What goes wrong between us and Home Assistant, in words that say what to do about it.

use crate::diagnostic::Problem;
use crate::http;

/// A call that did not do what it was to do. `doing` is what was tried, as in "list the config entries".
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configured address cannot be one of a Home Assistant.
    #[error("`{url}` is no address: {reason}")]
    InvalidUrl {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// There is no token to sign in with.
    #[error("{}", .0.message)]
    Token(Problem),
    /// The token is not accepted.
    #[error("`{server}` does not accept the token")]
    Unauthorized {
        /// Scheme, host and port.
        server: String,
    },
    /// The token is not an administrator's.
    #[error("the token may not {doing}: it is not an administrator's")]
    Forbidden {
        /// What was tried.
        doing: String,
    },
    /// Home Assistant has not started yet.
    #[error("Home Assistant at `{server}` has not started yet: its state is `{state}`")]
    Starting {
        /// Scheme, host and port.
        server: String,
        /// What it does instead.
        state: String,
    },
    /// The component is not installed, or not loaded.
    #[error("Home Assistant at `{server}` does not have the component `nixos_integrations`")]
    ComponentMissing {
        /// Scheme, host and port.
        server: String,
    },
    /// The component speaks another protocol.
    #[error("the component `nixos_integrations` {version} speaks protocol {theirs}, and this program {ours}")]
    Protocol {
        /// The component's version.
        version: String,
        /// Its protocol.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// Home Assistant or the component refused.
    #[error("cannot {doing}: {message}")]
    Refused {
        /// What was tried.
        doing: String,
        /// The component's code, such as `single_instance`.
        code: String,
        /// Its words; they hold no value.
        message: String,
    },
    /// The answer is not one that a Home Assistant gives.
    #[error("cannot {doing}: {what}")]
    Unexpected {
        /// What was tried.
        doing: String,
        /// What is wrong with it.
        what: String,
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
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> String {
        let name = match self {
            Self::InvalidUrl { .. } => "invalid_url",
            Self::Token(problem) => return problem.code.clone(),
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::Starting { .. } => "starting",
            Self::ComponentMissing { .. } => "component_missing",
            Self::Protocol { .. } => "protocol",
            Self::Refused { code, .. } => match code.as_str() {
                "stale" => return "provisor::plan::stale".to_owned(),
                "not_owned" => "not_owned",
                "unknown_integration" => "unknown_integration",
                "no_config_flow" => "no_config_flow",
                "single_instance" => "single_instance",
                "already_exists" => "already_exists",
                "not_durable" => "not_durable",
                _ => "refused",
            },
            Self::Unexpected { .. } => "unexpected_response",
            Self::Connection { cause, .. } => match cause {
                http::Error::Unreachable { .. } => "unreachable",
                http::Error::Tls { .. } => "tls",
                http::Error::CaFile { .. } => "ca_file",
                _ => "connection",
            },
        };
        format!("provisor::home_assistant::{name}")
    }

    /// The error as people and programs see it, with its cause and a remedy.
    pub fn to_problem(&self) -> Problem {
        if let Self::Token(problem) = self {
            return problem.clone();
        }
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let problem = Problem::new(self.code(), message);
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized { .. } => Some(
                "make a long-lived token on an administrator's profile page, or let the component keep one in a file \
                 (`_token_file`), and name it in the `token` of the `HomeAssistant`",
            ),
            Self::Forbidden { .. } => Some("take the token of an administrator"),
            Self::Starting { .. } => Some("`--wait 60s` waits for it"),
            Self::ComponentMissing { .. } => Some(
                "install it by copying `custom_components/nixos_integrations` into the configuration folder, or by HACS \
                 as a custom repository, or by the NixOS module; then write `nixos_integrations:` into \
                 `configuration.yaml` and restart Home Assistant",
            ),
            Self::Protocol { .. } => Some("install the component of this version of provisor"),
            Self::Refused { code, .. } => match code.as_str() {
                "stale" => Some("plan again and look at the difference"),
                "unknown_integration" => Some("look at the integration's name; a custom one has to be installed first"),
                "no_config_flow" => Some("this integration is configured in YAML only"),
                "single_instance" => Some("take over the entry that is there, with `lifecycle: {adopt: always}`"),
                _ => None,
            },
            Self::Connection { cause: http::Error::Unreachable { .. }, .. } => {
                Some("look at `url`, and whether Home Assistant runs; `--wait 60s` waits for it to start")
            }
            Self::Connection { cause: http::Error::Tls { .. }, .. } => {
                Some("`caFile` names the authority of a certificate of your own")
            }
            _ => None,
        }
    }
}
