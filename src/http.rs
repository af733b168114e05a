//! One way to speak HTTP to a target: time limits, a budget of requests, patience, and counters.
//!
//! A [`Client`] belongs to one target, and everything that talks to that target shares it: its budget bounds what is in
//! flight, and its state decides how patient a connection failure makes us. What always holds:
//!
//! - Nothing is followed elsewhere: redirects are answers like any other, so that no credential reaches a host that
//!   nobody named.
//! - A request that changes something once ([`Repeat::Never`]) is sent again only where it certainly was not carried
//!   out: the connection could not be made, or the server said 429 or 503 together with `Retry-After`.
//! - Bodies, headers and tokens are never logged, at any level, and are zeroed after use where they are ours.
//!
//! It does not know what an answer means: every status that is not worth another try is handed to the caller.

mod message;
mod retry;
mod websocket;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::secret::Secret;
use retry::Patience;

pub use message::{Body, Purpose, Repeat, Request, Response};
pub use reqwest::{Method, StatusCode};
pub use websocket::WebSocket;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The first request of a kind takes a cold Keycloak up to 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// Far above any page that we ask for; below what would exhaust the memory of a small machine.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("provisor/", env!("CARGO_PKG_VERSION"));

/// How to reach a target.
#[derive(Debug, Clone)]
pub struct Options {
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How many requests may be in flight at a time.
    pub parallelism: usize,
    /// For how long a target that does not answer yet is waited for.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { ca_file: None, parallelism: 8, wait: Duration::ZERO }
    }
}

/// Why there is no answer. The text of the cause never contains what was sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file of certificate authorities cannot be used.
    #[error("the certificates of `{}` cannot be used", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: Cause,
    },
    /// The client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] Cause),
    /// No connection: unknown name, refused, timed out. Nothing was sent.
    #[error("`{server}` cannot be reached")]
    Unreachable {
        /// Scheme, host and port.
        server: String,
        /// Whether it is the name that nobody knows.
        is_unknown_host: bool,
        /// What the system said.
        #[source]
        cause: Cause,
    },
    /// The connection was made, but not a trusted one. Nothing was sent.
    #[error("there is no trusted connection to `{server}`")]
    Tls {
        /// Scheme, host and port.
        server: String,
        /// What is wrong with the certificate or the handshake.
        #[source]
        cause: Cause,
    },
    /// The request was sent, and no complete answer came: it may have been carried out.
    #[error("the answer of `{server}` was lost")]
    Lost {
        /// Scheme, host and port.
        server: String,
        /// What happened to it.
        #[source]
        cause: Cause,
    },
    /// The answer is larger than anything that was asked for.
    #[error("the answer of `{server}` is larger than {} MiB", MOST_BYTES / 1024 / 1024)]
    TooLarge {
        /// Scheme, host and port.
        server: String,
    },
}

impl Error {
    /// Whether the request may have been carried out although there is no answer.
    pub fn maybe_done(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::TooLarge { .. })
    }
}

/// The innermost reason that a library gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let innermost = chain(error).last().map(ToString::to_string);
        Self(innermost.unwrap_or_else(|| error.to_string()))
    }
}

/// How many requests were sent, every attempt counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that only read.
    pub reads: u64,
    /// Requests that change something.
    pub writes: u64,
    /// Requests for a token.
    pub tokens: u64,
}

#[derive(Debug, Default)]
struct Counters {
    reads: AtomicU64,
    writes: AtomicU64,
    tokens: AtomicU64,
}

/// The connection to one target.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Speaks HTTP/1.1 only, since a WebSocket begins as such a request, and has no limit of time for the whole.
    upgrading: reqwest::Client,
    server: String,
    budget: Semaphore,
    patience: Patience,
    counters: Counters,
}

impl Client {
    /// A client for the server at `base`. Nothing is sent yet.
    ///
    /// # Errors
    /// The certificate authorities cannot be read.
    pub fn new(base: &Url, options: &Options) -> Result<Self, Error> {
        Ok(Self {
            http: build(base, options, false)?,
            upgrading: build(base, options, true)?,
            server: base.origin().ascii_serialization(),
            budget: Semaphore::new(options.parallelism.clamp(1, Semaphore::MAX_PERMITS)),
            patience: Patience::new(options.wait),
            counters: Counters::default(),
        })
    }

