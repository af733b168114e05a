//! Comparing manifests with manifests: what a change of the declarations means, with no target looked at and no secret
//! resolved.
//!
//! Both sides are compared in their full form, so that naming a default is no change, and in the terms of the engine:
//! sets by their members, maps key by key, mappers by name. A path in a manifest is the same where it is the same file,
//! or lies at the same place of the two folders that are compared. What the plan says is marked `basis: declared`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::plan::{Action, Basis, Change, FieldChange, Plan, Reason};
use crate::id::ResourceId;
use crate::manifest::kinds::Spec;
use crate::manifest::kinds::common::DeletionPolicy;
use crate::manifest::{Declared, Manifests};
use crate::path::{key_path, name_path};

/// The client scope that a realm's devices share where the realm names none.
pub const DEVICE_SCOPE: &str = "iot-device";

/// One of the two revisions.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What is declared.
    pub manifests: &'a Manifests,
    /// The folder that the manifests lie in, absolute; paths below and beside it are compared as seen from there.
    pub root: &'a Path,
}

/// What is declared in `new` against what is declared in `old`.
pub fn compare(old: Side<'_>, new: Side<'_>, owner: &str) -> Plan {
    let before: BTreeMap<&ResourceId, &Declared> = by_id(old.manifests);
    let after: BTreeMap<&ResourceId, &Declared> = by_id(new.manifests);
    let renamed = renames(&before, &after);
    let gone_by_rename: BTreeSet<&ResourceId> = renamed.values().copied().collect();
    let mut changes = Vec::with_capacity(after.len());
    for resource in &new.manifests.resources {
        let earlier = before.get(&resource.id).or_else(|| before.get(renamed.get(&resource.id)?));
        changes.push(match earlier {
            Some(earlier) => updated(old, earlier, new, resource),
            None => created(resource),
        });
    }
    let gone = before.iter().filter(|(id, _)| !after.contains_key(*id) && !gone_by_rename.contains(*id));
    changes.extend(gone.map(|(_, resource)| deleted(resource)));
    Plan::new(Basis::Declared, owner, changes)
}

fn by_id(manifests: &Manifests) -> BTreeMap<&ResourceId, &Declared> {
    manifests.resources.iter().map(|resource| (&resource.id, resource)).collect()
}

/// Resources of another name that mean the object of one that is gone: the new name, and the old one.
fn renames<'a>(
    before: &BTreeMap<&'a ResourceId, &'a Declared>,
    after: &BTreeMap<&'a ResourceId, &'a Declared>,
) -> BTreeMap<&'a ResourceId, &'a ResourceId> {
    let gone: HashMap<_, &ResourceId> = before
        .iter()
        .filter(|(id, _)| !after.contains_key(*id))
        .filter_map(|(id, resource)| Some((object_of(resource)?, *id)))
        .collect();
    let is_new = |(id, _): &(&&'a ResourceId, &&'a Declared)| !before.contains_key(**id);
    after.iter().filter(is_new).filter_map(|(id, resource)| Some((*id, *gone.get(&object_of(resource)?)?))).collect()
}

/// What identifies the object that a resource means, where the manifest says it.
fn object_of(resource: &Declared) -> Option<(Option<&str>, &'static str, String)> {
    let target = resource.target.as_deref();
    let name = || resource.id.name.clone();
    match &resource.spec {
        Spec::KeycloakClient(spec) => Some((target, "client", spec.client_id.clone().unwrap_or_else(name))),
        Spec::Device(spec) => Some((target, "client", spec.client_id.clone().unwrap_or_else(name))),
        Spec::Farm(spec) => Some((target, "farm", spec.farm_id?.to_string())),
        _ => None,
    }
}

fn created(resource: &Declared) -> Change {
    let mut change = Change::new(resource.id.clone(), None, Action::Create);
    let spec = plain_spec(resource);
    differences(&Value::Null, &spec, &secret_paths(resource), &mut change.fields);
    for field in change.fields.iter_mut().filter(|field| field.sensitive) {
        field.reason = Some(Reason::Absent);
    }
    change
}

fn deleted(resource: &Declared) -> Change {
    let mut change = Change::new(resource.id.clone(), None, Action::Delete);
    let lifecycle = resource.spec.lifecycle();
    let end = match lifecycle.deletion_policy {
        _ if lifecycle.prevent_destroy => "`preventDestroy` keeps it",
        DeletionPolicy::Delete => "`--prune` deletes it",
        DeletionPolicy::Disable => "`--prune` disables it",
        DeletionPolicy::Orphan => "`--prune` removes our mark and leaves it",
    };
    change.message = Some(format!("no longer declared; {end}"));
    change
}

