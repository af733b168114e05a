//! Finding where a key is mistyped.
//!
//! The code is linear: an error changes the residue by an amount that depends on its place and its value only, not on
//! the key. Bech32m words of this length differ in at least five places, so a residue that one wrong character
//! explains has no second explanation by one or two of them. What is found is told to a person and never used to
//! correct a key.

use std::sync::LazyLock;

use super::key::{self, DATA_CHARS};

/// How symbol `value` at place `at` changes the residue.
static EFFECT: LazyLock<Vec<[u32; 32]>> = LazyLock::new(|| {
    let zeros = [0_u8; DATA_CHARS];
    let nothing = key::residue(&zeros);
    let effect = |at: usize, value: u8| {
        let mut symbols = zeros;
        symbols[at] = value;
        key::residue(&symbols) ^ nothing
    };
    (0..DATA_CHARS)
        .map(|at| {
            let mut effects = [0_u32; 32];
            effects.iter_mut().zip(0_u8..).for_each(|(slot, value)| *slot = effect(at, value));
            effects
        })
        .collect()
});

/// The group, 1 to 14, of the one wrong character, or of two neighbours that changed places within it.
pub(super) fn group(syndrome: u32) -> Option<u8> {
    single(syndrome).or_else(|| swapped(syndrome))
}

fn single(syndrome: u32) -> Option<u8> {
    EFFECT.iter().position(|effects| effects.contains(&syndrome)).map(key::group_of)
}

/// A swap changes both places by the same value.
fn swapped(syndrome: u32) -> Option<u8> {
    let pairs = EFFECT.iter().zip(EFFECT.iter().skip(1));
    let at = pairs
        .enumerate()
        .position(|(_, (left, right))| left.iter().zip(right).any(|(left, right)| left ^ right == syndrome))?;
    let group = key::group_of(at);
    (group == key::group_of(at + 1)).then_some(group)
}
