//! The published schemas, generated from the types: JSON Schema for editors and checks, CRDs for Kubernetes.
//!
//! Both come in a *structural* form: no references, no nullable unions, enums as lists. That is what Kubernetes accepts,
//! what editors explain best, and what `shape` walks to find every fault of a document.

use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::kinds::device::DeviceSpec;
use super::kinds::home_assistant::{HomeAssistantEntrySpec, HomeAssistantSpec};
use super::kinds::hub::{FarmSpec, HubSpec, ProvisioningKeySpec};
use super::kinds::keycloak::{KeycloakClientSpec, KeycloakRealmSpec};
use super::kinds::{API_VERSION, Kind, Metadata};

/// The API group of the custom resources.
const GROUP: &str = "provisor.dev";
const VERSION: &str = "v1alpha1";

/// The schema of a kind's `spec`, structural.
pub fn spec_schema(kind: Kind) -> Value {
    let generator = || SchemaSettings::draft2020_12().into_generator();
    let schema = match kind {
        Kind::HomeAssistant => generator().into_root_schema_for::<HomeAssistantSpec>(),
        Kind::HomeAssistantEntry => generator().into_root_schema_for::<HomeAssistantEntrySpec>(),
        Kind::Hub => generator().into_root_schema_for::<HubSpec>(),
        Kind::KeycloakRealm => generator().into_root_schema_for::<KeycloakRealmSpec>(),
        Kind::KeycloakClient => generator().into_root_schema_for::<KeycloakClientSpec>(),
        Kind::Device => generator().into_root_schema_for::<DeviceSpec>(),
        Kind::Farm => generator().into_root_schema_for::<FarmSpec>(),
        Kind::ProvisioningKey => generator().into_root_schema_for::<ProvisioningKeySpec>(),
    };
    structural(schema.to_value())
}

/// The schema of `metadata`, structural.
pub(super) fn metadata_schema() -> Value {
    structural(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Metadata>().to_value())
}

/// The schema of a whole document of a kind, as published for editors.
pub fn json_schema(kind: Kind) -> Value {
    let mut schema = document_schema(kind);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(kind.name());
    schema
}

/// The schema of a document of any kind, for a file that holds several.
pub fn any_schema() -> Value {
    let cases: Vec<Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            json!({"if": {"properties": {"kind": {"const": kind.name()}}, "required": ["kind"]}, "then": document_schema(kind)})
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "provisor",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"enum": [API_VERSION]},
            "kind": {"enum": Kind::ALL.map(Kind::name)},
        },
        "allOf": cases,
    })
}

fn document_schema(kind: Kind) -> Value {
    let spec = spec_schema(kind);
    json!({
        "description": spec["description"],
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"description": "The version of this schema.", "type": "string", "enum": [API_VERSION]},
            "kind": {"description": "What the document declares.", "type": "string", "enum": [kind.name()]},
            "metadata": metadata_schema(),
            "spec": spec,
            "status": {"description": "Kubernetes' own; accepted and ignored.", "type": "object"},
        },
    })
}

/// The custom resource definition of a kind.
pub fn crd(kind: Kind) -> Value {
    let mut spec = spec_schema(kind);
    for_kubernetes(&mut spec);
    let description = spec["description"].clone();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{GROUP}", kind.plural())},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name(),
                "plural": kind.plural(),
                "singular": kind.name().to_lowercase(),
                "categories": ["provisor"],
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {
                    "description": description,
                    "type": "object",
                    "required": ["spec"],
                    "properties": {
                        "spec": spec,
                        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}

/// Writes every schema below `folder`: `json/KIND.json`, `provisor.json`, `crds/PLURAL.provisor.dev.yaml`.
///
/// # Errors
/// A file cannot be written.
pub fn write_all(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (name, text) in files() {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)?;
        written.push(path);
    }
    Ok(written)
}

/// Every schema file by its name below `schemas/`.
pub fn files() -> Vec<(String, String)> {
    let pretty = |value: &Value| format!("{value:#}\n");
    let mut files = vec![("provisor.json".to_owned(), pretty(&any_schema()))];
    for kind in Kind::ALL {
        files.push((format!("json/{kind}.json"), pretty(&json_schema(kind))));
        files.push((format!("crds/{}.{GROUP}.yaml", kind.plural()), super::emit::to_yaml(&[crd(kind)])));
    }
    files
}

/// The same schema without references, nullable unions, and enums in pieces.
fn structural(mut root: Value) -> Value {
    let definitions = root.get("$defs").cloned().unwrap_or_default();
    if let Some(object) = root.as_object_mut() {
        object.remove("$defs");
        object.remove("$schema");
        object.remove("title");
    }
    flatten(&mut root, &definitions);
    root
}

fn flatten(schema: &mut Value, definitions: &Value) {
    resolve(schema, definitions);
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(types) = object.get("type").and_then(Value::as_array) {
        let kept: Vec<Value> = types.iter().filter(|name| *name != "null").cloned().collect();
        if let [only] = kept.as_slice() {
            object.insert("type".to_owned(), only.clone());
        }
    }
    if let Some(Value::Array(cases)) = object.get("oneOf").cloned()
        && cases.iter().all(|case| case.get("const").is_some())
    {
        let names: Vec<Value> = cases.iter().map(|case| case["const"].clone()).collect();
        object.remove("oneOf");
        object.insert("type".to_owned(), json!("string"));
        object.insert("enum".to_owned(), json!(names));
    }
    object.remove("format");
    object.remove("default");
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    for key in ["properties", "patternProperties"] {
        if let Some(Value::Object(properties)) = object.get_mut(key) {
            properties.values_mut().for_each(|property| flatten(property, definitions));
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            flatten(inner, definitions);
        }
    }
    // `true`, "anything at all", is no structural schema.
    if object.get("additionalProperties") == Some(&json!(true)) {
        object.insert("additionalProperties".to_owned(), json!({}));
    }
}

/// Puts what a reference or an optional one means in its place; a description beside it stays.
fn resolve(schema: &mut Value, definitions: &Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let inner = match (object.get("$ref"), object.get("anyOf")) {
        (Some(Value::String(reference)), _) => {
            let name = reference.rsplit('/').next().unwrap_or_default();
            definitions.get(name).cloned()
        }
        (_, Some(Value::Array(cases))) => cases.iter().find(|case| case["type"] != "null").cloned(),
        _ => None,
    };
    let Some(Value::Object(inner)) = inner else { return };
    object.remove("$ref");
    object.remove("anyOf");
    for (key, value) in inner {
        object.entry(key).or_insert(value);
    }
    resolve(schema, definitions);
}

/// What Kubernetes wants otherwise: `{}` says "anything" through its own word, and unknown fields are refused by pruning.
fn for_kubernetes(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("additionalProperties") == Some(&json!(false)) {
        object.remove("additionalProperties");
    }
    let is_anything = |schema: &Map<String, Value>| !schema.contains_key("type") && !schema.contains_key("properties");
    if is_anything(object) {
        object.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(for_kubernetes);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            for_kubernetes(inner);
        }
    }
}
