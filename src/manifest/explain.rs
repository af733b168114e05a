//! The second reading: a faulty text as trees with places, walked to find every fault.

use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value};

use super::document::{Document, Flaws, Parsed, SpecSeed};
use super::input::Input;
use super::kinds::{API_VERSION, Kind, Metadata, Spec};
use super::shape::{Shape, Walk};
use super::tree::{self, Data, Node};
use crate::diagnostic::{Diagnostic, closest};
use crate::id::ResourceId;

/// The trees of a text, and where it ends in the middle.
pub(super) fn trees(input: &Input) -> (Vec<Node>, Option<Diagnostic>) {
    let as_yaml = if input.is_json { json_as_yaml(&input.text) } else { input.text.clone() };
    let (documents, broken) = tree::documents(&as_yaml);
    let fault = broken.map(|broken| {
        let (code, hint) = if broken.is_limit {
            ("too_large", "split it into several documents, without aliases of aliases")
        } else {
            ("syntax", "look at the indentation, and for a missing quote, colon or bracket just before this place")
        };
        let mut fault = Diagnostic::new(format!("provisor::manifest::{code}"), broken.what).with_hint(hint);
        (fault.line, fault.column) = (Some(broken.line), Some(broken.column));
        fault
    });
    (documents, fault)
}

/// JSON is YAML but for two things: tabs between tokens, and characters written as two surrogates.
fn json_as_yaml(text: &str) -> String {
    let text = text.replace('\t', " ");
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("\\u") {
        let unit = |from: usize| rest.get(from + 2..from + 6).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let pair = unit(at).zip(rest.get(at + 6..at + 8).filter(|next| *next == "\\u").and(unit(at + 6)));
        let decoded = pair.and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        let is_pair = pair.is_some_and(|(high, _)| (0xd800..0xdc00).contains(&high));
        let (keep, skip) = match decoded.filter(|_| is_pair) {
            Some(character) => (Some(character), at + 12),
            None => (None, (at + 2).min(rest.len())),
        };
        out.push_str(&rest[..at]);
        match keep {
            Some(character) => out.push(character),
            None => out.push_str("\\u"),
        }
        rest = &rest[skip..];
    }
    out.push_str(rest);
    out
}

/// Reads a text slowly: all that is wrong with it, and what it says in spite of that, for the checks between documents.
/// `cause` is a fault that only the first reading sees: a JSON text that is YAML, but no JSON.
pub(super) fn explain(input: &Input, cause: Option<Diagnostic>) -> (Vec<Document>, Vec<Diagnostic>) {
    let (trees, broken) = trees(input);
    let mut walk = Walk { faults: broken.or(cause).into_iter().collect(), flaws: Vec::new() };
    let documents = trees.iter().map(|tree| document(tree, input.is_named, &mut walk)).collect();
    (documents, walk.faults)
}

fn document(tree: &Node, is_named: bool, walk: &mut Walk) -> Document {
    let Data::Map(_) = &tree.data else {
        walk.fault(tree, "", "wrong_type", "a document must be a map".to_owned());
        return Document::Faulty;
    };
    if !is_named && tree.get("apiVersion").and_then(Node::text).is_some_and(|version| version != API_VERSION) {
        return Document::Foreign;
    }
    if !version(tree, walk) {
        return Document::Faulty;
    }
    if tree.get("kind").and_then(Node::text) == Some("List") {
        return list(tree, walk);
    }
    resource(tree, walk).map_or(Document::Faulty, |parsed| Document::One(Box::new(parsed)))
}

/// Whether the document is of our version, or may be: one that names none is looked at further.
fn version(tree: &Node, walk: &mut Walk) -> bool {
    let hint = format!("write `apiVersion: {API_VERSION}`");
    match tree.get("apiVersion") {
        Some(node) if node.text() == Some(API_VERSION) => true,
        Some(node) => {
            let message = "`apiVersion` is not one that provisor knows".to_owned();
            walk.fault(node, "apiVersion", "unknown_api_version", message).hint = Some(hint);
            false
        }
        None => {
            let message = "the document lacks `apiVersion`".to_owned();
            walk.fault(tree, "apiVersion", "missing_field", message).hint = Some(hint);
            true
        }
    }
}

