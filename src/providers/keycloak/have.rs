//! What the realm shows of a client: its representation without the secret, its mark, and a revision of both.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::keycloak::{Client, RoleMappings};
use crate::manifest::kinds::common::DeletionPolicy;
use crate::reconcile::ownership::{Applied, Mark};
use crate::reconcile::provider::Seen;
use crate::secret::Secret;

const OWNER: &str = "provisor.owner";
const RESOURCE: &str = "provisor.resource";
const APPLIED: &str = "provisor.applied";

/// One client as the realm shows it.
#[derive(Debug, Clone)]
pub struct ClientHave {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) secret: Option<Secret>,
    pub(super) fields: Map<String, Value>,
    /// The roles of its service account, where they were asked for.
    pub(super) roles: Option<RoleMappings>,
    /// Whether its service account holds the device role, where that was asked for.
    pub(super) holds_role: Option<bool>,
}

impl ClientHave {
    /// A member of the representation; null where it is absent.
    pub(super) fn member(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    /// An attribute; none where it is absent or empty.
    pub(super) fn attribute(&self, key: &str) -> Option<&str> {
        self.member("attributes").get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// A member that is a set of texts.
    pub(super) fn texts(&self, name: &str) -> BTreeSet<&str> {
        self.member(name).as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn mark(&self) -> Option<Mark> {
        let resource = self.attribute(RESOURCE)?.parse().ok()?;
        // A mark that cannot be read still says whose the object is.
        let applied: Applied =
            self.attribute(APPLIED).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Some(Mark { owner: self.attribute(OWNER)?.to_owned(), resource, applied })
    }

    /// A digest of all that is no secret, in an order that does not depend on the server's.
    fn revision(&self) -> String {
        let of_client = |(name, value): (&String, &Value)| mixed(&[hash(name.as_bytes()), digest(value)]);
        let members = self.fields.iter().filter(|(name, _)| *name != "access").map(of_client);
        format!("{:032x}", members.fold(0, u128::wrapping_add))
    }
}

/// A digest of a value in which members and list elements may stand in any order. It tells a change by accident or by
/// hand, not one by somebody who wants a collision; nobody gains anything from one.
fn digest(value: &Value) -> u128 {
    match value {
        Value::Null => 1,
        Value::Bool(flag) => 2 + u128::from(*flag),
        Value::Number(number) => hash(number.to_string().as_bytes()),
        Value::String(text) => mixed(&[4, hash(text.as_bytes())]),
        Value::Array(items) => items.iter().map(digest).fold(5, |sum, one| sum.wrapping_add(mixed(&[one]))),
        Value::Object(members) => members
            .iter()
            .fold(6, |sum, (name, value)| sum.wrapping_add(mixed(&[hash(name.as_bytes()), digest(value)]))),
    }
}

const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// FNV-1a, 128 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn hash(bytes: &[u8]) -> u128 {
    bytes.iter().fold(FNV_OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(FNV_PRIME))
}

fn mixed(parts: &[u128]) -> u128 {
    parts.iter().fold(FNV_OFFSET, |all, part| hash(&(all ^ part).to_le_bytes()))
}

/// A client as the engine sees it.
pub(super) fn seen(client: Client) -> Seen<ClientHave> {
    let have = ClientHave {
        id: client.id,
        client_id: client.client_id,
        secret: client.secret,
        fields: client.fields,
        roles: None,
        holds_role: None,
    };
    let mark = have.mark();
    let disabled = have.member("enabled") == &Value::Bool(false);
    let kept = mark.as_ref().is_some_and(|mark| mark.applied.deletion_policy == DeletionPolicy::Disable);
    let settled = (kept && disabled).then(|| format!("`{}` is switched off and kept", have.client_id));
    Seen { key: have.client_id.clone(), revision: have.revision(), mark, settled, guards: Vec::new(), have }
}

/// Whether a client carries anybody's mark.
pub(super) fn is_marked(client: &Client) -> bool {
    client.fields.get("attributes").is_some_and(|attributes| attributes.get(OWNER).is_some())
}

/// The attributes that make a mark.
pub(super) fn mark_attributes(mark: &Mark) -> Map<String, Value> {
    let applied = json!(mark.applied).to_string();
    [(OWNER, mark.owner.clone()), (RESOURCE, mark.resource.to_string()), (APPLIED, applied)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect()
}

/// The attributes that remove a mark: Keycloak drops an attribute that is set to null.
pub(super) fn unmark_attributes() -> Map<String, Value> {
    [OWNER, RESOURCE, APPLIED].into_iter().map(|key| (key.to_owned(), Value::Null)).collect()
}
