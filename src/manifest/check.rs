//! What no schema can say: references between documents, two documents that mean one object, secrets in the wrong
//! place, fields that contradict each other.

mod home_assistant;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde_json::Value;
use url::Url;

use super::Declared;
use super::kinds::device::DeviceSpec;
use super::kinds::hub::HubSpec;
use super::kinds::keycloak::{KeycloakClientSpec, KeycloakRealmSpec};
use super::kinds::{Kind, Spec};
use crate::diagnostic::{Diagnostic, closest};
use crate::path::key_path;
use crate::secret::reference::{Delivery, SecretRef, SinkRef};
use crate::secret::sink;

/// A fault of one document, whose place is not known yet.
#[derive(Debug)]
pub(super) struct Finding {
    /// Which of the declared.
    pub(super) at: usize,
    pub(super) fault: Diagnostic,
    /// It keeps nothing from going on.
    pub(super) is_warning: bool,
}

/// Representation members that have a field of their own, and which.
const OWN_FIELDS: [(&str, &str); 14] = [
    ("id", "nothing: Keycloak makes it"),
    ("clientId", "clientId"),
    ("name", "displayName"),
    ("description", "description"),
    ("enabled", "enabled"),
    ("publicClient", "public"),
    ("redirectUris", "redirectUris"),
    ("webOrigins", "webOrigins"),
    ("serviceAccountsEnabled", "serviceAccount"),
    ("defaultClientScopes", "defaultScopes"),
    ("optionalClientScopes", "optionalScopes"),
    ("protocolMappers", "protocolMappers"),
    ("attributes", "attributes"),
    ("access", "nothing: Keycloak makes it"),
];

/// Resolves each resource's target, and finds what is wrong between documents and within each.
pub(super) fn check(declared: &mut [Declared]) -> Vec<Finding> {
    let mut findings = Vec::new();
    duplicates(declared, &mut findings);
    resolve_targets(declared, &mut findings);
    for (at, one) in declared.iter().enumerate() {
        let mut found = Found { at, findings: &mut findings };
        match &one.spec {
            Spec::HomeAssistant(spec) => home_assistant::target(spec, &mut found),
            Spec::HomeAssistantEntry(spec) => home_assistant::entry(&one.id.name, spec, &mut found),
            Spec::Hub(spec) => hub(spec, &mut found),
            Spec::KeycloakRealm(spec) => realm(spec, &mut found),
            Spec::KeycloakClient(spec) => client(spec, &mut found),
            Spec::Device(spec) => device(spec, &mut found),
            Spec::Farm(_) => {}
            Spec::ProvisioningKey(spec) => {
                if spec.expires_in.duration().as_secs() < 1 {
                    found.push("spec.expiresIn", "invalid_value", "`expiresIn` must be at least `1s`");
                }
                if let Delivery::Age(age) = &spec.deliver_to {
                    recipients(&SinkRef::Age(age.clone()), "spec.deliverTo", &mut found);
                }
            }
        }
    }
    same_objects(declared, &mut findings);
    same_sinks(declared, &mut findings);
    device_scopes(declared, &mut findings);
    findings
}

struct Found<'a> {
    at: usize,
    findings: &'a mut Vec<Finding>,
}

impl Found<'_> {
    fn push(&mut self, path: &str, code: &str, message: impl Into<String>) -> &mut Diagnostic {
        let fault = Diagnostic::new(format!("provisor::manifest::{code}"), message).at_path(path);
        self.findings.push(Finding { at: self.at, fault, is_warning: false });
        let last = self.findings.len() - 1;
        &mut self.findings[last].fault
    }

    /// The same, for what the reader should know and nothing has to stop for.
    fn warn(&mut self, path: &str, code: &str, message: impl Into<String>) -> &mut Diagnostic {
        self.push(path, code, message);
        let last = self.findings.len() - 1;
        self.findings[last].is_warning = true;
        &mut self.findings[last].fault
    }
}

fn place(one: &Declared) -> String {
    format!("document {} of `{}`", one.place.document + 1, one.place.file)
}

