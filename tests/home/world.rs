//! A Home Assistant of its own, a folder of manifests and credentials beside it, and the program itself.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use crate::run::Run;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[expect(clippy::disallowed_methods, reason = "names the Home Assistant of this test")]
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).expect("the variables of `make test` are set")
}

pub(crate) struct World {
    label: &'static str,
    port: u16,
    folder: TempDir,
    running: Option<Child>,
    environment: Vec<(String, String)>,
}

impl World {
    /// A Home Assistant that runs, with our component in live mode.
    pub(crate) fn new() -> Self {
        let mut world = Self::prepared("current", "nixos_integrations:\n");
        world.start();
        world
    }

    /// A Home Assistant of that version, with `yaml` in its configuration; not started.
    pub(crate) fn prepared(label: &'static str, yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = folder.path().join("config");
        let copied = Command::new(variable("PROVISOR_TEST_HASS_COPY"))
            .arg(label)
            .arg(&config)
            .arg(port.to_string())
            .status()
            .unwrap();
        assert!(copied.success());
        let rotator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/component/rotator");
        let copied =
            Command::new("cp").arg("-r").arg(rotator).arg(config.join("custom_components/provisor_rotator")).status();
        assert!(copied.unwrap().success());
        let world = Self { label, port, folder, running: None, environment: Vec::new() };
        std::fs::create_dir(world.path("credentials")).unwrap();
        world.configure(yaml);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends to `configuration.yaml`.
    pub(crate) fn configure(&self, yaml: &str) {
        let path = self.path("config/configuration.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}\n{yaml}")).unwrap();
    }

    pub(crate) fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// From this thread, since the child ends with it.
    pub(crate) fn start(&mut self) {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = Command::new(variable("PROVISOR_TEST_HASS"));
        command.arg(self.label).arg(self.path("config"));
        command.args(self.environment.iter().map(|(name, value)| format!("{name}={value}")));
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.running = Some(child);
        let begun = Instant::now();
        while self.get("api/config").is_none_or(|config| config["state"] != "RUNNING") {
            assert!(begun.elapsed() < PATIENCE, "it does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Ends it as a service manager does.
    pub(crate) fn stop(&mut self) {
        let mut child = self.running.take().unwrap();
        let ended = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
        assert!(ended.success());
        child.wait().unwrap();
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.running.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.path("config/token")).unwrap().trim().to_owned()
    }

    /// A GET of the REST interface; none where there is no answer.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        runtime.block_on(async {
            let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(PATIENCE).build().unwrap();
            let answer = http.get(url).bearer_auth(self.token()).send().await.ok()?;
            answer.json().await.ok()
        })
    }

    /// The config entries as Home Assistant shows them.
    pub(crate) fn entries(&self) -> Vec<Value> {
        self.get("api/config/config_entries/entry").unwrap().as_array().unwrap().clone()
    }

    pub(crate) fn of_domain(&self, domain: &str) -> Vec<Value> {
        self.entries().into_iter().filter(|entry| entry["domain"] == domain).collect()
    }

    /// The entries on disk.
    pub(crate) fn stored(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("config/.storage/core.config_entries")).unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        all["data"]["entries"].as_array().unwrap().clone()
    }

    pub(crate) fn stored_of(&self, domain: &str) -> Vec<Value> {
        self.stored().into_iter().filter(|entry| entry["domain"] == domain).collect()
    }

    /// Both stores as they are on disk, to show that nothing was written.
    pub(crate) fn on_disk(&self) -> Vec<(Vec<u8>, std::time::SystemTime)> {
        ["core.config_entries", "nixos_integrations"]
            .map(|name| self.path("config/.storage").join(name))
            .iter()
            .map(|path| (std::fs::read(path).unwrap(), std::fs::metadata(path).unwrap().modified().unwrap()))
            .collect()
    }

    pub(crate) fn credential(&self, name: &str, value: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path("credentials").join(name);
        std::fs::write(&path, value).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn declare(&self, documents: &[Value]) {
        let spec = json!({"url": format!("http://127.0.0.1:{}", self.port), "token": {"file": "config/token"}});
        let home = document("HomeAssistant", "home", &spec);
        let texts: Vec<String> = std::iter::once(&home).chain(documents).map(Value::to_string).collect();
        std::fs::write(self.path("home.yaml"), texts.join("\n---\n")).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("XDG_RUNTIME_DIR", self.folder.path()).stdin(Stdio::null());
        command.arg("--credentials-dir").arg(self.path("credentials"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn plan(&self, more: &[&str]) -> Run {
        self.run(&[&["plan", "-f", "home.yaml", "-o", "json"], more].concat())
    }

    pub(crate) fn apply(&self, more: &[&str]) -> Run {
        self.run(&[&["apply", "-f", "home.yaml", "-o", "json", "--yes"], more].concat())
    }

    /// Applies, and shows that nothing is left to do.
    #[track_caller]
    pub(crate) fn converge(&self, more: &[&str]) -> Run {
        let report = self.apply(more).exits(0);
        self.plan(&[more, &["--detailed-exitcode"]].concat()).exits(0);
        report
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Below 32768, where the system takes no ports for outgoing connections.
fn free_port() -> u16 {
    (0..)
        .find_map(|_| {
            let mut bytes = [0; 2];
            getrandom::fill(&mut bytes).unwrap();
            let port = 20_000 + u16::from_le_bytes(bytes) % 12_000;
            TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
        })
        .unwrap()
}

pub(crate) fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "provisor.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A to-do list: an entry that works with no service behind it.
pub(crate) fn todo(name: &str, more: &Value) -> Value {
    let mut spec =
        json!({"domain": "local_todo", "title": name, "data": {"todo_list_name": name, "storage_key": name}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document("HomeAssistantEntry", name, &spec)
}

/// An account of the integration of these tests, whose refresh token is a credential.
pub(crate) fn account(name: &str, more: &Value) -> Value {
    let mut spec = json!({
        "domain": "provisor_rotator",
        "title": name,
        "data": {"host": "cloud"},
        "credentials": {"token.refreshToken": {"credential": name}},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document("HomeAssistantEntry", name, &spec)
}
