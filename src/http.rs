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

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::bytes::Bytes;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::secret::Secret;

pub use reqwest::{Method, StatusCode};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The first request of a kind takes a cold Keycloak up to 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// No further attempt is begun this long after the first.
const PATIENCE: Duration = Duration::from_secs(30);
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_MOST: Duration = Duration::from_secs(5);
/// Far above any page that we ask for; below what would exhaust the memory of a small machine.
const MOST_BYTES: usize = 64 * 1024 * 1024;
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

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It only reads.
    Read,
    /// It changes something.
    Write,
    /// It takes a token.
    Token,
}

/// Whether a request may be sent again after a failure that leaves open whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Doing it twice is doing it once.
    Idempotent,
    /// The caller must look first.
    Never,
}

/// One request, which may become several attempts.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// What it is counted as.
    pub purpose: Purpose,
    /// Whether it may be sent twice.
    pub repeat: Repeat,
    /// The bearer token.
    pub bearer: Option<&'a Secret>,
    /// What is sent.
    pub body: Option<Body>,
}

/// A request's body, zeroed when the last attempt is over.
#[derive(Clone)]
pub struct Body {
    content_type: &'static str,
    bytes: Bytes,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Body").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

impl Body {
    /// `value` as JSON.
    ///
    /// # Errors
    /// `value` has no JSON form.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        // Measured first, so that the buffer never moves and leaves a copy behind.
        let mut size = Measure(0);
        serde_json::to_writer(&mut size, value)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(size.0));
        serde_json::to_writer(&mut *bytes, value)?;
        Ok(Self { content_type: "application/json", bytes: Bytes::from_owner(bytes) })
    }

    /// `fields` as a form.
    pub fn form(fields: &[(&str, &str)]) -> Self {
        // Escaping makes a byte three; `=` and `&` add two to each pair.
        let size = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut form = url::form_urlencoded::Serializer::new(String::with_capacity(size));
        form.extend_pairs(fields);
        let bytes = Zeroizing::new(form.finish().into_bytes());
        Self { content_type: "application/x-www-form-urlencoded", bytes: Bytes::from_owner(bytes) }
    }
}

struct Measure(usize);

impl std::io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A complete answer.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header `Location`.
    pub location: Option<String>,
    /// After how long the server would like to be asked again, where it says so.
    pub retry_after: Option<Duration>,
    /// The body; it may hold secrets, and is zeroed.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Response")
            .field("status", &self.status)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
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

/// What we know of the target; decides how long a failing connection is tried again.
mod contact {
    /// It has not answered yet: as long as the caller wants to wait.
    pub(super) const NONE: u8 = 0;
    /// It has answered: it is probably being restarted.
    pub(super) const MADE: u8 = 1;
    /// It was waited for in vain: the remaining calls fail at once instead of waiting one after the other.
    pub(super) const LOST: u8 = 2;
}

/// The connection to one target.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    budget: Semaphore,
    wait: Duration,
    contact: AtomicU8,
    counters: Counters,
}

impl Client {
    /// A client for the server at `base`. Nothing is sent yet.
    ///
    /// # Errors
    /// The certificate authorities cannot be read.
    pub fn new(base: &Url, options: &Options) -> Result<Self, Error> {
        Ok(Self {
            http: build(base, options)?,
            server: base.origin().ascii_serialization(),
            budget: Semaphore::new(options.parallelism.clamp(1, Semaphore::MAX_PERMITS)),
            wait: options.wait,
            contact: AtomicU8::new(contact::NONE),
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
            let Some(delay) = self.delay(request, &outcome, attempt, started.elapsed()) else { break outcome };
            let (reason, path) = (reason(&outcome), request.url.path());
            tracing::debug!(http.path = path, delay_ms = delay.as_millis(), "asking `{}` again: {reason}", self.server);
            tokio::time::sleep(delay).await;
            attempt += 1;
        };
        let lasting = if matches!(outcome, Err(Error::Unreachable { .. })) { contact::LOST } else { contact::MADE };
        self.contact.store(lasting, Ordering::Relaxed);
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
        let response = sent.send().await.map_err(|error| self.failure(error))?;
        self.contact.store(contact::MADE, Ordering::Relaxed);
        let (status, headers) = (response.status(), response.headers());
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after = retry_after(headers);
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
            let cause = if error.is_timeout() { Cause("no connection in time".to_owned()) } else { cause };
            Error::Unreachable { server, cause }
        }
    }

    /// How long to wait before `request` is sent again; none where it is not.
    fn delay(
        &self,
        request: &Request<'_>,
        outcome: &Result<Response, Error>,
        attempt: u32,
        elapsed: Duration,
    ) -> Option<Duration> {
        let contact = self.contact.load(Ordering::Relaxed);
        let repeatable = request.repeat == Repeat::Idempotent;
        let backoff = jitter(BACKOFF_FIRST.saturating_mul(1 << attempt.min(8)).min(BACKOFF_MOST));
        let (delay, patience) = match outcome {
            Err(Error::Unreachable { .. }) if contact == contact::MADE => (backoff, PATIENCE.max(self.wait)),
            Err(Error::Unreachable { .. }) if contact == contact::NONE => (backoff, self.wait),
            Err(Error::Lost { .. }) if repeatable && contact == contact::MADE => (backoff, PATIENCE),
            Err(Error::Lost { .. }) if repeatable => (backoff, self.wait),
            Ok(response) => {
                let patience = PATIENCE.max(self.wait);
                match (response.status, response.retry_after) {
                    (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(asked)) => {
                        (asked.saturating_add(jitter(BACKOFF_FIRST)), patience)
                    }
                    (
                        StatusCode::TOO_MANY_REQUESTS
                        | StatusCode::BAD_GATEWAY
                        | StatusCode::SERVICE_UNAVAILABLE
                        | StatusCode::GATEWAY_TIMEOUT,
                        _,
                    ) if repeatable => (backoff, patience),
                    _ => return None,
                }
            }
            Err(_) => return None,
        };
        (elapsed.saturating_add(delay) < patience).then_some(delay)
    }
}

