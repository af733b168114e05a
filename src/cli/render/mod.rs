//! Renderers: from a plan, a report or faults to text. They compute nothing that is not in the value they are given,
//! contact nothing and write nowhere.
//!
//! Values, names and messages may come from a server. Whatever they hold, they cannot paint the terminal
//! (`value::escape`) nor leave their place in a Markdown document ([`markdown`] puts all of them into code).

mod diagnostics;
mod doctor;
mod field;
mod group;
pub mod json;
mod markdown;
mod report;
mod summary;
mod text;
mod value;

pub use diagnostics::{diagnostics, markdown_diagnostics, valid, warnings};
pub use doctor::doctor;
pub use markdown::{LIMIT, markdown};
pub use report::report;
pub use summary::{plan_summary, report_summary};
pub use text::{plan, timings};

/// What a result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A terminal; with colours, which the stream drops where they are not wanted.
    Text,
    /// Programs.
    Json,
    /// A pull-request comment.
    Markdown,
}

/// How text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Show unchanged resources, all fields and whole values.
    pub verbose: bool,
    /// The width in columns beyond which a change takes two lines.
    pub width: usize,
}

mod style {
    //! The colours, by what they mean.

    use anstyle::{AnsiColor, Color, Style};

    const fn color(color: AnsiColor) -> Style {
        Style::new().fg_color(Some(Color::Ansi(color)))
    }

    pub(super) const ADD: Style = color(AnsiColor::Green);
    pub(super) const REMOVE: Style = color(AnsiColor::Red);
    pub(super) const CHANGE: Style = color(AnsiColor::Yellow);
    pub(super) const TAKE: Style = color(AnsiColor::Cyan);
    pub(super) const WARN: Style = color(AnsiColor::Yellow).bold();
    pub(super) const FAIL: Style = color(AnsiColor::Red).bold();
    pub(super) const GOOD: Style = color(AnsiColor::Green).bold();
    pub(super) const STRONG: Style = Style::new().bold();
    pub(super) const FAINT: Style = Style::new().dimmed();
}

/// `text` in a colour.
fn paint(style: anstyle::Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `1 fault`, `2 faults`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `1 more fault`, `2 more faults`.
fn more(number: usize, noun: &str) -> String {
    count(number, &format!("more {noun}"))
}
