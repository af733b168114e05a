//! What can be wrong with storage; names and places in the text, never values.

use super::VERSION;
use crate::diagnostic::Problem;

/// Why storage does not give what was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("there is no `{file}` in `{path}`")]
    Missing {
        /// The file's name.
        file: &'static str,
        /// Where it was looked for.
        path: String,
    },
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what Home Assistant writes.
    #[error("`{path}` is not a storage file of Home Assistant (line {line}, column {column})")]
    Malformed {
        /// The file.
        path: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// The file has a form that is newer than what we know.
    #[error("`{path}` has version {version}, and provisor knows version {VERSION}")]
    Version {
        /// The file.
        path: String,
        /// The version that it states.
        version: u64,
    },
    /// No entry fits.
    #[error("there is no entry of `{domain}`{}", wanted(entry.as_deref()))]
    NoEntry {
        /// The integration.
        domain: String,
        /// What was asked for.
        entry: Option<String>,
        /// Entries of the integration that there are.
        others: Vec<String>,
    },
    /// Several entries fit.
    #[error("there are {} entries of `{domain}`{}", found.len(), wanted(entry.as_deref()))]
    Ambiguous {
        /// The integration.
        domain: String,
        /// What was asked for.
        entry: Option<String>,
        /// Those that fit.
        found: Vec<String>,
    },
    /// It cannot be told which field is meant.
    #[error("which field of the entry {entry} is the credential cannot be told")]
    WhichField {
        /// The entry.
        entry: String,
        /// The names of its fields.
        fields: Vec<String>,
    },
    /// The entry has no such field.
    #[error("the entry {entry} has no field `{field}`")]
    NoField {
        /// The entry.
        entry: String,
        /// The field that was asked for.
        field: String,
        /// The names of its fields.
        fields: Vec<String>,
    },
    /// The field is there and holds no text, or an empty one.
    #[error("`{field}` of the entry {entry} {what}")]
    NotText {
        /// The entry.
        entry: String,
        /// The field.
        field: String,
        /// What it holds instead.
        what: &'static str,
    },
}

fn wanted(entry: Option<&str>) -> String {
    entry.map_or_else(String::new, |entry| format!(" with the id or title `{entry}`"))
}

impl Error {
    /// Stable, as in `docs/errors.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "provisor::home_assistant::no_storage",
            Self::Unreadable { .. } => "provisor::home_assistant::storage_unreadable",
            Self::Malformed { .. } => "provisor::home_assistant::storage_malformed",
            Self::Version { .. } => "provisor::home_assistant::storage_version",
            Self::NoEntry { .. } => "provisor::home_assistant::no_entry",
            Self::Ambiguous { .. } => "provisor::home_assistant::several_entries",
            Self::WhichField { .. } => "provisor::home_assistant::which_field",
            Self::NoField { .. } => "provisor::home_assistant::no_field",
            Self::NotText { .. } => "provisor::home_assistant::not_text",
        }
    }

    /// What the reader can do.
    pub fn hint(&self) -> Option<String> {
        let list = |names: &[String]| names.join(", ");
        Some(match self {
            Self::Missing { .. } => {
                "name Home Assistant's configuration folder, such as `/var/lib/hass`, its `.storage`, or the file"
                    .to_owned()
            }
            Self::Unreadable { .. } => "run it as Home Assistant's user, or as root".to_owned(),
            Self::Malformed { .. } => "was it copied while it was written? Try again".to_owned(),
            Self::Version { .. } => "use a newer provisor".to_owned(),
            Self::NoEntry { others, .. } if others.is_empty() => {
                "add the integration in Home Assistant and sign in once; it is on disk a second later".to_owned()
            }
            Self::NoEntry { others, .. } => format!("entries of it: {}", list(others)),
            Self::Ambiguous { found, .. } => format!("name one with `--entry`: {}", list(found)),
            Self::WhichField { fields, .. } if fields.is_empty() => "it has none".to_owned(),
            Self::WhichField { fields, .. } => format!("name it with `--field`: {}", list(fields)),
            Self::NoField { fields, .. } => format!("fields of it: {}", list(fields)),
            Self::NotText { .. } => return None,
        })
    }

    /// The error as reports carry it, with its cause.
    pub fn to_problem(&self) -> Problem {
        let cause = std::error::Error::source(self).map_or_else(String::new, |source| format!(": {source}"));
        let problem = Problem::new(self.code(), format!("{self}{cause}"));
        match self.hint() {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        }
    }
}
