//! Walking a document against the schema of its kind, to find every fault, each with its place.
//!
//! The walk is directed by the schema as serde is by the types: an unquoted `no` or `014` is a text, an unquoted `5` is a
//! number and no text. A message never repeats a value, only names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::kinds::Kind;
use super::kinds::common::Span;
use super::scalar::scalar;
use super::schema;
use super::tree::{Data, Node};
use crate::diagnostic::{Diagnostic, closest};
use crate::path::key_path;

/// A schema, compiled for walking.
#[derive(Debug)]
pub(super) enum Shape {
    Anything,
    Text { choices: Vec<String>, pattern: Option<Regex>, min: usize, max: usize },
    Integer { min: Option<i64> },
    Number,
    Boolean,
    List { item: Box<Self>, min: usize },
    Map { fields: BTreeMap<String, Self>, required: Vec<String>, others: Option<Box<Self>>, exactly_one: bool },
}

static SPECS: LazyLock<BTreeMap<Kind, Shape>> =
    LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, Shape::compile(&schema::spec_schema(kind)))).collect());
static METADATA: LazyLock<Shape> = LazyLock::new(|| Shape::compile(&schema::metadata_schema()));

impl Shape {
    /// The shape of a kind's spec.
    pub(super) fn spec(kind: Kind) -> &'static Self {
        &SPECS[&kind]
    }

    /// The shape of `metadata`.
    pub(super) fn metadata() -> &'static Self {
        &METADATA
    }

    fn compile(schema: &Value) -> Self {
        let number =
            |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::Text {
                choices: names(schema.get("enum")),
                pattern: schema.get("pattern").and_then(Value::as_str).and_then(|pattern| Regex::new(pattern).ok()),
                min: number("minLength").unwrap_or(0),
                max: number("maxLength").unwrap_or(usize::MAX),
            },
            Some("integer") => Self::Integer { min: schema.get("minimum").and_then(Value::as_i64) },
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::List {
                item: Box::new(schema.get("items").map_or(Self::Anything, Self::compile)),
                min: number("minItems").unwrap_or(0),
            },
            Some("object") => Self::Map {
                fields: schema
                    .get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(name, inner)| (name.clone(), Self::compile(inner)))
                    .collect(),
                required: names(schema.get("required")),
                others: match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => None,
                    Some(inner) => Some(Box::new(Self::compile(inner))),
                    None => Some(Box::new(Self::Anything)),
                },
                exactly_one: schema.get("maxProperties") == Some(&Value::from(1)),
            },
            _ => Self::Anything,
        }
    }

    /// Whether a typed value is within what the types cannot say: patterns, lengths, least numbers.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text { choices: _, pattern, min, max }, Value::String(text)) => {
                let length = text.chars().count();
                length >= *min && length <= *max && pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
            }
            (Self::Integer { min }, Value::Number(number)) => {
                min.is_none_or(|min| number.as_i64().is_none_or(|number| number >= min))
            }
            (Self::List { item, min }, Value::Array(items)) => {
                items.len() >= *min && items.iter().all(|one| item.accepts(one))
            }
            (Self::Map { fields, others, .. }, Value::Object(object)) => object
                .iter()
                .all(|(name, value)| fields.get(name).or(others.as_deref()).is_none_or(|shape| shape.accepts(value))),
            _ => true,
        }
    }

    /// What stands for a value that is missing or wrong, so that the rest of its document can be typed. It means nothing,
    /// and what is found about it is not told.
    pub(super) fn placeholder(&self) -> Value {
        match self {
            Self::Anything => Value::Null,
            Self::Text { choices, pattern, .. } => match pattern.as_ref().map(Regex::as_str) {
                Some(pattern) if is_duration(pattern) => Value::from("1s"),
                Some(pattern) if pattern.contains("{12}") => Value::from("00000000-0000-0000-0000-000000000000"),
                _ => Value::from(choices.first().map_or("", String::as_str)),
            },
            Self::Integer { .. } | Self::Number => Value::from(0),
            Self::Boolean => Value::Bool(false),
            Self::List { .. } => Value::Array(Vec::new()),
            Self::Map { fields, required, exactly_one, .. } => {
                // Of a reference to a secret or of a sink, the file: every one has it.
                let needed = if *exactly_one { vec!["file"] } else { required.iter().map(String::as_str).collect() };
                let part = |name: &str| Some((name.to_owned(), fields.get(name)?.placeholder()));
                Value::Object(needed.into_iter().filter_map(part).collect())
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Anything => "a value",
            Self::Text { .. } => "a text",
            Self::Integer { .. } => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::List { .. } => "a list",
            Self::Map { .. } => "a map",
        }
    }

    /// Whether it is the shape of a reference to a secret.
    fn is_secret(&self) -> bool {
        matches!(self, Self::Map { fields, exactly_one: true, .. } if fields.contains_key("credential"))
    }
}

