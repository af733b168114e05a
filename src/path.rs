//! Paths of fields, as manifests, plans and faults write them: `data.host`, `attributes["a.b"]`,
//! `protocolMappers[aud].config.x`.

use serde_json::Value;

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// The path of a key of a map: `parent.key`, or `parent["a.b"]` where it is not letters, digits, `_` or `-`.
pub fn key_path(parent: &str, key: &str) -> String {
    match (parent, is_plain(key)) {
        ("", true) => key.to_owned(),
        (_, true) => format!("{parent}.{key}"),
        (_, false) => format!("{parent}[{}]", Value::from(key)),
    }
}

/// The path of a named element of a list: `parent[name]`, quoted where it is not letters, digits, `_` or `-`.
pub fn name_path(parent: &str, name: &str) -> String {
    if is_plain(name) { format!("{parent}[{name}]") } else { format!("{parent}[{}]", Value::from(name)) }
}
