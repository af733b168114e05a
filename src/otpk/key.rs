//! The key itself: `otpk1`, 64 characters of data, 6 of checksum.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | selector, random: finds the row, and is nothing else |
//! | 4..36 | secret, 32 random bytes |
//! | 36..40 | tag: first 4 bytes of HMAC-SHA256(pepper, bytes 0..36) |
//!
//! 40 bytes are 64 characters of five bits without padding. With the checksum a key has 75 characters, within the 90
//! for which Bech32m promises to find every error of up to four characters.

use std::fmt;

use bech32::primitives::checksum::{Checksum as _, Engine};
use bech32::{Bech32m, Fe32, Hrp};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Error, Pepper, locate};
use crate::secret::Secret;

/// What every key begins with, in its canonical form.
pub const PREFIX: &str = "otpk1";
/// Characters after the prefix.
pub const DATA_CHARS: usize = 70;
/// Characters in a printed group.
pub const GROUP: usize = 5;
/// Groups of a printed key after `OTPK1`.
pub const GROUPS: usize = DATA_CHARS / GROUP;

const PAYLOAD_CHARS: usize = 64;
const BYTES: usize = 40;
const SELECTOR: usize = 4;
const TAGGED: usize = 36;
const HRP: Hrp = Hrp::parse_unchecked("otpk");

/// A provisioning key in memory: zeroed when dropped, never printed by itself.
pub struct ProvisioningKey(Zeroizing<[u8; BYTES]>);

impl ProvisioningKey {
    /// Mints a fresh key under `pepper`.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn generate(pepper: &Pepper) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        getrandom::fill(&mut bytes[..TAGGED]).map_err(|_| Error::Randomness)?;
        Ok(Self::tagged(bytes, pepper))
    }

    /// Reads a key as people type it: either case, with hyphens, spaces and line breaks, `o` for `0`, `i` or `1` for
    /// `l`, `b` for `8`. The checksum catches a wrong guess.
    ///
    /// # Errors
    /// It is no key; the error says where, and never what was typed.
    pub fn parse(typed: &str) -> Result<Self, Error> {
        let symbols = symbols(typed)?;
        let residue = residue(&symbols[..]);
        if residue != Bech32m::TARGET_RESIDUE {
            return Err(Error::Checksum { group: locate::group(residue ^ Bech32m::TARGET_RESIDUE) });
        }
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        for (byte, five) in bytes.chunks_exact_mut(5).zip(symbols[..PAYLOAD_CHARS].chunks_exact(8)) {
            let mut packed = five.iter().fold(0_u64, |packed, symbol| (packed << 5) | u64::from(*symbol));
            byte.copy_from_slice(&packed.to_be_bytes()[3..]);
            packed.zeroize();
        }
        Ok(Self(bytes))
    }

    /// The one form that is hashed, and that programs exchange: lower case, no hyphens.
    pub fn canonical(&self) -> Secret {
        let mut text = String::with_capacity(PREFIX.len() + DATA_CHARS);
        text.push_str(PREFIX);
        text.extend(self.symbols().iter().map(|symbol| character(*symbol)));
        Secret::new(text)
    }

    /// The form for a QR code: upper case, no hyphens, which its alphanumeric mode holds best.
    pub fn upper(&self) -> Secret {
        Secret::new(self.canonical().expose().to_ascii_uppercase())
    }

    /// The form for paper: `OTPK1-XXXXX-...`, fourteen groups of five.
    pub fn grouped(&self) -> Secret {
        let upper = self.upper();
        let mut text = String::with_capacity(upper.expose().len() + GROUPS);
        for (at, letter) in upper.expose().chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        Secret::new(text)
    }

    /// The part that finds the row. Kept as raw bytes, so that no piece of a printed key stands in the database.
    pub fn selector(&self) -> [u8; SELECTOR] {
        let mut selector = [0_u8; SELECTOR];
        selector.copy_from_slice(&self.0[..SELECTOR]);
        selector
    }

    /// Whether `pepper` made the tag; compared in constant time.
    pub fn is_minted_with(&self, pepper: &Pepper) -> bool {
        let mac = pepper.mac(&self.0[..TAGGED]);
        self.0[TAGGED..].ct_eq(&mac[..BYTES - TAGGED]).into()
    }

    fn tagged(mut bytes: Zeroizing<[u8; BYTES]>, pepper: &Pepper) -> Self {
        let mac = pepper.mac(&bytes[..TAGGED]);
        bytes[TAGGED..].copy_from_slice(&mac[..BYTES - TAGGED]);
        Self(bytes)
    }

    /// The 70 symbols after the prefix, five bits each: data, then checksum.
    fn symbols(&self) -> Zeroizing<[u8; DATA_CHARS]> {
        let mut symbols = Zeroizing::new([0_u8; DATA_CHARS]);
        for (five, byte) in symbols[..PAYLOAD_CHARS].chunks_exact_mut(8).zip(self.0.chunks_exact(5)) {
            let mut packed = byte.iter().fold(0_u64, |packed, byte| (packed << 8) | u64::from(*byte));
            for (at, symbol) in five.iter_mut().enumerate() {
                *symbol = five_bits(packed >> (35 - 5 * at));
            }
            packed.zeroize();
        }
        let mut engine = engine(&symbols[..PAYLOAD_CHARS]);
        engine.input_target_residue();
        for (at, symbol) in symbols[PAYLOAD_CHARS..].iter_mut().enumerate() {
            *symbol = five_bits(u64::from(*engine.residue()) >> (25 - 5 * at));
        }
        symbols
    }
}

