//! What a `KeycloakClient` or a `Device` wants of a client of the realm, in Keycloak's terms.

use serde_json::{Map, Value, json};

use crate::diagnostic::{Problem, Warning};
use crate::manifest::kinds::common::OnDrift;
use crate::manifest::kinds::device::{DeviceSpec, Grant};
use crate::manifest::kinds::keycloak::{KeycloakClientSpec, ProtocolMapper};
use crate::path::{key_path, name_path};
use crate::reconcile::provider::set;
use crate::secret::Secret;
use crate::secret::reference::{SecretRef, SinkRef};

/// Below so many characters a digest in the target could be guessed from.
const SHORT_SECRET: usize = 20;
/// The client attribute that holds a token's lifetime in seconds.
pub(super) const LIFESPAN: &str = "access.token.lifespan";

/// One client as it is wanted.
#[derive(Debug)]
pub struct ClientWant {
    pub(super) client_id: String,
    pub(super) public: bool,
    /// The declared fields, in the order in which a plan lists them.
    pub(super) fields: Vec<Field>,
    /// What a client that is made now gets besides, because Keycloak's own defaults are unsafe.
    pub(super) defaults: Map<String, Value>,
    pub(super) secret: SecretWant,
    pub(super) on_drift: OnDrift,
    pub(super) secret_to: Option<SinkRef>,
    /// The device side; none for a plain client.
    pub(super) device: Option<DeviceWant>,
}

/// What a device wants of the scope that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DeviceWant {
    pub(super) scope: String,
    pub(super) role: String,
    pub(super) audience: String,
    pub(super) grant: Grant,
    pub(super) reprovision: bool,
}

/// What is known of the secret.
#[derive(Debug)]
pub(crate) enum SecretWant {
    /// Keycloak's own, unowned.
    Unowned,
    /// Made by provisor when the client is made, and handed to `secretTo`.
    Generated,
    /// Declared, and at hand.
    Declared(Secret),
    /// Declared, and not resolved in this run.
    Unresolved,
}

/// One declared field.
#[derive(Debug)]
pub(super) struct Field {
    /// As in the manifest, below `spec`.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Where a field is in Keycloak's representation, and so how it is compared and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A member, compared as it is; an object by the keys that are named.
    Member(String),
    /// A member that is a set of texts, written whole.
    Set(&'static str),
    /// An attribute; an empty text removes it.
    Attribute(String),
    /// The attribute of a token's lifetime, shown as a duration.
    Lifespan,
    /// Default or optional client scopes, written scope by scope.
    Scopes { default: bool },
    /// The protocol mappers, written whole.
    Mappers,
    /// The scope of a device, to be among the default scopes.
    DeviceScope,
    /// Realm roles of the service account.
    RealmRoles,
    /// Roles of the named client, of the service account.
    ClientRoles(String),
}

impl ClientWant {
    /// What `spec` wants; `secret` is its resolved secret.
    pub(crate) fn client(name: &str, spec: &KeycloakClientSpec, secret: SecretWant) -> Self {
        let member = |path: &str, member: &str, value: Value| Field::new(path, Place::Member(member.to_owned()), value);
        let mut fields = Vec::new();
        fields.extend(spec.display_name.as_ref().map(|text| member("displayName", "name", json!(text))));
        fields.extend(spec.description.as_ref().map(|text| member("description", "description", json!(text))));
        fields.push(member("enabled", "enabled", json!(spec.enabled)));
        fields.push(member("public", "publicClient", json!(spec.public)));
        let texts = |items: &Vec<String>| set(items.iter().map(String::as_str));
        let of_set = |path: &str, place: Place, items: &Option<Vec<String>>| {
            items.as_ref().map(|items| Field::new(path, place, texts(items)))
        };
        fields.extend(of_set("redirectUris", Place::Set("redirectUris"), &spec.redirect_uris));
        fields.extend(of_set("webOrigins", Place::Set("webOrigins"), &spec.web_origins));
        if let Some(account) = &spec.service_account {
            fields.push(member("serviceAccount.enabled", "serviceAccountsEnabled", json!(account.enabled)));
            fields.extend(of_set("serviceAccount.realmRoles", Place::RealmRoles, &account.realm_roles));
            for (client, roles) in &account.client_roles {
                let path = key_path("serviceAccount.clientRoles", client);
                fields.push(Field::new(path, Place::ClientRoles(client.clone()), texts(roles)));
            }
        }
        fields.extend(of_set("defaultScopes", Place::Scopes { default: true }, &spec.default_scopes));
        fields.extend(of_set("optionalScopes", Place::Scopes { default: false }, &spec.optional_scopes));
        if let Some(mappers) = &spec.protocol_mappers {
            let mappers = mappers.iter().map(mapper_value).collect::<Vec<_>>();
            fields.push(Field::new("protocolMappers", Place::Mappers, Value::from(mappers)));
        }
        for (key, value) in &spec.attributes {
            fields.push(Field::new(key_path("attributes", key), Place::Attribute(key.clone()), json!(value)));
        }
        for (key, value) in &spec.settings {
            fields.push(Field::new(key_path("settings", key), Place::Member(key.clone()), value.clone()));
        }
        let service_account = spec.service_account.as_ref().is_some_and(|account| account.enabled);
        let standard_flow = spec.redirect_uris.as_ref().is_some_and(|uris| !uris.is_empty());
        Self {
            client_id: spec.client_id.clone().unwrap_or_else(|| name.to_owned()),
            public: spec.public,
            fields,
            defaults: safe_defaults(standard_flow, service_account),
            secret,
            on_drift: spec.lifecycle.on_drift,
            secret_to: spec.secret_to.clone(),
            device: None,
        }
    }

