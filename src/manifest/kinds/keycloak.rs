//! The kinds of Keycloak: the realm as a target, and its clients.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common::{Lifecycle, is_default, is_true, yes};
use crate::secret::reference::{SecretRef, SinkRef};

/// How to reach a Keycloak realm, and whom to sign in as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeycloakRealmSpec {
    /// The server's base address, such as `https://keycloak.example.org`.
    #[schemars(regex(pattern = "^https?://.+"))]
    pub url: String,
    /// The realm that is managed.
    #[schemars(length(min = 1))]
    pub realm: String,
    /// The client to sign in as: with `clientSecret` its service account (recommended), with `username` the client of
    /// the password grant (default `admin-cli`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The secret of `clientId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretRef>,
    /// A user to sign in as, instead of a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<SecretRef>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// The realm to sign in to; default: `realm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_realm: Option<String>,
    /// The client scope that the realm's devices share; default `iot-device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    /// A PEM file of certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Allow `http://` beyond loopback.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allow_insecure: bool,
}

/// A client of a realm: confidential or public.
///
/// A client made without saying so is not public, has no password grant, no implicit flow, no full scope, and the
/// standard flow only with redirect URIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeycloakClientSpec {
    /// The `KeycloakRealm`; may be left out when the manifests declare exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm_ref: Option<String>,
    /// The client id; default: the resource's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub client_id: Option<String>,
    /// The name that people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it can get tokens.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// A public client has no secret.
    #[serde(default, skip_serializing_if = "is_default")]
    pub public: bool,
    /// The client secret; without it and without `secretTo`, Keycloak's generated one stays there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
    /// Where a further browser may be sent to after signing in; the whole set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<Vec<String>>,
    /// Allowed CORS origins; the whole set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_origins: Option<Vec<String>>,
    /// The client's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccount>,
    /// Client scopes that every token carries; the whole set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_scopes: Option<Vec<String>>,
    /// Client scopes that a request may ask for; the whole set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional_scopes: Option<Vec<String>>,
    /// Protocol mappers in Keycloak's own words; the whole set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_mappers: Option<Vec<ProtocolMapper>>,
    /// Attributes, owned key by key; an empty text removes one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Where the secret is written to: a generated one before Keycloak knows it, a declared one as a copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_to: Option<SinkRef>,
    /// Any further field of Keycloak's client representation, passed through and compared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Value>,
    /// How it is created, kept and removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifecycle: Lifecycle,
}

/// A client's service account and its roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Whether the client has a service account.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// Its realm roles; the whole set, the realm's default role aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm_roles: Option<Vec<String>>,
    /// Its client roles by client id; the whole set for each client id that is named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub client_roles: BTreeMap<String, Vec<String>>,
}

/// A protocol mapper in Keycloak's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtocolMapper {
    /// Unique in the client.
    pub name: String,
    /// The provider, such as `oidc-audience-mapper`.
    pub protocol_mapper: String,
    /// Its configuration; every value is text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}
