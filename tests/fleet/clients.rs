//! Clients: what is written, what is compared, and what Keycloak would drop without a word.

use serde_json::json;

use crate::world::{World, document, with};

/// KC-1, REC-6, REC-7: every part of a client is written, the second plan is empty, each part drifts and is mended
/// alone, and what the manifest does not name stays.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn every_part_of_a_client_is_written_and_mended_and_the_rest_is_left_alone() {
    let world = World::with_all_rights();
    world.realm_post("roles", &json!({"name": "reader"}));
    let web = document(
        "KeycloakClient",
        "web",
        &json!({
            "displayName": "Web", "description": "the site",
            "redirectUris": ["https://web.example.org/*", "https://www.example.org/*"],
            "webOrigins": ["https://web.example.org"],
            "serviceAccount": {"realmRoles": ["reader"], "clientRoles": {"account": ["view-profile"]}},
            "defaultScopes": ["basic", "roles", "email"], "optionalScopes": ["address"],
            "protocolMappers": [{"name": "aud", "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "api", "access.token.claim": "true"}}],
            "attributes": {"access.token.lifespan": "900"},
            "settings": {"frontchannelLogout": true, "rootUrl": "https://web.example.org"},
        }),
    );
    world.declare(std::slice::from_ref(&web));
    let plan = world.plan(&["--detailed-exitcode"]).exits(2);
    assert_eq!(plan.change("KeycloakClient/web")["action"], "create");
    world.converge();
    let made = world.client("web");
    for (member, value) in [
        ("publicClient", json!(false)),
        ("directAccessGrantsEnabled", json!(false)),
        ("implicitFlowEnabled", json!(false)),
        ("fullScopeAllowed", json!(false)),
        ("standardFlowEnabled", json!(true)),
        ("frontchannelLogout", json!(true)),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let account = world.account_of("web");
    let roles = world.realm_get(&format!("users/{account}/role-mappings"));
    assert!(roles.to_string().contains("\"reader\"") && roles.to_string().contains("view-profile"), "{roles}");

    let drifts = [
        (json!({"name": "Somebody's"}), vec!["displayName"]),
        (json!({"enabled": false}), vec!["enabled"]),
        (json!({"redirectUris": ["https://evil.example.org/*"]}), vec!["redirectUris"]),
        (json!({"attributes": {"access.token.lifespan": "60"}}), vec![r#"attributes["access.token.lifespan"]"#]),
        (json!({"frontchannelLogout": false}), vec!["settings.frontchannelLogout"]),
        (
            json!({"protocolMappers": [{"name": "aud", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "other", "access.token.claim": "true"}}]}),
            vec![r#"protocolMappers[aud].config["included.custom.audience"]"#],
        ),
        (json!({"protocolMappers": []}), vec!["protocolMappers[aud]"]),
        (json!({"consentRequired": true, "attributes": {"theirs": "kept"}}), vec![]),
    ];
    for (change, paths) in drifts {
        world.by_hand("web", &change);
        assert_eq!(world.plan(&[]).exits(0).paths("KeycloakClient/web"), paths, "{change}");
        world.converge();
    }
    let kept = world.client("web");
    assert_eq!((&kept["consentRequired"], &kept["attributes"]["theirs"]), (&json!(true), &json!("kept")));

    let id = kept["id"].as_str().unwrap();
    world.realm_delete(&format!("users/{account}/role-mappings/realm"));
    assert_eq!(world.plan(&[]).paths("KeycloakClient/web"), ["serviceAccount.realmRoles"]);
    let email = scope_id(&world, "email");
    world.realm_delete(&format!("clients/{id}/default-client-scopes/{email}"));
    world.converge();
    let empty = with(&web, "attributes", json!({"access.token.lifespan": "", "new": "one"}));
    world.declare(&[empty]);
    world.converge();
    assert_eq!(world.client("web")["attributes"].get("access.token.lifespan"), None);
}

fn scope_id(world: &World, name: &str) -> String {
    let scopes = world.realm_get("client-scopes");
    let scope = scopes.as_array().unwrap().iter().find(|scope| scope["name"] == name).unwrap();
    scope["id"].as_str().unwrap().to_owned()
}

/// A scope that moves between default and optional: Keycloak answers 204 to the naive way and does nothing.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_scope_moves_from_default_to_optional_and_back() {
    let world = World::with_all_rights();
    let one = |default: &[&str], optional: &[&str]| {
        document("KeycloakClient", "app", &json!({"defaultScopes": default, "optionalScopes": optional}))
    };
    for (default, optional) in [
        (&["basic", "email"][..], &["phone"][..]),
        (&["basic", "phone"], &["email"]),
        (&["basic", "email", "phone"], &[]),
        (&[], &["email"]),
    ] {
        world.declare(&[one(default, optional)]);
        world.converge();
        let client = world.client("app");
        let mut names: Vec<&str> =
            client["defaultClientScopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, default);
    }
}

/// Keycloak answers 201 to a scope or a mapper that it does not know, and drops or ignores it; provisor refuses both
/// before anything is written, says what was meant, and goes on with the rest.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn what_keycloak_would_drop_in_silence_is_refused() {
    let world = World::with_all_rights();
    let mapper = json!([{"name": "m", "protocolMapper": "oidc-audience-maper", "config": {}}]);
    world.declare(&[
        document("KeycloakClient", "scope", &json!({"defaultScopes": ["emial"]})),
        document("KeycloakClient", "mapper", &json!({"protocolMappers": mapper})),
        document("KeycloakClient", "fine", &json!({})),
    ]);
    let report = world.apply(&[]).exits(1);
    for (id, code, hint) in [
        ("KeycloakClient/scope", "provisor::keycloak::unknown_scope", "email"),
        ("KeycloakClient/mapper", "provisor::keycloak::unknown_mapper", "oidc-audience-mapper"),
    ] {
        let change = report.change(id);
        assert_eq!((&change["action"], &change["outcome"]), (&json!("conflict"), &json!("failed")), "{change:#}");
        assert_eq!(change["error"]["code"], code);
        assert!(change["error"]["hint"].as_str().unwrap().contains(hint), "{change:#}");
    }
    assert_eq!(report.change("KeycloakClient/fine")["outcome"], "applied");
    assert!(world.client("scope").is_null() && world.client("mapper").is_null());
}

/// A setting that the server does not know, or refuses, is an error with the server's words and no lost resources.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn what_keycloak_refuses_is_reported_with_its_reason() {
    let world = World::with_all_rights();
    world.declare(&[
        document("KeycloakClient", "bad-field", &json!({"settings": {"noSuchField": 1}})),
        document("KeycloakClient", "bad-uri", &json!({"redirectUris": ["javascript:alert(1)"]})),
        document("KeycloakClient", "fine", &json!({})),
    ]);
    let report = world.apply(&[]).exits(1);
    for id in ["KeycloakClient/bad-field", "KeycloakClient/bad-uri"] {
        assert_eq!(report.change(id)["outcome"], "failed");
        assert_eq!(report.change(id)["error"]["code"], "provisor::keycloak::rejected", "{:#}", report.change(id));
    }
    assert_eq!(report.change("KeycloakClient/fine")["outcome"], "applied");
}

/// Mappers written by hand through Keycloak's second door get two more keys; that is no drift (the peers' endless diff).
#[test]
#[ignore = "needs a Keycloak: make test"]
fn what_the_server_adds_to_a_mapper_is_no_drift() {
    let world = World::with_all_rights();
    let mapper = json!({"name": "aud", "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": "api", "id.token.claim": "false", "access.token.claim": "true"}});
    world.declare(&[document("KeycloakClient", "app", &json!({"protocolMappers": [mapper.clone()]}))]);
    world.converge();
    let client = world.client("app");
    let id = client["id"].as_str().unwrap();
    let present = client["protocolMappers"][0].clone();
    world.realm_delete(&format!("clients/{id}/protocol-mappers/models/{}", present["id"].as_str().unwrap()));
    let mut again = mapper;
    again["protocol"] = json!("openid-connect");
    world.realm_post(&format!("clients/{id}/protocol-mappers/models"), &again);
    let after = world.client("app")["protocolMappers"][0]["config"].clone();
    assert_ne!(after, present["config"], "this Keycloak adds nothing any more; the rule can go");
    world.plan(&["--detailed-exitcode"]).exits(0);
}
