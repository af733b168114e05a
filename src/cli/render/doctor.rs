//! What the doctor found, and what an administrator runs.

use super::value::escape;
use super::{paint, style};
use crate::keycloak::doctor::{Outcome, Report};

/// One right a line, then the commands.
pub fn doctor(target: &str, report: &Report) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    line(&format!("{}: {}", paint(style::STRONG, &escape(target)), escape(&report.identity)));
    let widest = report.checks.iter().map(|check| check.right.chars().count()).max().unwrap_or(0);
    for check in &report.checks {
        let (word, color) = match check.outcome {
            Outcome::Held => ("held     ", style::ADD),
            Outcome::Missing => ("missing  ", style::FAIL),
            Outcome::Excessive => ("excessive", style::WARN),
            Outcome::Unknown => ("unknown  ", style::CHANGE),
        };
        let right = escape(&check.right);
        let pad = " ".repeat(widest.saturating_sub(right.chars().count()));
        let needed =
            if check.needed_for == "nothing" { "not needed".to_owned() } else { format!("for {}", check.needed_for) };
        let detail = format!("({})", escape(&check.detail));
        let text =
            format!("  {} {right}{pad}  {} {}", paint(color, word), escape(&needed), paint(style::FAINT, &detail));
        line(&text);
    }
    if !report.remedies.is_empty() {
        line("");
        line("An administrator runs:");
        report.remedies.iter().for_each(|remedy| line(&format!("  {}", escape(remedy))));
    }
    out
}
