//! Comparing a wanted client with the one that is there: only what the manifest names, after both sides are brought
//! to one form. What the server adds by itself is never drift.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::have::ClientHave;
use super::want::{ClientWant, Field, LIFESPAN, Place, SecretWant, mapper_path};
use crate::diagnostic::{Problem, Warning};
use crate::manifest::kinds::common::{OnDrift, Span};
use crate::path::key_path;
use crate::reconcile::ownership::{Digest, Mark, Verdict, three_way};
use crate::reconcile::plan::{FieldChange, Reason};
use crate::reconcile::provider::{Comparison, set};
use crate::secret::{Secret, sink};

/// The scope that Keycloak adds to every client with a service account.
const SERVICE_ACCOUNT_SCOPE: &str = "service_account";
/// What Keycloak adds to a mapper's configuration when it comes through the mapper's own endpoint.
const ADDED_CONFIG: [(&str, &str); 2] = [("introspection.token.claim", "true"), ("userinfo.token.claim", "false")];

/// The fields of `want` that differ from `have`; all of them where there is nothing.
pub(super) fn fields(want: &ClientWant, have: Option<&ClientHave>) -> Vec<FieldChange> {
    let is_news = |field: &&Field| have.is_some() || !goes_without_saying(want, field);
    want.fields.iter().filter(is_news).flat_map(|field| differs(field, have)).collect()
}

/// Whether a new client has the field anyway: a device is confidential and has a service account, and an attribute that
/// is to be absent is.
fn goes_without_saying(want: &ClientWant, field: &Field) -> bool {
    let of_device = want.device.is_some() && matches!(&*field.path, "public" | "serviceAccount.enabled");
    of_device || (matches!(field.place, Place::Attribute(_)) && field.value == json!(""))
}

fn differs(field: &Field, have: Option<&ClientHave>) -> Vec<FieldChange> {
    if field.place == Place::Mappers {
        return mappers(&field.value, have);
    }
    let before = have.map_or(Value::Null, |have| actual(field, have));
    let same = match (&field.place, have) {
        (_, None) => false,
        (Place::Attribute(_), Some(_)) => field.value == before || (before.is_null() && field.value == json!("")),
        (Place::Member(_), Some(_)) => covers(&field.value, &before),
        _ => field.value == before,
    };
    if same { Vec::new() } else { vec![FieldChange::plain(&*field.path, before, field.value.clone())] }
}

/// What the client has where the field would be, in the field's own form.
fn actual(field: &Field, have: &ClientHave) -> Value {
    match &field.place {
        Place::Member(name) => have.member(name).clone(),
        Place::Set(name) => set(have.texts(name)),
        Place::Attribute(key) => have.attribute(key).map_or(Value::Null, Value::from),
        Place::Lifespan => lifespan(have),
        Place::Scopes { default } => {
            let declared = |scope: &&str| !is_automatic(scope) || contains(&field.value, scope);
            set(have.texts(scopes_member(*default)).into_iter().filter(declared))
        }
        Place::DeviceScope => {
            let scope = field.value.as_str().unwrap_or_default();
            let scopes = have.texts("defaultClientScopes");
            if scopes.contains(scope) && scopes.contains("roles") { field.value.clone() } else { Value::Null }
        }
        Place::RealmRoles => {
            let roles = have.roles.as_ref().map(|roles| &roles.realm);
            set(roles.into_iter().flatten().map(|role| role.name.as_str()).filter(|name| !is_default_role(name)))
        }
        Place::ClientRoles(client) => {
            let roles = have.roles.as_ref().and_then(|roles| roles.clients.get(client));
            set(roles.into_iter().flat_map(|(_, roles)| roles).map(|role| role.name.as_str()))
        }
        Place::Mappers => Value::Null,
    }
}

/// The role that Keycloak gives to every user of a realm.
pub(super) fn is_default_role(name: &str) -> bool {
    name.starts_with("default-roles-")
}

/// Whether Keycloak itself gives the scope to a client, and takes it away.
pub(super) fn is_automatic(scope: &str) -> bool {
    scope == SERVICE_ACCOUNT_SCOPE
}

/// The representation's member that lists client scopes.
pub(super) fn scopes_member(default: bool) -> &'static str {
    if default { "defaultClientScopes" } else { "optionalClientScopes" }
}

fn contains(items: &Value, text: &str) -> bool {
    items.as_array().into_iter().flatten().any(|item| item.as_str() == Some(text))
}

fn lifespan(have: &ClientHave) -> Value {
    let Some(text) = have.attribute(LIFESPAN) else { return Value::Null };
    text.parse::<u64>().map_or_else(|_| Value::from(text), |seconds| Value::from(Span::from_secs(seconds).to_string()))
}

