//! The authorization code with PKCE, as a native application uses it (RFC 7636, RFC 8252).

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::loopback::Listener;
use super::{Ask, Error, Service, host, refresh_token};
use crate::http::Repeat;
use crate::secret::Secret;

/// RFC 7636 asks for at least this much.
const RANDOM_BYTES: usize = 32;

pub(super) async fn sign_in(service: &Service, ask: impl Fn(Ask<'_>) + Send) -> Result<Secret, Error> {
    let authorize = service.authorize_url.as_ref().ok_or(Error::MissingUrl("--authorize-url"))?;
    // Before the person is troubled: an unusable certificate file shows here.
    let client = service.client(&service.token_url)?;
    let random = || Secret::generate(RANDOM_BYTES).map_err(|_| Error::Randomness);
    let (state, verifier) = (random()?, random()?);
    let listener = Listener::bind().await?;
    let redirect = listener.address();
    ask(Ask::Open(address(service, authorize, &redirect, &state, &verifier).as_str()));
    let code = listener.code(&state, &host(authorize), service.patience).await?;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect.as_str()),
        ("code_verifier", verifier.expose()),
    ];
    // Once only: a server that sees a code twice must revoke what it gave for it.
    let response = service.post(&client, &service.token_url, &form, Repeat::Never).await?;
    refresh_token(&service.token_url, &response)
}

/// Where the browser is sent. What is secret about it, the verifier, is in it as a digest only.
fn address(service: &Service, authorize: &Url, redirect: &str, state: &Secret, verifier: &Secret) -> Url {
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.expose().as_bytes()));
    let mut url = authorize.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &service.client_id)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state.expose())
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if let Some(scope) = service.scope() {
        query.append_pair("scope", &scope);
    }
    query.extend_pairs(&service.parameters);
    drop(query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ha_11_the_challenge_is_that_of_rfc_7636() {
        let service = Service {
            authorize_url: None,
            device_url: None,
            token_url: "https://service.example/token".parse().unwrap(),
            client_id: "a b".to_owned(),
            client_secret: None,
            scopes: vec!["one".to_owned(), "two".to_owned()],
            parameters: vec![("prompt".to_owned(), "consent".to_owned())],
            ca_file: None,
            patience: std::time::Duration::ZERO,
        };
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        let authorize = "https://service.example/authorize?tenant=1".parse().unwrap();
        let url = address(&service, &authorize, "http://127.0.0.1:1/", &Secret::new("state".to_owned()), &verifier);
        assert_eq!(
            url.as_str(),
            "https://service.example/authorize?tenant=1&response_type=code&client_id=a+b\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&state=state\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
             &scope=one+two&prompt=consent"
        );
    }
}
