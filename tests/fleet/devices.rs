//! Devices: one request each, the right token, and no device left without its role.

use serde_json::{Value, json};

use crate::world::{World, document};

pub(crate) fn device(number: usize, secret: Value) -> Value {
    let mut spec = json!({"displayName": format!("Device {number}"), "audience": "mqtt"});
    spec.as_object_mut().unwrap().extend(secret.as_object().unwrap().clone());
    document("Device", &format!("iot-{number:04}"), &spec)
}

/// KC-2: the token of a device carries issuer, audience, expiry and the role, for as long as declared.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_device_gets_the_token_that_it_needs() {
    let world = World::with_all_rights();
    let spec = json!({"audience": "mqtt", "role": "sensor", "tokenLifespan": "2h", "secretTo": {"file": "s1"}});
    world.declare(&[document("Device", "one", &spec)]);
    world.converge();
    let secret = std::fs::read_to_string(world.path("s1")).unwrap();
    let claims = world.token("one", &secret).unwrap();
    assert_eq!(claims["aud"], "mqtt");
    assert_eq!(claims["azp"], "one");
    assert_eq!(claims["realm_access"]["roles"], json!(["sensor"]));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7200);
    assert!(claims["iss"].as_str().unwrap().ends_with(&world.realm));
    assert!(claims.get("resource_access").is_none(), "a device manages no account: {claims:#}");
}

/// KC-2 by role mapping: the account holds the role, the token carries it, and a lost mapping is drift.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn a_device_can_have_its_role_by_mapping() {
    let world = World::with_all_rights();
    world.realm_post("roles", &json!({"name": "device"}));
    let spec = json!({"audience": "mqtt", "grant": "roleMapping", "secretTo": {"file": "s1"}});
    world.declare(&[document("Device", "one", &spec)]);
    world.converge();
    let secret = std::fs::read_to_string(world.path("s1")).unwrap();
    assert_eq!(world.token("one", &secret).unwrap()["realm_access"]["roles"], json!(["device"]));
    let members = world.realm_get("roles/device/users");
    assert_eq!(members[0]["username"], "service-account-one");
    let account = world.account_of("one");
    let role = world.realm_get("roles/device");
    let id = role["id"].as_str().unwrap();
    assert!(!id.is_empty());
    world.realm_delete(&format!("users/{account}/role-mappings/realm"));
    assert_eq!(world.plan(&[]).paths("Device/one"), ["role"]);
    world.converge();
}

/// KC-3: `manage-clients` alone is enough where an administrator made role and scope. It cannot show that the role is
/// there, so the token of the first device does; and where that lacks the role, no second device is made.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn the_least_right_is_enough_and_the_first_token_is_looked_into() {
    let world = World::new(&["manage-clients"]);
    let scopes = world.realm_get("client-scopes");
    let roles = scopes.as_array().unwrap().iter().find(|scope| scope["name"] == "roles").unwrap();
    let mappers = format!("client-scopes/{}/protocol-mappers/models", roles["id"].as_str().unwrap());
    let mapper = roles["protocolMappers"].as_array().unwrap().iter().find(|mapper| mapper["name"] == "realm roles");
    let mut mapper = mapper.unwrap().clone();
    world.realm_delete(&format!("{mappers}/{}", mapper["id"].as_str().unwrap()));
    world.declare(&(0..5).map(|number| device(number, json!({}))).collect::<Vec<_>>());
    let plan = world.plan(&[]).exits(0);
    assert!(plan.out.contains("provisor::device::role_unverified"), "{}", plan.out);

    let report = world.apply(&[]).exits(1);
    assert!(report.out.contains("provisor::device::token_lacks"), "{}", report.out);
    let made = (0..5).filter(|number| !world.client(&format!("iot-{number:04}")).is_null()).count();
    assert_eq!(made, 1, "devices were made without their role");

    mapper.as_object_mut().unwrap().remove("id");
    world.realm_post(&mappers, &mapper);
    world.converge();
}

/// A scope that an administrator made is used as it is, and never changed; a wrong one is a conflict that says so.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn an_administrators_scope_is_compared_and_never_changed() {
    let world = World::with_all_rights();
    world.realm_post("roles", &json!({"name": "device"}));
    let scope = json!({"name": "iot-device", "protocol": "openid-connect", "protocolMappers": [
        {"name": "r", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-role-mapper", "config": {"role": "device"}},
        {"name": "a", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "other", "access.token.claim": "true"}}]});
    world.realm_post("client-scopes", &scope);
    world.declare(&[device(1, json!({}))]);
    let report = world.apply(&[]).exits(1);
    assert_eq!(report.change("Device/iot-0001")["error"]["code"], "provisor::device::scope_differs");
    assert!(world.client("iot-0001").is_null());
}

/// The scope that provisor made follows the manifests: one write changes the audience of the whole fleet.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn our_own_scope_follows_the_manifests() {
    let world = World::with_all_rights();
    let fleet = |audience: &str| -> Vec<Value> {
        (0..3)
            .map(|number| {
                let spec = json!({"audience": audience, "secretTo": {"file": format!("s{number}")}});
                document("Device", &format!("iot-{number}"), &spec)
            })
            .collect()
    };
    world.declare(&fleet("mqtt"));
    world.converge();
    world.declare(&fleet("broker"));
    let plan = world.plan(&["--detailed-exitcode"]).exits(2);
    assert_eq!(plan.paths("Device/iot-2"), ["audience"]);
    world.converge();
    let secret = std::fs::read_to_string(world.path("s2")).unwrap();
    assert_eq!(world.token("iot-2", &secret).unwrap()["aud"], "broker");
}
