//! A Keycloak realm as a target: its clients, and the devices that are clients too.
//!
//! One list of the clients, one of the client scopes and at most a look at a role make a plan, however many devices
//! there are. Ownership lies in client attributes.

mod compare;
mod device_scope;
mod have;
mod import;
mod want;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Map;

use crate::diagnostic::{Problem, Warning, closest};
use crate::keycloak::{Api, Client, Error};
use crate::manifest::kinds::device::Grant;
use crate::reconcile::plan::FieldChange;
use crate::reconcile::provider::{Comparison, Provider, Scope, Seen, Step, Wanted, Written};
use crate::secret::Secret;
use crate::secret::reference::{SecretRef, SinkRef};
use device_scope::{Ready, Realm, RoleState};
pub use have::ClientHave;
pub use want::ClientWant;
use want::{Place, SecretWant};

/// Clients that every realm has.
const BUILT_IN: [&str; 7] = [
    "account",
    "account-console",
    "admin-cli",
    "admin-permissions",
    "broker",
    "realm-management",
    "security-admin-console",
];

/// How many single reads of service accounts run at a time.
const READS: usize = 8;

/// The scope that puts roles into tokens.
const ROLES_SCOPE: &str = "roles";

/// A realm, with what was read of it besides its clients.
pub struct RealmProvider {
    api: Api,
    owner: String,
    /// What the lock is called: the server and the realm.
    address: String,
    realm: RwLock<Arc<Realm>>,
    /// Whether what was read of the realm may have been overtaken by our own writes.
    overtaken: AtomicBool,
    ready: Ready,
}

