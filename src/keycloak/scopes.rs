//! Client scopes: the realm's, and which of them a client has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::api::{Api, Call, needs};
use super::error::Error;
use super::representation::{ClientScope, Role};
use crate::http::Method;

impl Api {
    /// All client scopes of the realm, with their mappers.
    pub async fn list_client_scopes(&self) -> Result<Vec<ClientScope>, Error> {
        self.read(Call::get(&["client-scopes"], "list the client scopes", needs::READ)).await
    }

    /// Makes a client scope of `body`, Keycloak's representation; answers with its id.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the name is taken. Where [`Error::maybe_done`], it may have been made.
    pub async fn create_client_scope(&self, body: &Value) -> Result<String, Error> {
        let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
        let call = Call::create(&["client-scopes"], format!("create the client scope `{name}`"), needs::WRITE);
        self.make(call.json(body)?).await
    }

    /// Merges `attributes` into those of a scope; an empty text removes one. Keycloak insists on the name.
    pub async fn update_client_scope(
        &self,
        id: &str,
        name: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let path = ["client-scopes", id];
        let call = Call::new(Method::PUT, &path, format!("update the client scope `{name}`"), needs::WRITE);
        self.call(call.json(&json!({"name": name, "attributes": attributes}))?).await.map(drop)
    }

    /// Adds a mapper to a scope.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the scope has a mapper of that name.
    pub async fn add_scope_mapper(&self, scope: &str, mapper: &Value) -> Result<(), Error> {
        let path = ["client-scopes", scope, "protocol-mappers", "models"];
        let call = Call::create(&path, format!("add a mapper to the client scope `{scope}`"), needs::WRITE);
        self.call(call.json(mapper)?).await.map(drop)
    }

    /// Replaces a mapper of a scope; `mapper` is the whole representation with its id.
    pub async fn update_scope_mapper(&self, scope: &str, id: &str, mapper: &Value) -> Result<(), Error> {
        let path = ["client-scopes", scope, "protocol-mappers", "models", id];
        let doing = format!("change a mapper of the client scope `{scope}`");
        self.call(Call::new(Method::PUT, &path, doing, needs::WRITE).json(mapper)?).await.map(drop)
    }

    /// Gives a client a scope that every token carries. One that the client has as optional must be removed first:
    /// Keycloak would report success and do nothing.
    pub async fn add_default_scope(&self, client: &str, scope: &str) -> Result<(), Error> {
        self.link_scope(Method::PUT, client, "default-client-scopes", scope).await
    }

    /// Takes a scope off a client's default ones; one that it does not have is a success.
    pub async fn remove_default_scope(&self, client: &str, scope: &str) -> Result<(), Error> {
        self.link_scope(Method::DELETE, client, "default-client-scopes", scope).await
    }

    /// Gives a client a scope that a request may ask for; see [`Api::add_default_scope`].
    pub async fn add_optional_scope(&self, client: &str, scope: &str) -> Result<(), Error> {
        self.link_scope(Method::PUT, client, "optional-client-scopes", scope).await
    }

    /// Takes a scope off a client's optional ones; one that it does not have is a success.
    pub async fn remove_optional_scope(&self, client: &str, scope: &str) -> Result<(), Error> {
        self.link_scope(Method::DELETE, client, "optional-client-scopes", scope).await
    }

    async fn link_scope(&self, method: Method, client: &str, list: &str, scope: &str) -> Result<(), Error> {
        let path = ["clients", client, list, scope];
        self.call(Call::new(method, &path, "change the scopes of a client", needs::WRITE)).await.map(drop)
    }

    /// The realm roles that a scope lets into tokens.
    pub async fn scope_realm_roles(&self, scope: &str) -> Result<Vec<Role>, Error> {
        let path = ["client-scopes", scope, "scope-mappings", "realm"];
        self.read(Call::get(&path, format!("read the roles of the client scope `{scope}`"), needs::READ)).await
    }

    /// Lets realm roles into the tokens of clients with the scope, for those who hold them.
    pub async fn add_scope_realm_roles(&self, scope: &str, roles: &[Role]) -> Result<(), Error> {
        let path = ["client-scopes", scope, "scope-mappings", "realm"];
        let doing = format!("add roles to the client scope `{scope}`");
        self.call(Call::new(Method::POST, &path, doing, needs::WRITE).json(&roles)?).await.map(drop)
    }
}
