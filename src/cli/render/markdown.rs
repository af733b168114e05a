//! A plan as a pull-request comment.
//!
//! Everything that is not our own sentence stands in a block of code: names, values and messages may hold backticks,
//! HTML, `@mentions` or `#numbers`, and none of that means anything in code. A block is fenced by more backticks than it
//! holds. The whole stays below what code hosts accept in a comment; what does not fit is counted and said.

use std::collections::BTreeMap;

use super::field::{Mark, Shown, show};
use super::group::{Class, NAMES, Section, sections, uncompared};
use super::text::symbol;
use super::value::escape;
use super::{count, more, plan_summary};
use crate::reconcile::plan::{Action, Basis, Change, FieldChange, Plan};

/// The most characters that a comment has (GitHub takes 65,536).
pub const LIMIT: usize = 60_000;
/// Kept for the sentences at the end.
const TAIL: usize = 500;
/// With more changes than this, each sort of change is folded away.
const FOLD: usize = 25;
/// Characters of one value.
const VALUE: usize = 200;
/// Fields of one change.
const FIELDS: usize = 20;

/// The plan: what is in the way first, then the changes by target.
pub fn markdown(plan: &Plan) -> String {
    let mut page = Page { out: format!("### {}\n", plan_summary(plan)), hidden: 0 };
    if plan.basis == Basis::Declared {
        page.out.push_str(
            "\n> Manifests were compared with manifests (`basis: declared`). No target was looked at: drift, and what is \
             there already, do not show.\n",
        );
    }
    let sections = sections(plan, false);
    let shown: usize = sections.iter().flat_map(|section| &section.classes).map(|class| class.changes.len()).sum();
    let in_the_way = |class: &Class<'_>| class.error().is_some();
    let named = sections.len() > 1 || plan.basis == Basis::Observed;
    for failures in [true, false] {
        let any = sections.iter().flat_map(|section| &section.classes).any(|class| in_the_way(class) == failures);
        if any && failures {
            page.out.push_str("\n#### In the way\n");
        } else if any && page.out.contains("\n#### ") {
            page.out.push_str("\n#### Changes\n");
        }
        for section in &sections {
            for class in section.classes.iter().filter(|class| in_the_way(class) == failures) {
                page.class(section, class, shown > FOLD && !failures, named);
            }
        }
    }
    page.end(plan);
    page.out
}

/// A heading and one block of text, cut between lines where it would be too long.
pub(super) fn block_of(heading: &str, text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(str::to_owned).collect();
    let mut left = LIMIT - TAIL - heading.len();
    let fits = lines.iter().take_while(|line| {
        let length = line.chars().count() + 1;
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    });
    let kept = fits.count();
    let hidden = lines.len() - kept;
    let note = if hidden > 0 { format!("\n... {} not shown.\n", more(hidden, "line")) } else { String::new() };
    format!("{heading}\n{}{note}", fenced("text", &lines[..kept]))
}

struct Page {
    out: String,
    hidden: usize,
}

impl Page {
    fn write(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn left(&self) -> usize {
        (LIMIT - TAIL).saturating_sub(self.out.chars().count())
    }

    fn class(&mut self, section: &Section<'_>, class: &Class<'_>, fold: bool, named: bool) {
        let title = Title { class, target: section.target.filter(|_| named) };
        let (open, close) = if fold {
            (format!("\n<details><summary>{}</summary>\n", title.html()), "\n</details>\n")
        } else {
            (format!("\n{}\n", title.markdown()), "")
        };
        // Heading, fences and the end of the fold are paid for before the first line.
        let mut left = self.left().saturating_sub(open.chars().count() + close.len() + 100);
        let crowd = class.is_crowd(false);
        let alike = crowd && class.shares_error() && class.action == Action::Unknown;
        let wanted = if alike { NAMES } else { class.changes.len() };
        let mut block = Vec::new();
        let mut end = remedy(class);
        if crowd {
            end.extend(warnings_of_crowd(class));
        }
        left = left.saturating_sub(length(&end));
        let mut shown = 0;
        for change in &class.changes[..wanted] {
            let head = head(class, change, crowd);
            let mut lines = head.clone();
            if !crowd {
                change.fields.iter().take(FIELDS).for_each(|field| write_field(&mut lines, field));
                let hidden = change.fields.len().saturating_sub(FIELDS);
                if hidden > 0 {
                    lines.push(format!("    ... {}", more(hidden, "field")));
                }
            }
            let chosen = [lines, head].into_iter().find(|lines| length(lines) <= left);
            let Some(chosen) = chosen else { break };
            left -= length(&chosen);
            block.extend(chosen);
            shown += 1;
        }
        if shown == 0 {
            self.hidden += class.changes.len();
            return;
        }
        if shown == wanted && wanted < class.changes.len() {
            block.push(format!("  ... and {}", more(class.changes.len() - wanted, class.kind)));
        } else {
            self.hidden += class.changes.len() - shown;
        }
        block.extend(end);
        self.out.push_str(&open);
        self.out.push_str(&fenced("diff", &block));
        self.out.push_str(close);
    }

    fn end(&mut self, plan: &Plan) {
        if self.hidden > 0 {
            self.write(&format!("\n... {} not shown.\n", more(self.hidden, "change")));
        }
        let uncompared = uncompared(plan);
        if uncompared > 0 {
            let what = count(uncompared, "unchanged resource");
            self.write(&format!("\n{what} could not be compared in their secrets.\n"));
        }
    }
}

/// What a block is about.
struct Title<'a> {
    class: &'a Class<'a>,
    target: Option<&'a str>,
}

