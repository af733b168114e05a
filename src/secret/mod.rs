//! Secrets: where they come from, where they go, and a type that cannot be printed.
//!
//! A [`Secret`] has no `Display`, no `Serialize`, a `Debug` that says nothing, and is zeroed when dropped. Its only
//! door is [`Secret::expose`]: to review what touches secrets, search for that word.

pub mod error;
pub mod reference;
pub mod sink;
pub mod sops;
pub mod source;

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// A secret value: text, zeroed on drop, never printed.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of `value`; neither the caller nor the allocator keeps a copy.
    pub fn new(value: String) -> Self {
        // Not by `String::into_boxed_str`: what that leaves behind when it moves the text is not zeroed.
        let value = Zeroizing::new(value);
        Self(SecretString::from(Box::<str>::from(value.as_str())))
    }

    /// A fresh secret of `bytes` random bytes from the operating system, as unpadded base64url text.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn generate(bytes: usize) -> Result<Self, getrandom::Error> {
        let mut raw = Zeroizing::new(vec![0_u8; bytes]);
        getrandom::fill(&mut raw)?;
        Ok(Self::new(data_encoding::BASE64URL_NOPAD.encode(&raw)))
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether both are the same text, compared in constant time for equal lengths.
    pub fn same_as(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
