//! Values as text that cannot do harm: control characters, direction overrides and invisible characters are written as
//! escapes, and what is too long is shortened and says so.

use std::fmt::Write as _;

use serde_json::Value;

/// Whether a terminal or a reader could be misled by the character.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_unsafe(c) => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        c => out.push(c),
    }
}

/// `text` on one line, with nothing in it that a terminal would obey.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(&mut out, c));
    out
}

/// `text` in double quotes, on one line.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        push_escaped(&mut out, c);
    }
    out.push('"');
    out
}

/// A value on one line, as in JSON with spaces.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", name_of(name), inline(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        plain => plain.to_string(),
    }
}

/// A value on as many lines as it has parts, for a comparison line by line.
pub(super) fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.lines().map(escape).collect(),
        value => {
            let mut out = Vec::new();
            spread(value, "", "", &mut out);
            out
        }
    }
}

fn spread(value: &Value, indent: &str, before: &str, out: &mut Vec<String>) {
    let deeper = format!("{indent}  ");
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push(format!("{indent}{before}["));
            for item in items {
                spread(item, &deeper, "", out);
            }
            out.push(format!("{indent}]"));
        }
        Value::Object(members) if !members.is_empty() => {
            out.push(format!("{indent}{before}{{"));
            for (name, value) in members {
                spread(value, &deeper, &format!("{}: ", name_of(name)), out);
            }
            out.push(format!("{indent}}}"));
        }
        plain => out.push(format!("{indent}{before}{}", inline(plain))),
    }
}

fn name_of(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if plain { name.to_owned() } else { quote(name) }
}

/// At most `limit` characters of `text`, and how many there are.
pub(super) fn shorten(text: String, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text;
    }
    let kept: String = text.chars().take(limit.saturating_sub(20).max(10)).collect();
    format!("{kept}… ({length} characters)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_cannot_paint_the_terminal() {
        let hostile = "a\u{1b}[31mred\u{7}\n\u{9b}2J\u{202e}evil\u{200b}\\ \"";
        let shown = inline(&json!(hostile));
        assert_eq!(shown, r#""a\u{1b}[31mred\u{7}\n\u{9b}2J\u{202e}evil\u{200b}\\ \"""#);
        assert!(!inline(&json!({hostile: [hostile]})).contains('\u{1b}'));
        assert!(lines(&json!({hostile: [hostile]})).iter().all(|line| !line.contains(is_unsafe)));
    }

    #[test]
    fn what_is_too_long_says_how_long_it_is() {
        let shown = shorten("x".repeat(5000), 100);
        assert!(shown.ends_with("… (5000 characters)") && shown.chars().count() <= 120, "{shown}");
    }
}
