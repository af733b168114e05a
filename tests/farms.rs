//! Farms and their one-time keys in an embedded hub, as their users run it: manifests in, the program's own output, and
//! the hub's store and the sinks out (OTPK-1, OTPK-2, OTPK-3, OTPK-13; REC-4, REC-6, REC-9, REC-13).

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "support/run.rs"]
mod run;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use provisor::clock::Clock;
use provisor::hub::{FarmState, Hub, Key, KeyState, Mode, OpenOptions};
use provisor::otpk::ProvisioningKey;
use run::Run;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// A folder with manifests, an embedded hub below it, and places for keys.
struct Yard {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Yard {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let yard = Self { folder: tempfile::tempdir().unwrap(), runtime };
        std::fs::create_dir(yard.path("keys")).unwrap();
        yard
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn declare(&self, documents: &[Value]) {
        let hub = document("Hub", "home", &json!({"embedded": {"directory": "hub"}}));
        let texts: Vec<String> = std::iter::once(&hub).chain(documents).map(Value::to_string).collect();
        std::fs::write(self.path("farm.yaml"), texts.join("\n---\n")).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
        command.args(arguments).args(["-f", "farm.yaml", "-o", "json"]).current_dir(self.folder.path());
        command.env_clear().env("XDG_RUNTIME_DIR", self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    fn plan(&self, more: &[&str]) -> Run {
        self.run(&[&["plan"], more].concat())
    }

    fn apply(&self, more: &[&str]) -> Run {
        self.run(&[&["apply", "--yes"], more].concat())
    }

    /// Applies, and shows that nothing is left to do.
    #[track_caller]
    fn converge(&self, more: &[&str]) -> Run {
        let report = self.apply(more).exits(0);
        self.plan(&[more, &["--detailed-exitcode"]].concat()).exits(0);
        report
    }

    /// What the hub itself says, or does.
    fn hub<T>(&self, work: impl AsyncFnOnce(&Hub) -> T) -> T {
        self.runtime.block_on(async {
            let mode = Mode::ReadWrite;
            let options = OpenOptions { directory: self.path("hub"), mode, pepper: None, clock: Clock::system() };
            let hub = Hub::open(options).await.unwrap();
            let done = work(&hub).await;
            hub.close().await;
            done
        })
    }

    fn keys(&self) -> Vec<Key> {
        self.hub(async |hub| hub.list_keys().await.unwrap())
    }

    fn keys_that_are(&self, state: KeyState) -> usize {
        self.keys().iter().filter(|key| key.state == state).count()
    }

    /// Does to the store what no command of this version does.
    fn tamper(&self, statement: &'static str) {
        self.runtime.block_on(async {
            let store = SqliteConnectOptions::new().filename(self.path("hub/hub.db"));
            let sql = SqlitePool::connect_with(store).await.unwrap();
            sqlx::query(statement).execute(&sql).await.unwrap();
            sql.close().await;
        });
    }

    /// The key in a sink; it opens the hub's door, once.
    fn delivered(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        ProvisioningKey::parse(&text).unwrap();
        text
    }

    fn state_of(&self, text: &str) -> KeyState {
        self.hub(async |hub| hub.verify(text).await.unwrap().key.state)
    }

    /// Whether the hub knows the key in a sink, and would take it.
    fn opens(&self, name: &str) -> bool {
        let text = self.delivered(name);
        self.state_of(&text) == KeyState::Unused
    }
}

fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "provisor.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn meadow() -> Value {
    document("Farm", "meadow", &json!({"farmer": {"name": "Ada"}}))
}

/// A key for the meadow, with `more` in its spec.
fn gateway(more: &Value) -> Value {
    let mut spec = json!({"farmRef": "meadow", "deliverTo": {"file": "keys/gateway"}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document("ProvisioningKey", "gateway", &spec)
}

#[test]
fn a_key_is_issued_delivered_once_and_kept() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({"note": "milking parlour"}))]);
    let report = yard.converge(&["-vvv"]);
    let mode = std::fs::metadata(yard.path("keys/gateway")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(yard.opens("keys/gateway"));
    let [key] = &yard.keys()[..] else { panic!("one key") };
    assert_eq!(key.expires_at.duration_since(key.created_at).as_hours(), 24, "OTPK-3: a day, unless said otherwise");
    assert_eq!((key.note.as_deref(), key.state), (Some("milking parlour"), KeyState::Unused));

    let text = yard.delivered("keys/gateway");
    yard.converge(&["-vvv"]);
    assert_eq!(yard.delivered("keys/gateway"), text, "a second apply issues nothing");
    assert_eq!(yard.keys().len(), 1);
    let body = text.rsplit('1').next().unwrap().to_owned();
    for said in [&report.out, &report.err] {
        assert!(!said.contains(&text) && !said.contains(&body), "the key is in\n{said}");
    }
}

#[test]
fn a_farm_changes_field_by_field_and_keeps_what_is_not_named() {
    let yard = Yard::new();
    let farm = |spec: Value| yard.declare(&[document("Farm", "meadow", &spec)]);
    farm(json!({"farmer": {"name": "Ada", "contact": "ada@example.org"}, "certificate": {"lifetime": "90d"}}));
    yard.converge(&[]);
    farm(json!({"farmer": {"name": "Ada Lindqvist"}, "displayName": "North Meadow"}));
    let plan = yard.plan(&["--detailed-exitcode"]).exits(2);
    assert_eq!(plan.change("Farm/meadow")["action"], "update");
    assert_eq!(plan.paths("Farm/meadow"), ["displayName", "farmer.name"]);
    yard.converge(&[]);
    let farms = yard.hub(async |hub| hub.list_farms().await.unwrap());
    assert_eq!(farms[0].farmer.contact.as_deref(), Some("ada@example.org"));
    assert_eq!(farms[0].lifetime, Some(Duration::from_hours(90 * 24)));
    assert_eq!(farms.len(), 1);
}

#[test]
fn another_reissue_replaces_the_key_and_revokes_the_old_one() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({}))]);
    yard.converge(&[]);
    let old = yard.delivered("keys/gateway");
    yard.declare(&[meadow(), gateway(&json!({"reissue": "lost on the way"}))]);
    assert_eq!(yard.plan(&[]).exits(0).paths("ProvisioningKey/gateway"), ["reissue"]);
    yard.converge(&[]);
    assert_ne!(yard.delivered("keys/gateway"), old);
    assert!(yard.opens("keys/gateway"));
    assert_eq!(yard.state_of(&old), KeyState::Revoked);
    assert_eq!((yard.keys_that_are(KeyState::Unused), yard.keys_that_are(KeyState::Revoked)), (1, 1));
    // What counts when a key is issued is no drift afterwards.
    yard.declare(&[meadow(), gateway(&json!({"reissue": "lost on the way", "note": "new", "expiresIn": "1h"}))]);
    yard.plan(&["--detailed-exitcode"]).exits(0);
}

