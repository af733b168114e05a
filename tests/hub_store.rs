//! The hub's store and service, as its users and its auditors see them (OTPK-1, OTPK-2, OTPK-3, OTPK-9, OTPK-13).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use provisor::clock::Clock;
use provisor::diagnostic::Class;
use provisor::hub::{
    Error, FarmChange, FarmState, Farmer, Hub, IssuedKey, KeyState, Mark, Mode, NewFarm, NewKey, OpenOptions,
};
use provisor::otpk::{Pepper, ProvisioningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tempfile::TempDir;
use uuid::Uuid;

const HOUR: Duration = Duration::from_hours(1);

/// A hub's folder, whose clock stands still.
struct Place {
    parent: TempDir,
    clock: Clock,
}

impl Place {
    fn new() -> Self {
        let clock = Clock::fixed("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap());
        Self { parent: tempfile::tempdir().unwrap(), clock }
    }

    fn directory(&self) -> PathBuf {
        self.parent.path().join("hub")
    }

    async fn try_open(&self, mode: Mode) -> Result<Hub, Error> {
        let options = OpenOptions { directory: self.directory(), mode, pepper: None, clock: self.clock.clone() };
        Hub::open(options).await
    }

    async fn open(&self) -> Hub {
        self.try_open(Mode::ReadWrite).await.unwrap()
    }

    async fn look(&self) -> Hub {
        self.try_open(Mode::ReadOnly).await.unwrap()
    }

    /// The store as an auditor's tool sees it.
    async fn sql(&self) -> SqlitePool {
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(self.directory().join("hub.db"))).await.unwrap()
    }

    /// Does what no hub does.
    async fn tamper(&self, statement: impl Into<String>) {
        let sql = self.sql().await;
        sqlx::query(sqlx::AssertSqlSafe(statement.into())).execute(&sql).await.unwrap();
        sql.close().await;
    }

    /// Every file below the folder, with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.directory())
    }

    /// Every file below the folder, with a digest of its bytes.
    fn digests(&self) -> BTreeMap<PathBuf, String> {
        let digest = |bytes: &Vec<u8>| format!("{} bytes, {}", bytes.len(), HEXLOWER.encode(&Sha256::digest(bytes)));
        self.files().iter().map(|(path, bytes)| (path.clone(), digest(bytes))).collect()
    }
}

/// A hub in a process of its own: one of this file's ignored tests.
struct Other(Child);

