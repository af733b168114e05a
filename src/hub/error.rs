//! What can go wrong between a hub and those who use it.

use std::path::PathBuf;

use uuid::Uuid;

use super::store;
use crate::diagnostic::{Class, Problem};
use crate::otpk;

/// Why the hub did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key's text, its hash or its pepper.
    #[error(transparent)]
    Key(#[from] otpk::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A presented key that is nobody's: the one answer for all that was not proved.
    #[error("the provisioning key is not valid")]
    InvalidKey,
    /// No such farm.
    #[error("the hub has no farm `{0}`")]
    FarmNotFound(Uuid),
    /// No such key.
    #[error("the hub has no provisioning key `{0}`")]
    KeyNotFound(Uuid),
    /// A farm of that id is there already.
    #[error("the hub has a farm `{0}` already")]
    FarmExists(Uuid),
    /// The farm was revoked.
    #[error("farm `{0}` was revoked")]
    FarmRevoked(Uuid),
    /// The key bought its certificate before it could be revoked.
    #[error("provisioning key `{0}` was used already")]
    AlreadyUsed(Uuid),
    /// A value that no hub keeps.
    #[error("`{field}` {rule}")]
    Invalid {
        /// The field, as in the interface.
        field: &'static str,
        /// What its value must be, as the end of a sentence.
        rule: &'static str,
    },
    /// The hub was opened to be read.
    #[error("the hub's store was opened read-only")]
    ReadOnly,
    /// The store's keys were minted under a pepper that is not there.
    #[error("the hub's pepper is missing: {}", .0.display())]
    PepperMissing(PathBuf),
    /// The pepper that was given is not the one of the store's keys.
    #[error("the hub's pepper is not the one that its store was made with")]
    PepperDiffers,
    /// The folder is used for other things, and open to others.
    #[error("the hub's folder holds other files and is open to other users: {}", .0.display())]
    DirectoryShared(PathBuf),
    /// A file or folder of the hub.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Minting found only selectors that other keys have.
    #[error("the hub found no free selector for a provisioning key")]
    NoSelector,
    /// A task of this process was lost.
    #[error("the hub lost a task of its own")]
    Interrupted,
}

impl Error {
    /// The stable code, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::InvalidKey => "provisor::otpk::invalid_key",
            Self::FarmNotFound(_) => "provisor::hub::farm_not_found",
            Self::KeyNotFound(_) => "provisor::hub::key_not_found",
            Self::FarmExists(_) => "provisor::hub::farm_exists",
            Self::FarmRevoked(_) => "provisor::hub::farm_revoked",
            Self::AlreadyUsed(_) => "provisor::hub::already_used",
            Self::Invalid { .. } => "provisor::hub::invalid",
            Self::ReadOnly => "provisor::hub::read_only",
            Self::PepperMissing(_) => "provisor::hub::pepper_missing",
            Self::PepperDiffers => "provisor::hub::pepper_differs",
            Self::DirectoryShared(_) => "provisor::hub::directory_shared",
            Self::File { .. } => "provisor::hub::file",
            Self::NoSelector => "provisor::hub::no_selector",
            Self::Interrupted => "provisor::hub::interrupted",
        }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Key(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::InvalidKey
            | Self::Invalid { .. }
            | Self::FarmNotFound(_)
            | Self::KeyNotFound(_)
            | Self::DirectoryShared(_)
            | Self::File { .. } => Class::Refused,
            Self::FarmExists(_) | Self::FarmRevoked(_) | Self::AlreadyUsed(_) => Class::Conflict,
            Self::PepperMissing(_) | Self::PepperDiffers => Class::Secret,
            Self::NoSelector => Class::Unreachable,
            Self::ReadOnly | Self::Interrupted => Class::Bug,
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::FarmExists(_) => Some("choose another `farmId`, or leave it out"),
            Self::FarmRevoked(_) => Some("register the farm anew: a revoked farm stays revoked"),
            Self::AlreadyUsed(_) => Some("revoke the certificate that the key bought"),
            Self::PepperMissing(_) | Self::PepperDiffers => {
                Some("restore `hub.pepper` from the backup: outstanding keys are tagged with it")
            }
            Self::DirectoryShared(_) => Some("name a folder of its own for the hub, or make this one 0700"),
            _ => None,
        }
    }

    /// The same as every JSON output carries it, with the causes that say what the system answered.
    pub fn to_problem(&self) -> Problem {
        match self {
            Self::Key(error) => return error.to_problem(),
            Self::Store(error) => return error.to_problem(),
            _ => {}
        }
        let mut message = self.to_string();
        if let Self::File { source, .. } = self {
            message = format!("{message}: {source}");
        }
        let problem = Problem::new(self.code(), message);
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}
