//! One realm's administration interface: how a call is made, and the calls about clients.

use std::sync::Arc;

use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{Error, Said, SignIn};
use super::representation::{Client, ClientBody, ServerInfo, TokenClaims, User};
use super::token::{self, Token, Tokens};
use super::{Config, Connection, Credentials};
use crate::http::{self, Body, Method, Purpose, Repeat, Request, Response, StatusCode};
use crate::secret::Secret;

/// Keycloak answers with so many at about the cost of one.
const PAGE: usize = 500;
/// Pages overlap by one item, so that a list that moved between two pages is noticed.
const STRIDE: usize = PAGE - 1;
/// How many pages are asked for before the end of the list is known: enough for about 1,500 items at once.
const FIRST_WAVE: usize = 3;
const LARGEST_WAVE: usize = 12;
/// How often a list is read anew because it moved.
const READINGS: usize = 3;

/// One realm, as one identity.
pub struct Api {
    pub(super) connection: Connection,
    pub(super) realm: String,
    pub(super) auth_realm: String,
    pub(super) credentials: Credentials,
    tokens: Tokens,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = self.connection.http.server();
        out.debug_struct("Api").field("server", &server).field("realm", &self.realm).finish_non_exhaustive()
    }
}

/// One call below the realm.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Body>,
    pub(super) repeat: Repeat,
    /// What it is for, as in "create the client `x`".
    pub(super) doing: String,
    /// The roles that allow it, in words.
    pub(super) needs: &'static str,
    /// The secret in the body, which no message may repeat.
    pub(super) secret: Option<&'a Secret>,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: &'a [&'a str], doing: impl Into<String>, needs: &'static str) -> Self {
        let (doing, repeat) = (doing.into(), Repeat::Idempotent);
        Self { method, path, query: &[], body: None, repeat, doing, needs, secret: None }
    }

    pub(super) fn get(path: &'a [&'a str], doing: impl Into<String>, needs: &'static str) -> Self {
        Self::new(Method::GET, path, doing, needs)
    }

    /// A call that must not be carried out twice.
    pub(super) fn create(path: &'a [&'a str], doing: impl Into<String>, needs: &'static str) -> Self {
        Self { repeat: Repeat::Never, ..Self::new(Method::POST, path, doing, needs) }
    }

    pub(super) fn json(self, body: &impl serde::Serialize) -> Result<Self, Error> {
        match Body::json(body) {
            Ok(body) => Ok(Self { body: Some(body), ..self }),
            Err(_) => Err(Error::Encoding { doing: self.doing }),
        }
    }
}

/// The rights that calls about clients need.
pub(super) mod needs {
    pub(in crate::keycloak) const READ: &str = "the role `view-clients` (or `manage-clients`)";
    pub(in crate::keycloak) const WRITE: &str = "the role `manage-clients`";
    pub(in crate::keycloak) const READ_ROLE: &str = "the role `view-realm`";
    pub(in crate::keycloak) const WRITE_ROLE: &str = "the role `manage-realm`";
    pub(in crate::keycloak) const HOLDERS: &str = "the roles `view-users` and `view-realm`";
    pub(in crate::keycloak) const READ_USER: &str = "the role `view-users`";
    pub(in crate::keycloak) const MAP: &str = "the role `manage-users`";
}

