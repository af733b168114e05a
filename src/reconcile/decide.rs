//! Deciding: from what is declared and what is there to what happens. Pure; the whole policy of ownership, adoption,
//! renaming and pruning stands here, once for every provider.

use std::collections::{BTreeSet, HashSet};

use super::index::{Found, Index};
use super::options::Options;
use super::orphans::decide_orphan;
use super::ownership::Mark;
use super::plan::{Action, Change, FieldChange};
use super::provider::{Comparison, Provider, Seen, Wanted};
use crate::diagnostic::Problem;
use crate::id::ResourceId;
use crate::manifest::kinds::common::{Adopt, DeletionPolicy};

/// What the executor does about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Nothing is written.
    Nothing,
    /// The object is made.
    Create,
    /// Fields and mark are written.
    Update,
    /// The object is removed.
    Delete,
    /// The object is switched off and keeps our mark.
    Disable,
    /// Our mark is removed and the object stays.
    Unmark,
}

/// A change with what the executor needs to carry it out.
#[derive(Debug)]
pub struct Planned {
    /// The change as the plan shows it.
    pub change: Change,
    /// What is done about it.
    pub operation: Operation,
    /// Index of the want; none for an orphan.
    pub want: Option<usize>,
    /// Index of the object; none where it is to be made.
    pub seen: Option<usize>,
}

/// What is known beside one target: every declared resource, and the options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) target: &'a str,
    pub(crate) declared: &'a BTreeSet<ResourceId>,
    pub(crate) options: &'a Options,
}

/// Decides what happens to every want and every orphan of one target.
pub(crate) fn decide<P: Provider>(
    provider: &P,
    wants: &[Wanted<P::Want>],
    seen: &[Seen<P::Have>],
    context: Context<'_>,
) -> Vec<Planned> {
    let index = Index::new(wants, seen, &context.options.owner, provider.marks_are_copied());
    let mut claimed = HashSet::new();
    let mut planned: Vec<Planned> = wants
        .iter()
        .enumerate()
        .map(|(number, want)| {
            let found = index.find(want, provider.may_rename());
            claimed.extend(found);
            let found = found.map(|at| Found { at, object: &seen[at], is_copy: index.standing(at).is_copy() });
            Planned { want: Some(number), ..decide_want(provider, want, found.as_ref(), context) }
        })
        .collect();
    // What is written hangs on what is declared from then on, and on no orphan any more.
    let moved: HashSet<&str> = planned
        .iter()
        .filter(|planned| planned.operation == Operation::Update)
        .filter_map(|planned| Some(seen[planned.seen?].key.as_str()))
        .collect();
    let orphan = |at: usize| {
        let object = &seen[at];
        let guard = object.guards.iter().find(|guard| !moved.contains(guard.key.as_str()));
        decide_orphan(at, object, &index.standing(at), guard, context)
    };
    let mut orphans: Vec<Planned> = (0..seen.len()).filter(|at| !claimed.contains(at)).filter_map(orphan).collect();
    orphans.sort_by(|a, b| a.change.resource.cmp(&b.change.resource));
    planned.extend(orphans);
    planned
}

fn decide_want<P: Provider>(
    provider: &P,
    want: &Wanted<P::Want>,
    found: Option<&Found<'_, P::Have>>,
    context: Context<'_>,
) -> Planned {
    let mut change = Change::new(want.id.clone(), Some(context.target.to_owned()), Action::None);
    change.warnings.clone_from(&want.warnings);
    change.revision = found.map(|found| found.object.revision.clone());
    let plan = |change: Change, operation| Planned { change, operation, want: None, seen: found.map(|found| found.at) };
    if want.lifecycle.suspend {
        change.message = Some("suspended: neither compared nor changed".to_owned());
        return plan(change, Operation::Nothing);
    }
    if let Err(problem) = &want.want {
        change.action = Action::Unknown;
        change.error = Some(problem.clone());
        return plan(change, Operation::Nothing);
    }
    let mut comparison = provider.compare(want, found.map(|found| found.object));
    let verdict = match found {
        None => Ok(Action::Create),
        Some(found) => owned_as(want, found, &mut comparison, context),
    };
    change.warnings.append(&mut comparison.warnings);
    change.message = comparison.message.take();
    change.error = comparison.conflict.take();
    let (action, operation) = match verdict {
        Err(problem) => {
            change.error = Some(problem);
            (Action::Conflict, Operation::Nothing)
        }
        Ok(_) if change.error.is_some() => (Action::Conflict, Operation::Nothing),
        Ok(Action::Create) => (Action::Create, Operation::Create),
        Ok(Action::Adopt) => (Action::Adopt, Operation::Update),
        Ok(_) if comparison.writes() => (Action::Update, Operation::Update),
        Ok(_) => (Action::None, Operation::Nothing),
    };
    if change.error.is_none() {
        change.error = comparison.failure.take();
    }
    change.action = action;
    change.writes = operation != Operation::Nothing;
    change.fields = comparison.fields;
    plan(change, operation)
}

