//! The committed catalogue is what the real Home Assistant gives, and `provisor ha catalog` writes it (HA-6, HA-13).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use provisor::home_assistant::catalog::{Catalog, Field, Integration};

fn site_packages() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the servers of the tests are is told by the environment")]
    let folder = std::env::var_os("PROVISOR_TEST_HASS_SITE_PACKAGES");
    folder.expect("PROVISOR_TEST_HASS_SITE_PACKAGES names the Home Assistant of the tests").into()
}

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/home-assistant-catalog.json");
    std::fs::read_to_string(path).unwrap()
}

fn run(from: &Path, more: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_provisor"))
        .args(["ha", "catalog", "--from"])
        .arg(from)
        .args(more)
        .output()
        .unwrap()
}

/// A stale copy fails; `provisor ha catalog --from SITE_PACKAGES --out schemas/home-assistant-catalog.json` makes it
/// current.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn the_committed_catalogue_is_what_the_current_release_gives() {
    let printed = run(&site_packages(), &[]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed == committed(), "HA-13: schemas/home-assistant-catalog.json is stale");
}

#[test]
fn the_command_writes_the_file_that_it_would_print() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("homeassistant");
    let integration = package.join("components/x");
    std::fs::create_dir_all(&integration).unwrap();
    std::fs::write(package.join("const.py"), "MAJOR_VERSION = 2027\nMINOR_VERSION = 1\nPATCH_VERSION = \"2\"\n")
        .unwrap();
    std::fs::write(integration.join("manifest.json"), r#"{"domain": "x", "config_flow": true}"#).unwrap();
    let printed = run(folder.path(), &[]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(Catalog::from_json(&printed).unwrap().integration("x").is_some(), "HA-13: {printed}");
    let file = folder.path().join("catalog.json");
    let written = run(folder.path(), &["--out".as_ref(), file.as_os_str()]);
    let said = String::from_utf8_lossy(&written.stderr).into_owned();
    assert!(written.status.success() && written.stdout.is_empty(), "{said}");
    assert!(said.contains("Home Assistant 2027.1.2: 1 integration"), "{said}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), printed, "HA-13");
    let nowhere = folder.path().join("absent/catalog.json");
    let failed = run(folder.path(), &["--out".as_ref(), nowhere.as_os_str()]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("provisor::ha::file"));
}

#[test]
fn the_command_says_where_there_is_no_home_assistant() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        Command::new(env!("CARGO_BIN_EXE_provisor")).args(["ha", "catalog", "--from"]).arg(folder.path()).output();
    let run = run.unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("provisor::ha::no_home_assistant") && said.contains("hint:"), "{said}");
}

fn integration(domain: &str) -> &'static Integration {
    Catalog::bundled().integration(domain).unwrap()
}

fn field(domain: &str, name: &str) -> Field {
    integration(domain).fields[name]
}

/// What was found out about these integrations on a running Home Assistant.
#[test]
fn the_catalogue_knows_the_integrations_that_were_looked_at() {
    let tado = integration("tado");
    assert_eq!((tado.version, tado.minor_version, tado.complete), (2, 1, true), "HA-13");
    let token = Field { stored: true, form: false, secret: true, required: false };
    assert_eq!(field("tado", "refresh_token"), token, "HA-6: no form has it");

    assert!(integration("mqtt").single_entry && !integration("tado").single_entry, "HA-13");
    assert_eq!((integration("mqtt").version, integration("mqtt").minor_version), (2, 1));
    for name in ["broker", "port", "discovery", "protocol", "username", "password"] {
        assert!(field("mqtt", name).stored, "HA-13: {name}");
    }

    assert_eq!(field("daikin", "host"), Field { stored: true, form: true, secret: false, required: true }, "HA-13");
    for name in ["api_key", "password"] {
        assert_eq!(field("daikin", name), Field { stored: true, form: true, secret: true, required: false }, "HA-13");
    }
    assert!(["mac", "uuid"].iter().all(|name| field("daikin", name).stored), "HA-13");

    assert_eq!((integration("openweathermap").version, integration("openweathermap").minor_version), (5, 1));
    assert!(field("openweathermap", "api_key").required && !field("openweathermap", "location").required, "HA-13");
    assert!(["latitude", "longitude"].iter().all(|name| field("openweathermap", name).stored), "HA-13");

    assert_eq!((integration("roborock").version, integration("roborock").minor_version), (1, 2));
    assert!(["username", "user_data", "base_url"].iter().all(|name| field("roborock", name).stored), "HA-13");
    assert!(field("roborock", "user_data").secret, "HA-13: the token is in it");

    assert!(field("local_todo", "todo_list_name").required, "HA-13");
    assert_eq!(field("local_todo", "storage_key"), Field { stored: true, ..Field::default() }, "HA-13");

    assert!(integration("min_max").fields.values().all(|field| field.form && !field.stored), "HA-13: only options");
    let spotify = integration("spotify");
    assert!(spotify.oauth && spotify.complete && field("spotify", "token").secret, "HA-13");
    assert!(field("spotify", "auth_implementation").stored, "HA-13");
}

/// A change of the scanner that finds less is a fault: these are what a separate scan counted in 2026.11.0.
#[test]
fn the_catalogue_is_as_full_as_it_was_measured() {
    let all = || Catalog::bundled().integrations.values();
    let with = |wanted: fn(&Integration) -> bool| all().filter(|integration| wanted(integration)).count();
    let have = |wanted: fn(&str, Field) -> bool| {
        all().filter(|own| own.fields.iter().any(|(name, field)| wanted(name, *field))).count()
    };
    assert_eq!(all().count(), 976);
    assert_eq!(with(|own| own.oauth), 56);
    assert_eq!(with(|own| own.single_entry), 66);
    assert_eq!(with(|own| own.version > 1), 100);
    assert_eq!(with(|own| own.minor_version > 1), 111);
    for (what, found, measured) in [
        ("any field", have(|_, _| true), 931),
        ("a field in a form", have(|_, field| field.form), 907),
        ("a stored field", have(|_, field| field.stored), 865),
        ("a stored field that no form has", have(|_, field| field.stored && !field.form), 350),
        ("a secret", have(|_, field| field.secret), 449),
        ("a password", have(|name, field| name == "password" && field.secret), 265),
        ("an API key", have(|name, field| name == "api_key" && field.secret), 100),
        ("a token", have(|name, field| name == "token" && field.secret), 26),
        ("an API token", have(|name, field| name == "api_token" && field.secret), 19),
        ("a PIN", have(|name, field| name == "pin" && field.secret), 17),
        ("everything it stores", with(|own| own.complete), 800),
    ] {
        assert!(found >= measured, "HA-13: {what}: {found} integrations, {measured} were measured");
    }
}
