//! Faults and warnings: sentence, place, path, remedy, code; every one of them, and how many there are.

use super::value::escape;
use super::{count, paint, style};
use crate::diagnostic::Diagnostic;

/// Errors, then how many there are, as text.
pub fn diagnostics(errors: &[Diagnostic]) -> String {
    let mut out = String::new();
    for error in errors {
        write(&mut out, error, &paint(style::FAIL, "error:"));
    }
    if errors.len() > 1 {
        out.push_str(&paint(style::FAIL, &format!("{}{}", count(errors.len(), "error"), in_files(errors))));
        out.push('\n');
    }
    out
}

/// Warnings as text.
pub fn warnings(warnings: &[Diagnostic]) -> String {
    let mut out = String::new();
    for warning in warnings {
        write(&mut out, warning, &paint(style::WARN, "warning:"));
    }
    out
}

/// What is said of manifests without a fault.
pub fn valid(resources: usize, targets: usize) -> String {
    let text = format!("Valid: {}, {}.", count(resources, "resource"), count(targets, "target"));
    format!("{}\n", paint(style::GOOD, &text))
}

/// Errors for a pull-request comment: all of them in one block of code, where nothing in them can be Markdown.
pub fn markdown_diagnostics(errors: &[Diagnostic]) -> String {
    let text = anstream::adapter::strip_str(&diagnostics(errors)).to_string();
    super::markdown::block_of(&format!("### provisor: {}", count(errors.len(), "error")), &text)
}

fn in_files(errors: &[Diagnostic]) -> String {
    let files: std::collections::BTreeSet<&str> = errors.iter().filter_map(|error| error.file.as_deref()).collect();
    if files.is_empty() { String::new() } else { format!(" in {}", count(files.len(), "file")) }
}

fn write(out: &mut String, fault: &Diagnostic, label: &str) {
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("{label} {}", paint(style::STRONG, &escape(&fault.message))));
    if let Some(place) = place(fault) {
        line(format!("{} {}", paint(style::TAKE, " -->"), escape(&place)));
    }
    if let Some(resource) = &fault.resource {
        line(format!("  {} {}", paint(style::FAINT, "in:"), escape(&resource.to_string())));
    }
    if let Some(path) = &fault.path {
        line(format!("  {} {}", paint(style::FAINT, "at:"), escape(path)));
    }
    for hint in fault.hint.iter().flat_map(|hint| hint.lines()) {
        line(format!("  {} {}", paint(style::TAKE, "hint:"), escape(hint)));
    }
    line(paint(style::FAINT, &format!("  code: {}", escape(&fault.code))));
    line(String::new());
}

/// `FILE:LINE:COLUMN`, as far as it is known.
fn place(fault: &Diagnostic) -> Option<String> {
    let file = fault.file.as_deref()?;
    let file = if file == "-" { "(standard input)" } else { file };
    Some(match (fault.line, fault.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        (Some(line), None) => format!("{file}:{line}"),
        _ => file.to_owned(),
    })
}
