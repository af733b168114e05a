//! The kinds of the hub: the hub as a target, farms, and the one-time keys that provision them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::{Lifecycle, Span, is_default};
use crate::secret::reference::{Delivery, SecretRef};

/// The life of a key where none is declared.
pub const DEFAULT_KEY_LIFE: Span = Span::from_secs(24 * 3600);

/// How to reach a hub: over HTTPS, or its store embedded in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HubSpec {
    /// The hub's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^https?://.+"))]
    pub url: Option<String>,
    /// An API token of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Allow `http://` beyond loopback.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_insecure: bool,
    /// The hub's store opened in-process; no server is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<Embedded>,
}

/// A hub's store in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Embedded {
    /// The store's folder; `apply` makes it where it is missing.
    pub directory: PathBuf,
    /// The address that farms will reach the hub at, for the QR code on cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^https?://.+"))]
    pub public_url: Option<String>,
}

/// A farmer's farm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FarmSpec {
    /// The `Hub`; may be left out when the manifests declare exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_ref: Option<String>,
    /// The farm's id; the hub makes one where none is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"))]
    pub farm_id: Option<Uuid>,
    /// Whose farm it is.
    pub farmer: Farmer,
    /// The name that people see; default: the resource's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub display_name: Option<String>,
    /// The certificates that the farm gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// How it is created, kept and removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifecycle: Lifecycle,
}

/// Whose farm it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Farmer {
    /// The farmer's name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// How to reach the farmer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// The certificates that a farm gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// How long one lives; the hub's default is 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Span>,
}

/// A one-time key that buys a farm its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvisioningKeySpec {
    /// The `Farm` that the key is for.
    pub farm_ref: String,
    /// How long the key is good for, from its issue.
    #[serde(default = "default_key_life", skip_serializing_if = "is_default_key_life")]
    pub expires_in: Span,
    /// What the key is for; kept with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Replace the key when it has expired unused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renew_expired: bool,
    /// Any text; changing it asks for a new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reissue: Option<String>,
    /// Where the key goes.
    pub deliver_to: Delivery,
    /// How it is created, kept and removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifecycle: Lifecycle,
}

fn default_key_life() -> Span {
    DEFAULT_KEY_LIFE
}

fn is_default_key_life(life: &Span) -> bool {
    *life == DEFAULT_KEY_LIFE
}