fn updated(old: Side<'_>, before: &Declared, new: Side<'_>, after: &Declared) -> Change {
    let mut change = Change::new(after.id.clone(), None, Action::None);
    if before.id.kind != after.id.kind {
        change.fields.push(FieldChange::plain("kind", before.id.kind.clone(), after.id.kind.clone()));
    }
    if before.id.name != after.id.name {
        change.fields.push(FieldChange::plain("metadata.name", before.id.name.clone(), after.id.name.clone()));
    }
    let secrets: BTreeSet<String> = secret_paths(before).union(&secret_paths(after)).cloned().collect();
    let mut fields = Vec::new();
    differences(&full_spec(old, before), &full_spec(new, after), &secrets, &mut fields);
    if !fields.is_empty() && old.root != new.root {
        let (before, after) = (seen_from(old.root, before), seen_from(new.root, after));
        let mut relative = Vec::new();
        differences(&full_spec(old, &before), &full_spec(new, &after), &secrets, &mut relative);
        let moved: BTreeSet<&str> = relative.iter().map(|field| field.path.as_str()).collect();
        fields.retain(|field| moved.contains(field.path.as_str()));
    }
    change.fields.append(&mut fields);
    if !change.fields.is_empty() {
        change.action = Action::Update;
        change.writes = true;
    }
    change
}

fn secret_paths(resource: &Declared) -> BTreeSet<String> {
    resource.spec.secrets().into_iter().map(|(path, _)| path.into_owned()).collect()
}

/// What the manifest names.
fn plain_spec(resource: &Declared) -> Value {
    serde_json::to_value(&resource.spec).unwrap_or(Value::Null)
}

/// What the manifest means: with the defaults that it leaves out.
fn full_spec(side: Side<'_>, resource: &Declared) -> Value {
    let mut spec = plain_spec(resource);
    let Some(members) = spec.as_object_mut() else { return spec };
    let name = || json!(resource.id.name);
    let target = || resource.target.clone().map_or(Value::Null, Value::from);
    match &resource.spec {
        Spec::KeycloakClient(client) => {
            fill(members, [("realmRef", target()), ("clientId", name()), ("enabled", json!(true))]);
            fill(members, [("public", json!(false))]);
            if client.service_account.is_some() {
                fill_in(members, "serviceAccount", [("enabled", json!(true))]);
            }
        }
        Spec::Device(_) => {
            let device: [(&str, Value); 4] = [
                ("role", json!(crate::manifest::kinds::device::DEFAULT_ROLE)),
                ("grant", json!("clientScope")),
                ("tokenLifespan", json!(crate::manifest::kinds::device::DEFAULT_TOKEN_LIFESPAN)),
                ("scope", json!(device_scope(side, resource))),
            ];
            fill(members, [("realmRef", target()), ("clientId", name()), ("enabled", json!(true))]);
            fill(members, device);
            fill_in(members, "lifecycle", [("reprovision", json!(false))]);
        }
        Spec::Farm(_) => fill(members, [("hubRef", target()), ("displayName", name())]),
        Spec::ProvisioningKey(_) => {
            let life = json!(crate::manifest::kinds::hub::DEFAULT_KEY_LIFE);
            fill(members, [("expiresIn", life), ("renewExpired", json!(false))]);
        }
        Spec::HomeAssistantEntry(_) => {
            fill(members, [("homeAssistantRef", target()), ("domain", name()), ("title", name()), ("enabled", json!(true))]);
        }
        Spec::HomeAssistant(_) | Spec::Hub(_) | Spec::KeycloakRealm(_) => {}
    }
    let lifecycle = [
        ("deletionPolicy", json!("Delete")),
        ("preventDestroy", json!(false)),
        ("adopt", json!("never")),
        ("suspend", json!(false)),
        ("onDrift", json!("keep")),
    ];
    fill_in(members, "lifecycle", lifecycle);
    spec
}

fn device_scope(side: Side<'_>, resource: &Declared) -> String {
    let realm = side.manifests.targets.iter().find_map(|target| match &target.spec {
        Spec::KeycloakRealm(spec) if Some(&target.id.name) == resource.target.as_ref() => Some(spec),
        _ => None,
    });
    realm.and_then(|realm| realm.device_scope.clone()).unwrap_or_else(|| DEVICE_SCOPE.to_owned())
}

fn fill<const N: usize>(members: &mut Map<String, Value>, defaults: [(&str, Value); N]) {
    for (name, value) in defaults {
        members.entry(name).or_insert(value);
    }
}

fn fill_in<const N: usize>(members: &mut Map<String, Value>, name: &str, defaults: [(&str, Value); N]) {
    if let Value::Object(members) = members.entry(name).or_insert_with(|| json!({})) {
        fill(members, defaults);
    }
}

