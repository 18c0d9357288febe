//! A TCP segment (RFC 9293, section 3.1), and how sequence numbers compare.

use std::fmt;
use std::ops::BitOr;

use super::path::{Path, Side};

/// The control bits that this house uses.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// No more from this side.
    pub const FIN: Self = Self(0x01);
    /// The first of this side; its sequence number is where it starts.
    pub const SYN: Self = Self(0x02);
    /// The connection is no more.
    pub const RST: Self = Self(0x04);
    /// The end of what the application wrote.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number means something.
    pub const ACK: Self = Self(0x10);

    /// Those with their names, in the order in which Wireshark tells them.
    const NAMES: [(Self, &str); 5] = [
        (Self::FIN, "FIN"),
        (Self::SYN, "SYN"),
        (Self::RST, "RST"),
        (Self::PSH, "PSH"),
        (Self::ACK, "ACK"),
    ];

    /// Whether all of these are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Flags {
    /// As in `SYN, ACK`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (flag, name) in Self::NAMES {
            if self.has(flag) {
                write!(f, "{between}{name}")?;
                between = ", ";
            }
        }
        Ok(())
    }
}

/// The largest payload of a segment, in bytes (RFC 9293, section 3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mss(u16);

impl Mss {
    /// Smaller ones would make a frame for every few bytes.
    pub const MIN: u16 = 16;
    /// Two segments are on their way before the other side answers, and they fit the window.
    pub const MAX: u16 = 32_000;

    /// `None` unless it is [`MIN`](Self::MIN) to [`MAX`](Self::MAX).
    pub fn new(bytes: u16) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&bytes).then_some(Self(bytes))
    }

    /// What Ethernet's 1,500 bytes leave beside the headers of IP and TCP.
    pub fn usual(path: &Path) -> Self {
        let socket = path.end(Side::Client).socket;
        Self(if socket.is_ipv6() { 1_440 } else { 1_460 })
    }

    /// In bytes.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// A segment, apart from its ports, its checksum, and options other than the MSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The number of its first byte, or of its SYN.
    pub sequence: u32,
    /// The number that is expected next of the other side.
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: Flags,
    /// How much the sender would take, in bytes.
    pub window: u16,
    /// The option that tells the largest payload that the sender takes.
    pub mss: Option<u16>,
    /// The bytes that it carries.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// How much it moves the sequence number on: SYN and FIN count as one byte each.
    #[expect(clippy::cast_possible_truncation, reason = "an IP payload has fewer than 2^16 bytes")]
    pub fn length(&self) -> u32 {
        let marks = [Flags::SYN, Flags::FIN].into_iter().filter(|mark| self.flags.has(*mark));
        self.payload.len() as u32 + marks.count() as u32
    }
}

/// How far `to` is behind `from` in a space that wraps (RFC 9293, section 3.4); negative when it
/// is before it. It means something while the two are less than 2^31 apart.
pub fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_the_wrap() {
        assert_eq!(distance(10, 15), 5);
        assert_eq!(distance(15, 10), -5);
        assert_eq!(distance(u32::MAX - 1, 3), 5);
        assert_eq!(distance(3, u32::MAX - 1), -5);
    }

    #[test]
    fn flags_are_told_by_name() {
        assert_eq!((Flags::SYN | Flags::ACK).to_string(), "SYN, ACK");
        assert_eq!(Flags::default().to_string(), "");
        assert!(!Flags::ACK.has(Flags::SYN | Flags::ACK));
    }

    #[test]
    fn a_syn_and_a_fin_count_as_a_byte_each() {
        let mut segment = Segment {
            sequence: 0,
            acknowledgment: 0,
            flags: Flags::SYN,
            window: 0,
            mss: None,
            payload: b"",
        };
        assert_eq!(segment.length(), 1);
        (segment.flags, segment.payload) = (Flags::FIN | Flags::ACK, b"abc");
        assert_eq!(segment.length(), 4);
    }
}
