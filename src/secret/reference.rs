//! How a manifest names a secret (where it comes from) and a sink (where one goes), without ever holding a value.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Where a secret comes from: exactly one of the five.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretRef {
    /// A file of `$CREDENTIALS_DIRECTORY`, or of `--credentials-dir`.
    Credential(String),
    /// A file, relative to the manifest that names it.
    File(PathBuf),
    /// An environment variable of provisor itself.
    Env(String),
    /// A key of a Kubernetes Secret; operator mode only.
    SecretKeyRef(SecretKeyRef),
    /// A question asked on the terminal.
    Prompt(String),
}

/// A key of a Kubernetes Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// The Secret's name.
    pub name: String,
    /// The key in its `data`.
    pub key: String,
}

/// Where a secret goes: exactly one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SinkRef {
    /// A file of mode 0600 that holds exactly the value.
    File(PathBuf),
    /// A file encrypted to age recipients.
    Age(AgeSink),
    /// A key of a Kubernetes Secret; operator mode only.
    SecretKeyRef(SecretKeyRef),
}

/// A file encrypted with age (<https://age-encryption.org/v1>).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgeSink {
    /// The file, relative to the manifest that names it.
    pub file: PathBuf,
    /// Who can decrypt it: `age1...` or `ssh-ed25519`/`ssh-rsa` public keys; at least one.
    #[schemars(length(min = 1))]
    pub recipients: Vec<String>,
}

/// Where a provisioning key is delivered to: a sink, or a card to print.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// A file of mode 0600 that holds exactly the key.
    File(PathBuf),
    /// A file encrypted to age recipients.
    Age(AgeSink),
    /// A key of a Kubernetes Secret; operator mode only.
    SecretKeyRef(SecretKeyRef),
    /// A printable card with a QR code.
    Card(CardSink),
}

/// A printable card.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CardSink {
    /// The file; its ending, `.pdf` or `.svg`, says the format.
    #[schemars(regex(pattern = r"\.(pdf|svg)$"))]
    pub file: PathBuf,
}

impl SecretRef {
    /// The path that the reference holds, if it is a file.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }
}

impl SinkRef {
    /// The file that the sink writes, if it writes one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Age(age) => Some(&age.file),
            Self::SecretKeyRef(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::File(file) => Some(file),
            Self::Age(age) => Some(&mut age.file),
            Self::SecretKeyRef(_) => None,
        }
    }
}

impl Delivery {
    /// The sink, unless the delivery is a card.
    pub fn sink(&self) -> Option<SinkRef> {
        match self {
            Self::File(file) => Some(SinkRef::File(file.clone())),
            Self::Age(age) => Some(SinkRef::Age(age.clone())),
            Self::SecretKeyRef(key) => Some(SinkRef::SecretKeyRef(key.clone())),
            Self::Card(_) => None,
        }
    }

    /// The file that the delivery writes, if it writes one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Age(age) => Some(&age.file),
            Self::Card(card) => Some(&card.file),
            Self::SecretKeyRef(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::File(file) => Some(file),
            Self::Age(age) => Some(&mut age.file),
            Self::Card(card) => Some(&mut card.file),
            Self::SecretKeyRef(_) => None,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(out, "credential `{name}`"),
            Self::File(path) => write!(out, "file `{}`", path.display()),
            Self::Env(name) => write!(out, "environment variable `{name}`"),
            Self::SecretKeyRef(key) => write!(out, "key `{}` of Secret `{}`", key.key, key.name),
            Self::Prompt(text) => write!(out, "prompt `{text}`"),
        }
    }
}

/// An object with exactly one of `properties`: flat, so that it is structural in Kubernetes' sense, where serde's
/// own `oneOf` would not be.
#[expect(clippy::needless_pass_by_value, reason = "the macro takes it")]
fn exactly_one(description: &str, properties: serde_json::Value) -> Schema {
    json_schema!({
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}

fn text(description: &str) -> serde_json::Value {
    serde_json::json!({"description": description, "type": "string", "minLength": 1})
}

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        exactly_one(
            "Where a secret comes from: exactly one of these.",
            serde_json::json!({
                "credential": {
                    "description": "A file of `$CREDENTIALS_DIRECTORY`, or of `--credentials-dir`.",
                    "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[A-Za-z0-9_.@-]+$"
                },
                "file": text("A file, relative to the manifest that names it."),
                "env": text("An environment variable of provisor itself."),
                "secretKeyRef": generator.subschema_for::<SecretKeyRef>(),
                "prompt": text("A question asked on the terminal."),
            }),
        )
    }
}

impl JsonSchema for SinkRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SinkRef".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        exactly_one(
            "Where a secret goes: exactly one of these.",
            serde_json::json!({
                "file": text("A file of mode 0600 that holds exactly the value; its folder must exist."),
                "age": generator.subschema_for::<AgeSink>(),
                "secretKeyRef": generator.subschema_for::<SecretKeyRef>(),
            }),
        )
    }
}

impl JsonSchema for Delivery {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Delivery".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        exactly_one(
            "Where a provisioning key is delivered to: exactly one of these.",
            serde_json::json!({
                "file": text("A file of mode 0600 that holds exactly the key; its folder must exist."),
                "age": generator.subschema_for::<AgeSink>(),
                "secretKeyRef": generator.subschema_for::<SecretKeyRef>(),
                "card": generator.subschema_for::<CardSink>(),
            }),
        )
    }
}
