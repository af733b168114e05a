//! What a real Keycloak does, as far as the client relies on it; several of these answer 2xx and do nothing.
//!
//! Faults are in `keycloak_faults.rs`.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use provisor::keycloak::doctor::{DeviceScope, Needs, Outcome, Report, examine};
use provisor::keycloak::{Api, Client, Config, Credentials, Error, SignIn};
use provisor::secret::Secret;
use reqwest::Method;
use serde_json::{Map, Value, json};
use support::keycloak::Realm;

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn texts(client: &Client, member: &str) -> BTreeSet<String> {
    let items = client.fields[member].as_array().unwrap();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// A confidential client with a bit of everything.
fn device(client_id: &str) -> Map<String, Value> {
    members(json!({
        "clientId": client_id, "name": "Device", "description": "d", "publicClient": false,
        "serviceAccountsEnabled": true, "standardFlowEnabled": false, "directAccessGrantsEnabled": false,
        "fullScopeAllowed": false, "redirectUris": ["https://a/*"], "webOrigins": ["https://a"],
        "defaultClientScopes": ["roles", "basic"], "optionalClientScopes": ["phone"],
        "attributes": {"access.token.lifespan": "14400", "k": "v"},
        "protocolMappers": [{
            "name": "aud", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "mqtt", "access.token.claim": "true"},
        }],
    }))
}

