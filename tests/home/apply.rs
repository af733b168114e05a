//! Entries are made, changed and left alone; what Home Assistant says of them is told.

use serde_json::{Value, json};

use crate::world::{World, account, document, todo};

/// HA-4, HA-5, REC-4, REC-6: live, without a restart; field by field; the second apply writes nothing.
fn an_entry_is_made_changed_and_left_alone(label: &'static str) {
    let mut world = World::prepared(label, "nixos_integrations:\n");
    world.start();
    let warmest = |digits: u8| {
        let options =
            json!({"entity_ids": ["sensor.a", "sensor.b"], "type": "max", "name": "W", "round_digits": digits});
        document("HomeAssistantEntry", "warmest", &json!({"domain": "min_max", "options": options}))
    };
    world.declare(&[todo("shopping", &json!({})), warmest(2)]);
    let plan = world.plan(&["--detailed-exitcode"]).exits(2);
    assert_eq!(plan.change("HomeAssistantEntry/shopping")["action"], "create");
    assert!(plan.paths("HomeAssistantEntry/shopping").contains(&"data.todo_list_name".to_owned()));
    world.converge(&[]);
    let entry = &world.of_domain("local_todo")[0];
    assert_eq!(
        (&entry["title"], &entry["state"], &entry["source"]),
        (&json!("shopping"), &json!("loaded"), &json!("import"))
    );
    assert_eq!(world.of_domain("min_max")[0]["title"], "warmest", "the title is the name unless said otherwise");

    world.declare(&[todo("shopping", &json!({"title": "Groceries"})), warmest(1)]);
    let plan = world.plan(&["--detailed-exitcode"]).exits(2);
    assert_eq!(plan.paths("HomeAssistantEntry/shopping"), ["title"]);
    assert_eq!(plan.paths("HomeAssistantEntry/warmest"), ["options.round_digits"]);
    world.converge(&[]);
    assert_eq!(world.of_domain("local_todo")[0]["title"], "Groceries");
    assert_eq!(world.of_domain("min_max")[0]["state"], "loaded");

    let before = world.on_disk();
    world.converge(&[]);
    world.restart();
    world.converge(&[]);
    assert_eq!(world.on_disk(), before, "neither a second apply nor a second start writes");
    assert_eq!((world.of_domain("local_todo").len(), world.of_domain("min_max").len()), (1, 1));
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn an_entry_is_made_changed_and_left_alone_on_the_current_release() {
    an_entry_is_made_changed_and_left_alone("current");
}

/// HA-14: the release before works alike.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn an_entry_is_made_changed_and_left_alone_on_the_release_before() {
    an_entry_is_made_changed_and_left_alone("previous");
}

/// What is reported as applied is on disk: a kill right after it loses nothing.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn applied_is_on_disk() {
    let mut world = World::new();
    world.credential("home", "canary-token-on-disk");
    world.declare(&[todo("shopping", &json!({})), account("home", &json!({}))]);
    world.apply(&[]).exits(0);
    world.kill();
    assert_eq!(world.stored_of("local_todo").len(), 1);
    assert_eq!(world.stored_of("provisor_rotator")[0]["data"]["token"]["refresh_token"], "canary-token-on-disk");
    world.start();
    world.plan(&["--detailed-exitcode"]).exits(0);
}

