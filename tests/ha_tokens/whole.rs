//! A token's whole way, with a real Home Assistant: added by hand, taken out, declared, applied, rotated, written back.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::house::House;
use crate::run::{Reader, entry, provisor};

const TOKEN: &str = "canary-by-hand-71b0";
const ROTATED: &str = "canary-rotated-a4c2";

fn secret(path: &std::path::Path, value: &str) {
    std::fs::write(path, value).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn ha_10_ha_12_a_token_is_taken_out_declared_rotated_and_written_back() {
    let mut house = House::new();
    // What somebody made by hand: tado's own flow needs its cloud.
    house.edit_entries(|entries| entries.push(entry("byhand", "tado", "Home", &json!({"refresh_token": TOKEN}))));
    house.start();
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    let target = json!({"apiVersion": "provisor.dev/v1alpha1", "kind": "HomeAssistant", "metadata": {"name": "home"},
        "spec": {"url": house.url(), "token": {"file": "token"}}});
    std::fs::create_dir(path("manifests")).unwrap();
    std::fs::write(path("manifests/home.json"), target.to_string()).unwrap();
    secret(&path("manifests/token"), std::fs::read_to_string(house.path().join("token")).unwrap().trim());
    let (reader, storage) = (Reader::new(), house.path().to_str().unwrap().to_owned());
    let recipient = reader.recipient();
    let canaries = [TOKEN, ROTATED];

    // A copy of storage never shows that the entry is off: nothing is deleted.
    std::fs::create_dir(path("copy")).unwrap();
    std::fs::copy(house.path().join(".storage/core.config_entries"), path("copy/core.config_entries")).unwrap();
    let extract = |storage: &str, id: &str| {
        let arguments = [
            "ha",
            "extract-token",
            "tado",
            "--storage",
            storage,
            "--entry",
            id,
            "--recipient",
            &recipient,
            "--out",
            "tado.age",
            "--delete-entry",
            "-f",
            "manifests",
        ];
        provisor(work.path(), &arguments).silent_about(&canaries)
    };
    let run = extract("copy", "byhand").exits(1);
    assert!(run.err.contains("provisor::home_assistant::not_shown"), "{}", run.err);
    assert_eq!(house.entries("tado")[0]["disabled_by"], "user");
    assert!(!path("tado.age").exists());

    let run = extract(&storage, "byhand").exits(0);
    assert_eq!(reader.decrypt(&path("tado.age")), TOKEN);
    assert_eq!(house.entries("tado").len(), 0);

    // What it printed is what is applied.
    std::fs::write(path("manifests/tado.yaml"), &run.out).unwrap();
    std::fs::create_dir(path("credentials")).unwrap();
    std::fs::set_permissions(path("credentials"), std::fs::Permissions::from_mode(0o700)).unwrap();
    secret(&path("credentials/tado.refreshToken"), TOKEN);
    let folder = work.path().to_str().unwrap();
    let credentials = format!("{folder}/credentials");
    let apply = ["apply", "-f", "manifests", "--yes", "--credentials-dir", &credentials];
    provisor(work.path(), &apply).exits(0).silent_about(&canaries);
    assert_eq!(house.entries("tado")[0]["title"], "Home");

    std::fs::create_dir(path("secrets")).unwrap();
    let export = || {
        let arguments = [
            "ha",
            "export-rotated",
            "-f",
            "manifests",
            "--storage",
            &storage,
            "--recipient",
            &recipient,
            "--out",
            "secrets",
        ];
        provisor(work.path(), &arguments).silent_about(&canaries)
    };
    assert_eq!(export().exits(0).out, "", "what was applied is not rotated");
    assert_eq!(path("secrets").read_dir().unwrap().count(), 0);

    // tado itself would write the new token back after a successful update, which needs its cloud.
    house.stop();
    house.edit_entries(|entries| {
        let tado = entries.iter_mut().find(|entry| entry["domain"] == "tado").unwrap();
        tado["data"]["refresh_token"] = json!(ROTATED);
    });
    house.start();
    assert_eq!(export().exits(0).out, "secrets/tado.refreshToken.age\n");
    assert_eq!(reader.decrypt(&path("secrets/tado.refreshToken.age")), ROTATED);

    // Declared from there, it is what was applied last.
    secret(&path("credentials/tado.refreshToken"), ROTATED);
    provisor(work.path(), &apply).exits(0).silent_about(&canaries);
    assert_eq!(export().exits(0).out, "");
    house.stop();
}
