//! Which fields the integrations of Home Assistant have: stored keys, form fields, what is secret, what is required.
//!
//! Home Assistant itself tells nobody: an entry takes any key, and an integration that misses one fails when it is set
//! up, hours later. So the catalogue is made from its files ([`scan`]), committed for the current release, and looked
//! into by `validate`, by Nix, and where a plan decides what may be read by value.

pub mod names;
pub mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::diagnostic::closest;

/// The catalogue that is part of the program, as text.
const BUNDLED: &str = include_str!("../../schemas/home-assistant-catalog.json");

/// The first word of the file: what it is, and which form of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The only one so far.
    #[serde(rename = "provisor.dev/ha-catalog/v1")]
    V1,
}

/// The integrations of one Home Assistant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Catalog {
    /// What the file is.
    pub format: Format,
    /// The version it was made from.
    pub home_assistant: String,
    /// By domain. Only those that have entries.
    pub integrations: BTreeMap<String, Integration>,
}

/// One integration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Integration {
    /// The version of its entries.
    pub version: u32,
    /// Their minor version.
    pub minor_version: u32,
    /// There can be one entry only.
    pub single_entry: bool,
    /// It signs in by OAuth, through Home Assistant's helper.
    pub oauth: bool,
    /// All that it stores is known: a field that is not here is certainly wrong.
    pub complete: bool,
    /// By name as Home Assistant has it. Fields of the options are among them.
    pub fields: BTreeMap<String, Field>,
}

/// One field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, as the file has them")]
pub struct Field {
    /// The `data` of an entry can have it.
    pub stored: bool,
    /// A form asks for it.
    pub form: bool,
    /// A form marks it as secret, or its name says so.
    pub secret: bool,
    /// An entry needs it.
    pub required: bool,
}

/// What the catalogue says of a field that somebody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check<'a> {
    /// It is one.
    Known,
    /// The integration has no such field.
    Unknown {
        /// All of its fields are known, so that this is an error.
        complete: bool,
        /// The field that was probably meant.
        meant: Option<&'a str>,
    },
    /// There is no such integration.
    UnknownIntegration {
        /// The domain that was probably meant.
        meant: Option<&'a str>,
    },
}

impl Catalog {
    /// The catalogue of the release that this version of provisor was made for.
    ///
    /// Read at its first use: most runs have nothing to do with Home Assistant.
    pub fn bundled() -> &'static Self {
        static READ: LazyLock<Catalog> =
            LazyLock::new(|| Catalog::from_json(BUNDLED).expect("the tests read the committed catalogue"));
        &READ
    }

    /// Reads what [`Self::to_json`] writes.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// JSON with a line for each integration, in the order of their names, so that a new release shows as readable
    /// differences.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut text = format!(
            "{{\n\"format\": {},\n\"homeAssistant\": {},\n\"integrations\": {{\n",
            serde_json::to_string(&self.format)?,
            serde_json::to_string(&self.home_assistant)?,
        );
        for (at, (domain, integration)) in self.integrations.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { ",\n" });
            text.push_str(&format!("{}: {}", serde_json::to_string(domain)?, serde_json::to_string(integration)?));
        }
        text.push_str("\n}\n}\n");
        Ok(text)
    }

    /// The integration of that domain.
    pub fn integration(&self, domain: &str) -> Option<&Integration> {
        self.integrations.get(domain)
    }

    /// The name under which Home Assistant stores what a manifest calls `written`.
    ///
    /// The written name where the integration has it, else in its `snake_case`: `refreshToken` is `refresh_token`, and
    /// `token.refreshToken` is `token.refresh_token`. For `credentials`; names in `data` and `options` are verbatim.
    pub fn stored_name<'n>(&self, domain: &str, written: &'n str) -> Cow<'n, str> {
        let (first, rest) = written.split_once('.').map_or((written, None), |(first, rest)| (first, Some(rest)));
        let has = |name: &str| self.integration(domain).is_some_and(|own| own.fields.contains_key(name));
        if has(written) {
            return Cow::Borrowed(written);
        }
        match rest {
            Some(rest) if has(first) => match names::snake_case(rest) {
                Cow::Borrowed(_) => Cow::Borrowed(written),
                Cow::Owned(rest) => Cow::Owned(format!("{first}.{rest}")),
            },
            _ => names::snake_case(written),
        }
    }

    /// Whether the integration has the field. Of a dotted name, the first part counts: what is inside a field is the
    /// integration's own affair.
    pub fn check_field(&self, domain: &str, stored: &str) -> Check<'_> {
        let Some(integration) = self.integration(domain) else {
            return Check::UnknownIntegration { meant: closest(domain, self.integrations.keys().map(String::as_str)) };
        };
        let name = first_part(stored);
        if integration.fields.contains_key(name) || integration.fields.contains_key(stored) {
            return Check::Known;
        }
        let meant = closest(name, integration.fields.keys().map(String::as_str));
        Check::Unknown { complete: integration.complete, meant }
    }

    /// Whether the field belongs under `credentials`: the integration marks it so, or any part of its name says so
    /// ([`names::is_credential_like`]). Also of integrations and fields that the catalogue does not know.
    pub fn is_secret(&self, domain: &str, name: &str) -> bool {
        let is_marked =
            |name| self.integration(domain).and_then(|own| own.fields.get(name)).is_some_and(|own| own.secret);
        is_marked(name) || is_marked(first_part(name)) || name.split('.').any(names::is_credential_like)
    }

    /// The fields that an entry of the integration needs.
    pub fn required(&self, domain: &str) -> impl Iterator<Item = &str> {
        self.fields(domain).filter(|(_, field)| field.required).map(|(name, _)| name)
    }

    /// Whether there can be one entry of the integration only.
    pub fn single_entry(&self, domain: &str) -> bool {
        self.integration(domain).is_some_and(|own| own.single_entry)
    }

    /// The stored fields that are no secrets, so that they may be read and shown by value.
    pub fn plain_fields(&self, domain: &str) -> impl Iterator<Item = &str> {
        self.fields(domain).filter(|(_, field)| field.stored && !field.secret).map(|(name, _)| name)
    }

    fn fields(&self, domain: &str) -> impl Iterator<Item = (&str, Field)> {
        let fields = self.integration(domain).into_iter().flat_map(|own| &own.fields);
        fields.map(|(name, field)| (name.as_str(), *field))
    }
}

fn first_part(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
