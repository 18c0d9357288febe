//! Checksums worked out by hand (RFC 1071): the words, the running sum, the complement.

use std::ops::Range;

use super::field::{Field, Kind, Layer, read};

/// Words of a payload on one line.
const WORDS: usize = 8;

/// Lines of a payload at its beginning, and at its end.
const EDGE: usize = 3;

/// The most sums that stand for the middle of a long payload.
const MAX_SUMS: usize = 8;

/// A checksum, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Working {
    /// Whose it is.
    pub layer: Kind,
    /// What it is the checksum of.
    pub name: &'static str,
    /// Over what it is summed up.
    pub over: &'static str,
    /// Words are added, line by line.
    pub steps: Vec<Step>,
    /// The sum, of 16 bits.
    pub sum: u16,
    /// All its bits turned round; for UDP never 0.
    pub complement: u16,
    /// What the frame says, and at which byte.
    pub sent: u16,
    /// At which byte of the frame.
    pub at: usize,
}

impl Working {
    /// Whether it comes out as the frame says.
    pub fn is_right(&self) -> bool {
        self.complement == self.sent
    }

    /// Whether the complement was 0, in whose place UDP sends all ones (RFC 768).
    pub fn is_all_ones_for_zero(&self) -> bool {
        self.sum == self.complement
    }
}

/// Some words are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What they are.
    pub what: String,
    /// The words, or nothing where there are too many to write down.
    pub words: Vec<u16>,
    /// How many they are.
    pub count: usize,
    /// All of them, added to the sum before.
    pub total: u64,
    /// The sum with what exceeds 16 bits added to the rest, until nothing does.
    pub folded: u16,
}

/// All checksums of a frame, the lowest layer first.
pub fn workings(frame: &[u8], layers: &[Layer]) -> Vec<Working> {
    let find = |kind| layers.iter().find(|layer: &&Layer| layer.kind == kind);
    let Some(network) = find(Kind::Network) else { return Vec::new() };
    let mut workings = Vec::new();
    if let Some(field) = checksum_field(network) {
        let mut adder = Adder::default();
        adder.header(frame, network, &field.bytes());
        let over = "the IPv4 header, with its checksum as 0";
        workings.push(adder.done(frame, network, "IPv4 header checksum", over, field));
    }
    if let Some(transport) = find(Kind::Transport)
        && let Some(field) = checksum_field(transport)
    {
        let payload = transport.bytes.end..frame.len();
        let mut adder = Adder::default();
        adder.pseudo_header(frame, network, transport, payload.end - transport.bytes.start);
        adder.header(frame, transport, &field.bytes());
        adder.payload(frame, payload);
        let name = if transport.name == "UDP" { "UDP checksum" } else { "TCP checksum" };
        let over = "a pseudo-header, the header with its checksum as 0, and the data";
        workings.push(adder.done(frame, transport, name, over, field));
    }
    workings
}

fn checksum_field(layer: &Layer) -> Option<&Field> {
    layer.fields.iter().find(|field| matches!(field.name, "Checksum" | "Header checksum"))
}

#[derive(Debug, Default)]
struct Adder {
    sum: u16,
    steps: Vec<Step>,
}

impl Adder {
    fn add(&mut self, what: impl Into<String>, words: Vec<u16>) {
        let count = words.len();
        self.step(what.into(), &words, count);
        if let Some(step) = self.steps.last_mut() {
            step.words = words;
        }
    }

    /// The words are added, and not written down.
    fn step(&mut self, what: String, words: &[u16], count: usize) {
        let total = words.iter().fold(u64::from(self.sum), |sum, word| sum + u64::from(*word));
        self.sum = fold(total);
        self.steps.push(Step { what, words: Vec::new(), count, total, folded: self.sum });
    }

