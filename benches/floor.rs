//! The floor that `benches/fleet.py` measures provisor against: the same requests and the same parse, and nothing else.
//!
//!     floor parse FILE
//!     floor list URL REALM SECRET
//!     floor create URL REALM SECRET PREFIX COUNT PARALLELISM

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot go on stops")]

use std::time::Instant;

use futures::StreamExt as _;
use provisor::manifest::kinds::device::DeviceSpec;
use serde::Deserialize;
use serde_json::{Value, json};

/// A device's document, and nothing checked beyond its types.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[expect(dead_code, reason = "parsed only")]
    api_version: String,
    #[expect(dead_code, reason = "parsed only")]
    kind: String,
    #[expect(dead_code, reason = "parsed only")]
    metadata: provisor::manifest::kinds::Metadata,
    #[expect(dead_code, reason = "parsed only")]
    spec: DeviceSpec,
}

struct Server {
    http: reqwest::Client,
    url: String,
    realm: String,
    secret: String,
}

impl Server {
    async fn token(&self) -> String {
        let form = [("grant_type", "client_credentials"), ("client_id", "provisor"), ("client_secret", &*self.secret)];
        let url = format!("{}/realms/{}/protocol/openid-connect/token", self.url, self.realm);
        let answer: Value = self.http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, token: &str, path: &str) -> Vec<Value> {
        let url = format!("{}/admin/realms/{}/{path}", self.url, self.realm);
        self.http.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    }

    /// The fewest lists that show the fleet: pages of 500 clients until one is short, and the client scopes.
    async fn list(&self) -> usize {
        let token = self.token().await;
        let page = |first: usize| {
            let (server, token) = (self, &token);
            async move { server.get(token, &format!("clients?first={first}&max=500")).await.len() }
        };
        let (scopes, one, two, three) = tokio::join!(self.get(&token, "client-scopes"), page(0), page(500), page(1000));
        assert!(three < 500 && !scopes.is_empty());
        one + two + three
    }

    async fn create(&self, prefix: &str, count: usize, parallelism: usize) {
        let token = self.token().await;
        let url = format!("{}/admin/realms/{}/clients", self.url, self.realm);
        let posts = (0..count).map(|number| {
            let (http, url, token) = (&self.http, &url, &token);
            async move {
                let status =
                    http.post(url).bearer_auth(token).json(&body(prefix, number)).send().await.unwrap().status();
                assert_eq!(status.as_u16(), 201);
            }
        });
        futures::stream::iter(posts).buffer_unordered(parallelism).collect::<()>().await;
    }
}

/// What provisor sends for a new device.
fn body(prefix: &str, number: usize) -> Value {
    json!({
        "clientId": format!("{prefix}-{number:05}"), "protocol": "openid-connect", "name": format!("Device {number}"),
        "secret": format!("floor-secret-of-device-number-{number:05}-0123456789"), "enabled": true, "publicClient": false,
        "standardFlowEnabled": false, "implicitFlowEnabled": false, "directAccessGrantsEnabled": false,
        "serviceAccountsEnabled": true, "fullScopeAllowed": false,
        "defaultClientScopes": ["iot-device", "roles", "basic"], "optionalClientScopes": [],
        "attributes": {
            "access.token.lifespan": "14400", "provisor.owner": "default",
            "provisor.resource": format!("Device/{prefix}-{number:05}"),
            "provisor.applied": json!({"secrets": {"secret": "0".repeat(97)}}).to_string(),
        },
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = |url: &str, realm: &str, secret: &str| Server {
        http: reqwest::Client::new(),
        url: url.to_owned(),
        realm: realm.to_owned(),
        secret: secret.to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let started = Instant::now();
    let count = match words.as_slice() {
        ["parse", file] => {
            let text = std::fs::read_to_string(file).unwrap();
            let budget = serde_saphyr::options! { with_snippet: false, strict_booleans: true, budget: None };
            serde_saphyr::from_multiple_with_options::<Document>(&text, budget).unwrap().len()
        }
        ["list", url, realm, secret] => runtime.block_on(server(url, realm, secret).list()),
        ["create", url, realm, secret, prefix, count, parallelism] => {
            let count = count.parse().unwrap();
            runtime.block_on(server(url, realm, secret).create(prefix, count, parallelism.parse().unwrap()));
            count
        }
        // `cargo bench` runs every bench without arguments; this one has nothing to measure by itself.
        _ => return,
    };
    println!("{count} in {:.3} s", started.elapsed().as_secs_f64());
}
