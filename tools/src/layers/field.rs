//! A frame as layers of fields: which bits a field has, what they say, and what it is for.

use std::borrow::Cow;
use std::ops::Range;

/// What a layer is, from the wire upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ethernet, and the tag of a virtual LAN.
    Link,
    /// IPv4 or IPv6.
    Network,
    /// TCP or UDP.
    Transport,
    /// What the application says.
    Application,
}

impl Kind {
    /// In one word: the class that it has on a page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Network => "network",
            Self::Transport => "transport",
            Self::Application => "application",
        }
    }

    /// In one letter, for the margin of a dump.
    pub fn letter(self) -> char {
        match self {
            Self::Link => 'L',
            Self::Network => 'N',
            Self::Transport => 'T',
            Self::Application => 'A',
        }
    }
}

/// Some bits of a frame that mean one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is called.
    pub name: &'static str,
    /// Where it is, in bits from the beginning of the frame.
    pub bits: Range<usize>,
    /// What it says, for people.
    pub value: String,
    /// What it is for, in one sentence.
    pub purpose: Cow<'static, str>,
    /// Who defined it.
    pub source: &'static str,
}

impl Field {
    /// The bytes that it has a bit of.
    pub fn bytes(&self) -> Range<usize> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }

    /// Whether it begins or ends within a byte.
    pub fn is_bits(&self) -> bool {
        !self.bits.start.is_multiple_of(8) || !self.bits.end.is_multiple_of(8)
    }

    /// Its bits where they stand in their bytes, and a dot for each of the others: `0100....`.
    pub fn pattern(&self, frame: &[u8]) -> String {
        let bytes = self.bytes();
        let mut pattern = String::new();
        for bit in bytes.start * 8..bytes.end * 8 {
            pattern.push(match self.bits.contains(&bit) {
                true if read(frame, &(bit..bit + 1)) == 1 => '1',
                true => '0',
                false => '.',
            });
        }
        pattern
    }
}

/// A header with its fields, or the payload with what it consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Which layer it is.
    pub kind: Kind,
    /// The protocol.
    pub name: &'static str,
    /// What the header with everything in it is called: a frame, a packet, a segment.
    pub unit: &'static str,
    /// What it does, in a sentence or two.
    pub purpose: Cow<'static, str>,
    /// Who defined it.
    pub source: &'static str,
    /// Where its own bytes are in the frame.
    pub bytes: Range<usize>,
    /// They tile it.
    pub fields: Vec<Field>,
}

/// A number of at most 64 bits, the most significant first; what is beyond the frame reads as 0.
pub fn read(frame: &[u8], bits: &Range<usize>) -> u64 {
    bits.clone().fold(0, |number, bit| {
        let byte = frame.get(bit / 8).copied().unwrap_or(0);
        number << 1 | u64::from(byte >> (7 - bit % 8) & 1)
    })
}

/// Fields one after the other, from the first byte of a layer on.
#[derive(Debug)]
pub struct Fields<'a> {
    frame: &'a [u8],
    /// The bit at which the next begins.
    at: usize,
    source: &'static str,
    list: Vec<Field>,
}

impl<'a> Fields<'a> {
    /// None yet; the first begins at a byte of the frame, and all are defined by `source`.
    pub fn new(frame: &'a [u8], at_byte: usize, source: &'static str) -> Self {
        Self { frame, at: 8 * at_byte, source, list: Vec::new() }
    }

    /// From here on they are defined by somebody else.
    pub fn source(&mut self, source: &'static str) -> &mut Self {
        self.source = source;
        self
    }

    /// The number in the next so many bits, which are at most 64.
    pub fn peek(&self, bits: usize) -> u64 {
        read(self.frame, &(self.at..self.at + bits))
    }

    /// The bytes in the next so many.
    pub fn peek_bytes(&self, bytes: usize) -> &'a [u8] {
        self.frame.get(self.at / 8..self.at / 8 + bytes).unwrap_or_default()
    }

    /// Adds the next: so many bits, what they say, and what that is for.
    pub fn add(
        &mut self,
        name: &'static str,
        bits: usize,
        value: impl Into<String>,
        purpose: impl Into<Cow<'static, str>>,
    ) -> &mut Self {
        self.list.push(Field {
            name,
            bits: self.at..self.at + bits,
            value: value.into(),
            purpose: purpose.into(),
            source: self.source,
        });
        self.at += bits;
        self
    }

    /// Adds the next, which says a number.
    pub fn number(&mut self, name: &'static str, bits: usize, purpose: &'static str) -> &mut Self {
        let number = self.peek(bits).to_string();
        self.add(name, bits, number, purpose)
    }

    /// How many bytes are covered so far, from the beginning of the frame.
    pub fn end(&self) -> usize {
        self.at / 8
    }

    /// All of them.
    pub fn done(self) -> Vec<Field> {
        self.list
    }
}
