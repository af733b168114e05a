//! Writing one client: a create in one request, an update with the smallest merge, and what Keycloak wants through
//! other doors (scopes, roles of the service account).
//!
//! A generated secret is in its sink before Keycloak knows it, so that no crash loses it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::RealmProvider;
use super::compare::{is_automatic, is_default_role, kept, scopes_member, seconds};
use super::device_scope::{self, Realm};
use super::have::{ClientHave, mark_attributes, seen};
use super::want::{ClientWant, DeviceWant, LIFESPAN, Place, SecretWant};
use crate::diagnostic::Problem;
use crate::keycloak::{Error, Role};
use crate::manifest::kinds::device::Grant;
use crate::reconcile::ownership::{Digest, Mark};
use crate::reconcile::plan::FieldChange;
use crate::reconcile::provider::{Seen, Written};
use crate::secret::reference::SinkRef;
use crate::secret::{Secret, sink};

/// Random bytes in a generated client secret.
const SECRET_BYTES: usize = 32;

fn problem(error: &Error) -> Problem {
    error.to_problem()
}

impl RealmProvider {
    pub(super) async fn create(&self, want: &ClientWant, mark: Mark) -> Result<Written, Problem> {
        let Some(device) = &want.device else {
            self.create_client(want, mark).await?;
            return Ok(Written::default());
        };
        let mut mine = Some(mark);
        let realm = self.realm();
        // Boxed: it holds a whole create, and is made once for a thousand devices that wait for it.
        self.ready
            .once(
                device,
                Box::pin(async {
                    self.ensure_scope(&realm, device).await?;
                    if realm.roles.get(&device.role) != Some(&device_scope::RoleState::Unreadable) {
                        return Ok(());
                    }
                    // Nothing says that the role is there. Make one device, look into its token, and only then go on.
                    let Some(mark) = mine.take() else { return Ok(()) };
                    let given = self.create_client(want, mark).await?;
                    if !want.is_enabled() {
                        return Ok(());
                    }
                    let secret = match given {
                        Some(secret) => Some(secret),
                        None => self
                            .api
                            .find_client(&want.client_id)
                            .await
                            .map_err(|error| problem(&error))?
                            .and_then(|client| client.secret),
                    };
                    match secret {
                        Some(secret) => device_scope::prove(&self.api, &want.client_id, &secret, device).await,
                        None => Err(hidden()),
                    }
                }),
            )
            .await?;
        if let Some(mark) = mine {
            self.create_client(want, mark).await?;
        }
        Ok(Written::default())
    }