fn names(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A walk through one document.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) faults: Vec<Diagnostic>,
    /// Where the resource at hand is at fault, and which fields a misspelt one probably means.
    pub(super) flaws: Vec<String>,
}

impl Walk {
    pub(super) fn fault(&mut self, node: &Node, path: &str, code: &str, message: String) -> &mut Diagnostic {
        let mut fault = Diagnostic::new(format!("provisor::manifest::{code}"), message).at_path(path);
        fault.line = Some(node.line);
        fault.column = Some(node.column);
        self.faults.push(fault);
        self.flaws.push(path.to_owned());
        let last = self.faults.len() - 1;
        &mut self.faults[last]
    }

    /// Checks a node and answers with its value, typed as the schema has it.
    pub(super) fn check(&mut self, shape: &Shape, node: &Node, path: &str) -> Value {
        match (shape, &node.data) {
            (Shape::Anything, _) => self.anything(node, path),
            (_, _) if node.is_null() => {
                self.fault(node, path, "wrong_type", format!("`{path}` is empty; {} belongs here", shape.name()));
                Value::Null
            }
            (Shape::Text { choices, .. }, Data::Scalar { text, plain: true })
                if choices.is_empty() && !scalar(text).is_string() =>
            {
                let hint = "put it into quotation marks: unquoted, it is a number or a truth value";
                self.fault(node, path, "wrong_type", format!("`{path}` must be a text")).hint = Some(hint.to_owned());
                kept_name(path, text)
            }
            (Shape::Text { .. }, Data::Scalar { text, .. }) => self.text(shape, node, path, text),
            (Shape::Boolean, Data::Scalar { text, plain: true }) => match text.as_str() {
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                _ => self.wrong_type(shape, node, path),
            },
            (Shape::Integer { min }, Data::Scalar { text, plain: true }) => match text.parse::<i64>() {
                Ok(number) if min.is_none_or(|min| number >= min) => Value::from(number),
                Ok(_) => {
                    self.fault(node, path, "invalid_value", format!("`{path}` is too small"));
                    Value::Null
                }
                Err(_) => self.wrong_type(shape, node, path),
            },
            (Shape::Number, Data::Scalar { text, plain: true }) => match text.parse::<f64>() {
                Ok(number) => Value::from(number),
                Err(_) => self.wrong_type(shape, node, path),
            },
            (Shape::List { item, min }, Data::List(items)) => {
                if items.len() < *min {
                    self.fault(node, path, "invalid_value", format!("`{path}` needs at least {min}"));
                }
                let check = |(at, one)| {
                    let before = self.faults.len();
                    let checked = self.check(item, one, &format!("{path}[{at}]"));
                    // Something stays in its place, so that those behind it keep theirs.
                    if checked.is_null() && self.faults.len() > before { item.placeholder() } else { checked }
                };
                Value::Array(items.iter().enumerate().map(check).collect())
            }
            (Shape::Map { .. }, Data::Map(entries)) => self.map(shape, node, entries, path),
            _ => self.wrong_type(shape, node, path),
        }
    }

    fn wrong_type(&mut self, shape: &Shape, node: &Node, path: &str) -> Value {
        if shape.is_secret() && matches!(node.data, Data::Scalar { .. }) {
            let message = format!("`{path}` holds a text where a reference to a secret belongs");
            let hint = "never write a secret into a manifest: write `{credential: NAME}`, `{file: PATH}`, `{env: NAME}` or \
                        `{prompt: TEXT}`; if this was a real secret, replace it";
            self.fault(node, path, "secret_in_clear", message).hint = Some(hint.to_owned());
        } else {
            self.fault(node, path, "wrong_type", format!("`{path}` must be {}", shape.name()));
        }
        Value::Null
    }

