//! Where secrets come from and go to, as a unit of systemd, a container or a person at a terminal meets it (REC-3).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provisor::secret::reference::{AgeSink, SinkRef};
use provisor::secret::{Secret, sink};
use serde_json::Value;

const CANARY: &str = "canary-of-a-secret-source-41c7";

/// A folder with a manifest whose realm signs in with `{SECRET}`; nothing listens where the realm is said to be.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(reference: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        let manifest = format!(
            "{{apiVersion: provisor.dev/v1alpha1, kind: KeycloakRealm, metadata: {{name: fleet}}, spec: {{\
             url: 'http://127.0.0.1:1', realm: fleet, clientId: provisor, clientSecret: {reference}}}}}\n---\n\
             {{apiVersion: provisor.dev/v1alpha1, kind: KeycloakClient, metadata: {{name: app}}, spec: {{}}}}\n"
        );
        home.write("all.yaml", manifest.as_bytes(), 0o644);
        std::fs::create_dir(home.path("credentials")).unwrap();
        mode(&home.path("credentials"), 0o700);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], bits: u32) {
        std::fs::write(self.path(name), bytes).unwrap();
        mode(&self.path(name), bits);
    }

    fn plan(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
        command.arg("plan").arg("-f").arg(self.path("all.yaml")).args(["-o", "json", "-vvv"]);
        command.current_dir(self.folder.path());
        command.env_clear().env("XDG_RUNTIME_DIR", self.folder.path()).stdin(Stdio::null());
        command
    }

    /// A plan with the folder as systemd hands it over.
    fn delivered(&self) -> Told {
        Told::of(self.plan().env("CREDENTIALS_DIRECTORY", self.path("credentials")))
    }

    /// A plan with the folder as an operator names it.
    fn named(&self) -> Told {
        Told::of(self.plan().arg("--credentials-dir").arg(self.path("credentials")))
    }
}

/// What a plan said about its one client, which cannot be observed: the secret is missing, or the server is.
#[derive(Debug)]
struct Told {
    code: String,
    hint: String,
    warnings: String,
}

impl Told {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(!out.contains(CANARY) && !err.contains(CANARY), "a secret is in\n{out}\n{err}");
        let plan: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
        assert_eq!((output.status.code(), &plan["changes"][0]["action"]), (Some(1), &"unknown".into()), "{err}");
        let error = &plan["changes"][0]["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        let warnings = err.lines().filter(|line| line.starts_with("warning")).collect();
        Self { code: text("code"), hint: text("hint"), warnings }
    }

    /// The secret was had: only the server was missing.
    #[track_caller]
    fn resolved(&self) {
        assert_eq!(self.code, "provisor::keycloak::unreachable", "{self:?}");
    }

    #[track_caller]
    fn refused(&self, code: &str) {
        assert_eq!(self.code, code, "{self:?}");
    }
}

fn mode(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
}

#[test]
fn without_a_credentials_directory_the_option_is_named_and_the_working_folder_is_not_read() {
    let home = Home::new("{credential: client}");
    home.write("client", CANARY.as_bytes(), 0o600);
    let told = Told::of(&mut home.plan());
    told.refused("provisor::secret::no_credentials_directory");
    assert!(told.hint.contains("--credentials-dir"), "{told:?}");
    let told = Told::of(home.plan().env("CREDENTIALS_DIRECTORY", ""));
    told.refused("provisor::secret::no_credentials_directory");
    let told = Told::of(home.plan().env("CREDENTIALS_DIRECTORY", home.path("nowhere")));
    told.refused("provisor::secret::no_credentials_directory");
    assert!(told.hint.contains("container"), "a mount that did not happen is told as that: {told:?}");
}

#[test]
fn the_modes_that_systemd_gives_are_accepted_and_others_cannot_read() {
    let home = Home::new("{credential: client}");
    // 257 and newer: root's, with an ACL, which shows as group bits.
    home.write("credentials/client", CANARY.as_bytes(), 0o440);
    mode(&home.path("credentials"), 0o550);
    home.delivered().resolved();
    assert_eq!(home.delivered().warnings, "");
    // 252: the service's own.
    home.write("credentials/client", CANARY.as_bytes(), 0o400);
    mode(&home.path("credentials"), 0o500);
    home.delivered().resolved();
    home.write("credentials/client", CANARY.as_bytes(), 0o444);
    home.delivered().refused("provisor::secret::permissions");
}

