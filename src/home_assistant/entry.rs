//! Config entries as the component shows them, and what it is asked to do with one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::digest::Digests;
use crate::secret::Secret;

/// The owner of entries that start-up mode keeps, from the component's YAML.
pub const STARTUP_OWNER: &str = "configuration.yaml";

/// What `nixos_integrations/list` answers. Members that are not named here may come with a newer component.
#[derive(Debug, Deserialize)]
pub struct Listing {
    /// The protocol's version.
    pub protocol: u64,
    /// The component's version.
    pub version: String,
    /// Home Assistant's version.
    pub homeassistant: String,
    /// The key of the digests, in hex.
    pub key: Secret,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// A config entry; no value in it is a secret.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Entry {
    /// Home Assistant's id.
    pub entry_id: String,
    /// The integration.
    pub domain: String,
    /// The title.
    pub title: String,
    /// What identifies the account or device to the integration.
    pub unique_id: Option<Value>,
    /// How it came to be, such as `user` or `import`.
    pub source: String,
    /// Who disabled it; none where it is enabled.
    pub disabled_by: Option<String>,
    /// Its state, such as `loaded`.
    pub state: String,
    /// Why it is in that state, with every secret replaced.
    pub reason: Option<String>,
    /// Whether it waits for somebody to sign in again.
    pub reauth: bool,
    /// When it was changed last.
    pub modified_at: String,
    /// Its options.
    pub options: Map<String, Value>,
    /// The fields of its data that were asked for by value, by path.
    pub data: Map<String, Value>,
    /// Digests of all other fields, by path.
    pub digests: Digests,
    /// Whether the integration allows one entry only.
    pub single: bool,
    /// The integration's version and minor version; none where it cannot be loaded.
    pub handler: Option<(u64, u64)>,
    /// Whose it is.
    pub owned: Option<Owned>,
}

/// The component's record of an entry that somebody manages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Owned {
    /// Who manages it.
    pub owner: String,
    /// The name that they know it by.
    pub name: String,
    /// What holds when its declaration is gone; ours to read.
    #[serde(default)]
    pub lifecycle: Value,
    /// Digests of the credentials last applied, by path.
    #[serde(default)]
    pub base: Digests,
}

/// What one entry should be. As JSON it holds secrets, and is for the component only.
#[derive(Debug, Serialize)]
pub struct Upsert<'a> {
    /// Who manages it.
    pub owner: &'a str,
    /// The name that they know it by.
    pub name: &'a str,
    /// The integration.
    pub domain: &'a str,
    /// The entry that is meant, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_id: Option<&'a str>,
    /// Take it over where it is nobody's.
    pub adopt: bool,
    /// When it was changed last, as far as the caller knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<&'a str>,
    /// Its title, where it is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// Its unique id, where it is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<&'a str>,
    /// Whether it is set up.
    pub enabled: bool,
    /// Plain fields by path.
    pub data: &'a BTreeMap<String, Value>,
    /// Options by name.
    pub options: &'a BTreeMap<String, Value>,
    /// Secret fields by path.
    #[serde(serialize_with = "exposed")]
    pub credentials: &'a BTreeMap<String, Secret>,
    /// Write a credential again that its holder rotated.
    pub restore: bool,
    /// What holds when its declaration is gone.
    pub lifecycle: Value,
}

fn exposed<S: Serializer>(secrets: &BTreeMap<String, Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(secrets.iter().map(|(path, secret)| (path, secret.expose())))
}

/// What came of an [`Upsert`].
#[derive(Debug, Deserialize)]
pub struct Upserted {
    /// The entry as it is now.
    pub entry: Entry,
    /// `created`, `updated`, `adopted` or `unchanged`.
    pub action: String,
    /// What was changed.
    pub changed: Vec<String>,
}

/// What [`super::Api::remove`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Removal {
    /// Removes the entry.
    Delete,
    /// Disables it and keeps the record.
    Disable,
    /// Drops the record and leaves the entry.
    Forget,
}