impl Title<'_> {
    fn markdown(&self) -> String {
        let place = self.target.map(|target| format!(" in {}", code(target))).unwrap_or_default();
        format!("**{}** {} {}{place}", verb(self.class.action), self.class.changes.len(), code(self.class.kind))
    }

    fn html(&self) -> String {
        let tagged = |text: &str| format!("<code>{}</code>", html(&escape(text)));
        let place = self.target.map(|target| format!(" in {}", tagged(target))).unwrap_or_default();
        let number = self.class.changes.len();
        format!("<b>{}</b> {number} {}{place}", verb(self.class.action), tagged(self.class.kind))
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "Create",
        Action::Update => "Update",
        Action::Delete => "Delete",
        Action::Adopt => "Adopt",
        Action::None => "Unchanged",
        Action::Orphan => "Orphan",
        Action::Conflict => "Conflict",
        Action::Unknown => "Unknown",
    }
}

fn length(lines: &[String]) -> usize {
    lines.iter().map(|line| line.chars().count() + 1).sum()
}

/// Name, message, error and warnings of a change.
fn head(class: &Class<'_>, change: &Change, crowd: bool) -> Vec<String> {
    let mut line = format!("{} {}", symbol(change).0, escape(&change.resource.to_string()));
    if let ([field], true) = (change.fields.as_slice(), crowd && change.action != Action::Create) {
        line.push_str(&anstream::adapter::strip_str(&format!("  {}", super::text::one_line(field))).to_string());
    }
    if let Some(message) = &change.message {
        line.extend(["  (", &escape(message), ")"]);
    }
    let mut lines = vec![line];
    if let Some(error) = change.error.as_ref().filter(|_| !class.shares_error()) {
        lines.push(format!("    error: {}", escape(&error.message)));
    }
    if !crowd {
        let warnings = change.warnings.iter();
        lines.extend(
            warnings.map(|warning| format!("    warning: {} ({})", escape(&warning.message), escape(&warning.code))),
        );
    }
    lines
}

/// What the reader can do about a class.
fn remedy(class: &Class<'_>) -> Vec<String> {
    let Some(error) = class.error() else { return Vec::new() };
    let mut lines = Vec::new();
    if class.shares_error() {
        lines.push(format!("    error: {}", escape(&error.message)));
    }
    lines.extend(error.hint.iter().map(|hint| format!("    hint: {}", escape(hint))));
    lines.push(format!("    code: {}", escape(&error.code)));
    lines
}

/// One warning of each code, and how many there are.
fn warnings_of_crowd(class: &Class<'_>) -> Vec<String> {
    let mut found: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for warning in class.changes.iter().flat_map(|change| &change.warnings) {
        found.entry(&warning.code).or_insert((0, &warning.message)).0 += 1;
    }
    let line = |(code, (number, message)): (&str, (usize, &str))| {
        format!("    warning: {} ({}, {number} times)", escape(message), escape(code))
    };
    found.into_iter().map(line).collect()
}

fn write_field(lines: &mut Vec<String>, field: &FieldChange) {
    let path = escape(&field.path);
    match show(field, VALUE) {
        Shown::Secret(text) => {
            let mark = if field.is_write() { '!' } else { ' ' };
            lines.push(format!("{mark}   {path}: {text}"));
        }
        Shown::Added(value) => lines.push(format!("+   {path}: {value}")),
        Shown::Removed(value) => lines.push(format!("-   {path}: {value}")),
        Shown::Changed(before, after) => {
            lines.push(format!("-   {path}: {before}"));
            lines.push(format!("+   {path}: {after}"));
        }
        Shown::Items(items) => {
            lines.extend(items.iter().map(|(mark, item)| format!("{}   {path}: {item}", sign(*mark))));
        }
        Shown::Lines(parts) => {
            lines.push(format!("    {path}:"));
            lines.extend(parts.iter().map(|(mark, text)| format!("{}     {text}", sign(*mark))));
        }
    }
}

fn sign(mark: Mark) -> char {
    match mark {
        Mark::Added => '+',
        Mark::Removed => '-',
        Mark::Same => ' ',
    }
}

/// A block of code that its content cannot end.
fn fenced(language: &str, lines: &[String]) -> String {
    let fence = "`".repeat(lines.iter().map(|line| longest_run(line)).max().unwrap_or(0).max(2) + 1);
    format!("\n{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// Inline code that its content cannot end.
fn code(text: &str) -> String {
    let text = escape(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
