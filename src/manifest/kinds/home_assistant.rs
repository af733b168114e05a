//! The kinds of Home Assistant: the installation as a target, and its config entries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common::{Lifecycle, is_default, is_true, yes};
use crate::secret::reference::SecretRef;

/// How to reach a Home Assistant, and an administrator's token for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HomeAssistantSpec {
    /// The base address, such as `http://127.0.0.1:8123`.
    #[schemars(regex(pattern = "^https?://.+"))]
    pub url: String,
    /// An access token of an administrator; a file is read anew for each connection, so that the component may renew it.
    pub token: SecretRef,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Say nothing about `http://` beyond loopback.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_insecure: bool,
}

/// One config entry of an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HomeAssistantEntrySpec {
    /// The `HomeAssistant`; may be left out when the manifests declare exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_assistant_ref: Option<String>,
    /// The integration, such as `tado`; default: the resource's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[a-z0-9_]+$"))]
    pub domain: Option<String>,
    /// The title that people see; default for a new entry: the resource's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub title: Option<String>,
    /// Whether the entry is set up.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// What identifies the account or device to the integration, in the integration's own form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub unique_id: Option<String>,
    /// Plain data by stored name, owned key by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
    /// Options by stored name, owned key by key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Value>,
    /// Secret data by name: the stored one, or the same in camelCase; a nested one dotted (`token.refresh_token`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, SecretRef>,
    /// Stored names of credentials that the convention does not fit, by the name under `credentials`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub field_names: BTreeMap<String, String>,
    /// How it is created, kept and removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifecycle: Lifecycle,
}

impl HomeAssistantEntrySpec {
    /// The integration; `name` is the resource's.
    pub fn domain<'a>(&'a self, name: &'a str) -> &'a str {
        self.domain.as_deref().unwrap_or(name)
    }

    /// The stored name of a field that is `declared` under `credentials`; `name` is the resource's.
    pub fn stored_name(&self, _name: &str, declared: &str) -> String {
        self.field_names.get(declared).cloned().unwrap_or_else(|| snake_case(declared))
    }
}

/// `refreshToken` as Home Assistant writes it: `refresh_token`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() && !out.ends_with(['_', '.']) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
