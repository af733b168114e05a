//! What Keycloak sends and takes, typed as far as we look into it.
//!
//! A client's representation holds secrets in several places. They are taken out while it is read, so that none is ever
//! part of a JSON value: the secret itself becomes a [`Secret`]; rotated secrets, private keys and the registration
//! token are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::secret::Secret;

/// The previous secret, which Keycloak shows in clear while both are valid.
const ROTATED_SECRET: &str = "client.secret.rotated";
/// `saml.signing.private.key`, `saml.encryption.private.key`.
const PRIVATE_KEY_SUFFIX: &str = "private.key";

/// A client as the realm shows it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Keycloak's own id, which addresses it.
    pub id: String,
    /// The name that the client signs in with.
    pub client_id: String,
    /// The secret, where the caller may see it and there is one.
    pub secret: Option<Secret>,
    /// Everything else of the representation, free of secrets.
    pub fields: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClientVisitor)
    }
}

struct ClientVisitor;

impl<'de> Visitor<'de> for ClientVisitor {
    type Value = Client;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a client representation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Client, A::Error> {
        let (mut id, mut client_id, mut secret, mut fields) = (None, None, None, Map::new());
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "id" => id = Some(members.next_value()?),
                "clientId" => client_id = Some(members.next_value()?),
                "secret" => secret = members.next_value()?,
                "registrationAccessToken" => drop(members.next_value::<IgnoredAny>()?),
                "attributes" => {
                    fields.insert(name, members.next_value_seed(PublicAttributes)?);
                }
                _ => {
                    fields.insert(name, members.next_value()?);
                }
            }
        }
        let id = id.ok_or_else(|| A::Error::missing_field("id"))?;
        let client_id = client_id.ok_or_else(|| A::Error::missing_field("clientId"))?;
        Ok(Client { id, client_id, secret, fields })
    }
}

/// Reads attributes and leaves out those that are secret.
struct PublicAttributes;

impl<'de> DeserializeSeed<'de> for PublicAttributes {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PublicAttributes {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the attributes of a client")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut attributes = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == ROTATED_SECRET || name.ends_with(PRIVATE_KEY_SUFFIX) {
                members.next_value::<IgnoredAny>()?;
            } else {
                attributes.insert(name, members.next_value()?);
            }
        }
        Ok(Value::Object(attributes))
    }
}

/// A client's representation on its way out: `fields`, and the secret straight from where it is kept.
pub(super) struct ClientBody<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) secret: Option<&'a Secret>,
}

impl Serialize for ClientBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        // A `secret` among the fields can only be a masked or stale one, which Keycloak would store literally.
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != "secret") {
            members.serialize_entry(name, value)?;
        }
        if let Some(secret) = self.secret {
            members.serialize_entry("secret", secret.expose())?;
        }
        members.end()
    }
}

/// A client scope with its mappers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClientScope {
    /// Keycloak's own id, which addresses it.
    pub id: String,
    /// What clients call it.
    pub name: String,
    /// `openid-connect` or `saml`.
    #[serde(default)]
    pub protocol: String,
    /// Its attributes.
    #[serde(default, deserialize_with = "texts")]
    pub attributes: BTreeMap<String, String>,
    /// Its protocol mappers.
    #[serde(default, rename = "protocolMappers")]
    pub mappers: Vec<Mapper>,
}

/// A protocol mapper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapper {
    /// Keycloak's own id; none in a mapper that is yet to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Unique among the mappers of a client or scope.
    pub name: String,
    /// `openid-connect` or `saml`.
    #[serde(default)]
    pub protocol: String,
    /// The provider, such as `oidc-audience-mapper`.
    pub protocol_mapper: String,
    /// The provider's settings.
    #[serde(default, deserialize_with = "texts")]
    pub config: BTreeMap<String, String>,
}

/// A map of texts in which Keycloak may also send nulls, which mean nothing.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map: Option<BTreeMap<String, Option<String>>> = Option::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// A role of the realm or of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Keycloak's own id; a mapping needs it besides the name.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it belongs to a client.
    #[serde(default)]
    pub client_role: bool,
    /// The realm or client that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
}

/// The roles that are mapped to a user directly; what composite roles add is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleMappings {
    /// Realm roles.
    pub realm: Vec<Role>,
    /// By the client's client id: its own id and the roles.
    pub clients: BTreeMap<String, (String, Vec<Role>)>,
}

/// [`RoleMappings`] as Keycloak writes them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawMappings {
    #[serde(default)]
    realm_mappings: Vec<Role>,
    #[serde(default)]
    client_mappings: BTreeMap<String, RawClientMappings>,
}

#[derive(Deserialize)]
struct RawClientMappings {
    id: String,
    #[serde(default)]
    mappings: Vec<Role>,
}

impl From<RawMappings> for RoleMappings {
    fn from(raw: RawMappings) -> Self {
        let clients = raw.client_mappings.into_iter().map(|(name, client)| (name, (client.id, client.mappings)));
        Self { realm: raw.realm_mappings, clients: clients.collect() }
    }
}

/// A user, as far as we look into one.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    /// What the caller may do with it.
    #[serde(default)]
    pub(super) access: BTreeMap<String, bool>,
}

