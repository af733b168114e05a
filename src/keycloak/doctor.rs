//! Whether the identity has the rights that the manifests need, has no more than those, and what to do about it.
//!
//! Nothing is written to find out. What a right allows to read is tried. What it allows to write is read off: Keycloak
//! says with each client and user what the caller may do with it (`access`), and the identity's own token lists its
//! roles. A trial write would need something to write to, and the smallest one, an empty merge, would still leave an
//! event in the realm's audit log and could not tell a missing right from a broken server.
//!
//! A lightweight token (`admin-cli` has such) lists no roles; then only what was tried is known, and the rest is
//! [`Outcome::Unknown`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{Call, needs};
use super::error::{Error, SignIn};
use super::remedy;
use super::representation::{Client, TokenClaims, User};
use super::{Api, ClientScope};

/// Roles that give power over a realm, most powerful first. None of them is needed for devices of a shared scope.
const POWERFUL: [&str; 9] = [
    "realm-admin",
    "manage-realm",
    "manage-users",
    "impersonation",
    "manage-authorization",
    "manage-identity-providers",
    "manage-organizations",
    "manage-events",
    "view-users",
];
/// Realm roles of `master` that give power over every realm.
const POWERFUL_IN_MASTER: [&str; 2] = ["admin", "create-realm"];

/// What the manifests ask of the identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Roles are mapped to service accounts, or read from them.
    pub role_mapping: bool,
    /// The client scopes that devices share.
    pub device_scopes: Vec<DeviceScope>,
}

/// A client scope that devices share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceScope {
    /// Its name.
    pub name: String,
    /// The realm role that it gives.
    pub role: String,
    /// The audience that it gives.
    pub audience: String,
    /// Whether the role is mapped to each service account instead of coming from the scope.
    pub maps_role: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who was examined.
    pub identity: String,
    /// What was examined, one right each.
    pub checks: Vec<Check>,
    /// Lines for an administrator's shell; comments begin with `#`.
    pub remedies: Vec<String>,
}

impl Report {
    /// Whether something is missing that the manifests need.
    pub fn is_missing_something(&self) -> bool {
        self.checks.iter().any(|check| check.outcome == Outcome::Missing)
    }
}

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The right, as Keycloak calls it.
    pub right: String,
    /// What it is for.
    pub needed_for: String,
    /// What was found.
    pub outcome: Outcome,
    /// How that was found, or what follows from it.
    pub detail: String,
}

/// What was found about a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is needed and there.
    Held,
    /// It is needed and not there.
    Missing,
    /// It is there and not needed.
    Excessive,
    /// It cannot be seen with these rights.
    Unknown,
}

impl Check {
    fn new(
        right: impl Into<String>,
        needed_for: impl Into<String>,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Self {
        Self { right: right.into(), needed_for: needed_for.into(), outcome, detail: detail.into() }
    }
}

/// Examines the identity of `api` without writing anything.
///
/// # Errors
/// The server cannot be asked. That the identity cannot sign in is a finding and no error.
pub async fn examine(api: &Api, needs: &Needs) -> Result<Report, Error> {
    let identity = api.credentials.identity().to_owned();
    let claims = match api.own_claims().await {
        Ok(claims) => claims,
        Err(Error::Unauthorized { reason, .. }) => return Ok(locked_out(api, identity, needs, &reason)),
        // A token that cannot be read still works; what it says is unknown.
        Err(Error::UnexpectedResponse { status: 200, .. }) => TokenClaims::default(),
        Err(error) => return Err(error),
    };
    let examination = Examination { api, roles: roles(api, &claims) };
    let signed_in = format!("with a token of {} s", claims.expires_in.as_secs());
    let mut checks = vec![Check::new("sign in", "everything", Outcome::Held, signed_in)];
    checks.extend(examination.clients().await?);
    if needs.role_mapping {
        checks.extend(examination.users(&claims).await?);
    }
    let can_list = checks.iter().any(|check| check.right == "view-clients" && check.outcome == Outcome::Held);
    let scopes = if can_list { Some(api.list_client_scopes().await?) } else { None };
    let mut lacks = Vec::new();
    for scope in &needs.device_scopes {
        let found = scopes.as_ref().and_then(|scopes| scopes.iter().find(|found| found.name == scope.name));
        let is_scope_missing = scopes.is_some() && found.is_none();
        let role = examination.device_role(scope).await?;
        lacks.push(Lack { scope, is_scope_missing, is_role_missing: role.outcome == Outcome::Missing });
        checks.extend([device_scope(scope, found, is_scope_missing), role]);
    }
    checks.extend(examination.excess(needs, &claims));
    let remedies = remedy::lines(api, needs, &checks, &lacks);
    Ok(Report { identity, checks, remedies })
}

/// What devices of a scope still lack.
pub(super) struct Lack<'a> {
    pub(super) scope: &'a DeviceScope,
    pub(super) is_scope_missing: bool,
    pub(super) is_role_missing: bool,
}