    /// A field a line, where it has whole words; fields that share a word share a line.
    fn header(&mut self, frame: &[u8], layer: &Layer, checksum: &Range<usize>) {
        let mut fields = layer.fields.iter().peekable();
        while let Some(first) = fields.next() {
            let mut bytes = first.bytes();
            let mut names = vec![first.name];
            while let Some(next) = fields.next_if(|next| {
                let odd = !(bytes.end - layer.bytes.start).is_multiple_of(2);
                odd || next.bytes().start < bytes.end
            }) {
                bytes.end = next.bytes().end;
                names.push(next.name);
            }
            if bytes == *checksum {
                self.add(format!("{}, as 0", first.name), vec![0]);
            } else {
                self.add(joined(&names), words(&frame[bytes]));
            }
        }
    }

    fn pseudo_header(&mut self, frame: &[u8], network: &Layer, transport: &Layer, length: usize) {
        for name in ["Source", "Destination"] {
            if let Some(field) = network.fields.iter().find(|field| field.name == name) {
                self.add(format!("{name} address"), words(&frame[field.bytes()]));
            }
        }
        let is_protocol = |field: &&Field| matches!(field.name, "Protocol" | "Next header");
        let protocol = network.fields.iter().find(is_protocol);
        let protocol = protocol.map_or(0, |field| read(frame, &field.bits));
        let protocol = u16::try_from(protocol).unwrap_or_default();
        // In IPv6 the length has 32 bits, and so has the next header (RFC 8200, section 8.1).
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let length_name = format!("Length of the {}", transport.unit);
        if network.name == "IPv6" {
            self.add(length_name, words(&length));
            self.add("Zeros, next header", vec![0, protocol]);
        } else {
            self.add("Zero, protocol", vec![protocol]);
            self.add(length_name, words(&length[2..]));
        }
    }

    /// The data: all of it when it is short; else the beginning, the end, and sums of what is
    /// between them.
    fn payload(&mut self, frame: &[u8], range: Range<usize>) {
        let row = 2 * WORDS;
        let rows = range.len().div_ceil(row);
        let line = |index: usize| {
            let start = range.start + index * row;
            start..(start + row).min(range.end)
        };
        let middle = if rows > 2 * EDGE + 1 { EDGE..rows - EDGE } else { 0..0 };
        let rows_each = middle.len().div_ceil(MAX_SUMS).max(1);
        let mut index = 0;
        while index < rows {
            if middle.contains(&index) {
                let next = (index + rows_each).min(middle.end);
                let bytes = line(index).start..line(next - 1).end;
                let words = words(&frame[bytes.clone()]);
                let what = format!("{}, {} words", bytes_of(&bytes), words.len());
                self.step(what, &words, words.len());
                index = next;
            } else {
                let bytes = line(index);
                let odd = if bytes.len().is_multiple_of(2) { "" } else { ", and a 0" };
                let what = format!("{}{odd}", bytes_of(&bytes));
                self.add(what, words(&frame[bytes]));
                index += 1;
            }
        }
    }

    fn done(
        self,
        frame: &[u8],
        layer: &Layer,
        name: &'static str,
        over: &'static str,
        field: &Field,
    ) -> Working {
        let sum = self.sum;
        let complement = match !sum {
            0 if layer.name == "UDP" => u16::MAX,
            complement => complement,
        };
        let sent = u16::try_from(read(frame, &field.bits)).unwrap_or_default();
        let at = field.bytes().start;
        Working { layer: layer.kind, name, over, steps: self.steps, sum, complement, sent, at }
    }
}

fn bytes_of(range: &Range<usize>) -> String {
    match range.len() {
        1 => format!("Byte {}", range.start),
        _ => format!("Bytes {} to {}", range.start, range.end - 1),
    }
}

/// Names, but for flags in a row only where they begin and end.
fn joined(names: &[&str]) -> String {
    const MANY: usize = 4;
    match names {
        [first, second, .., last] if names.len() > MANY => format!("{first}, {second} … {last}"),
        names => names.join(", "),
    }
}

/// Words of 16 bits; where the last byte is alone, a zero goes with it.
fn words(bytes: &[u8]) -> Vec<u16> {
    let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
    bytes.chunks(2).map(word).collect()
}

/// What exceeds 16 bits is added to the rest, until nothing does.
fn fold(mut sum: u64) -> u16 {
    loop {
        match u16::try_from(sum) {
            Ok(sum) => return sum,
            Err(_) => sum = (sum & 0xffff) + (sum >> 16),
        }
    }
}
