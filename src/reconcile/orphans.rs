//! Orphans: what carries our mark and no want means. Pure; what pruning may remove stands here.

use super::decide::{Context, Operation, Planned};
use super::index::Standing;
use super::plan::{Action, Change};
use super::provider::{Guard, Seen};
use crate::diagnostic::Problem;
use crate::manifest::kinds::common::DeletionPolicy;

/// What happens to an object that no want means; none where it is not ours. `guard` is what keeps it besides its own policy.
pub(crate) fn decide_orphan<H>(
    at: usize,
    object: &Seen<H>,
    standing: &Standing<'_>,
    guard: Option<&Guard>,
    context: Context<'_>,
) -> Option<Planned> {
    let mark = object.mark.as_ref().filter(|mark| mark.owner == context.options.owner)?;
    if !context.options.selects(&mark.resource) {
        return None;
    }
    let mut change = Change::new(mark.resource.clone(), Some(context.target.to_owned()), Action::Orphan);
    change.revision = Some(object.revision.clone());
    let plan = |change, operation| Some(Planned { change, operation, want: None, seen: Some(at) });
    // Somebody made the copy; it is not ours to delete.
    let foreign = match standing {
        Standing::Copy(original) => {
            Some(format!("`{}` is somebody's copy of `{original}`, mark and all; it is left alone", object.key))
        }
        _ if context.declared.contains(&mark.resource) => {
            Some(format!("`{}` carries the mark of a resource that means another object", object.key))
        }
        Standing::Unclear(None) => Some(format!(
            "the mark of `{}` does not say which object it was made for, so that it may be a copy; it is left alone",
            object.key
        )),
        Standing::Unclear(Some(other)) => Some(format!(
            "`{}` and `{other}` carry the same mark, and nothing says which is a copy of the other: both are left alone",
            object.key
        )),
        Standing::Original => None,
    };
    if foreign.is_some() {
        change.message = foreign;
        return plan(change, Operation::Nothing);
    }
    if let Some(settled) = &object.settled {
        change.message = Some(settled.clone());
        return plan(change, Operation::Nothing);
    }
    let policy = mark.applied.deletion_policy;
    let guard = guard.filter(|_| policy != DeletionPolicy::Orphan);
    if !context.options.prune {
        let end = match (mark.applied.prevent_destroy, guard, policy) {
            (true, ..) => "`preventDestroy` keeps it".to_owned(),
            (false, Some(guard), _) => format!("`preventDestroy` of `{}` keeps it", guard.resource),
            (false, None, DeletionPolicy::Delete) => "`--prune` deletes it".to_owned(),
            (false, None, DeletionPolicy::Disable) => "`--prune` disables it".to_owned(),
            (false, None, DeletionPolicy::Orphan) => "`--prune` removes our mark and leaves it".to_owned(),
        };
        change.message = Some(format!("no manifest declares `{}` any more; {end}", object.key));
        return plan(change, Operation::Nothing);
    }
    if mark.applied.prevent_destroy {
        let message = format!("`{}` is protected by `preventDestroy`", object.key);
        let hint = "declare it again with `preventDestroy: false` and apply, then prune";
        change.error = Some(Problem::new("provisor::plan::protected", message).with_hint(hint));
        return plan(change, Operation::Nothing);
    }
    if let Some(guard) = guard {
        change.error = Some(guarded(&object.key, guard));
        return plan(change, Operation::Nothing);
    }
    let (action, operation, end) = match policy {
        DeletionPolicy::Delete => (Action::Delete, Operation::Delete, "is removed"),
        DeletionPolicy::Disable => (Action::Delete, Operation::Disable, "is switched off and kept"),
        DeletionPolicy::Orphan => (Action::Orphan, Operation::Unmark, "stays, without our mark"),
    };
    change.action = action;
    change.message = Some(format!("no manifest declares `{}` any more; it {end}", object.key));
    change.writes = true;
    plan(change, operation)
}

/// Why an object must not go that would take a protected one along.
pub(crate) fn guarded(key: &str, guard: &Guard) -> Problem {
    let message = format!("`{}`, which is protected by `preventDestroy`, would go with `{key}`", guard.resource);
    let hint = "declare it with `preventDestroy: false` and apply, or move it elsewhere; then prune";
    Problem::new("provisor::plan::protected", message).with_hint(hint)
}

/// Refuses every delete of the run where there are more than `limit`.
pub(crate) fn refuse_excess(deletes: Vec<&mut Planned>, limit: usize, owned: usize) {
    let count = deletes.len();
    if count <= limit {
        return;
    }
    for planned in deletes {
        let message = format!("pruning would remove {count} of {owned} owned objects, and at most {limit} may be");
        let hint = format!("look at the list; if it is what you want, run with `--max-delete {count}`");
        planned.change.error = Some(Problem::new("provisor::plan::too_many_deletes", message).with_hint(hint));
        planned.change.writes = false;
        planned.operation = Operation::Nothing;
    }
}