    fn text(&mut self, shape: &Shape, node: &Node, path: &str, text: &str) -> Value {
        let Shape::Text { choices, pattern, min, max } = shape else { return Value::Null };
        let length = text.chars().count();
        let before = self.faults.len();
        if !choices.is_empty() && !choices.iter().any(|choice| choice == text) {
            let listed = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
            let hint = match closest(text, choices.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`? Possible are {listed}"),
                None => format!("possible are {listed}"),
            };
            self.fault(node, path, "wrong_value", format!("`{path}` is none of the possible values")).hint = Some(hint);
        } else if length < *min {
            self.fault(node, path, "invalid_value", format!("`{path}` must not be empty"));
        } else if length > *max {
            self.fault(node, path, "invalid_value", format!("`{path}` is longer than {max} characters"));
        } else if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            let message = format!("`{path}` is not of the right form");
            self.fault(node, path, "invalid_value", message).hint = Some(explain(pattern.as_str()));
        } else if pattern.as_ref().is_some_and(|pattern| is_duration(pattern.as_str())) && text.parse::<Span>().is_err()
        {
            let hint = "write a shorter one; no clock counts so far";
            self.fault(node, path, "invalid_value", format!("`{path}` is too long")).hint = Some(hint.to_owned());
        }
        if self.faults.len() == before { Value::from(text) } else { kept_name(path, text) }
    }

    fn map(&mut self, shape: &Shape, node: &Node, entries: &[(Node, Node)], path: &str) -> Value {
        let Shape::Map { fields, required, others, exactly_one } = shape else { return Value::Null };
        let mut object = Map::new();
        let mut present = Vec::new();
        for (key, value) in entries {
            let Some(name) = key.text() else {
                self.fault(key, path, "wrong_type", format!("a key of `{path}` is no text"));
                continue;
            };
            let inner = if fields.contains_key(name) { join(path, name) } else { key_path(path, name) };
            if present.contains(&name) {
                self.fault(key, &inner, "duplicate_key", format!("`{name}` stands twice in `{path}`"));
                continue;
            }
            let inner_shape = fields.get(name).or(others.as_deref());
            let Some(inner_shape) = inner_shape else {
                let message = format!("`{path}` has no field `{name}`");
                let meant = closest(name, fields.keys().map(String::as_str));
                self.fault(key, &inner, "unknown_field", message).hint =
                    meant.map(|meant| format!("did you mean `{meant}`?"));
                self.flaws.extend(meant.map(|meant| join(path, meant)));
                continue;
            };
            // An optional field that says nothing is as good as absent.
            if value.is_null() && fields.contains_key(name) && !required.iter().any(|one| one == name) {
                continue;
            }
            let before = self.faults.len();
            let checked = self.check(inner_shape, value, &inner);
            present.push(name);
            // What is at fault itself is left out, so that the rest can be typed and checked further.
            if !checked.is_null() || self.faults.len() == before {
                object.insert(name.to_owned(), checked);
            }
        }
        for name in required.iter().filter(|name| !present.contains(&name.as_str())) {
            self.fault(node, &join(path, name), "missing_field", format!("`{path}` lacks `{name}`"));
        }
        // What cannot be left out has something in its place.
        for (name, inner) in required.iter().filter_map(|name| Some((name, fields.get(name)?))) {
            object.entry(name.clone()).or_insert_with(|| inner.placeholder());
        }
        if *exactly_one && present.len() != 1 {
            let listed = fields.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!("`{path}` must name exactly one of {listed}");
            self.fault(node, path, "both_of_one_of", message);
        }
        if *exactly_one && object.len() != 1 {
            return Value::Null;
        }
        Value::Object(object)
    }

    /// A free value, by the core schema of YAML 1.2; what looks like a number of YAML 1.1 only stays a text.
    fn anything(&mut self, node: &Node, path: &str) -> Value {
        match &node.data {
            Data::Scalar { text, plain: false } => Value::from(text.as_str()),
            Data::Scalar { .. } if node.is_null() => Value::Null,
            Data::Scalar { text, .. } => scalar(text),
            Data::List(items) => {
                let value = |(at, item)| self.anything(item, &format!("{path}[{at}]"));
                Value::Array(items.iter().enumerate().map(value).collect())
            }
            Data::Map(entries) => {
                let mut object = Map::new();
                for (key, value) in entries {
                    let name = key.text().unwrap_or_default();
                    let inner = key_path(path, name);
                    if object.contains_key(name) {
                        self.fault(key, &inner, "duplicate_key", format!("`{name}` stands twice in `{path}`"));
                    }
                    let value = self.anything(value, &inner);
                    object.insert(name.to_owned(), value);
                }
                Value::Object(object)
            }
        }
    }
}

/// A name is needed even where it is at fault: other documents may refer to it.
fn kept_name(path: &str, text: &str) -> Value {
    if path == "metadata.name" { Value::from(text) } else { Value::Null }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether a pattern is that of durations.
fn is_duration(pattern: &str) -> bool {
    pattern.contains("(ms|s|m|h|d)")
}

/// What a pattern of the schemas means, in words.
fn explain(pattern: &str) -> String {
    match pattern {
        p if p.starts_with("^https?") => "write an address that begins with `https://` or `http://`".to_owned(),
        p if is_duration(p) => {
            "write integers with `ms`, `s`, `m`, `h` or `d`, one or more, such as `1h30m`".to_owned()
        }
        p if p.contains("pdf|svg") => "its ending says the format: `.pdf` or `.svg`".to_owned(),
        p if p.contains("{5}") => "write six pairs of hex digits, such as `a4:cf:12:00:00:01`".to_owned(),
        p if p.contains("{12}") => "write a UUID, such as `6f2c5a0e-1d1b-4c63-9a53-0b7f2f4f0a11`".to_owned(),
        p if p.contains("[-a-z0-9]*") => {
            "use lower-case letters, digits and `-`, beginning and ending with a letter or digit".to_owned()
        }
        p if p.contains("A-Za-z0-9_.@-") => "use letters, digits, `_`, `.`, `-` and `@`".to_owned(),
        other => format!("it must match `{other}`"),
    }
}
