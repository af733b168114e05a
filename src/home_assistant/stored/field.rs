//! The fields of an entry: texts as secrets from the first byte, everything else as what it is.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::secret::Secret;

/// The fields of an entry's data, in the file's order. A path is a field's name, or dotted for a nested one
/// (`token.refresh_token`); a field of exactly that name wins.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Value)>);

/// A stored value. Lists are leaves, and none of them is a credential: what is in them is passed over.
#[derive(Debug)]
enum Value {
    Text(Secret),
    Map(Fields),
    /// A number, true or false, null, or a list.
    Other,
}

impl Fields {
    /// The path of every leaf.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.walk("", &mut paths);
        paths
    }

    fn walk(&self, before: &str, paths: &mut Vec<String>) {
        for (name, value) in &self.0 {
            let path = format!("{before}{name}");
            match value {
                Value::Map(fields) => fields.walk(&format!("{path}."), paths),
                Value::Text(_) | Value::Other => paths.push(path),
            }
        }
    }

    /// The text at `path`; the inner none where something else is there.
    pub fn text(&self, path: &str) -> Option<Option<&Secret>> {
        if let Some((_, value)) = self.0.iter().find(|(name, _)| name == path) {
            return Some(match value {
                Value::Text(text) => Some(text),
                Value::Map(_) | Value::Other => None,
            });
        }
        let mut dots = path.match_indices('.');
        dots.find_map(|(dot, _)| {
            let (first, rest) = (&path[..dot], &path[dot + 1..]);
            self.0.iter().find_map(|(name, value)| match value {
                Value::Map(fields) if name == first => fields.text(rest),
                _ => None,
            })
        })
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Fields;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a map of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fields, A::Error> {
                fields(map)
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

fn fields<'de, A: MapAccess<'de>>(mut map: A) -> Result<Fields, A::Error> {
    let mut fields = Vec::new();
    while let Some(field) = map.next_entry()? {
        fields.push(field);
    }
    Ok(Fields(fields))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Value;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(Secret::new(text.to_owned())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                fields(map).map(Value::Map)
            }
        }
        deserializer.deserialize_any(Visit)
    }
}
