//! The bytes of a frame, sixteen in a row, each with what it belongs to.

use std::borrow::Borrow;

use super::field::{Kind, Layer};
use crate::visible;

/// Bytes in a row.
pub const ROW: usize = 16;

/// The most rows that are shown; of a longer frame, the middle is left out.
const MAX_ROWS: usize = 128;

/// How many of them stand behind the gap.
const ROWS_BEHIND: usize = 8;

/// A byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its value.
    pub byte: u8,
    /// What stands for it in the column of characters.
    pub glyph: Glyph,
    /// Its layer.
    pub kind: Kind,
    /// Its fields, as numbers that count through all layers.
    pub fields: Vec<usize>,
}

/// A cell of the column of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// A character of one cell.
    One(char),
    /// A character of two; the next is [`Glyph::Covered`].
    Two(char),
    /// The character before reaches over it.
    Covered,
    /// A further byte of a character, or a mark that stands on the one before.
    More,
    /// Nothing that can be shown.
    None,
}

/// Bytes of one layer in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The byte of the frame at which the row begins.
    pub row: usize,
    /// How many cells of the row are before it.
    pub indent: usize,
    /// The bytes.
    pub cells: Vec<Cell>,
}

/// A dump, or the gap in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Bytes.
    Run(Run),
    /// So many bytes are not shown.
    Gap(usize),
}

/// A layer begins a line of its own, at the place that its first byte has in the row.
pub fn lines(frame: &[u8], layers: &[Layer]) -> Vec<Line> {
    let rows = frame.len().div_ceil(ROW);
    let gap = if rows > MAX_ROWS {
        (MAX_ROWS - ROWS_BEHIND) * ROW..(rows - ROWS_BEHIND) * ROW
    } else {
        0..0
    };
    let (mut lines, mut number) = (Vec::new(), 0);
    for layer in layers {
        let Some(bytes) = frame.get(layer.bytes.clone()) else { continue };
        let glyphs = glyphs(bytes, layer.kind);
        let mut at = layer.bytes.start;
        while at < layer.bytes.end {
            if gap.contains(&at) {
                lines.push(Line::Gap(gap.end - at));
                at = gap.end;
                continue;
            }
            let end = (at / ROW * ROW + ROW).min(layer.bytes.end);
            let cells = (at..end).map(|byte| Cell {
                byte: frame[byte],
                glyph: glyphs[byte - layer.bytes.start],
                kind: layer.kind,
                fields: fields_at(layer, byte, number),
            });
            let (row, indent) = (at / ROW * ROW, at % ROW);
            lines.push(Line::Run(Run { row, indent, cells: cells.collect() }));
            at = end;
        }
        number += layer.fields.len();
    }
    lines
}

/// The character of a cell in a line of them; `None` where the one before reaches over it. A wide
/// one that is cut has no room.
pub fn character(cells: &[impl Borrow<Cell>], index: usize) -> Option<char> {
    match cells.get(index)?.borrow().glyph {
        Glyph::One(c) => Some(c),
        Glyph::Two(c) if index + 1 < cells.len() => Some(c),
        Glyph::Covered if index > 0 => None,
        Glyph::Two(_) | Glyph::Covered | Glyph::More => Some('·'),
        Glyph::None => Some('.'),
    }
}

fn fields_at(layer: &Layer, byte: usize, first: usize) -> Vec<usize> {
    let fields = layer.fields.iter().zip(first..);
    fields.filter(|(field, _)| field.bytes().contains(&byte)).map(|(_, number)| number).collect()
}

/// Only the application's bytes are read as UTF-8: in a header it would be chance.
fn glyphs(bytes: &[u8], kind: Kind) -> Vec<Glyph> {
    let mut glyphs = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let is_text = c.is_ascii() || kind == Kind::Application;
            let (first, width) = match visible::glyph(c) {
                Some(c) if is_text => match unicode_width::UnicodeWidthChar::width(c) {
                    Some(2) => (Glyph::Two(c), 2),
                    _ => (Glyph::One(c), 1),
                },
                None if is_text && !c.is_control() => (Glyph::More, 1),
                _ => (Glyph::None, 1),
            };
            glyphs.push(first);
            glyphs.extend((1..c.len_utf8()).map(|index| match first {
                Glyph::None => Glyph::None,
                _ if index < width => Glyph::Covered,
                _ => Glyph::More,
            }));
        }
        glyphs.extend(chunk.invalid().iter().map(|_| Glyph::None));
    }
    glyphs
}