#[test]
fn a_delivery_that_is_gone_is_warned_of_and_nothing_is_issued() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({}))]);
    yard.converge(&[]);
    std::fs::remove_file(yard.path("keys/gateway")).unwrap();
    let change = yard.plan(&["--detailed-exitcode"]).exits(0).change("ProvisioningKey/gateway");
    assert_eq!(
        (&change["action"], &change["warnings"][0]["code"]),
        (&json!("none"), &json!("provisor::key::delivery_missing"))
    );
    yard.apply(&[]).exits(0);
    assert_eq!(yard.keys().len(), 1);
    // On a pull-request runner there are no sinks, and nothing is said about them.
    let change = yard.plan(&["--without-secrets"]).exits(0).change("ProvisioningKey/gateway");
    assert!(change.get("warnings").is_none_or(|warnings| warnings == &json!([])), "{change:#}");
}

#[test]
fn an_expired_key_is_replaced_where_asked_only() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({"expiresIn": "1s"}))]);
    yard.apply(&[]).exits(0);
    let patience = Instant::now() + Duration::from_secs(30);
    while yard.keys_that_are(KeyState::Expired) == 0 {
        assert!(Instant::now() < patience, "{:?}", yard.keys());
        std::thread::sleep(Duration::from_millis(100));
    }
    let change = yard.plan(&["--detailed-exitcode"]).exits(0).change("ProvisioningKey/gateway");
    assert_eq!((&change["action"], &change["warnings"][0]["code"]), (&json!("none"), &json!("provisor::key::expired")));
    yard.declare(&[meadow(), gateway(&json!({"expiresIn": "1h", "renewExpired": true}))]);
    yard.converge(&[]);
    assert!(yard.opens("keys/gateway"));
    assert_eq!(yard.keys_that_are(KeyState::Unused), 1);
}

