//! The client scope that the devices of a realm share: it carries their role and audience, so that a device costs one
//! request and `manage-clients` is right enough.
//!
//! The scope is made where it is missing and the rights suffice. One that provisor did not make is never changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use super::want::DeviceWant;
use crate::diagnostic::{Problem, Warning};
use crate::keycloak::{Api, ClientScope};
use crate::manifest::kinds::device::Grant;
use crate::reconcile::plan::FieldChange;
use crate::reconcile::provider::Comparison;
use crate::secret::Secret;

/// The attribute that marks a scope as ours.
const OWNER: &str = "provisor.owner";
const ROLE_MAPPER: &str = "oidc-hardcoded-role-mapper";
const AUDIENCE_MAPPER: &str = "oidc-audience-mapper";

/// What was read of the realm besides its clients.
#[derive(Debug, Default)]
pub(super) struct Realm {
    /// Client scopes by name; none where nothing asked for them.
    pub(super) scopes: Option<BTreeMap<String, ClientScope>>,
    /// Realm roles that each device scope grants by scope mapping, by the scope's name.
    pub(super) scope_roles: HashMap<String, Vec<String>>,
    /// Whether each role that devices want is there; unknown where the rights do not suffice to look.
    pub(super) roles: HashMap<String, RoleState>,
    /// The mapper providers that the server knows, where it tells.
    pub(super) mapper_types: Option<std::collections::BTreeSet<String>>,
}

/// What is known of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoleState {
    Exists,
    Missing,
    Unreadable,
}

/// The scopes that were made ready in this run; each once, however many devices wait for it.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<HashMap<DeviceWant, Arc<OnceCell<()>>>>);

impl Realm {
    /// What a device's plan says about the scope that it shares.
    pub(super) fn compare(&self, device: &DeviceWant, is_new: bool, owner: &str, comparison: &mut Comparison) {
        let scope = self.scopes.as_ref().and_then(|scopes| scopes.get(&device.scope));
        let role = self.roles.get(&device.role).copied();
        if is_new && role == Some(RoleState::Unreadable) {
            let message = format!(
                "the realm role `{}` cannot be read with these rights; the token of the first new device will be checked",
                device.role
            );
            comparison.warnings.push(Warning::new("provisor::device::role_unverified", message));
        }
        if role == Some(RoleState::Missing) {
            let message =
                format!("the realm role `{}` is not there yet: it is made with the first device", device.role);
            comparison.warnings.push(Warning::new("provisor::device::role_missing", message));
        }
        let Some(scope) = scope else {
            let message =
                format!("the client scope `{}` is not there yet: it is made with the first device", device.scope);
            comparison.warnings.push(Warning::new("provisor::device::scope_missing", message));
            return;
        };
        let roles = self.scope_roles.get(&device.scope).map_or(&[][..], Vec::as_slice);
        let mut changes = Vec::new();
        if !grants_role(scope, roles, device) {
            changes.push(FieldChange::plain("role", role_of(scope, roles), device.role.clone()));
        }
        if audience_of(scope) != Some(&device.audience) {
            changes.push(FieldChange::plain("audience", json!(audience_of(scope)), device.audience.clone()));
        }
        if !changes.is_empty() && scope.attributes.get(OWNER).is_none_or(|mark| mark != owner) {
            comparison.conflict = Some(not_ours(device));
        }
        if !is_new {
            comparison.fields.extend(changes);
        }
    }

    fn is_as_wanted(&self, device: &DeviceWant) -> bool {
        let roles = self.scope_roles.get(&device.scope).map_or(&[][..], Vec::as_slice);
        let scope = self.scopes.as_ref().and_then(|scopes| scopes.get(&device.scope));
        scope.is_some_and(|scope| grants_role(scope, roles, device) && audience_of(scope) == Some(&device.audience))
    }
}

fn hardcoded_role(scope: &ClientScope) -> Option<&str> {
    scope.mappers.iter().find(|mapper| mapper.protocol_mapper == ROLE_MAPPER)?.config.get("role").map(String::as_str)
}

fn grants_role(scope: &ClientScope, scope_roles: &[String], device: &DeviceWant) -> bool {
    match device.grant {
        Grant::ClientScope => hardcoded_role(scope) == Some(&device.role),
        // With full scope off, a role that is mapped to the account reaches the token only through a scope mapping.
        Grant::RoleMapping => {
            scope_roles.iter().any(|role| role == &device.role) || hardcoded_role(scope) == Some(&device.role)
        }
    }
}

fn role_of(scope: &ClientScope, scope_roles: &[String]) -> Value {
    json!(hardcoded_role(scope).or(scope_roles.first().map(String::as_str)))
}

fn audience_of(scope: &ClientScope) -> Option<&str> {
    let mapper = scope.mappers.iter().find(|mapper| mapper.protocol_mapper == AUDIENCE_MAPPER)?;
    ["included.custom.audience", "included.client.audience"]
        .into_iter()
        .filter_map(|key| mapper.config.get(key))
        .map(String::as_str)
        .find(|audience| !audience.is_empty())
}

fn not_ours(device: &DeviceWant) -> Problem {
    let message = format!(
        "the client scope `{}` does not give the role `{}` and the audience `{}`, and provisor did not make it",
        device.scope, device.role, device.audience
    );
    let hint = format!(
        "an administrator can change its mappers ({ROLE_MAPPER} with `role`, {AUDIENCE_MAPPER} with \
         `included.custom.audience`), or the devices can name another `scope`"
    );
    Problem::new("provisor::device::scope_differs", message).with_hint(hint)
}