fn duplicates(declared: &[Declared], findings: &mut Vec<Finding>) {
    let mut first = HashMap::new();
    for (at, one) in declared.iter().enumerate() {
        match first.get(&one.id) {
            None => {
                first.insert(&one.id, at);
            }
            Some(&before) => {
                let message = format!("`{}` is declared twice; first in {}", one.id, place(&declared[before]));
                Found { at, findings }.push("metadata.name", "duplicate_name", message);
            }
        }
    }
}

fn resolve_targets(declared: &mut [Declared], findings: &mut Vec<Finding>) {
    let of = |kind: Kind| -> Vec<String> {
        declared.iter().filter(|one| one.spec.kind() == kind).map(|one| one.id.name.clone()).collect()
    };
    let names: BTreeMap<Kind, Vec<String>> = Kind::ALL.into_iter().map(|kind| (kind, of(kind))).collect();
    let sets: BTreeMap<Kind, BTreeSet<&str>> =
        names.iter().map(|(kind, names)| (*kind, names.iter().map(String::as_str).collect())).collect();
    let farms: HashMap<String, Option<String>> = declared
        .iter()
        .filter_map(|one| match &one.spec {
            Spec::Farm(spec) => Some((one.id.name.clone(), spec.hub_ref.clone())),
            _ => None,
        })
        .collect();
    let mut resolve = |at: usize, kind: Kind, field: &str, named: Option<&String>| -> Option<String> {
        let mut found = Found { at, findings };
        match (named, names[&kind].as_slice()) {
            (Some(name), _) if sets[&kind].contains(name.as_str()) => Some(name.clone()),
            (Some(name), all) => {
                dangling(&mut found, &format!("spec.{field}"), kind, name, all);
                None
            }
            (None, [only]) => Some(only.clone()),
            (None, []) => {
                let message = format!("no `{kind}` is declared for it to live in");
                found.push("spec", "missing_target", message).hint = Some(format!("declare a `{kind}`"));
                None
            }
            (None, all) => {
                let message =
                    format!("several of kind `{kind}` are declared, and `{field}` does not say which is meant");
                let hint = format!("write `{field}: {}`", all[0]);
                found.push("spec", "ambiguous_target", message).hint = Some(hint);
                None
            }
        }
    };
    let mut targets = Vec::with_capacity(declared.len());
    for (at, one) in declared.iter().enumerate() {
        targets.push(match &one.spec {
            Spec::HomeAssistant(_) | Spec::Hub(_) | Spec::KeycloakRealm(_) => None,
            Spec::HomeAssistantEntry(spec) => {
                resolve(at, Kind::HomeAssistant, "homeAssistantRef", spec.home_assistant_ref.as_ref())
            }
            Spec::KeycloakClient(spec) => resolve(at, Kind::KeycloakRealm, "realmRef", spec.realm_ref.as_ref()),
            Spec::Device(spec) => {
                if spec.hub_ref.is_some() {
                    resolve(at, Kind::Hub, "hubRef", spec.hub_ref.as_ref());
                }
                resolve(at, Kind::KeycloakRealm, "realmRef", spec.realm_ref.as_ref())
            }
            Spec::Farm(spec) => resolve(at, Kind::Hub, "hubRef", spec.hub_ref.as_ref()),
            Spec::ProvisioningKey(spec) => {
                let farm = resolve(at, Kind::Farm, "farmRef", Some(&spec.farm_ref));
                // A key lives where its farm lives; that the farm's own hub is amiss is said once, at the farm.
                farm.and_then(|farm| match farms.get(&farm) {
                    Some(Some(hub)) => Some(hub.clone()),
                    _ => names[&Kind::Hub].first().filter(|_| names[&Kind::Hub].len() == 1).cloned(),
                })
            }
        });
    }
    for (one, target) in declared.iter_mut().zip(targets) {
        one.target = target;
    }
}

fn dangling(found: &mut Found<'_>, path: &str, kind: Kind, name: &str, all: &[String]) {
    let hint = match (closest(name, all.iter().map(String::as_str)), all) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => format!("no `{kind}` is declared at all"),
        (None, all) => {
            format!(
                "declared are {}",
                all.iter().take(10).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )
        }
    };
    found.push(path, "dangling_reference", format!("there is no `{kind}` named `{name}`")).hint = Some(hint);
}

