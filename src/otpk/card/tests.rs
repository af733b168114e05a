//! OTPK-1: the printable card. What a printer and a scanner make of it needs their tools: see the ignored test.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::layout::{HEIGHT, WIDTH};
use super::*;
use crate::otpk::Pepper;

const PIN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRST";
const HUB: Address<'_> = Address { public_url: "https://hub.example.org:8443/", pin: Some(PIN) };

fn key() -> ProvisioningKey {
    ProvisioningKey::generate(&Pepper::new(vec![7; 32]).unwrap()).unwrap()
}

fn card(key: &ProvisioningKey) -> Card<'_> {
    let expires_at = "2026-03-02T12:00:00Z".parse().unwrap();
    Card { key, farm: "Nordhof", farmer: "Ada Ploughman", expires_at, hub: Some(HUB) }
}

fn svg(card: &Card<'_>) -> String {
    String::from_utf8(card.svg().unwrap().to_vec()).unwrap()
}

#[test]
fn the_code_says_hub_key_and_pin_in_upper_case() {
    let key = key();
    let upper = key.upper();
    let said = |url, pin| uri(&key, Some(Address { public_url: url, pin })).unwrap().expose().to_owned();
    assert_eq!(
        said("https://hub.example.org:8443", Some(PIN)),
        format!("OTPK://HUB.EXAMPLE.ORG:8443/{}/{PIN}", upper.expose())
    );
    assert_eq!(said("https://hub.example.org/", None), format!("OTPK://HUB.EXAMPLE.ORG/{}", upper.expose()));
    assert_eq!(said("http://127.0.0.1:80", None), format!("OTPK://127.0.0.1:80/{}", upper.expose()));
    assert_eq!(said("https://[::1]:443", None), format!("OTPK://[::1]/{}", upper.expose()));
    assert!(uri(&key, None).unwrap().same_as(&upper));
}

#[test]
fn an_address_that_a_card_cannot_carry_is_refused() {
    for public_url in ["hub.example.org", "ftp://hub.example.org", "https://hub.example.org/hub", "https://h/?a", ""] {
        let error = uri(&key(), Some(Address { public_url, pin: None })).unwrap_err();
        assert_eq!(error.code(), "provisor::otpk::card_failed", "{public_url}");
    }
}

#[test]
fn a_card_is_a6_at_most() {
    const { assert!(WIDTH <= 148.0 && HEIGHT <= 105.0) };
    let key = key();
    assert!(svg(&card(&key)).contains(r#"width="148mm" height="105mm" viewBox="0 0 148 105""#));
    let pdf = card(&key).pdf().unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
}

#[test]
fn the_groups_are_text() {
    let key = key();
    let svg = svg(&card(&key));
    let grouped = key.grouped();
    assert!(grouped.expose().split('-').all(|group| svg.contains(group)));
    for text in
        ["Nordhof", "Ada Ploughman", "2 March 2026, 12:00:00 UTC", "provisor farm enroll", "hub.example.org:8443"]
    {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn every_name_makes_a_card() {
    let key = key();
    let long = "Sehr langer Name eines Hofes mit vielen Worten ".repeat(8);
    for farm in ["", "<&\"'>]]>\u{0}\n", "農場 मेरा ฟาร์ม 🌾", "مزرعة الشمال", "Ünïcødé", &long, &"W".repeat(5000)]
    {
        let card = Card { farm, farmer: farm, ..card(&key) };
        let svg = svg(&card);
        assert!(!svg.contains('\u{0}') && !svg.contains("<&"));
        assert!(svg.len() < 60_000);
        assert!(card.pdf().unwrap().len() > 5000);
    }
}

#[test]
fn a_font_that_lies_is_no_font() {
    for length in [0, 4, 12, 100, 1000, 20_000] {
        if let Some(font) = font::Sfnt::parse(&font::SANS[..length]) {
            assert!(font.glyph('a').is_none());
        }
    }
    let mut damaged = font::SANS.to_vec();
    for at in (0..damaged.len()).step_by(97) {
        damaged[at] ^= 0xff;
    }
    if let Some(font) = font::Sfnt::parse(&damaged) {
        let _glyphs: Vec<_> =
            ('\u{0}'..'\u{3000}').map(|c| font.glyph(c).and_then(|glyph| font.advance(glyph))).collect();
    }
}

#[test]
fn the_key_font_has_what_a_key_has() {
    let mono = font::Sfnt::parse(font::MONO).unwrap();
    assert!("OTPK1-QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".chars().all(|c| mono.glyph(c).is_some()));
    assert!(font::has('é') && font::has('ж') && font::has('ש') && !font::has('農'));
}

fn run(folder: &Path, line: &str) -> String {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).unwrap()
}

/// Printed and scanned: the code of both forms says the URI, and the PDF's text is the key.
#[test]
#[ignore = "needs pdftoppm, pdftotext, pdfinfo, rsvg-convert and zbarimg"]
fn a_printed_card_can_be_scanned_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = key();
    for hub in [Some(HUB), None] {
        let card = Card { hub, farm: "Höfe & <農場>", ..card(&key) };
        fs::write(folder.join("card.pdf"), &*card.pdf().unwrap()).unwrap();
        fs::write(folder.join("card.svg"), &*card.svg().unwrap()).unwrap();
        run(folder, "pdftoppm -png -r 200 -singlefile card.pdf pdf");
        run(folder, "rsvg-convert --dpi-x 200 --dpi-y 200 -o svg.png card.svg");
        let wanted = uri(&key, hub).unwrap();
        for image in ["pdf.png", "svg.png"] {
            assert_eq!(run(folder, &format!("zbarimg --quiet --raw {image}")).trim(), wanted.expose());
        }
        let text = run(folder, "pdftotext card.pdf -");
        let start = text.find("OTPK1-").unwrap();
        let groups: Vec<&str> = text[start..].split(['-', ' ', '\n']).take(15).collect();
        assert_eq!(groups.join("-"), key.grouped().expose());
        assert!(text.contains("Höfe & <農場>") && text.contains("2 March 2026, 12:00:00 UTC"), "{text}");
        let info = run(folder, "pdfinfo card.pdf");
        assert!(info.contains("Pages:           1\n") && info.contains("419.528 x 297.638 pts"), "{info}");
    }
}
