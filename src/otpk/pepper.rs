//! The hub's pepper: the HMAC key behind a provisioning key's tag.
//!
//! It is a gate against floods, not the authentication: without it nobody can make a key that reaches Argon2id.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Error;

/// The fewest bytes that a pepper has.
pub(super) const MIN_BYTES: usize = 32;

/// What a pepper's fingerprint is taken over; parts it from the tags of keys, which are taken over 36 bytes.
const FINGERPRINT_OF: &[u8] = b"provisor.dev/pepper/v1";

/// The bytes of `hub.pepper`, none trimmed.
pub struct Pepper(Zeroizing<Vec<u8>>);

impl Pepper {
    /// Takes the bytes of a pepper file.
    ///
    /// # Errors
    /// There are fewer than 32.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() < MIN_BYTES {
            return Err(Error::ShortPepper { found: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// A fresh pepper of 32 bytes.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0_u8; MIN_BYTES]);
        getrandom::fill(&mut bytes).map_err(|_| Error::Randomness)?;
        Ok(Self(bytes))
    }

    /// The bytes, for the one call that stores them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Names this pepper without giving it away, so that a store can tell whether it is the one it was made with.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.mac(FINGERPRINT_OF)
    }

    /// HMAC-SHA256 of `message` under this pepper.
    pub(super) fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pepper(..)")
    }
}
