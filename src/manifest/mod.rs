//! What people declare: the kinds, how manifests are loaded and checked, and the schemas that editors and Kubernetes
//! use.
//!
//! After loading, no unchecked text walks through the program: every path is absolute, every reference resolved, every
//! resource knows its target.

mod check;
mod document;
pub mod emit;
mod explain;
mod input;
pub mod kinds;
pub mod schema;
mod shape;
mod tree;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::id::ResourceId;
use document::{Document, Parsed};
use input::Input;
use kinds::{API_VERSION, Kind, Metadata, Spec};
use shape::Shape;

/// Where a resource is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named; `-` for standard input.
    pub file: Arc<str>,
    /// Which document of the file, from 0; empty ones do not count.
    pub document: usize,
    /// Which item, in a `List`.
    pub item: Option<usize>,
}

/// One declared resource or target.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Kind and name.
    pub id: ResourceId,
    /// Name, labels, annotations.
    pub metadata: Metadata,
    /// The content; its paths are absolute.
    pub spec: Spec,
    /// The name of the target that it lives in; none for a target.
    pub target: Option<String>,
    /// Where it stands.
    pub place: Place,
}

impl Declared {
    /// The resource as a document, paths absolute; it holds references to secrets and no secret.
    pub fn to_document(&self) -> Value {
        json!({"apiVersion": API_VERSION, "kind": self.id.kind, "metadata": self.metadata, "spec": self.spec})
    }
}

/// Manifests without a fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifests {
    /// How to reach systems.
    pub targets: Vec<Declared>,
    /// What they should hold.
    pub resources: Vec<Declared>,
    /// What the reader should know.
    pub warnings: Vec<Diagnostic>,
    /// How many documents of another `apiVersion` were skipped in folders.
    pub skipped: usize,
}

/// Every fault of all files, and the warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Diagnostic>, pub Vec<Diagnostic>);

/// Loads and checks what the paths name: files, folders, `-` for standard input.
///
/// # Errors
/// Every fault of all of them at once.
pub fn load(paths: &[String]) -> Result<Manifests, Faults> {
    let (inputs, faults) = input::read(paths);
    assemble(&inputs, faults)
}

/// Loads and checks one text; relative paths in it are relative to the working folder.
///
/// # Errors
/// Every fault of it at once.
pub fn load_text(name: &str, bytes: &[u8]) -> Result<Manifests, Faults> {
    let (inputs, faults) = input::from_bytes(name, bytes);
    assemble(&inputs, faults)
}

/// Loads and checks documents that were loaded before, such as those of a saved plan.
///
/// # Errors
/// Every fault of them at once.
pub fn from_documents(documents: &[Value]) -> Result<Manifests, Faults> {
    let list = json!({"apiVersion": API_VERSION, "kind": "List", "items": documents});
    load_text("saved-plan.json", list.to_string().as_bytes())
}

fn assemble(inputs: &[Input], mut faults: Vec<Diagnostic>) -> Result<Manifests, Faults> {
    let mut declared = Vec::new();
    let mut skipped = 0;
    let mut is_whole = faults.is_empty();
    for input in inputs {
        let (documents, found) = parse(input);
        is_whole &= found.iter().all(|fault| !is_fatal(fault)) && !documents.iter().any(is_faulty);
        skipped += take(input, documents, &mut declared);
        faults.extend(found.into_iter().map(|fault| in_file(fault, &input.name)));
    }
    if declared.is_empty() && faults.is_empty() {
        let message = "there is no document of provisor in what `-f` names";
        let hint = format!("a document begins with `apiVersion: {API_VERSION}`");
        faults.push(Diagnostic::new("provisor::manifest::no_documents", message).with_hint(hint));
    }
    let findings = check::check(&mut declared);
    let flawed: BTreeSet<&ResourceId> = faults.iter().filter_map(|fault| fault.resource.as_ref()).collect();
    let is_certain = |finding: &&check::Finding| match &*finding.fault.code {
        // A reference may dangle only because the document that it names could not be read,
        DANGLING | MISSING_TARGET => is_whole,
        // and a field may be missing only because it is at fault itself.
        SIGN_IN | BOTH | MISSING_FIELD => !flawed.contains(&declared[finding.at].id),
        _ => true,
    };
    let certain: Vec<&check::Finding> = findings.iter().filter(is_certain).collect();
    let (amiss, wrong): (Vec<&check::Finding>, Vec<&check::Finding>) =
        certain.into_iter().partition(|finding| finding.is_warning);
    faults.extend(locate(inputs, &declared, &wrong));
    let mut warnings = locate(inputs, &declared, &amiss);
    warnings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    if faults.is_empty() {
        let (targets, resources) = declared.into_iter().partition(|one| one.spec.kind().is_target());
        return Ok(Manifests { targets, resources, warnings, skipped });
    }
    faults.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Err(Faults(faults, warnings))
}

const DANGLING: &str = "provisor::manifest::dangling_reference";
const MISSING_TARGET: &str = "provisor::manifest::missing_target";
const SIGN_IN: &str = "provisor::manifest::sign_in";
const BOTH: &str = "provisor::manifest::both_of_one_of";
const MISSING_FIELD: &str = "provisor::manifest::missing_field";

