//! One-time provisioning keys: their format, their hash, the printed card.
//!
//! A key is 75 characters that a farmer can type: `otpk1`, then 70 characters of Bech32m (BIP-350) over a selector
//! that finds its row, a secret of 256 bits, and a tag that only the hub's pepper can make. The module knows nothing
//! of stores, farms or HTTP, and holds no key longer than its value lives.
//!
//! What must always hold: a key is never part of an error, a log line or a `Debug` output, and every buffer that held
//! one is zeroed.

pub mod card;
pub mod hash;
pub mod key;
mod locate;
mod pepper;

use crate::diagnostic::{Class, Problem};

pub use key::ProvisioningKey;
pub use pepper::Pepper;

/// What can be wrong with a key, its hash or its card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text does not begin as every key does.
    #[error("a provisioning key begins with `OTPK1`")]
    Prefix,
    /// Too few or too many characters.
    #[error("a provisioning key has 14 groups of 5 characters after `OTPK1`: found {found} characters{}", in_group(*.group))]
    Length {
        /// Characters after the prefix, separators not counted.
        found: usize,
        /// The one group (1 to 14) that does not have five characters, where the text was written in groups.
        group: Option<u8>,
    },
    /// A character that no key has.
    #[error("a character that no provisioning key has{}", in_group(Some(*.group)))]
    Alphabet {
        /// The group (1 to 14) it stands in.
        group: u8,
    },
    /// The checksum does not fit: something is mistyped.
    #[error("the provisioning key is mistyped{}", in_group(*.group))]
    Checksum {
        /// The group (1 to 14) of the one mistyped character, where there is only one.
        group: Option<u8>,
    },
    /// A pepper of too few bytes.
    #[error("a pepper has at least {} bytes: found {found}", pepper::MIN_BYTES)]
    ShortPepper {
        /// Its bytes.
        found: usize,
    },
    /// The operating system has no randomness to give.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// What the store holds is no Argon2id hash.
    #[error("the stored hash is not an Argon2id hash in PHC form")]
    Hash,
    /// Memory for Argon2id could not be had, or the like.
    #[error("Argon2id could not be computed")]
    Hashing,
    /// The card could not be drawn.
    #[error("the card could not be drawn: {reason}")]
    Card {
        /// What failed.
        reason: &'static str,
    },
}

impl Error {
    /// The stable code, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Prefix | Self::Length { .. } | Self::Alphabet { .. } | Self::Checksum { .. } => {
                "provisor::otpk::malformed_key"
            }
            Self::ShortPepper { .. } => "provisor::otpk::short_pepper",
            Self::Randomness => "provisor::otpk::no_randomness",
            Self::Hash => "provisor::otpk::bad_hash",
            Self::Hashing => "provisor::otpk::hashing_failed",
            Self::Card { .. } => "provisor::otpk::card_failed",
        }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Prefix | Self::Length { .. } | Self::Alphabet { .. } | Self::Checksum { .. } => Class::Usage,
            Self::ShortPepper { .. } => Class::Secret,
            Self::Randomness | Self::Hashing => Class::Unreachable,
            Self::Hash => Class::Conflict,
            Self::Card { .. } => Class::Refused,
        }
    }

    /// The group, 1 to 14, that the reader should look at again.
    pub fn group(&self) -> Option<u8> {
        match self {
            Self::Length { group, .. } | Self::Checksum { group } => *group,
            Self::Alphabet { group } => Some(*group),
            _ => None,
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prefix | Self::Length { .. } => {
                Some("type the whole key as it stands on the card, `OTPK1-` and 14 groups".to_owned())
            }
            Self::Alphabet { .. } | Self::Checksum { .. } => Some(match self.group() {
                Some(group) => format!("compare group {group} after `OTPK1` with the card"),
                None => "compare the key with the card, group by group".to_owned(),
            }),
            Self::ShortPepper { .. } => Some("make one with `head -c 32 /dev/urandom`".to_owned()),
            Self::Hash => Some("restore the store from a backup, and revoke the key".to_owned()),
            Self::Card { .. } => Some("shorten the farm's name, or the hub's address".to_owned()),
            Self::Randomness | Self::Hashing => None,
        }
    }

    /// The same as every JSON output carries it.
    pub fn to_problem(&self) -> Problem {
        let problem = Problem::new(self.code(), self.to_string());
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}

fn in_group(group: Option<u8>) -> String {
    group.map(|group| format!(", in group {group}")).unwrap_or_default()
}