/// A service that does not answer is retried by Home Assistant, and applied; what the integration refuses has failed,
/// also where nothing had to be written. No reason repeats a token.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn the_state_of_an_entry_is_told() {
    let world = World::new();
    for (name, value) in [("away", "canary-token-away/+%"), ("out", "revoked"), ("daikin", "canary-key")] {
        world.credential(name, value);
    }
    let daikin = json!({"domain": "daikin", "credentials": {"apiKey": {"credential": "daikin"}}});
    world.declare(&[
        account("away", &json!({"data": {"host": "unreachable"}})),
        account("out", &json!({})),
        document("HomeAssistantEntry", "daikin", &daikin),
        document("HomeAssistantEntry", "nothing", &json!({"domain": "no_such_integration"})),
    ]);
    let report = world.apply(&["-vvv"]).exits(1);
    let again = world.plan(&["-vvv"]).exits(1);
    for run in [&report, &again] {
        let away = run.change("HomeAssistantEntry/away");
        assert!(away["message"].as_str().unwrap().contains("not reachable"), "{away:#}");
        assert_eq!(run.change("HomeAssistantEntry/out")["error"]["code"], "provisor::home_assistant::reauth");
        assert_eq!(run.change("HomeAssistantEntry/daikin")["error"]["code"], "provisor::home_assistant::setup_error");
        for text in [&run.out, &run.err] {
            assert!(!text.contains("canary-"), "{text}");
        }
    }
    assert_eq!(report.change("HomeAssistantEntry/away")["outcome"], "applied");
    assert_eq!(report.change("HomeAssistantEntry/out")["outcome"], "failed");
    let unknown = report.change("HomeAssistantEntry/nothing");
    assert_eq!(unknown["error"]["code"], "provisor::home_assistant::unknown_integration");
    assert!(
        world.of_domain("no_such_integration").is_empty(),
        "nothing is stored for an integration that is not there"
    );
    // A token that changed wins, and the entry is well again.
    world.credential("out", "fresh");
    let report = world.apply(&["--only", "HomeAssistantEntry/out"]).exits(0);
    assert_eq!(report.change("HomeAssistantEntry/out")["outcome"], "applied");
}

/// A second entry of an integration that allows one is refused beforehand.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn a_second_entry_of_a_single_one_is_refused() {
    let world = World::new();
    let before = world.of_domain("backup");
    world.declare(&[document("HomeAssistantEntry", "one", &json!({"domain": "backup"}))]);
    let change = world.apply(&[]).exits(1).change("HomeAssistantEntry/one");
    assert_eq!((&change["action"], &change["outcome"]), (&json!("conflict"), &json!("failed")));
    assert_eq!(world.of_domain("backup"), before);
}

/// Five hundred entries: two calls to read, and nothing written the second time.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn five_hundred_entries_are_read_in_two_calls() {
    let mut world = World::new();
    let lists: Vec<Value> = (0..500).map(|number| todo(&format!("list-{number:03}"), &json!({}))).collect();
    world.declare(&lists);
    world.converge(&[]);
    let before = world.on_disk();
    let plan = world.plan(&["--detailed-exitcode", "-v"]).exits(0);
    assert!(plan.err.contains("requests to home: 2 reads, 0 writes, 1 tokens"), "{}", plan.err);
    world.apply(&[]).exits(0);
    world.restart();
    world.apply(&[]).exits(0);
    assert_eq!(world.on_disk(), before);
    assert_eq!(world.of_domain("local_todo").len(), 500);
}

/// Without the component: what to do, in three ways; and while it starts, that it starts.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn a_missing_component_is_explained() {
    let mut world = World::prepared("current", "");
    world.start();
    world.declare(&[todo("shopping", &json!({}))]);
    let change = world.plan(&[]).exits(1).change("HomeAssistantEntry/shopping");
    assert_eq!(
        (&change["action"], &change["error"]["code"]),
        (&json!("unknown"), &json!("provisor::home_assistant::component_missing"))
    );
    let hint = change["error"]["hint"].as_str().unwrap();
    assert!(["copying", "HACS", "NixOS"].iter().all(|way| hint.contains(way)), "{hint}");
    std::fs::write(world.path("config/token"), "wrong-token").unwrap();
    let change = world.plan(&[]).exits(1).change("HomeAssistantEntry/shopping");
    assert_eq!(change["error"]["code"], "provisor::home_assistant::unauthorized");
    world.kill();
    let change = world.plan(&[]).exits(1).change("HomeAssistantEntry/shopping");
    assert_eq!(change["error"]["code"], "provisor::home_assistant::unreachable");
}