impl Other {
    fn start(place: &Place, test: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored"]).env("PROVISOR_TEST_HUB", place.directory());
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// The folder, in the child; in a run of all tests there is none, and the child has nothing to do.
    #[expect(clippy::disallowed_methods, reason = "the parent tells its child the folder")]
    fn directory() -> Option<PathBuf> {
        std::env::var_os("PROVISOR_TEST_HUB").map(PathBuf::from)
    }

    async fn open(directory: &Path) -> Hub {
        let clock = Clock::fixed("2026-03-01T12:00:00Z".parse().unwrap());
        let options = OpenOptions { directory: directory.to_owned(), mode: Mode::ReadWrite, pepper: None, clock };
        Hub::open(options).await.unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn mark(resource: &str) -> Mark {
    Mark { owner: "default".into(), resource: resource.into(), lifecycle: Some(json!({"preventDestroy": true})) }
}

fn farm(name: &str) -> NewFarm {
    NewFarm {
        id: None,
        display_name: name.into(),
        farmer: Farmer { name: "Ada Ploughman".into(), contact: Some("ada@example.org".into()) },
        lifetime: None,
        created_by: "admin".into(),
        mark: None,
    }
}

fn key(farm_id: Uuid) -> NewKey {
    NewKey {
        farm_id,
        expires_in: 24 * HOUR,
        note: Some("spring".into()),
        created_by: "admin".into(),
        reissue: None,
        mark: None,
        replaces: None,
    }
}

async fn issue(hub: &Hub) -> IssuedKey {
    let farm = hub.create_farm(farm("North")).await.unwrap();
    hub.issue_key(key(farm.id)).await.unwrap()
}

async fn state(hub: &Hub, id: Uuid) -> KeyState {
    hub.list_keys().await.unwrap().into_iter().find(|key| key.id == id).unwrap().state
}

/// What a claim will do; the claim itself is built later.
async fn use_up(place: &Place, id: Uuid) {
    let used = "UPDATE provisioning_keys SET used_at = unixepoch(), used_by_request_id = 'r'";
    place.tamper(format!("{used} WHERE id = '{id}'")).await;
}

/// The audit log's entries, after checking the chain with nothing but SHA-256.
async fn audited(place: &Place) -> Vec<Value> {
    let sql = place.sql().await;
    let rows: Vec<(i64, Vec<u8>, String, Vec<u8>)> =
        sqlx::query_as("SELECT seq, prev, entry, hash FROM audit_log ORDER BY seq").fetch_all(&sql).await.unwrap();
    sql.close().await;
    let mut last = vec![0; 32];
    let mut entries = Vec::new();
    for (at, (seq, prev, entry, hash)) in (1..).zip(rows) {
        assert_eq!((seq, &prev), (at, &last));
        assert_eq!(hash, Sha256::new().chain_update(&prev).chain_update(&entry).finalize().to_vec());
        let parsed: Value = serde_json::from_str(&entry).unwrap();
        assert_eq!(parsed["seq"], seq);
        entries.push(parsed);
        last = hash;
    }
    entries
}

fn events(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

/// OTPK-1, OTPK-13: a farm is kept as it was registered, and changes only where it is told to.
#[tokio::test]
async fn a_farm_is_registered_changed_and_listed() {
    let place = Place::new();
    let hub = place.open().await;
    let new =
        NewFarm { id: Some(Uuid::from_u128(7)), mark: Some(mark("Farm/north")), ..farm("Höfe & 農場 \u{1f33e}") };
    let made = hub.create_farm(new.clone()).await.unwrap();
    assert_eq!(hub.list_farms().await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(made.lifecycle, Some(json!({"preventDestroy": true})));
    assert!(matches!(hub.create_farm(new).await, Err(Error::FarmExists(_))));

    let change = FarmChange { display_name: Some("South".into()), lifetime: Some(Some(HOUR)), ..FarmChange::default() };
    let changed = hub.update_farm(made.id, change).await.unwrap();
    assert_eq!((changed.display_name.as_str(), changed.lifetime), ("South", Some(HOUR)));
    assert_eq!((&changed.farmer, &changed.owner), (&made.farmer, &made.owner));

    let change =
        FarmChange { farmer_contact: Some(None), lifetime: Some(None), mark: Some(None), ..FarmChange::default() };
    let changed = hub.update_farm(made.id, change).await.unwrap();
    assert_eq!((&changed.farmer.contact, changed.lifetime, &changed.owner), (&None, None, &None));
    assert_eq!(hub.list_farms().await.unwrap(), [changed]);
    hub.close().await;
    assert_eq!(events(&audited(&place).await), ["farm-create", "farm-update", "farm-update"]);
}

#[tokio::test]
async fn what_no_hub_keeps_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let hub = place.open().await;
    let unknown = Uuid::from_u128(1);
    let change = || FarmChange { display_name: Some(" ".into()), ..FarmChange::default() };
    assert!(matches!(hub.create_farm(farm("")).await, Err(Error::Invalid { field: "displayName", .. })));
    assert!(matches!(hub.update_farm(unknown, change()).await, Err(Error::FarmNotFound(_))));
    assert!(matches!(hub.revoke_farm(unknown, "admin").await, Err(Error::FarmNotFound(_))));
    assert!(matches!(hub.issue_key(key(unknown)).await, Err(Error::FarmNotFound(_))));
    assert!(matches!(hub.revoke_key(unknown, "admin").await, Err(Error::KeyNotFound(_))));
    assert!(matches!(hub.mark_delivered(unknown).await, Err(Error::KeyNotFound(_))));
    assert!(matches!(hub.set_key_mark(unknown, None).await, Err(Error::KeyNotFound(_))));
    let made = hub.create_farm(farm("North")).await.unwrap();
    assert!(matches!(hub.update_farm(made.id, change()).await, Err(Error::Invalid { .. })));
    for expires_in in [Duration::from_millis(999), Duration::MAX] {
        let refused = hub.issue_key(NewKey { expires_in, ..key(made.id) }).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "expiresIn", .. })));
    }
    assert_eq!(hub.list_farms().await.unwrap(), [made]);
    assert_eq!(events(&audited(&place).await), ["farm-create"]);
}

