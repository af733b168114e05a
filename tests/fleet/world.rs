//! A realm of its own on the real Keycloak, a folder of manifests and credentials, and the program itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use crate::run::Run;

fn restrict(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The secret that provisor signs in with; a canary, too: no output may ever hold it.
pub(crate) const CLIENT_SECRET: &str = "canary-of-provisor-itself-7f3a91";

/// What `make test` names.
#[expect(clippy::disallowed_methods, reason = "names the server of this test")]
pub(crate) fn keycloak() -> String {
    std::env::var("PROVISOR_TEST_KEYCLOAK").expect("PROVISOR_TEST_KEYCLOAK names a Keycloak; run `make test`")
}

pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) realm: String,
    pub(crate) folder: TempDir,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

impl World {
    /// A fresh realm whose service account `provisor` has these roles of `realm-management`.
    pub(crate) fn new(roles: &[&str]) -> Self {
        let world = Self {
            url: keycloak(),
            realm: format!("fleet-{}", uuid::Uuid::new_v4().simple()),
            folder: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            http: reqwest::Client::new(),
        };
        std::fs::create_dir(world.path("credentials")).unwrap();
        std::fs::create_dir(world.path("run")).unwrap();
        restrict(&world.path("credentials"), 0o700);
        world.credential("client", CLIENT_SECRET);
        world.post("", &json!({"realm": world.realm, "enabled": true}));
        world.realm_post(
            "clients",
            &json!({"clientId": "provisor", "secret": CLIENT_SECRET, "publicClient": false,
                "serviceAccountsEnabled": true, "standardFlowEnabled": false, "directAccessGrantsEnabled": false}),
        );
        world.give(roles);
        world
    }

    /// A realm where provisor may do all that it could need.
    pub(crate) fn with_all_rights() -> Self {
        Self::new(&["manage-clients", "manage-realm", "manage-users", "view-realm", "view-users"])
    }

    /// Gives the service account of provisor roles of `realm-management`.
    pub(crate) fn give(&self, roles: &[&str]) {
        let account = self.account_of("provisor");
        let management = self.client("realm-management")["id"].as_str().unwrap().to_owned();
        let roles: Vec<Value> =
            roles.iter().map(|role| self.realm_get(&format!("clients/{management}/roles/{role}"))).collect();
        self.realm_post(&format!("users/{account}/role-mappings/clients/{management}"), &json!(roles));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn credential(&self, name: &str, value: &str) {
        let path = self.path("credentials").join(name);
        std::fs::write(&path, value).unwrap();
        restrict(&path, 0o600);
    }

    /// Writes `fleet.yaml`: the realm, and the documents given.
    pub(crate) fn declare(&self, documents: &[Value]) {
        let target = json!({
            "apiVersion": "provisor.dev/v1alpha1", "kind": "KeycloakRealm", "metadata": {"name": "fleet"},
            "spec": {"url": self.url, "realm": self.realm, "clientId": "provisor",
                "clientSecret": {"credential": "client"}},
        });
        let texts: Vec<String> = std::iter::once(&target).chain(documents).map(Value::to_string).collect();
        std::fs::write(self.path("fleet.yaml"), texts.join("\n---\n")).unwrap();
    }

    /// The program, ready to run in the folder, with `-f fleet.yaml` and the credentials.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
        command
            .args(arguments)
            .arg("--credentials-dir")
            .arg(self.path("credentials"))
            .current_dir(self.folder.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env_remove("CREDENTIALS_DIRECTORY")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn plan(&self, more: &[&str]) -> Run {
        self.run(&[&["plan", "-f", "fleet.yaml", "-o", "json"], more].concat())
    }

    pub(crate) fn apply(&self, more: &[&str]) -> Run {
        self.run(&[&["apply", "-f", "fleet.yaml", "--yes", "-o", "json"], more].concat())
    }

    /// Applies, and shows that nothing is left to do.
    #[track_caller]
    pub(crate) fn converge(&self) -> Run {
        let report = self.apply(&[]).exits(0);
        self.plan(&["--detailed-exitcode"]).exits(0);
        report
    }

    fn request(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.runtime.block_on(async {
            let form =
                [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", "admin")];
            let token_url = format!("{}/realms/master/protocol/openid-connect/token", self.url);
            let token: Value = self.http.post(token_url).form(&form).send().await.unwrap().json().await.unwrap();
            let request = self
                .http
                .request(method, format!("{}/admin/realms{path}", self.url))
                .bearer_auth(token["access_token"].as_str().unwrap());
            let request =
                body.map_or_else(|| request.try_clone().unwrap(), |body| request.try_clone().unwrap().json(body));
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap_or(Value::Null))
        })
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.request(reqwest::Method::POST, path, Some(body));
        assert!(status < 300, "POST {path}: {status} {answer}");
        answer
    }

    pub(crate) fn realm_get(&self, path: &str) -> Value {
        let (status, answer) = self.request(reqwest::Method::GET, &format!("/{}/{path}", self.realm), None);
        assert!(status < 300, "GET {path}: {status} {answer}");
        answer
    }

    pub(crate) fn realm_post(&self, path: &str, body: &Value) -> Value {
        self.post(&format!("/{}/{path}", self.realm), body)
    }

    pub(crate) fn realm_put(&self, path: &str, body: &Value) {
        let (status, answer) = self.request(reqwest::Method::PUT, &format!("/{}/{path}", self.realm), Some(body));
        assert!(status < 300, "PUT {path}: {status} {answer}");
    }

    pub(crate) fn realm_delete(&self, path: &str) {
        let (status, answer) = self.request(reqwest::Method::DELETE, &format!("/{}/{path}", self.realm), None);
        assert!(status < 300, "DELETE {path}: {status} {answer}");
    }

    /// The client of an id as Keycloak shows it; null where there is none.
    pub(crate) fn client(&self, client_id: &str) -> Value {
        self.realm_get(&format!("clients?clientId={client_id}"))[0].clone()
    }

    /// What somebody else does to a client by hand.
    pub(crate) fn by_hand(&self, client_id: &str, change: &Value) {
        let id = self.client(client_id)["id"].as_str().unwrap().to_owned();
        self.realm_put(&format!("clients/{id}"), change);
    }

    /// The id of a client's service-account user.
    pub(crate) fn account_of(&self, client_id: &str) -> String {
        let id = self.client(client_id)["id"].as_str().unwrap().to_owned();
        self.realm_get(&format!("clients/{id}/service-account-user"))["id"].as_str().unwrap().to_owned()
    }

    /// The claims of a token that a client gets with a secret; none where it is refused.
    pub(crate) fn token(&self, client_id: &str, secret: &str) -> Option<Value> {
        self.runtime.block_on(async {
            let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)];
            let url = format!("{}/realms/{}/protocol/openid-connect/token", self.url, self.realm);
            let answer: Value = self.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
            let token = answer["access_token"].as_str()?;
            let claims = data_encoding::BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
            Some(serde_json::from_slice(&claims).unwrap())
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (status, _) = self.request(reqwest::Method::DELETE, &format!("/{}", self.realm), None);
        assert!(status < 300 || std::thread::panicking(), "the realm {} is left behind: {status}", self.realm);
    }
}

/// A resource's document.
pub(crate) fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "provisor.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A document's spec with more in it.
pub(crate) fn with(document: &Value, path: &str, value: Value) -> Value {
    let mut document = document.clone();
    document["spec"][path] = value;
    document
}
