use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

/// Writes a storage file as Home Assistant does, and gives the configuration folder.
fn storage(files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".storage")).unwrap();
    for (name, data) in files {
        let text = json!({"version": 1, "minor_version": 5, "key": name, "data": data}).to_string();
        std::fs::write(folder.path().join(".storage").join(name), text).unwrap();
    }
    folder
}

fn entry(id: &str, domain: &str, title: &str, data: &Value) -> Value {
    json!({"entry_id": id, "domain": domain, "title": title, "data": data, "options": {}, "unique_id": null,
        "disabled_by": null, "version": 1, "minor_version": 1, "source": "user", "subentries": []})
}

fn entries(list: &[Value]) -> Entries {
    let folder = storage(&[(ENTRIES, json!({"entries": list}))]);
    Entries::read(folder.path()).unwrap()
}

fn one(data: &Value) -> Entries {
    entries(&[entry("1", "tado", "Home", data)])
}

#[test]
fn storage_is_found_by_file_folder_and_configuration_folder() {
    let folder = storage(&[(ENTRIES, json!({"entries": [entry("1", "tado", "Home", &json!({}))]}))]);
    let copy = folder.path().join("copy.json");
    std::fs::copy(folder.path().join(".storage").join(ENTRIES), &copy).unwrap();
    let within = |name: &str| folder.path().join(".storage").join(name);
    for path in [folder.path().to_owned(), within(""), within(ENTRIES), copy] {
        assert_eq!(Entries::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")).count("tado"), 1);
    }
    let error = Entries::read(tempfile::tempdir().unwrap().path()).err().unwrap();
    assert_eq!(error.code(), "provisor::home_assistant::no_storage");
    let error = Entries::read(&PathBuf::from("/nowhere/at/all")).err().unwrap();
    assert_eq!(error.code(), "provisor::home_assistant::storage_unreadable");
}

#[test]
fn ha_14_another_version_is_refused_and_a_broken_file_is_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ENTRIES);
    std::fs::write(&path, r#"{"version": 2, "data": {"entries": "canary"}}"#).unwrap();
    assert_eq!(Entries::read(&path).err().unwrap().code(), "provisor::home_assistant::storage_version");
    for broken in [r#"{"version": 1, "data": {"entries": "canary"}}"#, r#"{"version": 1, "data": "canary"#, "", "[]"] {
        std::fs::write(&path, broken).unwrap();
        let error = Entries::read(&path).err().unwrap();
        assert_eq!(error.code(), "provisor::home_assistant::storage_malformed", "{broken}");
        assert!(!format!("{error:?} {:?}", error.to_problem()).contains("canary"), "{error:?}");
    }
}

#[test]
fn ha_7_an_entry_is_chosen_by_id_or_title_and_never_guessed() {
    let home = entries(&[
        entry("1", "tado", "Home", &json!({})),
        entry("2", "tado", "Office", &json!({})),
        entry("3", "daikin", "Home", &json!({})),
    ]);
    assert_eq!(home.select("tado", Some("Office")).ok().unwrap().entry_id, "2");
    assert_eq!(home.select("tado", Some("1")).ok().unwrap().title, "Home");
    assert_eq!(home.select("daikin", None).ok().unwrap().entry_id, "3");
    let error = home.select("tado", None).err().unwrap();
    assert_eq!(error.hint().unwrap(), "name one with `--entry`: `Home` (1), `Office` (2)");
    let error = home.select("tado", Some("3")).err().unwrap();
    assert_eq!(error.to_string(), "there is no entry of `tado` with the id or title `3`");
    assert_eq!(home.select("mqtt", None).err().unwrap().code(), "provisor::home_assistant::no_entry");
}

