//! A realm of one's own on the Keycloak that `PROVISOR_TEST_KEYCLOAK` names, removed at the end, also after a panic.
//!
//! The server's bootstrap administrator is `admin` with the password `admin`.

use provisor::http;
use provisor::keycloak::{Api, Config, Credentials};
use provisor::secret::Secret;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

/// The base address of the real server.
#[expect(clippy::disallowed_methods, reason = "names the server of this test")]
pub fn server() -> Url {
    let url = std::env::var("PROVISOR_TEST_KEYCLOAK").expect("PROVISOR_TEST_KEYCLOAK names a Keycloak: make test");
    url.parse().expect("PROVISOR_TEST_KEYCLOAK is an address")
}

/// A realm with a random name and a client `provisor`, whose service account has chosen roles of `realm-management`.
#[derive(Debug)]
pub struct Realm {
    pub url: Url,
    pub name: String,
    pub secret: Secret,
    admin: reqwest::Client,
}

impl Realm {
    /// Makes the realm; `roles` are those of the client `provisor`.
    pub async fn new(roles: &[&str]) -> Self {
        let name = format!("test-{}", uuid::Uuid::new_v4().simple());
        let secret = Secret::generate(24).unwrap();
        let realm = Self { url: server(), name, secret, admin: reqwest::Client::new() };
        let body = json!({"realm": realm.name, "enabled": true});
        let (status, _) = realm.request(Method::POST, "admin/realms", Some(&body)).await;
        assert_eq!(status, 201, "the realm cannot be made");
        realm.add_identity("provisor", roles).await;
        realm
    }

    /// Adds a client with the realm's secret, whose service account has `roles` of `realm-management`.
    pub async fn add_identity(&self, client_id: &str, roles: &[&str]) {
        let body = json!({
            "clientId": client_id, "secret": self.secret.expose(), "publicClient": false,
            "serviceAccountsEnabled": true, "standardFlowEnabled": false, "directAccessGrantsEnabled": false,
        });
        assert_eq!(self.admin(Method::POST, "clients", Some(&body)).await.0, 201);
        let client = self.client(client_id).await;
        let id = client["id"].as_str().unwrap();
        let user = self.get(&format!("clients/{id}/service-account-user")).await;
        let management = self.client("realm-management").await;
        let mut mapped = Vec::new();
        for role in roles {
            mapped.push(self.get(&format!("clients/{}/roles/{role}", management["id"].as_str().unwrap())).await);
        }
        let path = format!(
            "users/{}/role-mappings/clients/{}",
            user["id"].as_str().unwrap(),
            management["id"].as_str().unwrap()
        );
        assert_eq!(self.admin(Method::POST, &path, Some(&Value::from(mapped))).await.0, 204);
    }

    /// How the client `provisor` reaches the realm.
    pub fn config(&self) -> Config {
        Config {
            url: self.url.clone(),
            realm: self.name.clone(),
            auth_realm: self.name.clone(),
            credentials: Credentials::Client { client_id: "provisor".to_owned(), client_secret: self.secret.clone() },
            http: http::Options::default(),
        }
    }

    /// The realm as the client `provisor` sees it.
    pub fn api(&self) -> Api {
        Api::new(self.config()).unwrap()
    }

    /// The whole representation of a client, as an administrator sees it.
    pub async fn client(&self, client_id: &str) -> Value {
        let found = self.get(&format!("clients?clientId={client_id}")).await;
        found.get(0).cloned().unwrap_or(Value::Null)
    }

    /// Reads something below the realm as an administrator.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.admin(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}");
        body
    }

    /// Does something below the realm as an administrator; the empty path is the realm itself.
    pub async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let path = format!("admin/realms/{}/{path}", self.name);
        self.request(method, path.trim_end_matches('/'), body).await
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let token = admin_token(&self.admin, &self.url).await;
        let mut request = self.admin.request(method, self.url.join(path).unwrap()).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }
}

async fn admin_token(client: &reqwest::Client, url: &Url) -> String {
    let form = [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", "admin")];
    let url = url.join("realms/master/protocol/openid-connect/token").unwrap();
    let issued: Value = client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    issued["access_token"].as_str().expect("the administrator of a test Keycloak is admin/admin").to_owned()
}

impl Drop for Realm {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // On a thread of its own, since the test's runtime may be the one that is unwinding.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = reqwest::Client::new();
                let token = admin_token(&client, &url).await;
                let url = url.join(&format!("admin/realms/{name}")).unwrap();
                client.delete(url).bearer_auth(token).send().await.is_ok()
            })
        });
        // A panic within a panic would end the process and hide the first; a realm that stays does no harm.
        drop(removal.join());
    }
}
