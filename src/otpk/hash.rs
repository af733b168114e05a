//! The stored form of a key: an Argon2id hash as a standard PHC string.
//!
//! The hash is over the canonical key and without Argon2's own secret parameter, so that any Argon2 tool can verify
//! it and "stored as an Argon2id hash" can be checked from outside. The cost is OWASP's 19 MiB and two passes; the
//! working memory is kept by the caller and used again, which saves a third of the time.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64_NOPAD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Error, ProvisioningKey};

/// Memory in KiB: the first of OWASP's recommended sets for Argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;
const OUTPUT: usize = 32;

/// More memory than this a stored hash may not ask for: a changed row must not exhaust the hub.
const MOST_MEMORY_KIB: u32 = 1 << 17;
const MOST_PASSES: u32 = 16;

/// The working memory of one Argon2id run, 19 MiB once used; `Default` takes none yet.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    fn of(&mut self, params: &Params) -> &mut [Block] {
        let blocks = params.block_count();
        if self.0.len() < blocks {
            self.0.resize_with(blocks, Block::default);
        }
        &mut self.0[..blocks]
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Memory({} KiB)", self.0.len())
    }
}

/// Hashes `key` under a fresh salt. Takes tens of milliseconds of one core.
///
/// # Errors
/// There is no randomness, or no memory.
pub fn hash(key: &ProvisioningKey, memory: &mut Memory) -> Result<String, Error> {
    let mut salt = [0_u8; SALT];
    getrandom::fill(&mut salt).map_err(|_| Error::Randomness)?;
    let output = run(&params(MEMORY_KIB, PASSES, LANES)?, key, &salt, memory)?;
    let (salt, output) = (BASE64_NOPAD.encode(&salt), BASE64_NOPAD.encode(&output[..]));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${output}"))
}

/// Whether `stored` is a hash of `key`; compared in constant time.
///
/// # Errors
/// `stored` is no Argon2id hash in PHC form, or asks for more than a hub gives.
pub fn verify(key: &ProvisioningKey, stored: &str, memory: &mut Memory) -> Result<bool, Error> {
    let stored = Stored::parse(stored).ok_or(Error::Hash)?;
    let output = run(&stored.params, key, &stored.salt, memory)?;
    Ok(output[..].ct_eq(&stored.output).into())
}

/// Costs what [`verify`] costs and is never true: the answer for a selector that no row has.
///
/// # Errors
/// There is no memory.
pub fn verify_nothing(key: &ProvisioningKey, memory: &mut Memory) -> Result<(), Error> {
    run(&params(MEMORY_KIB, PASSES, LANES)?, key, &[0; SALT], memory).map(drop)
}

fn params(memory: u32, passes: u32, lanes: u32) -> Result<Params, Error> {
    Params::new(memory, passes, lanes, Some(OUTPUT)).map_err(|_| Error::Hash)
}

fn run(
    params: &Params,
    key: &ProvisioningKey,
    salt: &[u8],
    memory: &mut Memory,
) -> Result<Zeroizing<[u8; OUTPUT]>, Error> {
    let mut output = Zeroizing::new([0_u8; OUTPUT]);
    let blocks = memory.of(params);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(key.canonical().expose().as_bytes(), salt, &mut output[..], blocks)
        .map_err(|_| Error::Hashing)?;
    Ok(output)
}

/// A PHC string of ours, taken apart.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Stored {
    /// Reads `$argon2id$v=19$m=M,t=T,p=P$SALT$OUTPUT`; nothing else was ever written.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
        let (costs, salt, output) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let mut costs = costs.split(',');
        let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let (memory, passes, lanes) = (cost("m=")?, cost("t=")?, cost("p=")?);
        if costs.next().is_some() || memory > MOST_MEMORY_KIB || passes > MOST_PASSES {
            return None;
        }
        let salt = BASE64_NOPAD.decode(salt.as_bytes()).ok()?;
        let output = BASE64_NOPAD.decode(output.as_bytes()).ok()?;
        let whole = salt.len() == SALT && output.len() == OUTPUT;
        whole.then_some(Self { params: params(memory, passes, lanes).ok()?, salt, output })
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHash;
    use argon2::password_hash::PasswordVerifier as _;

    use super::*;
    use crate::otpk::Pepper;

    fn key() -> ProvisioningKey {
        ProvisioningKey::generate(&Pepper::generate().unwrap()).unwrap()
    }

    /// OTPK-2: a standard PHC string that any Argon2 tool verifies, over the canonical key.
    #[test]
    fn the_hash_is_a_phc_string_that_others_verify() {
        let key = key();
        let stored = hash(&key, &mut Memory::default()).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let parsed = PasswordHash::new(&stored).unwrap();
        let other = Argon2::default();
        other.verify_password(key.canonical().expose().as_bytes(), &parsed).unwrap();
        other.verify_password(key.upper().expose().as_bytes(), &parsed).unwrap_err();
    }

    #[test]
    fn only_its_key_fits_a_hash_and_memory_is_used_again() {
        let (one, two, mut memory) = (key(), key(), Memory::default());
        let stored = hash(&one, &mut memory).unwrap();
        assert_ne!(stored, hash(&one, &mut memory).unwrap());
        assert!(verify(&one, &stored, &mut memory).unwrap());
        assert!(!verify(&two, &stored, &mut memory).unwrap());
        verify_nothing(&one, &mut memory).unwrap();
        assert!(verify(&one, &stored, &mut memory).unwrap());
    }

    #[test]
    fn a_damaged_hash_is_an_error_and_takes_no_memory() {
        let stored = hash(&key(), &mut Memory::default()).unwrap();
        let damaged = [
            String::new(),
            stored.replace("argon2id", "argon2i"),
            stored.replace("m=19456", "m=4194304"),
            stored.replace("t=2", "t=4000000"),
            stored.replace("p=1", "p=0"),
            format!("{stored}$"),
            stored.replace("m=19456,t=2", "t=2,m=19456"),
            stored.replace("$m=", "$x=1,m="),
            stored[..stored.len() - 4].to_owned(),
        ];
        for damaged in damaged {
            assert_eq!(verify(&key(), &damaged, &mut Memory::default()).unwrap_err(), Error::Hash, "{damaged}");
        }
    }
}
