//! `provisor ha export-rotated` on storage as the component leaves it.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::run::{Reader, Run, entry, provisor, store};

const KEY: [u8; 32] = [7; 32];
const CANARIES: &[&str] = &["canary-new", "canary-old", "canary-key"];

fn digest(value: &str) -> String {
    let mut digest = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    digest.update(format!("s:{value}").as_bytes());
    data_encoding::HEXLOWER.encode(&digest.finalize().into_bytes())
}

fn record(owner: &str, name: &str, base: &Value) -> Value {
    json!({"owner": owner, "name": name, "lifecycle": {}, "base": base})
}

fn declare(folder: &Path, documents: &[Value]) {
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    std::fs::write(folder.join("home.yaml"), texts.join("\n---\n")).unwrap();
}

fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "provisor.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn home() -> Value {
    document("HomeAssistant", "home", &json!({"url": "http://127.0.0.1:1", "token": {"env": "NOBODY_SETS_THIS"}}))
}

fn export(folder: &Path, recipient: &str, more: &[&str]) -> Run {
    let arguments =
        ["ha", "export-rotated", "-f", "home.yaml", "--storage", ".", "--recipient", recipient, "--out", "secrets"];
    provisor(folder, &[&arguments[..], more].concat()).silent_about(CANARIES)
}

#[test]
fn ha_12_only_what_is_rotated_is_written_and_no_value_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("secrets")).unwrap();
    let credentials = |names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), json!({"credential": name})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let resource = |name: &str, domain: &str, names: &[&str]| {
        document("HomeAssistantEntry", name, &json!({"domain": domain, "credentials": credentials(names)}))
    };
    declare(
        folder,
        &[
            home(),
            resource("tado-home", "tado", &["refreshToken"]),
            resource("tado-office", "tado", &["refresh_token"]),
            resource("spotify", "spotify", &["token.refresh_token", "token.access_token"]),
            resource("mqtt", "mqtt", &["password"]),
        ],
    );
    let token = json!({"refresh_token": "canary-new-2", "access_token": "canary-new-3"});
    store(
        folder,
        "core.config_entries",
        &json!({"entries": [
            entry("1", "tado", "Home", &json!({"refresh_token": "canary-new"})),
            entry("2", "tado", "Office", &json!({"refresh_token": "canary-old"})),
            entry("3", "spotify", "Ada", &json!({"token": token})),
            entry("4", "tado", "Cabin", &json!({"refresh_token": "canary-new"})),
        ]}),
    );
    let old = digest("canary-old");
    store(
        folder,
        "nixos_integrations",
        &json!({"key": data_encoding::HEXLOWER.encode(&KEY), "owned": {
            "1": record("configuration.yaml", "tado-home", &json!({"refresh_token": old})),
            "2": record("default", "tado-office", &json!({"refresh_token": old})),
            "3": record("default", "spotify", &json!({"token.refresh_token": old})),
            "4": record("somebody", "mqtt", &json!({"password": old})),
        }}),
    );
    let reader = Reader::new();
    let run = export(folder, &reader.recipient(), &[]).exits(0);
    assert_eq!(run.out, "secrets/spotify.token.refresh_token.age\nsecrets/tado-home.refreshToken.age\n");
    assert_eq!(reader.decrypt(&folder.join("secrets/tado-home.refreshToken.age")), "canary-new");
    assert_eq!(reader.decrypt(&folder.join("secrets/spotify.token.refresh_token.age")), "canary-new-2");
    assert_eq!(folder.join("secrets").read_dir().unwrap().count(), 2, "what is as applied is not written");
    for said in [
        "`HomeAssistantEntry/mqtt` was never applied to this Home Assistant",
        "`token.access_token` of `HomeAssistantEntry/spotify` was never applied",
        "2 rotated and written, 1 as last applied",
    ] {
        assert!(run.err.contains(said), "{said}: {}", run.err);
    }
    let run = export(folder, &reader.recipient(), &["--format", "sops"]).exits(0);
    assert!(run.out.contains("secrets/tado-home.refreshToken.sops.json\n"), "{}", run.out);
}

#[test]
fn ha_12_what_cannot_be_told_or_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    declare(folder, &[home()]);
    let recipient = Reader::new().recipient();
    let run = export(folder, &recipient, &[]).exits(1);
    assert!(run.err.contains("provisor::sink::missing_folder"), "{}", run.err);
    std::fs::create_dir(folder.join("secrets")).unwrap();
    let run = export(folder, "age1canary-key", &[]).exits(1);
    assert!(run.err.contains("provisor::sink::recipient"), "also where nothing is rotated: {}", run.err);
    let run = export(folder, &recipient, &[]).exits(1);
    assert!(run.err.contains("provisor::home_assistant::never_applied"), "{}", run.err);
    store(folder, "nixos_integrations", &json!({"key": "canary-key", "owned": {}}));
    let run = export(folder, &recipient, &[]).exits(1);
    assert!(run.err.contains("provisor::home_assistant::no_storage"), "{}", run.err);
}