/// Whether the object may be changed for the want: `Update` where it is ours, `Adopt` where it is nobody's and may be
/// taken over. Adds the fields of the mark that differ.
fn owned_as<W, H>(
    want: &Wanted<W>,
    found: &Found<'_, H>,
    comparison: &mut Comparison,
    context: Context<'_>,
) -> Result<Action, Problem> {
    let object = found.object;
    let Some(mark) = object.mark.as_ref().filter(|_| !found.is_copy) else {
        return adopt(want, object, comparison, context);
    };
    if mark.owner != context.options.owner {
        let message = format!("`{}` is managed by owner `{}` as `{}`", object.key, mark.owner, mark.resource);
        let hint = format!("run with `--owner {}`, or have that owner give it up first", mark.owner);
        return Err(Problem::new("provisor::plan::conflict", message).with_hint(hint));
    }
    if mark.resource != want.id {
        if mark.resource.kind != want.id.kind {
            let (before, after) = (mark.resource.kind.clone(), want.id.kind.clone());
            comparison.fields.insert(0, FieldChange::plain("kind", before, after));
        }
        if mark.resource.name != want.id.name {
            let (before, after) = (mark.resource.name.clone(), want.id.name.clone());
            comparison.fields.insert(0, FieldChange::plain("metadata.name", before, after));
        }
    }
    mark_fields(want, mark, comparison);
    Ok(Action::Update)
}

fn mark_fields<W>(want: &Wanted<W>, mark: &Mark, comparison: &mut Comparison) {
    let name = |policy: DeletionPolicy| format!("{policy:?}");
    if mark.applied.deletion_policy != want.lifecycle.deletion_policy {
        let (before, after) = (name(mark.applied.deletion_policy), name(want.lifecycle.deletion_policy));
        comparison.fields.push(FieldChange::plain("lifecycle.deletionPolicy", before, after));
    }
    if mark.applied.prevent_destroy != want.lifecycle.prevent_destroy {
        let (before, after) = (mark.applied.prevent_destroy, want.lifecycle.prevent_destroy);
        comparison.fields.push(FieldChange::plain("lifecycle.preventDestroy", before, after));
    }
}

fn adopt<W, H>(
    want: &Wanted<W>,
    object: &Seen<H>,
    comparison: &Comparison,
    context: Context<'_>,
) -> Result<Action, Problem> {
    let allowed = context.options.adopt
        || match want.lifecycle.adopt {
            Adopt::Always => true,
            Adopt::IfIdentical => !comparison.writes(),
            Adopt::Never => false,
        };
    if allowed {
        return Ok(Action::Adopt);
    }
    let differing: Vec<&str> = comparison.fields.iter().filter(|f| f.is_write()).map(|f| f.path.as_str()).collect();
    let message = match differing.as_slice() {
        [] => format!("`{}` exists already and nobody owns it; it is as declared", object.key),
        paths => {
            let shown = paths.iter().take(8).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
            let more = paths.len().saturating_sub(8);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("`{}` exists already and nobody owns it; adoption would change {shown}{more}", object.key)
        }
    };
    let hint = "take it over with `--adopt`, or with `lifecycle: {adopt: always}` in the manifest";
    Err(Problem::new("provisor::plan::conflict", message).with_hint(hint))
}