/// OTPK-1, OTPK-2: a key is told once, stored as an Argon2id hash, and proved by its text alone.
#[tokio::test]
async fn a_key_is_issued_once_and_proved_by_its_text() {
    let place = Place::new();
    let hub = place.open().await;
    let issued = issue(&hub).await;
    assert_eq!(hub.list_keys().await.unwrap(), std::slice::from_ref(&issued.key));
    assert_eq!(issued.key.expires_at, "2026-03-02T12:00:00Z".parse().unwrap());

    for typed in [issued.secret.canonical(), issued.secret.grouped()] {
        let presented = hub.verify(typed.expose()).await.unwrap();
        assert_eq!((presented.key, presented.farm), (issued.key.clone(), FarmState::Active));
    }
    let (hash, selector): (String, Vec<u8>) =
        sqlx::query_as("SELECT key_hash, selector FROM provisioning_keys").fetch_one(&place.sql().await).await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(selector, issued.secret.selector());
}

#[tokio::test]
async fn what_is_not_proved_gets_one_answer() {
    let place = Place::new();
    let hub = place.open().await;
    let issued = issue(&hub).await;
    let pepper = Pepper::new(fs::read(place.directory().join("credentials/hub.pepper")).unwrap()).unwrap();
    let unknown = ProvisioningKey::generate(&pepper).unwrap();
    let forged = ProvisioningKey::generate(&Pepper::generate().unwrap()).unwrap();
    for key in [unknown, forged] {
        assert!(matches!(hub.verify(key.canonical().expose()).await, Err(Error::InvalidKey)));
    }
    // The right selector and a wrong secret under a good tag: nobody without the pepper can make one.
    let damage = "UPDATE provisioning_keys SET key_hash = replace(key_hash, substr(key_hash, -8), 'AAAAAAAA')";
    place.tamper(damage).await;
    assert!(matches!(hub.verify(issued.secret.canonical().expose()).await, Err(Error::InvalidKey)));
    let error = hub.verify("OTPK1-QQQQQ").await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("provisor::otpk::malformed_key", Class::Usage));
}

/// OTPK-3: expiry is each key's own, and judged when the key is looked at.
#[tokio::test]
async fn a_key_expires_and_can_still_be_revoked() {
    let place = Place::new();
    let hub = place.open().await;
    let farm = hub.create_farm(farm("North")).await.unwrap();
    let short = hub.issue_key(NewKey { expires_in: Duration::from_mins(15), ..key(farm.id) }).await.unwrap().key.id;
    let day = hub.issue_key(key(farm.id)).await.unwrap().key.id;
    place.clock.advance(15 * 60 - 1);
    assert_eq!((state(&hub, short).await, state(&hub, day).await), (KeyState::Unused, KeyState::Unused));
    place.clock.advance(1);
    assert_eq!((state(&hub, short).await, state(&hub, day).await), (KeyState::Expired, KeyState::Unused));
    hub.revoke_key(short, "admin").await.unwrap();
    hub.revoke_key(short, "admin").await.unwrap();
    assert_eq!(state(&hub, short).await, KeyState::Revoked);
    assert_eq!(events(&audited(&place).await), ["farm-create", "issue", "issue", "revoke"]);
}