    async fn ensure_scope(&self, realm: &Realm, device: &DeviceWant) -> Result<(), Problem> {
        let wrote = device_scope::ensure(&self.api, realm, device, &self.owner).await?;
        if wrote {
            self.overtaken.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Makes the client; answers with the secret that it was given, if provisor gave it one.
    async fn create_client(&self, want: &ClientWant, mut mark: Mark) -> Result<Option<Secret>, Problem> {
        let secret = match &want.secret {
            SecretWant::Declared(secret) => Some(secret.clone()),
            SecretWant::Generated => Some(Secret::generate(SECRET_BYTES).map_err(no_randomness)?),
            SecretWant::Unowned => None,
            SecretWant::Unresolved => return Err(unresolved()),
        };
        if let Some(secret) = &secret {
            mark.applied.secrets.insert("secret".to_owned(), digest(secret)?);
            if let Some(target) = &want.secret_to {
                deliver(target, secret).await?;
            }
        }
        let body = create_body(want, &mark);
        let id = match self.api.create_client(&body, secret.as_ref()).await {
            Ok(id) => id,
            Err(error) => self.look_for(want, &mark, secret.as_ref(), &error).await?,
        };
        self.write_account(want, &id, &|_| true).await?;
        Ok(secret)
    }

    /// After a create whose answer was lost, or that was refused because the client exists: is it the one we made?
    async fn look_for(
        &self,
        want: &ClientWant,
        mark: &Mark,
        secret: Option<&Secret>,
        error: &Error,
    ) -> Result<String, Problem> {
        if !error.maybe_done() && !matches!(error, Error::AlreadyExists { .. }) {
            return Err(problem(error));
        }
        let found = self.api.find_client(&want.client_id).await.map_err(|error| problem(&error))?;
        let Some(found) = found.map(seen) else { return Err(problem(error)) };
        let same_secret = match (secret, &found.have.secret) {
            (Some(ours), Some(actual)) => ours.same_as(actual),
            _ => true,
        };
        if found.mark.as_ref() == Some(mark) && same_secret { Ok(found.have.id) } else { Err(problem(error)) }
    }

    pub(super) async fn update(
        &self,
        want: &ClientWant,
        seen: &Seen<ClientHave>,
        fields: &[FieldChange],
        mut mark: Mark,
    ) -> Result<Written, Problem> {
        let have = &seen.have;
        if let Some(device) = &want.device {
            let realm = self.realm();
            self.ready.once(device, self.ensure_scope(&realm, device)).await?;
        }
        let due = |path: &str| fields.iter().any(|field| field.is_write() && is_below(&field.path, path));
        let secret = Self::new_secret(want, have, due("secret"), &mut mark)?;
        if let (Some(target), true) = (&want.secret_to, due("secretTo")) {
            let value = secret.as_ref().or(have.secret.as_ref());
            deliver(target, value.ok_or_else(hidden)?).await?;
        }
        let mut body = changed_members(want, &due);
        if have.client_id != want.client_id {
            body.insert("clientId".to_owned(), json!(want.client_id));
        }
        if seen.mark.as_ref() != Some(&mark) {
            attributes(&mut body).append(&mut mark_attributes(&mark));
        }
        if !body.is_empty() || secret.is_some() {
            self.api.update_client(&have.id, &body, secret.as_ref()).await.map_err(|error| problem(&error))?;
        }
        self.write_scopes(want, have, &due).await?;
        self.write_account(want, &have.id, &due).await?;
        Ok(Written::default())
    }

    /// The secret to write, and its digest in the mark; none where it stays.
    fn new_secret(want: &ClientWant, have: &ClientHave, due: bool, mark: &mut Mark) -> Result<Option<Secret>, Problem> {
        let recorded = mark.applied.secrets.get("secret").cloned();
        let recorded = recorded.as_ref();
        match (&want.secret, &have.secret) {
            (SecretWant::Declared(secret), actual) => {
                let same = actual.as_ref().is_some_and(|actual| actual.same_as(secret));
                if (due || same) && !recorded.is_some_and(|recorded| recorded.matches(secret)) {
                    mark.applied.secrets.insert("secret".to_owned(), digest(secret)?);
                }
                Ok((due && !same).then(|| secret.clone()))
            }
            (SecretWant::Generated, _) if due => {
                let value = match kept(want, recorded) {
                    Some(kept) => kept,
                    None => Secret::generate(SECRET_BYTES).map_err(no_randomness)?,
                };
                mark.applied.secrets.insert("secret".to_owned(), digest(&value)?);
                Ok(Some(value))
            }
            (SecretWant::Generated, Some(actual)) => {
                if recorded.is_none() {
                    mark.applied.secrets.insert("secret".to_owned(), digest(actual)?);
                }
                Ok(None)
            }
            (SecretWant::Unowned, _) => {
                mark.applied.secrets.remove("secret");
                Ok(None)
            }
            (SecretWant::Generated | SecretWant::Unresolved, _) => Ok(None),
        }
    }

    /// Default and optional scopes have doors of their own: Keycloak ignores them in an update of the client. All that go
    /// are removed before any is added: adding to one list what is in the other is answered with 204 and does nothing,
    /// and removing takes a scope from whichever list has it.
    async fn write_scopes(
        &self,
        want: &ClientWant,
        have: &ClientHave,
        due: &(impl Fn(&str) -> bool + Sync),
    ) -> Result<(), Problem> {
        let realm = self.realm();
        let id_of = |name: &str| realm.scopes.as_ref()?.get(name).map(|scope| scope.id.clone());
        let mut missing = Vec::new();
        for field in want.fields.iter().filter(|field| due(&field.path)) {
            let (default, wanted, owns_all) = match &field.place {
                Place::Scopes { default } => (*default, texts(&field.value), true),
                Place::DeviceScope => (true, device_scopes(&field.value), false),
                _ => continue,
            };
            let (present, other) = (have.texts(scopes_member(default)), have.texts(scopes_member(!default)));
            let excess = present.iter().filter(|scope| owns_all && !wanted.contains(**scope) && !is_automatic(scope));
            for scope in excess {
                if let Some(id) = id_of(scope) {
                    self.remove_scope(&have.id, &id, default).await?;
                }
            }
            for scope in wanted.into_iter().filter(|scope| !present.contains(scope.as_str())) {
                let id = match id_of(&scope) {
                    Some(id) => id,
                    None => self.new_scope_id(&scope).await?,
                };
                if other.contains(scope.as_str()) {
                    self.remove_scope(&have.id, &id, !default).await?;
                }
                missing.push((id, default));
            }
        }
        for (id, default) in missing {
            self.add_scope(&have.id, &id, default).await?;
        }
        Ok(())
    }

    async fn new_scope_id(&self, name: &str) -> Result<String, Problem> {
        let scopes = self.api.list_client_scopes().await.map_err(|error| problem(&error))?;
        let found = scopes.into_iter().find(|scope| scope.name == name);
        found.map(|scope| scope.id).ok_or_else(|| super::unknown_scope(name, None))
    }

    async fn add_scope(&self, client: &str, scope: &str, default: bool) -> Result<(), Problem> {
        let added = if default {
            self.api.add_default_scope(client, scope).await
        } else {
            self.api.add_optional_scope(client, scope).await
        };
        added.map_err(|error| problem(&error))
    }

    async fn remove_scope(&self, client: &str, scope: &str, default: bool) -> Result<(), Problem> {
        let removed = if default {
            self.api.remove_default_scope(client, scope).await
        } else {
            self.api.remove_optional_scope(client, scope).await
        };
        removed.map_err(|error| problem(&error))
    }

    /// Roles of the service account, as far as they are due; all that are declared where the client is new.
    async fn write_account(
        &self,
        want: &ClientWant,
        client: &str,
        is_due: &(impl Fn(&str) -> bool + Sync),
    ) -> Result<(), Problem> {
        let maps = want.device.as_ref().filter(|device| device.grant == Grant::RoleMapping && is_due("role"));
        let fields: Vec<_> = want
            .fields
            .iter()
            .filter(|field| matches!(field.place, Place::RealmRoles | Place::ClientRoles(_)) && is_due(&field.path))
            .collect();
        if maps.is_none() && fields.is_empty() {
            return Ok(());
        }
        let account = self.api.service_account_user(client).await.map_err(|error| problem(&error))?;
        let account = account.ok_or_else(|| {
            let message = format!("`{}` has no service account to give roles to", want.client_id);
            Problem::new("provisor::keycloak::no_service_account", message)
                .with_hint("set `serviceAccount: {enabled: true}`")
        })?;
        if let Some(device) = maps {
            let role = self.realm_role(&device.role).await?;
            self.api.add_realm_roles(&account, &[role]).await.map_err(|error| problem(&error))?;
        }
        let present = if fields.is_empty() {
            crate::keycloak::RoleMappings::default()
        } else {
            self.api.role_mappings(&account).await.map_err(|error| problem(&error))?
        };
        for field in fields {
            let wanted = texts(&field.value);
            match &field.place {
                Place::ClientRoles(owner) => self.write_client_roles(&account, owner, &wanted, &present).await?,
                _ => self.write_realm_roles(&account, &wanted, &present.realm).await?,
            }
        }
        Ok(())
    }

    async fn realm_role(&self, name: &str) -> Result<Role, Problem> {
        let role = self.api.find_realm_role(name).await.map_err(|error| problem(&error))?;
        role.ok_or_else(|| super::unknown_role(name, None))
    }

    async fn write_realm_roles(
        &self,
        account: &str,
        wanted: &BTreeSet<String>,
        present: &[Role],
    ) -> Result<(), Problem> {
        let excess: Vec<Role> = present
            .iter()
            .filter(|role| !wanted.contains(&role.name) && !is_default_role(&role.name))
            .cloned()
            .collect();
        let mut missing = Vec::new();
        for name in wanted.iter().filter(|name| !present.iter().any(|role| role.name == **name)) {
            missing.push(self.realm_role(name).await?);
        }
        if !missing.is_empty() {
            self.api.add_realm_roles(account, &missing).await.map_err(|error| problem(&error))?;
        }
        if !excess.is_empty() {
            self.api.remove_realm_roles(account, &excess).await.map_err(|error| problem(&error))?;
        }
        Ok(())
    }

    async fn write_client_roles(
        &self,
        account: &str,
        owner: &str,
        wanted: &BTreeSet<String>,
        present: &crate::keycloak::RoleMappings,
    ) -> Result<(), Problem> {
        let found = self.api.find_client(owner).await.map_err(|error| problem(&error))?;
        let client = found.ok_or_else(|| {
            let message = format!("there is no client `{owner}` whose roles could be given");
            Problem::new("provisor::keycloak::unknown_client", message)
        })?;
        let present = present.clients.get(owner).map_or(&[][..], |(_, roles)| roles.as_slice());
        let excess: Vec<Role> = present.iter().filter(|role| !wanted.contains(&role.name)).cloned().collect();
        let mut missing = Vec::new();
        for name in wanted.iter().filter(|name| !present.iter().any(|role| role.name == **name)) {
            let role = self.api.find_client_role(&client.id, name).await.map_err(|error| problem(&error))?;
            missing.push(role.ok_or_else(|| super::unknown_role(name, Some(owner)))?);
        }
        if !missing.is_empty() {
            self.api.add_client_roles(account, &client.id, &missing).await.map_err(|error| problem(&error))?;
        }
        if !excess.is_empty() {
            self.api.remove_client_roles(account, &client.id, &excess).await.map_err(|error| problem(&error))?;
        }
        Ok(())
    }
}

/// Whether `path` is `prefix` or below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn device_scopes(value: &Value) -> BTreeSet<String> {
    value.as_str().map(str::to_owned).into_iter().chain(["roles".to_owned()]).collect()
}

fn attributes(body: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let attributes = body.entry("attributes").or_insert_with(|| json!({}));
    if !attributes.is_object() {
        *attributes = json!({});
    }
    match attributes {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

fn create_body(want: &ClientWant, mark: &Mark) -> Map<String, Value> {
    let mut body = want.defaults.clone();
    body.insert("clientId".to_owned(), json!(want.client_id));
    for field in &want.fields {
        put(&mut body, &field.place, &field.value);
        if let Place::Scopes { default } = field.place {
            body.insert(scopes_member(default).to_owned(), field.value.clone());
        }
    }
    attributes(&mut body).append(&mut mark_attributes(mark));
    body
}

fn changed_members(want: &ClientWant, due: &impl Fn(&str) -> bool) -> Map<String, Value> {
    let mut body = Map::new();
    for field in want.fields.iter().filter(|field| due(&field.path)) {
        put(&mut body, &field.place, &field.value);
    }
    body
}

/// Puts one field into a representation that is sent; what has a door of its own is left out.
fn put(body: &mut Map<String, Value>, place: &Place, value: &Value) {
    match place {
        Place::Member(name) => {
            body.insert(name.clone(), value.clone());
        }
        Place::Set(name) => {
            body.insert((*name).to_owned(), value.clone());
        }
        Place::Mappers => {
            body.insert("protocolMappers".to_owned(), value.clone());
        }
        Place::Attribute(key) => {
            attributes(body).insert(key.clone(), value.clone());
        }
        Place::Lifespan => {
            attributes(body).insert(LIFESPAN.to_owned(), seconds(value));
        }
        Place::Scopes { .. } | Place::DeviceScope | Place::RealmRoles | Place::ClientRoles(_) => {}
    }
}

fn digest(secret: &Secret) -> Result<Digest, Problem> {
    Digest::of(secret).map_err(no_randomness)
}

/// Puts a secret into its sink; file work stays off the threads that serve requests.
async fn deliver(target: &SinkRef, secret: &Secret) -> Result<(), Problem> {
    let (target, secret) = (target.clone(), secret.clone());
    let written = tokio::task::spawn_blocking(move || sink::write(&target, secret.expose().as_bytes())).await;
    match written {
        Ok(written) => written.map_err(|error| error.to_problem()),
        Err(_) => Err(Problem::new("provisor::bug", "writing a sink was cut short")),
    }
}

fn no_randomness(error: getrandom::Error) -> Problem {
    Problem::new("provisor::secret::no_randomness", format!("the system has no randomness to give: {error}"))
}

fn hidden() -> Problem {
    Problem::new("provisor::keycloak::secret_hidden", "these rights do not show the client's secret")
        .with_hint("`view-clients` or `manage-clients` shows it")
}

fn unresolved() -> Problem {
    Problem::new("provisor::secret::unresolved", "the secret was not resolved in this run")
}
