//! `provisor ha extract-token`.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::json;
use tempfile::TempDir;

use crate::run::{Reader, entry, provisor, store};

const TOKEN: &str = "canary-refresh-4f1c";

fn home(entries: &[serde_json::Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path(), "core.config_entries", &json!({"entries": entries}));
    folder
}

fn extract<'a>(integration: &'a str, recipient: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments =
        vec!["ha", "extract-token", integration, "--storage", ".", "--recipient", recipient, "--out", "token.age"];
    arguments.extend_from_slice(more);
    arguments
}

#[test]
fn ha_10_a_token_goes_to_an_encrypted_file_and_the_lines_that_declare_it_are_printed() {
    let home = home(&[entry("1", "tado", "Home \"${x}\"", &json!({"refresh_token": TOKEN}))]);
    let reader = Reader::new();
    let run = provisor(home.path(), &extract("tado", &reader.recipient(), &[])).exits(0).silent_about(&[TOKEN]);
    let file = home.path().join("token.age");
    assert_eq!(reader.decrypt(&file), TOKEN, "exactly the value");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_snapshot!(run.out.replace(&reader.recipient(), "age1..."), @r#"
    apiVersion: provisor.dev/v1alpha1
    kind: HomeAssistantEntry
    metadata:
      name: tado
    spec:
      domain: tado
      title: Home "${x}"
      uniqueId: "4711"
      credentials:
        refreshToken:
          credential: tado.refreshToken
      lifecycle:
        adopt: ifIdentical

    # For NixOS:
    #   # in secrets.nix
    #   "token.age".publicKeys = [ "age1..." ];
    #   # in the configuration, beside the file
    #   age.secrets.ha-tado-refreshToken.file = ./token.age;
    #   homeAssistant.integrations.tado = {
    #     title = "Home \"\${x}\"";
    #     uniqueId = "4711";
    #     credentials.refreshToken = config.age.secrets.ha-tado-refreshToken.path;
    #   };
    "#);
    assert!(run.err.contains("lives on, and may replace its token"), "{}", run.err);
    let left: Vec<_> = home.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing else is left behind: {left:?}");
}

#[test]
fn ha_10_a_nested_token_of_one_of_several_accounts() {
    let token = json!({"access_token": "canary-access", "refresh_token": TOKEN, "expires_at": 1.5});
    let data = json!({"auth_implementation": "spotify", "token": token});
    let home = home(&[entry("1", "spotify", "Ada", &data), entry("2", "spotify", "Grace H.", &data)]);
    let reader = Reader::new();
    let recipient = reader.recipient();
    let run = provisor(home.path(), &extract("spotify", &recipient, &[])).exits(1).silent_about(&[TOKEN]);
    assert!(run.err.contains("name one with `--entry`: `Ada` (1), `Grace H.` (2)"), "{}", run.err);
    assert!(!home.path().join("token.age").exists());
    let run = provisor(home.path(), &extract("spotify", &recipient, &["--entry", "Grace H.", "--format", "sops"]));
    let run = run.exits(0).silent_about(&[TOKEN, "canary-access"]);
    assert_snapshot!(run.out, @r#"
    apiVersion: provisor.dev/v1alpha1
    kind: HomeAssistantEntry
    metadata:
      name: spotify-grace-h
    spec:
      domain: spotify
      title: Grace H.
      uniqueId: "4711"
      data:
        auth_implementation: spotify
      credentials:
        token.refresh_token:
          credential: spotify-grace-h.token.refresh_token
      lifecycle:
        adopt: ifIdentical

    # For NixOS:
    #   # in the configuration, beside the file
    #   sops.secrets.ha-spotify-grace-h-token-refresh-token = { sopsFile = ./token.age; format = "binary"; };
    #   homeAssistant.integrations.spotify-grace-h = {
    #     integration = "spotify";
    #     title = "Grace H.";
    #     uniqueId = "4711";
    #     data.auth_implementation = "spotify";
    #     credentials."token.refresh_token" = config.sops.secrets.ha-spotify-grace-h-token-refresh-token.path;
    #   };
    "#);
}

#[test]
fn ha_10_what_cannot_work_is_said_and_nothing_is_written() {
    let home = home(&[entry(
        "1",
        "roborock",
        "R",
        &json!({"username": "canary-1", "user_data": {"rriot": {"k": "canary-2"}}}),
    )]);
    let reader = Reader::new();
    let recipient = reader.recipient();
    for (arguments, said) in [
        (extract("roborock", &recipient, &[]), "name it with `--field`: username, user_data.rriot.k"),
        (extract("roborock", &recipient, &["--field", "password"]), "has no field `password`"),
        (extract("roborock", &recipient, &["--field", "user_data"]), "is no text"),
        (extract("tado", &recipient, &[]), "there is no entry of `tado`"),
        (extract("roborock", "AGE-SECRET-KEY-1CANARY", &[]), "recipient 1 of `token.age` is neither"),
        (extract("roborock", &recipient, &["--storage", "nowhere"]), "cannot be used multiple times"),
    ] {
        let run = provisor(home.path(), &arguments).silent_about(&["canary-", "AGE-SECRET"]);
        assert!(run.code != Some(0) && run.err.contains(said), "{arguments:?}: {}", run.err);
    }
    assert!(!home.path().join("token.age").exists());
    let run = provisor(home.path(), &extract("roborock", &recipient, &["--field", "user_data.rriot.k"]));
    let run = run.exits(0).silent_about(&["canary-"]);
    assert!(run.out.contains("user_data.rriot.k"), "{}", run.out);
    assert_eq!(reader.decrypt(&home.path().join("token.age")), "canary-2");
}

#[test]
#[ignore = "needs sops: make test"]
#[expect(clippy::disallowed_methods, reason = "names the program of this test")]
fn ha_10_the_real_sops_decrypts_what_we_write_and_refuses_what_somebody_changed() {
    let sops = std::env::var("PROVISOR_TEST_SOPS").expect("PROVISOR_TEST_SOPS names sops: make test");
    let home = home(&[entry("1", "tado", "Home", &json!({"refresh_token": TOKEN}))]);
    let readers = [Reader::new(), Reader::new()];
    let (first, second) = (readers[0].recipient(), readers[1].recipient());
    let more = ["--recipient", &second, "--format", "sops"];
    provisor(home.path(), &extract("tado", &first, &more)).exits(0).silent_about(&[TOKEN]);
    let decrypt = |reader: &Reader| {
        let mut sops = Command::new(&sops);
        sops.args(["decrypt", "--input-type", "binary", "--output-type", "binary", "token.age"]);
        sops.current_dir(home.path()).env_clear().env("SOPS_AGE_KEY", reader.identity()).env("HOME", home.path());
        sops.output().unwrap()
    };
    for reader in &readers {
        let output = decrypt(reader);
        assert_eq!(String::from_utf8_lossy(&output.stdout), TOKEN, "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!decrypt(&Reader::new()).status.success(), "only recipients can");
    let file = home.path().join("token.age");
    let text = std::fs::read_to_string(&file).unwrap();
    let (_, modified) = text.split_once("\"lastmodified\": \"").unwrap();
    let year = &modified[..4];
    std::fs::write(&file, text.replace(&format!("\"{year}-"), "\"1999-")).unwrap();
    assert!(!decrypt(&readers[0]).status.success(), "the time of the change is authenticated");
}

#[test]
fn ha_6_what_is_printed_is_a_valid_manifest_whatever_the_names() {
    let data = json!({"apiKey": TOKEN, "host": "heat pump.lan", "port": 80});
    let home = home(&[entry("1", "heat_pump", "yes: \u{1b}[31m#\n'${a}'\\", &data)]);
    let reader = Reader::new();
    let run = provisor(home.path(), &extract("heat_pump", &reader.recipient(), &[])).exits(0).silent_about(&[TOKEN]);
    assert!(!run.out.contains('\u{1b}') && !run.err.contains("\u{1b}[31m"), "a title says nothing to the terminal");
    let target = json!({"apiVersion": "provisor.dev/v1alpha1", "kind": "HomeAssistant", "metadata": {"name": "home"},
        "spec": {"url": "http://127.0.0.1:1", "token": {"env": "NOBODY_SETS_THIS"}}});
    std::fs::write(home.path().join("home.json"), target.to_string()).unwrap();
    std::fs::write(home.path().join("entry.yaml"), &run.out).unwrap();
    provisor(home.path(), &["validate", "-f", "home.json", "-f", "entry.yaml"]).exits(0);
    let out = run.out.replace(&reader.recipient(), "age1...");
    assert_snapshot!(out, @r#"
    apiVersion: provisor.dev/v1alpha1
    kind: HomeAssistantEntry
    metadata:
      name: heat-pump
    spec:
      domain: heat_pump
      title: "yes: \e[31m#\n'${a}'\\"
      uniqueId: "4711"
      data:
        host: heat pump.lan
      credentials:
        apiKey:
          credential: heat-pump.apiKey
      fieldNames:
        apiKey: apiKey
      lifecycle:
        adopt: ifIdentical

    # For NixOS:
    #   # in secrets.nix
    #   "token.age".publicKeys = [ "age1..." ];
    #   # in the configuration, beside the file
    #   age.secrets.ha-heat-pump-apiKey.file = ./token.age;
    #   homeAssistant.integrations.heat-pump = {
    #     integration = "heat_pump";
    #     title = "yes:  [31m#\n'\${a}'\\";
    #     uniqueId = "4711";
    #     data.host = "heat pump.lan";
    #     fieldNames.apiKey = "apiKey";
    #     credentials.apiKey = config.age.secrets.ha-heat-pump-apiKey.path;
    #   };
    "#);
}