/// The roles of administration that the token lists; none where it lists no roles at all.
fn roles(api: &Api, claims: &TokenClaims) -> Option<BTreeSet<String>> {
    if claims.client_roles.is_empty() && claims.roles.is_empty() {
        return None;
    }
    Some(claims.client_roles.get(&management_client(api)).cloned().unwrap_or_default())
}

fn locked_out(api: &Api, identity: String, needs: &Needs, reason: &SignIn) -> Report {
    let detail = format!("the realm `{}` says: {reason}", api.auth_realm);
    let checks = vec![Check::new("sign in", "everything", Outcome::Missing, detail)];
    let remedies = remedy::sign_in(api, reason, needs);
    Report { identity, checks, remedies }
}

struct Examination<'a> {
    api: &'a Api,
    roles: Option<BTreeSet<String>>,
}

impl Examination<'_> {
    fn has(&self, role: &str) -> Option<bool> {
        self.roles.as_ref().map(|roles| roles.contains(role))
    }

    /// What was tried counts; what the token says is for what was not.
    fn check(&self, right: &str, needed_for: &str, tried: Option<bool>, how: &str) -> Check {
        let (held, detail) = match (tried, self.has(right)) {
            (Some(held), _) => (Some(held), how.to_owned()),
            (None, Some(true)) => (Some(true), "the token lists it".to_owned()),
            (None, Some(false)) => (Some(false), "the token does not list it".to_owned()),
            (None, None) => (None, "the token lists no roles, and it cannot be tried without writing".to_owned()),
        };
        let outcome = match held {
            Some(true) => Outcome::Held,
            Some(false) => Outcome::Missing,
            None => Outcome::Unknown,
        };
        Check::new(right, needed_for, outcome, detail)
    }

    /// Lists one client and looks at what Keycloak says we may do with it.
    async fn clients(&self) -> Result<[Check; 2], Error> {
        let mut call = Call::get(&["clients"], "list the clients", needs::READ);
        call.query = &[("first", "0"), ("max", "1")];
        let found: Option<Vec<Client>> = allowed(self.api.read(call).await)?;
        let access = |right: &str| {
            let client = found.as_ref()?.first()?;
            client.fields.get("access")?.get(right).and_then(Value::as_bool)
        };
        // With `query-clients` alone the list is empty, since each client that may not be seen is left out; every
        // realm has clients of its own, so that an empty list says so.
        let views = access("view").unwrap_or(false);
        let manages = if views { access("manage") } else { Some(false) };
        Ok([
            self.check("view-clients", "reading clients and their secrets", Some(views), "one client was read"),
            self.check(
                "manage-clients",
                "creating, changing and deleting clients and client scopes",
                manages,
                "Keycloak says so of the client that was read",
            ),
        ])
    }

    async fn users(&self, claims: &TokenClaims) -> Result<[Check; 3], Error> {
        let realm: Option<Value> = allowed(self.api.read(Call::get(&[], "read the realm", needs::READ_ROLE)).await)?;
        // Without the right, Keycloak shows a few fields of the realm, but not its id.
        let views_realm = realm.is_some_and(|realm| realm.get("id").is_some());
        let mut call = Call::get(&["users"], "list the users", needs::READ_USER);
        call.query = &[("first", "0"), ("max", "1")];
        let users: Option<Vec<User>> = allowed(self.api.read(call).await)?;
        let own = match (&users, &claims.subject) {
            // A user that belongs to another realm is not found here.
            (Some(_), Some(id)) => {
                let path = ["users", id];
                let call = Call::get(&path, "read the own account", needs::READ_USER);
                allowed(self.api.read_if_any::<User>(call).await)?.flatten()
            }
            _ => None,
        };
        let user = own.as_ref().or(users.as_ref().and_then(|users| users.first()));
        let maps = user.and_then(|user| user.access.get("mapRoles").copied());
        Ok([
            self.check("view-realm", "reading realm roles and who holds them", Some(views_realm), "it was tried"),
            self.check("view-users", "reading service accounts and their roles", Some(users.is_some()), "it was tried"),
            self.check("manage-users", "mapping roles to service accounts", maps, "Keycloak says so of a user"),
        ])
    }

    async fn device_role(&self, wanted: &DeviceScope) -> Result<Check, Error> {
        let (outcome, detail) = match self.api.find_realm_role(&wanted.role).await {
            Ok(Some(_)) => (Outcome::Held, "it exists"),
            Ok(None) if self.has("manage-realm") == Some(true) => {
                (Outcome::Held, "it is missing; apply makes it with `manage-realm`")
            }
            Ok(None) => (Outcome::Missing, "it is missing, and making it takes `manage-realm`"),
            Err(Error::Forbidden { .. }) => {
                (Outcome::Unknown, "it cannot be read with these rights; apply checks the token of the first device")
            }
            Err(error) => return Err(error),
        };
        Ok(Check::new(format!("realm role `{}`", wanted.role), devices(wanted), outcome, detail))
    }

    /// What the token lists and the manifests do not need.
    fn excess(&self, needs: &Needs, claims: &TokenClaims) -> Vec<Check> {
        let excessive = |right: String, detail: &str| Check::new(right, "nothing", Outcome::Excessive, detail);
        if self.api.auth_realm == "master" {
            let held = POWERFUL_IN_MASTER.iter().find(|role| claims.roles.contains(**role));
            if let Some(role) = held {
                return vec![excessive(format!("{role} (of master)"), "it is power over every realm of the server")];
            }
        }
        let Some(roles) = &self.roles else {
            let detail = "the token lists no roles, so that it cannot be seen whether there are more than needed";
            return vec![Check::new("other roles", "nothing", Outcome::Unknown, detail)];
        };
        if roles.contains("realm-admin") {
            return vec![excessive("realm-admin".to_owned(), "it is power over everything in the realm")];
        }
        let is_needed = |role: &str| needs.role_mapping && matches!(role, "manage-users" | "view-users");
        POWERFUL
            .iter()
            .filter(|role| roles.contains(**role) && !is_needed(role))
            .map(|role| excessive((*role).to_owned(), "whoever gets the identity's secret has it, too"))
            .collect()
    }
}

