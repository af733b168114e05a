//! Ownership marks, and the three-way rule for secrets.
//!
//! There is no state file: what provisor manages is marked in the target itself. The mark says whose it is, which
//! resource means it, what pruning may do once the manifest is gone, and salted digests of the secrets last applied.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::plan::Reason;
use crate::id::ResourceId;
use crate::manifest::kinds::common::{DeletionPolicy, Lifecycle, OnDrift, is_default};
use crate::secret::Secret;

/// The mark on an object that provisor manages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Who manages the object (`--owner`).
    pub owner: String,
    /// Which resource means it.
    pub resource: ResourceId,
    /// What holds when the manifest is gone, and what was applied last.
    pub applied: Applied,
}

/// The part of a mark that only provisor reads (`provisor.applied`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// What identifies the object that was marked: whatever else carries the mark is somebody's copy. Older marks do not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Digests of the secrets last applied, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Digest>,
    /// What pruning does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: DeletionPolicy,
    /// Whether pruning is refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prevent_destroy: bool,
}

impl Mark {
    /// The mark that `owner` puts on the object of `resource`, with no key and no secret applied yet.
    pub fn new(owner: &str, resource: &ResourceId, lifecycle: &Lifecycle) -> Self {
        Self {
            owner: owner.to_owned(),
            resource: resource.clone(),
            applied: Applied {
                key: None,
                secrets: BTreeMap::new(),
                deletion_policy: lifecycle.deletion_policy,
                prevent_destroy: lifecycle.prevent_destroy,
            },
        }
    }
}

/// A salted digest: HMAC-SHA-256 (RFC 2104) of a secret under a random salt, as `SALT:DIGEST` in hex.
///
/// It tells whether a secret is the one last applied. Whoever can read it in the target can read the secret there too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Digests `secret` under a fresh salt.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn of(secret: &Secret) -> Result<Self, getrandom::Error> {
        let mut salt = [0_u8; 16];
        getrandom::fill(&mut salt)?;
        Ok(Self(format!(
            "{}:{}",
            data_encoding::HEXLOWER.encode(&salt),
            data_encoding::HEXLOWER.encode(&Self::mac(&salt, secret))
        )))
    }

    /// Whether `secret` is what was digested; false for a digest that cannot be read.
    pub fn matches(&self, secret: &Secret) -> bool {
        let Some((salt, digest)) = self.0.split_once(':') else { return false };
        let (Ok(salt), Ok(digest)) = (
            data_encoding::HEXLOWER_PERMISSIVE.decode(salt.as_bytes()),
            data_encoding::HEXLOWER_PERMISSIVE.decode(digest.as_bytes()),
        ) else {
            return false;
        };
        Self::mac(&salt, secret).ct_eq(&digest).into()
    }

    fn mac(salt: &[u8], secret: &Secret) -> Vec<u8> {
        let mut mac = <Hmac<Sha256>>::new_from_slice(salt).expect("HMAC takes a key of any length");
        mac.update(secret.expose().as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

/// What the three-way rule says of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As declared.
    Same,
    /// To be written (or its digest recorded), and why.
    Write(Reason),
    /// The holder rotated it; kept.
    Rotated,
}

impl Verdict {
    /// The reason to list the field under; none where it is as declared.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Same => None,
            Self::Write(reason) => Some(reason),
            Self::Rotated => Some(Reason::Rotated),
        }
    }
}

/// The three-way comparison of last applied (`base`), declared and actual.
///
/// Declared = base and actual differs: the holder rotated it since, and it is kept unless `on_drift` insists. Declared
/// differs from base: the declaration changed, and wins. Actual = declared but base unknown or older: only the digest
/// is to be recorded, or a later rotation could not be told from a change.
pub fn three_way(declared: &Secret, base: Option<&Digest>, actual: Option<&Secret>, on_drift: OnDrift) -> Verdict {
    let declared_is_base = base.is_some_and(|base| base.matches(declared));
    match actual {
        None => Verdict::Write(Reason::Absent),
        Some(actual) if actual.same_as(declared) && declared_is_base => Verdict::Same,
        Some(actual) if !actual.same_as(declared) && declared_is_base && on_drift == OnDrift::Keep => Verdict::Rotated,
        Some(_) => Verdict::Write(Reason::Changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    /// REC-8.
    #[test]
    fn a_rotated_secret_is_kept_and_a_changed_declaration_wins() {
        let base = Digest::of(&secret("one")).unwrap();
        let cases = [
            ("one", Some("one"), OnDrift::Keep, Verdict::Same),
            ("one", Some("two"), OnDrift::Keep, Verdict::Rotated),
            ("one", Some("two"), OnDrift::Restore, Verdict::Write(Reason::Changed)),
            ("two", Some("one"), OnDrift::Keep, Verdict::Write(Reason::Changed)),
            ("two", Some("three"), OnDrift::Keep, Verdict::Write(Reason::Changed)),
            ("two", Some("two"), OnDrift::Keep, Verdict::Write(Reason::Changed)),
            ("one", None, OnDrift::Keep, Verdict::Write(Reason::Absent)),
        ];
        for (declared, actual, on_drift, verdict) in cases {
            let actual = actual.map(secret);
            assert_eq!(
                three_way(&secret(declared), Some(&base), actual.as_ref(), on_drift),
                verdict,
                "{declared} {on_drift:?}"
            );
        }
        assert_eq!(
            three_way(&secret("one"), None, Some(&secret("two")), OnDrift::Keep),
            Verdict::Write(Reason::Changed)
        );
    }

    #[test]
    fn two_digests_of_one_secret_differ_and_a_broken_one_matches_nothing() {
        let (one, two) = (Digest::of(&secret("s")).unwrap(), Digest::of(&secret("s")).unwrap());
        assert_ne!(one, two);
        assert!(one.matches(&secret("s")) && !one.matches(&secret("t")));
        assert!(!Digest("zz:zz".to_owned()).matches(&secret("s")) && !Digest(String::new()).matches(&secret("")));
    }
}
