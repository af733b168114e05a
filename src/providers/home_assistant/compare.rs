//! Comparing a wanted entry with the one that is there: only what the manifest names; credentials by digest.

use serde_json::{Value, json};

use super::{EntryHave, EntryWant};
use crate::diagnostic::Problem;
use crate::home_assistant::digest::Key;
use crate::manifest::kinds::common::OnDrift;
use crate::path::key_path;
use crate::reconcile::plan::{FieldChange, Reason};
use crate::reconcile::provider::Comparison;

/// How `want` and `have` differ; `key` is the instance's.
pub(super) fn compare(want: &EntryWant, have: Option<&EntryHave>, key: Option<&Key>) -> Comparison {
    let mut comparison = Comparison::default();
    let Some(have) = have else {
        comparison.fields = all(want);
        return comparison;
    };
    let entry = &have.entry;
    if entry.domain != want.domain {
        comparison.conflict = Some(other_domain(want, &entry.domain));
        return comparison;
    }
    if entry.owned.is_none() && have.is_marked {
        comparison.fields.push(FieldChange::plain("metadata.name", Value::Null, json!(want.name)));
    }
    let fields = &mut comparison.fields;
    let mut plain = |path: String, before: Value, after: Value| {
        if before != after {
            fields.push(FieldChange::plain(path, before, after));
        }
    };
    if let Some(title) = &want.title {
        plain("title".to_owned(), json!(entry.title), json!(title));
    }
    plain("enabled".to_owned(), json!(entry.disabled_by.is_none()), json!(want.enabled));
    if let Some(id) = &want.unique_id {
        plain("uniqueId".to_owned(), json!(entry.unique_id), json!(id));
    }
    for (path, value) in &want.data {
        let before = entry.data.get(path).cloned().unwrap_or(Value::Null);
        plain(key_path("data", path), before, value.clone());
    }
    for (name, value) in &want.options {
        let before = entry.options.get(name).cloned().unwrap_or(Value::Null);
        plain(key_path("options", name), before, value.clone());
    }
    let mut rotated = false;
    for (path, credential) in &want.credentials {
        let reason = match (&credential.value, key) {
            (Some(secret), Some(key)) => verdict(&key.of_text(secret), path, have, want.on_drift),
            _ => Some(Reason::Unknown),
        };
        rotated |= reason == Some(Reason::Rotated);
        comparison.fields.extend(reason.map(|reason| FieldChange::secret(credential.path.clone(), reason)));
    }
    if rotated {
        comparison.message = Some("the integration rotated a credential; it is kept".to_owned());
    }
    judge(want, have, &mut comparison);
    comparison
}

/// The fields of an entry that is not there.
fn all(want: &EntryWant) -> Vec<FieldChange> {
    let new = |path: String, value: Value| FieldChange::plain(path, Value::Null, value);
    let mut fields = vec![new("domain".to_owned(), json!(want.domain))];
    fields.push(new("title".to_owned(), json!(want.title.as_ref().unwrap_or(&want.name))));
    fields.extend(want.unique_id.iter().map(|id| new("uniqueId".to_owned(), json!(id))));
    if !want.enabled {
        fields.push(new("enabled".to_owned(), json!(false)));
    }
    fields.extend(want.data.iter().map(|(path, value)| new(key_path("data", path), value.clone())));
    fields.extend(want.options.iter().map(|(name, value)| new(key_path("options", name), value.clone())));
    fields.extend(want.credentials.values().map(|credential| {
        let reason = if credential.value.is_some() { Reason::Absent } else { Reason::Unknown };
        FieldChange::secret(credential.path.clone(), reason)
    }));
    fields
}

/// The three-way rule over digests: last applied, declared, actual.
fn verdict(declared: &str, path: &str, have: &EntryHave, on_drift: OnDrift) -> Option<Reason> {
    let owned = have.entry.owned.as_ref();
    let base = owned.and_then(|owned| owned.base.get(path));
    let declared_is_base = base.is_some_and(|base| base == declared);
    match have.entry.digests.get(path) {
        None => Some(Reason::Absent),
        Some(actual) if actual == declared => {
            // Nobody's yet, and already as declared: adoption records the digest, and nothing changes.
            (owned.is_some() && !declared_is_base).then_some(Reason::Changed)
        }
        Some(_) if declared_is_base && on_drift == OnDrift::Keep => Some(Reason::Rotated),
        Some(_) => Some(Reason::Changed),
    }
}

/// What the entry's state says: of success where nothing is to be written, else after it was.
fn judge(want: &EntryWant, have: &EntryHave, comparison: &mut Comparison) {
    let entry = &have.entry;
    if !want.enabled || comparison.writes() {
        return;
    }
    let because = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    if entry.reauth {
        let message = format!("`{}` has to sign in again{because}", want.name);
        let hint = format!(
            "take a new token (`provisor ha oauth {}`, or the integration's page), declare it, and apply; a declared \
             credential that changed wins",
            want.domain
        );
        comparison.failure = Some(Problem::new("provisor::home_assistant::reauth", message).with_hint(hint));
        return;
    }
    match entry.state.as_str() {
        "setup_retry" => comparison.message = Some(format!("applied, and not reachable at the moment{because}")),
        "setup_error" | "migration_error" | "not_loaded" | "failed_unload" => {
            let message = format!("`{}` is in state `{}`{because}", want.name, entry.state);
            let code = format!("provisor::home_assistant::{}", entry.state);
            comparison.failure = Some(Problem::new(code, message).with_hint(remedy(&entry.state)));
        }
        _ => {}
    }
}

fn remedy(state: &str) -> &'static str {
    match state {
        "migration_error" => {
            "the stored data does not fit the integration's version: correct what is declared, remove the entry (or \
             prune it), and apply again"
        }
        "not_loaded" => "the integration is not installed, or its entry was unloaded; look at Home Assistant's log",
        "failed_unload" => "restart Home Assistant",
        _ => "look at the declared fields and at Home Assistant's log; the integration refused them",
    }
}

fn other_domain(want: &EntryWant, domain: &str) -> Problem {
    let message =
        format!("`{}` is an entry of `{domain}` and cannot become one of `{}`", want.name, want.domain);
    Problem::new("provisor::plan::conflict", message)
        .with_hint("declare the new one under another name, and prune the old one")
}
