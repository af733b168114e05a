//! Whose is it: adoption, owners, orphans, pruning, renaming, import (REC-9, REC-10, HA-5).

use serde_json::{Value, json};

use crate::world::{World, account, document, todo};

/// Entries that nobody declared are never touched; one of them is taken over only when asked, and keeps its id.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn an_entry_made_by_hand_is_taken_over_only_when_asked() {
    let world = World::new();
    let list = |lifecycle: &Value| {
        let spec =
            json!({"domain": "shopping_list", "uniqueId": "shopping_list", "title": "Bought", "lifecycle": lifecycle});
        document("HomeAssistantEntry", "list", &spec)
    };
    let before = world.of_domain("shopping_list")[0].clone();
    world.declare(&[list(&json!({}))]);
    let change = world.apply(&["--prune"]).exits(1).change("HomeAssistantEntry/list");
    assert_eq!(change["action"], "conflict");
    assert!(change["error"]["message"].as_str().unwrap().contains("`title`"), "{change:#}");
    world.declare(&[list(&json!({"adopt": "ifIdentical"}))]);
    world.apply(&[]).exits(1);
    assert_eq!(world.of_domain("shopping_list")[0], before);
    world.declare(&[list(&json!({"adopt": "always"}))]);
    assert_eq!(world.converge(&[]).change("HomeAssistantEntry/list")["action"], "adopt");
    let after = &world.of_domain("shopping_list")[0];
    assert_eq!((&after["entry_id"], &after["title"]), (&before["entry_id"], &json!("Bought")));
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn an_orphan_goes_by_its_policy_and_only_under_prune() {
    let world = World::new();
    let foreign: Vec<Value> = world.entries();
    world.declare(&[
        todo("gone", &json!({})),
        todo("off", &json!({"lifecycle": {"deletionPolicy": "Disable"}})),
        todo("left", &json!({"lifecycle": {"deletionPolicy": "Orphan"}})),
        todo("kept", &json!({"lifecycle": {"preventDestroy": true}})),
        todo("still", &json!({})),
    ]);
    world.converge(&[]);
    world.declare(&[todo("still", &json!({}))]);
    let plan = world.plan(&["--detailed-exitcode"]).exits(0);
    assert_eq!(plan.json()["summary"]["orphan"], 4, "{}", plan.out);
    let report = world.apply(&["--prune", "--max-delete", "5"]).exits(1);
    assert_eq!(report.change("HomeAssistantEntry/kept")["error"]["code"], "provisor::plan::protected");
    let mut titles: Vec<String> =
        world.of_domain("local_todo").iter().map(|entry| entry["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    assert_eq!(titles, ["kept", "left", "off", "still"]);
    let off = world.of_domain("local_todo").into_iter().find(|entry| entry["title"] == "off").unwrap();
    assert_eq!(off["disabled_by"], "user");
    for entry in foreign {
        assert!(world.entries().iter().any(|now| now["entry_id"] == entry["entry_id"]), "{entry} is gone");
    }
    world.apply(&["--prune", "--only", "HomeAssistantEntry/still"]).exits(0);
}

/// Something switched off by hand is drift, since `enabled` is owned always.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn an_entry_can_be_switched_off_and_on() {
    let world = World::new();
    world.declare(&[todo("shopping", &json!({"enabled": false}))]);
    world.converge(&[]);
    assert_eq!(world.of_domain("local_todo")[0]["disabled_by"], "user");
    world.declare(&[todo("shopping", &json!({}))]);
    assert_eq!(world.plan(&[]).exits(0).paths("HomeAssistantEntry/shopping"), ["enabled"]);
    world.converge(&[]);
    let entry = &world.of_domain("local_todo")[0];
    assert_eq!((&entry["disabled_by"], &entry["state"]), (&Value::Null, &json!("loaded")));
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn a_renamed_resource_keeps_its_entry() {
    let world = World::new();
    world.credential("home", "canary-first");
    let named = |name: &str| {
        let spec = json!({
            "domain": "provisor_rotator", "title": "Home", "uniqueId": "7", "data": {"host": "cloud"},
            "credentials": {"token.refresh_token": {"credential": "home"}},
        });
        document("HomeAssistantEntry", name, &spec)
    };
    world.declare(&[named("home")]);
    world.converge(&[]);
    let id = world.of_domain("provisor_rotator")[0]["entry_id"].clone();
    world.declare(&[named("cottage")]);
    let plan = world.plan(&["--prune"]).exits(0);
    assert_eq!(plan.paths("HomeAssistantEntry/cottage"), ["metadata.name"]);
    world.converge(&["--prune"]);
    assert_eq!(world.of_domain("provisor_rotator")[0]["entry_id"], id);
}

/// Two owners do not touch each other's entries.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn another_owners_entry_is_a_conflict() {
    let world = World::new();
    world.credential("home", "canary-first");
    world.declare(&[account("home", &json!({"uniqueId": "7"}))]);
    world.apply(&["--owner", "them"]).exits(0);
    let change = world.apply(&["--adopt", "--prune"]).exits(1).change("HomeAssistantEntry/home");
    assert_eq!(change["action"], "conflict");
    assert!(change["error"]["message"].as_str().unwrap().contains("them"), "{change:#}");
    assert_eq!(world.of_domain("provisor_rotator").len(), 1);
}

/// What import writes plans to adoptions without a field, and after one apply to nothing; its secrets are comments.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn an_import_plans_to_adoptions_without_a_field() {
    let world = World::new();
    world.credential("home", "canary-first");
    let kept = json!({"deletionPolicy": "Orphan"});
    let options = json!({"entity_ids": ["sensor.a"], "type": "max", "name": "W", "round_digits": 2});
    let helper = json!({"domain": "min_max", "options": options, "lifecycle": kept});
    world.declare(&[
        todo("shopping", &json!({"lifecycle": kept})),
        account("home", &json!({"uniqueId": "7", "lifecycle": kept})),
        document("HomeAssistantEntry", "warmest", &helper),
    ]);
    world.converge(&[]);
    // Let go of, they are nobody's, as if they had been made by hand.
    world.declare(&[]);
    world.apply(&["--prune", "--max-delete", "3"]).exits(0);
    let import = ["import", "HomeAssistantEntry", "--target", "home", "-f", "home.yaml"];
    let import = world.run(&import).exits(0);
    assert!(!import.out.contains("canary-"), "{}", import.out);
    assert!(import.out.contains("#     token.refresh_token: {credential: "), "{}", import.out);
    std::fs::write(world.path("imported.yaml"), &import.out).unwrap();
    let both = ["-f", "home.yaml", "-f", "imported.yaml", "-o", "json"];
    let plan = world.run(&[&["plan"], &both[..]].concat()).exits(0);
    for change in plan.json()["changes"].as_array().unwrap() {
        assert_eq!((&change["action"], &change["fields"]), (&json!("adopt"), &json!([])), "{change:#}\n{}", import.out);
    }
    assert!(plan.json()["summary"]["adopt"].as_u64().unwrap() >= 3, "{}", plan.out);
    world.run(&[&["apply", "--yes"], &both[..]].concat()).exits(0);
    world.run(&[&["plan", "--detailed-exitcode"], &both[..]].concat()).exits(0);
}