impl std::fmt::Debug for RealmProvider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RealmProvider").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RealmProvider {
    /// The realm behind `api`, whose lock is named by `address`, managed by `owner`.
    pub fn new(api: Api, address: String, owner: &str) -> Self {
        Self {
            api,
            owner: owner.to_owned(),
            address,
            realm: RwLock::default(),
            overtaken: AtomicBool::new(true),
            ready: Ready::default(),
        }
    }

    /// The realm's administration interface.
    pub fn api(&self) -> &Api {
        &self.api
    }

    fn realm(&self) -> Arc<Realm> {
        Arc::clone(&self.realm.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads what wants need of the realm besides its clients, unless that was read and nothing was written since.
    async fn read_realm(&self, wants: &[Wanted<ClientWant>]) -> Result<(), Problem> {
        if !self.overtaken.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let read = self.realm_for(wants).await;
        match read {
            Ok(realm) => {
                *self.realm.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(realm);
                Ok(())
            }
            Err(problem) => {
                self.overtaken.store(true, Ordering::SeqCst);
                Err(problem)
            }
        }
    }

    async fn realm_for(&self, wants: &[Wanted<ClientWant>]) -> Result<Realm, Problem> {
        let wants: Vec<&ClientWant> = wants.iter().filter_map(|want| want.want.as_ref().ok()).collect();
        let devices: Vec<_> = wants.iter().filter_map(|want| want.device.as_ref()).collect();
        let names_scopes = wants
            .iter()
            .flat_map(|want| &want.fields)
            .any(|field| matches!(field.place, Place::Scopes { .. } | Place::DeviceScope));
        let names_mappers = wants.iter().flat_map(|want| &want.fields).any(|field| field.place == Place::Mappers);
        let roles: BTreeSet<&String> = devices.iter().map(|device| &device.role).collect();
        let read_scopes = async {
            if !names_scopes {
                return Ok(None);
            }
            let scopes = self.api.list_client_scopes().await?;
            Ok::<_, Error>(Some(
                scopes.into_iter().map(|scope| (scope.name.clone(), scope)).collect::<BTreeMap<_, _>>(),
            ))
        };
        let read_roles = futures::future::try_join_all(roles.into_iter().map(|role| self.role_state(role)));
        let read_types = async { if names_mappers { self.api.mapper_types().await } else { Ok(None) } };
        let (scopes, roles, mapper_types) = futures::future::try_join3(read_scopes, read_roles, read_types)
            .await
            .map_err(|error| error.to_problem())?;
        let mut scope_roles = std::collections::HashMap::new();
        for device in devices.iter().filter(|device| device.grant == Grant::RoleMapping) {
            let Some(scope) = scopes.as_ref().and_then(|scopes| scopes.get(&device.scope)) else { continue };
            if !scope_roles.contains_key(&device.scope) {
                let roles = self.api.scope_realm_roles(&scope.id).await.map_err(|error| error.to_problem())?;
                scope_roles.insert(device.scope.clone(), roles.into_iter().map(|role| role.name).collect());
            }
        }
        Ok(Realm { scopes, scope_roles, roles: roles.into_iter().collect(), mapper_types })
    }

    async fn role_state(&self, role: &str) -> Result<(String, RoleState), Error> {
        let state = match self.api.find_realm_role(role).await {
            Ok(Some(_)) => RoleState::Exists,
            Ok(None) => RoleState::Missing,
            Err(Error::Forbidden { .. }) => RoleState::Unreadable,
            Err(error) => return Err(error),
        };
        Ok((role.to_owned(), state))
    }

    /// Every client of the realm. A list that lacks what each realm has is one that the server has filtered.
    async fn list_all(&self) -> Result<Vec<Client>, Problem> {
        let listed = self.api.list_clients().await.map_err(|error| error.to_problem())?;
        if listed.iter().any(|client| BUILT_IN.contains(&client.client_id.as_str())) {
            return Ok(listed);
        }
        let message = format!(
            "the identity sees {} clients and none of those that every realm has: the list is filtered by its rights",
            listed.len()
        );
        let hint = "it needs the role `view-clients` or `manage-clients` of `realm-management`; `provisor keycloak doctor` says more";
        Err(Problem::new("provisor::keycloak::filtered", message).with_hint(hint))
    }

    async fn clients(&self, wanted: &BTreeSet<&str>, scope: Scope<'_>) -> Result<Vec<Client>, Problem> {
        match scope {
            Scope::All => {
                let listed = self.list_all().await?;
                let matters = |client: &Client| wanted.contains(client.client_id.as_str()) || have::is_marked(client);
                Ok(listed.into_iter().filter(matters).collect())
            }
            Scope::Keys(keys) => {
                let mut found = Vec::with_capacity(keys.len());
                for some in keys.chunks(READS) {
                    let read = some.iter().map(|key| self.api.find_client(key));
                    let read = futures::future::try_join_all(read).await.map_err(|error| error.to_problem())?;
                    found.extend(read.into_iter().flatten());
                }
                Ok(found)
            }
        }
    }

    /// Reads the roles of service accounts, for the clients whose manifests declare them.
    async fn read_accounts(
        &self,
        wants: &[Wanted<ClientWant>],
        seen: &mut [Seen<ClientHave>],
        scope: Scope<'_>,
    ) -> Result<(), Error> {
        let wants: BTreeMap<&str, &ClientWant> =
            wants.iter().filter_map(|want| Some((want.key.as_deref()?, want.want.as_ref().ok()?))).collect();
        let mapped: BTreeSet<&str> = wants
            .values()
            .filter_map(|want| want.device.as_ref().filter(|device| device.grant == Grant::RoleMapping))
            .map(|device| device.role.as_str())
            .filter(|_| matches!(scope, Scope::All))
            .collect();
        let mut holders = BTreeMap::new();
        for role in mapped {
            holders.insert(role, self.api.realm_role_members(role).await?);
        }
        let reads = seen.iter_mut().filter_map(|object| {
            let want = wants.get(object.key.as_str())?;
            if let Some(holders) = want.device.as_ref().and_then(|device| holders.get(device.role.as_str())) {
                let account = format!("service-account-{}", object.key.to_lowercase());
                object.have.holds_role = Some(holders.contains(&account));
            }
            let has_account = object.have.member("serviceAccountsEnabled") == &serde_json::Value::Bool(true);
            let maps = want.device.as_ref().is_some_and(|device| device.grant == Grant::RoleMapping);
            let due = want.reads_roles() || (maps && object.have.holds_role.is_none());
            (due && has_account).then_some((object, want.device.as_ref().map(|device| device.role.as_str())))
        });
        let mut due: Vec<(&mut Seen<ClientHave>, Option<&str>)> = reads.collect();
        for some in due.chunks_mut(READS) {
            let reads = some.iter_mut().map(|(object, role)| self.read_account(&mut object.have, *role));
            futures::future::try_join_all(reads).await?;
        }
        Ok(())
    }

    async fn read_account(&self, have: &mut ClientHave, role: Option<&str>) -> Result<(), Error> {
        if let Some(account) = self.api.service_account_user(&have.id).await? {
            let roles = self.api.role_mappings(&account).await?;
            have.holds_role = role.map(|role| roles.realm.iter().any(|held| held.name == role));
            have.roles = Some(roles);
        }
        Ok(())
    }

    /// What the realm does not know: scopes and mapper providers that Keycloak would accept and drop.
    fn unknown_names(want: &ClientWant, realm: &Realm) -> Option<Problem> {
        for field in &want.fields {
            match &field.place {
                Place::Scopes { .. } => {
                    let scopes = realm.scopes.as_ref()?;
                    let names = field.value.as_array()?.iter().filter_map(serde_json::Value::as_str);
                    if let Some(name) = names.into_iter().find(|name| !scopes.contains_key(*name)) {
                        return Some(unknown_scope(name, Some(scopes.keys().map(String::as_str).collect())));
                    }
                }
                // Without it no token carries a role, and Keycloak drops what it does not know.
                Place::DeviceScope => {
                    let scopes = realm.scopes.as_ref()?;
                    if !scopes.contains_key(ROLES_SCOPE) {
                        return Some(unknown_scope(ROLES_SCOPE, Some(scopes.keys().map(String::as_str).collect())));
                    }
                }
                Place::Mappers => {
                    let types = realm.mapper_types.as_ref()?;
                    let mappers = field.value.as_array()?.iter();
                    let mut providers = mappers.filter_map(|mapper| mapper.get("protocolMapper")?.as_str());
                    if let Some(name) = providers.find(|name| !types.contains(*name)) {
                        return Some(unknown_mapper(name, types));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

fn did_you_mean(name: &str, known: &[&str]) -> String {
    match closest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it knows {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

fn unknown_scope(name: &str, known: Option<Vec<&str>>) -> Problem {
    let problem = Problem::new("provisor::keycloak::unknown_scope", format!("the realm has no client scope `{name}`"));
    match known {
        Some(known) => problem.with_hint(did_you_mean(name, &known)),
        None => problem,
    }
}

fn unknown_mapper(name: &str, known: &BTreeSet<String>) -> Problem {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let message = format!("the server has no protocol mapper `{name}`");
    Problem::new("provisor::keycloak::unknown_mapper", message).with_hint(did_you_mean(name, &known))
}

fn unknown_role(name: &str, client: Option<&str>) -> Problem {
    let of = client.map_or_else(|| "the realm".to_owned(), |client| format!("the client `{client}`"));
    Problem::new("provisor::keycloak::unknown_role", format!("{of} has no role `{name}`"))
        .with_hint("roles are not made by provisor: make it first, or correct the name")
}

impl Provider for RealmProvider {
    type Want = ClientWant;
    type Have = ClientHave;

    async fn observe(&self, wants: &[Wanted<ClientWant>], scope: Scope<'_>) -> Result<Vec<Seen<ClientHave>>, Problem> {
        let wanted: BTreeSet<&str> = wants.iter().filter_map(|want| want.key.as_deref()).collect();
        let clients = self.clients(&wanted, scope);
        let (clients, ()) = futures::future::try_join(clients, self.read_realm(wants)).await?;
        let mut seen: Vec<Seen<ClientHave>> = clients.into_iter().map(have::seen).collect();
        self.read_accounts(wants, &mut seen, scope).await.map_err(|error| error.to_problem())?;
        Ok(seen)
    }

    fn compare(&self, wanted: &Wanted<ClientWant>, seen: Option<&Seen<ClientHave>>) -> Comparison {
        let mut comparison = Comparison::default();
        let Ok(want) = &wanted.want else { return comparison };
        let (have, mark) = (seen.map(|seen| &seen.have), seen.and_then(|seen| seen.mark.as_ref()));
        let realm = self.realm();
        if let Some(have) = have.filter(|have| have.client_id != want.client_id) {
            comparison.fields.push(FieldChange::plain("clientId", have.client_id.clone(), want.client_id.clone()));
            if want.device.as_ref().is_some_and(|device| !device.reprovision) {
                comparison.conflict = Some(renames_device(&have.client_id, &want.client_id));
            }
        }
        comparison.fields.extend(compare::fields(want, have));
        if let Some(device) = &want.device {
            realm.compare(device, have.is_none(), &self.owner, &mut comparison);
            if have.is_none() {
                comparison.fields.push(FieldChange::plain("role", serde_json::Value::Null, device.role.clone()));
                comparison.fields.push(FieldChange::plain(
                    "audience",
                    serde_json::Value::Null,
                    device.audience.clone(),
                ));
            } else if have.and_then(|have| have.holds_role) == Some(false)
                && !comparison.fields.iter().any(|field| field.path == "role")
            {
                comparison.fields.push(FieldChange::plain("role", serde_json::Value::Null, device.role.clone()));
            }
        }
        if !want.public {
            compare::secret(want, have, mark, &mut comparison);
        }
        if let Some(problem) = Self::unknown_names(want, &realm) {
            comparison.conflict.get_or_insert(problem);
        }
        comparison
    }

    fn may_rename(&self) -> bool {
        true
    }

    async fn write(&self, step: Step<'_, ClientWant, ClientHave>) -> Result<Written, Problem> {
        match step {
            Step::Create { want, mark, .. } => self.create(want, mark).await,
            Step::Update { want, seen, fields, mark, .. } => self.update(want, seen, fields, mark).await,
            Step::Delete(seen) => {
                self.api.delete_client(&seen.have.id).await.map_err(|error| error.to_problem())?;
                Ok(Written::default())
            }
            Step::Disable(seen) => {
                let body = Map::from_iter([("enabled".to_owned(), serde_json::Value::Bool(false))]);
                self.api.update_client(&seen.have.id, &body, None).await.map_err(|error| error.to_problem())?;
                Ok(Written::default())
            }
            Step::Unmark(seen) => {
                let body =
                    Map::from_iter([("attributes".to_owned(), serde_json::Value::Object(have::unmark_attributes()))]);
                self.api.update_client(&seen.have.id, &body, None).await.map_err(|error| error.to_problem())?;
                Ok(Written::default())
            }
        }
    }

    fn lock_name(&self) -> String {
        self.address.clone()
    }

    fn requests(&self) -> Vec<(&'static str, u64)> {
        let counts = self.api.requests();
        vec![("reads", counts.reads), ("writes", counts.writes), ("tokens", counts.tokens)]
    }
}

fn renames_device(before: &str, after: &str) -> Problem {
    let message = format!("renaming the client `{before}` to `{after}` would lock out the device, which knows its id");
    let hint = "keep `clientId`, or say that the device is at hand with `lifecycle: {reprovision: true}`";
    Problem::new("provisor::device::strands", message).with_hint(hint)
}

/// What is known of a declared secret, and the warning that goes with it.
pub(super) fn secret_want(
    secret: Option<&SecretRef>,
    secret_to: Option<&SinkRef>,
    resolve: Option<impl Fn(&SecretRef) -> Result<Secret, Problem>>,
    warnings: &mut Vec<Warning>,
) -> Result<SecretWant, Problem> {
    let want = SecretWant::of(secret, secret_to, resolve)?;
    warnings.extend(want.warning());
    Ok(want)
}
