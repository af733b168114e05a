//! The published schemas are what the types say, accept what the loader accepts, and refuse what it refuses (REC-1).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use provisor::cli::schema::files;
use provisor::manifest::kinds::Kind;
use provisor::manifest::{self, schema};
use serde_json::{Value, json};

/// A stale copy fails; `provisor schema --write schemas` makes it current.
#[test]
fn the_committed_schemas_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, text) in files() {
        let committed = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(committed == text, "schemas/{name} is stale: run `provisor schema --write schemas`");
    }
}

fn is_accepted_by_schema(document: &Value) -> bool {
    jsonschema::validator_for(&schema::any_schema()).unwrap().is_valid(document)
}

fn documents(folder: &Path, found: &mut Vec<Value>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.extend(serde_saphyr::from_multiple::<Value>(&std::fs::read_to_string(&path).unwrap()).unwrap());
        }
    }
}

#[test]
fn every_example_is_accepted_by_the_schema_and_by_the_loader() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found = Vec::new();
    documents(&examples, &mut found);
    assert!(found.len() >= 6);
    for document in &found {
        assert!(is_accepted_by_schema(document), "{document:#}");
    }
    for folder in std::fs::read_dir(&examples).unwrap() {
        manifest::load(&[folder.unwrap().path().display().to_string()]).unwrap();
    }
}

/// What a person may get wrong in a device; the schema and the loader must both refuse it.
#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let device = |spec: Value| json!({"apiVersion": "provisor.dev/v1alpha1", "kind": "Device", "metadata": {"name": "d"}, "spec": spec});
    let realm = json!({"apiVersion": "provisor.dev/v1alpha1", "kind": "KeycloakRealm", "metadata": {"name": "r"},
        "spec": {"url": "https://k.example.org", "realm": "r", "clientId": "p", "clientSecret": {"credential": "c"}}});
    let good = device(json!({"audience": "mqtt", "secret": {"credential": "d"}, "lifecycle": {"adopt": "always"}}));
    let is_loaded = |document: &Value| manifest::from_documents(&[realm.clone(), document.clone()]).is_ok();
    assert!(is_accepted_by_schema(&good) && is_loaded(&good));
    let mut bad: Vec<Value> = [
        json!({}),
        json!({"audience": ""}),
        json!({"audience": ["mqtt"]}),
        json!({"audience": "mqtt", "nonsense": 1}),
        json!({"audience": "mqtt", "enabled": "yes"}),
        json!({"audience": "mqtt", "tokenLifespan": "4 hours"}),
        json!({"audience": "mqtt", "macAddress": "a4:cf"}),
        json!({"audience": "mqtt", "grant": "other"}),
        json!({"audience": "mqtt", "secret": "in clear"}),
        json!({"audience": "mqtt", "secret": {}}),
        json!({"audience": "mqtt", "secret": {"credential": "a", "file": "b"}}),
        json!({"audience": "mqtt", "secret": {"credential": "../a"}}),
        json!({"audience": "mqtt", "secretTo": {"age": {"file": "x"}}}),
        json!({"audience": "mqtt", "secretTo": {"age": {"file": "x", "recipients": []}}}),
        json!({"audience": "mqtt", "lifecycle": {"adopt": "sometimes"}}),
        json!({"audience": "mqtt", "wifi": {"ssid": "x"}}),
        json!({"audience": "mqtt", "package": {"file": "x", "size": -1}}),
    ]
    .into_iter()
    .map(device)
    .collect();
    for (member, value) in [("kind", json!("Devce")), ("apiVersion", json!("v1")), ("extra", json!(1))] {
        let mut document = good.clone();
        document[member] = value;
        bad.push(document);
    }
    for name in ["", "Upper", "a_b", "-a"] {
        let mut document = good.clone();
        document["metadata"]["name"] = json!(name);
        bad.push(document);
    }
    for document in &bad {
        assert!(!is_accepted_by_schema(document), "the schema accepts {document:#}");
        assert!(!is_loaded(document), "the loader accepts {document:#}");
    }
}

/// Kubernetes wants structural schemas: a type everywhere, no references, no nulls in enums.
#[test]
fn the_custom_resources_are_structural() {
    fn walk(schema: &Value, path: &str) {
        let object = schema.as_object().unwrap_or_else(|| panic!("{path} is no schema"));
        for word in ["$ref", "anyOf", "oneOf", "const", "nullable", "format"] {
            assert!(!object.contains_key(word), "{path} has `{word}`");
        }
        let preserves = object.contains_key("x-kubernetes-preserve-unknown-fields");
        assert!(preserves || object.get("type").is_some_and(Value::is_string), "{path} has no type");
        for (name, inner) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            walk(inner, &format!("{path}.{name}"));
        }
        for word in ["items", "additionalProperties"] {
            if let Some(inner) = object.get(word) {
                walk(inner, &format!("{path}.{word}"));
            }
        }
    }
    for kind in Kind::ALL {
        let crd = schema::crd(kind);
        walk(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], kind.name());
    }
}
