//! Tokens that integrations rotate: kept through restarts and applies; a newly declared one wins once (REC-8, HA-12).

use serde_json::{Value, json};

use crate::world::{World, account};

fn token(world: &World) -> String {
    world.stored_of("provisor_rotator")[0]["data"]["token"]["refresh_token"].as_str().unwrap().to_owned()
}

fn reason(change: &Value) -> Value {
    let field = change["fields"].as_array().unwrap().iter().find(|field| field["sensitive"] == true);
    field.map_or(Value::Null, |field| {
        assert_eq!((&field["before"], &field["after"]), (&Value::Null, &Value::Null));
        assert_eq!(field["path"], r#"credentials["token.refreshToken"]"#);
        field["reason"].clone()
    })
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn a_rotated_token_survives_ten_restarts_and_ten_applies() {
    let mut world = World::new();
    world.credential("home", "canary-first");
    let home = |rotate: bool| account("home", &json!({"options": {"rotate": rotate}}));
    world.declare(&[home(true)]);
    world.apply(&[]).exits(0);
    let change = world.plan(&["--detailed-exitcode"]).exits(0).change("HomeAssistantEntry/home");
    assert_eq!((&change["action"], reason(&change)), (&json!("none"), json!("rotated")));
    world.declare(&[home(false)]);
    world.apply(&[]).exits(0);
    let rotated = token(&world);
    assert!(rotated.starts_with("rotated-"), "{rotated}");
    for _ in 0..10 {
        world.restart();
        world.apply(&[]).exits(0);
        assert_eq!(token(&world), rotated);
    }
    world.credential("home", "canary-second");
    let change = world.plan(&["--detailed-exitcode"]).exits(2).change("HomeAssistantEntry/home");
    assert_eq!((&change["action"], reason(&change)), (&json!("update"), json!("changed")));
    world.converge(&[]);
    assert_eq!(token(&world), "canary-second");
    // And once only: the next rotation is kept again.
    world.declare(&[home(true)]);
    world.apply(&[]).exits(0);
    world.apply(&[]).exits(0);
    assert!(token(&world).starts_with("rotated-"));
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn a_rotated_token_is_restored_where_the_manifest_insists() {
    let world = World::new();
    world.credential("home", "canary-first");
    world.declare(&[account("home", &json!({"options": {"rotate": true}}))]);
    world.apply(&[]).exits(0);
    world.declare(&[account("home", &json!({"options": {"rotate": false}, "lifecycle": {"onDrift": "restore"}}))]);
    world.converge(&[]);
    assert_eq!(token(&world), "canary-first");
}

/// HA-7: each account has its own credentials.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn two_accounts_keep_their_own_credentials() {
    let world = World::new();
    for name in ["home", "office"] {
        world.credential(name, &format!("canary-of-{name}"));
    }
    world.declare(&[account("home", &json!({"uniqueId": "1"})), account("office", &json!({"uniqueId": "2"}))]);
    let report = world.converge(&["-vvv"]);
    for entry in world.stored_of("provisor_rotator") {
        let name = entry["title"].as_str().unwrap();
        assert_eq!(entry["data"]["token"]["refresh_token"], format!("canary-of-{name}"));
        assert_eq!((&entry["version"], &entry["minor_version"]), (&json!(3), &json!(2)), "the integration's own");
    }
    assert!(!report.out.contains("canary-") && !report.err.contains("canary-"), "{}\n{}", report.out, report.err);
}

/// REC-5: without the secrets a plan says what it could not compare, and that is no change.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn a_plan_without_secrets_needs_the_token_only() {
    let world = World::new();
    world.credential("home", "canary-first");
    world.declare(&[account("home", &json!({}))]);
    world.converge(&[]);
    std::fs::remove_file(world.path("credentials/home")).unwrap();
    let change = world.plan(&["--without-secrets", "--detailed-exitcode"]).exits(0).change("HomeAssistantEntry/home");
    assert_eq!((&change["action"], reason(&change)), (&json!("none"), json!("unknown")));
    let run = world.apply(&["--prune"]).exits(1);
    let change = run.change("HomeAssistantEntry/home");
    assert_eq!((&change["action"], &change["error"]["code"]), (&json!("unknown"), &json!("provisor::secret::missing")));
    assert_eq!(run.json()["changes"].as_array().unwrap().len(), 1, "its entry is no orphan: {}", run.out);
}