fn hub(spec: &HubSpec, found: &mut Found<'_>) {
    if spec.url.is_some() == spec.embedded.is_some() {
        found.push("spec", "both_of_one_of", "a `Hub` is reached by exactly one of `url` and `embedded`");
    }
    if let Some(url) = &spec.url {
        address("spec.url", url, spec.allow_insecure, found);
        if spec.token.is_none() {
            found.push("spec.token", "missing_field", "a `Hub` with a `url` needs a `token`");
        }
    } else if spec.token.is_some() || spec.ca_file.is_some() {
        found.push("spec", "contradiction", "`token` and `caFile` belong to a `Hub` with a `url`");
    }
    if let Some(public) = spec.embedded.as_ref().and_then(|embedded| embedded.public_url.as_ref()) {
        match Url::parse(public) {
            Ok(url) if matches!(url.path(), "" | "/") && url.query().is_none() => {}
            Ok(_) => {
                let message = "`publicUrl` must have no path: a card's QR code carries host and port only";
                found.push("spec.embedded.publicUrl", "invalid_value", message);
            }
            Err(_) => {
                found.push("spec.embedded.publicUrl", "invalid_value", "`publicUrl` is no address");
            }
        }
    }
}

fn realm(spec: &KeycloakRealmSpec, found: &mut Found<'_>) {
    address("spec.url", &spec.url, spec.allow_insecure, found);
    let by_user = spec.username.is_some() || spec.password.is_some();
    match (spec.client_secret.is_some(), by_user) {
        (true, true) => {
            let message = "sign in either with `clientId` and `clientSecret`, or with `username` and `password`";
            found.push("spec", "sign_in", message);
        }
        (true, false) if spec.client_id.is_none() => {
            found.push("spec.clientId", "sign_in", "`clientSecret` needs the `clientId` that it is of");
        }
        (false, true) if spec.username.is_none() || spec.password.is_none() => {
            found.push("spec", "sign_in", "`username` and `password` belong together");
        }
        (false, false) => {
            let hint = "write `clientId: provisor` and `clientSecret: {credential: keycloak.clientSecret}`";
            found.push("spec", "sign_in", "there is no way to sign in").hint = Some(hint.to_owned());
        }
        _ => {}
    }
}