/// The resource with its paths as seen from `root`.
fn seen_from(root: &Path, resource: &Declared) -> Declared {
    let mut resource = resource.clone();
    for path in resource.spec.paths_mut() {
        *path = relative(root, path);
    }
    resource
}

/// `path` as seen from `root`, both absolute, without looking at the disk.
fn relative(root: &Path, path: &Path) -> PathBuf {
    let (root, path) = (lexical(root), lexical(path));
    let shared = root.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let up = root[shared..].iter().map(|_| Component::ParentDir.as_os_str().to_owned());
    up.chain(path[shared..].iter().cloned()).collect()
}

fn lexical(path: &Path) -> Vec<std::ffi::OsString> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(name) => parts.push(name.to_owned()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    parts
}

/// The fields in which two specs differ, in the order of their paths.
fn differences(before: &Value, after: &Value, secrets: &BTreeSet<String>, fields: &mut Vec<FieldChange>) {
    let nothing = Map::new();
    let members = |value: &'_ Value| value.as_object().cloned().unwrap_or_else(|| nothing.clone());
    let (before, after) = (members(before), members(after));
    for name in names(&before, &after) {
        let value = |side: &Map<String, Value>| side.get(name).cloned().unwrap_or(Value::Null);
        walk(name.clone(), &value(&before), &value(&after), secrets, fields);
    }
}

fn names<'a>(before: &'a Map<String, Value>, after: &'a Map<String, Value>) -> BTreeSet<&'a String> {
    before.keys().chain(after.keys()).collect()
}

fn walk(path: String, before: &Value, after: &Value, secrets: &BTreeSet<String>, fields: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    if secrets.contains(&path) {
        let reason = if before.is_null() { Reason::Absent } else { Reason::Changed };
        fields.push(FieldChange::secret(path, reason));
        return;
    }
    if is_whole(&path) {
        fields.push(FieldChange::plain(path, before.clone(), after.clone()));
        return;
    }
    match (before, after) {
        (Value::Object(_) | Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
            let nothing = Map::new();
            let (a, b) = (before.as_object().unwrap_or(&nothing), after.as_object().unwrap_or(&nothing));
            if a.is_empty() && b.is_empty() {
                return;
            }
            for name in names(a, b) {
                let value = |side: &Map<String, Value>| side.get(name).cloned().unwrap_or(Value::Null);
                walk(key_path(&path, name), &value(a), &value(b), secrets, fields);
            }
        }
        _ if is_named(before) && is_named(after) => walk_named(&path, before, after, secrets, fields),
        _ => {
            let (before, after) = (as_set(before), as_set(after));
            if before != after {
                fields.push(FieldChange::plain(path, before, after));
            }
        }
    }
}

/// Fields that are one thing: where a secret goes.
fn is_whole(path: &str) -> bool {
    matches!(path, "secretTo" | "deliverTo")
}

/// Whether a list holds objects with names (or is absent, beside one that does).
fn is_named(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(|item| item.get("name").is_some_and(Value::is_string)),
        _ => false,
    }
}

fn walk_named(path: &str, before: &Value, after: &Value, secrets: &BTreeSet<String>, fields: &mut Vec<FieldChange>) {
    let by_name = |value: &Value| -> BTreeMap<String, Value> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(|item| Some((item.get("name")?.as_str()?.to_owned(), without_name(item)))).collect()
    };
    let (a, b) = (by_name(before), by_name(after));
    if a.is_empty() && b.is_empty() {
        // A list that is named owns the whole set, also where it is empty.
        fields.push(FieldChange::plain(path, before.clone(), after.clone()));
        return;
    }
    for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
        let path = name_path(path, name);
        match (a.get(name), b.get(name)) {
            (Some(before), Some(after)) => walk(path, before, after, secrets, fields),
            (before, after) => {
                let value = |item: Option<&Value>| item.cloned().unwrap_or(Value::Null);
                fields.push(FieldChange::plain(path, value(before), value(after)));
            }
        }
    }
}

fn without_name(item: &Value) -> Value {
    let mut item = item.clone();
    if let Some(members) = item.as_object_mut() {
        members.remove("name");
    }
    item
}

/// A list of texts as a set: sorted, each once. Anything else as it is.
fn as_set(value: &Value) -> Value {
    let Some(items) = value.as_array() else { return value.clone() };
    let texts: Option<BTreeSet<&str>> = items.iter().map(Value::as_str).collect();
    texts.map_or_else(|| value.clone(), |texts| Value::from(texts.into_iter().collect::<Vec<_>>()))
}
