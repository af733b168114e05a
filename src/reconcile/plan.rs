//! The plan and the report: data in a documented, versioned format, that renderers read and nothing computes with.
//!
//! No value in here is a secret: a sensitive field carries no value at all, only the reason why it is listed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Problem, Warning};
use crate::id::ResourceId;

/// The `format` of a plan.
pub const PLAN_FORMAT: &str = "provisor.dev/plan/v1";
/// The `format` of a report.
pub const REPORT_FORMAT: &str = "provisor.dev/report/v1";

/// What a plan compares the manifests with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// What the targets hold.
    Observed,
    /// Other manifests; no target was looked at.
    Declared,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is not there and will be made.
    Create,
    /// It differs and will be changed.
    Update,
    /// No manifest declares it any more, and pruning removes it or switches it off.
    Delete,
    /// It is there, nobody's, and will be taken over.
    Adopt,
    /// It is as declared.
    None,
    /// Ours, and no manifest declares it any more.
    Orphan,
    /// It cannot be changed: somebody else's, or a change that would do harm.
    Conflict,
    /// It could not be observed.
    Unknown,
}

/// Why a sensitive field is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// It differs and will be written.
    Changed,
    /// It is not there yet and will be written.
    Absent,
    /// Its holder rotated it; it is kept.
    Rotated,
    /// It could not be compared; it is kept.
    Unknown,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// As in the manifest, below `spec`: `title`, `attributes["access.token.lifespan"]`, `protocolMappers[aud].config.x`.
    pub path: String,
    /// What the target holds; null where it is absent or sensitive.
    pub before: Value,
    /// What is declared; null where it is removed or sensitive.
    pub after: Value,
    /// Whether the field holds a secret.
    pub sensitive: bool,
    /// Why it is listed; always there for a sensitive field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl FieldChange {
    /// A field whose values may be shown.
    pub fn plain(path: impl Into<String>, before: impl Into<Value>, after: impl Into<Value>) -> Self {
        Self { path: path.into(), before: before.into(), after: after.into(), sensitive: false, reason: None }
    }

    /// A field whose values may not be shown.
    pub fn secret(path: impl Into<String>, reason: Reason) -> Self {
        Self { path: path.into(), before: Value::Null, after: Value::Null, sensitive: true, reason: Some(reason) }
    }

    /// Whether applying would write the field; a rotated or unknown secret is only reported.
    pub fn is_write(&self) -> bool {
        !matches!(self.reason, Some(Reason::Rotated | Reason::Unknown))
    }
}

/// What happens to one resource, and what happened to it once applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Which resource.
    pub resource: ResourceId,
    /// The target's name; null where none was looked at.
    pub target: Option<String>,
    /// What happens.
    pub action: Action,
    /// What happened; in a report only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The fields that differ, in a stable order.
    pub fields: Vec<FieldChange>,
    /// A sentence that explains the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
    /// What the reader should know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// In a saved plan: a revision of what was read, no part of it made from a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether applying writes to the target or to a sink.
    #[serde(skip)]
    pub writes: bool,
}

impl Change {
    /// A change with nothing in it yet.
    pub fn new(resource: ResourceId, target: Option<String>, action: Action) -> Self {
        Self {
            resource,
            target,
            action,
            outcome: None,
            fields: Vec::new(),
            message: None,
            error: None,
            warnings: Vec::new(),
            revision: None,
            writes: matches!(action, Action::Create | Action::Update | Action::Delete | Action::Adopt),
        }
    }

    /// Whether the change keeps the run from succeeding.
    pub fn is_failure(&self) -> bool {
        self.error.is_some() || matches!(self.action, Action::Conflict) || self.outcome == Some(Outcome::Failed)
    }
}

/// What happened to a resource in an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Written, and seen to be as declared.
    Applied,
    /// Nothing had to be written.
    Unchanged,
    /// Not, or not wholly, as declared now.
    Failed,
    /// Not tried, because something it needs failed or the run was stopped.
    Skipped,
}

/// How many changes of each action a plan has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each field is the action of its name")]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub delete: usize,
    pub adopt: usize,
    pub none: usize,
    pub orphan: usize,
    pub conflict: usize,
    pub unknown: usize,
}

impl Summary {
    /// Counts `changes` by action.
    pub fn of(changes: &[Change]) -> Self {
        let mut summary = Self::default();
        for change in changes {
            *match change.action {
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Delete => &mut summary.delete,
                Action::Adopt => &mut summary.adopt,
                Action::None => &mut summary.none,
                Action::Orphan => &mut summary.orphan,
                Action::Conflict => &mut summary.conflict,
                Action::Unknown => &mut summary.unknown,
            } += 1;
        }
        summary
    }
}

/// A plan (`provisor.dev/plan/v1`), or with outcomes a report (`provisor.dev/report/v1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`PLAN_FORMAT`] or [`REPORT_FORMAT`].
    pub format: String,
    /// What the manifests were compared with.
    pub basis: Basis,
    /// Who marks what it manages.
    pub owner: String,
    /// Every declared resource and every orphan; unchanged ones too.
    pub changes: Vec<Change>,
    /// How many changes of each action.
    pub summary: Summary,
    /// What the reader should know besides, of the run as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// A plan of `changes`.
    pub fn new(basis: Basis, owner: impl Into<String>, changes: Vec<Change>) -> Self {
        let summary = Summary::of(&changes);
        Self { format: PLAN_FORMAT.to_owned(), basis, owner: owner.into(), changes, summary, warnings: Vec::new() }
    }

    /// Whether applying would write anything.
    pub fn has_changes(&self) -> bool {
        self.changes.iter().any(|change| change.writes)
    }

    /// Whether something keeps the run from succeeding.
    pub fn has_failures(&self) -> bool {
        self.changes.iter().any(Change::is_failure)
    }
}
