//! What the realm shows of a client: its representation without the secret, its mark, and a revision of both.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

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
        let mut hasher = Sha256::new();
        let mut text = String::new();
        canonical(&Value::Object(self.fields.clone()), &mut text);
        hasher.update(text.as_bytes());
        data_encoding::HEXLOWER.encode(&hasher.finalize()[..16])
    }
}

/// Writes `value` with sorted members and sorted lists, without what depends on who asks or is made anew by each write.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().filter(|name| *name != "access").collect();
            names.sort();
            out.push('{');
            for name in names {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(&members[name], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            let mut texts: Vec<String> = items
                .iter()
                .map(|item| {
                    let mut text = String::new();
                    canonical(item, &mut text);
                    text
                })
                .collect();
            texts.sort();
            out.push('[');
            for text in texts {
                out.push_str(&text);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
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
    Seen { key: have.client_id.clone(), revision: have.revision(), mark, settled, have }
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