#[tokio::test]
async fn a_used_key_cannot_be_revoked() {
    let place = Place::new();
    let hub = place.open().await;
    let issued = issue(&hub).await;
    use_up(&place, issued.key.id).await;
    let error = hub.revoke_key(issued.key.id, "admin").await.unwrap_err();
    assert!(matches!(error, Error::AlreadyUsed(_)));
    assert_eq!((error.code(), error.class()), ("provisor::hub::already_used", Class::Conflict));
    place.clock.advance(48 * 3600);
    assert_eq!(state(&hub, issued.key.id).await, KeyState::Used);
    assert_eq!(events(&audited(&place).await), ["farm-create", "issue"]);
}

/// OTPK-13: delivery and mark are kept with the key, for the next apply to see.
#[tokio::test]
async fn delivery_and_mark_are_recorded() {
    let place = Place::new();
    let hub = place.open().await;
    let farm = hub.create_farm(farm("North")).await.unwrap();
    let new = NewKey { reissue: Some("2".into()), mark: Some(mark("ProvisioningKey/a")), ..key(farm.id) };
    let made = hub.issue_key(new).await.unwrap().key;
    assert_eq!((made.delivered_at, made.reissue.as_deref()), (None, Some("2")));
    place.clock.advance(5);
    hub.mark_delivered(made.id).await.unwrap();
    place.clock.advance(5);
    hub.mark_delivered(made.id).await.unwrap();
    hub.set_key_mark(made.id, Some(mark("ProvisioningKey/b"))).await.unwrap();
    let kept = hub.list_keys().await.unwrap().remove(0);
    assert_eq!(kept.delivered_at, Some("2026-03-01T12:00:05Z".parse().unwrap()));
    assert_eq!(kept.resource.as_deref(), Some("ProvisioningKey/b"));
    hub.set_key_mark(made.id, None).await.unwrap();
    let kept = hub.list_keys().await.unwrap().remove(0);
    assert_eq!((kept.owner, kept.resource, kept.lifecycle), (None, None, None));
    assert_eq!(events(&audited(&place).await), ["farm-create", "issue", "deliver", "key-mark", "key-mark"]);
}

/// OTPK-13: a key and its replacement change places in one transaction.
#[tokio::test]
async fn a_replaced_key_is_revoked_with_the_issue_or_not_at_all() {
    let place = Place::new();
    let hub = place.open().await;
    let farm = hub.create_farm(farm("North")).await.unwrap();
    let gateway = || NewKey { mark: Some(mark("ProvisioningKey/gateway")), ..key(farm.id) };
    let first = hub.issue_key(gateway()).await.unwrap().key.id;
    let failed = hub.issue_key(NewKey { replaces: Some(Uuid::from_u128(9)), ..key(farm.id) }).await;
    assert!(matches!(failed, Err(Error::KeyNotFound(_))));
    assert_eq!(hub.list_keys().await.unwrap().len(), 1);

    let second = hub.issue_key(NewKey { replaces: Some(first), ..gateway() }).await.unwrap().key.id;
    let keys = hub.list_keys().await.unwrap();
    let marked: Vec<Uuid> = keys.iter().filter(|key| key.owner.is_some()).map(|key| key.id).collect();
    assert_eq!(marked, [second], "the mark moves with the issue");
    assert_eq!((state(&hub, first).await, state(&hub, second).await), (KeyState::Revoked, KeyState::Unused));
    use_up(&place, second).await;
    let third = hub.issue_key(NewKey { replaces: Some(second), ..key(farm.id) }).await.unwrap().key.id;
    assert_eq!((state(&hub, second).await, state(&hub, third).await), (KeyState::Used, KeyState::Unused));
    let entries = audited(&place).await;
    assert_eq!(events(&entries), ["farm-create", "issue", "revoke", "issue", "issue"]);
    assert_eq!((&entries[2]["keyId"], &entries[3]["replaces"]), (&json!(first), &json!(first)));
}

