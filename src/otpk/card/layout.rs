//! What goes where on a card, in millimetres from its top left corner.

use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use super::{Card, authority, font, uri};
use crate::otpk::Error;

/// A6, lying.
pub(super) const WIDTH: f32 = 148.0;
pub(super) const HEIGHT: f32 = 105.0;

const MARGIN: f32 = 9.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Where values stand beside their labels.
const VALUES: f32 = 32.0;
/// Where the groups and the advice begin.
const RIGHT: f32 = 70.0;
/// One typographic point.
const POINT: f32 = 25.4 / 72.0;

/// The modules that a QR code's border must have.
const QUIET: f32 = 4.0;
/// The side of the code with its border; its left border may lie on the margin.
const CODE: f32 = 57.0;
/// Groups on each line; with the prefix the first line is as long as the others.
const LINES: [std::ops::Range<usize>; 5] = [0..3, 3..6, 6..9, 9..12, 12..15];

/// A card ready to be drawn.
pub(super) struct Sheet {
    pub(super) title: String,
    pub(super) texts: Vec<Text>,
    pub(super) rule: Rule,
    pub(super) code: Code,
}

/// A line of text on its baseline.
pub(super) struct Text {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) style: Style,
    pub(super) line: Zeroizing<String>,
}

/// How a text looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// What counts.
    Plain,
    /// What explains it.
    Label,
    /// The key.
    Key,
}

/// A thin line across.
pub(super) struct Rule {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
}

/// The dark parts of the code, as bars of one module's height.
pub(super) struct Code {
    pub(super) bars: Vec<Bar>,
}

