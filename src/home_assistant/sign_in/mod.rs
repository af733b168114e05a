//! Signing in at the service behind an integration, to get the refresh token that the integration will store.
//!
//! Two flows of OAuth 2.0: the authorization code with PKCE and S256 (RFC 7636), answered on a loopback address (RFC 8252);
//! and the device code (RFC 8628), for services that have it. The result is the refresh token and nothing else: an access
//! token is dropped at once. Answers of a service are never part of an error, except its error code.
//!
//! Written on our own HTTP client rather than with a library: that one neither follows redirects nor logs, and zeroes what
//! it sent and received.

mod code;
mod device;
mod error;
mod loopback;
mod provider;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::http::{Body, Client, Method, Options, Purpose, Repeat, Request, Response, StatusCode};
use crate::secret::Secret;

pub use error::{Error, Reason};
pub use provider::{Provider, domains, known};

/// Which flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Authorization code with PKCE.
    Code,
    /// Device code.
    Device,
}

/// A service, and us as its client.
#[derive(Debug)]
pub struct Service {
    /// Where a browser is sent.
    pub authorize_url: Option<Url>,
    /// Where a device asks for its code.
    pub device_url: Option<Url>,
    /// Where a token is given.
    pub token_url: Url,
    /// Our name at the service.
    pub client_id: String,
    /// Our secret at the service; native applications mostly have none.
    pub client_secret: Option<Secret>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Further parameters of the browser's address.
    pub parameters: Vec<(String, String)>,
    /// Certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// For how long the person is waited for.
    pub patience: Duration,
}

/// What the person has to do.
#[derive(Debug)]
pub enum Ask<'a> {
    /// Open an address in a browser on this machine.
    Open(&'a str),
    /// Open an address in any browser, and type the code if it asks for one.
    Enter {
        /// The address, with the code in it where the service has such a one.
        url: &'a str,
        /// The code.
        code: &'a str,
    },
}

/// Signs in; `ask` is told what the person has to do.
///
/// # Errors
/// An address is missing or unsafe, the person or the service refused, nobody answered in time, or the answer has no
/// refresh token.
pub async fn sign_in(service: &Service, flow: Flow, ask: impl Fn(Ask<'_>) + Send) -> Result<Secret, Error> {
    let urls = [Some(&service.token_url), service.authorize_url.as_ref(), service.device_url.as_ref()];
    if let Some(url) = urls.into_iter().flatten().find(|url| !is_safe(url)) {
        return Err(Error::Unencrypted { url: host(url) });
    }
    match flow {
        Flow::Code => code::sign_in(service, ask).await,
        Flow::Device => device::sign_in(service, ask).await,
    }
}

/// `https`, or a service on this machine.
fn is_safe(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || url.scheme() == "http" && is_loopback
}

/// Scheme, host and port.
fn host(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl Service {
    fn client(&self, url: &Url) -> Result<Client, Error> {
        let options = Options { ca_file: self.ca_file.clone(), ..Options::default() };
        Client::new(url, &options).map_err(Error::Connection)
    }

    /// Sends a form with our identity in it.
    async fn post(&self, client: &Client, url: &Url, form: &[(&str, &str)], repeat: Repeat) -> Result<Response, Error> {
        let mut fields = vec![("client_id", self.client_id.as_str())];
        fields.extend(self.client_secret.iter().map(|secret| ("client_secret", secret.expose())));
        fields.extend_from_slice(form);
        let request = Request {
            method: Method::POST,
            url: url.clone(),
            purpose: Purpose::Token,
            repeat,
            bearer: None,
            body: Some(Body::form(&fields)),
        };
        client.send(&request).await.map_err(Error::Connection)
    }

    /// What is asked for, as one text; none where nothing special is.
    fn scope(&self) -> Option<String> {
        (!self.scopes.is_empty()).then(|| self.scopes.join(" "))
    }
}

#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    refresh_token: Option<Secret>,
}

/// The refresh token in the answer of the token address.
fn refresh_token(url: &Url, response: &Response) -> Result<Secret, Error> {
    if response.status != StatusCode::OK {
        return Err(refusal(url, response));
    }
    let malformed = |_| Error::Unexpected { url: host(url), status: response.status.as_u16() };
    let issued: Issued = serde_json::from_slice(&response.body).map_err(malformed)?;
    let token = issued.refresh_token.filter(|token| !token.expose().is_empty());
    token.ok_or_else(|| Error::NoRefreshToken { url: host(url) })
}

/// The `error` of an answer that is none.
fn refusal(url: &Url, response: &Response) -> Error {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    match serde_json::from_slice::<Said>(&response.body) {
        Ok(said) => Error::Refused { url: host(url), reason: Reason::of(&said.error) },
        Err(_) => Error::Unexpected { url: host(url), status: response.status.as_u16() },
    }
}
