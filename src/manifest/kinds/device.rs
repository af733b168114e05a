//! A device: one confidential client with a service account and the device role.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{DeviceLifecycle, Span, is_default, is_true, yes};
use crate::secret::reference::{SecretRef, SinkRef};

/// The role of a device that names none.
pub const DEFAULT_ROLE: &str = "device";
/// The lifetime of a device's token where none is declared.
pub const DEFAULT_TOKEN_LIFESPAN: Span = Span::from_secs(4 * 3600);

/// A device of a realm's fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceSpec {
    /// The `KeycloakRealm`; may be left out when the manifests declare exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm_ref: Option<String>,
    /// The hub that keeps the device's registry and rotates its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_ref: Option<String>,
    /// The client id; default: the resource's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub client_id: Option<String>,
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The device's MAC address, such as `a4:cf:12:00:00:01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"))]
    pub mac_address: Option<String>,
    /// Whether it can get tokens.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// The realm role in its tokens.
    #[serde(default = "default_role", skip_serializing_if = "is_default_role")]
    #[schemars(length(min = 1))]
    pub role: String,
    /// The audience of its tokens.
    #[schemars(length(min = 1))]
    pub audience: String,
    /// How it comes by the role.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grant: Grant,
    /// The shared client scope; default: the realm's `deviceScope`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub scope: Option<String>,
    /// The lifetime of its tokens, whole seconds.
    #[serde(default = "default_lifespan", skip_serializing_if = "is_default_lifespan")]
    pub token_lifespan: Span,
    /// The client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// Where the secret is written to: a generated one before Keycloak knows it, a declared one as a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_to: Option<SinkRef>,
    /// The network that the device joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wifi: Option<Wifi>,
    /// The backend that the device reports to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_url: Option<String>,
    /// The broker that the device connects to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt_url: Option<String>,
    /// The provisioning package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    /// When its secret is rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// How it is created, kept and removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifecycle: DeviceLifecycle,
}

/// How a device comes by its role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum Grant {
    /// From a client scope that all devices share: one request a device, and `manage-clients` suffices.
    #[default]
    ClientScope,
    /// Mapped to its service account, for what reads role membership.
    RoleMapping,
}

/// A wireless network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wifi {
    /// The network's name.
    #[schemars(length(min = 1, max = 32))]
    pub ssid: String,
    /// Its passphrase.
    pub passphrase: SecretRef,
}

/// A binary for a flash partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Package {
    /// The file to write.
    pub file: PathBuf,
    /// The partition's size in bytes.
    pub size: u64,
    /// The key that encrypts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<SecretRef>,
}

/// When a device's secret is rotated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// The age at which a secret is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// How long a device may take to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

fn default_role() -> String {
    DEFAULT_ROLE.to_owned()
}

fn is_default_role(role: &str) -> bool {
    role == DEFAULT_ROLE
}

fn default_lifespan() -> Span {
    DEFAULT_TOKEN_LIFESPAN
}

fn is_default_lifespan(lifespan: &Span) -> bool {
    *lifespan == DEFAULT_TOKEN_LIFESPAN
}