/// A dark bar.
pub(super) struct Bar {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Sheet {
    pub(super) fn of(card: &Card<'_>) -> Result<Self, Error> {
        let mut texts = Vec::new();
        head(card, &mut texts);
        groups(card, &mut texts);
        advice(card, &mut texts)?;
        let title = format!("Provisioning key for {}", printable(card.farm));
        Ok(Self { title, texts, rule: Rule { x: MARGIN, y: 39.5, width: INNER }, code: Code::of(card)? })
    }
}

fn head(card: &Card<'_>, texts: &mut Vec<Text>) {
    texts.push(Text::new(MARGIN, 12.5, 8.0, Style::Label, "ONE-TIME PROVISIONING KEY"));
    let (size, lines) = fit(&printable(card.farm), INNER);
    let first = if lines.len() == 1 { 22.5 } else { 18.5 };
    for (line, text) in (0_u8..).zip(lines) {
        texts.push(Text::new(MARGIN, first + 5.5 * f32::from(line), size, Style::Plain, &text));
    }
    let until = card.expires_at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string();
    for (y, label, value) in [(30.0, "Farmer", card.farmer), (36.0, "Good until", &until)] {
        texts.push(Text::new(MARGIN, y, 9.0, Style::Label, label));
        let value = shorten(&printable(value), 11.0 * POINT, WIDTH - MARGIN - VALUES);
        texts.push(Text::new(VALUES, y, 11.0, Style::Plain, &value));
    }
}

/// The key as people type it: fourteen groups behind the prefix, three on a line. No hyphen ends a line: whoever takes
/// the text out of the PDF would lose it, and the groups on either side would run together.
fn groups(card: &Card<'_>, texts: &mut Vec<Text>) {
    let key = card.key.grouped();
    let parts: Vec<&str> = key.expose().split('-').collect();
    for (line, range) in (0_u8..).zip(LINES) {
        let text = Zeroizing::new(parts[range].join("-"));
        let y = 49.5 + 7.6 * f32::from(line);
        texts.push(Text { x: RIGHT, y, size: 17.5 * POINT, style: Style::Key, line: text });
    }
}

fn advice(card: &Card<'_>, texts: &mut Vec<Text>) -> Result<(), Error> {
    let hub = card.hub.map(|hub| authority(hub.public_url)).transpose()?;
    let hub = hub.map(|hub| format!("The hub is {hub}."));
    let lines = [
        "On the farm's computer, run “provisor farm enroll”",
        "and type the key, or hand it the text of the code.",
        "The key works once. Keep it secret until then.",
    ];
    let lines = lines.into_iter().chain(hub.as_deref());
    for (line, text) in (0_u8..).zip(lines) {
        let text = shorten(text, 7.5 * POINT, WIDTH - MARGIN - RIGHT);
        texts.push(Text::new(RIGHT, 86.5 + 3.8 * f32::from(line), 7.5, Style::Label, &text));
    }
    Ok(())
}

impl Text {
    /// `points` is the size as printers count it.
    fn new(x: f32, y: f32, points: f32, style: Style, text: &str) -> Self {
        Self { x, y, size: points * POINT, style, line: Zeroizing::new(text.to_owned()) }
    }
}

impl Code {
    fn of(card: &Card<'_>) -> Result<Self, Error> {
        let text = uri(card.key, card.hub)?;
        let code = QrCode::with_error_correction_level(text.expose(), EcLevel::M)
            .map_err(|_| Error::Card { reason: "the hub's address is too long for a code" })?;
        let side = code.width();
        let dark: Zeroizing<Vec<bool>> =
            Zeroizing::new(code.into_colors().into_iter().map(|color| color == qrcode::Color::Dark).collect());
        let module = CODE / (count(side) + 2.0 * QUIET);
        let left = MARGIN;
        let top = HEIGHT - MARGIN - count(side) * module;
        let mut bars = Vec::new();
        for (row, modules) in dark.chunks(side).enumerate() {
            for (start, end) in runs(modules) {
                bars.push(Bar {
                    x: left + count(start) * module,
                    y: top + count(row) * module,
                    width: count(end - start) * module,
                    height: module,
                });
            }
        }
        Ok(Self { bars })
    }
}

/// The stretches of dark modules in a row, as (first, one after the last).
fn runs(modules: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in modules.iter().enumerate().filter(|(_, dark)| **dark) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// A number of modules; a code has at most 177.
fn count(modules: usize) -> f32 {
    u16::try_from(modules).map_or(f32::MAX, f32::from)
}

/// A name with nothing in it that moves the pen or that XML forbids.
fn printable(name: &str) -> String {
    let kept = |c: char| {
        if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}') { ' ' } else { c }
    };
    name.chars().map(kept).collect::<String>().trim().to_owned()
}

/// The largest size at which a name fits on one line; else two lines of the smallest.
fn fit(name: &str, room: f32) -> (f32, Vec<String>) {
    const SIZES: [f32; 5] = [22.0, 19.0, 16.0, 14.0, 12.0];
    if let Some(size) = SIZES.into_iter().find(|size| font::width(name, size * POINT) <= room) {
        return (size, vec![name.to_owned()]);
    }
    let size = SIZES[SIZES.len() - 1];
    let head = prefix(name, size * POINT, room);
    let cut = head.rfind(' ').filter(|cut| *cut > 0).unwrap_or(head.len());
    let (head, tail) = name.split_at(cut);
    (size, vec![head.to_owned(), shorten(tail.trim_start(), size * POINT, room)])
}

/// `text`, or as much of it as fits, with an ellipsis.
fn shorten(text: &str, size: f32, room: f32) -> String {
    if font::width(text, size) <= room {
        return text.to_owned();
    }
    let kept = prefix(text, size, room - font::width("…", size));
    format!("{}…", kept.trim_end())
}

/// The longest beginning of `text` that fits.
fn prefix(text: &str, size: f32, room: f32) -> &str {
    let mut used = 0.0;
    let end = text.char_indices().find(|(at, c)| {
        used += font::width(&text[*at..*at + c.len_utf8()], size);
        used > room
    });
    end.map_or(text, |(at, _)| &text[..at])
}
