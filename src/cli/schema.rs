//! `provisor schema`: JSON Schemas and CRDs of the kinds, and the schemas of our own JSON formats.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::{Value, json};

use super::console::Console;
use super::exit::{Exit, Failure};
use super::render::Format;
use super::render::json::{ERRORS_FORMAT, Errors, document};
use crate::diagnostic::Problem;
use crate::manifest::emit::to_yaml;
use crate::manifest::kinds::Kind;
use crate::manifest::schema;
use crate::reconcile::plan::{PLAN_FORMAT, Plan, REPORT_FORMAT};

const AFTER: &str = "\
Examples:
  provisor schema KeycloakClient                 the JSON Schema of one kind, for an editor
  provisor schema --format crd | kubectl apply -f -
  provisor schema --write schemas                every schema, a file each

Without KIND, the JSON Schema is that of a file that may hold any kind. `--write` without KIND and
FORMAT also writes the schemas of what `-o json` prints.

Exit codes: 0 written; 1 a file could not be written.";

/// Print the schema of a kind, or of all
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The kind; all where none is named
    kind: Option<Kind>,
    /// What sort of schema [default: json-schema]
    #[arg(long, value_name = "FORMAT")]
    format: Option<SchemaFormat>,
    /// Write files into this folder instead of printing
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

/// What sort of schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaFormat {
    /// For editors and `validate`.
    JsonSchema,
    /// For Kubernetes.
    Crd,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<Exit, Failure> {
    if let Some(folder) = &args.write {
        let files: Vec<(String, String)> = files().into_iter().filter(|(name, _)| is_wanted(name, args)).collect();
        files.iter().try_for_each(|(name, text)| write(folder, name, text))?;
        console.say(&format!("Wrote {} files below `{}`.\n", files.len(), folder.display()));
        return Ok(Exit::Done);
    }
    let text = match (args.kind, args.format) {
        (None, Some(SchemaFormat::Crd)) => to_yaml(&Kind::ALL.map(schema::crd)),
        (Some(kind), Some(SchemaFormat::Crd)) => to_yaml(&[schema::crd(kind)]),
        (None, _) => document(&schema::any_schema()),
        (Some(kind), _) => document(&schema::json_schema(kind)),
    };
    console.print(&text, Format::Json)?;
    Ok(Exit::Done)
}

/// Every schema, of manifests and of our own formats, by its name below `schemas/`.
pub fn files() -> Vec<(String, String)> {
    let formats = formats().into_iter().map(|(name, schema)| (name.to_owned(), document(&schema)));
    schema::files().into_iter().chain(formats).collect()
}

fn is_wanted(name: &str, args: &Args) -> bool {
    let of_kind =
        |kind: Kind| name == format!("json/{kind}.json") || name.starts_with(&format!("crds/{}.", kind.plural()));
    let is_crd = name.starts_with("crds/");
    args.kind.is_none_or(of_kind) && args.format.is_none_or(|format| is_crd == (format == SchemaFormat::Crd))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
    written.map_err(|error| {
        Problem::new("provisor::schema::file", format!("cannot write `{}`: {error}", path.display())).into()
    })
}

/// The schemas of what `-o json` prints, by file name.
pub fn formats() -> Vec<(&'static str, Value)> {
    let mut plan = format_of::<Plan>("A plan of provisor.", PLAN_FORMAT);
    let mut report = format_of::<Plan>("A report of provisor: a plan that was applied.", REPORT_FORMAT);
    if let Some(change) = plan.pointer_mut("/$defs/Change/properties").and_then(Value::as_object_mut) {
        change.remove("outcome");
    }
    if let Some(change) = report.pointer_mut("/$defs/Change").and_then(Value::as_object_mut) {
        if let Some(required) = change.get_mut("required").and_then(Value::as_array_mut) {
            required.push(json!("outcome"));
        }
        if let Some(properties) = change.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("outcome".to_owned(), json!({"$ref": "#/$defs/Outcome"}));
            properties.remove("revision");
        }
    }
    if let Some(definitions) = plan.pointer_mut("/$defs").and_then(Value::as_object_mut) {
        definitions.remove("Outcome");
    }
    if let Some(properties) = plan.pointer_mut("/properties").and_then(Value::as_object_mut) {
        let saved = "In a saved plan only: what applying it needs. Opaque, for the same version of provisor.";
        properties.insert("saved".to_owned(), json!({"description": saved, "type": "object"}));
    }
    let errors = format_of::<Errors>("Faults, where provisor has no plan or report to print.", ERRORS_FORMAT);
    vec![("plan.json", plan), ("report.json", report), ("errors.json", errors)]
}

fn format_of<T: JsonSchema>(title: &str, format: &str) -> Value {
    let mut schema: Schema = schema_for!(T);
    schema.insert("title".to_owned(), json!(title));
    let mut schema = schema.to_value();
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.insert("format".to_owned(), json!({"const": format}));
    }
    schema
}
