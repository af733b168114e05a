//! Whose is it: adoption, owners, orphans, pruning, renaming, import.

use serde_json::{Value, json};

use crate::devices::device;
use crate::world::{World, document, with};

fn app(lifecycle: Value) -> Value {
    document("KeycloakClient", "app", &json!({"description": "ours", "lifecycle": lifecycle}))
}

/// REC-9: what is there already is a conflict that says what adoption would change, until adoption is asked for.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn an_existing_client_is_taken_over_only_when_asked() {
    let world = World::with_all_rights();
    world.realm_post("clients", &json!({"clientId": "app", "publicClient": false, "description": "theirs"}));
    world.declare(&[app(json!({}))]);
    let report = world.apply(&[]).exits(1).change("KeycloakClient/app");
    assert_eq!(report["error"]["code"], "provisor::plan::conflict");
    assert!(report["error"]["message"].as_str().unwrap().contains("`description`"), "{report:#}");
    world.declare(&[app(json!({"adopt": "ifIdentical"}))]);
    world.apply(&[]).exits(1);
    assert_eq!(world.client("app")["description"], "theirs");
    let plan = world.plan(&["--adopt"]).exits(0);
    assert_eq!(plan.change("KeycloakClient/app")["action"], "adopt");
    world.apply(&["--adopt"]).exits(0);
    assert_eq!(world.client("app")["description"], "ours");
    world.plan(&["--detailed-exitcode"]).exits(0);
}

/// REC-9: another owner's client is a conflict even under `adopt: always`, and no orphan of ours.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn another_owners_client_is_never_taken() {
    let world = World::with_all_rights();
    world.declare(&[app(json!({"adopt": "always"}))]);
    world.apply(&["--owner", "them"]).exits(0);
    let report = world.apply(&["--adopt"]).exits(1).change("KeycloakClient/app");
    assert_eq!(report["error"]["code"], "provisor::plan::conflict");
    world.declare(&[document("KeycloakClient", "other", &json!({}))]);
    world.apply(&["--prune", "--max-delete", "100%"]).exits(0);
    assert!(!world.client("app").is_null());
}

/// REC-9: orphans are reported; pruned by policy; guarded; limited. Policy and guard hold when the manifest is gone.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn orphans_go_by_their_policy_and_only_under_prune() {
    let world = World::with_all_rights();
    let one = |name: &str, lifecycle: Value| document("KeycloakClient", name, &json!({"lifecycle": lifecycle}));
    let stays = one("stays", json!({}));
    world.declare(&[
        stays.clone(),
        one("goes", json!({})),
        one("off", json!({"deletionPolicy": "Disable"})),
        one("left", json!({"deletionPolicy": "Orphan"})),
        one("guarded", json!({"preventDestroy": true})),
    ]);
    world.converge();
    world.declare(std::slice::from_ref(&stays));
    let plan = world.plan(&["--detailed-exitcode"]).exits(0);
    for id in ["goes", "off", "left", "guarded"] {
        assert_eq!(plan.change(&format!("KeycloakClient/{id}"))["action"], "orphan");
    }
    // Five are owned: a tenth of them, at least one, may go; two would.
    let refused = world.apply(&["--prune"]).exits(1);
    assert_eq!(refused.change("KeycloakClient/goes")["error"]["code"], "provisor::plan::too_many_deletes");
    assert!(!world.client("goes").is_null());

    let report = world.apply(&["--prune", "--max-delete", "2"]).exits(1);
    assert_eq!(report.change("KeycloakClient/guarded")["error"]["code"], "provisor::plan::protected");
    assert!(world.client("goes").is_null());
    assert_eq!(world.client("off")["enabled"], false);
    assert_eq!(world.client("left")["attributes"].get("provisor.owner"), None);
    assert!(!world.client("guarded").is_null());
    let after = world.plan(&["--prune"]).exits(1);
    assert_eq!(after.json()["summary"]["delete"], 0, "{}", after.out);
}

