//! What no schema can say of Home Assistant's kinds: an address in clear, a credential among plain data, two names for
//! one stored field.

use std::collections::BTreeMap;

use super::{Found, is_loopback};
use crate::manifest::kinds::home_assistant::{HomeAssistantEntrySpec, HomeAssistantSpec};
use crate::path::key_path;

/// How to reach a Home Assistant: plain HTTP is usual at home, and warned of.
pub(super) fn target(spec: &HomeAssistantSpec, found: &mut Found<'_>) {
    super::address("spec.url", &spec.url, true, found);
    let is_open = url::Url::parse(&spec.url).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url));
    if is_open && !spec.allow_insecure {
        let message = "plain `http://` beyond this machine: the token and all credentials cross the network in clear";
        found.warn("spec.url", "insecure_url", message).hint =
            Some("use `https://`, or say `allowInsecure: true` where the network is trusted".to_owned());
    }
}

/// A config entry.
pub(super) fn entry(name: &str, spec: &HomeAssistantEntrySpec, found: &mut Found<'_>) {
    let mut stored = BTreeMap::new();
    for declared in spec.credentials.keys() {
        let field = spec.stored_name(name, declared);
        let path = key_path("spec.credentials", declared);
        if let Some(other) = stored.insert(field.clone(), declared) {
            let message = format!("`{declared}` and `{other}` both mean the stored field `{field}`");
            found.push(&path, "same_field", message);
        }
        if spec.data.contains_key(&field) {
            let message = format!("the field `{field}` is declared under `data` and under `credentials`");
            found.push(&path, "same_field", message).hint = Some("leave it out under `data`".to_owned());
        }
    }
    for declared in spec.field_names.keys().filter(|declared| !spec.credentials.contains_key(*declared)) {
        let path = key_path("spec.fieldNames", declared);
        let message = format!("`fieldNames` names `{declared}`, which is not under `credentials`");
        found.push(&path, "dangling_reference", message);
    }
}
