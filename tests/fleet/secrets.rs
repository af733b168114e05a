//! Secrets: the three-way rule on a real server, generated ones, and canaries that no output may hold.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::devices::device;
use crate::world::{CLIENT_SECRET, World, document};

const FIRST: &str = "canary-first-secret-5d1c0e";
const SECOND: &str = "canary-second-secret-88ab3f";
const ROTATED: &str = "canary-rotated-secret-2c9b71";

fn secret_of(world: &World, client: &str) -> String {
    world.client(client)["secret"].as_str().unwrap().to_owned()
}

fn reason(change: &Value) -> Value {
    change["fields"].as_array().unwrap().iter().find(|field| field["path"] == "secret").map_or(Value::Null, |field| {
        assert_eq!(
            (&field["before"], &field["after"], &field["sensitive"]),
            (&Value::Null, &Value::Null, &json!(true))
        );
        field["reason"].clone()
    })
}

/// REC-8: a rotated secret is kept and reported; a changed declaration wins; `onDrift: restore` insists.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_rotated_secret_is_kept_and_a_changed_declaration_wins() {
    let world = World::with_all_rights();
    world.credential("app", FIRST);
    let app = |on_drift: &str| {
        let spec = json!({"secret": {"credential": "app"}, "lifecycle": {"onDrift": on_drift}});
        document("KeycloakClient", "app", &spec)
    };
    world.declare(&[app("keep")]);
    world.converge();
    assert_eq!(secret_of(&world, "app"), FIRST);

    world.by_hand("app", &json!({"secret": ROTATED}));
    let plan = world.plan(&["--detailed-exitcode"]).exits(0).change("KeycloakClient/app");
    assert_eq!((&plan["action"], reason(&plan)), (&json!("none"), json!("rotated")));
    world.apply(&[]).exits(0);
    assert_eq!(secret_of(&world, "app"), ROTATED);

    world.credential("app", SECOND);
    let plan = world.plan(&[]).exits(0).change("KeycloakClient/app");
    assert_eq!((&plan["action"], reason(&plan)), (&json!("update"), json!("changed")));
    world.converge();
    assert_eq!(secret_of(&world, "app"), SECOND);

    world.by_hand("app", &json!({"secret": ROTATED}));
    world.declare(&[app("restore")]);
    world.converge();
    assert_eq!(secret_of(&world, "app"), SECOND);
}

/// A device holds its secret: a changed one is a conflict until somebody says that the device is at hand.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_device_is_never_stranded() {
    let world = World::with_all_rights();
    world.credential("one", FIRST);
    let one = |reprovision: bool| {
        let spec =
            json!({"audience": "mqtt", "secret": {"credential": "one"}, "lifecycle": {"reprovision": reprovision}});
        document("Device", "one", &spec)
    };
    world.declare(&[one(false)]);
    world.converge();
    world.credential("one", SECOND);
    let report = world.apply(&[]).exits(1).change("Device/one");
    assert_eq!((&report["action"], &report["outcome"]), (&json!("conflict"), &json!("failed")));
    assert_eq!(report["error"]["code"], "provisor::device::strands");
    assert_eq!(secret_of(&world, "one"), FIRST);
    world.declare(&[one(true)]);
    world.converge();
    assert_eq!(secret_of(&world, "one"), SECOND);
}

/// A generated secret is in its sink, 0600, exactly; a lost sink is written anew, with the secret that works.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_generated_secret_is_handed_over_and_a_lost_sink_is_written_anew() {
    let world = World::with_all_rights();
    world.declare(&[device(1, json!({"secretTo": {"file": "sink"}}))]);
    world.converge();
    let sink = world.path("sink");
    assert_eq!(std::fs::read_to_string(&sink).unwrap(), secret_of(&world, "iot-0001"));
    assert_eq!(std::fs::metadata(&sink).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_file(&sink).unwrap();
    let plan = world.plan(&["--detailed-exitcode"]).exits(2);
    assert_eq!(plan.paths("Device/iot-0001"), ["secretTo"]);
    world.converge();
    assert_eq!(std::fs::read_to_string(&sink).unwrap(), secret_of(&world, "iot-0001"));
}

/// REC-13: a client that somebody made public has lost its secret. Made confidential again it gets the one that its sink
/// holds, so that whoever holds it goes on working; where there is none to restore, a new one is in the sink.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_client_that_was_public_has_the_secret_of_its_sink() {
    let world = World::with_all_rights();
    world.declare(&[
        device(1, json!({"secretTo": {"file": "one"}})),
        document("KeycloakClient", "app", &json!({"secretTo": {"file": "app"}})),
        document("KeycloakClient", "page", &json!({"public": true})),
    ]);
    world.converge();
    let held = std::fs::read_to_string(world.path("one")).unwrap();
    for client in ["iot-0001", "app"] {
        world.by_hand(client, &json!({"publicClient": true}));
    }
    let plan = world.plan(&[]).exits(0);
    assert_eq!(plan.paths("Device/iot-0001"), ["public", "secret"]);
    std::fs::remove_file(world.path("app")).unwrap();
    world.declare(&[
        device(1, json!({"secretTo": {"file": "one"}})),
        document("KeycloakClient", "app", &json!({"secretTo": {"file": "app"}})),
        document("KeycloakClient", "page", &json!({"secretTo": {"file": "page"}})),
    ]);
    world.converge();
    assert_eq!(std::fs::read_to_string(world.path("one")).unwrap(), held, "the device holds this one");
    for (client, sink) in [("iot-0001", "one"), ("app", "app"), ("page", "page")] {
        assert_eq!(std::fs::read_to_string(world.path(sink)).unwrap(), secret_of(&world, client));
    }
    // A device whose secret is nowhere any more has to be at hand.
    world.by_hand("iot-0001", &json!({"publicClient": true}));
    std::fs::remove_file(world.path("one")).unwrap();
    let change = world.apply(&[]).exits(1).change("Device/iot-0001");
    assert_eq!(change["error"]["code"], "provisor::device::strands");
}

