//! What every resource has: its lifecycle, durations, names.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a resource is created, kept and removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// What pruning does once no manifest declares the resource any more; kept with the ownership mark.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: DeletionPolicy,
    /// Refuse to remove it, also under `--prune`; kept with the ownership mark.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prevent_destroy: bool,
    /// Whether an object that is there already, and nobody's, may be taken over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub adopt: Adopt,
    /// Neither compare nor change the resource for now; its object is no orphan.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
    /// What to do with a secret that its holder rotated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_drift: OnDrift,
}

/// The lifecycle of a device: as of any resource, and whether it may be provisioned again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceLifecycle {
    /// What pruning does once no manifest declares the resource any more; kept with the ownership mark.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: DeletionPolicy,
    /// Refuse to remove it, also under `--prune`; kept with the ownership mark.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prevent_destroy: bool,
    /// Whether an object that is there already, and nobody's, may be taken over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub adopt: Adopt,
    /// Neither compare nor change the resource for now; its object is no orphan.
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend: bool,
    /// What to do with a secret that its holder rotated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_drift: OnDrift,
    /// The device is at hand and will be flashed anew: its secret may be replaced.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reprovision: bool,
}

impl DeviceLifecycle {
    /// The part that every resource has.
    pub fn common(&self) -> Lifecycle {
        Lifecycle {
            deletion_policy: self.deletion_policy,
            prevent_destroy: self.prevent_destroy,
            adopt: self.adopt,
            suspend: self.suspend,
            on_drift: self.on_drift,
        }
    }
}

/// What pruning does with an object that no manifest declares any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum DeletionPolicy {
    /// Remove the object.
    #[default]
    Delete,
    /// Switch it off and keep it.
    Disable,
    /// Remove our mark and leave the object.
    Orphan,
}

/// Whether an existing object that nobody owns may be taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum Adopt {
    /// It is a conflict.
    #[default]
    Never,
    /// Only where every declared field is as declared.
    IfIdentical,
    /// Take it and change what differs.
    Always,
}

/// What to do with a secret that its holder rotated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum OnDrift {
    /// Keep the holder's value and report it.
    #[default]
    Keep,
    /// Write the declared value again.
    Restore,
}

/// Whether `value` is what an absent field means, so that it need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The default of `enabled`.
pub(crate) fn yes() -> bool {
    true
}

/// Whether `value` is the default of `enabled`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn is_true(value: &bool) -> bool {
    *value
}

/// A span of time as written in manifests: integers with `ms`, `s`, `m`, `h` or `d`, one or more, such as `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    /// A span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The span as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return out.write_str("0s");
        }
        for (unit, size) in UNITS {
            if rest >= size {
                write!(out, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

/// The text is no span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write an integer and `ms`, `s`, `m`, `h` or `d`, one or more, such as `1h30m`")]
pub struct ParseSpanError;

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let mut rest = text;
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(ParseSpanError)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, next) = after.split_at(letters);
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(ParseSpanError)?;
            let number: u64 = number.parse().map_err(|_| ParseSpanError)?;
            total = number.checked_mul(*size).and_then(|part| total.checked_add(part)).ok_or(ParseSpanError)?;
            rest = next;
        }
        if text.is_empty() { Err(ParseSpanError) } else { Ok(Self(Duration::from_millis(total))) }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d))+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write_alike() {
        for (text, seconds) in [("24h", 86_400), ("1h30m", 5400), ("90s", 90), ("2d12h", 216_000), ("15m", 900)] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.duration().as_secs(), seconds);
            assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }
        assert_eq!("250ms".parse::<Span>().unwrap().duration().as_millis(), 250);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "4", "h", "4 h", "1.5h", "-4h", "4w", "99999999999999999999s", "300000000000000d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