impl Ready {
    /// Runs `make` for the first caller with this scope, while the others wait; again for the next where it failed.
    pub(super) async fn once(
        &self,
        device: &DeviceWant,
        make: impl Future<Output = Result<(), Problem>> + Send,
    ) -> Result<(), Problem> {
        let cell = Arc::clone(self.0.lock().await.entry(device.clone()).or_default());
        cell.get_or_try_init(|| make).await.copied()
    }
}

/// Makes the scope and its role ready for `device`, writing only what is missing; whether anything was written.
pub(super) async fn ensure(api: &Api, realm: &Realm, device: &DeviceWant, owner: &str) -> Result<bool, Problem> {
    let makes_role = realm.roles.get(&device.role) == Some(&RoleState::Missing);
    if makes_role {
        api.create_realm_role(&device.role).await.map_err(|error| administrator(&error.to_problem(), device))?;
    }
    if realm.is_as_wanted(device) {
        return Ok(makes_role);
    }
    let made = match realm.scopes.as_ref().and_then(|scopes| scopes.get(&device.scope)) {
        None => create(api, device, owner).await,
        Some(scope) => change(api, scope, device).await,
    };
    made.map(|()| true).map_err(|problem| administrator(&problem, device))
}

async fn create(api: &Api, device: &DeviceWant, owner: &str) -> Result<(), Problem> {
    let mut mappers = vec![audience_mapper(&device.audience)];
    if device.grant == Grant::ClientScope {
        mappers.push(role_mapper(&device.role));
    }
    let body = json!({
        "name": device.scope,
        "protocol": "openid-connect",
        "description": "Role and audience of the devices that provisor manages",
        "attributes": {"include.in.token.scope": "false", "display.on.consent.screen": "false", OWNER: owner},
        "protocolMappers": mappers,
    });
    let id = api.create_client_scope(&body).await.map_err(|error| error.to_problem())?;
    map_role(api, &id, device).await
}

async fn change(api: &Api, scope: &ClientScope, device: &DeviceWant) -> Result<(), Problem> {
    let wanted = match device.grant {
        Grant::ClientScope => vec![(ROLE_MAPPER, role_mapper(&device.role))],
        Grant::RoleMapping => Vec::new(),
    };
    for (kind, mut body) in wanted.into_iter().chain([(AUDIENCE_MAPPER, audience_mapper(&device.audience))]) {
        let found = scope.mappers.iter().find(|mapper| mapper.protocol_mapper == kind);
        let written = match found.and_then(|mapper| Some((mapper.id.as_deref()?, mapper))) {
            None => api.add_scope_mapper(&scope.id, &body).await,
            Some((id, mapper)) => {
                body["id"] = json!(id);
                body["name"] = json!(mapper.name);
                api.update_scope_mapper(&scope.id, id, &body).await
            }
        };
        written.map_err(|error| error.to_problem())?;
    }
    map_role(api, &scope.id, device).await
}

async fn map_role(api: &Api, scope_id: &str, device: &DeviceWant) -> Result<(), Problem> {
    if device.grant != Grant::RoleMapping {
        return Ok(());
    }
    let role = api.find_realm_role(&device.role).await.map_err(|error| error.to_problem())?;
    let role = role.ok_or_else(|| {
        Problem::new("provisor::keycloak::unknown_role", format!("there is no realm role `{}`", device.role))
    })?;
    api.add_scope_realm_roles(scope_id, &[role]).await.map_err(|error| error.to_problem())
}

fn role_mapper(role: &str) -> Value {
    json!({"name": "device-role", "protocol": "openid-connect", "protocolMapper": ROLE_MAPPER, "config": {"role": role}})
}

fn audience_mapper(audience: &str) -> Value {
    json!({
        "name": "device-audience",
        "protocol": "openid-connect",
        "protocolMapper": AUDIENCE_MAPPER,
        "config": {"included.custom.audience": audience, "access.token.claim": "true"},
    })
}

fn administrator(problem: &Problem, device: &DeviceWant) -> Problem {
    let hint = format!(
        "an administrator can make the role `{}` and the scope `{}` once: `provisor keycloak doctor` prints the commands",
        device.role, device.scope
    );
    Problem::new(&*problem.code, format!("the scope that devices share cannot be made: {}", problem.message))
        .with_hint(hint)
}

/// Takes one token with the secret of a device and looks for role and audience in it.
pub(super) async fn prove(api: &Api, client_id: &str, secret: &Secret, device: &DeviceWant) -> Result<(), Problem> {
    let claims = api.take_token(client_id, secret).await.map_err(|error| error.to_problem())?;
    let problem = |what: String| {
        let hint = format!(
            "no further device is made; an administrator must see to the role `{}` and the scope `{}` (`provisor \
             keycloak doctor` prints the commands)",
            device.role, device.scope
        );
        Err(Problem::new("provisor::device::token_lacks", format!("the token of `{client_id}` {what}")).with_hint(hint))
    };
    if !claims.roles.contains(&device.role) {
        return problem(format!("does not carry the role `{}`", device.role));
    }
    if !claims.audience.contains(&device.audience) {
        return problem(format!("is not for the audience `{}`", device.audience));
    }
    Ok(())
}