fn build(base: &Url, options: &Options) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false);
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

/// A random part of `most`: all callers that failed together must not come back together.
fn jitter(most: Duration) -> Duration {
    let mut random = [0_u8; 2];
    if getrandom::fill(&mut random).is_err() {
        return most;
    }
    most.mul_f64(f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX))
}

/// `Retry-After`, in seconds or as a date. A date is taken relative to the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
    let (then, now) = (date(text)?, date(headers.get(DATE)?.to_str().ok()?)?);
    Some(Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let parse = |name: &str| reqwest::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        pairs.iter().map(|(name, value)| (parse(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        let dates = [("date", "Wed, 21 Oct 2015 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT")];
        assert_eq!(retry_after(&headers(&dates)), Some(Duration::from_secs(9)));
        let past = [("date", "Wed, 21 Oct 2015 07:28:10 GMT"), ("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT")];
        assert_eq!(retry_after(&headers(&past)), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(retry_after(&headers(&[])), None);
    }

    fn client(wait: Duration) -> Client {
        let base = Url::parse("http://127.0.0.1:9").unwrap();
        Client::new(&base, &Options { wait, ..Options::default() }).unwrap()
    }

    fn request(repeat: Repeat) -> Request<'static> {
        Request {
            method: Method::POST,
            url: Url::parse("http://127.0.0.1:9/x").unwrap(),
            purpose: Purpose::Write,
            repeat,
            bearer: None,
            body: None,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside failures")]
    fn answer(status: u16, retry_after: Option<u64>) -> Result<Response, Error> {
        let status = StatusCode::from_u16(status).unwrap();
        let retry_after = retry_after.map(Duration::from_secs);
        Ok(Response { status, location: None, retry_after, body: Zeroizing::default() })
    }

    fn lost() -> Result<Response, Error> {
        Err(Error::Lost { server: String::new(), cause: Cause(String::new()) })
    }

    fn unreachable() -> Result<Response, Error> {
        Err(Error::Unreachable { server: String::new(), cause: Cause(String::new()) })
    }

    #[test]
    fn a_create_is_repeated_only_where_it_was_certainly_not_done() {
        let client = client(Duration::ZERO);
        client.contact.store(contact::MADE, Ordering::Relaxed);
        let again = |repeat, outcome: Result<Response, Error>| {
            client.delay(&request(repeat), &outcome, 0, Duration::ZERO).is_some()
        };
        for (outcome, idempotent, create) in [
            (answer(503, None), true, false),
            (answer(503, Some(1)), true, true),
            (answer(429, Some(1)), true, true),
            (answer(429, None), true, false),
            (answer(502, None), true, false),
            (answer(504, Some(1)), true, false),
            (answer(500, None), false, false),
            (answer(409, None), false, false),
            (answer(201, None), false, false),
            (lost(), true, false),
            (unreachable(), true, true),
        ] {
            let seen = format!("{outcome:?}");
            let twin = match &outcome {
                Ok(response) => answer(response.status.as_u16(), response.retry_after.map(|after| after.as_secs())),
                Err(error) => Err(error.clone()),
            };
            assert_eq!(again(Repeat::Idempotent, outcome), idempotent, "{seen}");
            assert_eq!(again(Repeat::Never, twin), create, "{seen}");
        }
    }

    #[test]
    fn patience_ends_and_a_long_retry_after_is_not_waited_for() {
        let client = client(Duration::ZERO);
        let delay = |outcome, elapsed| client.delay(&request(Repeat::Idempotent), &outcome, 9, elapsed);
        assert!(delay(answer(503, None), Duration::ZERO).is_some());
        assert!(delay(answer(503, None), PATIENCE).is_none());
        assert!(delay(answer(503, Some(3600)), Duration::ZERO).is_none());
        assert!(delay(answer(503, Some(5)), Duration::ZERO).is_some_and(|delay| delay >= Duration::from_secs(5)));
    }

    #[test]
    fn a_target_that_never_answered_is_waited_for_only_on_request() {
        let delay = |client: &Client| client.delay(&request(Repeat::Never), &unreachable(), 0, Duration::ZERO);
        assert!(delay(&client(Duration::ZERO)).is_none());
        let patient = client(Duration::from_mins(1));
        assert!(delay(&patient).is_some());
        patient.contact.store(contact::LOST, Ordering::Relaxed);
        assert!(delay(&patient).is_none());
    }

    #[test]
    fn a_form_is_escaped_in_place() {
        let body = Body::form(&[("client_id", "a b"), ("client_secret", "ä&=+%")]);
        assert_eq!(&body.bytes[..], b"client_id=a+b&client_secret=%C3%A4%26%3D%2B%25");
    }

    #[test]
    fn what_is_sent_and_received_is_not_printed() {
        let body = Body::form(&[("client_secret", "canary")]);
        let response = Response { body: Zeroizing::new(b"canary".to_vec()), ..answer(200, None).unwrap() };
        assert!(!format!("{body:?} {response:?}").contains("canary"));
    }
}