/// OTPK-13: a farm that is no longer declared loses its unused keys and its certificates, and gets no new key.
#[tokio::test]
async fn a_revoked_farm_takes_its_keys_and_certificates_along() {
    let place = Place::new();
    let hub = place.open().await;
    let (used, unused, other) = (issue(&hub).await.key, issue(&hub).await.key, issue(&hub).await.key);
    let farm = used.farm_id;
    place.tamper(format!("UPDATE provisioning_keys SET farm_id = '{farm}' WHERE id = '{}'", unused.id)).await;
    use_up(&place, used.id).await;
    place.tamper("INSERT INTO issuers VALUES ('i', 'CN=CA', 1, 'file', 'active', 0)").await;
    let certificate = "(serial, farm_id, issuer_id, fingerprint, not_before, not_after)";
    let values = format!("(x'01ab', '{farm}', 'i', x'02', 0, 9)");
    place.tamper(format!("INSERT INTO certificates {certificate} VALUES {values}")).await;

    hub.revoke_farm(used.farm_id, "admin").await.unwrap();
    hub.revoke_farm(used.farm_id, "admin").await.unwrap();
    let states = (state(&hub, used.id).await, state(&hub, unused.id).await, state(&hub, other.id).await);
    assert_eq!(states, (KeyState::Used, KeyState::Revoked, KeyState::Unused));
    let farms = hub.list_farms().await.unwrap();
    assert_eq!(farms.iter().filter(|farm| farm.state == FarmState::Revoked).count(), 1);
    assert!(matches!(hub.issue_key(key(used.farm_id)).await, Err(Error::FarmRevoked(_))));
    let entries = audited(&place).await;
    assert_eq!(events(&entries)[6..], ["farm-revoke", "revoke", "certificate-revoke"]);
    assert_eq!(entries[8]["serialNumber"], "01ab");
}

/// OTPK-1, OTPK-2: shown once. No window of ten characters of a printed key is in any file of the hub.
#[tokio::test]
async fn no_piece_of_a_key_is_in_the_hubs_files() {
    let place = Place::new();
    let hub = place.open().await;
    let mut pieces = Vec::new();
    for _ in 0..4 {
        let secret = issue(&hub).await.secret;
        hub.verify(secret.grouped().expose()).await.unwrap();
        for text in [secret.canonical(), secret.upper(), secret.grouped()] {
            let text = text.expose().to_owned().into_bytes();
            pieces.extend(text.windows(10).map(<[u8]>::to_vec));
        }
    }
    assert!(place.files().keys().any(|path| path.ends_with("hub.db-wal")));
    for (path, bytes) in place.files() {
        let windows: std::collections::HashSet<&[u8]> = bytes.windows(10).collect();
        assert!(!pieces.iter().any(|piece| windows.contains(piece.as_slice())), "{}", path.display());
    }
    hub.close().await;
    for bytes in place.files().into_values() {
        let windows: std::collections::HashSet<&[u8]> = bytes.windows(10).collect();
        assert!(!pieces.iter().any(|piece| windows.contains(piece.as_slice())));
    }
}

#[tokio::test]
async fn folder_and_files_are_the_owners_alone() {
    let place = Place::new();
    let hub = place.open().await;
    issue(&hub).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.directory()), 0o700);
    assert_eq!(mode(&place.directory().join("credentials")), 0o700);
    assert_eq!(place.files().len(), 4);
    for path in place.files().keys() {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert_eq!(fs::read(place.directory().join("credentials/hub.pepper")).unwrap().len(), 32);
    hub.close().await;
    assert_eq!(place.files().len(), 2, "a closed store has no side files");
}

