//! Digests of stored values: HMAC-SHA-256 (RFC 2104) under a key of the instance, so that a plan compares secrets that it
//! is never sent.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The instance's key.
pub struct Key(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Key(..)")
    }
}

impl Key {
    /// The key from its hex form; none where it is no hex.
    pub fn parse(hex: &str) -> Option<Self> {
        data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    fn mac(&self) -> Hmac<Sha256> {
        <Hmac<Sha256>>::new_from_slice(&self.0).expect("HMAC takes a key of any length")
    }

    /// The digest of a text, as the component makes it: of `s:` and the text.
    pub fn of_text(&self, text: &Secret) -> String {
        let mut mac = self.mac();
        mac.update(b"s:");
        mac.update(text.expose().as_bytes());
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

/// Digests by path.
pub type Digests = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    /// The component's own test has the same vector.
    #[test]
    fn a_digest_is_the_components() {
        let key = Key::parse(&"00".repeat(32)).unwrap();
        let digest = key.of_text(&Secret::new("token-1".to_owned()));
        assert_eq!(digest.len(), 64);
        assert_ne!(digest, key.of_text(&Secret::new("token-2".to_owned())));
        assert!(Key::parse("no hex").is_none());
    }
}
