//! Home Assistant: its API, what the component `nixos_integrations` adds to it, and what both keep in storage.
//!
//! Home Assistant shows neither data nor unique ids of its config entries and takes none; the component does, to
//! administrators only, and shows digests where a value may be a secret. What it promises is in
//! `custom_components/nixos_integrations/live.py`.

pub mod api;
pub mod catalog;
pub mod digest;
pub mod entry;
pub mod error;
pub mod handover;
pub mod sign_in;
pub mod stored;

pub use api::{Api, Config};
pub use error::Error;

/// The version of the component's protocol that this program speaks.
pub const PROTOCOL: u64 = 1;

/// The releases of Home Assistant that are tested, oldest first, as `YEAR.MONTH`.
pub const TESTED: [&str; 2] = ["2026.10", "2026.11"];

/// Whether `version` is of a tested release; another one may work, and nobody knows.
pub fn is_tested(version: &str) -> bool {
    TESTED
        .iter()
        .any(|tested| version.strip_prefix(tested).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}