/// What the server says about itself, as far as we look.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerInfo {
    #[serde(default)]
    pub(super) protocol_mapper_types: BTreeMap<String, Vec<MapperType>>,
}

#[derive(Deserialize)]
pub(super) struct MapperType {
    pub(super) id: String,
}

/// What an access token says. Its signature is not checked: it comes straight from the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenClaims {
    /// The client that it was issued to.
    pub client_id: String,
    /// The id of the user that it stands for; a lightweight token does not say.
    pub subject: Option<String>,
    /// The name of that user; a service account's is `service-account-` and the client id.
    pub username: Option<String>,
    /// Who issued it.
    pub issuer: String,
    /// Realm roles, those of composite roles included.
    pub roles: BTreeSet<String>,
    /// Roles of clients, by client id.
    pub client_roles: BTreeMap<String, BTreeSet<String>>,
    /// Whom it is for.
    pub audience: BTreeSet<String>,
    /// How long it lives, from its issue.
    pub expires_in: Duration,
}

impl TokenClaims {
    /// The claims of `token`; none where it is no token that we can read.
    pub(super) fn of(token: &Secret, expires_in: Duration) -> Option<Self> {
        let payload = token.expose().split('.').nth(1)?;
        let json = zeroize::Zeroizing::new(data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?);
        let raw: RawClaims = serde_json::from_slice(&json).ok()?;
        let client_roles = raw.resource_access.into_iter().map(|(client, access)| (client, access.roles));
        Some(Self {
            client_id: raw.azp,
            subject: raw.sub,
            username: raw.preferred_username,
            issuer: raw.iss,
            roles: raw.realm_access.roles,
            client_roles: client_roles.collect(),
            audience: raw.aud.into(),
            expires_in,
        })
    }
}

#[derive(Deserialize)]
struct RawClaims {
    #[serde(default)]
    azp: String,
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    preferred_username: Option<String>,
    #[serde(default)]
    realm_access: Access,
    #[serde(default)]
    resource_access: BTreeMap<String, Access>,
    #[serde(default)]
    aud: Audience,
}

#[derive(Default, Deserialize)]
struct Access {
    #[serde(default)]
    roles: BTreeSet<String>,
}

/// One audience is a text, several are a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(BTreeSet<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(BTreeSet::new())
    }
}

impl From<Audience> for BTreeSet<String> {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::One(one) => Self::from([one]),
            Audience::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_taken_out_of_a_client_while_it_is_read() {
        let text = json!({
            "id": "1", "clientId": "c", "secret": "canary-1", "registrationAccessToken": "canary-2", "enabled": true,
            "attributes": {
                "client.secret.rotated": "canary-3", "saml.signing.private.key": "canary-4",
                "saml.encryption.private.key": "canary-5", "access.token.lifespan": "60",
            },
        });
        let client: Client = serde_json::from_str(&text.to_string()).unwrap();
        assert_eq!(client.secret.as_ref().map(Secret::expose), Some("canary-1"));
        assert_eq!(
            Value::Object(client.fields.clone()),
            json!({"enabled": true, "attributes": {"access.token.lifespan": "60"}})
        );
        assert!(!format!("{client:?}").contains("canary"));
    }

    #[test]
    fn a_client_without_an_id_is_refused() {
        assert!(serde_json::from_str::<Client>(r#"{"clientId": "c"}"#).is_err());
        assert!(serde_json::from_str::<Client>(r#"{"id": "c", "secret": null}"#).is_err());
        assert!(serde_json::from_str::<Client>(r#"{"id": "1", "clientId": "c", "secret": null}"#).is_ok());
    }

    #[test]
    fn a_secret_reaches_the_body_by_its_own_door_only() {
        let fields = Map::from_iter([("secret".to_owned(), json!("**********")), ("enabled".to_owned(), json!(true))]);
        let secret = Secret::new("s\"1".to_owned());
        let with = serde_json::to_string(&ClientBody { fields: &fields, secret: Some(&secret) }).unwrap();
        assert_eq!(with, r#"{"enabled":true,"secret":"s\"1"}"#);
        let without = serde_json::to_string(&ClientBody { fields: &fields, secret: None }).unwrap();
        assert_eq!(without, r#"{"enabled":true}"#);
    }

    #[test]
    fn claims_are_read_with_one_audience_and_with_several() {
        let token = |claims: Value| {
            let payload = data_encoding::BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
            TokenClaims::of(&Secret::new(format!("e30.{payload}.x")), Duration::from_mins(1))
        };
        let one = token(json!({"azp": "c", "aud": "mqtt", "realm_access": {"roles": ["device"]}})).unwrap();
        assert!(one.roles.contains("device") && one.audience.contains("mqtt") && one.client_id == "c");
        let two = token(json!({"aud": ["a", "b"], "resource_access": {"realm-management": {"roles": ["x"]}}})).unwrap();
        assert!(two.audience.len() == 2 && two.client_roles["realm-management"].contains("x"));
        assert_eq!(token(json!({})).map(|claims| claims.audience.len()), Some(0));
        assert_eq!(TokenClaims::of(&Secret::new("opaque".to_owned()), Duration::ZERO), None);
    }
}
