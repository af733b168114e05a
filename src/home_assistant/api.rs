//! The client of one Home Assistant.
//!
//! Commands go over `WebSocket`s, a few of them kept open: a set-up takes seconds, and the answer to one command does not
//! wait for another's. Each connection signs in with the token as it is then, since the component renews the one that
//! it keeps in a file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::PROTOCOL;
use super::entry::{Listing, Removal, Upsert, Upserted};
use super::error::Error;
use crate::diagnostic::Problem;
use crate::http::{self, Client, Counts, Method, Purpose, Repeat, Request, StatusCode, WebSocket};
use crate::secret::Secret;

/// A set-up that has not ended by then is not going to.
const PATIENCE: Duration = Duration::from_mins(5);

/// How often a Home Assistant that starts is asked again.
const POLL: Duration = Duration::from_millis(500);

/// Where a token comes from, each time that one is needed.
pub type TokenSource = Arc<dyn Fn() -> Result<Secret, Problem> + Send + Sync>;

/// How to reach a Home Assistant.
pub struct Config {
    /// The base address.
    pub url: String,
    /// The token.
    pub token: TokenSource,
    /// Certificates, patience, budget.
    pub http: http::Options,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Config").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The client of one Home Assistant.
pub struct Api {
    base: Url,
    http: Client,
    token: TokenSource,
    budget: tokio::sync::Semaphore,
    idle: Mutex<Vec<Connection>>,
    counts: Mutex<Counts>,
    /// How long a start is waited for.
    wait: Duration,
    met: tokio::sync::OnceCell<()>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Api").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A WebSocket that is signed in.
struct Connection {
    socket: WebSocket,
    last: u64,
}

#[derive(Serialize)]
struct Command<'a, T> {
    id: u64,
    r#type: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Deserialize)]
struct Answer<T> {
    id: Option<u64>,
    #[serde(default)]
    success: bool,
    result: Option<T>,
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    code: Value,
    message: String,
}

#[derive(Deserialize)]
struct Greeting {
    r#type: String,
}

/// What Home Assistant says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct About {
    /// Its version.
    pub version: String,
    /// `RUNNING`, or what it does instead.
    pub state: String,
}

impl Api {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// The address is none, or the certificate authorities cannot be read.
    pub fn new(config: Config) -> Result<Self, Error> {
        let invalid = |reason: String| Error::InvalidUrl { url: config.url.clone(), reason };
        let mut base: Url = config.url.parse().map_err(|error: url::ParseError| invalid(error.to_string()))?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let doing = "set up the connection".to_owned();
        let http = Client::new(&base, &config.http).map_err(|cause| Error::Connection { doing, cause })?;
        Ok(Self {
            base,
            http,
            token: config.token,
            budget: tokio::sync::Semaphore::new(config.http.parallelism.max(1)),
            idle: Mutex::default(),
            counts: Mutex::default(),
            wait: config.http.wait,
            met: tokio::sync::OnceCell::new(),
        })
    }

    /// Requests and commands so far.
    pub fn requests(&self) -> Counts {
        let (sent, http) = (*self.counts.lock().unwrap_or_else(PoisonError::into_inner), self.http.counts());
        Counts { reads: sent.reads + http.reads, writes: sent.writes + http.writes, tokens: sent.tokens + http.tokens }
    }

    /// What Home Assistant says of itself; waits for it as long as the options say.
    ///
    /// # Errors
    /// It does not answer, or does not accept the token.
    pub async fn about(&self) -> Result<About, Error> {
        let token = (self.token)().map_err(Error::Token)?;
        let doing = "look at Home Assistant's configuration";
        let response = self.rest(Method::GET, "api/config", Purpose::Read, &token, doing).await?;
        serde_json::from_slice(&response).map_err(|_| Error::Unexpected {
            doing: doing.to_owned(),
            what: "the answer is none of its own".to_owned(),
        })
    }

