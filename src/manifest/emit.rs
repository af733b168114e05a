//! Writing documents as YAML that is safe for every reader: what YAML 1.1 would take for a boolean or a number is
//! quoted.

use serde_json::Value;

/// Documents as one stream, in their order.
pub fn to_yaml(documents: &[Value]) -> String {
    let mut out = String::new();
    for (number, document) in documents.iter().enumerate() {
        if number > 0 {
            out.push_str("---\n");
        }
        // A JSON value has no part that YAML could not say.
        out.push_str(&serde_saphyr::to_string(document).unwrap_or_default());
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}
