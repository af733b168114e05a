//! The card as PDF, with the fonts in it.
//!
//! Text is drawn in stretches of one direction and one font: the program's own where it has the characters, shaped as
//! the script asks; else one of the system's, glyph by glyph.

use std::collections::BTreeSet;

use krilla::Document;
use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph, TextDirection};
use zeroize::Zeroizing;

use super::Bytes;
use super::font::{self, Sfnt};
use super::layout::{HEIGHT, Sheet, Style, Text, WIDTH};
use crate::otpk::Error;

/// PDF counts in points.
const MM: f32 = 72.0 / 25.4;
const BLACK: u8 = 0;
const GREY: u8 = 0x44;
const LIGHT: u8 = 0x99;

pub(super) fn write(sheet: &Sheet) -> Result<Bytes, Error> {
    let fonts = Fonts::of(sheet)?;
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(sheet.title.clone()).language("en".to_owned()));
    let size = PageSettings::from_wh(WIDTH * MM, HEIGHT * MM).ok_or(Error::Card { reason: "the page has no size" })?;
    let mut page = document.start_page_with(size);
    let mut surface = page.surface();
    draw(sheet, &fonts, &mut surface);
    surface.finish();
    page.finish();
    document.finish().map(Zeroizing::new).map_err(|_| Error::Card { reason: "the PDF could not be written" })
}

fn draw(sheet: &Sheet, fonts: &Fonts, surface: &mut Surface<'_>) {
    let rule = &sheet.rule;
    fill(surface, LIGHT, std::iter::once((rule.x, rule.y, rule.width, 0.2)));
    fill(surface, BLACK, sheet.code.bars.iter().map(|bar| (bar.x, bar.y, bar.width, bar.height)));
    for text in &sheet.texts {
        let grey = if text.style == Style::Label { GREY } else { BLACK };
        surface.set_fill(Some(Fill { paint: luma::Color::new(grey).into(), ..Fill::default() }));
        match text.style {
            Style::Key => fonts.key(text, surface),
            Style::Plain | Style::Label => fonts.text(text, surface),
        }
    }
}

/// Fills rectangles of (left, top, width, height).
fn fill(surface: &mut Surface<'_>, grey: u8, bars: impl Iterator<Item = (f32, f32, f32, f32)>) {
    let mut path = PathBuilder::new();
    for (x, y, width, height) in bars {
        if let Some(rect) = Rect::from_xywh(x * MM, y * MM, width * MM, height * MM) {
            path.push_rect(rect);
        }
    }
    surface.set_fill(Some(Fill { paint: luma::Color::new(grey).into(), ..Fill::default() }));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

struct Fonts {
    sans: Font,
    mono: Font,
    /// For what `DejaVu Sans` lacks, each with the bytes that it was read from.
    others: Vec<(Font, Vec<u8>)>,
}

/// A stretch of text that one font draws in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Forward,
    Backward,
    /// In the system's font of this number; past the last, in none.
    Other(usize),
}

impl Fonts {
    fn of(sheet: &Sheet) -> Result<Self, Error> {
        let own = |data: &'static [u8]| Font::new(data.into(), 0).ok_or(Error::Card { reason: "a font is damaged" });
        let lacking: BTreeSet<char> =
            sheet.texts.iter().flat_map(|text| text.line.chars()).filter(|c| !font::has(*c)).collect();
        let others = font::of_system(lacking).into_iter();
        let others = others.filter_map(|data| Some((Font::new(data.clone().into(), 0)?, data))).collect();
        Ok(Self { sans: own(font::SANS)?, mono: own(font::MONO)?, others })
    }

    fn key(&self, text: &Text, surface: &mut Surface<'_>) {
        let start = Point::from_xy(text.x * MM, text.y * MM);
        surface.draw_text(start, self.mono.clone(), text.size * MM, &text.line, false, TextDirection::LeftToRight);
    }

    /// How to draw a character; `None` has no direction of its own, and is drawn with what is before it.
    fn kind(&self, c: char) -> Option<Kind> {
        match c {
            _ if c.is_whitespace() => None,
            _ if !font::has(c) => Some(Kind::Other(self.other_with(c))),
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' => Some(Kind::Backward),
            _ => Some(Kind::Forward),
        }
    }

    fn other_with(&self, c: char) -> usize {
        let has = |data: &[u8]| Sfnt::parse(data).is_some_and(|font| font.glyph(c).is_some());
        self.others.iter().position(|(_, data)| has(data)).unwrap_or(self.others.len())
    }

    fn text(&self, text: &Text, surface: &mut Surface<'_>) {
        let mut x = text.x;
        for (kind, part) in stretches(&text.line, |c| self.kind(c)) {
            let start = Point::from_xy(x * MM, text.y * MM);
            let size = text.size * MM;
            let direction =
                if kind == Kind::Backward { TextDirection::RightToLeft } else { TextDirection::LeftToRight };
            let other = if let Kind::Other(at) = kind { self.others.get(at) } else { None };
            if let Some((font, data)) = other {
                let glyphs = unshaped(data, part);
                surface.draw_glyphs(start, &glyphs, font.clone(), part, size, false);
                x += glyphs.iter().map(|glyph| glyph.x_advance).sum::<f32>() * text.size;
            } else {
                surface.draw_text(start, self.sans.clone(), size, part, false, direction);
                x += font::width(part, text.size);
            }
        }
    }
}

/// Cuts a text where font or direction change; what has no direction goes with what is before it.
fn stretches(text: &str, kind: impl Fn(char) -> Option<Kind>) -> Vec<(Kind, &str)> {
    let mut cuts: Vec<(Kind, usize)> = Vec::new();
    for (at, c) in text.char_indices() {
        let last = cuts.last().map(|(kind, _)| *kind);
        let kind = match (kind(c), last) {
            (Some(kind), _) => kind,
            (None, last) => last.unwrap_or(Kind::Forward),
        };
        if last != Some(kind) {
            cuts.push((kind, at));
        }
    }
    let ends = cuts.iter().skip(1).map(|(_, at)| *at).chain([text.len()]);
    cuts.iter().zip(ends).map(|((kind, start), end)| (*kind, &text[*start..end])).collect()
}

/// Each character's own glyph in a row, for a font that nobody vouches for: no shaping, nothing that could fail.
fn unshaped(data: &[u8], text: &str) -> Vec<KrillaGlyph> {
    let font = Sfnt::parse(data);
    let glyph = |c| font.as_ref().and_then(|font| font.glyph(c)).unwrap_or(0);
    let advance = |glyph| font.as_ref().and_then(|font| font.advance(glyph)).unwrap_or(1.0);
    text.char_indices()
        .map(|(at, c)| {
            let glyph = glyph(c);
            KrillaGlyph::new(GlyphId::new(u32::from(glyph)), advance(glyph), 0.0, 0.0, 0.0, at..at + c.len_utf8(), None)
        })
        .collect()
}
