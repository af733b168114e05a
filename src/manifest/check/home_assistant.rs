//! What no schema can say of Home Assistant's kinds: an address in clear, a credential among plain data, two names for
//! one stored field.

use std::collections::BTreeMap;

use super::{Found, is_loopback};
use crate::home_assistant::catalog::{Catalog, Check};
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

/// What the catalogue of Home Assistant's integrations says of the fields of an entry.
fn fields(domain: &str, spec: &HomeAssistantEntrySpec, stored: &BTreeMap<String, &String>, found: &mut Found<'_>) {
    let catalog = Catalog::bundled();
    if let Check::UnknownIntegration { meant } = catalog.check_field(domain, "") {
        let message = format!("Home Assistant {} has no integration `{domain}`", catalog.home_assistant);
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`? (a custom integration is not in the catalogue)"),
            None => "the fields of a custom integration are not checked".to_owned(),
        };
        found.warn("spec.domain", "unknown_integration", message).hint = Some(hint);
    }
    for name in spec.data.keys() {
        let path = key_path("spec.data", name);
        if catalog.is_secret(domain, name) {
            let message = format!("`{name}` is a secret of `{domain}`, which must not stand in a manifest");
            found.push(&path, "secret_in_clear", message).hint =
                Some(format!("write `credentials: {{{name}: {{credential: ...}}}}`"));
        } else {
            known(domain, name, &path, found);
        }
    }
    for (name, declared) in stored {
        known(domain, name, &key_path("spec.credentials", declared), found);
    }
    let is_there = |name: &str| {
        let first = |path: &String| path.split('.').next() == Some(name);
        spec.data.keys().any(first) || stored.keys().any(first)
    };
    let missing: Vec<String> =
        catalog.required(domain).filter(|name| !is_there(name)).map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() {
        let message = format!("a new entry of `{domain}` needs {}", missing.join(", "));
        found.warn("spec", "required_field", message).hint =
            Some("nothing has to be added for an entry that is there and is taken over".to_owned());
    }
}

/// That the integration knows a field: an error where the catalogue knows all of them.
fn known(domain: &str, name: &str, path: &str, found: &mut Found<'_>) {
    let Check::Unknown { complete, meant } = Catalog::bundled().check_field(domain, name) else { return };
    let message = format!("`{domain}` has no field `{name}`");
    let fault =
        if complete { found.push(path, "unknown_field", message) } else { found.warn(path, "unknown_field", message) };
    fault.hint = Some(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`provisor ha catalog` lists the fields of each integration".to_owned(),
    });
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
    fields(spec.domain(name), spec, &stored, found);
    for declared in spec.field_names.keys().filter(|declared| !spec.credentials.contains_key(*declared)) {
        let path = key_path("spec.fieldNames", declared);
        let message = format!("`fieldNames` names `{declared}`, which is not under `credentials`");
        found.push(&path, "dangling_reference", message);
    }
}
