//! Parsing straight into the types: the way without a fault, and never by way of an untyped value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::kinds::device::DeviceSpec;
use super::kinds::home_assistant::{HomeAssistantEntrySpec, HomeAssistantSpec};
use super::kinds::hub::{FarmSpec, HubSpec, ProvisioningKeySpec};
use super::kinds::keycloak::{KeycloakClientSpec, KeycloakRealmSpec};
use super::kinds::{API_VERSION, Kind, Metadata, Spec};

/// A document of ours, or that it is not.
#[derive(Debug)]
pub(super) enum Document {
    /// One resource.
    One(Box<Parsed>),
    /// A `List` of resources; none in the place of one that cannot be typed.
    List(Vec<Option<Parsed>>),
    /// Of another `apiVersion`.
    Foreign,
    /// It says nothing.
    Empty,
    /// It is ours, and cannot be typed; its faults are known.
    Faulty,
}

/// One resource, typed.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

/// Every document of a YAML text.
///
/// # Errors
/// Anything is wrong with any of them; what, the tree tells.
pub(super) fn from_yaml(text: &str) -> Result<Vec<Document>, serde_saphyr::Error> {
    serde_saphyr::from_multiple_with_options(text, options())
}

/// The one document of a JSON text.
///
/// # Errors
/// Anything is wrong with it; what, the tree tells.
pub(super) fn from_json(text: &str) -> Result<Vec<Document>, serde_json::Error> {
    serde_json::from_str(text).map(|document| vec![document])
}

/// How YAML is read everywhere: no snippets in errors, since they show values; `no` and `014` are texts; room for fifty
/// thousand devices and none for what aliases multiply.
fn options() -> serde_saphyr::Options {
    let budget = serde_saphyr::budget! {
        max_events: 20_000_000,
        max_nodes: 8_000_000,
        max_documents: 1_000_000,
        max_total_scalar_bytes: 512 * 1024 * 1024,
        max_depth: 128,
    };
    serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        budget: budget,
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a document")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Document, E> {
        Ok(Document::Empty)
    }

    fn visit_none<E: de::Error>(self) -> Result<Document, E> {
        Ok(Document::Empty)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut parts = Parts::default();
        let mut items = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => {
                    let version: String = map.next_value()?;
                    if version != API_VERSION {
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                        return Ok(Document::Foreign);
                    }
                    parts.has_version = true;
                }
                "items" => items = Some(map.next_value::<Vec<Parsed>>()?),
                _ => parts.take(&key, &mut map)?,
            }
        }
        match items {
            Some(items) if parts.has_version && parts.is_list && parts.spec.is_none() => {
                Ok(Document::List(items.into_iter().map(Some).collect()))
            }
            Some(_) => Err(A::Error::custom("not a list")),
            None => parts.finish().map(|parsed| Document::One(Box::new(parsed))),
        }
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Parsed;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
                let mut parts = Parts::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "apiVersion" {
                        parts.has_version = map.next_value::<String>()? == API_VERSION;
                    } else {
                        parts.take(&key, &mut map)?;
                    }
                }
                parts.finish()
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Parsed, A::Error> {
                Err(A::Error::custom("not a document"))
            }
        }
        deserializer.deserialize_map(ItemVisitor)
    }
}

/// A resource on its way.
#[derive(Default)]
struct Parts {
    has_version: bool,
    is_list: bool,
    kind: Option<Kind>,
    metadata: Option<Metadata>,
    spec: Option<Spec>,
}

impl Parts {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "kind" => {
                let kind: String = map.next_value()?;
                self.is_list = kind == "List";
                self.kind = kind.parse().ok();
            }
            "metadata" if self.metadata.is_none() => self.metadata = Some(map.next_value()?),
            "spec" if self.spec.is_none() => {
                // A spec before its kind cannot be typed yet: the tree sorts that out.
                let kind = self.kind.ok_or_else(|| A::Error::custom("the kind is not known"))?;
                self.spec = Some(map.next_value_seed(SpecSeed(kind))?);
            }
            "status" => drop(map.next_value::<IgnoredAny>()?),
            _ => return Err(A::Error::custom("unknown field")),
        }
        Ok(())
    }

    fn finish<E: de::Error>(self) -> Result<Parsed, E> {
        match (self.has_version, self.metadata, self.spec) {
            (true, Some(metadata), Some(spec)) => Ok(Parsed { metadata, spec }),
            _ => Err(E::custom("incomplete")),
        }
    }
}

/// Deserialises the spec of a kind.
pub(super) struct SpecSeed(pub(super) Kind);

impl<'de> DeserializeSeed<'de> for SpecSeed {
    type Value = Spec;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Spec, D::Error> {
        match self.0 {
            Kind::HomeAssistant => {
                HomeAssistantSpec::deserialize(deserializer).map(|spec| Spec::HomeAssistant(Box::new(spec)))
            }
            Kind::HomeAssistantEntry => {
                HomeAssistantEntrySpec::deserialize(deserializer).map(|spec| Spec::HomeAssistantEntry(Box::new(spec)))
            }
            Kind::Hub => HubSpec::deserialize(deserializer).map(|spec| Spec::Hub(Box::new(spec))),
            Kind::KeycloakRealm => {
                KeycloakRealmSpec::deserialize(deserializer).map(|spec| Spec::KeycloakRealm(Box::new(spec)))
            }
            Kind::KeycloakClient => {
                KeycloakClientSpec::deserialize(deserializer).map(|spec| Spec::KeycloakClient(Box::new(spec)))
            }
            Kind::Device => DeviceSpec::deserialize(deserializer).map(|spec| Spec::Device(Box::new(spec))),
            Kind::Farm => FarmSpec::deserialize(deserializer).map(|spec| Spec::Farm(Box::new(spec))),
            Kind::ProvisioningKey => {
                ProvisioningKeySpec::deserialize(deserializer).map(|spec| Spec::ProvisioningKey(Box::new(spec)))
            }
        }
    }
}
