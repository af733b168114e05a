//! A real Home Assistant with a configuration of its own, for one test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// It starts in seconds on a quiet machine, and in a minute on a busy one.
const PATIENCE: Duration = Duration::from_mins(4);

pub(crate) struct House {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

#[expect(clippy::disallowed_methods, reason = "names a program of this test")]
fn script(name: &str) -> PathBuf {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names a script: make test")).into()
}

impl House {
    /// A configuration that has been through onboarding, with our component; nothing runs yet.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let copied = Command::new(script("PROVISOR_TEST_HASS_COPY"))
            .arg("current")
            .arg(folder.path())
            .arg(port.to_string())
            .status();
        assert!(copied.unwrap().success());
        let house = Self { folder, port, child: None };
        let yaml = house.path().join("configuration.yaml");
        let mut text = std::fs::read_to_string(&yaml).unwrap();
        if !text.contains("nixos_integrations:") {
            text.push_str("\nnixos_integrations:\n");
        }
        std::fs::write(&yaml, text).unwrap();
        house
    }

    /// The configuration folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.path().join("token")).unwrap().trim().to_owned()
    }

    /// Changes the entries in storage while nothing runs.
    pub(crate) fn edit_entries(&self, change: impl FnOnce(&mut Vec<Value>)) {
        assert!(self.child.is_none(), "a running Home Assistant would overwrite it");
        let path = self.path().join(".storage/core.config_entries");
        let mut document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(document["data"]["entries"].as_array_mut().unwrap());
        std::fs::write(&path, document.to_string()).unwrap();
    }

    /// Starts it, and waits until it runs.
    pub(crate) fn start(&mut self) {
        let log = std::fs::File::create(self.path().join("test.log")).unwrap();
        let child = Command::new(script("PROVISOR_TEST_HASS"))
            .arg("current")
            .arg(self.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let from = Instant::now();
        while self.get("api/config").is_none_or(|config| config["state"] != "RUNNING") {
            let log = || std::fs::read_to_string(self.path().join("test.log")).unwrap_or_default();
            assert!(from.elapsed() < PATIENCE, "Home Assistant does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().code().is_some(), "it is stopped in order");
    }

    /// The entries of an integration, as the API lists them.
    pub(crate) fn entries(&self, domain: &str) -> Vec<Value> {
        let found = self.get(&format!("api/config/config_entries/entry?domain={domain}"));
        found.unwrap().as_array().unwrap().clone()
    }

    fn get(&self, path: &str) -> Option<Value> {
        let (url, token) = (format!("{}/{path}", self.url()), self.token());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let response = reqwest::Client::new().get(url).bearer_auth(token).send().await.ok()?;
            response.json().await.ok()
        })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
