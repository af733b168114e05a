//! What can be wrong with a secret or a sink; never with its value or its length in the text.

use std::path::PathBuf;

use crate::diagnostic::{Class, Problem};

/// Why a secret cannot be had, or a sink cannot take one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing says where credentials are.
    #[error("there is no credentials directory to read the credential `{name}` from")]
    NoCredentialsDirectory {
        /// The credential that was asked for.
        name: String,
    },
    /// `$CREDENTIALS_DIRECTORY` names a folder that is not there.
    #[error("the credentials directory `{}` does not exist", path.display())]
    MissingDirectory {
        /// The folder.
        path: PathBuf,
    },
    /// The name of a credential cannot be one.
    #[error("`{name}` cannot be the name of a credential")]
    BadName {
        /// The name.
        name: String,
    },
    /// The credentials directory has no file of this name.
    #[error("the credential `{name}` does not exist")]
    MissingCredential {
        /// The credential that was asked for.
        name: String,
    },
    /// The secret is not there.
    #[error("{what} does not exist")]
    Missing {
        /// The secret's place.
        what: String,
    },
    /// The secret is there and empty.
    #[error("{what} is empty")]
    Empty {
        /// The secret's place.
        what: String,
    },
    /// More than systemd would deliver.
    #[error("{what} is larger than 1 MiB")]
    TooLarge {
        /// The secret's place.
        what: String,
    },
    /// A folder, a device or a socket stands where a file should.
    #[error("{what} is not a regular file")]
    NotAFile {
        /// The secret's place.
        what: String,
    },
    /// A symbolic link leads out of the credentials directory.
    #[error("{what} leads out of the credentials directory")]
    LeadsOut {
        /// The secret's place.
        what: String,
    },
    /// Others than the owner can get at it.
    #[error("{what} can be {how} by other users")]
    Permissions {
        /// The place.
        what: String,
        /// What others can do: "read" or "replaced".
        how: &'static str,
    },
    /// The bytes are no text.
    #[error("{what} is not UTF-8 text")]
    NotText {
        /// The secret's place.
        what: String,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A prompt where nobody can answer.
    #[error("there is no terminal to ask `{text}` on")]
    NoTerminal {
        /// The prompt.
        text: String,
    },
    /// The terminal could not be read.
    #[error("the answer to `{text}` could not be read")]
    Prompt {
        /// The prompt.
        text: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A Kubernetes Secret outside the operator.
    #[error("`secretKeyRef` works in operator mode only")]
    OperatorOnly,
    /// The folder of a sink is not there.
    #[error("the folder `{}` does not exist", path.display())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Something that is no file stands where a sink writes.
    #[error("`{}` is there and is no regular file", path.display())]
    SinkTaken {
        /// The place.
        path: PathBuf,
    },
    /// A recipient that age does not know.
    #[error("recipient {number} of `{}` is neither an age nor an SSH public key", path.display())]
    Recipient {
        /// The encrypted file.
        path: PathBuf,
        /// Which one, from 1.
        number: usize,
    },
    /// age failed.
    #[error("`{}` could not be encrypted", path.display())]
    Encrypt {
        /// The encrypted file.
        path: PathBuf,
    },
}

impl Error {
    /// Stable, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCredentialsDirectory { .. } | Self::MissingDirectory { .. } => {
                "provisor::secret::no_credentials_directory"
            }
            Self::BadName { .. } => "provisor::secret::bad_name",
            Self::MissingCredential { .. } | Self::Missing { .. } => "provisor::secret::missing",
            Self::Empty { .. } => "provisor::secret::empty",
            Self::TooLarge { .. } => "provisor::secret::too_large",
            Self::NotAFile { .. } | Self::LeadsOut { .. } => "provisor::secret::not_a_file",
            Self::Permissions { .. } => "provisor::secret::permissions",
            Self::NotText { .. } => "provisor::secret::not_text",
            Self::Io { .. } => "provisor::secret::unreadable",
            Self::NoTerminal { .. } | Self::Prompt { .. } => "provisor::secret::no_terminal",
            Self::OperatorOnly => "provisor::secret::operator_only",
            Self::MissingFolder { .. } => "provisor::sink::missing_folder",
            Self::SinkTaken { .. } => "provisor::sink::not_a_file",
            Self::Recipient { .. } => "provisor::sink::recipient",
            Self::Encrypt { .. } => "provisor::sink::encrypt",
        }
    }

    /// What sort of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::BadName { .. } | Self::Recipient { .. } => Class::Manifest,
            _ => Class::Secret,
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoCredentialsDirectory { .. } => {
                "run it in a unit with `LoadCredential=`, or name a folder with `--credentials-dir`"
            }
            Self::MissingDirectory { .. } => {
                "in a container, systemd cannot mount credentials where the root mount is not shared; mount the folder \
                 yourself and name it with `--credentials-dir`"
            }
            Self::BadName { .. } => "use letters, digits, `_`, `.`, `-` and `@`, at most 255",
            Self::MissingCredential { .. } => {
                "does the unit have its `LoadCredential=` line? systemd leaves out a relative one in silence when its \
                 file is missing"
            }
            Self::Empty { .. } => "a secret must not be empty; was the file encrypted or written yet?",
            Self::Permissions { how: "replaced", .. } => "`chmod go-w` the folder",
            Self::Permissions { .. } => "`chmod 0600` the file",
            Self::NotText { .. } => "was it encrypted, and not decrypted? A secret is text without a final line end",
            Self::NoTerminal { .. } => "run it on a terminal, or refer to a credential, a file or a variable instead",
            Self::OperatorOnly => "refer to a credential, a file or an environment variable instead",
            Self::MissingFolder { .. } => "make the folder first: provisor does not guess its owner and mode",
            Self::SinkTaken { .. } => {
                "name the file itself, not the folder that it is to lie in, or move away what is there"
            }
            Self::Recipient { .. } => "write `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`",
            _ => return None,
        })
    }

    /// The error as plans and reports carry it, with its cause.
    pub fn to_problem(&self) -> Problem {
        let cause = std::error::Error::source(self).map_or_else(String::new, |source| format!(": {source}"));
        let problem = Problem::new(self.code(), format!("{self}{cause}"));
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}
