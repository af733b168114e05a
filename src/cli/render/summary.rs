//! One sentence about a plan or a report.

use crate::reconcile::plan::{Action, Basis, Change, Outcome, Plan};

/// `Plan: 3 to create, 1 to update, 996 unchanged.`
pub fn plan_summary(plan: &Plan) -> String {
    let name = match plan.basis {
        Basis::Observed => "Plan",
        Basis::Declared => "Diff",
    };
    let summary = &plan.summary;
    let conflicts = if summary.conflict == 1 { "conflict" } else { "conflicts" };
    let orphans = if summary.orphan == 1 { "orphan" } else { "orphans" };
    let mut parts = parts(&[
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.adopt, "to adopt"),
        (summary.delete, "to delete"),
        (summary.conflict, conflicts),
        (summary.unknown, "unknown"),
        (summary.orphan, orphans),
    ]);
    let refused = plan.changes.iter().filter(|change| is_refused(change)).count();
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    if parts.is_empty() {
        parts.push("no changes".to_owned());
    }
    if summary.none > 0 {
        parts.push(format!("{} unchanged", summary.none));
    }
    format!("{name}: {}.", parts.join(", "))
}

/// Something that is listed and will not be done, beside conflicts and unknowns, which are counted as such.
fn is_refused(change: &Change) -> bool {
    change.error.is_some() && !matches!(change.action, Action::Conflict | Action::Unknown)
}

/// `Applied: 3 created, 1 updated, 996 unchanged.`
pub fn report_summary(report: &Plan) -> String {
    let outcome = |wanted| report.changes.iter().filter(move |change| change.outcome == Some(wanted));
    let applied = |action| outcome(Outcome::Applied).filter(|change| change.action == action).count();
    let (failed, skipped) = (outcome(Outcome::Failed).count(), outcome(Outcome::Skipped).count());
    let mut parts = parts(&[
        (applied(Action::Create), "created"),
        (applied(Action::Update), "updated"),
        (applied(Action::Adopt), "adopted"),
        (applied(Action::Delete), "deleted"),
        (applied(Action::Orphan), "released"),
        (failed, "failed"),
        (skipped, "skipped"),
    ]);
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    let unchanged = outcome(Outcome::Unchanged).count();
    if unchanged > 0 {
        parts.push(format!("{unchanged} unchanged"));
    }
    let name = if failed + skipped > 0 { "Applied in part" } else { "Applied" };
    format!("{name}: {}.", parts.join(", "))
}

fn parts(counts: &[(usize, &str)]) -> Vec<String> {
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}