    /// Waits until Home Assistant answers and has started, as long as the options say: before that, entries that are set
    /// up later look broken.
    async fn meet(&self) -> Result<(), Error> {
        let begun = tokio::time::Instant::now();
        loop {
            let about = self.about().await?;
            if about.state == "RUNNING" {
                return Ok(());
            }
            if begun.elapsed() >= self.wait {
                let server = self.http.server().to_owned();
                return Err(Error::Starting { server, state: about.state });
            }
            tokio::time::sleep(POLL.min(self.wait)).await;
        }
    }

    /// Every config entry, with the plain fields of `fields` by value and digests of all others.
    ///
    /// `durable` waits until what is in memory is on disk.
    ///
    /// # Errors
    /// The component is missing or of another protocol; the token is not an administrator's; no answer.
    pub async fn list(&self, fields: &BTreeMap<String, Vec<String>>, durable: bool) -> Result<Listing, Error> {
        let body = json!({"all": true, "fields": fields, "durable": durable});
        let doing = "list the config entries";
        let listing: Listing = self.call("nixos_integrations/list", &body, Purpose::Read, doing).await?;
        if listing.protocol != PROTOCOL {
            return Err(Error::Protocol { version: listing.version, theirs: listing.protocol, ours: PROTOCOL });
        }
        Ok(listing)
    }

    /// Makes an entry as `wanted`.
    ///
    /// # Errors
    /// The component refused, or there is no answer.
    pub async fn upsert(&self, wanted: &Upsert<'_>) -> Result<Upserted, Error> {
        let doing = format!("write the entry `{}`", wanted.name);
        self.call("nixos_integrations/upsert", wanted, Purpose::Write, &doing).await
    }

    /// Removes, disables or forgets an entry of `owner`; "already gone" is success.
    ///
    /// # Errors
    /// The entry is not `owner`'s, was changed since, or there is no answer.
    pub async fn remove(&self, owner: &str, entry_id: &str, mode: Removal, expect: &str) -> Result<(), Error> {
        let body = json!({"owner": owner, "entry_id": entry_id, "mode": mode, "expect": expect});
        let doing = format!("remove the entry `{entry_id}`");
        self.call::<Value>("nixos_integrations/remove", &body, Purpose::Write, &doing).await.map(drop)
    }

    /// Disables an entry, also without the component.
    ///
    /// # Errors
    /// There is no such entry, or no answer.
    pub async fn disable(&self, entry_id: &str) -> Result<(), Error> {
        let body = json!({"entry_id": entry_id, "disabled_by": "user"});
        let doing = format!("disable the entry `{entry_id}`");
        self.call::<Value>("config_entries/disable", &body, Purpose::Write, &doing).await.map(drop)
    }

    /// Deletes an entry, also without the component; "already gone" is success.
    ///
    /// # Errors
    /// The token may not, or there is no answer.
    pub async fn delete(&self, entry_id: &str) -> Result<(), Error> {
        let token = (self.token)().map_err(Error::Token)?;
        let doing = format!("delete the entry `{entry_id}`");
        let path = format!("api/config/config_entries/entry/{entry_id}");
        match self.rest(Method::DELETE, &path, Purpose::Write, &token, &doing).await {
            Err(Error::Refused { code, .. }) if code == "404" => Ok(()),
            other => other.map(drop),
        }
    }

    async fn rest(
        &self,
        method: Method,
        path: &str,
        purpose: Purpose,
        token: &Secret,
        doing: &str,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        let invalid = |error: url::ParseError| Error::InvalidUrl { url: path.to_owned(), reason: error.to_string() };
        let url = self.base.join(path).map_err(invalid)?;
        let repeat = Repeat::Idempotent;
        let request = Request { method, url, purpose, repeat, bearer: Some(token), body: None };
        let response =
            self.http.send(&request).await.map_err(|cause| Error::Connection { doing: doing.to_owned(), cause })?;
        match response.status {
            StatusCode::OK => Ok(response.body),
            StatusCode::UNAUTHORIZED if purpose == Purpose::Read => {
                Err(Error::Unauthorized { server: self.http.server().to_owned() })
            }
            StatusCode::UNAUTHORIZED => Err(Error::Forbidden { doing: doing.to_owned() }),
            status => Err(Error::Refused {
                doing: doing.to_owned(),
                code: status.as_u16().to_string(),
                message: format!("it answered with status {}", status.as_u16()),
            }),
        }
    }

