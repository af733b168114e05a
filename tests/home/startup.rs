//! Start-up mode: entries from YAML and a credentials folder, with no other process; live mode beside it (HA-3, HA-4,
//! HA-5, HA-9).

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::world::{World, document};

const YAML: &str = "
nixos_integrations:
  tado-home:
    domain: tado
    title: Tado Heating
    unique_id: '12345'
    credentials: {refresh_token: tado-home.refreshToken}
  shopping:
    domain: local_todo
    data: {todo_list_name: Shopping, storage_key: shopping}
";

fn world() -> World {
    let mut world = World::prepared("current", YAML);
    let credentials = world.path("mounted");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("tado-home.refreshToken"), "canary-first\n").unwrap();
    std::fs::set_permissions(credentials.join("tado-home.refreshToken"), std::fs::Permissions::from_mode(0o400))
        .unwrap();
    world.environment("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    world.start();
    world
}

/// The entries of the YAML are there, and what became of them is in the log; a second start writes nothing.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn the_entries_of_the_yaml_are_there_after_the_start() {
    let mut world = world();
    settled(&world);
    assert_eq!(world.stored_of("tado")[0]["data"]["refresh_token"], "canary-first");
    assert_eq!(world.stored_of("tado")[0]["title"], "Tado Heating");
    assert!(!world.log().contains("canary-"), "{}", world.log());
    let before = world.on_disk();
    world.restart();
    settled(&world);
    assert_eq!(world.on_disk(), before);
    assert_eq!((world.of_domain("tado").len(), world.of_domain("local_todo").len()), (1, 1));
}

/// Live mode meets them as somebody else's.
#[test]
#[ignore = "needs a Home Assistant: make test"]
fn live_mode_leaves_the_entries_of_the_yaml_alone() {
    let world = world();
    settled(&world);
    let spec = json!({"domain": "tado", "uniqueId": "12345", "title": "Mine"});
    world.declare(&[document("HomeAssistantEntry", "tado", &spec)]);
    let change = world.apply(&["--adopt", "--prune"]).exits(1).change("HomeAssistantEntry/tado");
    assert!(change["error"]["message"].as_str().unwrap().contains("configuration.yaml"), "{change:#}");
    assert_eq!(world.of_domain("tado")[0]["title"], "Tado Heating");
}

/// Start-up mode goes on after the start; wait until both are on disk.
fn settled(world: &World) {
    let begun = std::time::Instant::now();
    while world.stored_of("tado").is_empty() || world.stored_of("local_todo").is_empty() {
        assert!(begun.elapsed().as_secs() < 60, "{}", world.log());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