#[test]
fn ha_10_the_credential_is_the_refresh_token_else_the_only_one_that_looks_like_one() {
    let path = |data: Value| one(&data).select("tado", None).ok().unwrap().credential_path();
    let oauth = json!({"refresh_token": "a", "token": {"access_token": "b", "refresh_token": "c", "expires_at": 1}});
    assert_eq!(path(oauth).unwrap(), "token.refresh_token");
    assert_eq!(path(json!({"access_token": "a", "refresh_token": "b"})).unwrap(), "refresh_token");
    assert_eq!(path(json!({"host": "h", "apiKey": "a", "token_type": "b"})).unwrap(), "apiKey");
    let error =
        path(json!({"username": "canary-1", "password": "canary-2", "api": {"key": 1, "pin": "0"}})).unwrap_err();
    assert_eq!(error.hint().unwrap(), "name it with `--field`: username, password, api.key, api.pin");
    assert_eq!(path(json!({"mapping": {}, "host": "h"})).unwrap_err().code(), "provisor::home_assistant::which_field");
}

#[test]
fn a_field_of_exactly_that_name_wins_over_a_nested_one() {
    let home = one(&json!({"a.b": "exact", "a": {"b": "nested", "c": {"d": "deep"}}, "x": {"y.z": "dotted"}, "n": 1,
        "l": ["secret"], "e": "", "u": "\u{e4}\"\\"}));
    let entry = home.select("tado", None).ok().unwrap();
    let value = |path| entry.credential(path).map(|value| value.expose().to_owned());
    assert_eq!(value("a.b").unwrap(), "exact");
    assert_eq!(value("a.c.d").unwrap(), "deep");
    assert_eq!(value("x.y.z").unwrap(), "dotted");
    assert_eq!(value("u").unwrap(), "\u{e4}\"\\", "escapes are read");
    for path in ["n", "l", "a", "e", "a.c"] {
        assert_eq!(value(path).unwrap_err().code(), "provisor::home_assistant::not_text", "{path}");
    }
    let error = value("refreshToken").unwrap_err();
    assert_eq!(error.hint().unwrap(), "fields of it: a.b, a.b, a.c.d, x.y.z, n, l, e, u");
}

#[test]
fn rec_8_a_value_stands_to_the_one_last_applied_by_its_digest() {
    // HMAC-SHA-256 under 32 bytes of 0x0b over "s:old", computed with Python's hmac.
    let base = "be97fc00c18aeb0caeec887b7bd77593091f8d8b8b8b435d1293f25bfba99295";
    let store = json!({"key": "0b".repeat(32), "owned": {
        "1": {"owner": "default", "name": "tado-home", "lifecycle": {}, "base": {"refresh_token": base}},
        "2": {"owner": "configuration.yaml", "name": "tado-office", "lifecycle": {}, "base": {}},
        "3": {"owner": "configuration.yaml", "name": "tado-home", "lifecycle": {}, "base": {}},
        "4": {"owner": "somebody", "name": "tado-cabin", "lifecycle": {}, "base": {}},
    }});
    let folder = storage(&[(ENTRIES, json!({"entries": []})), (OWNED, store)]);
    let owned = Owned::read(folder.path()).unwrap().unwrap();
    let (id, record) = owned.record("default", "tado-home").unwrap();
    assert_eq!(id, "1", "ours before that of start-up mode");
    let standing = |path, value: &str| owned.standing(record, path, &Secret::new(value.to_owned())).unwrap();
    assert_eq!(standing("refresh_token", "old"), Standing::Applied);
    assert_eq!(standing("refresh_token", "new"), Standing::Rotated);
    assert_eq!(standing("password", "old"), Standing::Unknown);
    assert_eq!(owned.record("default", "tado-office").unwrap().0, "2");
    assert!(owned.record("default", "tado-cabin").is_none(), "another owner's is none of ours");
    let empty = storage(&[(ENTRIES, json!({"entries": []}))]);
    assert!(Owned::read(empty.path()).unwrap().is_none());
}

#[test]
fn what_was_read_can_be_printed_without_its_values() {
    let home = one(&json!({"refresh_token": "canary", "token": {"access_token": "canary"}, "list": ["canary"]}));
    let text = format!("{home:?} {:?}", home.select("tado", None));
    assert!(text.contains("refresh_token") && !text.contains("canary"), "{text}");
}
