//! The fonts of a card: two that come along, and the system's for scripts that those lack.
//!
//! `DejaVu Sans` has the scripts of Europe and the Middle East; it does not have those of East and South Asia, whose
//! fonts are many times larger than this program. Where a name needs them, the system's fonts are searched. The little
//! that is read here (which characters, how wide) takes nothing of a font for granted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every glyph of `DejaVu Sans`.
pub(super) const SANS: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");
/// The characters of a printed key.
pub(super) const MONO: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSansMono-Bold-key.ttf");

/// Where distributions keep fonts.
const FOLDERS: [&str; 3] = ["/usr/share/fonts", "/usr/local/share/fonts", "/run/current-system/sw/share/X11/fonts"];
/// How deep below them.
const DEEPEST: usize = 4;
/// More than any font for text has.
const LARGEST: u64 = 64 << 20;
/// As wide as a character that no font knows is drawn, in ems.
const UNKNOWN: f32 = 1.0;

/// How wide `text` is in `DejaVu Sans` at `size`, kerning not counted.
pub(super) fn width(text: &str, size: f32) -> f32 {
    let sans = Sfnt::parse(SANS);
    text.chars().map(|c| sans.as_ref().and_then(|sans| sans.advance(sans.glyph(c)?)).unwrap_or(UNKNOWN) * size).sum()
}

/// Whether `DejaVu Sans` has the character; blanks and joiners need none.
pub(super) fn has(c: char) -> bool {
    c.is_whitespace() || Sfnt::parse(SANS).is_some_and(|sans| sans.glyph(c).is_some())
}

/// As few of the system's fonts as have all of `wanted`, or what they have of it.
pub(super) fn of_system(mut wanted: BTreeSet<char>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    let mut paths: Vec<PathBuf> = FOLDERS.iter().flat_map(|folder| files(Path::new(folder), DEEPEST)).collect();
    paths.sort();
    while let Some(data) = best(&paths, &wanted) {
        if let Some(font) = Sfnt::parse(&data) {
            wanted.retain(|c| font.glyph(*c).is_none());
        }
        found.push(data);
    }
    found
}

/// The font with the most of `wanted`; none where no font has any.
fn best(paths: &[PathBuf], wanted: &BTreeSet<char>) -> Option<Vec<u8>> {
    let mut best: Option<(usize, Vec<u8>)> = None;
    for path in paths {
        let most = best.as_ref().map_or(0, |(most, _)| *most);
        if most == wanted.len() {
            break;
        }
        let Ok(data) = fs::read(path) else { continue };
        let has = Sfnt::parse(&data).map_or(0, |font| wanted.iter().filter(|c| font.glyph(**c).is_some()).count());
        if has > most {
            best = Some((has, data));
        }
    }
    best.map(|(_, data)| data)
}

/// The font files below a folder; one that cannot be read has none.
fn files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .flat_map(|path| match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && depth > 0 => files(&path, depth - 1),
            Ok(metadata) if metadata.is_file() && metadata.len() <= LARGEST && is_font(&path) => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

fn is_font(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["ttf", "otf", "ttc", "otc"].iter().any(|known| extension == *known))
}

/// A TrueType or OpenType font, or the first of a collection: only its characters and their widths.
pub(super) struct Sfnt<'d> {
    characters: Characters<'d>,
    widths: &'d [u8],
    full_widths: usize,
    units_per_em: f32,
}

/// The character map, in one of the two formats that Unicode fonts use.
enum Characters<'d> {
    Segments(&'d [u8]),
    Groups(&'d [u8]),
}

impl<'d> Sfnt<'d> {
    /// Reads the tables; `None` is a font that this program cannot use.
    pub(super) fn parse(data: &'d [u8]) -> Option<Self> {
        let start = if data.get(..4)? == b"ttcf" { long(data, 12)? } else { 0 };
        let tables = usize::from(short(data, start + 4)?);
        let table = |tag: &[u8; 4]| {
            let record = (0..tables).map(|at| start + 12 + 16 * at).find(|at| data.get(*at..at + 4) == Some(tag))?;
            let (offset, length) = (long(data, record + 8)?, long(data, record + 12)?);
            data.get(offset..offset.checked_add(length)?)
        };
        let units = short(table(b"head")?, 18)?;
        Some(Self {
            characters: Characters::parse(table(b"cmap")?)?,
            widths: table(b"hmtx")?,
            full_widths: usize::from(short(table(b"hhea")?, 34)?),
            units_per_em: f32::from(units.max(1)),
        })
    }

    /// The glyph of a character.
    pub(super) fn glyph(&self, c: char) -> Option<u16> {
        self.characters.glyph(u32::from(c)).filter(|glyph| *glyph != 0)
    }

    /// How far the next glyph stands from this one, in ems.
    pub(super) fn advance(&self, glyph: u16) -> Option<f32> {
        let at = usize::from(glyph).min(self.full_widths.checked_sub(1)?);
        Some(f32::from(short(self.widths, 4 * at)?) / self.units_per_em)
    }
}

impl<'d> Characters<'d> {
    /// The widest map of the table that is in a format we know.
    fn parse(cmap: &'d [u8]) -> Option<Self> {
        let maps = (0..usize::from(short(cmap, 2)?)).filter_map(|at| cmap.get(long(cmap, 8 + 8 * at)?..));
        let known = maps.filter_map(|map| match short(map, 0)? {
            12 => Some(Self::Groups(map)),
            4 => Some(Self::Segments(map)),
            _ => None,
        });
        known.max_by_key(|map| matches!(map, Self::Groups(_)))
    }

    fn glyph(&self, c: u32) -> Option<u16> {
        match self {
            Self::Groups(map) => in_groups(map, c),
            Self::Segments(map) => in_segments(map, u16::try_from(c).ok()?),
        }
    }
}

/// Format 12: groups of (first, last, glyph of the first), in order.
fn in_groups(map: &[u8], c: u32) -> Option<u16> {
    let value = |at| long(map, at).and_then(|value| u32::try_from(value).ok());
    let (mut low, mut high) = (0, long(map, 12)?);
    while low < high {
        let middle = low.midpoint(high);
        let group = 16 + middle.checked_mul(12)?;
        let (first, last) = (value(group)?, value(group + 4)?);
        if c < first {
            high = middle;
        } else if c > last {
            low = middle + 1;
        } else {
            return u16::try_from(value(group + 8)?.checked_add(c - first)?).ok();
        }
    }
    None
}

/// Format 4: segments, as arrays of last, first, delta and offset.
fn in_segments(map: &[u8], c: u16) -> Option<u16> {
    let arrays = usize::from(short(map, 6)?);
    let segment = (0..arrays / 2).map(|at| 14 + 2 * at).find(|at| short(map, *at).is_some_and(|last| c <= last))?;
    let (first, delta) = (short(map, segment + 2 + arrays)?, short(map, segment + 2 + 2 * arrays)?);
    let at = segment + 2 + 3 * arrays;
    let offset = usize::from(short(map, at)?);
    let within = usize::from(c.checked_sub(first)?);
    match offset {
        0 => Some(c.wrapping_add(delta)),
        _ => short(map, at + offset + 2 * within).filter(|glyph| *glyph != 0).map(|glyph| glyph.wrapping_add(delta)),
    }
}

fn short(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn long(data: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?)).ok()
}
