//! What a run is told: whose it is, what it may remove, what it looks at.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::ResourceId;

/// The owner where none is named.
pub const DEFAULT_OWNER: &str = "default";
/// How many writes one target sees at a time where nothing is said.
pub const DEFAULT_PARALLELISM: usize = 8;

/// What a run is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Who marks what it manages.
    pub owner: String,
    /// Remove orphans.
    pub prune: bool,
    /// How much pruning may remove.
    pub max_delete: MaxDelete,
    /// Take over objects that are there already and nobody's.
    pub adopt: bool,
    /// Look at these resources only; all where empty.
    pub only: Vec<ResourceId>,
    /// Resolve no secret but those that targets need to be read.
    pub without_secrets: bool,
    /// How many requests one target sees at a time.
    pub parallelism: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            owner: DEFAULT_OWNER.to_owned(),
            prune: false,
            max_delete: MaxDelete::default(),
            adopt: false,
            only: Vec::new(),
            without_secrets: false,
            parallelism: DEFAULT_PARALLELISM,
        }
    }
}

impl Options {
    /// Whether the run looks at `id`.
    pub fn selects(&self, id: &ResourceId) -> bool {
        self.only.is_empty() || self.only.contains(id)
    }
}

/// How many objects pruning may remove in one run: `N`, or `N%` of what is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum MaxDelete {
    /// So many.
    Count(usize),
    /// This part of what is owned, rounded down, at least one.
    Percent(u8),
}

impl Default for MaxDelete {
    fn default() -> Self {
        Self::Percent(10)
    }
}

impl MaxDelete {
    /// How many deletes are allowed where `owned` objects carry our mark.
    pub fn limit(self, owned: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(0) => 0,
            Self::Percent(percent) => (owned * usize::from(percent) / 100).max(1),
        }
    }
}

impl std::fmt::Display for MaxDelete {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(out, "{count}"),
            Self::Percent(percent) => write!(out, "{percent}%"),
        }
    }
}

/// The text is neither `N` nor `N%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a number, or a percentage from 0% to 100%")]
pub struct ParseMaxDeleteError;

impl FromStr for MaxDelete {
    type Err = ParseMaxDeleteError;

    fn from_str(text: &str) -> Result<Self, ParseMaxDeleteError> {
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                _ => Err(ParseMaxDeleteError),
            },
            None => text.parse().map(Self::Count).map_err(|_| ParseMaxDeleteError),
        }
    }
}

impl From<MaxDelete> for String {
    fn from(limit: MaxDelete) -> Self {
        limit.to_string()
    }
}

impl TryFrom<String> for MaxDelete {
    type Error = ParseMaxDeleteError;

    fn try_from(text: String) -> Result<Self, ParseMaxDeleteError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REC-9: 10 % of what is owned, rounded down, at least one.
    #[test]
    fn the_default_limit_is_a_tenth_but_at_least_one() {
        for (owned, limit) in [(0, 1), (1, 1), (19, 1), (20, 2), (1000, 100)] {
            assert_eq!(MaxDelete::default().limit(owned), limit, "{owned}");
        }
        assert_eq!("0".parse::<MaxDelete>().unwrap().limit(50), 0);
        assert_eq!("0%".parse::<MaxDelete>().unwrap().limit(50), 0);
        assert_eq!("100%".parse::<MaxDelete>().unwrap().limit(50), 50);
        for wrong in ["", "%", "101%", "-1", "ten"] {
            assert!(wrong.parse::<MaxDelete>().is_err(), "{wrong}");
        }
    }
}