    /// Scheme, host and port, for messages.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// How many requests were sent so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Counts { reads: read(&counters.reads), writes: read(&counters.writes), tokens: read(&counters.tokens) }
    }

    /// Sends `request`, within the budget, and again where that is safe and may help.
    ///
    /// A permit is kept while waiting for another attempt: an overloaded server is asked less by everybody.
    ///
    /// # Errors
    /// There is no complete answer; any status is an answer.
    pub async fn send(&self, request: &Request<'_>) -> Result<Response, Error> {
        let permit = self.budget.acquire().await.map_err(|error| Error::Setup(Cause::of(&error)))?;
        let started = Instant::now();
        let mut attempt = 0;
        let outcome = loop {
            let outcome = self.attempt(request).await;
            let delay = self.patience.delay(request.repeat, &outcome, attempt, started.elapsed());
            let Some(delay) = delay else { break outcome };
            let (reason, path) = (reason(&outcome), request.url.path());
            tracing::debug!(http.path = path, delay_ms = delay.as_millis(), "asking `{}` again: {reason}", self.server);
            tokio::time::sleep(delay).await;
            attempt += 1;
        };
        self.patience.ended(&outcome);
        drop(permit);
        outcome
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Response, Error> {
        let mut sent = self.http.request(request.method.clone(), request.url.clone());
        sent = sent.header(ACCEPT, "application/json");
        if let Some(token) = request.bearer {
            sent = sent.header(AUTHORIZATION, bearer(token).map_err(|error| Error::Setup(Cause::of(&error)))?);
        }
        if let Some(body) = &request.body {
            sent = sent.header(CONTENT_TYPE, body.content_type).body(body.bytes.clone());
        }
        let counter = match request.purpose {
            Purpose::Read => &self.counters.reads,
            Purpose::Write => &self.counters.writes,
            Purpose::Token => &self.counters.tokens,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        let sent = sent.send().await;
        let duration_ms = started.elapsed().as_millis();
        let (method, path, server) = (&request.method, request.url.path(), &self.server);
        match &sent {
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::debug!(http.method = %method, http.path = path, http.status = status, duration_ms, "`{server}` answered `{method} {path}` with {status}");
            }
            Err(_) => {
                tracing::debug!(http.method = %method, http.path = path, duration_ms, "`{server}` did not answer `{method} {path}`");
            }
        }
        let response = sent.map_err(|error| self.failure(error))?;
        self.patience.met();
        let (status, headers) = (response.status(), response.headers());
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after = retry::retry_after(headers);
        let body = self.read(response).await?;
        Ok(Response { status, location, retry_after, body })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, Error> {
        let too_large = || Error::TooLarge { server: self.server.clone() };
        let announced = response.content_length().map_or(Ok(0), usize::try_from).map_err(|_| too_large())?;
        if announced > MOST_BYTES {
            return Err(too_large());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(announced));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error))? {
            let size = body.len() + chunk.len();
            if size > MOST_BYTES {
                return Err(too_large());
            }
            if size > body.capacity() {
                // Grown by hand: `Vec` would leave a copy of what may be secret behind.
                let mut larger = Zeroizing::new(Vec::with_capacity(size.max(2 * body.capacity())));
                larger.extend_from_slice(&body);
                body = larger;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The error of a library in our words, without the address, which the caller names better.
    fn failure(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        let (server, cause) = (self.server.clone(), Cause::of(&error));
        if error.is_builder() {
            Error::Setup(cause)
        } else if !error.is_connect() {
            let cause = if error.is_timeout() { Cause("no answer in time".to_owned()) } else { cause };
            Error::Lost { server, cause }
        } else if is_tls(&error) {
            Error::Tls { server, cause }
        } else {
            let is_unknown_host = chain(&error).any(|error| error.to_string() == "dns error");
            let cause = if error.is_timeout() { Cause("no connection in time".to_owned()) } else { cause };
            Error::Unreachable { server, is_unknown_host, cause }
        }
    }
}

fn build(base: &Url, options: &Options, upgrades: bool) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Shorter than a proxy keeps a connection: a create must not meet one that is being closed.
        .pool_idle_timeout(IDLE_TIMEOUT);
    builder = if upgrades { builder.http1_only() } else { builder.timeout(REQUEST_TIMEOUT) };
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    let setup = |error: reqwest::Error| Error::Setup(Cause::of(&error));
    if let Some(path) = &options.ca_file {
        let unusable = |cause| Error::CaFile { path: path.clone(), cause };
        let pem = std::fs::read(path).map_err(|error| unusable(Cause::of(&error)))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(Cause::of(&error)))?;
        if certificates.is_empty() {
            return Err(unusable(Cause("it holds no certificate".to_owned())));
        }
        return builder.tls_certs_merge(certificates).build().map_err(|error| unusable(Cause::of(&error)));
    }
    if base.scheme() != "https" {
        // Without encryption the system's authorities are of no use, and reading them takes time.
        return builder.tls_certs_only([]).build().map_err(setup);
    }
    builder.build().map_err(setup)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `error` and everything below it, also what an I/O error wraps.
fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn std::error::Error + 'static)),
            None => error.source(),
        }
    })
}

/// Whether a connection failed over certificates or the handshake: rustls reports both as invalid data.
fn is_tls(error: &reqwest::Error) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::InvalidData)
}

/// For the log: what made another attempt necessary.
fn reason(outcome: &Result<Response, Error>) -> String {
    match outcome {
        Ok(response) => format!("status {}", response.status.as_u16()),
        Err(error) => chain(error).last().map(ToString::to_string).unwrap_or_default(),
    }
}
