//! A plan as text for a terminal.

use std::collections::HashMap;

use super::field::{Mark, Shown, show};
use super::group::{Class, NAMES, Section, sections, uncompared};
use super::value::escape;
use super::{Layout, count, more, paint, plan_summary, style};
use crate::diagnostic::{Problem, Warning};
use crate::reconcile::plan::{Action, Basis, Change, FieldChange, Outcome, Plan};
use crate::reconcile::provider::Timings;

/// Fields of one change, unless everything is asked for.
const FIELDS: usize = 20;
/// Characters of one value, unless everything is asked for.
const VALUE: usize = 200;
/// Warnings of one code, unless everything is asked for.
const WARNINGS: usize = 3;
/// The widest path that others are aligned to.
const ALIGN: usize = 40;

/// The plan: changes by target, then notes, then one sentence.
pub fn plan(plan: &Plan, layout: Layout) -> String {
    let mut page = Page::new(layout);
    for section in sections(plan, layout.verbose) {
        page.section(&section);
    }
    page.more_warnings();
    let uncompared = uncompared(plan);
    if uncompared > 0 {
        let text = format!("{} could not be compared in their secrets.", count(uncompared, "unchanged resource"));
        page.line(0, &paint(style::FAINT, &text));
    }
    if plan.basis == Basis::Declared {
        page.line(0, &paint(style::FAINT, "Manifests were compared with manifests; no target was looked at."));
    }
    page.line(0, &paint(style::STRONG, &plan_summary(plan)));
    page.out
}

/// How long things took and what they asked of each target.
pub fn timings(timings: &Timings) -> String {
    let mut out = String::new();
    for (what, time) in &timings.spans {
        out.push_str(&paint(style::FAINT, &format!("{what}: {:.3} s", time.as_secs_f64())));
        out.push('\n');
    }
    for (target, requests) in timings.requests.iter().filter(|(_, requests)| !requests.is_empty()) {
        let requests: Vec<String> = requests.iter().map(|(what, number)| format!("{number} {what}")).collect();
        let line = format!("requests to {}: {}", escape(target), requests.join(", "));
        out.push_str(&paint(style::FAINT, &line));
        out.push('\n');
    }
    out
}

/// Text in the making.
pub(super) struct Page {
    pub(super) out: String,
    layout: Layout,
    /// How many different warnings of each code there were.
    warnings: HashMap<String, usize>,
}

impl Page {
    pub(super) fn new(layout: Layout) -> Self {
        Self { out: String::new(), layout, warnings: HashMap::new() }
    }

    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn section(&mut self, section: &Section<'_>) {
        if let Some(target) = section.target {
            self.line(0, &paint(style::STRONG, &escape(target)));
        }
        for class in &section.classes {
            self.class(class);
        }
        self.out.push('\n');
    }

    fn class(&mut self, class: &Class<'_>) {
        let crowd = class.is_crowd(self.layout.verbose);
        let shares_error = class.shares_error();
        let shown = if crowd && shares_error && class.action == Action::Unknown { NAMES } else { class.changes.len() };
        for change in &class.changes[..shown] {
            self.head(change, crowd);
            if !crowd {
                self.fields(change);
            }
            if let Some(error) = change.error.as_ref().filter(|_| !shares_error) {
                self.line(6, &format!("{} {}", paint(style::FAIL, "error:"), escape(&error.message)));
            }
            if !crowd {
                self.change_warnings(change);
            }
        }
        if shown < class.changes.len() {
            self.line(4, &format!("... and {}", more(class.changes.len() - shown, class.kind)));
        }
        if let Some(error) = class.error() {
            self.remedy(error, shares_error);
        }
        if crowd && class.changes.iter().any(|change| change.fields.len() > 1) {
            let text = format!("(fields of {} not shown; -v shows them)", count(class.changes.len(), class.kind));
            self.line(4, &paint(style::FAINT, &text));
        }
        if crowd {
            self.crowd_warnings(class);
        }
    }

    /// Symbol and name; in a crowd also the only field; and the message.
    fn head(&mut self, change: &Change, crowd: bool) {
        let (symbol, color) = symbol(change);
        let mut line =
            format!("{} {}", paint(color, symbol), paint(style::STRONG, &escape(&change.resource.to_string())));
        if let ([field], true) = (change.fields.as_slice(), crowd && change.action != Action::Create) {
            line.push_str("  ");
            line.push_str(&one_line(field));
        }
        if let Some(message) = &change.message {
            line.push_str(&paint(style::FAINT, &format!("  ({})", escape(message))));
        }
        self.line(2, &line);
    }

    fn fields(&mut self, change: &Change) {
        let limit = if self.layout.verbose { usize::MAX } else { FIELDS };
        let fields = &change.fields[..change.fields.len().min(limit)];
        let paths: Vec<String> = fields.iter().map(|field| escape(&field.path)).collect();
        let widest = paths.iter().map(|path| path.chars().count()).filter(|width| *width <= ALIGN).max().unwrap_or(0);
        for (field, path) in fields.iter().zip(&paths) {
            self.field(field, path, widest, change.action == Action::Create);
        }
        let hidden = change.fields.len() - fields.len();
        if hidden > 0 {
            let text = format!("... {} (-v shows them)", more(hidden, "field"));
            self.line(6, &paint(style::FAINT, &text));
        }
    }

