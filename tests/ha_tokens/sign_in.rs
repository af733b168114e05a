//! `provisor ha oauth` against a real Keycloak, with somebody at a browser.

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, PASSWORD, USER};
use crate::run::{Reader, Waiting};
use crate::support::keycloak::Realm;

const CLIENT_SECRET: &str = "canary-client-secret-9d27";

/// A realm with somebody in it, and a client.
struct World {
    realm: Realm,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(client: Value) -> Self {
        let realm = Realm::new(&[]).await;
        let user = json!({"username": USER, "enabled": true, "email": "ada@example.com", "emailVerified": true,
            "firstName": "Ada", "lastName": "L",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": false}]});
        assert_eq!(realm.admin(Method::POST, "users", Some(&user)).await.0, 201);
        let mut representation = json!({"clientId": "home", "publicClient": true, "standardFlowEnabled": true,
            "redirectUris": ["http://127.0.0.1/*"], "directAccessGrantsEnabled": false});
        for (name, value) in client.as_object().unwrap() {
            representation[name] = value.clone();
        }
        assert_eq!(realm.admin(Method::POST, "clients", Some(&representation)).await.0, 201);
        Self { realm, folder: tempfile::tempdir().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        let path = format!("realms/{}/protocol/openid-connect/{path}", self.realm.name);
        self.realm.url.join(&path).unwrap().into()
    }

    /// Starts the program; `more` are further arguments.
    async fn start(&self, flow: &str, more: &[&str]) -> Waiting {
        let (authorize, token, device) = (self.url("auth"), self.url("token"), self.url("auth/device"));
        let arguments = [
            "ha",
            "oauth",
            "house",
            "--flow",
            flow,
            "--client-id",
            "home",
            "--authorize-url",
            &authorize,
            "--token-url",
            &token,
            "--device-url",
            &device,
        ];
        let arguments: Vec<String> = arguments.iter().chain(more).map(|text| (*text).to_owned()).collect();
        let folder = self.folder.path().to_owned();
        let start = move || Waiting::start(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    /// Whether a refresh token is good for an access token.
    async fn is_good(&self, token: &str, secret: Option<&str>) -> bool {
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", "home"), ("refresh_token", token)];
        form.extend(secret.map(|secret| ("client_secret", secret)));
        let response = reqwest::Client::new().post(self.url("token")).form(&form).send().await.unwrap();
        response.status() == 200
    }
}

async fn end(waiting: Waiting) -> crate::run::Run {
    tokio::task::spawn_blocking(|| waiting.end()).await.unwrap()
}

fn device_client(attributes: &Value) -> Value {
    let mut all = json!({"oauth2.device.authorization.grant.enabled": "true", "oauth2.device.polling.interval": "1"});
    for (name, value) in attributes.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!({"attributes": all})
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_the_code_flow_with_pkce_pipes_a_refresh_token_that_works() {
    let world = World::new(json!({"attributes": {"pkce.code.challenge.method": "S256"}})).await;
    let waiting = world.start("code", &[]).await;
    let page = Browser::new(true).sign_in(&waiting.url).await;
    assert!(page.contains("You are signed in"), "{page}");
    let run = end(waiting).await.exits(0);
    assert!(!run.out.is_empty() && !run.err.contains(&run.out), "the token is on standard output only");
    assert!(!run.out.contains(char::is_whitespace), "exactly the token: {:?}", run.out);
    assert!(world.is_good(&run.out, None).await);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_the_code_flow_encrypts_to_a_file_and_prints_no_token() {
    let world = World::new(json!({"publicClient": false, "secret": CLIENT_SECRET})).await;
    std::fs::write(world.folder.path().join("secret"), CLIENT_SECRET).unwrap();
    let reader = Reader::new();
    let recipient = reader.recipient();
    let more = [
        "--client-secret-file",
        "secret",
        "--scope",
        "openid",
        "--scope",
        "offline_access",
        "--recipient",
        &recipient,
        "--out",
        "token.age",
    ];
    let waiting = world.start("code", &more).await;
    Browser::new(true).sign_in(&waiting.url).await;
    let run = end(waiting).await.exits(0);
    let token = reader.decrypt(&world.folder.path().join("token.age"));
    assert_eq!(run.out, "");
    run.silent_about(&[CLIENT_SECRET, &token]);
    assert!(world.is_good(&token, Some(CLIENT_SECRET)).await);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_who_says_no_at_the_service_gets_no_token() {
    let world = World::new(json!({"consentRequired": true})).await;
    let waiting = world.start("code", &[]).await;
    let page = Browser::new(false).sign_in(&waiting.url).await;
    assert!(page.contains("did not let you sign in"), "{page}");
    let run = end(waiting).await.exits(1);
    assert!(run.out.is_empty() && run.err.contains("provisor::sign_in::denied"), "{}", run.err);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_a_code_that_somebody_else_brings_is_not_taken() {
    let world = World::new(json!({})).await;
    let waiting = world.start("code", &[]).await;
    let asked: url::Url = waiting.url.parse().unwrap();
    let (_, redirect) = asked.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
    let answer = reqwest::get(format!("{redirect}?code=stolen&state=guessed")).await.unwrap();
    assert_eq!(answer.status(), 404);
    Browser::new(true).sign_in(&waiting.url).await;
    let run = end(waiting).await.exits(0);
    assert!(world.is_good(&run.out, None).await, "the sign-in that was asked for goes on");
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_a_service_that_gives_no_refresh_token_is_told_apart() {
    let world = World::new(json!({"attributes": {"use.refresh.tokens": "false"}})).await;
    let waiting = world.start("code", &[]).await;
    Browser::new(true).sign_in(&waiting.url).await;
    let run = end(waiting).await.exits(1);
    assert!(run.out.is_empty() && run.err.contains("provisor::sign_in::no_refresh_token"), "{}", run.err);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_the_device_flow_waits_until_somebody_agrees() {
    let world = World::new(device_client(&json!({}))).await;
    let waiting = world.start("device", &[]).await;
    // At least one answer says that nobody has signed in yet.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    Browser::new(true).sign_in(&waiting.url).await;
    let run = end(waiting).await.exits(0);
    assert!(!run.err.contains(&run.out), "the token is on standard output only");
    assert!(world.is_good(&run.out, None).await);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn ha_11_the_device_flow_ends_when_somebody_refuses_and_when_the_code_expires() {
    let world = World::new(device_client(&json!({"oauth2.device.code.lifespan": "4"}))).await;
    let waiting = world.start("device", &[]).await;
    Browser::new(false).sign_in(&waiting.url).await;
    let run = end(waiting).await.exits(1);
    assert!(run.err.contains("provisor::sign_in::denied"), "{}", run.err);
    let run = end(world.start("device", &[]).await).await.exits(1);
    assert!(run.out.is_empty() && run.err.contains("provisor::sign_in::expired"), "{}", run.err);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
#[expect(clippy::disallowed_methods, reason = "names the server of this test")]
async fn ha_11_a_private_certificate_authority_is_trusted_when_named() {
    let world = World::new(device_client(&json!({}))).await;
    let https = std::env::var("PROVISOR_TEST_KEYCLOAK_HTTPS").expect("an address: make test");
    let authority = std::env::var("PROVISOR_TEST_KEYCLOAK_CA").expect("a file: make test");
    let url = |path: &str| format!("{https}/realms/{}/protocol/openid-connect/{path}", world.realm.name);
    let (token, device) = (url("token"), url("auth/device"));
    let arguments = ["ha", "oauth", "house", "--client-id", "home", "--token-url", &token, "--device-url", &device];
    let run = crate::run::provisor(world.folder.path(), &arguments).exits(1);
    assert!(run.err.contains("there is no trusted connection"), "{}", run.err);
    let arguments = [&arguments[..], &["--ca-file", &authority, "--timeout", "1s"]].concat();
    let run = crate::run::provisor(world.folder.path(), &arguments).exits(1);
    assert!(run.err.contains("confirm the code"), "{}", run.err);
}