/// An empty folder must not prune the world.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn no_manifest_at_all_is_an_error() {
    let world = World::with_all_rights();
    std::fs::create_dir(world.path("empty")).unwrap();
    let run = world.run(&["apply", "-f", "empty", "--yes", "--prune", "-o", "json"]).exits(1);
    assert_eq!(run.json()["format"], "provisor.dev/errors/v1");
}

/// A renamed resource renames the mark; a renamed client id renames the client; neither deletes anything.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn renaming_is_an_update() {
    let world = World::with_all_rights();
    world.declare(&[document("KeycloakClient", "old", &json!({"clientId": "app"}))]);
    world.converge();
    let id = world.client("app")["id"].clone();
    world.declare(&[document("KeycloakClient", "new", &json!({"clientId": "app"}))]);
    assert_eq!(world.plan(&["--prune"]).exits(0).paths("KeycloakClient/new"), ["metadata.name"]);
    world.converge();
    world.declare(&[document("KeycloakClient", "new", &json!({"clientId": "application"}))]);
    assert_eq!(world.plan(&[]).exits(0).paths("KeycloakClient/new"), ["clientId"]);
    world.converge();
    assert_eq!(world.client("application")["id"], id);
    assert!(world.client("app").is_null());
    world.declare(&[device(1, json!({}))]);
    world.converge();
    let renamed = with(&device(1, json!({})), "clientId", json!("iot-9999"));
    world.declare(&[renamed]);
    let report = world.apply(&[]).exits(1).change("Device/iot-0001");
    assert_eq!(report["error"]["code"], "provisor::device::strands");
}

/// Copies a client as the administration console does, with all its attributes.
fn copy(world: &World, from: &str, to: &str) {
    let mut copy = world.client(from);
    copy["clientId"] = json!(to);
    copy.as_object_mut().unwrap().remove("id");
    world.realm_post("clients", &copy);
}

/// Somebody's copy of a client of ours carries our mark; it is theirs all the same, also when the original goes.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_copied_client_is_not_ours() {
    let world = World::with_all_rights();
    let other = document("KeycloakClient", "other", &json!({}));
    world.declare(&[app(json!({})), other.clone()]);
    world.converge();
    for name in ["app-copy", "a-copy"] {
        copy(&world, "app", name);
    }
    let pruning = ["--prune", "--max-delete", "100%"];
    let report = world.apply(&pruning).exits(0);
    assert_eq!(report.json()["summary"]["delete"], 0);
    world.declare(std::slice::from_ref(&other));
    let messages = |run: &crate::world::Run, action: &str| -> Vec<String> {
        let changes = run.json()["changes"].as_array().unwrap().clone();
        let those = changes.iter().filter(|change| change["action"] == action);
        those.map(|change| change["message"].as_str().unwrap().to_owned()).collect()
    };
    let plan = world.plan(&pruning).exits(0);
    let goes = messages(&plan, "delete");
    assert!(goes.len() == 1 && goes[0].contains("`app`"), "{goes:?}");
    let stay = messages(&plan, "orphan");
    assert!(["`app-copy`", "`a-copy`"].iter().all(|name| stay.iter().any(|said| said.contains(name))), "{stay:?}");
    world.apply(&pruning).exits(0);
    assert!(world.client("app").is_null());
    for _ in 0..2 {
        assert!(!world.client("app-copy").is_null() && !world.client("a-copy").is_null());
        world.apply(&pruning).exits(0);
    }
    // Declared again, it is made anew; no copy is taken for it.
    world.declare(&[app(json!({})), other]);
    assert_eq!(world.plan(&[]).exits(0).change("KeycloakClient/app")["action"], "create");
    world.converge();
    assert!(!world.client("app-copy").is_null());
}

