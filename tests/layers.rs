//! The layers of the package, kept by a test: a module uses only modules of lower layers.
//!
//! One package has no crate walls. So this reads every `crate::name` under `src/`, looks up the ranks of both modules, and
//! lists each arrow that points up or sideways. Neighbours in one layer do not know each other, unless `ARROWS` says so.
//! It reads text rather than syntax: comments and string literals are taken out first, which is all that ever misled it.

#![expect(clippy::unwrap_used, reason = "clippy's allowances for tests do not reach helper functions")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Lowest layer first. `main` and `lib` are free: they tie the program together.
const LAYERS: &[&[&str]] = &[
    &["secret", "id", "clock", "diagnostic", "http", "telemetry", "process", "path"],
    &["keycloak", "otpk", "hub", "home_assistant", "e27", "pki", "device", "farm"],
    &["manifest", "reconcile"],
    &["providers"],
    &["watch", "operator"],
    &["cli"],
];

/// Arrows within a layer, `(from, to)`.
const ARROWS: &[(&str, &str)] = &[
    // Diagnostics name a resource, faults of secrets are diagnostics, and requests carry secrets.
    ("diagnostic", "id"),
    ("secret", "diagnostic"),
    ("http", "secret"),
    // The hub is made of these crafts.
    ("hub", "otpk"),
    ("hub", "pki"),
    ("hub", "device"),
    ("hub", "keycloak"),
    // The engine knows what is declared.
    ("reconcile", "manifest"),
];

/// At about 500 lines one asks "are these two things?"; here the answer is yes.
const LONGEST_FILE: usize = 600;

#[test]
fn arrows_point_down() {
    let mut faults = String::new();
    for (path, text) in sources() {
        let from = module_of(&path);
        for (line, to) in uses(&text) {
            if let Some(fault) = fault(&from, &to) {
                writeln!(faults, "src/{}:{line} uses `{to}`: {fault}", path.display()).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "arrows that do not point down (see ARCHITECTURE.md, \"Layers\"):\n{faults}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "files of more than {LONGEST_FILE} lines: {long:?}");
}

/// What is wrong with `from` using `to`.
fn fault(from: &str, to: &str) -> Option<String> {
    if from == "main" || from == "lib" || from == to {
        return None;
    }
    let Some(upper) = rank(from) else { return Some(format!("`{from}` has no layer in tests/layers.rs")) };
    let Some(lower) = rank(to) else { return Some(format!("`{to}` has no layer in tests/layers.rs")) };
    if lower < upper || ARROWS.contains(&(from, to)) {
        return None;
    }
    let way = if lower == upper { "a neighbour" } else { "a higher layer" };
    Some(format!("{way} of `{from}` ({upper} to {lower})"))
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The top-level module a file belongs to: `hub/store/mod.rs` and `hub.rs` to `hub`.
fn module_of(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// All of `src/**/*.rs`, by path below `src/`.
fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    assert!(!found.is_empty(), "no source file under {}", root.display());
    found
}

/// Every top-level module that `text` names as `crate::name` or in a group `crate::{a, b::c}`, with its line.
fn uses(text: &str) -> Vec<(usize, String)> {
    let code = code_only(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `my_crate::` are other words; the first is ours all the same.
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![(0, identifier(rest))],
        };
        // A macro of the crate's root (`crate::name!`) and a type of it are not modules.
        for (offset, name) in names {
            if name.starts_with(|first: char| first.is_ascii_lowercase()) {
                let line = 1 + code[..at + "crate::".len() + offset].matches('\n').count();
                found.push((line, name.to_owned()));
            }
        }
    }
    found
}

/// The first name of each item of a `use` group, up to its closing brace, with its offset: `a::{x, y}, b}` gives `a`, `b`.
fn first_names(group: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut item = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => item = true,
            _ if item && !character.is_whitespace() => {
                names.push((at + 1, identifier(&group[at..])));
                item = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> &str {
    let text = text.strip_prefix("r#").unwrap_or(text);
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    &text[..end]
}

/// The text with comments and string literals blanked out, line breaks kept.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, &code) {
            length
        } else if first == '"' {
            string(rest)
        } else if rest.starts_with("'\"'") {
            3
        } else if rest.starts_with("'\\\"'") {
            4
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.extend(rest[..skipped].chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        rest = &rest[skipped..];
    }
    code
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().unwrap().len_utf8();
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `r"..."`, `r#"..."#`, `br#"..."#`; not the end of a longer word, and not `r#name`.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    let after_r = text.strip_prefix('r')?;
    let before = before.strip_suffix('b').unwrap_or(before);
    if before.ends_with(|character: char| character.is_alphanumeric() || character == '_') {
        return None;
    }
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let body = after_r[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(text.len() - body.len() + end)
}

mod rules {
    use super::{fault, uses};

    fn names(text: &str) -> Vec<(usize, String)> {
        uses(text)
    }

    fn named(line: usize, name: &str) -> (usize, String) {
        (line, name.to_owned())
    }

    #[test]
    fn groups_are_read_by_their_first_names() {
        let text = "use crate::{\n    hub::{self, store::Row},\n    id::Name,\n};\nfn f() { crate::otpk::hash(); }";
        assert_eq!(names(text), [named(2, "hub"), named(3, "id"), named(5, "otpk")]);
    }

    #[test]
    fn visibility_macros_and_types_of_the_root_are_no_arrows() {
        assert_eq!(
            names("pub(crate) use a::b; pub(in crate::hub) fn f() {} crate::Root; my_crate::cli::x"),
            [named(1, "hub")]
        );
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "// crate::cli\n/* crate::cli /* nested */ crate::cli */\n\"crate::cli \\\" crate::cli\" r#\"crate::cli \" \"# '\"' crate::id";
        assert_eq!(names(text), [named(3, "id")]);
    }

    #[test]
    fn up_sideways_and_unknown_are_faults() {
        assert!(fault("hub", "otpk").is_none());
        assert!(fault("otpk", "hub").is_some());
        assert!(fault("keycloak", "manifest").is_some());
        assert!(fault("cli", "keycloak").is_none());
        assert!(fault("manifest", "reconcile").is_some());
        assert!(fault("lib", "cli").is_none());
        assert!(fault("utils", "id").is_some());
        assert!(fault("cli", "utils").is_some());
    }
}