#[tokio::test]
async fn an_open_folder_is_closed_unless_it_is_somebody_elses() {
    let place = Place::new();
    let open = fs::Permissions::from_mode(0o755);
    fs::create_dir(place.directory()).unwrap();
    fs::set_permissions(place.directory(), open.clone()).unwrap();
    fs::write(place.directory().join("main.yaml"), "a manifest").unwrap();
    let error = place.try_open(Mode::ReadWrite).await.unwrap_err();
    assert!(matches!(error, Error::DirectoryShared(_)));
    assert_eq!(place.files().len(), 1);
    fs::remove_file(place.directory().join("main.yaml")).unwrap();
    place.open().await.close().await;
    let database = place.directory().join("hub.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(place.directory(), open).unwrap();
    place.open().await.close().await;
    assert_eq!(fs::metadata(database).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(place.directory()).unwrap().permissions().mode() & 0o777, 0o700);
}

/// A plan over a hub that is not there yet: it has nothing, and stays away.
#[tokio::test]
async fn a_missing_store_is_empty_to_a_reader_and_is_not_made() {
    let place = Place::new();
    let hub = place.look().await;
    assert!(hub.list_farms().await.unwrap().is_empty());
    assert!(hub.list_keys().await.unwrap().is_empty());
    assert!(matches!(hub.create_farm(farm("North")).await, Err(Error::ReadOnly)));
    assert!(!place.directory().exists());
    // A file that a killed process made and never filled is no store either.
    fs::create_dir(place.directory()).unwrap();
    fs::write(place.directory().join("hub.db"), "").unwrap();
    assert!(hub.list_farms().await.unwrap().is_empty());
    assert_eq!(place.files().len(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_no_empty_one() {
    let place = Place::new();
    fs::write(place.directory(), "a file where a folder should be").unwrap();
    assert_eq!(place.try_open(Mode::ReadOnly).await.unwrap_err().code(), "provisor::hub::file");
    fs::remove_file(place.directory()).unwrap();
    fs::create_dir(place.directory()).unwrap();
    fs::write(place.directory().join("hub.db"), "not a database, but longer than nothing").unwrap();
    assert!(place.look().await.list_farms().await.is_err());
}

/// A plan writes nothing: not beside a running hub, not after its crash, not to a closed store.
#[tokio::test]
async fn a_reader_changes_no_byte_and_sees_every_commit() {
    let place = Place::new();
    let mut hub = Other::start(&place, "the_hub_that_waits");
    while !place.parent.path().join("ready").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let reader = place.look().await;
    for state in ["running", "killed"] {
        let before = place.digests();
        assert_eq!(before.len(), 4, "the WAL and its index are there");
        assert_eq!((reader.list_farms().await.unwrap().len(), reader.list_keys().await.unwrap().len()), (1, 1));
        assert_eq!(place.digests(), before, "{state}");
        hub.kill();
    }
    place.open().await.close().await;
    let closed = place.digests();
    assert_eq!(closed.len(), 2);
    let secret = ProvisioningKey::generate(&Pepper::generate().unwrap()).unwrap();
    assert!(matches!(reader.verify(secret.canonical().expose()).await, Err(Error::InvalidKey)));
    assert_eq!(reader.list_keys().await.unwrap().len(), 1);
    assert_eq!(place.digests(), closed);
}

/// REC-13: killed while it closed, a hub leaves an index whose WAL is gone: the file alone is all of the store.
#[tokio::test]
async fn an_index_without_its_wal_is_no_obstacle() {
    let place = Place::new();
    let hub = place.open().await;
    hub.create_farm(farm("North")).await.unwrap();
    let index = place.directory().join("hub.db-shm");
    let left = fs::read(&index).unwrap();
    hub.close().await;
    for wal in [false, true] {
        fs::write(&index, &left).unwrap();
        if wal {
            fs::write(place.directory().join("hub.db-wal"), "").unwrap();
        }
        let before = place.digests();
        assert_eq!(place.look().await.list_farms().await.unwrap().len(), 1);
        assert_eq!(place.digests(), before);
    }
    assert_eq!(place.open().await.list_farms().await.unwrap().len(), 1);
}

/// A plan while hubs come and go, with their side files: what it reads is always one committed state.
#[tokio::test]
async fn a_reader_beside_a_writer_sees_whole_commits() {
    let place = Place::new();
    place.open().await.close().await;
    let reader = place.look().await;
    let mut hub = Other::start(&place, "the_hub_that_comes_and_goes");
    let mut seen = 0;
    while hub.0.try_wait().unwrap().is_none() {
        let now = reader.list_farms().await.unwrap().len();
        assert!(now >= seen, "{now} after {seen}");
        seen = now;
    }
    assert_eq!(reader.list_farms().await.unwrap().len(), 96);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hubs_on_one_store_issue_at_once() {
    let place = Place::new();
    let (one, two) = tokio::join!(place.open(), place.open());
    let farm = one.create_farm(farm("North")).await.unwrap();
    let tasks = (0..32).map(|at| {
        let hub = if at % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { hub.issue_key(key(farm.id)).await.unwrap() })
    });
    let mut issued = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        issued.push(task.await.unwrap());
    }
    let presented = two.verify(issued[0].secret.canonical().expose()).await.unwrap();
    assert_eq!(presented.key.id, issued[0].key.id);
    assert_eq!(one.list_keys().await.unwrap().len(), 32);
    assert_eq!(audited(&place).await.len(), 33);
}

#[tokio::test]
async fn a_store_keeps_to_its_pepper() {
    let place = Place::new();
    let hub = place.open().await;
    issue(&hub).await;
    hub.close().await;
    let path = place.directory().join("credentials/hub.pepper");
    let pepper = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let error = place.try_open(Mode::ReadWrite).await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("provisor::hub::pepper_missing", Class::Secret));
    assert_eq!(place.look().await.list_keys().await.unwrap().len(), 1);

    let given = |bytes: Vec<u8>| OpenOptions {
        directory: place.directory(),
        mode: Mode::ReadWrite,
        pepper: Some(Pepper::new(bytes).unwrap()),
        clock: place.clock.clone(),
    };
    assert!(matches!(Hub::open(given(vec![7; 32])).await, Err(Error::PepperDiffers)));
    issue(&Hub::open(given(pepper)).await.unwrap()).await;
    assert!(!path.exists(), "a pepper that was given is not written");
    assert!(Pepper::new(vec![0; 31]).is_err());
}

#[tokio::test]
async fn another_database_or_a_newer_one_is_left_alone() {
    let place = Place::new();
    place.open().await.close().await;
    place.tamper("PRAGMA user_version = 99").await;
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let error = async { place.try_open(mode).await?.list_farms().await }.await.unwrap_err();
        assert_eq!(error.code(), "provisor::hub::store_newer");
    }
    place.tamper("PRAGMA application_id = 0").await;
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let error = async { place.try_open(mode).await?.list_farms().await }.await.unwrap_err();
        assert_eq!(error.code(), "provisor::hub::not_a_hub");
    }
}

