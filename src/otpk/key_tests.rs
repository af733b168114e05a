//! OTPK-1: the format of facts section 1, and what a person may do to it while typing.

use proptest::prelude::*;

use super::*;

/// BIP-350's generator, written out once more: the crate must agree with a second reading of the standard.
fn polymod(values: impl IntoIterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.into_iter().fold(1, |check, value| {
        let top = check >> 25;
        let next = ((check & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATOR.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1).fold(next, |next, (_, term)| next ^ term)
    })
}

fn pepper() -> Pepper {
    Pepper::new((0..32).collect()).unwrap()
}

/// A key whose secret is 0, 1, 2, ...
fn known() -> ProvisioningKey {
    let mut bytes = Zeroizing::new([0_u8; BYTES]);
    bytes.iter_mut().take(TAGGED).zip(0..).for_each(|(byte, value)| *byte = value);
    ProvisioningKey::tagged(bytes, &pepper())
}

fn of(bytes: [u8; BYTES]) -> ProvisioningKey {
    ProvisioningKey(Zeroizing::new(bytes))
}

fn any_key() -> impl Strategy<Value = ProvisioningKey> {
    proptest::collection::vec(any::<u8>(), BYTES).prop_map(|bytes| of(bytes.try_into().unwrap()))
}

/// OTPK-1: a vector that pins the format; `python3` with `hmac` and BIP-350's reference code made it.
#[test]
fn the_format_is_pinned() {
    assert_eq!(known().canonical().expose(), include_str!("key_vector.txt").trim());
}

#[test]
fn the_checksum_is_bip_350() {
    let key = known().canonical();
    let data = key.expose().strip_prefix(PREFIX).unwrap();
    let alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let values = data.chars().map(|c| u8::try_from(alphabet.find(c).unwrap()).unwrap());
    let prefix = b"otpk".iter().map(|c| c >> 5).chain([0]).chain(b"otpk".iter().map(|c| c & 31));
    assert_eq!(polymod(prefix.chain(values)), 0x2bc8_30a3);
    assert_eq!(key.expose().len(), 75);
}

#[test]
fn the_paper_form_has_fourteen_groups_of_five() {
    let paper = known().grouped();
    let groups: Vec<&str> = paper.expose().split('-').collect();
    assert_eq!(groups[0], "OTPK1");
    assert_eq!(groups.len(), 1 + GROUPS);
    assert!(groups.iter().all(|group| group.len() == GROUP && !group.contains(char::is_lowercase)));
}

#[test]
fn only_the_pepper_that_minted_it_knows_a_key() {
    let key = ProvisioningKey::generate(&pepper()).unwrap();
    assert!(key.is_minted_with(&pepper()));
    assert!(!key.is_minted_with(&Pepper::generate().unwrap()));
    assert!(!of([7; BYTES]).is_minted_with(&pepper()));
}

#[test]
fn two_keys_share_nothing() {
    let (one, two) = (ProvisioningKey::generate(&pepper()).unwrap(), ProvisioningKey::generate(&pepper()).unwrap());
    assert_ne!(one.selector(), two.selector());
    assert!(!one.canonical().same_as(&two.canonical()));
}

#[test]
fn a_key_is_not_printed() {
    assert_eq!(format!("{:?} {:?}", known(), pepper()), "ProvisioningKey(..) Pepper(..)");
}

#[test]
fn look_alikes_are_read_as_what_was_meant() {
    let key = known();
    let typed = key.grouped().expose().replace('0', "O").replace('8', "B").replace('L', "1").replace("OTPK", "0tpk");
    let also = key.grouped().expose().replace("OTPK1", "OTPKl").replace('L', "i").replace('-', " \u{2011}\n");
    for typed in [typed, also] {
        assert!(ProvisioningKey::parse(&typed).unwrap().canonical().same_as(&key.canonical()));
    }
}

#[test]
fn what_is_no_key_says_why() {
    let paper = known().grouped();
    let paper = paper.expose();
    assert_eq!(ProvisioningKey::parse("").unwrap_err(), Error::Prefix);
    assert_eq!(ProvisioningKey::parse("hello world").unwrap_err(), Error::Prefix);
    assert_eq!(ProvisioningKey::parse(&paper[..80]).unwrap_err(), Error::Length { found: 62, group: None });
    let mut groups: Vec<&str> = paper.split('-').collect();
    groups[9] = &groups[9][1..];
    let shorter = groups.join("-");
    assert_eq!(ProvisioningKey::parse(&shorter).unwrap_err(), Error::Length { found: 69, group: Some(9) });
    let odd = format!("{}é{}", &paper[..6], &paper[7..]);
    assert_eq!(ProvisioningKey::parse(&odd).unwrap_err(), Error::Alphabet { group: 1 });
}

#[test]
fn errors_have_code_hint_and_no_key() {
    let paper = known().grouped();
    let wrong = paper.expose().replacen('Q', "P", 1);
    let problem = ProvisioningKey::parse(&wrong).unwrap_err().to_problem();
    assert_eq!(problem.code, "provisor::otpk::malformed_key");
    assert_eq!(problem.hint.as_deref(), Some("compare group 1 after `OTPK1` with the card"));
    assert_eq!(problem.message, "the provisioning key is mistyped, in group 1");
}

/// Every single substitution there is, in one key: all found, all in the right group.
#[test]
fn every_single_mistyping_is_located() {
    let right = known().symbols();
    for at in 0..DATA_CHARS {
        for value in 1..32 {
            let mut symbols = right.clone();
            symbols[at] ^= value;
            let typed: String = PREFIX.chars().chain(symbols.iter().map(|symbol| character(*symbol))).collect();
            assert_eq!(ProvisioningKey::parse(&typed).unwrap_err(), Error::Checksum { group: Some(group_of(at)) });
        }
    }
}

proptest! {
    #[test]
    fn every_key_is_read_back(key in any_key()) {
        for text in [key.canonical(), key.upper(), key.grouped()] {
            let read = ProvisioningKey::parse(text.expose()).unwrap();
            prop_assert!(read.0[..] == key.0[..]);
        }
    }

    #[test]
    fn swapped_neighbours_are_found(key in any_key(), at in 0..DATA_CHARS - 1) {
        let mut typed: Vec<char> = key.canonical().expose().chars().collect();
        typed.swap(PREFIX.len() + at, PREFIX.len() + at + 1);
        prop_assume!(typed[PREFIX.len() + at] != typed[PREFIX.len() + at + 1]);
        let within = group_of(at) == group_of(at + 1);
        let error = ProvisioningKey::parse(&typed.iter().collect::<String>()).unwrap_err();
        prop_assert_eq!(error, Error::Checksum { group: within.then(|| group_of(at)) });
    }

    #[test]
    fn two_to_four_mistypings_are_never_taken_for_a_key(
        key in any_key(),
        wrong in proptest::collection::btree_map(0..DATA_CHARS, 1_u8..32, 2..=4),
    ) {
        let mut symbols = key.symbols();
        for (at, value) in &wrong {
            symbols[*at] ^= value;
        }
        let typed: String = PREFIX.chars().chain(symbols.iter().map(|symbol| character(*symbol))).collect();
        let error = ProvisioningKey::parse(&typed).unwrap_err();
        let in_group = matches!(error, Error::Checksum { .. });
        prop_assert!(in_group);
    }

    #[test]
    fn nothing_that_is_typed_panics(typed in any::<String>(), tail in "[ -~]{0,90}") {
        let _ = ProvisioningKey::parse(&typed).is_ok();
        let _ = ProvisioningKey::parse(&format!("{PREFIX}{tail}")).is_ok();
    }
}
