//! Writing manifests of the clients that a realm has, so that a running system can be taken under management.
//!
//! What is written plans to adoptions without a field, and after one apply to nothing. Secrets stay where they are:
//! they are in no manifest, only mentioned in a comment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::compare::{is_automatic, is_default_role};
use super::have::{self, ClientHave};
use crate::providers::Imported;
use super::{BUILT_IN, RealmProvider};
use crate::diagnostic::Problem;
use crate::manifest::kinds::common::{Adopt, Lifecycle};
use crate::manifest::kinds::keycloak::{KeycloakClientSpec, ProtocolMapper, ServiceAccount};
use crate::manifest::kinds::{API_VERSION, Kind};
use crate::reconcile::provider::Seen;

/// What Keycloak lets nobody change: the clients that hold the rights to administer realms.
fn is_untouchable(have: &ClientHave) -> bool {
    have.client_id == "realm-management" || have.attribute("realm_client") == Some("true")
}

/// Members that have a field of their own, or that belong to the server.
const NOT_SETTINGS: [&str; 19] = [
    "id",
    "clientId",
    "name",
    "description",
    "enabled",
    "publicClient",
    "secret",
    "redirectUris",
    "webOrigins",
    "serviceAccountsEnabled",
    "defaultClientScopes",
    "optionalClientScopes",
    "protocolMappers",
    "attributes",
    "access",
    "registrationAccessToken",
    "registeredNodes",
    "authorizationSettings",
    "origin",
];

impl RealmProvider {
    /// Manifests of the realm's clients, in the order of their ids; `all`: what the system itself made, too.
    ///
    /// # Errors
    /// The realm cannot be read.
    pub async fn import_clients(&self, target: &str, all: bool) -> Result<Vec<Imported>, Problem> {
        let clients = self.list_all().await?;
        let mut names = BTreeSet::new();
        let mut imported = Vec::new();
        for client in clients {
            let mut seen = have::seen(client);
            if is_untouchable(&seen.have) || (!all && BUILT_IN.contains(&seen.key.as_str())) {
                continue;
            }
            if let Some(mark) = seen
                .mark
                .as_ref()
                .filter(|mark| mark.owner != self.owner || mark.resource.kind != Kind::KeycloakClient.name())
            {
                tracing::info!("left out `{}`, which is managed as `{}`", seen.key, mark.resource);
                continue;
            }
            if seen.have.member("serviceAccountsEnabled") == &json!(true) {
                let account = self.api.service_account_user(&seen.have.id).await;
                if let Some(account) = account.map_err(|error| error.to_problem())? {
                    let roles = self.api.role_mappings(&account).await.map_err(|error| error.to_problem())?;
                    seen.have.roles = Some(roles);
                }
            }
            imported.push(manifest(&seen, target, &mut names));
        }
        Ok(imported)
    }
}

fn manifest(seen: &Seen<ClientHave>, target: &str, names: &mut BTreeSet<String>) -> Imported {
    let have = &seen.have;
    let name = match &seen.mark {
        Some(mark) => mark.resource.name.clone(),
        None => free_name(&have.client_id, names),
    };
    names.insert(name.clone());
    let text = |member: &str| have.member(member).as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let texts = |member: &str| have.texts(member).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let unless_empty = |items: Vec<String>| (!items.is_empty()).then_some(items);
    let public = have.member("publicClient") == &json!(true);
    let scopes = |member: &str| texts(member).into_iter().filter(|scope| !is_automatic(scope)).collect::<Vec<_>>();
    let spec = KeycloakClientSpec {
        realm_ref: Some(target.to_owned()),
        client_id: (have.client_id != name).then(|| have.client_id.clone()),
        display_name: text("name"),
        description: text("description"),
        enabled: have.member("enabled") != &json!(false),
        public,
        secret: None,
        redirect_uris: unless_empty(texts("redirectUris")),
        web_origins: unless_empty(texts("webOrigins")),
        service_account: service_account(have),
        default_scopes: Some(scopes("defaultClientScopes")),
        optional_scopes: Some(scopes("optionalClientScopes")),
        protocol_mappers: mappers(have),
        attributes: attributes(have),
        secret_to: None,
        settings: settings(have),
        lifecycle: seen.mark.as_ref().map_or_else(
            || Lifecycle { adopt: Adopt::IfIdentical, ..Lifecycle::default() },
            |mark| Lifecycle {
                adopt: Adopt::IfIdentical,
                deletion_policy: mark.applied.deletion_policy,
                prevent_destroy: mark.applied.prevent_destroy,
                ..Lifecycle::default()
            },
        ),
    };
    let comments = if public || have.member("bearerOnly") == &json!(true) {
        Vec::new()
    } else {
        vec![
            "the client's secret stays as it is, in Keycloak; to declare it, put it into a credential and write"
                .to_owned(),
            format!("secret: {{credential: {name}.secret}}"),
        ]
    };
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": Kind::KeycloakClient.name(),
        "metadata": {"name": name},
        "spec": spec,
    });
    Imported { document, comments }
}

