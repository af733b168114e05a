//! One field that differs, in the form that shows the difference best.

use std::collections::BTreeSet;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::value::{inline, lines, shorten};
use crate::reconcile::plan::{FieldChange, Reason};

/// How a line of a difference came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Added,
    Removed,
    Same,
}

/// A field as it is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// A secret, and why it is listed.
    Secret(&'static str),
    /// It was not there.
    Added(String),
    /// It is there no more.
    Removed(String),
    /// One value in place of another.
    Changed(String, String),
    /// Members of a set.
    Items(Vec<(Mark, String)>),
    /// Lines of a text or of a nested value.
    Lines(Vec<(Mark, String)>),
}

/// Up to so many characters, a nested value is shown on one line.
const SHORT: usize = 60;
/// Lines around a difference.
const CONTEXT: usize = 2;

/// The form of a field; a value beyond `limit` characters, or a difference beyond `limit` lines, is shortened.
pub(super) fn show(field: &FieldChange, limit: usize) -> Shown {
    if field.sensitive {
        return Shown::Secret(secret(field.reason));
    }
    let short = |value: &Value| shorten(inline(value), limit);
    match (&field.before, &field.after) {
        (before, Value::Array(after)) if is_set(after) && (is_empty_set(before) && is_long(&field.after)) => {
            Shown::Items(after.iter().map(|item| (Mark::Added, short(item))).collect())
        }
        (Value::Null, after) => Shown::Added(short(after)),
        (before, Value::Null) => Shown::Removed(short(before)),
        (Value::Array(before), Value::Array(after)) if is_set(before) && is_set(after) => {
            items(before, after, limit).unwrap_or_else(|| Shown::Changed(short(&field.before), short(&field.after)))
        }
        (Value::String(before), Value::String(after)) if before.contains('\n') || after.contains('\n') => {
            Shown::Lines(difference(&field.before, &field.after, limit))
        }
        (Value::Object(_) | Value::Array(_), Value::Object(_) | Value::Array(_))
            if is_long(&field.before) || is_long(&field.after) =>
        {
            Shown::Lines(difference(&field.before, &field.after, limit))
        }
        (before, after) => Shown::Changed(short(before), short(after)),
    }
}

fn secret(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::Changed) => "(secret, changed)",
        Some(Reason::Absent) => "(secret, absent: will be written)",
        Some(Reason::Rotated) => "(secret, rotated by its holder: kept)",
        Some(Reason::Unknown) => "(secret, unknown: not compared)",
        None => "(secret)",
    }
}

fn is_set(items: &[Value]) -> bool {
    items.iter().all(|item| !matches!(item, Value::Array(_) | Value::Object(_)))
}

fn is_empty_set(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn is_long(value: &Value) -> bool {
    inline(value).chars().count() > SHORT
}

/// What is in one set and not in the other; nothing where both hold the same.
fn items(before: &[Value], after: &[Value], limit: usize) -> Option<Shown> {
    let text = |items: &[Value]| items.iter().map(inline).collect::<BTreeSet<_>>();
    let (before, after) = (text(before), text(after));
    let removed = before.difference(&after).map(|item| (Mark::Removed, shorten(item.clone(), limit)));
    let added = after.difference(&before).map(|item| (Mark::Added, shorten(item.clone(), limit)));
    let items: Vec<_> = removed.chain(added).collect();
    (!items.is_empty()).then_some(Shown::Items(items))
}

/// The lines that differ, with some around them.
fn difference(before: &Value, after: &Value, limit: usize) -> Vec<(Mark, String)> {
    let (before, after) = (lines(before), lines(after));
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.iter().map(String::as_str).collect(), after.iter().map(String::as_str).collect());
    let diff = TextDiff::from_slices(&before, &after);
    let mut out = Vec::new();
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            out.push((Mark::Same, "...".to_owned()));
        }
        for change in group.iter().flat_map(|part| diff.iter_changes(part)) {
            let mark = match change.tag() {
                ChangeTag::Insert => Mark::Added,
                ChangeTag::Delete => Mark::Removed,
                ChangeTag::Equal => Mark::Same,
            };
            out.push((mark, shorten(change.value().to_owned(), limit)));
        }
    }
    if out.is_empty() {
        // Texts that differ in line ends only.
        out.push((Mark::Same, "(line ends differ)".to_owned()));
    }
    let hidden = out.len().saturating_sub(limit);
    if hidden > 0 {
        out.truncate(limit);
        out.push((Mark::Same, format!("... {hidden} more lines")));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_shows_what_came_and_went() {
        let field = FieldChange::plain("redirectUris", json!(["a", "b"]), json!(["b", "c"]));
        let items = vec![(Mark::Removed, "\"a\"".to_owned()), (Mark::Added, "\"c\"".to_owned())];
        assert_eq!(show(&field, 100), Shown::Items(items));
        let order = FieldChange::plain("list", json!(["a", "b"]), json!(["b", "a"]));
        assert!(matches!(show(&order, 100), Shown::Changed(..)));
    }

    #[test]
    fn a_text_of_many_lines_shows_the_lines_that_differ() {
        let field = FieldChange::plain("description", "one\ntwo\nthree", "one\n2\nthree");
        let Shown::Lines(lines) = show(&field, 100) else { panic!("not by lines") };
        let text: Vec<_> = lines.iter().map(|(mark, text)| (*mark, text.as_str())).collect();
        let expected = [(Mark::Same, "one"), (Mark::Removed, "two"), (Mark::Added, "2"), (Mark::Same, "three")];
        assert_eq!(text, expected);
    }

    #[test]
    fn a_secret_shows_a_reason_and_no_value() {
        let mut field = FieldChange::secret("secret", Reason::Rotated);
        field.before = json!("never");
        assert_eq!(show(&field, 100), Shown::Secret("(secret, rotated by its holder: kept)"));
    }
}
