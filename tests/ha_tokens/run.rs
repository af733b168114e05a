//! The program, an age identity, and a storage folder.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Fails, with all that was printed, unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Fails where any of `secrets` was printed.
    #[track_caller]
    pub(crate) fn silent_about(self, secrets: &[&str]) -> Self {
        for secret in secrets {
            assert!(!self.out.contains(secret) && !self.err.contains(secret), "{}\n{}", self.out, self.err);
        }
        self
    }
}

pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
    command.args(arguments).arg("-vvv").current_dir(folder).env_clear().env("RUST_LOG", "trace");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn provisor(folder: &Path, arguments: &[&str]) -> Run {
    let output = command(folder, arguments).output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A run that waits for somebody to open an address.
pub(crate) struct Waiting {
    child: Child,
    /// The address that it asks for.
    pub(crate) url: String,
    said: JoinHandle<String>,
    before: String,
}

impl Waiting {
    /// Starts the program and waits until it says an address.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut before = String::new();
        let url = loop {
            let mut line = String::new();
            let length = lines.read_line(&mut line).unwrap();
            assert!(length > 0, "it ended without an address:\n{before}");
            before.push_str(&line);
            if let Some(url) = line.strip_prefix("  http") {
                break format!("http{}", url.trim_end());
            }
        };
        let said = std::thread::spawn(move || {
            let mut rest = String::new();
            lines.read_to_string(&mut rest).unwrap();
            rest
        });
        Self { child, url, said, before }
    }

    /// Waits until it ends.
    pub(crate) fn end(self) -> Run {
        let output = self.child.wait_with_output().unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: self.before + &self.said.join().unwrap(),
        }
    }
}

/// An age identity, and how the command line names who can decrypt.
pub(crate) struct Reader(age::x25519::Identity);

impl Reader {
    pub(crate) fn new() -> Self {
        Self(age::x25519::Identity::generate())
    }

    pub(crate) fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// The identity as a file holds it.
    pub(crate) fn identity(&self) -> String {
        use age::secrecy::ExposeSecret as _;
        self.0.to_string().expose_secret().to_owned()
    }

    pub(crate) fn decrypt(&self, file: &Path) -> String {
        String::from_utf8(age::decrypt(&self.0, &std::fs::read(file).unwrap()).unwrap()).unwrap()
    }
}

/// Writes `.storage/NAME` below `folder` as Home Assistant does.
pub(crate) fn store(folder: &Path, name: &str, data: &Value) {
    let storage = folder.join(".storage");
    std::fs::create_dir_all(&storage).unwrap();
    let document = json!({"version": 1, "minor_version": 5, "key": name, "data": data});
    std::fs::write(storage.join(name), document.to_string()).unwrap();
}

/// A config entry as it is stored.
pub(crate) fn entry(id: &str, domain: &str, title: &str, data: &Value) -> Value {
    json!({"created_at": "2026-11-25T08:45:40.044307+00:00", "data": data, "disabled_by": null, "discovery_keys": {},
        "domain": domain, "entry_id": id, "minor_version": 1, "modified_at": "2026-11-25T08:45:40.044310+00:00",
        "options": {}, "pref_disable_new_entities": false, "pref_disable_polling": false, "source": "user",
        "subentries": [], "title": title, "unique_id": "4711", "version": 2})
}