impl fmt::Debug for ProvisioningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ProvisioningKey(..)")
    }
}

/// The residue of the whole code word: the target's, unless something is mistyped.
pub(super) fn residue(symbols: &[u8]) -> u32 {
    *engine(symbols).residue()
}

fn engine(symbols: &[u8]) -> Engine<Bech32m> {
    let mut engine = Engine::<Bech32m>::new();
    engine.input_hrp(HRP);
    for symbol in symbols {
        engine.input_fe(element(*symbol));
    }
    engine
}

fn element(symbol: u8) -> Fe32 {
    Fe32::try_from(symbol & 0x1f).expect("five bits are an element")
}

fn character(symbol: u8) -> char {
    element(symbol).to_char()
}

fn five_bits(bits: u64) -> u8 {
    u8::try_from(bits & 0x1f).expect("five bits fit a byte")
}

/// What was typed, as 70 symbols of five bits.
fn symbols(typed: &str) -> Result<Zeroizing<[u8; DATA_CHARS]>, Error> {
    let mut kept = Zeroizing::new(Vec::with_capacity(typed.len()));
    kept.extend(typed.chars().filter(|c| !is_separator(*c)));
    let (prefix, data) = kept.split_at_checked(PREFIX.len()).ok_or(Error::Prefix)?;
    if !prefix.iter().zip(PREFIX.chars()).all(|(typed, wanted)| is_prefix(*typed, wanted)) {
        return Err(Error::Prefix);
    }
    if data.len() != DATA_CHARS {
        return Err(Error::Length { found: data.len(), group: odd_group(typed) });
    }
    let mut symbols = Zeroizing::new([0_u8; DATA_CHARS]);
    for (at, (symbol, typed)) in symbols.iter_mut().zip(data).enumerate() {
        let element = Fe32::from_char(meant(*typed)).map_err(|_| Error::Alphabet { group: group_of(at) })?;
        *symbol = element.to_u8();
    }
    Ok(symbols)
}

/// The group, from 1, that the symbol at `at` is printed in.
pub(super) fn group_of(at: usize) -> u8 {
    u8::try_from(at / GROUP + 1).expect("a key has fourteen groups")
}

/// Hyphens, spaces and line breaks, also the look-alikes that word processors and PDF viewers put in their place.
fn is_separator(typed: char) -> bool {
    typed.is_whitespace()
        || matches!(typed, '-' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
}

/// The prefix is known, so its look-alikes can be taken for it without a guess.
fn is_prefix(typed: char, wanted: char) -> bool {
    let typed = typed.to_ascii_lowercase();
    typed == wanted || (wanted == 'o' && typed == '0') || (wanted == '1' && matches!(typed, 'i' | 'l'))
}

/// The character that was meant, where the alphabet leaves only one choice.
fn meant(typed: char) -> char {
    match typed.to_ascii_lowercase() {
        'o' => '0',
        'i' | '1' => 'l',
        'b' => '8',
        other => other,
    }
}

/// The only group without five characters, where fourteen were typed.
fn odd_group(typed: &str) -> Option<u8> {
    let mut lengths = typed.split(is_separator).filter(|group| !group.is_empty()).map(|group| group.chars().count());
    if lengths.next() != Some(PREFIX.len()) {
        return None;
    }
    let lengths: Vec<usize> = lengths.collect();
    let mut odd = lengths.iter().enumerate().filter(|(_, length)| **length != GROUP);
    match (lengths.len(), odd.next(), odd.next()) {
        (GROUPS, Some((at, _)), None) => Some(group_of(at * GROUP)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