fn is_fatal(fault: &Diagnostic) -> bool {
    matches!(&*fault.code, "provisor::manifest::syntax" | "provisor::manifest::too_large")
}

fn is_faulty(document: &Document) -> bool {
    match document {
        Document::Faulty => true,
        Document::List(items) => items.iter().any(Option::is_none),
        _ => false,
    }
}

fn in_file(mut fault: Diagnostic, name: &str) -> Diagnostic {
    fault.file.get_or_insert_with(|| name.to_owned());
    fault
}

/// Parses a text: straight into the types, and by way of a tree where anything is wrong.
fn parse(input: &Input) -> (Vec<Document>, Vec<Diagnostic>) {
    let (documents, cause) = if input.is_json {
        match document::from_json(&input.text) {
            Ok(documents) => (Some(documents), None),
            Err(error) if error.is_syntax() || error.is_eof() => (None, Some(no_json(&error))),
            // A fault of the types came first; behind it the text may still be no JSON.
            Err(_) => {
                (None, serde_json::from_str::<serde::de::IgnoredAny>(&input.text).err().map(|error| no_json(&error)))
            }
        }
    } else {
        (document::from_yaml(&input.text).ok(), None)
    };
    match documents {
        Some(documents) if is_within(&documents) && !(input.is_named && has_foreign(&documents)) => {
            (documents, Vec::new())
        }
        _ => explain::explain(input, cause),
    }
}

fn no_json(error: &serde_json::Error) -> Diagnostic {
    let mut fault = Diagnostic::new("provisor::manifest::syntax", "this is no JSON")
        .with_hint("look for a missing or a superfluous comma, quote or bracket just before this place");
    (fault.line, fault.column) = (Some(error.line() as u64), Some(error.column() as u64));
    fault
}

fn has_foreign(documents: &[Document]) -> bool {
    documents.iter().any(|document| matches!(document, Document::Foreign))
}

/// Whether every resource keeps to what its types cannot say: patterns, lengths.
fn is_within(documents: &[Document]) -> bool {
    let fits = |parsed: &Parsed| {
        let metadata = serde_json::to_value(&parsed.metadata).unwrap_or_default();
        let spec = serde_json::to_value(&parsed.spec).unwrap_or_default();
        Shape::metadata().accepts(&metadata) && Shape::spec(parsed.spec.kind()).accepts(&spec)
    };
    documents.iter().all(|document| match document {
        Document::One(parsed) => fits(parsed),
        Document::List(items) => items.iter().flatten().all(fits),
        Document::Foreign | Document::Empty | Document::Faulty => true,
    })
}

/// Adds the resources of a text; how many documents were not ours.
fn take(input: &Input, documents: Vec<Document>, declared: &mut Vec<Declared>) -> usize {
    let file: Arc<str> = input.name.as_str().into();
    let mut skipped = 0;
    let said = documents.into_iter().filter(|document| !matches!(document, Document::Empty));
    for (number, document) in said.enumerate() {
        let mut add = |parsed: Parsed, item| {
            let place = Place { file: Arc::clone(&file), document: number, item };
            declared.push(declare(parsed, place, &input.folder));
        };
        match document {
            Document::One(parsed) => add(*parsed, None),
            Document::List(items) => {
                for (at, parsed) in items.into_iter().enumerate() {
                    if let Some(parsed) = parsed {
                        add(parsed, Some(at));
                    }
                }
            }
            Document::Foreign => skipped += 1,
            Document::Empty | Document::Faulty => {}
        }
    }
    skipped
}

fn declare(parsed: Parsed, place: Place, folder: &Path) -> Declared {
    let Parsed { metadata, mut spec } = parsed;
    for path in spec.paths_mut() {
        let joined = folder.join(&*path);
        *path = std::path::absolute(&joined).unwrap_or(joined);
    }
    Declared { id: ResourceId::new(spec.kind().name(), metadata.name.clone()), metadata, spec, target: None, place }
}

/// Gives findings their places, by reading the texts that they are about a second time.
fn locate(inputs: &[Input], declared: &[Declared], findings: &[&check::Finding]) -> Vec<Diagnostic> {
    let mut trees = std::collections::HashMap::new();
    let mut located = Vec::new();
    for finding in findings {
        let one = &declared[finding.at];
        let mut fault = in_file(finding.fault.clone().on(one.id.clone()), &one.place.file);
        if let Some(input) = inputs.iter().find(|input| *input.name == *one.place.file) {
            let documents = trees.entry(&input.name).or_insert_with(|| explain::trees(input).0);
            if let Some(tree) = documents.get(one.place.document) {
                let path = fault.path.clone().unwrap_or_default();
                let path = match one.place.item {
                    Some(item) => format!("items[{item}].{path}"),
                    None => path,
                };
                let node = tree.nearest(&path);
                (fault.line, fault.column) = (Some(node.line), Some(node.column));
            }
        }
        located.push(fault);
    }
    located
}

/// The kinds' names, for "did you mean".
pub fn kind_names() -> [&'static str; 8] {
    Kind::ALL.map(Kind::name)
}
