//! Deciding: from what is declared and what is there to what happens. Pure; the whole policy of ownership, adoption,
//! renaming and pruning stands here, once for every provider.

use std::collections::{BTreeSet, HashMap, HashSet};

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
    let index = Index::new(wants, seen, &context.options.owner);
    let mut claimed = HashSet::new();
    let mut planned: Vec<Planned> = wants
        .iter()
        .enumerate()
        .map(|(number, want)| {
            let found = index.find(want, provider.may_rename());
            claimed.extend(found);
            let found = found.map(|at| Found { at, object: &seen[at], is_copy: index.is_copy(at, &seen[at]) });
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
        decide_orphan(at, object, guard, context)
    };
    let mut orphans: Vec<Planned> = (0..seen.len()).filter(|at| !claimed.contains(at)).filter_map(orphan).collect();
    orphans.sort_by(|a, b| a.change.resource.cmp(&b.change.resource));
    planned.extend(orphans);
    planned
}

/// Objects by key, ours by the resource that means them, and what the wants mean by key.
struct Index<'a> {
    by_key: HashMap<&'a str, usize>,
    ours: HashMap<&'a ResourceId, usize>,
    key_of: HashMap<&'a ResourceId, &'a str>,
    /// Objects that some want means by their key.
    meant: HashSet<usize>,
    owner: &'a str,
}

/// The object that a want means.
struct Found<'a, H> {
    at: usize,
    object: &'a Seen<H>,
    is_copy: bool,
}

impl<'a> Index<'a> {
    fn new<W, H>(wants: &'a [Wanted<W>], seen: &'a [Seen<H>], owner: &'a str) -> Self {
        let by_key: HashMap<&str, usize> =
            seen.iter().enumerate().map(|(at, object)| (object.key.as_str(), at)).collect();
        let mut ours = HashMap::new();
        for (at, object) in seen.iter().enumerate() {
            if let Some(mark) = object.mark.as_ref().filter(|mark| mark.owner == owner) {
                ours.entry(&mark.resource).or_insert(at);
            }
        }
        let key_of: HashMap<_, _> = wants.iter().filter_map(|want| Some((&want.id, want.key.as_deref()?))).collect();
        let meant = key_of.values().filter_map(|key| by_key.get(key).copied()).collect();
        Self { by_key, ours, key_of, meant, owner }
    }

    /// The object that a want means: by its key; else by our mark, where no other want means that object by key.
    fn find<W>(&self, want: &Wanted<W>, may_rename: bool) -> Option<usize> {
        let by_key = want.key.as_ref().and_then(|key| self.by_key.get(key.as_str()).copied());
        let by_mark = || self.ours.get(&want.id).copied().filter(|at| !self.meant.contains(at));
        by_key.or_else(|| if want.key.is_none() || may_rename { by_mark() } else { None })
    }

    /// Whether our mark on the object is a copy: the resource that it names means another object, which carries it, too.
    fn is_copy<H>(&self, at: usize, object: &Seen<H>) -> bool {
        let Some(mark) = object.mark.as_ref().filter(|mark| mark.owner == self.owner) else { return false };
        let Some(original) = self.key_of.get(&mark.resource).and_then(|key| self.by_key.get(key)) else { return false };
        *original != at && self.ours.get(&mark.resource) == Some(original)
    }
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