/// A DNS label made from a client id, told apart by a number where two would be the same.
fn free_name(client_id: &str, names: &BTreeSet<String>) -> String {
    let plain: String =
        client_id.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut base = plain.trim_matches('-').to_owned();
    base.truncate(59);
    let base = base.trim_end_matches('-');
    let base = if base.is_empty() { "client" } else { base };
    let mut name = base.to_owned();
    let mut number = 2;
    while names.contains(&name) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}

fn service_account(have: &ClientHave) -> Option<ServiceAccount> {
    if have.member("serviceAccountsEnabled") != &json!(true) {
        return None;
    }
    let roles = have.roles.as_ref();
    let realm: Vec<String> = roles
        .into_iter()
        .flat_map(|roles| &roles.realm)
        .map(|role| role.name.clone())
        .filter(|name| !is_default_role(name))
        .collect();
    let clients: BTreeMap<String, Vec<String>> = roles
        .into_iter()
        .flat_map(|roles| &roles.clients)
        .map(|(client, (_, roles))| (client.clone(), roles.iter().map(|role| role.name.clone()).collect()))
        .collect();
    Some(ServiceAccount { enabled: true, realm_roles: (!realm.is_empty()).then_some(realm), client_roles: clients })
}

fn mappers(have: &ClientHave) -> Option<Vec<ProtocolMapper>> {
    let mapper = |mapper: &Value| {
        let config = mapper.get("config").and_then(Value::as_object).into_iter().flatten();
        Some(ProtocolMapper {
            name: mapper.get("name")?.as_str()?.to_owned(),
            protocol_mapper: mapper.get("protocolMapper")?.as_str()?.to_owned(),
            config: config.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        })
    };
    let mappers: Vec<ProtocolMapper> =
        have.member("protocolMappers").as_array().into_iter().flatten().filter_map(mapper).collect();
    (!mappers.is_empty()).then_some(mappers)
}

/// The client's attributes, without the server's own, ours, and those that hold keys.
fn attributes(have: &ClientHave) -> BTreeMap<String, String> {
    let is_kept = |key: &str| {
        key != "realm_client"
            && !key.starts_with("client.secret.")
            && !key.starts_with("provisor.")
            && !key.contains("private.key")
    };
    let attributes = have.member("attributes").as_object().into_iter().flatten();
    attributes
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .filter(|(key, value)| is_kept(key) && !value.is_empty())
        .collect()
}

/// What a client has beside the fields of its own, where it is not what a new client would get anyway.
fn settings(have: &ClientHave) -> BTreeMap<String, Value> {
    let usual = usual(have);
    let is_usual = |name: &str, value: &Value| match usual.get(name) {
        Some(usual) => usual == value,
        None => {
            value.is_null()
                || value == &json!(false)
                || value == &json!("")
                || value == &json!({})
                || value == &json!([])
        }
    };
    have.fields
        .iter()
        .filter(|(name, value)| !NOT_SETTINGS.contains(&name.as_str()) && !is_usual(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn usual(have: &ClientHave) -> Map<String, Value> {
    let Value::Object(usual) = json!({
        "protocol": "openid-connect",
        "clientAuthenticatorType": "client-secret",
        "nodeReRegistrationTimeout": -1,
        "notBefore": 0,
        "standardFlowEnabled": !have.texts("redirectUris").is_empty(),
    }) else {
        return Map::new();
    };
    usual
}
