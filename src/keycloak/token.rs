//! The identity's own token: taken once for all tasks, renewed in time, and taken anew when the server refuses it.
//!
//! There is nothing to refresh: a service account has no refresh token, so a new token is asked for after four fifths
//! of the old one's life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::{Error, Said, SignIn};
use super::representation::TokenClaims;
use super::{Connection, Credentials};
use crate::http::{Body, Method, Purpose, Repeat, Request, Response, StatusCode};
use crate::secret::Secret;

/// Nobody issues a longer one for administration; keeps the arithmetic of time in range.
const LONGEST_LIFE: u64 = 24 * 60 * 60;

/// A token, and when to ask for the next.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) value: Secret,
    pub(super) expires_in: Duration,
    renew_at: Instant,
}

impl Token {
    fn new(value: Secret, expires_in: Duration) -> Self {
        Self { value, expires_in, renew_at: Instant::now() + expires_in * 4 / 5 }
    }

    /// What it says; none where it is opaque.
    pub(super) fn claims(&self) -> Option<TokenClaims> {
        TokenClaims::of(&self.value, self.expires_in)
    }
}

/// The cache of the identity's token.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    state: Mutex<State>,
    /// How many attempts have ended; tells a task whether somebody tried while it waited.
    ended: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<Token>>,
    failure: Option<Error>,
}

impl Tokens {
    /// The present token, or a new one where there is none, it is old, or it is `refused`.
    ///
    /// Of many tasks that come at once, one asks, and the others get its result, also its failure: wrong credentials
    /// are tried once and not once for each task, since that would lock an account.
    pub(super) async fn get(
        &self,
        refused: Option<&Arc<Token>>,
        take: impl AsyncFnOnce() -> Result<Token, Error>,
    ) -> Result<Arc<Token>, Error> {
        let seen = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        let is_refused = |token: &Arc<Token>| refused.is_some_and(|refused| Arc::ptr_eq(refused, token));
        if let Some(token) = &state.token
            && Instant::now() < token.renew_at
            && !is_refused(token)
        {
            return Ok(Arc::clone(token));
        }
        if let (true, Some(failure)) = (self.ended.load(Ordering::SeqCst) != seen, &state.failure) {
            return Err(failure.clone());
        }
        let taken = take().await.map(Arc::new);
        state.token = taken.as_ref().ok().map(Arc::clone);
        state.failure = taken.as_ref().err().cloned();
        self.ended.fetch_add(1, Ordering::SeqCst);
        taken
    }
}

#[derive(Deserialize)]
struct Issued {
    access_token: Secret,
    #[serde(default)]
    expires_in: u64,
}

/// Asks `realm` for a token.
pub(super) async fn take(connection: &Connection, realm: &str, credentials: &Credentials) -> Result<Token, Error> {
    let identity = credentials.identity();
    let doing = || format!("sign in as `{identity}`");
    let request = Request {
        method: Method::POST,
        url: connection.address(&["realms", realm, "protocol", "openid-connect", "token"], &[])?,
        purpose: Purpose::Token,
        repeat: Repeat::Idempotent,
        bearer: None,
        body: Some(form(credentials)),
    };
    let response = connection.http.send(&request).await.map_err(|cause| Error::Connection { doing: doing(), cause })?;
    if response.status != StatusCode::OK {
        return Err(refusal(connection, realm, credentials, &response));
    }
    let issued: Issued = serde_json::from_slice(&response.body).map_err(|_| Error::UnexpectedResponse {
        doing: doing(),
        status: response.status.as_u16(),
        what: "the answer holds no token".to_owned(),
    })?;
    let expires_in = Duration::from_secs(issued.expires_in.min(LONGEST_LIFE));
    Ok(Token::new(issued.access_token, expires_in))
}

fn form(credentials: &Credentials) -> Body {
    match credentials {
        Credentials::Client { client_id, client_secret } => Body::form(&[
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose()),
        ]),
        Credentials::Password { client_id, username, password } => Body::form(&[
            ("grant_type", "password"),
            ("client_id", client_id),
            ("username", username.expose()),
            ("password", password.expose()),
        ]),
    }
}

fn refusal(connection: &Connection, realm: &str, credentials: &Credentials, response: &Response) -> Error {
    let said = Said::read(&response.body, &[credentials.secret()]);
    match response.status {
        StatusCode::NOT_FOUND if said.text.as_deref() == Some("Realm does not exist") => {
            Error::RealmNotFound { server: connection.http.server().to_owned(), realm: realm.to_owned() }
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED if said != Said::default() => Error::Unauthorized {
            identity: credentials.identity().to_owned(),
            realm: realm.to_owned(),
            reason: SignIn::of(&said),
        },
        _ => connection.failure(format!("sign in as `{}`", credentials.identity()), response, &said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(value: &str, seconds: u64) -> Token {
        Token::new(Secret::new(value.to_owned()), Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn many_tasks_take_one_token() {
        let (tokens, taken) = (Tokens::default(), AtomicU64::new(0));
        let get = || {
            tokens.get(None, async || {
                tokio::task::yield_now().await;
                taken.fetch_add(1, Ordering::SeqCst);
                Ok(token("t", 60))
            })
        };
        let all = futures::future::join_all((0..20).map(|_| get())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(taken.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn tasks_that_wait_share_a_failure_and_later_ones_try_again() {
        let (tokens, tried) = (Tokens::default(), AtomicU64::new(0));
        let get = || {
            tokens.get(None, async || {
                tokio::task::yield_now().await;
                tried.fetch_add(1, Ordering::SeqCst);
                Err(Error::InvalidUrl { reason: "test" })
            })
        };
        let all = futures::future::join_all((0..20).map(|_| get())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(tried.load(Ordering::SeqCst), 1);
        assert!(get().await.is_err());
        assert_eq!(tried.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_old_or_refused() {
        let tokens = Tokens::default();
        let first = tokens.get(None, async || Ok(token("1", 100))).await.unwrap();
        let same = tokens.get(None, async || Ok(token("2", 100))).await.unwrap();
        assert!(Arc::ptr_eq(&first, &same));
        let second = tokens.get(Some(&first), async || Ok(token("2", 0))).await.unwrap();
        assert_eq!(second.value.expose(), "2");
        let third = tokens.get(None, async || Ok(token("3", 100))).await.unwrap();
        assert_eq!(third.value.expose(), "3", "the second was old");
        let fourth = tokens.get(Some(&second), async || Ok(token("4", 100))).await.unwrap();
        assert_eq!(fourth.value.expose(), "3", "what was refused has been replaced already");
    }

    #[test]
    fn a_token_is_renewed_after_four_fifths_of_its_life() {
        let left = token("1", 100).renew_at - Instant::now();
        assert!(left <= Duration::from_secs(80) && left > Duration::from_secs(79), "{left:?}");
    }
}
