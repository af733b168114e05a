//! What the catalogue answers.

use std::time::{Duration, Instant};

use super::{Catalog, Check};

const SMALL: &str = r#"{"format": "provisor.dev/ha-catalog/v1", "homeAssistant": "2026.11.0", "integrations": {
    "tado": {"version": 2, "minorVersion": 1, "singleEntry": false, "oauth": false, "complete": true, "fields": {
        "fallback": {"stored": false, "form": true, "secret": false, "required": false},
        "refresh_token": {"stored": true, "form": false, "secret": true, "required": true}}},
    "alarm": {"version": 1, "minorVersion": 1, "singleEntry": true, "oauth": false, "complete": false, "fields": {
        "jwtToken": {"stored": true, "form": false, "secret": true, "required": false},
        "host": {"stored": true, "form": true, "secret": false, "required": true},
        "pin": {"stored": true, "form": true, "secret": true, "required": false}}}}}"#;

fn small() -> Catalog {
    Catalog::from_json(SMALL).unwrap()
}

#[test]
fn a_written_name_is_stored_in_snake_case_unless_the_integration_has_it() {
    let catalog = small();
    for (domain, written, stored) in [
        ("tado", "refreshToken", "refresh_token"),
        ("tado", "refresh_token", "refresh_token"),
        ("tado", "token.refreshToken", "token.refresh_token"),
        ("alarm", "jwtToken", "jwtToken"),
        ("alarm", "jwtToken.refreshToken", "jwtToken.refresh_token"),
        ("tado", "jwtToken", "jwt_token"),
        ("unheard_of", "apiKey", "api_key"),
    ] {
        assert_eq!(catalog.stored_name(domain, written), stored, "HA-6: {domain} {written}");
    }
}

#[test]
fn an_unknown_field_is_certain_only_where_the_integration_is_complete() {
    let catalog = small();
    assert_eq!(catalog.check_field("tado", "refresh_token"), Check::Known, "HA-13");
    assert_eq!(catalog.check_field("tado", "refresh_token.inner"), Check::Known, "HA-13");
    let meant = Check::Unknown { complete: true, meant: Some("refresh_token") };
    assert_eq!(catalog.check_field("tado", "refresh_tokn"), meant, "HA-13");
    assert_eq!(catalog.check_field("tado", "refreshToken"), meant, "HA-13");
    let unknown = Check::Unknown { complete: false, meant: None };
    assert_eq!(catalog.check_field("alarm", "something_else"), unknown, "HA-13");
    assert_eq!(catalog.check_field("tadoo", "x"), Check::UnknownIntegration { meant: Some("tado") }, "HA-13");
    assert_eq!(catalog.check_field("something_else", "x"), Check::UnknownIntegration { meant: None }, "HA-13");
}

#[test]
fn a_secret_is_known_by_its_mark_or_by_its_name() {
    let catalog = small();
    for (domain, name) in [
        ("tado", "refresh_token"),
        ("alarm", "pin"),
        ("alarm", "password"),
        ("alarm", "refreshToken"),
        ("alarm", "login.access_token"),
        ("alarm", "pin.value"),
        ("unheard_of", "api_key"),
    ] {
        assert!(catalog.is_secret(domain, name), "HA-13: {domain} {name}");
    }
    for (domain, name) in [("alarm", "host"), ("tado", "pin"), ("tado", "fallback"), ("unheard_of", "url")] {
        assert!(!catalog.is_secret(domain, name), "HA-13: {domain} {name}");
    }
}

#[test]
fn secrets_are_never_among_the_fields_to_read_by_value() {
    let catalog = small();
    assert_eq!(catalog.plain_fields("alarm").collect::<Vec<_>>(), ["host"]);
    assert_eq!(catalog.plain_fields("tado").count(), 0);
    assert_eq!(catalog.required("tado").collect::<Vec<_>>(), ["refresh_token"]);
    assert!(catalog.single_entry("alarm") && !catalog.single_entry("tado") && !catalog.single_entry("unheard_of"));
    let bundled = Catalog::bundled();
    for domain in bundled.integrations.keys() {
        for name in bundled.plain_fields(domain) {
            assert!(!bundled.is_secret(domain, name), "{domain} {name}");
        }
    }
}

#[test]
fn the_file_has_a_line_for_each_integration_and_reads_back() {
    let catalog = small();
    let text = catalog.to_json().unwrap();
    assert_eq!(Catalog::from_json(&text).unwrap(), catalog);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("\"version\"")).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with(r#""alarm": {"version":1,"#), "{}", lines[0]);
    assert!(Catalog::from_json(&text.replace("/v1", "/v2")).is_err(), "another form is not guessed at");
}

/// Whoever declares one entry reads all of it.
#[test]
fn the_bundled_catalogue_is_read_at_once() {
    let from = Instant::now();
    let catalog = Catalog::bundled();
    assert!(from.elapsed() < Duration::from_secs(2), "{:?}", from.elapsed());
    assert_eq!(catalog.home_assistant, "2026.11.0", "HA-14");
    assert!(catalog.integrations.len() > 900);
    assert_eq!(catalog.check_field("daikin", "api_kye"), Check::Unknown { complete: true, meant: Some("api_key") });
}
