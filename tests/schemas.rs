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

/// The least document that a schema accepts.
fn least(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("string") => match (schema["enum"][0].as_str(), schema["pattern"].as_str().unwrap_or_default()) {
            (Some(choice), _) => json!(choice),
            (None, pattern) if pattern.starts_with("^https") => json!("https://x.example.org"),
            (None, pattern) if pattern.contains("(ms|s|m|h|d)") => json!("1h"),
            (None, pattern) if pattern.contains("pdf") => json!("x.pdf"),
            (None, pattern) if pattern.contains("{5}") => json!("a4:cf:12:00:00:01"),
            (None, pattern) if pattern.contains("{12}") => json!("6f2c5a0e-1d1b-4c63-9a53-0b7f2f4f0a11"),
            _ => json!("x"),
        },
        Some("integer") => json!(4096),
        Some("boolean") => json!(true),
        Some("array") => json!([least(&schema["items"])]),
        _ => {
            let mut object = serde_json::Map::new();
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                object.insert(name.to_owned(), least(&schema["properties"][name]));
            }
            if schema["minProperties"] == 1 {
                object.insert("file".to_owned(), json!("x"));
            }
            Value::Object(object)
        }
    }
}

/// Every place below `schema` that holds a text: the keys that lead there, with the value of what is around it.
fn texts(schema: &Value, path: &[Value], found: &mut Vec<Vec<Value>>) {
    let within = |step: Value| path.iter().cloned().chain([step]).collect::<Vec<_>>();
    match schema["type"].as_str() {
        Some("string") => found.push(path.to_vec()),
        Some("array") => texts(&schema["items"], &within(json!(0)), found),
        _ => {
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                texts(inner, &within(json!(name)), found);
            }
            if schema["additionalProperties"]["type"].is_string() {
                texts(&schema["additionalProperties"], &within(json!("some.key")), found);
            }
        }
    }
}

/// Puts `value` at a path, and around it the least that the schema wants.
fn put(document: &mut Value, schema: &Value, path: &[Value], value: &Value) {
    let Some((step, rest)) = path.split_first() else {
        *document = value.clone();
        return;
    };
    if document.is_null() {
        *document = least(schema);
    }
    if schema["maxProperties"] == 1 {
        *document = json!({});
    }
    match step {
        Value::String(name) => {
            let inner = if schema["properties"][name].is_object() {
                &schema["properties"][name]
            } else {
                &schema["additionalProperties"]
            };
            put(&mut document[name], inner, rest, value);
        }
        _ => put(&mut document[0], &schema["items"], rest, value),
    }
}

/// REC-1: wherever a text belongs, schema and loader refuse the same other scalars, in YAML and in JSON, and take the same
/// texts.
#[test]
fn schema_and_loader_agree_on_every_scalar_where_a_text_belongs() {
    let mut places = 0;
    for kind in Kind::ALL {
        let schema = schema::json_schema(kind);
        let mut found = Vec::new();
        texts(&schema, &[], &mut found);
        assert!(found.len() >= 8, "{kind}: {found:?}");
        for path in found.iter().filter(|path| path[0] != "apiVersion" && path[0] != "kind") {
            let shown = path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            for value in
                [json!(5), json!(-7), json!(1.5), json!(true), json!(false), json!("5"), json!("true"), json!("no")]
            {
                let mut document = least(&schema);
                put(&mut document, &schema, path, &value);
                let accepts = jsonschema::validator_for(&schema).unwrap().is_valid(&document);
                assert!(value.is_string() || !accepts, "{kind}: {shown}: the schema takes {value}");
                let yaml = manifest::emit::to_yaml(std::slice::from_ref(&document));
                for (name, text) in [("m.yaml", yaml), ("m.json", document.to_string())] {
                    let faults =
                        manifest::load_text(name, text.as_bytes()).err().map(|faults| faults.0).unwrap_or_default();
                    let of_schema = ["wrong_type", "wrong_value", "invalid_value"];
                    let refused = faults.iter().find(|fault| of_schema.iter().any(|code| fault.code.ends_with(code)));
                    // A text may be refused for what only the checks beyond the schema know, such as recipients.
                    let agrees = if value.is_string() && accepts { true } else { refused.is_some() };
                    assert!(agrees, "{kind}: {shown}: the loader takes {value} in {name}");
                    if !value.is_string() {
                        let has_place = refused.is_some_and(|fault| fault.line.is_some() && fault.path.is_some());
                        assert!(has_place, "{kind}: {shown}: {refused:?} has no place");
                    }
                }
                places += 1;
            }
        }
    }
    assert!(places > 500, "only {places} cases");
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
