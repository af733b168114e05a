//! The commands of `kcadm.sh` that give an identity what it lacks, take what it has too much, and make what devices
//! share. They were run against Keycloak 26.7; `tests/keycloak_api.rs` runs them again where it finds `kcadm.sh`.

use serde_json::{Value, json};

use super::doctor::{Check, DeviceScope, Lack, Needs, Outcome};
use super::error::SignIn;
use super::{Api, Credentials};

/// How a new identity is called where there is no better name.
const IDENTITY: &str = "provisor";

/// What an administrator does for an identity that signs in: rights to give and to take, and what devices share.
pub(super) fn lines(api: &Api, needs: &Needs, checks: &[Check], lacks: &[Lack<'_>]) -> Vec<String> {
    let of = |outcome: Outcome| -> Vec<&str> {
        let checks = checks.iter().filter(|check| check.outcome == outcome);
        checks.map(|check| check.right.as_str()).filter(|right| is_administrative(right)).collect()
    };
    let (mut missing, excess) = (of(Outcome::Missing), of(Outcome::Excessive));
    // Who may manage clients may see them.
    if missing.contains(&"manage-clients") {
        missing.retain(|right| *right != "view-clients");
    }
    let mut lines = Vec::new();
    if is_own(api) {
        if !missing.is_empty() {
            lines.push(format!("# give the service account of `{}` what it lacks", client(api)));
            lines.push(roles(api, "add-roles", &missing));
        }
        if !excess.is_empty() {
            lines.push("# take what is not needed (a role that comes from a group or another role stays)".to_owned());
            lines.push(roles(api, "remove-roles", &excess));
        }
    } else if checks.iter().any(|check| matches!(check.outcome, Outcome::Missing | Outcome::Excessive)) {
        lines.extend(new_identity(api, &least(needs)));
    }
    lines.extend(lacks.iter().flat_map(|lack| device_scope(api, lack)));
    with_login(api, lines)
}

/// What an administrator does for an identity that cannot sign in.
pub(super) fn sign_in(api: &Api, reason: &SignIn, needs: &Needs) -> Vec<String> {
    if !is_own(api) {
        return with_login(api, new_identity(api, &least(needs)));
    }
    let (realm, client) = (quoted(&api.realm), client(api));
    let id = format!(
        "\"$(kcadm.sh get clients -r {realm} -q {} --fields id --format csv --noquotes)\"",
        quoted(&format!("clientId={client}"))
    );
    let id = format!("clients/{id}");
    let lines = match reason {
        SignIn::WrongSecret => {
            vec![
                format!("# show the secret of `{client}`"),
                format!("kcadm.sh get {id}/client-secret -r {realm} --fields value"),
            ]
        }
        SignIn::NoServiceAccount => {
            vec![
                format!("# give `{client}` a service account"),
                format!("kcadm.sh update {id} -r {realm} -s publicClient=false -s serviceAccountsEnabled=true"),
                roles(api, "add-roles", &least(needs)),
            ]
        }
        _ => new_identity(api, &least(needs)),
    };
    with_login(api, lines)
}

fn with_login(api: &Api, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let server = quoted(api.connection.base.as_str().trim_end_matches('/'));
    let login = format!("kcadm.sh config credentials --server {server} --realm master --user admin");
    [login].into_iter().chain(lines).collect()
}

/// Whether the identity is a service account of the realm itself. For any other, such as an administrator of `master`,
/// the remedy is such an account: it cannot have power over another realm.
fn is_own(api: &Api) -> bool {
    api.auth_realm == api.realm && matches!(api.credentials, Credentials::Client { .. })
}

fn client(api: &Api) -> &str {
    match &api.credentials {
        Credentials::Client { client_id, .. } => client_id,
        Credentials::Password { .. } => IDENTITY,
    }
}

/// Whether a check is about a role of the realm's management client.
fn is_administrative(right: &str) -> bool {
    right.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn least(needs: &Needs) -> Vec<&'static str> {
    let mapping = needs.role_mapping.then_some(["view-realm", "view-users", "manage-users"]);
    ["manage-clients"].into_iter().chain(mapping.into_iter().flatten()).collect()
}

/// A client of the realm itself with a service account that has `rights` and nothing else.
fn new_identity(api: &Api, rights: &[&str]) -> Vec<String> {
    let (realm, client) = (quoted(&api.realm), client(api));
    let name = quoted(&format!("clientId={client}"));
    vec![
        format!("# a client `{client}` with a service account that may do what is needed, and its secret"),
        format!(
            "kcadm.sh create clients -r {realm} -s {name} -s publicClient=false -s serviceAccountsEnabled=true \
             -s standardFlowEnabled=false -s directAccessGrantsEnabled=false"
        ),
        roles(api, "add-roles", rights),
        format!("kcadm.sh get clients -r {realm} -q {name} --fields secret --format csv --noquotes"),
    ]
}

/// Gives or takes roles of the realm's management client.
fn roles(api: &Api, command: &str, rights: &[&str]) -> String {
    let account = quoted(&format!("service-account-{}", client(api).to_lowercase()));
    let management = if api.realm == "master" { "master-realm" } else { "realm-management" };
    let rights: Vec<String> = rights.iter().map(|right| format!("--rolename {right}")).collect();
    let realm = quoted(&api.realm);
    format!("kcadm.sh {command} -r {realm} --uusername {account} --cclientid {management} {}", rights.join(" "))
}

/// What the devices of a scope share: the role, and the scope that gives role and audience.
fn device_scope(api: &Api, lack: &Lack<'_>) -> Vec<String> {
    let (scope, realm) = (lack.scope, quoted(&api.realm));
    let mut lines = Vec::new();
    if lack.is_role_missing {
        lines.push(format!("# the role of the devices in `{}`", scope.name));
        lines.push(format!("kcadm.sh create roles -r {realm} -s {}", quoted(&format!("name={}", scope.role))));
    }
    if !lack.is_scope_missing {
        return lines;
    }
    let create = format!(
        "kcadm.sh create client-scopes -r {realm} -s {} -s protocol=openid-connect -s {} -s {}",
        quoted(&format!("name={}", scope.name)),
        quoted(r#"attributes={"include.in.token.scope":"false"}"#),
        quoted(&format!("protocolMappers={}", mappers(scope)))
    );
    if scope.maps_role {
        let role = quoted(&format!("roles/{}", scope.role));
        lines.push(format!("# the client scope `{}`, which lets the role into tokens", scope.name));
        lines.push(format!("SCOPE=$({create} -i)"));
        lines.push(format!(
            "kcadm.sh create \"client-scopes/$SCOPE/scope-mappings/realm\" -r {realm} -b \"[$(kcadm.sh get {role} -r {realm})]\""
        ));
    } else {
        lines.push(format!("# the client scope `{}`, which gives the role and the audience", scope.name));
        lines.push(create);
    }
    lines
}

fn mappers(scope: &DeviceScope) -> Value {
    let mapper = |name: &str, provider: &str, config: Value| json!({"name": name, "protocol": "openid-connect", "protocolMapper": provider, "config": config});
    let audience = json!({"included.custom.audience": scope.audience, "access.token.claim": "true"});
    let mut mappers = vec![mapper("device-audience", "oidc-audience-mapper", audience)];
    if !scope.maps_role {
        mappers.push(mapper("device-role", "oidc-hardcoded-role-mapper", json!({"role": scope.role})));
    }
    Value::from(mappers)
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell() {
        assert_eq!(quoted("clientId=iot-1"), "clientId=iot-1");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