/// REC-13: a key that was issued and never reached its place is worth nothing, and the next apply makes another.
#[test]
fn a_key_that_was_not_delivered_is_revoked_and_replaced() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({}))]);
    std::fs::create_dir(yard.path("keys/gateway")).unwrap();
    let report = yard.apply(&[]).exits(1);
    assert_eq!(report.change("ProvisioningKey/gateway")["outcome"], "failed");
    assert_eq!(report.change("Farm/meadow")["outcome"], "applied");
    std::fs::remove_dir(yard.path("keys/gateway")).unwrap();
    let change = yard.plan(&["--detailed-exitcode"]).exits(2).change("ProvisioningKey/gateway");
    assert!(change["message"].as_str().unwrap().contains("revoked and replaced"), "{change:#}");
    yard.converge(&[]);
    assert!(yard.opens("keys/gateway"));
    assert_eq!((yard.keys_that_are(KeyState::Unused), yard.keys_that_are(KeyState::Revoked)), (1, 1));
}

#[test]
fn a_place_that_cannot_take_a_key_is_known_before_one_is_issued() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({"deliverTo": {"file": "nowhere/gateway"}}))]);
    let change = yard.plan(&[]).exits(1).change("ProvisioningKey/gateway");
    assert_eq!(change["error"]["code"], "provisor::sink::missing_folder");
    yard.apply(&[]).exits(1);
    assert_eq!(yard.keys().len(), 0);
}

/// REC-9, OTPK-13: what is no longer declared is an orphan, and revoked when it is pruned.
#[test]
fn what_is_no_longer_declared_is_revoked_by_pruning() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({}))]);
    yard.converge(&[]);
    yard.declare(&[meadow()]);
    let change = yard.plan(&["--detailed-exitcode"]).exits(0).change("ProvisioningKey/gateway");
    assert_eq!(change["action"], "orphan");
    assert!(yard.opens("keys/gateway"), "an orphan is left alone");
    yard.converge(&["--prune"]);
    assert_eq!(yard.keys_that_are(KeyState::Revoked), 1);
    // Declared again, it is a new key for the same farm.
    yard.declare(&[meadow(), gateway(&json!({}))]);
    yard.converge(&[]);
    assert!(yard.opens("keys/gateway"));
    // A farm goes with its keys; at most so many at a time.
    yard.declare(&[]);
    let over = yard.apply(&["--prune"]).exits(1);
    assert!(over.out.contains("provisor::plan::too_many_deletes"), "{}", over.out);
    assert!(yard.opens("keys/gateway"));
    yard.converge(&["--prune", "--max-delete", "2"]);
    assert_eq!(yard.keys_that_are(KeyState::Unused), 0);
    assert_eq!(yard.hub(async |hub| hub.list_farms().await.unwrap())[0].state, FarmState::Revoked);
}

#[test]
fn a_used_key_has_done_its_work() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({"renewExpired": true}))]);
    yard.converge(&[]);
    yard.tamper("UPDATE provisioning_keys SET used_at = unixepoch(), used_by_request_id = 'r'");
    std::fs::remove_file(yard.path("keys/gateway")).unwrap();
    let change = yard.plan(&["--detailed-exitcode"]).exits(0).change("ProvisioningKey/gateway");
    assert_eq!((&change["action"], &change["message"]), (&json!("none"), &json!("the key was used")));
    yard.declare(&[meadow()]);
    yard.converge(&["--prune"]);
    assert_eq!(yard.keys_that_are(KeyState::Used), 1, "pruning a used key does nothing");
}

#[test]
fn a_guarded_farm_is_never_pruned() {
    let yard = Yard::new();
    let spec = json!({"farmer": {"name": "Ada"}, "lifecycle": {"preventDestroy": true}});
    yard.declare(&[document("Farm", "meadow", &spec)]);
    yard.converge(&[]);
    yard.declare(&[]);
    let report = yard.apply(&["--prune"]).exits(1);
    assert_eq!(report.change("Farm/meadow")["error"]["code"], "provisor::plan::protected");
    assert_eq!(yard.hub(async |hub| hub.list_farms().await.unwrap())[0].state, FarmState::Active);
}

#[test]
fn a_revoked_farm_that_is_declared_still_is_a_conflict() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({}))]);
    yard.converge(&[]);
    yard.hub(async |hub| {
        let farms = hub.list_farms().await.unwrap();
        hub.revoke_farm(farms[0].id, "somebody").await.unwrap();
    });
    let plan = yard.plan(&["--detailed-exitcode"]).exits(1);
    assert_eq!(plan.change("Farm/meadow")["action"], "conflict");
    assert_eq!(plan.change("Farm/meadow")["error"]["code"], "provisor::plan::conflict");
    yard.apply(&[]).exits(1);
    assert_eq!(yard.hub(async |hub| hub.list_farms().await.unwrap())[0].state, FarmState::Revoked);
}

