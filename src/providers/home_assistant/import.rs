//! Writing manifests of the entries that a Home Assistant has. Credentials stay where they are: they are mentioned in
//! comments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::HomeAssistantProvider;
use crate::diagnostic::Problem;
use crate::home_assistant::entry::Entry;
use crate::home_assistant::field;
use crate::manifest::kinds::{API_VERSION, Kind};
use crate::providers::Imported;

/// How entries come to be that nobody set up by hand.
const OF_THE_SYSTEM: [&str; 3] = ["system", "onboarding", "hardware"];

impl HomeAssistantProvider {
    /// Manifests of the config entries; `all`: what the system itself made, too.
    ///
    /// # Errors
    /// Home Assistant cannot be read, or the component is missing.
    pub async fn import_entries(&self, target: &str, all: bool) -> Result<Vec<Imported>, Problem> {
        let none = BTreeMap::new();
        let names = self.api.list(&none, false).await.map_err(|error| error.to_problem())?;
        let mut plain: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for entry in &names.entries {
            let paths = entry.digests.keys().filter(|path| !field::is_credential(&entry.domain, path)).cloned();
            plain.entry(entry.domain.clone()).or_default().extend(paths);
        }
        let plain = plain.into_iter().map(|(domain, paths)| (domain, paths.into_iter().collect())).collect();
        let listing = self.api.list(&plain, false).await.map_err(|error| error.to_problem())?;
        let mut taken = BTreeSet::new();
        let is_wanted = |entry: &&Entry| all || !OF_THE_SYSTEM.contains(&entry.source.as_str());
        Ok(listing.entries.iter().filter(is_wanted).map(|entry| self.manifest(entry, target, &mut taken)).collect())
    }

    fn manifest(&self, entry: &Entry, target: &str, taken: &mut BTreeSet<String>) -> Imported {
        let ours = entry.owned.as_ref().filter(|owned| owned.owner == self.owner);
        let name = ours.map_or_else(|| label(entry, taken), |owned| owned.name.clone());
        taken.insert(name.clone());
        let mut spec = Map::new();
        spec.insert("homeAssistantRef".to_owned(), json!(target));
        spec.insert("domain".to_owned(), json!(entry.domain));
        spec.insert("title".to_owned(), json!(entry.title));
        if let Some(id) = entry.unique_id.as_ref().and_then(Value::as_str) {
            spec.insert("uniqueId".to_owned(), json!(id));
        }
        if entry.disabled_by.is_some() {
            spec.insert("enabled".to_owned(), json!(false));
        }
        if !entry.data.is_empty() {
            spec.insert("data".to_owned(), json!(nested(&entry.data)));
        }
        if !entry.options.is_empty() {
            spec.insert("options".to_owned(), json!(entry.options));
        }
        spec.insert("lifecycle".to_owned(), json!({"adopt": "ifIdentical"}));
        let mut comments = Vec::new();
        if !entry.digests.is_empty() {
            comments.push("credentials, to be declared by reference:".to_owned());
            comments.push("  credentials:".to_owned());
            comments.extend(entry.digests.keys().map(|path| format!("    {path}: {{credential: {name}.{path}}}")));
        }
        if let Some(owned) = entry.owned.as_ref().filter(|_| ours.is_none()) {
            comments.push(format!("managed by owner `{}` as `{}`", owned.owner, owned.name));
        }
        let kind = Kind::HomeAssistantEntry.name();
        let document = json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec});
        Imported { document, comments }
    }
}

/// Fields by path as nested maps.
fn nested(data: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (path, value) in data {
        put(&mut out, path, value);
    }
    out
}

fn put(into: &mut Map<String, Value>, path: &str, value: &Value) {
    let inner = path.split_once('.').and_then(|(first, rest)| {
        let member = into.entry(first.to_owned()).or_insert_with(|| json!({}));
        Some((member.as_object_mut()?, rest))
    });
    match inner {
        Some((members, rest)) => put(members, rest, value),
        None => drop(into.insert(path.to_owned(), value.clone())),
    }
}

/// A DNS label for an entry: its domain, and its title where that alone is taken.
fn label(entry: &Entry, taken: &BTreeSet<String>) -> String {
    let plain = |text: &str| {
        let mut out = String::new();
        for c in text.to_lowercase().chars() {
            if c.is_ascii_alphanumeric() {
                out.push(c);
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
        }
        out.truncate(50);
        out.trim_end_matches('-').to_owned()
    };
    let domain = plain(&entry.domain);
    let titled = format!("{domain}-{}", plain(&entry.title)).trim_end_matches('-').to_owned();
    let numbered = (2..).map(|number| format!("{titled}-{number}"));
    let mut names = [domain.clone(), titled.clone()].into_iter().chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or(domain)
}
