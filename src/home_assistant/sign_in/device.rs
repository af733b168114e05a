//! The device code (RFC 8628): the person signs in in any browser, on any machine, while we ask whether that is done.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::{Ask, Error, Reason, Service, host, refresh_token, refusal};
use crate::http::{Repeat, StatusCode};
use crate::secret::Secret;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What RFC 8628 says where the service does not: asked every five seconds, and five more after `slow_down`.
const INTERVAL: u64 = 5;
/// A service that wants to be asked more rarely than this is mistaken.
const LONGEST_INTERVAL: u64 = 300;

/// Codes live for minutes; keeps the arithmetic of time in range.
const LONGEST_LIFE: u64 = 24 * 60 * 60;

#[derive(Deserialize)]
struct Issued {
    device_code: Secret,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(default, alias = "verification_url_complete")]
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default)]
    interval: Option<u64>,
}

pub(super) async fn sign_in(service: &Service, ask: impl Fn(Ask<'_>) + Send) -> Result<Secret, Error> {
    let url = service.device_url.as_ref().ok_or(Error::MissingUrl("--device-url"))?;
    let scope = service.scope();
    let form: Vec<(&str, &str)> = scope.iter().map(|scope| ("scope", scope.as_str())).collect();
    // Twice does no harm: the first code expires unused.
    let response = service.post(&service.client(url)?, url, &form, Repeat::Idempotent).await?;
    if response.status != StatusCode::OK {
        return Err(refusal(url, &response));
    }
    let malformed = || Error::Unexpected { url: host(url), status: response.status.as_u16() };
    let issued: Issued = serde_json::from_slice(&response.body).map_err(|_| malformed())?;
    let address = issued.verification_uri_complete.as_deref().unwrap_or(&issued.verification_uri);
    // Both are shown on a terminal, so neither may say anything to it.
    let address = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    let address = address.ok_or_else(malformed)?;
    if !issued.user_code.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Err(malformed());
    }
    ask(Ask::Enter { url: address.as_str(), code: &issued.user_code });
    poll(service, &issued).await
}

async fn poll(service: &Service, issued: &Issued) -> Result<Secret, Error> {
    let url = &service.token_url;
    let client = service.client(url)?;
    let life = Duration::from_secs(issued.expires_in.min(LONGEST_LIFE));
    let end = Instant::now() + life.min(service.patience);
    let mut interval = issued.interval.unwrap_or(INTERVAL).clamp(1, LONGEST_INTERVAL);
    let form = [("grant_type", GRANT), ("device_code", issued.device_code.expose())];
    loop {
        let next = Instant::now() + Duration::from_secs(interval);
        if next > end {
            tokio::time::sleep_until(end).await;
            if life <= service.patience {
                return Err(Error::Refused { url: host(url), reason: Reason::of("expired_token") });
            }
            return Err(Error::TimedOut { seconds: service.patience.as_secs() });
        }
        tokio::time::sleep_until(next).await;
        let response = service.post(&client, url, &form, Repeat::Idempotent).await?;
        match refresh_token(url, &response) {
            Err(Error::Refused { reason, .. }) if reason.code() == "authorization_pending" => {}
            Err(Error::Refused { reason, .. }) if reason.code() == "slow_down" => {
                interval = (interval + INTERVAL).min(LONGEST_INTERVAL);
            }
            done => return done,
        }
    }
}