fn address(path: &str, text: &str, allow_insecure: bool, found: &mut Found<'_>) {
    let Ok(url) = Url::parse(text) else {
        found.push(path, "invalid_value", format!("`{path}` is no address"));
        return;
    };
    if !url.username().is_empty() || url.password().is_some() {
        found.push(path, "secret_in_clear", format!("`{path}` holds a user name or password"));
    }
    if url.scheme() == "http" && !allow_insecure && !is_loopback(&url) {
        let message =
            format!("`{path}` is plain `http://` beyond this machine: secrets would cross the network in clear");
        found.push(path, "insecure_url", message).hint =
            Some("use `https://`, with `caFile` for an authority of your own; or `allowInsecure: true`".to_owned());
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn client(spec: &KeycloakClientSpec, found: &mut Found<'_>) {
    if spec.public {
        let account = spec.service_account.as_ref().is_some_and(|account| account.enabled);
        for (is_set, field) in
            [(spec.secret.is_some(), "secret"), (spec.secret_to.is_some(), "secretTo"), (account, "serviceAccount")]
        {
            if is_set {
                let message = format!("a public client has no secret, so `{field}` contradicts `public: true`");
                found.push(&format!("spec.{field}"), "contradiction", message);
            }
        }
    }
    if let Some(account) = spec.service_account.as_ref().filter(|account| !account.enabled)
        && (account.realm_roles.is_some() || !account.client_roles.is_empty())
    {
        let message = "a service account that is switched off has no roles";
        found.push("spec.serviceAccount", "contradiction", message);
    }
    for name in spec.settings.keys() {
        let path = key_path("spec.settings", name);
        match OWN_FIELDS.iter().find(|(member, _)| member == name) {
            Some((_, field)) => {
                let message = format!("`{name}` has a field of its own");
                found.push(&path, "own_field", message).hint = Some(format!("use `{field}`"));
            }
            None => secrets_within(&path, name, &spec.settings[name], found),
        }
    }
    for (name, value) in &spec.attributes {
        let path = key_path("spec.attributes", name);
        if name.starts_with("provisor.") || name.starts_with("client.secret.") {
            found.push(&path, "reserved_attribute", format!("the attribute `{name}` is not to be declared"));
        }
        secrets_within(&path, name, &Value::from(value.as_str()), found);
    }
    let mut names = BTreeSet::new();
    for (at, mapper) in spec.protocol_mappers.iter().flatten().enumerate() {
        if !names.insert(&mapper.name) {
            let message = format!("two mappers are named `{}`", mapper.name);
            found.push(&format!("spec.protocolMappers[{at}].name"), "duplicate_name", message);
        }
    }
    let defaults: BTreeSet<&String> = spec.default_scopes.iter().flatten().collect();
    for (at, scope) in spec.optional_scopes.iter().flatten().enumerate().filter(|(_, scope)| defaults.contains(scope)) {
        let message = format!("`{scope}` is both a default and an optional scope");
        found.push(&format!("spec.optionalScopes[{at}]"), "contradiction", message);
    }
    sinks(spec.secret.as_ref(), spec.secret_to.as_ref(), found);
}

/// A secret under `settings` or `attributes`, at any depth.
fn secrets_within(path: &str, name: &str, value: &Value, found: &mut Found<'_>) {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let is_named = matches!(plain.as_str(), "secret" | "clientsecret" | "registrationaccesstoken" | "privatekey")
        || plain.ends_with("privatekey");
    let is_key = |text: &str| {
        text.contains("PRIVATE KEY") || (text.contains("\"kty\"") && (text.contains("\"d\"") || text.contains("\"k\"")))
    };
    let says = match value {
        Value::Null => false,
        Value::String(text) => (is_named && !text.is_empty()) || is_key(text),
        Value::Object(object) => is_named || (object.contains_key("kty") && object.contains_key("d")),
        _ => is_named,
    };
    if says {
        let message = format!("`{path}` holds a secret, which must not stand in a manifest");
        found.push(path, "secret_in_clear", message).hint =
            Some("a client secret is declared by reference, in `secret`; private keys stay in Keycloak".to_owned());
        return;
    }
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                secrets_within(&key_path(path, key), key, inner, found);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                secrets_within(&format!("{path}[{at}]"), "", inner, found);
            }
        }
        _ => {}
    }
}

fn device(spec: &DeviceSpec, found: &mut Found<'_>) {
    let life = spec.token_lifespan.duration();
    if life.is_zero() || life.subsec_nanos() != 0 {
        found.push("spec.tokenLifespan", "invalid_value", "`tokenLifespan` must be whole seconds, at least `1s`");
    }
    sinks(spec.secret.as_ref(), spec.secret_to.as_ref(), found);
}

fn sinks(secret: Option<&SecretRef>, target: Option<&SinkRef>, found: &mut Found<'_>) {
    let Some(target) = target else { return };
    recipients(target, "spec.secretTo", found);
    if let (Some(SecretRef::File(from)), SinkRef::File(to)) = (secret, target)
        && from == to
    {
        found.push("spec.secretTo", "contradiction", "`secret` and `secretTo` are the same file");
    }
}

fn recipients(target: &SinkRef, path: &str, found: &mut Found<'_>) {
    if let SinkRef::Age(age) = target
        && let Some(at) = sink::first_bad_recipient(age)
    {
        let path = format!("{path}.age.recipients[{at}]");
        found.push(&path, "invalid_value", format!("`{path}` is neither an age nor an SSH public key")).hint =
            Some("write `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`".to_owned());
    }
}

/// An address in one form, however it is written.
fn normal(url: &str) -> String {
    let parsed = Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.to_string());
    parsed.trim_end_matches('/').to_owned()
}