#[test]
fn a_farm_of_somebody_else_is_taken_over_only_when_asked() {
    let yard = Yard::new();
    let id = uuid::Uuid::new_v4();
    let farm = |lifecycle: Value| {
        let spec = json!({"farmId": id, "farmer": {"name": "Ada"}, "lifecycle": lifecycle});
        document("Farm", "meadow", &spec)
    };
    yard.declare(&[farm(json!({}))]);
    yard.apply(&["--owner", "them"]).exits(0);
    let change = yard.apply(&["--adopt"]).exits(1).change("Farm/meadow");
    assert_eq!(change["action"], "conflict");
    assert!(change["error"]["message"].as_str().unwrap().contains("them"), "{change:#}");
    yard.hub(async |hub| {
        let free = provisor::hub::FarmChange { mark: Some(None), ..provisor::hub::FarmChange::default() };
        hub.update_farm(id, free).await.unwrap()
    });
    assert_eq!(yard.apply(&[]).exits(1).change("Farm/meadow")["action"], "conflict");
    yard.declare(&[farm(json!({"adopt": "ifIdentical"}))]);
    assert_eq!(yard.plan(&[]).exits(0).change("Farm/meadow")["action"], "adopt");
    yard.converge(&[]);
}

#[test]
fn a_renamed_farm_is_the_same_farm() {
    let yard = Yard::new();
    let id = uuid::Uuid::new_v4();
    let farm =
        |name: &str| document("Farm", name, &json!({"farmId": id, "displayName": "M", "farmer": {"name": "Ada"}}));
    yard.declare(&[farm("meadow")]);
    yard.converge(&[]);
    yard.declare(&[farm("pasture")]);
    let plan = yard.plan(&["--prune"]).exits(0);
    assert_eq!(plan.paths("Farm/pasture"), ["metadata.name"]);
    yard.converge(&["--prune"]);
    assert_eq!(yard.hub(async |hub| hub.list_farms().await.unwrap())[0].state, FarmState::Active);
}

/// OTPK-1: a card to print, with the hub's address where it is known; the key can be read off it.
#[test]
fn a_card_is_printed_in_the_format_of_its_name() {
    let yard = Yard::new();
    for (name, start) in [("keys/card.pdf", &b"%PDF-"[..]), ("keys/card.svg", b"<svg")] {
        let key = document(
            "ProvisioningKey",
            if name.ends_with("pdf") { "pdf" } else { "svg" },
            &json!({"farmRef": "meadow", "deliverTo": {"card": {"file": name}}}),
        );
        yard.declare(&[meadow(), key]);
        yard.converge(&[]);
        let bytes = std::fs::read(yard.path(name)).unwrap();
        assert!(bytes.windows(start.len()).take(200).any(|window| window == start), "{name}");
        assert_eq!(std::fs::metadata(yard.path(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// REC-13: killed at any moment, the next apply leaves one key that opens the door for each that is declared.
#[test]
fn killed_at_any_moment_each_key_is_in_its_place() {
    let yard = Yard::new();
    let generation = |number: usize| -> Vec<Value> {
        let key = |at: usize| {
            let spec = json!({"farmRef": "meadow", "deliverTo": {"file": format!("keys/{at}")}, "reissue": number.to_string()});
            document("ProvisioningKey", &format!("key-{at}"), &spec)
        };
        std::iter::once(meadow()).chain((0..8).map(key)).collect()
    };
    yard.declare(&generation(0));
    let started = Instant::now();
    yard.apply(&[]).exits(0);
    let whole = started.elapsed();
    let mut interrupted = 0;
    for moment in 1..=20 {
        yard.declare(&generation(moment));
        let mut child = yard.command(&["apply", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(u32::try_from(moment).unwrap()) / 20.0));
        interrupted += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        yard.converge(&[]);
        assert_eq!(yard.keys_that_are(KeyState::Unused), 8, "one for each declaration");
        let texts: BTreeSet<String> = (0..8).map(|at| yard.delivered(&format!("keys/{at}"))).collect();
        assert_eq!(texts.len(), 8);
        assert!(yard.opens(&format!("keys/{}", moment % 8)));
        assert_eq!(std::fs::read_dir(yard.path("keys")).unwrap().count(), 8, "something is left beside the keys");
    }
    assert!(interrupted >= 5, "only {interrupted} of 20 runs were still going when they were killed");
}

#[test]
fn two_applies_at_once_issue_one_key() {
    let yard = Yard::new();
    yard.declare(&[meadow(), gateway(&json!({}))]);
    let start = || yard.command(&["apply", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for child in [start(), start(), start()] {
        Run::from(child.wait_with_output().unwrap()).exits(0);
    }
    assert_eq!(yard.keys().len(), 1);
    assert!(yard.opens("keys/gateway"));
}
