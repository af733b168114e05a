//! What is told to people and programs when something is wrong: a stable code, a sentence, a remedy.
//!
//! A message never repeats a value that could be a secret; it names the resource, the path and the place.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::ResourceId;

/// What kind of failure it is; decides whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The command line is wrong.
    Usage,
    /// A manifest is wrong.
    Manifest,
    /// A secret or sink is missing or unusable.
    Secret,
    /// The target refused: rights, validation, policy.
    Refused,
    /// The target could not be reached or is overloaded.
    Unreachable,
    /// Somebody else's object, or something that moved.
    Conflict,
    /// provisor is wrong.
    Bug,
}

/// One error as every JSON output carries it: `{code, message, hint?}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Stable, such as `provisor::keycloak::forbidden`; documented in `docs/errors.md`.
    pub code: String,
    /// One sentence: what failed, on what, why.
    pub message: String,
    /// What the reader can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: None }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// A warning: nothing failed, but the reader should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable, such as `provisor::secret::short`.
    pub code: String,
    /// One sentence.
    pub message: String,
}

impl Warning {
    /// A warning with a stable code.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// A fault with the place it was found at, as `validate -o json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnostic {
    /// Stable code, such as `provisor::manifest::unknown_field`.
    pub code: String,
    /// One sentence without any value that could be secret.
    pub message: String,
    /// What the reader can do, such as "did you mean `clientId`?".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The file as it was named; `-` for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The offending path, such as `spec.redirectUris[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The resource, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
}

impl Diagnostic {
    /// A fault with no place yet.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: None,
            file: None,
            line: None,
            column: None,
            path: None,
            resource: None,
        }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same at `path`.
    #[must_use]
    pub fn at_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same about `resource`.
    #[must_use]
    pub fn on(mut self, resource: ResourceId) -> Self {
        self.resource = Some(resource);
        self
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        Self { hint: problem.hint, ..Self::new(problem.code, problem.message) }
    }
}

/// The candidate that `word` most probably means, for "did you mean".
///
/// Case, `_` and `-` do not count as differences; beyond that Damerau-Levenshtein distance, at most a third of the
/// word's length.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.chars().filter(|c| !matches!(c, '_' | '-')).collect::<String>().to_lowercase();
    let wanted = plain(word);
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
