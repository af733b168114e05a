//! The hub's store: rows, and the rules that hold whoever writes them.
//!
//! # Time
//! Times are whole Unix seconds. What a row records (`created_at`, `expires_at`, `revoked_at`) is stamped from the
//! caller's [`crate::clock::Clock`], and so is the state that a list shows: for a store in the caller's own process
//! the two clocks are one, and tests can move it. A *claim* (a later part) judges expiry by the database's clock
//! inside its statement, because replicas with skewed clocks must agree on it; `expires_at` is stored in the form
//! that `unixepoch()` compares with. A moment is rounded down when it is recorded and up when it is a deadline, so
//! that a key is never good for less than was promised, and for less than a second more.

pub(super) mod farms;
pub(super) mod keys;
pub(super) mod peppers;
mod sqlite;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::diagnostic::{Class, Problem};

pub(super) use sqlite::Store;

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened as a store.
    #[error("cannot open the hub's store {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database answered.
        source: sqlx::Error,
    },
    /// The file cannot be looked at.
    #[error("cannot read the hub's store {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// It is a database, and not a hub's.
    #[error("not the store of a hub: {}", .0.display())]
    NotAHub(PathBuf),
    /// A newer provisor wrote it.
    #[error("the hub's store has schema {found}; this provisor knows {known}")]
    Newer {
        /// The store's schema.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// An older provisor wrote it, and it was opened to be read.
    #[error("the hub's store has schema {found} and must be brought to {known} first")]
    Older {
        /// The store's schema.
        found: i64,
        /// The one that this program reads.
        known: i64,
    },
    /// Somebody else holds the store for longer than we wait.
    #[error("the hub's store is held by another process")]
    Busy,
    /// A statement failed.
    #[error("the hub's store failed")]
    Failed(#[source] sqlx::Error),
}

impl Error {
    /// The stable code, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } | Self::Unreadable { .. } => "provisor::hub::store_unreadable",
            Self::NotAHub(_) => "provisor::hub::not_a_hub",
            Self::Newer { .. } => "provisor::hub::store_newer",
            Self::Older { .. } => "provisor::hub::store_older",
            Self::Busy => "provisor::hub::store_busy",
            Self::Failed(_) => "provisor::hub::store_failed",
        }
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Open { .. } | Self::Unreadable { .. } | Self::Busy | Self::Failed(_) => Class::Unreachable,
            Self::NotAHub(_) | Self::Newer { .. } | Self::Older { .. } => Class::Refused,
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAHub(_) => Some("name a folder of its own for the hub"),
            Self::Newer { .. } => Some("use the newer provisor"),
            Self::Older { .. } => Some("open it once for writing: `provisor apply`, or start the hub"),
            Self::Busy => Some("try again when the other process is done"),
            _ => None,
        }
    }

    /// The same as every JSON output carries it, with what the database or the system answered.
    pub fn to_problem(&self) -> Problem {
        let message = match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        };
        let problem = Problem::new(self.code(), message);
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Database(cause) if is_busy(cause.code().as_deref()) => Self::Busy,
            _ => Self::Failed(error),
        }
    }
}

/// `SQLITE_BUSY` (5) and `SQLITE_LOCKED` (6), with their extended codes in the higher bytes.
fn is_busy(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// The second that a moment is in.
pub(super) fn second(moment: Timestamp) -> i64 {
    moment.as_second() - i64::from(moment.subsec_nanosecond() < 0)
}

/// The first second that is not before `deadline`.
pub(super) fn second_after(deadline: Timestamp) -> i64 {
    deadline.as_second() + i64::from(deadline.subsec_nanosecond() > 0)
}

/// A recorded second as a moment; a row that holds no such time is a damaged row.
fn moment(second: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_second(second).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn json(text: Option<String>) -> Result<Option<serde_json::Value>, sqlx::Error> {
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