fn devices(scope: &DeviceScope) -> String {
    format!("the devices of the client scope `{}`", scope.name)
}

fn device_scope(wanted: &DeviceScope, found: Option<&ClientScope>, is_missing: bool) -> Check {
    let (outcome, detail) = match found {
        Some(scope) if gives(scope, wanted) => (Outcome::Held, "it is as the manifests want it"),
        Some(_) => (Outcome::Held, "it is there, but differs from the manifests; the plan says how"),
        None if is_missing => (Outcome::Held, "it is missing; apply makes it with `manage-clients`"),
        None => (Outcome::Unknown, "client scopes cannot be listed"),
    };
    Check::new(format!("client scope `{}`", wanted.name), devices(wanted), outcome, detail)
}

/// None where the right is missing.
fn allowed<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `scope` gives what `wanted` says, as far as its mappers show.
fn gives(scope: &ClientScope, wanted: &DeviceScope) -> bool {
    let config = |kind: &str, key: &str| {
        let mappers = scope.mappers.iter().filter(|mapper| mapper.protocol_mapper == kind);
        mappers.filter_map(|mapper| mapper.config.get(key)).map(String::as_str).collect::<Vec<_>>()
    };
    let role = wanted.maps_role || config("oidc-hardcoded-role-mapper", "role").contains(&wanted.role.as_str());
    let audiences = [
        config("oidc-audience-mapper", "included.custom.audience"),
        config("oidc-audience-mapper", "included.client.audience"),
    ];
    role && audiences.concat().contains(&wanted.audience.as_str())
}

/// The client whose roles administer the realm of `api`, in the identity's own realm.
fn management_client(api: &Api) -> String {
    if api.auth_realm == "master" { format!("{}-realm", api.realm) } else { "realm-management".to_owned() }
}