    fn field(&mut self, field: &FieldChange, path: &str, widest: usize, is_created: bool) {
        let limit = if self.layout.verbose { usize::MAX } else { VALUE };
        let pad = " ".repeat(widest.saturating_sub(path.chars().count()));
        let label = format!("{path}:{pad} ");
        let (indent, width) = (6, label.chars().count());
        match show(field, limit) {
            Shown::Changed(before, after) => {
                let columns = indent + width + before.chars().count() + after.chars().count() + 4;
                if columns <= self.layout.width {
                    self.line(indent, &format!("{label}{}", arrow(&before, &after)));
                } else {
                    let parts = [(Mark::Removed, before), (Mark::Added, after)];
                    self.marked(indent, &label, &parts);
                }
            }
            Shown::Lines(lines) => {
                self.line(indent, label.trim_end());
                for (mark, text) in &lines {
                    self.line(indent + 2, &marked(*mark, text));
                }
            }
            Shown::Items(items) => self.marked(indent, &label, &items),
            Shown::Added(value) if is_created => self.line(indent, &format!("{label}{}", paint(style::ADD, &value))),
            shown => self.line(indent, &format!("{label}{}", short(&shown))),
        }
    }

    /// The first on the line of the label, the others below.
    fn marked(&mut self, indent: usize, label: &str, parts: &[(Mark, String)]) {
        for (number, (mark, text)) in parts.iter().enumerate() {
            let blank = " ".repeat(label.chars().count());
            let label = if number == 0 { label } else { &blank };
            self.line(indent, &format!("{label}{}", marked(*mark, text)));
        }
    }

    pub(super) fn change_warnings(&mut self, change: &Change) {
        for warning in &change.warnings {
            self.warning(warning, 1);
        }
    }

    /// The warnings of changes that are shown together, each once.
    pub(super) fn crowd_warnings(&mut self, class: &Class<'_>) {
        for (warning, number) in class.warnings() {
            self.warning(warning, number);
        }
    }

    fn warning(&mut self, warning: &Warning, number: usize) {
        let times = if number > 1 { format!(", {number} times") } else { String::new() };
        let text = format!("{} ({}{times})", escape(&warning.message), escape(&warning.code));
        let seen = self.warnings.entry(warning.code.clone()).or_default();
        *seen += 1;
        if *seen <= WARNINGS || self.layout.verbose {
            self.line(6, &format!("{} {text}", paint(style::WARN, "warning:")));
        }
    }

    /// How many warnings were not shown.
    pub(super) fn more_warnings(&mut self) {
        if self.layout.verbose {
            return;
        }
        let mut hidden: Vec<(String, usize)> = self
            .warnings
            .iter()
            .filter(|(_, number)| **number > WARNINGS)
            .map(|(code, number)| (code.clone(), number - WARNINGS))
            .collect();
        hidden.sort();
        for (code, number) in hidden {
            let text = format!("{number} more of {} (-v shows them)", escape(&code));
            self.line(0, &format!("{} {text}", paint(style::WARN, "warning:")));
        }
    }

    /// What the reader can do; with the error itself where all share it.
    pub(super) fn remedy(&mut self, error: &Problem, with_message: bool) {
        if with_message {
            self.line(6, &format!("{} {}", paint(style::FAIL, "error:"), escape(&error.message)));
        }
        if let Some(hint) = &error.hint {
            self.line(6, &format!("{} {}", paint(style::TAKE, "hint:"), escape(hint)));
        }
        self.line(6, &paint(style::FAINT, &format!("code: {}", escape(&error.code))));
    }
}

fn arrow(before: &str, after: &str) -> String {
    format!("{} {} {}", paint(style::REMOVE, before), paint(style::FAINT, "->"), paint(style::ADD, after))
}

fn short(shown: &Shown) -> String {
    match shown {
        Shown::Secret(text) => paint(style::CHANGE, text),
        Shown::Added(value) => marked(Mark::Added, value),
        Shown::Removed(value) => marked(Mark::Removed, value),
        Shown::Changed(before, after) => arrow(before, after),
        Shown::Items(parts) | Shown::Lines(parts) => {
            parts.iter().map(|(mark, text)| marked(*mark, text)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// A field on the line of its resource.
pub(super) fn one_line(field: &FieldChange) -> String {
    format!("{}: {}", escape(&field.path), short(&show(field, 60)))
}

fn marked(mark: Mark, text: &str) -> String {
    match mark {
        Mark::Added => paint(style::ADD, &format!("+ {text}")),
        Mark::Removed => paint(style::REMOVE, &format!("- {text}")),
        Mark::Same => paint(style::FAINT, &format!("  {text}")),
    }
}

/// One character for what happens, and its colour.
pub(super) fn symbol(change: &Change) -> (&'static str, anstyle::Style) {
    match change.outcome {
        Some(Outcome::Failed) => return ("!", style::FAIL),
        Some(Outcome::Skipped) => return (".", style::WARN),
        _ => {}
    }
    match change.action {
        Action::Create => ("+", style::ADD),
        Action::Update => ("~", style::CHANGE),
        Action::Delete => ("-", style::REMOVE),
        Action::Adopt => (">", style::TAKE),
        Action::None => ("=", style::FAINT),
        Action::Orphan => ("o", style::FAINT),
        Action::Conflict => ("!", style::FAIL),
        Action::Unknown => ("?", style::WARN),
    }
}