impl Api {
    /// An interface to a realm; nothing is sent yet.
    ///
    /// # Errors
    /// The address or the file of certificate authorities cannot be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        let Config { url, realm, auth_realm, credentials, http } = config;
        let connection = Connection::new(url, &http)?;
        Ok(Self { connection, realm, auth_realm, credentials, tokens: Tokens::default() })
    }

    /// The realm that is managed.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> http::Counts {
        self.connection.http.counts()
    }

    /// All clients of the realm.
    pub async fn list_clients(&self) -> Result<Vec<Client>, Error> {
        self.list(Call::get(&["clients"], "list the clients", needs::READ), |client: &Client| &client.id).await
    }

    /// The client of that client id.
    pub async fn find_client(&self, client_id: &str) -> Result<Option<Client>, Error> {
        let doing = format!("look for the client `{client_id}`");
        let mut call = Call::get(&["clients"], doing, needs::READ);
        let query = [("clientId", client_id)];
        call.query = &query;
        let found: Vec<Client> = self.read(call).await?;
        Ok(found.into_iter().find(|client| client.client_id == client_id))
    }

    /// The client of that id (Keycloak's own).
    pub async fn get_client(&self, id: &str) -> Result<Option<Client>, Error> {
        self.read_if_any(Call::get(&["clients", id], format!("read the client `{id}`"), needs::READ)).await
    }

    /// Makes a client; answers with its id.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the client id is taken. Where [`Error::maybe_done`], it may have been made.
    pub async fn create_client(&self, fields: &Map<String, Value>, secret: Option<&Secret>) -> Result<String, Error> {
        let name = fields.get("clientId").and_then(Value::as_str).unwrap_or_default();
        let mut call = Call::create(&["clients"], format!("create the client `{name}`"), needs::WRITE)
            .json(&ClientBody { fields, secret })?;
        call.secret = secret;
        self.make(call).await
    }

    /// Merges `fields` into a client: what is not named stays. See `tests/keycloak_api.rs` for what a merge ignores.
    pub async fn update_client(
        &self,
        id: &str,
        fields: &Map<String, Value>,
        secret: Option<&Secret>,
    ) -> Result<(), Error> {
        let path = ["clients", id];
        let mut call = Call::new(Method::PUT, &path, format!("update the client `{id}`"), needs::WRITE)
            .json(&ClientBody { fields, secret })?;
        call.secret = secret;
        self.call(call).await.map(drop)
    }

    /// Removes a client; one that is gone already is a success.
    pub async fn delete_client(&self, id: &str) -> Result<(), Error> {
        let path = ["clients", id];
        let call = Call::new(Method::DELETE, &path, format!("delete the client `{id}`"), needs::WRITE);
        self.call_if_any(call).await.map(drop)
    }

    /// The id of the user that is the client's service account; none where it has none.
    pub async fn service_account_user(&self, client: &str) -> Result<Option<String>, Error> {
        let path = ["clients", client, "service-account-user"];
        let call = Call::get(&path, format!("find the service account of the client `{client}`"), needs::READ);
        match self.read_if_any::<User>(call).await {
            Ok(user) => Ok(user.map(|user| user.id)),
            // Keycloak's answer for a client whose service account is switched off.
            Err(Error::Rejected { status: 400, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The protocol mapper providers that the server knows; none where these rights do not show them.
    pub async fn mapper_types(&self) -> Result<Option<std::collections::BTreeSet<String>>, Error> {
        let call = Call::get(&[], "read what the server offers", needs::READ);
        let url = self.connection.address(&["admin", "serverinfo"], &[])?;
        let doing = call.doing.clone();
        let response = match self.call_at(url, call).await {
            Ok(response) => response,
            Err(Error::Forbidden { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let info: ServerInfo = parse(&response, doing)?;
        Ok(Some(info.protocol_mapper_types.into_values().flatten().map(|mapper| mapper.id).collect()))
    }

    /// Takes a token for a client of the realm, and reads what it says.
    pub async fn take_token(&self, client_id: &str, secret: &Secret) -> Result<TokenClaims, Error> {
        let credentials = Credentials::Client { client_id: client_id.to_owned(), client_secret: secret.clone() };
        let token = token::take(&self.connection, &self.realm, &credentials).await?;
        token.claims().ok_or_else(|| opaque(client_id))
    }

    /// What the identity's own token says.
    pub async fn own_claims(&self) -> Result<TokenClaims, Error> {
        self.token(None).await?.claims().ok_or_else(|| opaque(self.credentials.identity()))
    }

    async fn token(&self, refused: Option<&Arc<Token>>) -> Result<Arc<Token>, Error> {
        let take = async || token::take(&self.connection, &self.auth_realm, &self.credentials).await;
        self.tokens.get(refused, take).await
    }

    /// Makes a call below the realm; any status but success is an error.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Response, Error> {
        let path: Vec<&str> = ["admin", "realms", &self.realm].into_iter().chain(call.path.iter().copied()).collect();
        let url = self.connection.address(&path, call.query)?;
        self.call_at(url, call).await
    }

    async fn call_at(&self, url: url::Url, call: Call<'_>) -> Result<Response, Error> {
        let purpose = if call.method == Method::GET { Purpose::Read } else { Purpose::Write };
        let mut token = self.token(None).await?;
        let mut refused = false;
        let response = loop {
            let request = Request {
                method: call.method.clone(),
                url: url.clone(),
                purpose,
                repeat: call.repeat,
                bearer: Some(&token.value),
                body: call.body.clone(),
            };
            let sent = self.connection.http.send(&request).await;
            let response = sent.map_err(|cause| Error::Connection { doing: call.doing.clone(), cause })?;
            // The token may have died before its time: sessions removed, keys changed, clocks apart. Once.
            if response.status != StatusCode::UNAUTHORIZED || refused {
                break response;
            }
            refused = true;
            token = self.token(Some(&token)).await?;
        };
        if response.status.is_success() { Ok(response) } else { Err(self.error(call, &response)) }
    }

    fn error(&self, call: Call<'_>, response: &Response) -> Error {
        let sent: Vec<&Secret> = [self.credentials.secret()].into_iter().chain(call.secret).collect();
        let said = Said::read(&response.body, &sent);
        let (doing, identity) = (call.doing, || self.credentials.identity().to_owned());
        match response.status {
            StatusCode::UNAUTHORIZED => {
                let (realm, reason) = (self.auth_realm.clone(), SignIn::TokenRefused);
                Error::Unauthorized { identity: identity(), realm, reason }
            }
            StatusCode::FORBIDDEN => {
                Error::Forbidden { identity: identity(), doing, needs: call.needs, place: self.place_of_rights() }
            }
            StatusCode::NOT_FOUND if said.text.as_deref() == Some("Realm not found.") => {
                Error::RealmNotFound { server: self.connection.http.server().to_owned(), realm: self.realm.clone() }
            }
            StatusCode::NOT_FOUND if is_absence(&said) => Error::NotFound { doing, detail: said.to_string() },
            _ => self.connection.failure(doing, response, &said),
        }
    }

    /// Where an administrator finds the roles that the identity may need.
    pub(super) fn place_of_rights(&self) -> String {
        if self.auth_realm == self.realm {
            format!("of the client `realm-management` in the realm `{}`", self.realm)
        } else if self.auth_realm == "master" {
            format!("of the client `{}-realm` in the realm `master`", self.realm)
        } else {
            format!("in the realm `{}` itself, since an identity of `{}` has none there", self.realm, self.auth_realm)
        }
    }

    /// The same, where what the call is about may be absent.
    pub(super) async fn call_if_any(&self, call: Call<'_>) -> Result<Option<Response>, Error> {
        match self.call(call).await {
            Ok(response) => Ok(Some(response)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Error> {
        let doing = call.doing.clone();
        parse(&self.call(call).await?, doing)
    }

    pub(super) async fn read_if_any<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Option<T>, Error> {
        let doing = call.doing.clone();
        self.call_if_any(call).await?.map(|response| parse(&response, doing)).transpose()
    }

    /// Makes something; answers with the id in `Location`.
    pub(super) async fn make(&self, call: Call<'_>) -> Result<String, Error> {
        let doing = call.doing.clone();
        let response = self.call(call).await?;
        let id = response.location.as_deref().and_then(|location| location.rsplit('/').next());
        let status = response.status.as_u16();
        let what = || "the answer does not say where it was created".to_owned();
        id.filter(|id| !id.is_empty()).map(str::to_owned).ok_or_else(|| Error::UnexpectedResponse {
            doing,
            status,
            what: what(),
        })
    }

    /// A whole list, page by page, several pages at a time; anew where it moved meanwhile.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        id: impl Fn(&T) -> &String,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..READINGS {
            if let Some(all) = self.list_once(&call, &id).await? {
                return Ok(all);
            }
        }
        Err(Error::Unsettled { doing: call.doing })
    }

    /// None where two pages do not meet.
    async fn list_once<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        id: impl Fn(&T) -> &String,
    ) -> Result<Option<Vec<T>>, Error> {
        let page = async |number: usize| -> Result<Vec<T>, Error> {
            let (first, most) = ((number * STRIDE).to_string(), PAGE.to_string());
            let range = [("first", first.as_str()), ("max", most.as_str())];
            let query: Vec<_> = call.query.iter().copied().chain(range).collect();
            self.read(Call { query: &query, ..Call::get(call.path, &*call.doing, call.needs) }).await
        };
        let (mut all, mut next, mut wave) = (Vec::<T>::new(), 0, FIRST_WAVE);
        loop {
            let pages = try_join_all((next..next + wave).map(&page)).await?;
            next += wave;
            wave = LARGEST_WAVE.min(2 * wave);
            for page in pages {
                let is_last = page.len() < PAGE;
                let mut items = page.into_iter();
                if let Some(last) = all.last()
                    && items.next().is_none_or(|first| id(&first) != id(last))
                {
                    return Ok(None);
                }
                all.extend(items);
                if is_last {
                    return Ok(Some(all));
                }
            }
        }
    }
}

/// Whether a 404 means that the thing is not there, and not that the address is wrong.
fn is_absence(said: &Said) -> bool {
    let text = said.text.as_deref().unwrap_or_default();
    let kind = text.strip_suffix(" not found");
    text.starts_with("Could not find ") || matches!(kind, Some("Client" | "Client scope" | "Model" | "Role" | "User"))
}

fn parse<T: DeserializeOwned>(response: &Response, doing: String) -> Result<T, Error> {
    serde_json::from_slice(&response.body).map_err(|error| Error::UnexpectedResponse {
        doing,
        status: response.status.as_u16(),
        // The error's own text may quote the body.
        what: format!("the answer is not what it should be (line {}, column {})", error.line(), error.column()),
    })
}

fn opaque(client_id: &str) -> Error {
    let doing = format!("read the token of `{client_id}`");
    Error::UnexpectedResponse { doing, status: 200, what: "it is not a JSON web token".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Providers run on several threads. Nothing is sent: what is checked is that it compiles.
    #[test]
    fn calls_can_move_between_threads() {
        fn is_send(_: &impl Send) {}
        let credentials = Credentials::Client { client_id: "c".to_owned(), client_secret: Secret::new("s".to_owned()) };
        let url = url::Url::parse("http://localhost:9").unwrap();
        let (realm, auth_realm) = ("r".to_owned(), "r".to_owned());
        let api = Api::new(Config { url, realm, auth_realm, credentials, http: http::Options::default() }).unwrap();
        let (fields, secret, needs) = (Map::new(), Secret::new("s".to_owned()), super::super::doctor::Needs::default());
        is_send(&api.list_clients());
        is_send(&api.find_client("c"));
        is_send(&api.create_client(&fields, Some(&secret)));
        is_send(&api.delete_client("c"));
        is_send(&api.list_client_scopes());
        is_send(&api.create_client_scope(&Value::Null));
        is_send(&api.realm_role_members("r"));
        is_send(&api.add_realm_roles("u", &[]));
        is_send(&api.mapper_types());
        is_send(&api.take_token("c", &secret));
        is_send(&super::super::doctor::examine(&api, &needs));
    }
}
