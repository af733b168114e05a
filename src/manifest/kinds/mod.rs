//! The kinds that manifests declare: the Rust types that give serde, the JSON Schemas and the CRDs.
//!
//! To add a kind: its spec in a file of its own, and its line in [`Spec`]; the compiler shows the rest.

pub mod common;
pub mod device;
pub mod home_assistant;
pub mod hub;
pub mod keycloak;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::path::key_path;
use crate::secret::reference::{Delivery, SecretRef, SinkRef};
use common::Lifecycle;
use device::DeviceSpec;
use home_assistant::{HomeAssistantEntrySpec, HomeAssistantSpec};
use hub::{FarmSpec, HubSpec, ProvisioningKeySpec};
use keycloak::{KeycloakClientSpec, KeycloakRealmSpec};

/// The `apiVersion` of every document.
pub const API_VERSION: &str = "provisor.dev/v1alpha1";

/// What a document declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A Home Assistant to reach.
    HomeAssistant,
    /// A hub to reach.
    Hub,
    /// A Keycloak realm to reach.
    KeycloakRealm,
    /// A config entry of a Home Assistant.
    HomeAssistantEntry,
    /// A client of a realm.
    KeycloakClient,
    /// A device of a realm's fleet.
    Device,
    /// A farmer's farm.
    Farm,
    /// A one-time key for a farm.
    ProvisioningKey,
}

impl Kind {
    /// Every kind, targets first.
    pub const ALL: [Self; 8] = [
        Self::HomeAssistant,
        Self::Hub,
        Self::KeycloakRealm,
        Self::HomeAssistantEntry,
        Self::KeycloakClient,
        Self::Device,
        Self::Farm,
        Self::ProvisioningKey,
    ];

    /// The kind's name as in a manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HomeAssistant => "HomeAssistant",
            Self::HomeAssistantEntry => "HomeAssistantEntry",
            Self::Hub => "Hub",
            Self::KeycloakRealm => "KeycloakRealm",
            Self::KeycloakClient => "KeycloakClient",
            Self::Device => "Device",
            Self::Farm => "Farm",
            Self::ProvisioningKey => "ProvisioningKey",
        }
    }

    /// The plural that Kubernetes knows the kind by, lower case.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::HomeAssistant => "homeassistants",
            Self::HomeAssistantEntry => "homeassistantentries",
            Self::Hub => "hubs",
            Self::KeycloakRealm => "keycloakrealms",
            Self::KeycloakClient => "keycloakclients",
            Self::Device => "devices",
            Self::Farm => "farms",
            Self::ProvisioningKey => "provisioningkeys",
        }
    }

    /// The kind of target that resources of this kind live in; none for a target.
    pub const fn target(self) -> Option<Self> {
        match self {
            Self::HomeAssistant | Self::Hub | Self::KeycloakRealm => None,
            Self::HomeAssistantEntry => Some(Self::HomeAssistant),
            Self::KeycloakClient | Self::Device => Some(Self::KeycloakRealm),
            Self::Farm | Self::ProvisioningKey => Some(Self::Hub),
        }
    }

    /// Whether the kind says how to reach a system, rather than what it should hold.
    pub const fn is_target(self) -> bool {
        self.target().is_none()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// No kind has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind `{0}`")]
pub struct UnknownKindError(pub String);

impl FromStr for Kind {
    type Err = UnknownKindError;

    fn from_str(text: &str) -> Result<Self, UnknownKindError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| UnknownKindError(text.to_owned()))
    }
}

/// What a document declares, with its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Spec {
    /// A Home Assistant to reach.
    HomeAssistant(Box<HomeAssistantSpec>),
    /// A config entry of a Home Assistant.
    HomeAssistantEntry(Box<HomeAssistantEntrySpec>),
    /// A hub to reach.
    Hub(Box<HubSpec>),
    /// A Keycloak realm to reach.
    KeycloakRealm(Box<KeycloakRealmSpec>),
    /// A client of a realm.
    KeycloakClient(Box<KeycloakClientSpec>),
    /// A device of a realm's fleet.
    Device(Box<DeviceSpec>),
    /// A farmer's farm.
    Farm(Box<FarmSpec>),
    /// A one-time key for a farm.
    ProvisioningKey(Box<ProvisioningKeySpec>),
}

