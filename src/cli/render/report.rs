//! A report as text for a terminal: what was done, what failed, what was skipped. The fields were in the plan.

use super::group::{Class, NAMES, sections};
use super::text::{Page, symbol};
use super::value::escape;
use super::{Layout, count, more, paint, report_summary, style};
use crate::reconcile::plan::{Action, Change, Outcome, Plan};

/// The report: outcomes by target, then one sentence.
pub fn report(report: &Plan, layout: Layout) -> String {
    let mut page = Page::new(layout);
    for section in sections(report, layout.verbose) {
        if let Some(target) = section.target {
            page.line(0, &paint(style::STRONG, &escape(target)));
        }
        for class in &section.classes {
            write_class(&mut page, class, layout);
        }
        page.out.push('\n');
    }
    page.more_warnings();
    let color = if report.has_failures() { style::FAIL } else { style::GOOD };
    page.line(0, &paint(color, &report_summary(report)));
    page.out
}

fn write_class(page: &mut Page, class: &Class<'_>, layout: Layout) {
    let crowd = class.is_crowd(layout.verbose);
    if crowd && !class.is_failure() && class.outcome == Some(Outcome::Applied) {
        let (symbol, color) = symbol(class.changes[0]);
        let line =
            format!("{} {} {}", paint(color, symbol), count(class.changes.len(), class.kind), done(class.action));
        page.line(2, &line);
        page.crowd_warnings(class);
        return;
    }
    let shares_error = class.shares_error();
    let shown = if crowd && (shares_error || class.outcome == Some(Outcome::Skipped)) { NAMES } else { usize::MAX };
    let shown = shown.min(class.changes.len());
    for change in &class.changes[..shown] {
        write_change(page, change);
        if let Some(error) = change.error.as_ref().filter(|_| !shares_error) {
            page.line(6, &format!("{} {}", paint(style::FAIL, "error:"), escape(&error.message)));
        }
        if !crowd {
            page.change_warnings(change);
        }
    }
    if shown < class.changes.len() {
        page.line(4, &format!("... and {}", more(class.changes.len() - shown, class.kind)));
    }
    if let Some(error) = class.error() {
        page.remedy(error, shares_error);
    }
    if crowd {
        page.crowd_warnings(class);
    }
}

fn write_change(page: &mut Page, change: &Change) {
    let (symbol, color) = symbol(change);
    let what = match change.outcome {
        Some(Outcome::Applied) => done(change.action),
        Some(Outcome::Failed) => "failed",
        Some(Outcome::Skipped) => "skipped",
        Some(Outcome::Unchanged) | None => "unchanged",
    };
    let name = paint(style::STRONG, &escape(&change.resource.to_string()));
    let mut line = format!("{} {name} {what}", paint(color, symbol));
    if let Some(message) = &change.message {
        line.push_str(&paint(style::FAINT, &format!(": {}", escape(message))));
    }
    page.line(2, &line);
}

/// What was done, in the past tense.
pub(super) fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Delete => "deleted",
        Action::Adopt => "adopted",
        Action::Orphan => "released",
        Action::None | Action::Conflict | Action::Unknown => "unchanged",
    }
}
