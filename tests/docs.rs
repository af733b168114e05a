//! The documentation says what the program does: its codes, manifests, command lines and links are looked up and tried.

#![expect(clippy::unwrap_used, clippy::panic, reason = "clippy's allowances for tests do not reach helper functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use provisor::manifest::kinds::Kind;
use regex::Regex;

/// A line of a page, with what it is part of.
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// The language of the block of code that it stands in; "" where the block names none.
    code: Option<&'a str>,
}

struct Page {
    /// From the repository's root.
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.into(), text }
    }

    /// Every line but the fences of blocks of code.
    fn lines(&self) -> Vec<Line<'_>> {
        let mut code = None;
        let mut lines = Vec::new();
        for (at, text) in self.text.lines().enumerate() {
            match text.trim_start().strip_prefix("```") {
                Some(language) => code = if code.is_some() { None } else { Some(language.trim()) },
                None => lines.push(Line { number: at + 1, text, code }),
            }
        }
        assert!(code.is_none(), "{}: a block of code has no end", self.path.display());
        lines
    }

    /// The blocks of a language, each with the number of its first line.
    fn blocks(&self, language: &str) -> Vec<(usize, String)> {
        let mut blocks: Vec<(usize, String)> = Vec::new();
        let mut last = 0;
        for line in self.lines().iter().filter(|line| line.code == Some(language)) {
            if line.number != last + 1 {
                blocks.push((line.number, String::new()));
            }
            last = line.number;
            let (_, block) = blocks.last_mut().unwrap();
            block.push_str(line.text);
            block.push('\n');
        }
        blocks
    }

    /// What a link with `#` can name: its headings as GitHub has them.
    fn anchors(&self) -> BTreeSet<String> {
        let lines = self.lines();
        let headings = lines.iter().filter(|line| line.code.is_none() && line.text.starts_with('#'));
        headings
            .map(|line| {
                let heading = line.text.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
            })
            .collect()
    }

    /// The first cell of every row of its tables, without its back quotes.
    fn first_cells(&self) -> Vec<&str> {
        let row = Regex::new(r"^\| `([^`]+)` \|").unwrap();
        self.text.lines().filter_map(|line| Some(row.captures(line)?.get(1)?.as_str())).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` with this ending, from the repository's root; what is built or hidden is left out.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = folder.join(&name);
            if name.starts_with('.') || matches!(&*name, "target" | "corpus" | "artifacts") {
                continue;
            }
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<Page> {
    let pages: Vec<_> = files("", "md").iter().map(|path| Page::read(path.to_str().unwrap())).collect();
    assert!(pages.len() >= 10, "only {} pages were found", pages.len());
    pages
}

/// Runs provisor on `input` with nothing of this machine around it.
fn provisor(arguments: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
    command.args(arguments).current_dir(folder.path()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that does not read its input may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The manifest codes are put together from `provisor::manifest::` and a name that a call passes on.
const BUILT: &str = "provisor::manifest::{code}";

/// The arguments of a call, from just after its opening bracket.
fn arguments(source: &str) -> Vec<&str> {
    let (mut found, mut from, mut depth, mut is_text) = (Vec::new(), 0, 0, false);
    let mut characters = source.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if is_text => {
                characters.next();
            }
            '"' => is_text = !is_text,
            _ if is_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                found.push(source[from..at].trim());
                from = at + 1;
                if character == ')' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// The name in each `.fault(place, path, name, message)`, `.push(path, name, message)`, and in `(name, hint)`.
fn built_codes(path: &Path, source: &str) -> BTreeSet<String> {
    let calls = |opening: &'static str, most: usize, at: usize| {
        let calls = source.match_indices(opening).map(move |(from, _)| arguments(&source[from + opening.len()..]));
        calls.filter(move |call| call.len() >= most).map(move |call| call[at])
    };
    let pairs = Regex::new(r#"\(("[a-z_]+"), "[^"]*"\)"#).unwrap();
    let pairs = pairs.captures_iter(source).filter(|_| source.contains("let (code, hint) ="));
    let pairs = pairs.map(|pair| pair.get(1).unwrap().as_str());
    let mut codes = BTreeSet::new();
    for argument in calls(".fault(", 4, 2).chain(calls(".push(", 3, 1)).chain(pairs) {
        let literal = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let literal = literal.unwrap_or_else(|| panic!("{}: which code is `{argument}`?", path.display()));
        codes.insert(format!("provisor::manifest::{literal}"));
    }
    codes
}

/// Every code in the sources.
fn codes() -> BTreeSet<String> {
    let literal = Regex::new(r#""(provisor::[^"]+)""#).unwrap();
    let mut codes = BTreeSet::new();
    for path in files("src", "rs") {
        let source = std::fs::read_to_string(root().join(&path)).unwrap();
        for code in literal.captures_iter(&source).map(|found| found[1].to_owned()) {
            if code == BUILT {
                codes.extend(built_codes(&path, &source));
            } else {
                assert!(
                    !code.contains('{'),
                    "{}: a code is put together in a way that this test does not know",
                    path.display()
                );
                codes.insert(code);
            }
        }
    }
    for known in ["usage", "manifest::syntax", "manifest::unknown_field", "manifest::same_object", "hub::store_busy"] {
        assert!(codes.contains(&format!("provisor::{known}")), "the search does not find `{known}`");
    }
    codes
}

#[test]
fn every_code_is_explained_and_every_explained_code_exists() {
    let page = Page::read("docs/errors.md");
    let listed: Vec<_> = page.first_cells().into_iter().filter(|cell| cell.starts_with("provisor::")).collect();
    let explained: BTreeSet<_> = listed.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(listed.len(), explained.len(), "a code has two rows");
    let codes = codes();
    let missing: Vec<_> = codes.difference(&explained).collect();
    let invented: Vec<_> = explained.difference(&codes).collect();
    assert!(missing.is_empty() && invented.is_empty(), "not explained: {missing:#?}; not in src/: {invented:#?}");

    let mentioned = Regex::new(r"`(provisor::[a-z_:]+[a-z_])`").unwrap();
    for page in pages() {
        for code in mentioned.captures_iter(&page.text).map(|found| found[1].to_owned()) {
            assert!(codes.contains(&code), "{}: there is no `{code}`", page.path.display());
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let (mut faults, mut checked) = (Vec::new(), 0);
    for page in pages() {
        for line in page.lines().iter().filter(|line| line.code.is_none()) {
            for target in link.captures_iter(line.text).map(|found| found[1].to_owned()) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                checked += 1;
                let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
                let path = if file.is_empty() { page.path.clone() } else { page.path.with_file_name(file) };
                let leads = root().join(&path).exists()
                    && (anchor.is_empty() || Page::read(path.to_str().unwrap()).anchors().contains(anchor));
                if !leads {
                    faults.push(format!("{}:{}: {target}", page.path.display(), line.number));
                }
            }
        }
    }
    assert!(faults.is_empty() && checked > 20, "links that lead nowhere, of {checked}:\n{}", faults.join("\n"));
}

#[test]
fn every_page_is_in_the_index() {
    let index = Page::read("docs/README.md").text;
    for path in files("docs", "md") {
        let name = path.strip_prefix("docs").unwrap().to_str().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "docs/README.md does not name {name}");
    }
}

/// REC-1: what the documentation shows as a manifest is one. A block without a target is looked at together with the
/// first block of its page that has one.
#[test]
fn manifests_in_the_documentation_are_valid() {
    let target = Regex::new(r"(?m)^kind: (Hub|KeycloakRealm)$").unwrap();
    let mut checked = 0;
    for page in pages() {
        let mut blocks = page.blocks("yaml");
        blocks.retain(|(_, block)| block.contains("apiVersion:"));
        let first = blocks.iter().map(|(_, block)| block.clone()).find(|block| target.is_match(block));
        for (line, block) in &blocks {
            let whole = match &first {
                Some(first) if !target.is_match(block) => format!("{first}---\n{block}"),
                _ => block.clone(),
            };
            let run = provisor(&["validate", "-f", "-"], &whole);
            assert!(run.status.success(), "{}:{line}:\n{}", page.path.display(), text(&run.stderr));
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} manifests were found");
}

/// REC-2: the examples in the documentation would be found at fault if they were.
#[test]
fn a_misspelt_field_of_a_documented_manifest_is_found() {
    let page = Page::read("README.md");
    let (_, block) = page.blocks("yaml").remove(0);
    let run = provisor(&["validate", "-f", "-"], &block.replace("clientSecret:", "clientSecert:"));
    assert!(
        !run.status.success() && text(&run.stderr).contains("did you mean `clientSecret`?"),
        "{}",
        text(&run.stderr)
    );
}

/// The commands of provisor in a line of a shell, as words.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split(" #").next().unwrap_or_default();
    let parts = line.split(['|', ';', '>', '<']).flat_map(|part| part.split("&&"));
    let words = parts.map(|part| part.split_whitespace().map(|word| word.replace(['\'', '"'], "")).collect::<Vec<_>>());
    words.filter(|words| words.first().is_some_and(|word| word == "provisor") && words.len() > 1).collect()
}

/// REC-14: with `--help` at its end, a command line is read up to there and does nothing; what does not exist is refused.
#[test]
fn command_lines_in_the_documentation_are_understood() {
    let inline = Regex::new(r"`(provisor [^`]+)`").unwrap();
    let mut seen: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for page in pages() {
        for line in page.lines() {
            let shown: Vec<&str> = match line.code {
                Some("yaml" | "toml" | "ini" | "diff") => Vec::new(),
                Some(_) => vec![line.text],
                None if line.text.starts_with("    ") => vec![line.text],
                None => inline.captures_iter(line.text).map(|found| found.get(1).unwrap().as_str()).collect(),
            };
            for command in shown.into_iter().flat_map(commands) {
                seen.entry(command).or_insert_with(|| format!("{}:{}", page.path.display(), line.number));
            }
        }
    }
    assert!(seen.len() >= 15, "only {} command lines were found", seen.len());
    for (command, place) in seen {
        let mut arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        // These stand for a word in a sentence, where nothing else can.
        for (placeholder, example) in [("KIND", "Device"), ("COMMAND", "plan")] {
            arguments.iter_mut().filter(|word| **word == placeholder).for_each(|word| *word = example);
        }
        if arguments[0] != "help" {
            arguments.push("--help");
        }
        let run = provisor(&arguments, "");
        assert_eq!(run.status.code(), Some(0), "{place}: {}\n{}", command.join(" "), text(&run.stderr));
    }
}

#[test]
fn a_command_line_that_does_not_exist_is_noticed() {
    for line in ["$ provisor fly -f x | jq .", "provisor plan -f x --fast", "true && provisor plan -f x -o xml # no"] {
        let found = commands(line);
        assert_eq!(found.len(), 1, "{line}");
        let arguments: Vec<&str> = found[0][1..].iter().map(String::as_str).chain(["--help"]).collect();
        assert_eq!(provisor(&arguments, "").status.code(), Some(64), "{line}");
    }
}

/// The README's list of what is there is the program's own.
#[test]
fn the_readme_lists_every_command_and_no_other() {
    let help = text(&provisor(&["--help"], "").stdout);
    let listed = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let there: BTreeSet<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let readme = Page::read("README.md");
    let told: BTreeSet<_> =
        readme.first_cells().into_iter().filter_map(|cell| cell.strip_prefix("provisor ")).collect();
    assert_eq!(told, there.into_iter().filter(|command| *command != "help").collect());
}

/// REC-1: the page about manifests lists every kind and no other.
#[test]
fn every_kind_is_in_the_page_about_manifests() {
    let page = Page::read("docs/manifests.md");
    let (_, section) = page.text.split_once("\n## Kinds\n").unwrap();
    let section = Page { path: page.path.clone(), text: section.split("\n## ").next().unwrap().to_owned() };
    assert_eq!(section.first_cells().into_iter().collect::<BTreeSet<_>>(), Kind::ALL.map(Kind::name).into());
}