/// A document's `metadata`. `namespace` is accepted and ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// A DNS label; with the kind it identifies the resource.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Accepted and ignored outside Kubernetes.
    #[serde(default, skip_serializing)]
    pub namespace: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Free annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Spec {
    /// The kind that the spec belongs to.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::HomeAssistant(_) => Kind::HomeAssistant,
            Self::HomeAssistantEntry(_) => Kind::HomeAssistantEntry,
            Self::Hub(_) => Kind::Hub,
            Self::KeycloakRealm(_) => Kind::KeycloakRealm,
            Self::KeycloakClient(_) => Kind::KeycloakClient,
            Self::Device(_) => Kind::Device,
            Self::Farm(_) => Kind::Farm,
            Self::ProvisioningKey(_) => Kind::ProvisioningKey,
        }
    }

    /// The part of the spec that every resource has; a target has none of its own.
    pub fn lifecycle(&self) -> Lifecycle {
        match self {
            Self::HomeAssistant(_) | Self::Hub(_) | Self::KeycloakRealm(_) => Lifecycle::default(),
            Self::HomeAssistantEntry(spec) => spec.lifecycle.clone(),
            Self::KeycloakClient(spec) => spec.lifecycle.clone(),
            Self::Device(spec) => spec.lifecycle.common(),
            Self::Farm(spec) => spec.lifecycle.clone(),
            Self::ProvisioningKey(spec) => spec.lifecycle.clone(),
        }
    }

    /// Every secret that the spec refers to, with its path below `spec`.
    pub fn secrets(&self) -> Vec<(Cow<'static, str>, &SecretRef)> {
        let named: Vec<(&'static str, Option<&SecretRef>)> = match self {
            Self::HomeAssistant(spec) => vec![("token", Some(&spec.token))],
            Self::HomeAssistantEntry(spec) => {
                let path = |name: &String| Cow::from(key_path("credentials", name));
                return spec.credentials.iter().map(|(name, secret)| (path(name), secret)).collect();
            }
            Self::Hub(spec) => vec![("token", spec.token.as_ref())],
            Self::KeycloakRealm(spec) => vec![
                ("clientSecret", spec.client_secret.as_ref()),
                ("username", spec.username.as_ref()),
                ("password", spec.password.as_ref()),
            ],
            Self::KeycloakClient(spec) => vec![("secret", spec.secret.as_ref())],
            Self::Device(spec) => vec![
                ("secret", spec.secret.as_ref()),
                ("wifi.passphrase", spec.wifi.as_ref().map(|wifi| &wifi.passphrase)),
                ("package.encryptionKey", spec.package.as_ref().and_then(|package| package.encryption_key.as_ref())),
            ],
            Self::Farm(_) | Self::ProvisioningKey(_) => Vec::new(),
        };
        named.into_iter().filter_map(|(path, secret)| Some((Cow::from(path), secret?))).collect()
    }

    /// Every sink that the spec names, with its path below `spec`; a card counts as a file.
    pub fn sinks(&self) -> Vec<(&'static str, SinkRef)> {
        match self {
            Self::KeycloakClient(spec) => spec.secret_to.iter().map(|sink| ("secretTo", sink.clone())).collect(),
            Self::Device(spec) => spec.secret_to.iter().map(|sink| ("secretTo", sink.clone())).collect(),
            Self::ProvisioningKey(spec) => {
                let sink = match &spec.deliver_to {
                    Delivery::Card(card) => SinkRef::File(card.file.clone()),
                    Delivery::File(file) => SinkRef::File(file.clone()),
                    Delivery::Age(age) => SinkRef::Age(age.clone()),
                    Delivery::SecretKeyRef(key) => SinkRef::SecretKeyRef(key.clone()),
                };
                vec![("deliverTo", sink)]
            }
            Self::HomeAssistant(_)
            | Self::HomeAssistantEntry(_)
            | Self::Hub(_)
            | Self::KeycloakRealm(_)
            | Self::Farm(_) => Vec::new(),
        }
    }

    /// Every path of the spec, to be made absolute.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = Vec::new();
        match self {
            Self::HomeAssistant(spec) => {
                paths.extend(spec.token.path_mut());
                paths.extend(spec.ca_file.as_mut());
            }
            Self::HomeAssistantEntry(spec) => {
                paths.extend(spec.credentials.values_mut().filter_map(SecretRef::path_mut));
            }
            Self::Hub(spec) => {
                paths.extend(spec.token.as_mut().and_then(SecretRef::path_mut));
                paths.extend(spec.ca_file.as_mut());
                paths.extend(spec.embedded.as_mut().map(|embedded| &mut embedded.directory));
            }
            Self::KeycloakRealm(spec) => {
                for secret in [&mut spec.client_secret, &mut spec.username, &mut spec.password] {
                    paths.extend(secret.as_mut().and_then(SecretRef::path_mut));
                }
                paths.extend(spec.ca_file.as_mut());
            }
            Self::KeycloakClient(spec) => {
                paths.extend(spec.secret.as_mut().and_then(SecretRef::path_mut));
                paths.extend(spec.secret_to.as_mut().and_then(SinkRef::path_mut));
            }
            Self::Device(spec) => {
                paths.extend(spec.secret.as_mut().and_then(SecretRef::path_mut));
                paths.extend(spec.secret_to.as_mut().and_then(SinkRef::path_mut));
                paths.extend(spec.wifi.as_mut().and_then(|wifi| wifi.passphrase.path_mut()));
                if let Some(package) = &mut spec.package {
                    paths.push(&mut package.file);
                    paths.extend(package.encryption_key.as_mut().and_then(SecretRef::path_mut));
                }
            }
            Self::Farm(_) => {}
            Self::ProvisioningKey(spec) => paths.extend(spec.deliver_to.path_mut()),
        }
        paths
    }
}