/// The engine moves its work between threads.
#[tokio::test(flavor = "multi_thread")]
async fn every_call_can_move_between_threads() {
    let place = Place::new();
    let hub = place.open().await;
    let calls = async move {
        let made = hub.create_farm(farm("North")).await.unwrap();
        let id = hub.issue_key(key(made.id)).await.unwrap().key.id;
        hub.mark_delivered(id).await.unwrap();
        hub.set_key_mark(id, Some(mark("ProvisioningKey/a"))).await.unwrap();
        hub.update_farm(made.id, FarmChange::default()).await.unwrap();
        hub.revoke_key(id, "admin").await.unwrap();
        hub.revoke_farm(made.id, "admin").await.unwrap();
        let seen = (hub.list_farms().await.unwrap().len(), hub.list_keys().await.unwrap().len());
        hub.close().await;
        seen
    };
    assert_eq!(tokio::spawn(calls).await.unwrap(), (1, 1));
    let reader = place.look().await;
    tokio::spawn(async move { reader.list_keys().await.unwrap() }).await.unwrap();
}

/// OTPK-13: ten thousand farms and keys are two queries.
#[tokio::test]
async fn ten_thousand_rows_are_listed_at_once() {
    let place = Place::new();
    let hub = place.open().await;
    let seed = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO";
    let id = "printf('%08x-0000-4000-8000-000000000000', i)";
    let farms =
        format!("{seed} farms SELECT {id}, 'F', 'A', NULL, 9, 'o', 'Farm/f', '{{}}', 'a', i, i, NULL, NULL FROM n");
    let keys = format!(
        "{seed} provisioning_keys SELECT {id}, {id}, CAST(printf('%04x', i) AS BLOB), '$argon2id$x', 1, NULL, 'a', i,
         i + 1, NULL, NULL, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL FROM n"
    );
    place.tamper(farms).await;
    place.tamper(keys).await;
    let start = std::time::Instant::now();
    assert_eq!(hub.list_farms().await.unwrap().len(), 10_000);
    assert_eq!(hub.list_keys().await.unwrap().len(), 10_000);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Killed at any line, the store has whole changes: every key with its entry, every entry with its key.
#[tokio::test]
async fn a_killed_hub_leaves_whole_changes() {
    let place = Place::new();
    for round in 0..6 {
        let mut hub = Other::start(&place, "the_hub_that_is_killed");
        std::thread::sleep(Duration::from_millis(60 + 70 * round));
        while round == 5 && place.look().await.list_keys().await.unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        hub.kill();
        let seen = place.look().await.list_keys().await.unwrap();
        let hub = place.open().await;
        assert_eq!(hub.list_keys().await.unwrap(), seen, "round {round}");
        hub.close().await;
        let entries = audited(&place).await;
        let issued = entries.iter().filter(|entry| entry["event"] == "issue").count();
        let revoked = entries.iter().filter(|entry| entry["event"] == "revoke").count();
        assert_eq!(issued, seen.len());
        assert_eq!(revoked, seen.iter().filter(|key| key.state == KeyState::Revoked).count());
        assert!(seen.iter().filter(|key| key.state == KeyState::Unused).count() <= usize::try_from(round).unwrap() + 1);
    }
    assert!(!place.look().await.list_keys().await.unwrap().is_empty());
}

/// Issues keys, each replacing the one before, until it is killed.
#[tokio::test]
#[ignore = "needs the test that kills it"]
async fn the_hub_that_is_killed() {
    let Some(directory) = Other::directory() else { return };
    let hub = Other::open(&directory).await;
    let farm = hub.create_farm(farm("North")).await.unwrap();
    let mut replaces = None;
    loop {
        replaces = Some(hub.issue_key(NewKey { replaces, ..key(farm.id) }).await.unwrap().key.id);
    }
}

/// Issues a key, and holds the store open.
#[tokio::test]
#[ignore = "needs the test that looks at it"]
async fn the_hub_that_waits() {
    let Some(directory) = Other::directory() else { return };
    let hub = Other::open(&directory).await;
    issue(&hub).await;
    fs::write(directory.with_file_name("ready"), "").unwrap();
    std::future::pending::<()>().await;
}

/// Opens the store, writes, and closes it again, twelve times.
#[tokio::test]
#[ignore = "needs the test that reads beside it"]
async fn the_hub_that_comes_and_goes() {
    let Some(directory) = Other::directory() else { return };
    for _ in 0..12 {
        let hub = Other::open(&directory).await;
        for _ in 0..8 {
            hub.create_farm(farm("North")).await.unwrap();
        }
        hub.close().await;
    }
}