/// What a resource means in its target; two of them must not mean the same.
fn same_objects(declared: &[Declared], findings: &mut Vec<Finding>) {
    let addresses: HashMap<(Kind, &str), String> = declared
        .iter()
        .filter_map(|one| {
            let address = match &one.spec {
                Spec::HomeAssistant(spec) => format!("home assistant {}", normal(&spec.url)),
                Spec::KeycloakRealm(spec) => {
                    format!("realm {} {}", normal(&spec.url), spec.realm)
                }
                Spec::Hub(spec) => match (&spec.embedded, &spec.url) {
                    (Some(embedded), _) => format!("hub {}", embedded.directory.display()),
                    (None, url) => format!("hub {}", url.as_deref().unwrap_or_default()),
                },
                _ => return None,
            };
            Some(((one.spec.kind(), one.id.name.as_str()), address))
        })
        .collect();
    let mut first: HashMap<(&str, String), usize> = HashMap::new();
    for (at, one) in declared.iter().enumerate() {
        let (path, object) = match &one.spec {
            Spec::KeycloakClient(spec) => ("clientId", spec.client_id.as_ref().unwrap_or(&one.id.name).clone()),
            Spec::Device(spec) => ("clientId", spec.client_id.as_ref().unwrap_or(&one.id.name).clone()),
            Spec::Farm(spec) => match spec.farm_id {
                Some(id) => ("farmId", id.to_string()),
                None => continue,
            },
            Spec::HomeAssistantEntry(spec) => match &spec.unique_id {
                Some(id) => ("uniqueId", format!("{} {id}", spec.domain.as_ref().unwrap_or(&one.id.name))),
                None => continue,
            },
            _ => continue,
        };
        let target = one.spec.kind().target().zip(one.target.as_deref());
        let Some(address) = target.and_then(|target| addresses.get(&target)) else { continue };
        match first.get(&(address.as_str(), object.clone())) {
            None => {
                first.insert((address, object), at);
            }
            Some(&before) if declared[before].id == one.id => {}
            Some(&before) => {
                let message = format!(
                    "`{}` and `{}` mean the same object, {path} `{object}`; the other is in {}",
                    one.id,
                    declared[before].id,
                    place(&declared[before])
                );
                Found { at, findings }.push(&format!("spec.{path}"), "same_object", message);
            }
        }
    }
}

fn same_sinks(declared: &[Declared], findings: &mut Vec<Finding>) {
    let mut first: HashMap<PathBuf, usize> = HashMap::new();
    for (at, one) in declared.iter().enumerate() {
        for (path, target) in one.spec.sinks() {
            let Some(file) = target.path().map(PathBuf::from) else { continue };
            match first.get(&file) {
                None => {
                    first.insert(file, at);
                }
                Some(&before) if declared[before].id != one.id => {
                    let message = format!("`{}` writes the same file as `{}`", one.id, declared[before].id);
                    Found { at, findings }.push(&format!("spec.{path}"), "same_sink", message);
                }
                Some(_) => {}
            }
        }
    }
}

/// Devices of one scope share its role, audience and grant.
fn device_scopes(declared: &[Declared], findings: &mut Vec<Finding>) {
    let defaults: HashMap<&str, &str> = declared
        .iter()
        .filter_map(|one| match &one.spec {
            Spec::KeycloakRealm(spec) => Some((one.id.name.as_str(), spec.device_scope.as_deref()?)),
            _ => None,
        })
        .collect();
    let mut first: HashMap<(&str, &str), (usize, &DeviceSpec)> = HashMap::new();
    for (at, one) in declared.iter().enumerate() {
        let (Spec::Device(spec), Some(target)) = (&one.spec, one.target.as_deref()) else { continue };
        let scope = spec.scope.as_deref().or_else(|| defaults.get(target).copied()).unwrap_or("");
        let (before, model) = *first.entry((target, scope)).or_insert((at, spec));
        let differs = [
            ("role", spec.role != model.role),
            ("audience", spec.audience != model.audience),
            ("grant", spec.grant != model.grant),
        ];
        for (field, _) in differs.into_iter().filter(|(_, differs)| *differs) {
            let message = format!(
                "`{}` shares its client scope with `{}` and wants another `{field}`",
                one.id, declared[before].id
            );
            Found { at, findings }.push(&format!("spec.{field}"), "scope_disagrees", message).hint = Some(
                "devices of one scope agree on role, audience and grant: give one of them another `scope`".to_owned(),
            );
        }
    }
}
