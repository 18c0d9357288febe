//! A header as RFCs draw it: rows of 32 bits, a box for each field.

use super::field::{Field, Kind, Layer, read};
use super::html::hex;

/// Bits in a row.
const ROW: usize = 32;

/// A box of fewer bits has its name written from top to bottom, unless that is as short.
const NARROW: usize = 4;

/// The bytes of a long box whose value has room.
const MAX_BYTES: usize = 4;

/// A field, or as much of it as stands in one row.
pub(super) struct Slot<'a> {
    /// Its field counts through all layers.
    pub(super) number: usize,
    /// Its name; nothing where it goes on from the row before.
    pub(super) name: &'a str,
    /// What it says, as it stands in the frame.
    pub(super) raw: String,
    /// How many columns, and how many rows.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Whether its name is written from top to bottom.
    pub(super) is_upright: bool,
}

/// The boxes in the order of the bits. A payload has none, unless it has fields of bits.
pub(super) fn boxes<'a>(frame: &[u8], layer: &'a Layer, first: usize) -> Vec<Slot<'a>> {
    let is_payload = layer.kind == Kind::Application;
    let has_bits = layer.fields.iter().any(Field::is_bits);
    if is_payload && !has_bits {
        return Vec::new();
    }
    let mut boxes = Vec::new();
    for (field, number) in layer.fields.iter().zip(first..) {
        if is_payload && matches!(field.name, "Name" | "Answer") {
            break;
        }
        let mut bits = field.bits.clone();
        while !bits.is_empty() {
            let column = (bits.start - 8 * layer.bytes.start) % ROW;
            let is_whole = column == 0 && bits.len() >= ROW;
            let rows = if is_whole { bits.len() / ROW } else { 1 };
            let columns = if is_whole { ROW } else { bits.len().min(ROW - column) };
            let piece = bits.start..bits.start + rows * columns;
            let is_first = piece.start == field.bits.start;
            boxes.push(Slot {
                number,
                name: if is_first { field.name } else { "" },
                raw: raw(frame, &piece),
                columns,
                rows,
                is_upright: columns == 1 || (columns < NARROW && field.name.len() > columns + 1),
            });
            bits.start = piece.end;
        }
    }
    boxes
}

fn raw(frame: &[u8], bits: &std::ops::Range<usize>) -> String {
    let bytes = bits.len() / 8;
    match bits.len() {
        1 => read(frame, bits).to_string(),
        length if length.is_multiple_of(8) && bits.start.is_multiple_of(8) => {
            let bytes = frame.get(bits.start / 8..bits.start / 8 + bytes).unwrap_or_default();
            bytes.chunks(4 * MAX_BYTES).map(hex).collect::<Vec<_>>().join(" ")
        }
        length if length <= 8 => format!("{:0length$b}", read(frame, bits)),
        _ => format!("{:#x}", read(frame, bits)),
    }
}