async fn made(api: &Api, client_id: &str) -> Client {
    let id = api.create_client(&device(client_id), Some(&Secret::new("s-0123456789".to_owned()))).await.unwrap();
    api.get_client(&id).await.unwrap().unwrap()
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_list_holds_all_that_a_plan_needs() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let single = made(&api, "iot-1").await;
    let listed = api.list_clients().await.unwrap();
    let client = listed.iter().find(|client| client.client_id == "iot-1").unwrap();
    assert_eq!(client.fields, single.fields, "the list and the single read are the same");
    assert_eq!(client.secret.as_ref().map(Secret::expose), Some("s-0123456789"));
    assert_eq!(client.fields["attributes"]["access.token.lifespan"], "14400");
    assert_eq!(client.fields["protocolMappers"][0]["config"]["included.custom.audience"], "mqtt");
    assert_eq!(client.fields["protocolMappers"][0]["config"].as_object().unwrap().len(), 2, "stored as sent");
    // The server adds this scope to every client with a service account.
    assert_eq!(texts(client, "defaultClientScopes"), set(&["roles", "basic", "service_account"]));
    assert_eq!(texts(client, "optionalClientScopes"), set(&["phone"]));
    assert_eq!(client.fields["access"]["manage"], true);
    assert_eq!(api.find_client("iot-1").await.unwrap().unwrap().id, client.id);
    assert!(api.find_client("iot").await.unwrap().is_none(), "the search is exact");
    assert!(api.get_client("00000000-0000-0000-0000-000000000000").await.unwrap().is_none());
    assert_eq!(api.requests().tokens, 1);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn an_update_is_a_merge_that_ignores_scopes() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let before = made(&api, "iot-1").await;
    let update = async |body: Value| {
        api.update_client(&before.id, &members(body), None).await.unwrap();
        api.get_client(&before.id).await.unwrap().unwrap()
    };
    assert_eq!(update(json!({})).await.fields, before.fields);
    assert_eq!(update(json!({"name": null, "description": null})).await.fields, before.fields);
    let after = update(json!({"attributes": {"new": "1"}, "enabled": false})).await;
    assert_eq!((&after.fields["attributes"]["k"], &after.fields["attributes"]["new"]), (&json!("v"), &json!("1")));
    assert_eq!((&after.fields["enabled"], &after.fields["name"]), (&json!(false), &json!("Device")));
    assert_eq!(after.secret.as_ref().map(Secret::expose), Some("s-0123456789"));
    let after = update(json!({"attributes": {"new": "", "k": null}})).await;
    assert!(after.fields["attributes"].get("new").is_none() && after.fields["attributes"].get("k").is_none());
    let after = update(json!({"defaultClientScopes": ["email"], "optionalClientScopes": []})).await;
    assert_eq!(texts(&after, "defaultClientScopes"), set(&["roles", "basic", "service_account"]));
    assert_eq!(texts(&after, "optionalClientScopes"), set(&["phone"]));
    let after = update(json!({"redirectUris": []})).await;
    assert_eq!((&after.fields["redirectUris"], &after.fields["webOrigins"]), (&json!([]), &json!(["https://a"])));
    let mapper = |name: &str| {
        json!({
            "name": name, "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": "x", "access.token.claim": "true"},
        })
    };
    let old = before.fields["protocolMappers"][0]["id"].clone();
    let after = update(json!({"protocolMappers": [mapper("aud"), mapper("b")]})).await;
    let mappers = after.fields["protocolMappers"].as_array().unwrap();
    let kept = mappers.iter().find(|mapper| mapper["name"] == "aud").unwrap();
    assert_eq!((mappers.len(), &kept["id"], &kept["config"]["included.custom.audience"]), (2, &old, &json!("x")));
    let after = update(json!({"protocolMappers": []})).await;
    assert!(after.fields.get("protocolMappers").is_none(), "absent, not empty");
    let after = update(json!({"clientId": "iot-2"})).await;
    assert_eq!(after.client_id, "iot-2");
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_secret_is_written_by_its_own_door_only() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let client = made(&api, "iot-1").await;
    api.update_client(&client.id, &members(json!({"secret": "**********"})), None).await.unwrap();
    let secret = async || api.get_client(&client.id).await.unwrap().unwrap().secret.unwrap().expose().to_owned();
    assert_eq!(secret().await, "s-0123456789");
    let odd = Secret::new("ä\"\\ \u{1f511} %&=+".to_owned());
    api.update_client(&client.id, &Map::new(), Some(&odd)).await.unwrap();
    assert_eq!(secret().await, odd.expose());
    assert_eq!(api.take_token("iot-1", &odd).await.unwrap().client_id, "iot-1");
    let generated = api.create_client(&members(json!({"clientId": "g", "publicClient": false})), None).await.unwrap();
    let generated = api.get_client(&generated).await.unwrap().unwrap();
    assert!(generated.secret.is_some_and(|secret| secret.expose().len() >= 32));
    let public = api.create_client(&members(json!({"clientId": "p", "publicClient": true})), None).await.unwrap();
    assert!(api.get_client(&public).await.unwrap().unwrap().secret.is_none());
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_create_drops_unknown_scopes_and_takes_unknown_mappers() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let mut body = device("iot-1");
    body["defaultClientScopes"] = json!(["roles", "no-such-scope"]);
    body["protocolMappers"][0]["protocolMapper"] = json!("no-such-mapper");
    let id = api.create_client(&body, None).await.unwrap();
    let client = api.get_client(&id).await.unwrap().unwrap();
    assert_eq!(texts(&client, "defaultClientScopes"), set(&["roles", "service_account"]));
    assert_eq!(client.fields["protocolMappers"][0]["protocolMapper"], "no-such-mapper");
    let known = api.mapper_types().await.unwrap().unwrap();
    assert!(known.contains("oidc-audience-mapper") && known.contains("oidc-hardcoded-role-mapper"));
    assert!(!known.contains("no-such-mapper"));
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_client_id_is_given_once() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let body = device("iot-1");
    let results = futures::future::join_all((0..8).map(|_| api.create_client(&body, None))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(&error, Error::AlreadyExists { .. }) && !error.maybe_done(), "{error:?}");
        assert_eq!(error.to_string(), "cannot create the client `iot-1`: Client iot-1 already exists");
    }
    assert_eq!(api.requests().tokens, 1);
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn what_the_server_refuses_is_said_in_its_words() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let mut body = device("iot-1");
    body["redirectUris"] = json!(["javascript:alert(1)"]);
    let error = api.create_client(&body, None).await.unwrap_err();
    assert!(
        matches!(&error, Error::Rejected { status: 400, code: Some(code), .. } if code == "invalid_input"),
        "{error:?}"
    );
    assert!(error.to_string().contains("redirect"), "{error}");
    let error = api.create_client(&members(json!({"clientId": "c", "noSuchField": 1})), None).await.unwrap_err();
    assert!(error.to_string().contains("noSuchField"), "{error}");
    assert!(api.find_client("c").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn what_is_gone_already_is_deleted() {
    let realm = Realm::new(&["manage-clients", "view-users"]).await;
    let api = realm.api();
    let client = made(&api, "iot-1").await;
    let account = api.service_account_user(&client.id).await.unwrap().unwrap();
    api.delete_client(&client.id).await.unwrap();
    api.delete_client(&client.id).await.unwrap();
    assert!(api.get_client(&client.id).await.unwrap().is_none());
    assert!(api.service_account_user(&client.id).await.unwrap().is_none());
    assert!(
        matches!(api.role_mappings(&account).await, Err(Error::NotFound { .. })),
        "the account goes with the client"
    );
    let error = api.update_client(&client.id, &device("iot-1"), None).await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::not_found");
    let without = members(json!({"clientId": "n", "publicClient": false, "serviceAccountsEnabled": false}));
    let id = api.create_client(&without, None).await.unwrap();
    assert!(api.service_account_user(&id).await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn scopes_of_a_client_are_changed_one_by_one() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    let client = made(&api, "iot-1").await;
    let scopes = api.list_client_scopes().await.unwrap();
    let id = |name: &str| scopes.iter().find(|scope| scope.name == name).unwrap().id.clone();
    let read = async || {
        let client = api.get_client(&client.id).await.unwrap().unwrap();
        (texts(&client, "defaultClientScopes"), texts(&client, "optionalClientScopes"))
    };
    for _ in 0..2 {
        api.add_default_scope(&client.id, &id("email")).await.unwrap();
        api.add_optional_scope(&client.id, &id("address")).await.unwrap();
    }
    let default = set(&["roles", "basic", "service_account", "email"]);
    assert_eq!(read().await, (default.clone(), set(&["phone", "address"])));
    // A trap: success, and nothing happens.
    api.add_default_scope(&client.id, &id("phone")).await.unwrap();
    assert_eq!(read().await, (default, set(&["phone", "address"])));
    for _ in 0..2 {
        api.remove_optional_scope(&client.id, &id("phone")).await.unwrap();
        api.remove_default_scope(&client.id, &id("email")).await.unwrap();
    }
    api.add_default_scope(&client.id, &id("phone")).await.unwrap();
    assert_eq!(read().await, (set(&["roles", "basic", "service_account", "phone"]), set(&["address"])));
    let error = api.add_default_scope(&client.id, "no-such-id").await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::not_found");
}

fn device_scope() -> Value {
    json!({
        "name": "iot-device", "protocol": "openid-connect", "attributes": {"include.in.token.scope": "false"},
        "protocolMappers": [
            {"name": "device-role", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-role-mapper",
             "config": {"role": "device"}},
            {"name": "device-audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
             "config": {"included.custom.audience": "mqtt", "access.token.claim": "true"}},
        ],
    })
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_shared_scope_gives_role_and_audience_with_one_request_for_each_device() {
    let realm = Realm::new(&["manage-clients"]).await;
    let (status, _) = realm.admin(Method::POST, "roles", Some(&json!({"name": "device"}))).await;
    assert_eq!(status, 201);
    let api = realm.api();
    let scope = api.create_client_scope(&device_scope()).await.unwrap();
    assert!(matches!(api.create_client_scope(&device_scope()).await, Err(Error::AlreadyExists { .. })));
    let mut body = device("iot-1");
    body.remove("protocolMappers");
    body["defaultClientScopes"] = json!(["iot-device", "roles", "basic"]);
    let secret = Secret::generate(32).unwrap();
    let writes = api.requests().writes;
    api.create_client(&body, Some(&secret)).await.unwrap();
    assert_eq!(api.requests().writes, writes + 1);
    let claims = api.take_token("iot-1", &secret).await.unwrap();
    assert_eq!((claims.roles, claims.audience), (set(&["device"]), set(&["mqtt"])));
    assert_eq!((claims.client_id.as_str(), claims.expires_in.as_secs()), ("iot-1", 14400));
    assert_eq!(claims.username, None, "that would take the scope `profile`");

    // Keycloak insists on the name, and merges attributes.
    let attributes = BTreeMap::from([("provisor.owner".to_owned(), "me".to_owned())]);
    api.update_client_scope(&scope, "iot-device", &attributes).await.unwrap();
    let listed = api.list_client_scopes().await.unwrap().into_iter().find(|found| found.id == scope).unwrap();
    assert_eq!(listed.attributes["include.in.token.scope"], "false");
    assert_eq!(listed.attributes["provisor.owner"], "me");
    assert_eq!(listed.mappers.len(), 2);
    let (status, _) =
        realm.admin(Method::PUT, &format!("client-scopes/{scope}"), Some(&json!({"attributes": {}}))).await;
    assert_eq!(status, 500, "without the name");

    let mut mapper = listed.mappers.into_iter().find(|mapper| mapper.name == "device-audience").unwrap();
    mapper.config.insert("included.custom.audience".to_owned(), "amqp".to_owned());
    let id = mapper.id.clone().unwrap();
    api.update_scope_mapper(&scope, &id, &serde_json::to_value(&mapper).unwrap()).await.unwrap();
    let second = json!({
        "name": "second", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": "http", "access.token.claim": "true"},
    });
    api.add_scope_mapper(&scope, &second).await.unwrap();
    assert!(matches!(api.add_scope_mapper(&scope, &second).await, Err(Error::AlreadyExists { .. })));
    assert_eq!(api.take_token("iot-1", &secret).await.unwrap().audience, set(&["amqp", "http"]));
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn roles_are_mapped_to_a_service_account() {
    let roles = ["manage-clients", "manage-users", "view-users", "view-realm", "manage-realm"];
    let realm = Realm::new(&roles).await;
    let api = realm.api();
    assert!(api.find_realm_role("device").await.unwrap().is_none());
    assert!(api.realm_role_members("device").await.unwrap().is_empty(), "a role that is not there has no members");
    for name in ["device", "a/b c"] {
        api.create_realm_role(name).await.unwrap();
        assert_eq!(api.find_realm_role(name).await.unwrap().unwrap().name, name);
    }
    assert!(matches!(api.create_realm_role("device").await, Err(Error::AlreadyExists { .. })));
    let role = api.find_realm_role("device").await.unwrap().unwrap();
    let client = made(&api, "Iot-1").await;
    let account = api.service_account_user(&client.id).await.unwrap().unwrap();
    for _ in 0..2 {
        api.add_realm_roles(&account, std::slice::from_ref(&role)).await.unwrap();
    }
    // A user name is in lower case, whatever the client id is.
    assert_eq!(api.realm_role_members("device").await.unwrap(), set(&["service-account-iot-1"]));
    let management = api.find_client("realm-management").await.unwrap().unwrap();
    let view = api.find_client_role(&management.id, "view-events").await.unwrap().unwrap();
    assert!(view.client_role && api.find_client_role(&management.id, "no-such").await.unwrap().is_none());
    let mappings = api.role_mappings(&account).await.unwrap();
    assert!(mappings.realm.contains(&role) && mappings.clients.is_empty(), "{mappings:?}");
    assert!(mappings.realm.iter().any(|role| role.name.starts_with("default-roles-")));
    let broker = api.find_client("broker").await.unwrap().unwrap();
    let read = api.find_client_role(&broker.id, "read-token").await.unwrap().unwrap();
    api.add_client_roles(&account, &broker.id, std::slice::from_ref(&read)).await.unwrap();
    let mappings = api.role_mappings(&account).await.unwrap();
    assert_eq!(mappings.clients["broker"], (broker.id.clone(), vec![read.clone()]));
    api.remove_client_roles(&account, &broker.id, &[read]).await.unwrap();
    api.remove_realm_roles(&account, std::slice::from_ref(&role)).await.unwrap();
    let mappings = api.role_mappings(&account).await.unwrap();
    assert!(!mappings.realm.contains(&role) && mappings.clients.is_empty());

    // Full scope is off: what is mapped reaches the token only through a scope that lets it.
    api.add_realm_roles(&account, std::slice::from_ref(&role)).await.unwrap();
    let secret = Secret::new("s-0123456789".to_owned());
    assert!(api.take_token("Iot-1", &secret).await.unwrap().roles.is_empty());
    let scope = api.create_client_scope(&json!({"name": "lets", "protocol": "openid-connect"})).await.unwrap();
    api.add_scope_realm_roles(&scope, std::slice::from_ref(&role)).await.unwrap();
    assert_eq!(api.scope_realm_roles(&scope).await.unwrap(), [role]);
    api.add_default_scope(&client.id, &scope).await.unwrap();
    assert_eq!(api.take_token("Iot-1", &secret).await.unwrap().roles, set(&["device"]));
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_missing_right_is_named() {
    let realm = Realm::new(&["view-clients"]).await;
    let api = realm.api();
    assert!(api.find_client("provisor").await.unwrap().unwrap().secret.is_some(), "it sees secrets");
    let error = api.create_client(&device("iot-1"), None).await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::forbidden");
    assert_eq!(error.to_string(), "`provisor` may not create the client `iot-1`");
    let hint = error.hint().unwrap();
    assert!(hint.contains("`manage-clients` of the client `realm-management`"), "{hint}");
    let error = api.find_realm_role("device").await.unwrap_err();
    assert!(matches!(&error, Error::Forbidden { needs, .. } if needs.contains("view-realm")), "{error:?}");
    assert!(matches!(api.realm_role_members("device").await, Err(Error::Forbidden { .. })));
    // Without the right to see, the list is filtered; an empty list is not an empty realm.
    realm.add_identity("query", &["query-clients"]).await;
    let query = Api::new(Config { credentials: as_client("query", &realm.secret), ..realm.config() }).unwrap();
    assert!(query.list_clients().await.unwrap().is_empty());
}

fn as_client(client_id: &str, secret: &Secret) -> Credentials {
    Credentials::Client { client_id: client_id.to_owned(), client_secret: secret.clone() }
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn reasons_for_not_signing_in_are_told_apart() {
    let realm = Realm::new(&["manage-clients"]).await;
    let without = json!({"clientId": "n", "secret": realm.secret.expose(), "publicClient": false});
    assert_eq!(realm.admin(Method::POST, "clients", Some(&without)).await.0, 201);
    let reason = async |credentials: Credentials| {
        let api = Api::new(Config { credentials, ..realm.config() }).unwrap();
        let tasks = futures::future::join_all((0..3).map(|_| api.find_client("x"))).await;
        assert_eq!(api.requests().tokens, 1, "wrong credentials are tried once");
        match tasks.into_iter().next().unwrap().unwrap_err() {
            Error::Unauthorized { reason, .. } => reason,
            error => panic!("{error:?}"),
        }
    };
    let wrong = Secret::new("wrong".to_owned());
    assert_eq!(reason(as_client("provisor", &wrong)).await, SignIn::WrongSecret);
    assert_eq!(reason(as_client("nobody", &wrong)).await, SignIn::UnknownClient);
    assert_eq!(reason(as_client("n", &realm.secret)).await, SignIn::NoServiceAccount);
    let user = |client_id: &str| Credentials::Password {
        client_id: client_id.to_owned(),
        username: Secret::new("somebody".to_owned()),
        password: wrong.clone(),
    };
    assert_eq!(reason(user("admin-cli")).await, SignIn::WrongPassword);
    assert_eq!(reason(user("account")).await, SignIn::NoPasswordGrant);
    let api = Api::new(Config { auth_realm: "no-such".to_owned(), ..realm.config() }).unwrap();
    let error = api.list_clients().await.unwrap_err();
    assert!(matches!(&error, Error::RealmNotFound { realm, .. } if realm == "no-such"), "{error:?}");
    let mut elsewhere = realm.config();
    elsewhere.url.set_path("/auth");
    let error = Api::new(elsewhere).unwrap().list_clients().await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::unexpected_response", "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn an_administrator_of_master_manages_any_realm() {
    let realm = Realm::new(&[]).await;
    let credentials = Credentials::Password {
        client_id: "admin-cli".to_owned(),
        username: Secret::new("admin".to_owned()),
        password: Secret::new("admin".to_owned()),
    };
    let config = Config { auth_realm: "master".to_owned(), credentials, ..realm.config() };
    let api = Api::new(config.clone()).unwrap();
    assert!(api.find_client("provisor").await.unwrap().is_some());
    assert_eq!(api.own_claims().await.unwrap().expires_in.as_secs(), 60);
    let missing = Api::new(Config { realm: "no-such".to_owned(), ..config }).unwrap();
    let error = missing.list_clients().await.unwrap_err();
    assert!(matches!(&error, Error::RealmNotFound { realm, .. } if realm == "no-such"), "{error:?}");
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn a_session_that_ends_early_costs_one_retry() {
    let realm = Realm::new(&["manage-clients"]).await;
    let api = realm.api();
    assert!(api.find_client("x").await.unwrap().is_none());
    // Everything issued up to now is void; the tokens of the next second are good.
    let not_before = provisor::clock::Clock::system().now().as_second() + 1;
    let (status, _) = realm.admin(Method::PUT, "", Some(&json!({"notBefore": not_before}))).await;
    assert_eq!(status, 204);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert!(api.find_client("x").await.unwrap().is_none());
    assert_eq!(api.requests().tokens, 2);
}

fn outcomes(report: &Report) -> BTreeMap<&str, Outcome> {
    report.checks.iter().map(|check| (check.right.as_str(), check.outcome)).collect()
}

fn needs(role_mapping: bool, maps_role: bool) -> Needs {
    let (name, role, audience) = ("iot-device".to_owned(), "device".to_owned(), "mqtt".to_owned());
    Needs { role_mapping, device_scopes: vec![DeviceScope { name, role, audience, maps_role }] }
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn the_doctor_finds_what_is_missing_without_writing() {
    let realm = Realm::new(&["view-clients"]).await;
    let api = realm.api();
    let report = examine(&api, &needs(true, false)).await.unwrap();
    let found = outcomes(&report);
    for (right, outcome) in [
        ("sign in", Outcome::Held),
        ("view-clients", Outcome::Held),
        ("manage-clients", Outcome::Missing),
        ("view-realm", Outcome::Missing),
        ("view-users", Outcome::Missing),
        ("manage-users", Outcome::Missing),
        ("client scope `iot-device`", Outcome::Held),
        ("realm role `device`", Outcome::Unknown),
    ] {
        assert_eq!(found.get(right), Some(&outcome), "{right}: {report:#?}");
    }
    assert_eq!(found.len(), 8, "{found:?}");
    assert!(report.is_missing_something());
    assert_eq!(api.requests().writes, 0);
    for right in ["manage-clients", "view-realm", "view-users", "manage-users"] {
        assert!(report.remedies.iter().any(|line| line.contains(&format!("--rolename {right}"))), "{report:#?}");
    }
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn the_doctor_is_content_with_the_least_rights() {
    let realm = Realm::new(&["manage-clients"]).await;
    let report = examine(&realm.api(), &Needs::default()).await.unwrap();
    assert!(report.checks.iter().all(|check| check.outcome == Outcome::Held), "{report:#?}");
    assert_eq!((report.checks.len(), report.remedies.len(), report.identity.as_str()), (3, 0, "provisor"));
    let mapping = Realm::new(&["manage-clients", "view-realm", "view-users", "manage-users"]).await;
    let report = examine(&mapping.api(), &Needs { role_mapping: true, ..Needs::default() }).await.unwrap();
    assert!(report.checks.iter().all(|check| check.outcome == Outcome::Held), "{report:#?}");
    assert_eq!((report.checks.len(), report.remedies.len()), (6, 0));
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn the_doctor_finds_too_much_power() {
    let realm = Realm::new(&["manage-clients", "manage-users", "impersonation"]).await;
    let report = examine(&realm.api(), &Needs::default()).await.unwrap();
    let found = outcomes(&report);
    assert_eq!(found["manage-users"], Outcome::Excessive);
    assert_eq!(found["impersonation"], Outcome::Excessive);
    assert!(!report.is_missing_something());
    assert!(report.remedies.iter().any(|line| line.contains("remove-roles")), "{report:#?}");
    realm.add_identity("boss", &["realm-admin"]).await;
    let boss = Api::new(Config { credentials: as_client("boss", &realm.secret), ..realm.config() }).unwrap();
    let report = examine(&boss, &needs(true, false)).await.unwrap();
    let found = outcomes(&report);
    assert_eq!(found["realm-admin"], Outcome::Excessive);
    assert_eq!(found["manage-users"], Outcome::Held, "it is needed here");
    // An administrator's lightweight token says nothing of roles; what can be tried is still found.
    let credentials = Credentials::Password {
        client_id: "admin-cli".to_owned(),
        username: Secret::new("admin".to_owned()),
        password: Secret::new("admin".to_owned()),
    };
    let config = Config { auth_realm: "master".to_owned(), credentials, ..realm.config() };
    let report = examine(&Api::new(config).unwrap(), &needs(false, false)).await.unwrap();
    let found = outcomes(&report);
    assert_eq!((found["manage-clients"], found["other roles"]), (Outcome::Held, Outcome::Unknown), "{report:#?}");
}

/// Runs the remedies as a shell would, with the server's own `kcadm.sh`, which `PROVISOR_TEST_KCADM` names.
#[tokio::test]
#[ignore = "needs a Keycloak and its kcadm.sh: make test"]
#[expect(clippy::disallowed_methods, reason = "names a program of this test")]
async fn the_doctors_remedies_work() {
    use std::os::unix::fs::PermissionsExt as _;
    let kcadm = std::env::var("PROVISOR_TEST_KCADM").expect("PROVISOR_TEST_KCADM names Keycloak's kcadm.sh: make test");
    let realm = Realm::new(&["view-realm"]).await;
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("kcadm.sh");
    let session = folder.path().join("session");
    std::fs::write(&wrapper, format!("#!/bin/sh\nexec '{kcadm}' \"$@\" --config '{}'\n", session.display())).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o700)).unwrap();
    let run = |report: &Report| {
        let here = format!("set -e; PATH='{}':\"$PATH\"", folder.path().display());
        let script = [here].into_iter().chain(report.remedies.clone()).collect::<Vec<_>>().join("\n");
        // The administrator's password is asked for on a terminal.
        let script = script.replace("--user admin", "--user admin --password admin");
        let output = std::process::Command::new("sh").arg("-c").arg(&script).output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let report = examine(&realm.api(), &needs(true, true)).await.unwrap();
    assert!(report.is_missing_something());
    run(&report);
    let report = examine(&realm.api(), &needs(true, true)).await.unwrap();
    assert!(!report.is_missing_something(), "{report:#?}");
    // The scope was not listed at first, so that it is made in the second round.
    run(&report);
    let report = examine(&realm.api(), &needs(true, true)).await.unwrap();
    assert_eq!(report.remedies, Vec::<String>::new(), "{report:#?}");
    let scopes = realm.api().list_client_scopes().await.unwrap();
    let scope = scopes.iter().find(|scope| scope.name == "iot-device").unwrap();
    assert_eq!(realm.api().scope_realm_roles(&scope.id).await.unwrap()[0].name, "device");

    let wrong = Secret::new("wrong".to_owned());
    let api = Api::new(Config { credentials: as_client("provisor", &wrong), ..realm.config() }).unwrap();
    let report = examine(&api, &Needs::default()).await.unwrap();
    assert_eq!(outcomes(&report)["sign in"], Outcome::Missing);
    assert!(run(&report).contains(realm.secret.expose()), "the remedy shows the secret");

    let api = Api::new(Config { credentials: as_client("it's new", &wrong), ..realm.config() }).unwrap();
    let secret = run(&examine(&api, &needs(false, false)).await.unwrap());
    let credentials = as_client("it's new", &Secret::new(secret.trim().to_owned()));
    let api = Api::new(Config { credentials, ..realm.config() }).unwrap();
    let report = examine(&api, &Needs::default()).await.unwrap();
    assert!(report.checks.iter().all(|check| check.outcome == Outcome::Held), "{report:#?}");
}

#[tokio::test]
#[ignore = "needs a Keycloak: make test"]
async fn long_lists_are_read_whole_with_few_requests() {
    const MANY: usize = 520;
    let realm = Realm::new(&["manage-clients", "view-realm", "view-users"]).await;
    assert_eq!(realm.admin(Method::POST, "roles", Some(&json!({"name": "device"}))).await.0, 201);
    let clients: Vec<Value> =
        (0..MANY).map(|n| json!({"clientId": format!("iot-{n:05}"), "publicClient": true})).collect();
    let users: Vec<Value> =
        (0..MANY).map(|n| json!({"username": format!("u{n:05}"), "enabled": true, "realmRoles": ["device"]})).collect();
    let body = json!({"ifResourceExists": "SKIP", "clients": clients, "users": users});
    assert_eq!(realm.admin(Method::POST, "partialImport", Some(&body)).await.0, 200);
    let api = realm.api();
    let listed = api.list_clients().await.unwrap();
    let ids: BTreeSet<String> = listed.iter().map(|client| client.client_id.clone()).collect();
    assert!((0..MANY).all(|n| ids.contains(&format!("iot-{n:05}"))));
    assert_eq!(ids.len(), listed.len(), "nothing twice");
    assert_eq!(api.realm_role_members("device").await.unwrap().len(), MANY);
    assert!(api.requests().reads + api.requests().tokens <= 7, "{:?}", api.requests());
}