#[test]
fn an_operators_own_folder_is_held_to_more() {
    let home = Home::new("{credential: client}");
    home.write("credentials/client", CANARY.as_bytes(), 0o600);
    home.named().resolved();
    assert_eq!(home.named().warnings, "");
    home.write("credentials/client", CANARY.as_bytes(), 0o640);
    assert!(home.named().warnings.contains("can be read by its group"), "{:?}", home.named());
    home.write("credentials/client", CANARY.as_bytes(), 0o604);
    home.named().refused("provisor::secret::permissions");
    home.write("credentials/client", CANARY.as_bytes(), 0o600);
    mode(&home.path("credentials"), 0o777);
    let told = home.named();
    told.refused("provisor::secret::permissions");
    assert!(told.hint.contains("chmod go-w"), "{told:?}");
}

#[test]
fn the_option_beats_the_variable() {
    let home = Home::new("{credential: client}");
    home.write("credentials/client", CANARY.as_bytes(), 0o600);
    let told = Told::of(
        home.plan()
            .env("CREDENTIALS_DIRECTORY", home.path("nowhere"))
            .arg("--credentials-dir")
            .arg(home.path("credentials")),
    );
    told.resolved();
}

#[test]
fn a_credential_must_be_there_be_a_file_be_text_and_not_be_empty() {
    let home = Home::new("{credential: client}");
    let told = home.delivered();
    told.refused("provisor::secret::missing");
    assert!(told.hint.contains("LoadCredential="), "{told:?}");
    for (bytes, code) in [
        (&b""[..], "provisor::secret::empty"),
        (b"\n", "provisor::secret::empty"),
        (b"\r\n", "provisor::secret::empty"),
        (b"\xff\xfe", "provisor::secret::not_text"),
        (&vec![b'x'; 1024 * 1024 + 1], "provisor::secret::too_large"),
    ] {
        home.write("credentials/client", bytes, 0o400);
        home.delivered().refused(code);
        std::fs::remove_file(home.path("credentials/client")).unwrap();
    }
    std::fs::create_dir(home.path("credentials/client")).unwrap();
    home.delivered().refused("provisor::secret::not_a_file");
    std::fs::remove_dir(home.path("credentials/client")).unwrap();
    // A pipe that nobody writes to does not hang the run.
    let pipe = Command::new("mkfifo").arg(home.path("credentials/client")).status().unwrap();
    assert!(pipe.success());
    home.delivered().refused("provisor::secret::not_a_file");
}

#[test]
fn links_are_followed_within_the_folder_only() {
    let home = Home::new("{credential: client}");
    // As Kubernetes mounts a Secret.
    std::fs::create_dir(home.path("credentials/..2026")).unwrap();
    home.write("credentials/..2026/client", CANARY.as_bytes(), 0o400);
    symlink("..2026", home.path("credentials/..data")).unwrap();
    symlink("..data/client", home.path("credentials/client")).unwrap();
    home.delivered().resolved();
    home.write("outside", CANARY.as_bytes(), 0o400);
    std::fs::remove_file(home.path("credentials/client")).unwrap();
    symlink("../outside", home.path("credentials/client")).unwrap();
    home.delivered().refused("provisor::secret::not_a_file");
}

#[test]
fn a_file_is_relative_to_its_manifest_and_a_variable_is_read() {
    let home = Home::new("{file: secrets/client}");
    Told::of(&mut home.plan()).refused("provisor::secret::missing");
    std::fs::create_dir(home.path("secrets")).unwrap();
    home.write("secrets/client", CANARY.as_bytes(), 0o600);
    let elsewhere = tempfile::tempdir().unwrap();
    Told::of(home.plan().current_dir(&elsewhere)).resolved();
    let home = Home::new("{env: CLIENT_SECRET}");
    Told::of(&mut home.plan()).refused("provisor::secret::missing");
    Told::of(home.plan().env("CLIENT_SECRET", CANARY)).resolved();
}

#[test]
fn a_file_that_others_can_read_is_warned_of() {
    let home = Home::new("{file: client}");
    home.write("client", CANARY.as_bytes(), 0o644);
    let told = Told::of(&mut home.plan());
    told.resolved();
    assert!(told.warnings.contains("chmod 0600"), "{told:?}");
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    Told::of(&mut Home::new("{prompt: Client secret}").plan()).refused("provisor::secret::no_terminal");
}