    /// What a device wants; `device_scope` is the realm's.
    pub(crate) fn device(name: &str, spec: &DeviceSpec, device_scope: &str, secret: SecretWant) -> Self {
        let member = |path: &str, member: &str, value: Value| Field::new(path, Place::Member(member.to_owned()), value);
        let scope = spec.scope.clone().unwrap_or_else(|| device_scope.to_owned());
        let mut fields = Vec::new();
        fields.extend(spec.display_name.as_ref().map(|text| member("displayName", "name", json!(text))));
        fields.push(member("enabled", "enabled", json!(spec.enabled)));
        fields.push(member("public", "publicClient", json!(false)));
        fields.push(member("serviceAccount.enabled", "serviceAccountsEnabled", json!(true)));
        fields.push(Field::new("scope", Place::DeviceScope, json!(scope)));
        fields.push(Field::new("tokenLifespan", Place::Lifespan, json!(spec.token_lifespan.to_string())));
        let mut defaults = safe_defaults(false, true);
        defaults.insert("defaultClientScopes".to_owned(), json!([scope, "roles", "basic"]));
        defaults.insert("optionalClientScopes".to_owned(), json!([]));
        Self {
            client_id: spec.client_id.clone().unwrap_or_else(|| name.to_owned()),
            public: false,
            fields,
            defaults,
            secret,
            on_drift: spec.lifecycle.on_drift,
            secret_to: spec.secret_to.clone(),
            device: Some(DeviceWant {
                scope,
                role: spec.role.clone(),
                audience: spec.audience.clone(),
                grant: spec.grant,
                reprovision: spec.lifecycle.reprovision,
            }),
        }
    }

    /// The same, without looking at its sink.
    pub(crate) fn without_sink(mut self) -> Self {
        self.secret_to = None;
        self
    }

    /// Whether the client is to be able to get tokens.
    pub(super) fn is_enabled(&self) -> bool {
        self.fields.iter().any(|field| field.path == "enabled" && field.value == json!(true))
    }

    /// Whether the roles of the service account must be read for this want.
    pub(super) fn reads_roles(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.place, Place::RealmRoles | Place::ClientRoles(_)))
    }
}

impl Field {
    fn new(path: impl Into<String>, place: Place, value: Value) -> Self {
        Self { path: path.into(), place, value }
    }
}

impl SecretWant {
    /// What a spec with these references wants; `resolve` is none where secrets are not to be resolved.
    pub(super) fn of(
        secret: Option<&SecretRef>,
        secret_to: Option<&SinkRef>,
        resolve: Option<impl Fn(&SecretRef) -> Result<Secret, Problem>>,
    ) -> Result<Self, Problem> {
        match (secret, resolve) {
            (Some(reference), Some(resolve)) => resolve(reference).map(Self::Declared),
            (Some(_), None) => Ok(Self::Unresolved),
            (None, _) if secret_to.is_some() => Ok(Self::Generated),
            (None, _) => Ok(Self::Unowned),
        }
    }

    /// A warning where the secret is short enough to be guessed from its digest.
    pub(super) fn warning(&self) -> Option<Warning> {
        match self {
            Self::Declared(secret) if secret.expose().chars().count() < SHORT_SECRET => Some(Warning::new(
                "provisor::secret::short",
                format!(
                    "the declared secret has fewer than {SHORT_SECRET} characters: who can read the client's \
                     attributes could guess it from its digest"
                ),
            )),
            _ => None,
        }
    }
}

/// What a client is made with unless the manifest says otherwise: Keycloak's own defaults are a public client with
/// password grant and full scope.
fn safe_defaults(standard_flow: bool, service_account: bool) -> Map<String, Value> {
    let Value::Object(defaults) = json!({
        "protocol": "openid-connect",
        "publicClient": false,
        "standardFlowEnabled": standard_flow,
        "implicitFlowEnabled": false,
        "directAccessGrantsEnabled": false,
        "serviceAccountsEnabled": service_account,
        "fullScopeAllowed": false,
    }) else {
        return Map::new();
    };
    defaults
}

/// A mapper in Keycloak's representation.
fn mapper_value(mapper: &ProtocolMapper) -> Value {
    json!({
        "name": mapper.name,
        "protocol": "openid-connect",
        "protocolMapper": mapper.protocol_mapper,
        "config": mapper.config,
    })
}

/// The path of a mapper in a plan.
pub(super) fn mapper_path(name: &str) -> String {
    name_path("protocolMappers", name)
}