/// Whether `have` is as `want` says: an object by the members that are named, a list of texts in any order.
fn covers(want: &Value, have: &Value) -> bool {
    match (want, have) {
        (Value::Object(want), Value::Object(have)) => {
            want.iter().all(|(name, value)| covers(value, have.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Object(want), Value::Null) => want.is_empty(),
        (Value::Array(want), Value::Array(have)) => {
            let texts = |items: &[Value]| items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let (as_texts, as_have): (Option<BTreeSet<String>>, Option<BTreeSet<String>>) = (texts(want), texts(have));
            as_texts.is_some() && as_texts == as_have || want == have
        }
        (Value::Array(want), Value::Null) => want.is_empty(),
        (Value::String(want), Value::Null) => want.is_empty(),
        _ => want == have,
    }
}

type Config<'a> = BTreeMap<&'a str, &'a str>;

/// Mappers by name, with their provider and configuration.
fn by_name(mappers: &Value) -> BTreeMap<&str, (&str, Config<'_>)> {
    mappers
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mapper| {
            let config = mapper.get("config").and_then(Value::as_object).into_iter().flatten();
            let config = config.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
            let (name, provider) = (mapper.get("name")?.as_str()?, mapper.get("protocolMapper")?.as_str()?);
            Some((name, (provider, config)))
        })
        .collect()
}

fn mappers(want: &Value, have: Option<&ClientHave>) -> Vec<FieldChange> {
    let nothing = Value::Null;
    let (want, have) = (by_name(want), by_name(have.map_or(&nothing, |have| have.member("protocolMappers"))));
    let whole = |(provider, config): &(&str, Config<'_>)| json!({"protocolMapper": provider, "config": config});
    let mut changes = Vec::new();
    for (name, wanted) in &want {
        let path = mapper_path(name);
        let Some(found) = have.get(name) else {
            changes.push(FieldChange::plain(path, Value::Null, whole(wanted)));
            continue;
        };
        if wanted.0 != found.0 {
            changes.push(FieldChange::plain(format!("{path}.protocolMapper"), found.0, wanted.0));
        }
        changes.extend(config(&path, &wanted.1, &found.1));
    }
    for (name, found) in have.iter().filter(|(name, _)| !want.contains_key(*name)) {
        changes.push(FieldChange::plain(mapper_path(name), whole(found), Value::Null));
    }
    changes
}

/// The keys of a mapper's configuration that differ; what Keycloak's second door adds is no difference.
fn config(path: &str, want: &Config<'_>, have: &Config<'_>) -> Vec<FieldChange> {
    let keys: BTreeSet<&str> = want.keys().chain(have.keys()).copied().collect();
    let differs = |key: &&str| {
        let (wanted, found) = (want.get(key).copied().unwrap_or_default(), have.get(key).copied().unwrap_or_default());
        let added = !want.contains_key(key) && ADDED_CONFIG.contains(&(key, found));
        wanted != found && !added
    };
    let value = |config: &Config<'_>, key: &str| config.get(key).map_or(Value::Null, |text| Value::from(*text));
    keys.into_iter()
        .filter(differs)
        .map(|key| FieldChange::plain(key_path(&format!("{path}.config"), key), value(have, key), value(want, key)))
        .collect()
}

/// What is to be said of the secret and its sink.
pub(super) fn secret(want: &ClientWant, have: Option<&ClientHave>, mark: Option<&Mark>, comparison: &mut Comparison) {
    let base = mark.and_then(|mark| mark.applied.secrets.get("secret"));
    // A client that is public has lost its secret, whatever the server still shows.
    let is_public = have.is_some_and(|have| have.member("publicClient") == &json!(true));
    let actual = have.filter(|_| !is_public).and_then(|have| have.secret.as_ref());
    let hidden = have.is_some_and(|have| have.secret.is_none() && have.member("publicClient") == &json!(false));
    let reason = match &want.secret {
        SecretWant::Unowned => None,
        SecretWant::Unresolved => Some(Reason::Unknown),
        _ if hidden => Some(Reason::Unknown),
        // Nobody's yet, and already as declared: adoption records the digest, and nothing changes.
        SecretWant::Declared(declared) if mark.is_none() && actual.is_some_and(|actual| actual.same_as(declared)) => {
            None
        }
        SecretWant::Declared(declared) => match three_way(declared, base, actual, want.on_drift) {
            Verdict::Write(Reason::Changed) if strands(want, actual, declared) => {
                comparison.conflict = Some(would_strand(&want.client_id));
                Some(Reason::Changed)
            }
            verdict => verdict.reason(),
        },
        SecretWant::Generated => match (have, actual, base) {
            (None, ..) => Some(Reason::Absent),
            (Some(_), None, _) => {
                if kept(want, base).is_none() && is_held(want) {
                    comparison.conflict = Some(would_strand(&want.client_id));
                }
                Some(Reason::Absent)
            }
            (_, Some(actual), Some(base)) if !base.matches(actual) => Some(drifted(want, base, comparison)),
            _ => None,
        },
    };
    if let Some(reason) = reason {
        if reason == Reason::Rotated {
            comparison.message = Some("its holder rotated the secret; it is kept".to_owned());
        }
        comparison.fields.push(FieldChange::secret("secret", reason));
    }
    if let Some(change) = sink_change(want, actual, base, reason, comparison) {
        comparison.fields.push(change);
    }
}

/// What happens to a generated secret that is another one than provisor gave: its holder rotated it, and it is kept; or
/// the one in the sink is restored, where the manifest insists.
fn drifted(want: &ClientWant, base: &Digest, comparison: &mut Comparison) -> Reason {
    if want.on_drift == OnDrift::Keep {
        return Reason::Rotated;
    }
    if kept(want, Some(base)).is_none() {
        let message = "the secret was rotated, and what was applied cannot be restored: its sink does not show it";
        comparison.warnings.push(Warning::new("provisor::secret::not_restorable", message));
        return Reason::Rotated;
    }
    if is_held(want) {
        comparison.conflict = Some(would_strand(&want.client_id));
    }
    Reason::Changed
}

/// The generated secret that was applied last, where its sink still shows it.
pub(super) fn kept(want: &ClientWant, base: Option<&Digest>) -> Option<Secret> {
    let held = sink::read(want.secret_to.as_ref()?).ok().flatten()?;
    base?.matches(&held).then_some(held)
}

/// Whether a device holds the secret, and is not at hand.
fn is_held(want: &ClientWant) -> bool {
    want.device.as_ref().is_some_and(|device| !device.reprovision)
}

/// Whether writing the secret would lock out a device that holds another one.
fn strands(want: &ClientWant, actual: Option<&Secret>, declared: &Secret) -> bool {
    let keeps = actual.is_some_and(|actual| actual.same_as(declared));
    !keeps && is_held(want)
}

fn would_strand(client_id: &str) -> Problem {
    let message = format!("a new secret would lock out the device `{client_id}`, which holds the present one");
    let hint = "rotate it through the hub, or say that the device is at hand with `lifecycle: {reprovision: true}`";
    Problem::new("provisor::device::strands", message).with_hint(hint)
}

/// The field `secretTo`, where the sink is missing or holds something else.
fn sink_change(
    want: &ClientWant,
    actual: Option<&Secret>,
    base: Option<&Digest>,
    reason: Option<Reason>,
    comparison: &mut Comparison,
) -> Option<FieldChange> {
    let target = want.secret_to.as_ref()?;
    if let Err(error) = sink::check(target) {
        comparison.conflict.get_or_insert(error.to_problem());
        return Some(FieldChange::secret("secretTo", Reason::Unknown));
    }
    match sink::exists(target) {
        Ok(true) => {}
        Ok(false) => return Some(FieldChange::secret("secretTo", Reason::Absent)),
        Err(error) => {
            comparison.conflict.get_or_insert(error.to_problem());
            return Some(FieldChange::secret("secretTo", Reason::Unknown));
        }
    }
    let due = match (&want.secret, reason) {
        (_, Some(Reason::Rotated | Reason::Unknown)) => None,
        (SecretWant::Declared(declared), _) => Some(declared),
        (_, Some(_)) if kept(want, base).is_some() => None,
        (_, Some(_)) => return Some(FieldChange::secret("secretTo", Reason::Changed)),
        (_, None) => actual,
    }?;
    match sink::holds(target, due) {
        Ok(Some(false)) => Some(FieldChange::secret("secretTo", Reason::Changed)),
        Ok(None) if reason.is_some() => Some(FieldChange::secret("secretTo", Reason::Changed)),
        Ok(_) => None,
        Err(error) => {
            comparison.conflict.get_or_insert(error.to_problem());
            Some(FieldChange::secret("secretTo", Reason::Unknown))
        }
    }
}

/// The lifetime of a token as Keycloak stores it.
pub(super) fn seconds(lifespan: &Value) -> Value {
    let span: Option<Span> = lifespan.as_str().and_then(|text| text.parse().ok());
    Value::from(span.map_or(Duration::ZERO, Span::duration).as_secs().to_string())
}
