//! Roles: whether they exist, who holds them, and which a service account has.

use std::collections::BTreeSet;

use serde_json::json;

use super::api::{Api, Call, needs};
use super::error::Error;
use super::representation::{RawMappings, Role, RoleMappings, User};
use crate::http::Method;

impl Api {
    /// The realm role of that name.
    pub async fn find_realm_role(&self, name: &str) -> Result<Option<Role>, Error> {
        let path = ["roles", name];
        self.read_if_any(Call::get(&path, format!("read the realm role `{name}`"), needs::READ_ROLE)).await
    }

    /// Makes a realm role.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where there is one. Where [`Error::maybe_done`], it may have been made.
    pub async fn create_realm_role(&self, name: &str) -> Result<(), Error> {
        let call = Call::create(&["roles"], format!("create the realm role `{name}`"), needs::WRITE_ROLE);
        self.call(call.json(&json!({"name": name}))?).await.map(drop)
    }

    /// The names of all users that hold a realm role directly; a service account's is `service-account-` and the
    /// client id in lower case. A role that does not exist is held by nobody.
    pub async fn realm_role_members(&self, name: &str) -> Result<BTreeSet<String>, Error> {
        let path = ["roles", name, "users"];
        let mut call = Call::get(&path, format!("list who holds the realm role `{name}`"), needs::HOLDERS);
        call.query = &[("briefRepresentation", "true")];
        match self.list(call, |user: &User| &user.id).await {
            Ok(users) => Ok(users.into_iter().map(|user| user.username).collect()),
            Err(Error::NotFound { .. }) => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// A role of the client with that id (Keycloak's own).
    pub async fn find_client_role(&self, client: &str, name: &str) -> Result<Option<Role>, Error> {
        let path = ["clients", client, "roles", name];
        self.read_if_any(Call::get(&path, format!("read the client role `{name}`"), needs::READ)).await
    }

    /// The roles that are mapped to a user directly.
    pub async fn role_mappings(&self, user: &str) -> Result<RoleMappings, Error> {
        let path = ["users", user, "role-mappings"];
        let raw: RawMappings =
            self.read(Call::get(&path, "read the roles of a service account", needs::READ_USER)).await?;
        Ok(raw.into())
    }

    /// Maps realm roles to a user; those it has are no error.
    pub async fn add_realm_roles(&self, user: &str, roles: &[Role]) -> Result<(), Error> {
        self.map_roles(Method::POST, &["users", user, "role-mappings", "realm"], roles).await
    }

    /// Takes realm roles from a user.
    pub async fn remove_realm_roles(&self, user: &str, roles: &[Role]) -> Result<(), Error> {
        self.map_roles(Method::DELETE, &["users", user, "role-mappings", "realm"], roles).await
    }

    /// Maps roles of the client with that id to a user.
    pub async fn add_client_roles(&self, user: &str, client: &str, roles: &[Role]) -> Result<(), Error> {
        self.map_roles(Method::POST, &["users", user, "role-mappings", "clients", client], roles).await
    }

    /// Takes roles of the client with that id from a user.
    pub async fn remove_client_roles(&self, user: &str, client: &str, roles: &[Role]) -> Result<(), Error> {
        self.map_roles(Method::DELETE, &["users", user, "role-mappings", "clients", client], roles).await
    }

    async fn map_roles(&self, method: Method, path: &[&str], roles: &[Role]) -> Result<(), Error> {
        let names: Vec<String> = roles.iter().map(|role| format!("`{}`", role.name)).collect();
        let done = if method == Method::DELETE { "take" } else { "give" };
        let doing = format!("{done} a service account the roles {}", names.join(", "));
        self.call(Call::new(method, path, doing, needs::MAP).json(&roles)?).await.map(drop)
    }
}