    /// Sends a command and takes its answer.
    async fn call<T: DeserializeOwned>(
        &self,
        command: &str,
        body: &impl Serialize,
        purpose: Purpose,
        doing: &str,
    ) -> Result<T, Error> {
        let lost = |cause: http::Error| Error::Connection { doing: doing.to_owned(), cause };
        let unexpected = |what: &str| Error::Unexpected { doing: doing.to_owned(), what: what.to_owned() };
        let _permit = self.budget.acquire().await.map_err(|_| unexpected("the client is closed"))?;
        self.met.get_or_try_init(|| self.meet()).await?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect(doing).await?,
        };
        self.count(purpose);
        connection.last += 1;
        let id = connection.last;
        connection.socket.send(&Command { id, r#type: command, body }).await.map_err(lost)?;
        let answer: Answer<T> = loop {
            let bytes = connection.socket.receive(PATIENCE).await.map_err(lost)?;
            let answer: Answer<T> =
                serde_json::from_slice(&bytes).map_err(|_| unexpected("the answer is none of the component's"))?;
            if answer.id == Some(id) {
                break answer;
            }
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        match (answer.success, answer.result, answer.error) {
            (true, Some(result), _) => Ok(result),
            (false, _, Some(said)) => Err(self.refusal(said, doing)),
            _ => Err(unexpected("the answer is none of the component's")),
        }
    }

    fn refusal(&self, said: Said, doing: &str) -> Error {
        let code = said.code.as_str().map_or_else(|| said.code.to_string(), str::to_owned);
        match code.as_str() {
            "unknown_command" => Error::ComponentMissing { server: self.http.server().to_owned() },
            "unauthorized" => Error::Forbidden { doing: doing.to_owned() },
            _ => Error::Refused { doing: doing.to_owned(), code, message: said.message },
        }
    }

    fn count(&self, purpose: Purpose) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match purpose {
            Purpose::Read => counts.reads += 1,
            Purpose::Write => counts.writes += 1,
            Purpose::Token => counts.tokens += 1,
        }
    }

    /// Opens a WebSocket and signs in.
    async fn connect(&self, doing: &str) -> Result<Connection, Error> {
        let lost = |cause: http::Error| Error::Connection { doing: doing.to_owned(), cause };
        let url = self
            .base
            .join("api/websocket")
            .map_err(|error| Error::InvalidUrl { url: self.base.to_string(), reason: error.to_string() })?;
        let token = (self.token)().map_err(Error::Token)?;
        self.count(Purpose::Token);
        let mut socket = self.http.open(url).await.map_err(lost)?;
        let mut greeting = socket.receive(PATIENCE).await.map_err(lost)?;
        if kind(&greeting) == "auth_required" {
            let sign_in = SignIn { r#type: "auth", access_token: token.expose() };
            socket.send(&sign_in).await.map_err(lost)?;
            greeting = socket.receive(PATIENCE).await.map_err(lost)?;
        }
        match kind(&greeting).as_str() {
            "auth_ok" => Ok(Connection { socket, last: 0 }),
            "auth_invalid" => Err(Error::Unauthorized { server: self.http.server().to_owned() }),
            _ => Err(Error::Unexpected { doing: doing.to_owned(), what: "it greets in another way".to_owned() }),
        }
    }
}

#[derive(Serialize)]
struct SignIn<'a> {
    r#type: &'a str,
    access_token: &'a str,
}

fn kind(message: &[u8]) -> String {
    serde_json::from_slice::<Greeting>(message).map_or_else(|_| String::new(), |greeting| greeting.r#type)
}