/// A mark of an older version names no client: it is no reason to write, and what carries it is not deleted.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn of_several_clients_with_an_older_mark_none_is_deleted() {
    let world = World::with_all_rights();
    let other = document("KeycloakClient", "other", &json!({}));
    world.declare(&[app(json!({})), other.clone()]);
    world.converge();
    assert!(world.client("app")["attributes"]["provisor.applied"].as_str().unwrap().contains("app"));
    world.by_hand("app", &json!({"attributes": {"provisor.applied": "{}"}}));
    copy(&world, "app", "app-copy");
    world.plan(&["--detailed-exitcode"]).exits(0);
    world.declare(&[other]);
    world.apply(&["--prune", "--max-delete", "100%"]).exits(0);
    assert!(!world.client("app").is_null() && !world.client("app-copy").is_null());
    // One alone may be the copy: it is ours again once it is declared.
    let id = world.client("app-copy")["id"].as_str().unwrap().to_owned();
    world.realm_delete(&format!("clients/{id}"));
    world.apply(&["--prune", "--max-delete", "100%"]).exits(0);
    assert!(!world.client("app").is_null());
    world.declare(&[document("KeycloakClient", "app", &json!({"description": "again"}))]);
    world.converge();
    world.declare(&[document("KeycloakClient", "other", &json!({}))]);
    world.apply(&["--prune", "--max-delete", "100%"]).exits(0);
    assert!(world.client("app").is_null());
}

/// REC-10: what import writes plans to adoptions without a field, and after one apply to nothing.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn an_import_plans_to_adoptions_without_a_field() {
    let world = World::with_all_rights();
    world.realm_post("roles", &json!({"name": "reader"}));
    world.realm_post("clients", &json!({"clientId": "min"}));
    world.realm_post(
        "clients",
        &json!({"clientId": "https://saml.example.org/sp", "protocol": "saml",
            "attributes": {"saml.authnstatement": "true"}}),
    );
    world.realm_post(
        "clients",
        &json!({"clientId": "Full_Client", "name": "Full: yes, \"quoted\"", "description": "no", "enabled": false,
            "publicClient": false, "serviceAccountsEnabled": true, "redirectUris": ["https://a.example.org/*"],
            "standardFlowEnabled": false, "consentRequired": true, "defaultClientScopes": ["roles"],
            "attributes": {"access.token.lifespan": "014", "odd": "no"},
            "protocolMappers": [{"name": "a.b", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "1_000"}}]}),
    );
    let account = world.account_of("Full_Client");
    let role = world.realm_get("roles/reader");
    world.realm_post(&format!("users/{account}/role-mappings/realm"), &json!([role]));
    world.declare(&[]);
    let import = world.run(&["import", "KeycloakClient", "--target", "fleet", "-f", "fleet.yaml"]).exits(0);
    assert!(!import.out.contains("name: realm-management"), "{}", import.out);
    std::fs::write(world.path("imported.yaml"), &import.out).unwrap();
    let both = ["-f", "fleet.yaml", "-f", "imported.yaml", "-o", "json"];
    let plan = world.run(&[&["plan"], &both[..]].concat()).exits(0);
    for change in plan.json()["changes"].as_array().unwrap() {
        assert_eq!((&change["action"], &change["fields"]), (&json!("adopt"), &json!([])), "{change:#}\n{}", import.out);
    }
    assert_eq!(plan.json()["summary"]["adopt"], 4, "three clients and provisor's own:\n{}", import.out);
    world.run(&[&["apply", "--yes"], &both[..]].concat()).exits(0);
    world.run(&[&["plan", "--detailed-exitcode"], &both[..]].concat()).exits(0);

    // With what the system itself made, too, but for what nobody can change.
    let all = world.run(&["import", "KeycloakClient", "--target", "fleet", "-f", "fleet.yaml", "--all"]).exits(0);
    assert!(all.out.contains("name: account-console") && !all.out.contains("name: realm-management"), "{}", all.out);
    std::fs::write(world.path("imported.yaml"), &all.out).unwrap();
    world.run(&[&["apply", "--yes"], &both[..]].concat()).exits(0);
    world.run(&[&["plan", "--detailed-exitcode"], &both[..]].concat()).exits(0);
}
