//! Plans: how few requests they take, saved ones, plans without secrets, and targets that cannot be read.

use serde_json::{Value, json};

use crate::devices::device;
use crate::world::{World, document};

/// The number of requests that `-v` reports of a kind.
fn requests(err: &str, sort: &str) -> u64 {
    let line = err.lines().find(|line| line.contains("requests") && line.contains(sort));
    let line = line.unwrap_or_else(|| panic!("no count of {sort} in\n{err}"));
    let before = line.split(sort).next().unwrap().trim_end();
    let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().unwrap()
}

/// A plan of a thousand devices takes at most ten requests, and a change of ten of them ten writes.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_thousand_devices_are_planned_in_ten_requests() {
    let world = World::with_all_rights();
    let fleet: Vec<Value> = (0..1000).map(|number| device(number, json!({}))).collect();
    world.declare(&fleet);
    world.apply(&[]).exits(0);
    let plan = world.plan(&["--detailed-exitcode", "-v"]).exits(0);
    let all = requests(&plan.err, "reads") + requests(&plan.err, "tokens");
    assert!(all <= 10, "{all} requests\n{}", plan.err);
    assert_eq!(requests(&plan.err, "writes"), 0);
    let mut changed = fleet;
    for device in changed.iter_mut().take(10) {
        device["spec"]["displayName"] = json!("moved");
    }
    world.declare(&changed);
    let report = world.apply(&["-v"]).exits(0);
    assert_eq!(requests(&report.err, "writes"), 10, "{}", report.err);
}

/// REC-4, REC-6: a saved plan is applied as it is, and refused once anything has moved.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_saved_plan_is_applied_exactly_or_not_at_all() {
    let world = World::with_all_rights();
    world.credential("app", "canary-saved-plan-secret-11");
    let app =
        |text: &str| document("KeycloakClient", "app", &json!({"description": text, "secret": {"credential": "app"}}));
    world.declare(&[app("one")]);
    world.plan(&["--out", "plan.json"]).exits(0);
    world.run(&["apply", "plan.json", "--yes"]).exits(0);
    world.declare(&[app("two")]);
    world.plan(&["--out", "plan.json"]).exits(0);
    world.by_hand("app", &json!({"consentRequired": true}));
    let refused = world.run(&["apply", "plan.json", "--yes", "-o", "json"]).exits(1);
    let errors = refused.json()["errors"].clone();
    assert_eq!(errors[0]["code"], "provisor::plan::stale", "{errors:#}");
    assert_eq!(errors[0]["resource"], json!({"kind": "KeycloakClient", "name": "app"}));
    assert_eq!(world.client("app")["description"], "one");

    // A secret that is missing is told as that, not as something that moved.
    world.plan(&["--out", "plan.json"]).exits(0);
    std::fs::remove_file(world.path("credentials").join("app")).unwrap();
    let refused = world.run(&["apply", "plan.json", "--yes", "-o", "json"]).exits(1);
    assert_eq!(refused.json()["errors"][0]["code"], "provisor::secret::missing", "{}", refused.out);
}

/// REC-5: without the secrets a plan says which comparisons it could not make, and that is no change.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_plan_without_secrets_says_what_it_could_not_compare() {
    let world = World::with_all_rights();
    world.credential("app", "canary-without-secrets-11aa");
    let app = document("KeycloakClient", "app", &json!({"secret": {"credential": "app"}, "description": "one"}));
    world.declare(std::slice::from_ref(&app));
    world.converge();
    std::fs::remove_file(world.path("credentials").join("app")).unwrap();
    let plan = world.plan(&["--without-secrets", "--detailed-exitcode"]).exits(0).change("KeycloakClient/app");
    assert_eq!(plan["action"], "none");
    assert_eq!(plan["fields"][0]["reason"], "unknown");
    world.plan(&[]).exits(1);
}

/// A failed read is an error and never "absent": nothing is planned as new, nothing is pruned.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_target_that_cannot_be_read_is_unknown() {
    let world = World::with_all_rights();
    let app = document("KeycloakClient", "app", &json!({}));
    world.declare(std::slice::from_ref(&app));
    world.converge();
    world.credential("client", "wrong-secret-of-provisor");
    let run = world.apply(&["--prune"]).exits(1);
    let change = run.change("KeycloakClient/app");
    assert_eq!((&change["action"], &change["outcome"]), (&json!("unknown"), &json!("failed")));
    assert_eq!(change["error"]["code"], "provisor::keycloak::unauthorized");
    let text = std::fs::read_to_string(world.path("fleet.yaml")).unwrap();
    std::fs::write(world.path("fleet.yaml"), text.replace(&world.url, "http://127.0.0.1:9")).unwrap();
    let change = world.plan(&[]).exits(1).change("KeycloakClient/app");
    assert_eq!(
        (&change["action"], &change["error"]["code"]),
        (&json!("unknown"), &json!("provisor::keycloak::unreachable"))
    );
}

/// A list that the server has filtered by rights is no list: nothing is planned as new, and nothing is imported as all.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_filtered_list_is_an_error() {
    let world = World::new(&["query-clients"]);
    world.declare(&[document("KeycloakClient", "app", &json!({}))]);
    let change = world.plan(&[]).exits(1).change("KeycloakClient/app");
    assert_eq!(
        (&change["action"], &change["error"]["code"]),
        (&json!("unknown"), &json!("provisor::keycloak::filtered"))
    );
    let import = world.run(&["import", "KeycloakClient", "--target", "fleet", "-f", "fleet.yaml"]).exits(1);
    assert!(import.err.contains("provisor::keycloak::filtered"), "{}", import.err);
}

/// `--only` looks at what it names, and takes nothing else for an orphan.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn only_leaves_everything_else_alone() {
    let world = World::with_all_rights();
    let fleet: Vec<Value> = (0..3).map(|number| device(number, json!({}))).collect();
    world.declare(&fleet);
    world.apply(&["--only", "Device/iot-0001"]).exits(0);
    assert!(world.client("iot-0000").is_null() && !world.client("iot-0001").is_null());
    world.apply(&[]).exits(0);
    let report = world.apply(&["--only", "Device/iot-0001", "--prune", "--max-delete", "100%"]).exits(0);
    assert_eq!(report.json()["changes"].as_array().unwrap().len(), 1, "{}", report.out);
}

/// REC-11: nobody confirms where there is no terminal; then nothing is written.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn an_apply_that_nobody_confirms_writes_nothing() {
    let world = World::with_all_rights();
    world.declare(&[document("KeycloakClient", "app", &json!({}))]);
    let run = world.run(&["apply", "-f", "fleet.yaml", "-o", "json"]).exits(1);
    assert_eq!(run.json()["errors"][0]["code"], "provisor::apply::not_confirmed");
    assert!(world.client("app").is_null());
    world.apply(&[]).exits(0);
    world.run(&["apply", "-f", "fleet.yaml", "-o", "json"]).exits(0);
}