/// REC-8: `onDrift: restore` insists on a generated secret, too, as long as its sink shows it.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_generated_secret_is_restored_where_the_manifest_insists() {
    let world = World::with_all_rights();
    let app = |on_drift: &str| {
        let spec = json!({"secretTo": {"file": "app"}, "lifecycle": {"onDrift": on_drift}});
        document("KeycloakClient", "app", &spec)
    };
    world.declare(&[app("keep")]);
    world.converge();
    let made = secret_of(&world, "app");
    world.by_hand("app", &json!({"secret": ROTATED}));
    assert_eq!(reason(&world.plan(&["--detailed-exitcode"]).exits(0).change("KeycloakClient/app")), "rotated");
    world.declare(&[app("restore")]);
    world.converge();
    assert_eq!(secret_of(&world, "app"), made);
    world.by_hand("app", &json!({"secret": ROTATED}));
    std::fs::remove_file(world.path("app")).unwrap();
    let change = world.plan(&[]).exits(0).change("KeycloakClient/app");
    assert_eq!(
        (reason(&change), &change["warnings"][0]["code"]),
        (json!("rotated"), &json!("provisor::secret::not_restorable"))
    );
}

/// Without `secret` and `secretTo` the server's own secret stays there, unowned.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn an_undeclared_secret_is_nobodys_business() {
    let world = World::with_all_rights();
    world.declare(&[document("KeycloakClient", "app", &json!({}))]);
    world.converge();
    world.by_hand("app", &json!({"secret": ROTATED}));
    world.plan(&["--detailed-exitcode"]).exits(0);
    assert_eq!(secret_of(&world, "app"), ROTATED);
}

/// REC-3: a missing credential is named, its resource fails, and the rest goes on.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_missing_credential_fails_its_resource_only() {
    let world = World::with_all_rights();
    world.declare(&[
        document("KeycloakClient", "poor", &json!({"secret": {"credential": "nowhere"}})),
        document("KeycloakClient", "fine", &json!({})),
    ]);
    let report = world.apply(&[]).exits(1);
    assert_eq!(report.change("KeycloakClient/poor")["outcome"], "failed");
    assert!(report.change("KeycloakClient/poor")["error"]["message"].as_str().unwrap().contains("nowhere"));
    assert_eq!(report.change("KeycloakClient/fine")["outcome"], "applied");
}

/// REC-3: no secret in any output, log at trace, plan file or error, on the way to success and to failure.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn no_secret_is_in_any_output() {
    let world = World::with_all_rights();
    world.credential("app", FIRST);
    world.declare(&[
        document("KeycloakClient", "app", &json!({"secret": {"credential": "app"}, "secretTo": {"file": "copy"}})),
        device(1, json!({"secretTo": {"file": "made"}})),
        document("KeycloakClient", "bad", &json!({"secret": {"credential": "app"}, "settings": {"nonsense": 1}})),
    ]);
    let mut texts = Vec::new();
    let mut keep = |run: crate::world::Run| texts.extend([run.out, run.err]);
    keep(world.plan(&["-vvv"]));
    keep(world.plan(&["-vvv", "--log-format", "json", "--out", "saved.json"]));
    keep(world.apply(&["-vvv"]));
    world.by_hand("app", &json!({"secret": ROTATED}));
    keep(world.plan(&["-vvv", "--out", "saved-2.json"]));
    keep(world.run(&["plan", "-f", "fleet.yaml", "-vvv", "-o", "markdown"]));
    keep(world.run(&["import", "KeycloakClient", "--target", "fleet", "-f", "fleet.yaml", "-vvv", "--all"]));
    keep(world.run(&["keycloak", "doctor", "-f", "fleet.yaml", "-vvv"]));
    world.credential("client", "canary-that-is-wrong-aa01");
    keep(world.apply(&["-vvv"]));
    for file in ["saved.json", "saved-2.json"] {
        texts.push(std::fs::read_to_string(world.path(file)).unwrap());
    }
    let made = std::fs::read_to_string(world.path("made")).unwrap();
    let canaries = [FIRST, ROTATED, CLIENT_SECRET, "canary-that-is-wrong-aa01", &made, "eyJhbGciOi"];
    for text in &texts {
        for canary in canaries {
            assert!(!text.contains(canary), "a secret is in\n{text}");
        }
    }
    assert!(texts.iter().any(|text| text.contains("provisor")), "nothing was printed at all");
}