/// The secret of the embedded hub never leaves it: the issued key is in its sink and nowhere else.
#[test]
fn an_age_sink_is_read_by_its_recipients_only() {
    let folder = tempfile::tempdir().unwrap();
    let ssh = |kind: &str| {
        let key = folder.path().join(kind);
        let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let private = std::fs::read(&key).unwrap();
        let identity = age::ssh::Identity::from_buffer(&private[..], None).unwrap();
        (public, Box::new(identity) as Box<dyn age::Identity>)
    };
    let native = age::x25519::Identity::generate();
    let readers =
        [(native.to_public().to_string(), Box::new(native) as Box<dyn age::Identity>), ssh("ed25519"), ssh("rsa")];
    let file = folder.path().join("out.age");
    let recipients = readers.iter().map(|(public, _)| public.clone()).collect();
    let to = SinkRef::Age(AgeSink { file: file.clone(), recipients });
    sink::check(&to).unwrap();
    sink::write(&to, CANARY.as_bytes()).unwrap();
    let sealed = std::fs::read(&file).unwrap();
    assert!(sealed.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----"));
    for (public, identity) in &readers {
        let decryptor = age::Decryptor::new(age::armor::ArmoredReader::new(&sealed[..])).unwrap();
        let mut opened = String::new();
        decryptor.decrypt(std::iter::once(&**identity)).unwrap().read_to_string(&mut opened).unwrap();
        assert_eq!(opened, CANARY, "{public}");
    }
    let stranger = age::x25519::Identity::generate();
    let decryptor = age::Decryptor::new(age::armor::ArmoredReader::new(&sealed[..])).unwrap();
    assert!(decryptor.decrypt(std::iter::once(&stranger as &dyn age::Identity)).is_err());
    assert!(!String::from_utf8_lossy(&sealed).contains(CANARY));
    let bad = SinkRef::Age(AgeSink { file, recipients: vec!["age1nonsense".to_owned()] });
    assert_eq!(sink::check(&bad).unwrap_err().code(), "provisor::sink::recipient");
}

#[test]
fn a_sink_is_private_exact_and_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sink");
    let to = SinkRef::File(file.clone());
    assert!(!sink::exists(&to).unwrap());
    std::fs::write(&file, "what was there before, and longer than the secret that is to come").unwrap();
    mode(&file, 0o644);
    sink::write(&to, CANARY.as_bytes()).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), CANARY, "exactly the value, with no line end");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(sink::holds(&to, &Secret::new(CANARY.to_owned())).unwrap(), Some(true));
    assert_eq!(sink::holds(&to, &Secret::new("other".to_owned())).unwrap(), Some(false));
    assert_eq!(names(folder.path()), ["sink"]);
    let missing = SinkRef::File(folder.path().join("nowhere/sink"));
    assert_eq!(sink::check(&missing).unwrap_err().code(), "provisor::sink::missing_folder");
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn what_a_crash_left_beside_a_sink_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real/sink", folder.path().join("link")).unwrap();
    std::fs::write(folder.path().join("real/sink"), "old").unwrap();
    for (sink, leftover) in [("plain", ".plain.provisor-new"), ("link", "real/.sink.provisor-new")] {
        std::fs::write(folder.path().join(leftover), CANARY).unwrap();
        sink::remove_leftover(&SinkRef::File(folder.path().join(sink)));
        assert!(!folder.path().join(leftover).exists(), "{leftover}");
        // One of a run that was killed in the middle does not stand in the way, nor does its mode outlive it.
        std::fs::write(folder.path().join(leftover), CANARY).unwrap();
        mode(&folder.path().join(leftover), 0o666);
        sink::write(&SinkRef::File(folder.path().join(sink)), b"new").unwrap();
        assert!(!folder.path().join(leftover).exists(), "{leftover}");
        let written = folder.path().join(sink);
        assert_eq!(std::fs::metadata(&written).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(folder.path().join("link").is_symlink(), "a link goes on to be one");
    assert_eq!(std::fs::read_to_string(folder.path().join("real/sink")).unwrap(), "new");
}

#[test]
fn a_sink_that_cannot_be_written_keeps_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sink")).unwrap();
    std::fs::write(folder.path().join("sink/inside"), "old").unwrap();
    let to = SinkRef::File(folder.path().join("sink"));
    assert_eq!(sink::write(&to, CANARY.as_bytes()).unwrap_err().code(), "provisor::sink::not_a_file");
    assert_eq!(std::fs::read_to_string(folder.path().join("sink/inside")).unwrap(), "old");
    assert_eq!(names(folder.path()), ["sink"], "the value is not left beside it");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Neither a limit of the unit nor a signal makes a core dump of provisor.
#[test]
fn there_is_no_core_dump() {
    let folder = tempfile::tempdir().unwrap();
    // As high as this machine allows, and waiting for standard input.
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_provisor")])
        .args(["validate", "-f", "-"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let limits = PathBuf::from(format!("/proc/{}/limits", child.id()));
    let has_none = || {
        let limits = std::fs::read_to_string(&limits).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        core.split_whitespace().skip(4).take(2).eq(["0", "0"])
    };
    let patience = Instant::now() + Duration::from_secs(30);
    while !has_none() {
        assert!(Instant::now() < patience, "the limit stays {}", std::fs::read_to_string(&limits).unwrap());
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    assert_eq!(names(folder.path()), [""; 0]);
}
