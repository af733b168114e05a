//! The JSON formats: the value as it is, and nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::reconcile::plan::Plan;

/// The `format` of faults.
pub const ERRORS_FORMAT: &str = "provisor.dev/errors/v1";

/// Faults where there is no plan or report, and what `validate` says (`provisor.dev/errors/v1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Errors {
    /// [`ERRORS_FORMAT`].
    pub format: String,
    /// Every fault; none where the manifests are valid.
    pub errors: Vec<Diagnostic>,
    /// What the reader should know besides.
    pub warnings: Vec<Diagnostic>,
}

/// A plan or a report. Revisions are for saved plans only.
pub fn plan(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.changes.iter_mut().for_each(|change| change.revision = None);
    document(&plan)
}

/// Faults.
pub fn errors(errors: &[Diagnostic], warnings: &[Diagnostic]) -> String {
    document(&Errors { format: ERRORS_FORMAT.to_owned(), errors: errors.to_vec(), warnings: warnings.to_vec() })
}

/// A value as one document with a line end.
///
/// # Panics
/// A type of ours cannot be written as JSON, which would be a bug.
pub fn document(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("types of ours have text keys and no failing serializer");
    text.push('\n');
    text
}