fn list(tree: &Node, walk: &mut Walk) -> Document {
    let Some(Node { data: Data::List(items), .. }) = tree.get("items") else {
        walk.fault(tree, "items", "missing_field", "a `List` lacks `items`".to_owned());
        return Document::Faulty;
    };
    let item = |(number, item): (usize, &Node)| {
        let before = walk.faults.len();
        let parsed = if version(item, walk) { resource(item, walk) } else { None };
        for fault in &mut walk.faults[before..] {
            fault.path = Some(format!("items[{number}].{}", fault.path.take().unwrap_or_default()));
        }
        parsed
    };
    Document::List(items.iter().enumerate().map(item).collect())
}

/// What stands for the name of a resource that has none.
pub(super) const NO_NAME: &str = "?";

/// The resource, typed wherever its kind is known: what is missing or wrong is left out or has a placeholder.
fn resource(tree: &Node, walk: &mut Walk) -> Option<Parsed> {
    let before = walk.faults.len();
    walk.flaws.clear();
    let kind = kind(tree, walk);
    top_level(tree, walk);
    let mut metadata = part(tree, "metadata", Some(Shape::metadata()), walk);
    let spec = part(tree, "spec", kind.map(Shape::spec), walk);
    let name = metadata.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned);
    if name.is_none() {
        metadata["name"] = Value::from(NO_NAME);
    }
    let parsed = kind.and_then(|kind| typed(kind, metadata, spec));
    if kind.is_some() && parsed.is_none() && walk.faults.len() == before {
        let message = "the `spec` does not fit its kind".to_owned();
        walk.fault(tree.nearest("spec"), "spec", "wrong_type", message);
    }
    if let (Some(kind), Some(name)) = (kind, name) {
        for fault in &mut walk.faults[before..] {
            fault.resource = Some(ResourceId::new(kind.name(), name.clone()));
        }
    }
    parsed.map(|(metadata, spec)| Parsed { metadata, spec, flaws: Flaws(std::mem::take(&mut walk.flaws)) })
}

/// A part of a document, checked as far as its shape is known; a map, whatever stands there.
fn part(tree: &Node, name: &str, shape: Option<&Shape>, walk: &mut Walk) -> Value {
    let placeholder = || shape.map_or_else(|| Value::Object(Map::new()), Shape::placeholder);
    let Some(node) = tree.get(name) else {
        walk.fault(tree, name, "missing_field", format!("the document lacks `{name}`"));
        return placeholder();
    };
    let value = shape.map_or(Value::Null, |shape| walk.check(shape, node, name));
    if value.is_object() { value } else { placeholder() }
}

fn kind(tree: &Node, walk: &mut Walk) -> Option<Kind> {
    let Some(node) = tree.get("kind") else {
        walk.fault(tree, "kind", "missing_field", "the document lacks `kind`".to_owned());
        return None;
    };
    let text = node.text().unwrap_or_default();
    if let Ok(kind) = text.parse::<Kind>() {
        return Some(kind);
    }
    let names = Kind::ALL.map(Kind::name);
    let hint = match closest(text, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", names.map(|name| format!("`{name}`")).join(", ")),
    };
    walk.fault(node, "kind", "unknown_kind", "there is no such kind".to_owned()).hint = Some(hint);
    None
}

fn typed(kind: Kind, metadata: Value, spec: Value) -> Option<(Metadata, Spec)> {
    let metadata = serde_json::from_value(metadata).ok()?;
    let spec = SpecSeed(kind).deserialize(spec).ok()?;
    Some((metadata, spec))
}

fn top_level(tree: &Node, walk: &mut Walk) {
    const KNOWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let Data::Map(entries) = &tree.data else {
        walk.fault(tree, "", "wrong_type", "a document must be a map".to_owned());
        return;
    };
    let mut seen: Vec<&str> = Vec::new();
    for (key, _) in entries {
        let name = key.text().unwrap_or_default();
        if seen.contains(&name) {
            walk.fault(key, name, "duplicate_key", format!("`{name}` stands twice in the document"));
        }
        seen.push(name);
        if !KNOWN.contains(&name) {
            let hint = closest(name, KNOWN).map(|meant| format!("did you mean `{meant}`?"));
            let message = format!("a document has no field `{name}`");
            walk.fault(key, name, "unknown_field", message).hint = hint;
        }
    }
}
