//! A saved plan: what was reviewed, in a form that can be applied exactly, and that holds no secret.
//!
//! It is the plan's own JSON with a revision for each object and one member more, `saved`: the manifests with absolute
//! paths, the options, and which secrets are referred to. Applying it reads everything again and resolves the references
//! anew; nothing is applied where anything moved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::exit::Failure;
use super::render::json::document;
use crate::diagnostic::{Diagnostic, Problem};
use crate::id::ResourceId;
use crate::manifest::{Declared, Manifests};
use crate::reconcile::options::{MaxDelete, Options};
use crate::reconcile::plan::{Change, PLAN_FORMAT, Plan};
use crate::secret::reference::SecretRef;
use crate::secret::sink::write_private;

/// A plan that can be applied later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The plan, with revisions.
    #[serde(flatten)]
    pub plan: Plan,
    /// What applying it needs.
    pub saved: Saved,
}

/// What applying a saved plan needs besides the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Saved {
    /// The manifests, every path absolute.
    pub documents: Vec<Value>,
    /// What the plan was made with.
    pub options: SavedOptions,
    /// Which secrets the manifests refer to.
    pub secrets: Vec<SavedSecret>,
}

/// What a plan was made with; its owner stands in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedOptions {
    /// Whether orphans are removed.
    pub prune: bool,
    /// How much may be removed.
    pub max_delete: MaxDelete,
    /// Whether objects that nobody owns are taken over.
    pub adopt: bool,
    /// The resources that were looked at; all where empty.
    pub only: Vec<ResourceId>,
}

/// A secret that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedSecret {
    /// The resource, or the target.
    pub resource: ResourceId,
    /// The path below `spec`.
    pub path: String,
    /// Where the secret comes from.
    pub reference: SecretRef,
}

impl SavedPlan {
    /// The plan with what applying it needs.
    pub fn new(plan: Plan, manifests: &Manifests, options: &Options) -> Self {
        let declared = || manifests.targets.iter().chain(&manifests.resources);
        let secrets = declared().flat_map(|resource| {
            resource.spec.secrets().into_iter().map(|(path, reference)| SavedSecret {
                resource: resource.id.clone(),
                path: path.into_owned(),
                reference: reference.clone(),
            })
        });
        let options = SavedOptions {
            prune: options.prune,
            max_delete: options.max_delete,
            adopt: options.adopt,
            only: options.only.clone(),
        };
        let documents = declared().map(Declared::to_document).collect();
        Self { plan, saved: Saved { documents, options, secrets: secrets.collect() } }
    }

    /// What the engine is told.
    pub fn options(&self, parallelism: usize) -> Options {
        let SavedOptions { prune, max_delete, adopt, only } = self.saved.options.clone();
        Options { owner: self.plan.owner.clone(), prune, max_delete, adopt, only, without_secrets: false, parallelism }
    }
}

/// Reads what `provisor plan --out` wrote.
///
/// # Errors
/// The bytes are something else.
pub fn parse(bytes: &[u8]) -> Result<SavedPlan, Diagnostic> {
    let invalid = |message: String| Diagnostic::new("provisor::plan::not_saved", message);
    let hint = "`provisor plan --out PLAN` makes one; manifests are named with `-f`";
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| invalid(format!("not a saved plan: {error}")).with_hint(hint))?;
    match value.get("format").and_then(Value::as_str) {
        Some(PLAN_FORMAT) => {}
        Some(_) => return Err(invalid(format!("not a plan of format `{PLAN_FORMAT}`")).with_hint(hint)),
        None => return Err(invalid("not a saved plan: it has no `format`".to_owned()).with_hint(hint)),
    }
    if value.get("saved").is_none() {
        let message = "the plan can be read, but not applied: it has no `saved`".to_owned();
        return Err(invalid(message).with_hint("`-o json` prints a plan; `--out PLAN` saves one"));
    }
    serde_json::from_value(value).map_err(|error| invalid(format!("not a saved plan: {error}")).with_hint(hint))
}

/// Reads a saved plan from a file.
pub(super) fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let named = |mut fault: Diagnostic| {
        fault.file = Some(path.display().to_string());
        Failure::from(fault)
    };
    let bytes = std::fs::read(path)
        .map_err(|error| named(Diagnostic::new("provisor::plan::file", format!("cannot read the plan: {error}"))))?;
    parse(&bytes).map_err(named)
}

/// Writes a saved plan, whole or not at all, for its owner's eyes only.
pub(super) fn write(path: &Path, plan: &SavedPlan) -> Result<(), Failure> {
    let path = std::path::absolute(path)
        .map_err(|error| Problem::new("provisor::plan::file", format!("cannot tell where the plan goes: {error}")))?;
    write_private(&path, document(plan).as_bytes()).map_err(|error| Failure::from(error.to_problem()))
}

/// Every resource that is not as the saved plan saw it: new, gone, or with another action, field or revision.
pub fn stale(saved: &SavedPlan, fresh: &Plan) -> Vec<ResourceId> {
    let (before, now) = (by_place(&saved.plan), by_place(fresh));
    let places: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let moved = places.into_iter().filter(|place| match (before.get(*place), now.get(*place)) {
        (Some(before), Some(now)) => before.len() != now.len() || before.iter().zip(now).any(|(a, b)| has_moved(a, b)),
        _ => true,
    });
    let moved: BTreeSet<ResourceId> = moved.map(|(id, _)| (*id).clone()).collect();
    moved.into_iter().collect()
}

type Place<'a> = (&'a ResourceId, Option<&'a str>);

fn by_place(plan: &Plan) -> BTreeMap<Place<'_>, Vec<&Change>> {
    let mut changes: BTreeMap<_, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        changes.entry((&change.resource, change.target.as_deref())).or_default().push(change);
    }
    changes
}

fn has_moved(before: &Change, now: &Change) -> bool {
    before.action != now.action || before.fields != now.fields || before.revision != now.revision
}

/// What is said of resources that moved.
pub fn stale_faults(moved: Vec<ResourceId>) -> Vec<Diagnostic> {
    let fault = |id: ResourceId| {
        let message = format!("`{id}` is not as the plan saw it; nothing was applied");
        Diagnostic::new("provisor::plan::stale", message).with_hint("make a new plan and look at it").on(id)
    };
    moved.into_iter().map(fault).collect()
}
