//! The card as SVG. Viewers bring the fonts, so every script that theirs have is shown.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::Bytes;
use super::layout::{HEIGHT, Sheet, Style, WIDTH};

/// More than a card needs: a buffer that grows leaves copies of the key behind.
const CAPACITY: usize = 256 << 10;

pub(super) fn write(sheet: &Sheet) -> Bytes {
    let mut out = Zeroizing::new(String::with_capacity(CAPACITY));
    // Writing to a string does not fail.
    let _written = draw(sheet, &mut out);
    Zeroizing::new(std::mem::take(&mut *out).into_bytes())
}

fn draw(sheet: &Sheet, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}mm" height="{HEIGHT}mm" viewBox="0 0 {WIDTH} {HEIGHT}">"#
    )?;
    writeln!(out, "<title>{}</title>", Escaped(&sheet.title))?;
    writeln!(out, r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>"##)?;
    let rule = &sheet.rule;
    writeln!(out, r##"<rect x="{}" y="{}" width="{}" height="0.2" fill="#999"/>"##, rule.x, rule.y, rule.width)?;
    out.push_str(r##"<path shape-rendering="crispEdges" fill="#000" d=""##);
    for bar in &sheet.code.bars {
        write!(out, "M{:.4} {:.4}h{:.4}v{:.4}h-{:.4}z", bar.x, bar.y, bar.width, bar.height, bar.width)?;
    }
    out.push_str("\"/>\n");
    for text in &sheet.texts {
        let (family, color) = match text.style {
            Style::Plain => ("DejaVu Sans, Verdana, sans-serif", "#000"),
            Style::Label => ("DejaVu Sans, Verdana, sans-serif", "#444"),
            Style::Key => ("DejaVu Sans Mono, Menlo, Consolas, monospace", "#000"),
        };
        let weight = if text.style == Style::Key { r#" font-weight="bold""# } else { "" };
        writeln!(
            out,
            r#"<text x="{}" y="{}" font-family="{family}" font-size="{:.3}"{weight} fill="{color}">{}</text>"#,
            text.x,
            text.y,
            text.size,
            Escaped(&text.line)
        )?;
    }
    out.push_str("</svg>\n");
    Ok(())
}

/// Text as XML has it.
struct Escaped<'t>(&'t str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            other => out.write_char(other),
        })
    }
}
