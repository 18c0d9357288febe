//! The headers of TCP, with its options, and of UDP.

use crate::encap::service::Service;

use super::field::{Fields, Kind, Layer};

const RFC_TCP: &str = "RFC 9293, 3.1";
const RFC_TCP_OPTIONS: &str = "RFC 9293, 3.2";
const RFC_ECN_IN_TCP: &str = "RFC 3168, 6.1";
const RFC_UDP: &str = "RFC 768";

/// Where clients' ports begin (RFC 6335, section 6).
const DYNAMIC_PORTS: u64 = 49_152;

/// Where sequence numbers begin, the sender's first, if the handshake is known.
#[derive(Clone, Copy, Debug)]
pub struct Origins(pub Option<[u32; 2]>);

impl Origins {
    /// A sequence number as it is, and counted from where its side began.
    fn tell(self, side: usize, number: u64) -> String {
        let Some(first) = self.0.map(|firsts| firsts[side]) else { return number.to_string() };
        let relative = u32::try_from(number).unwrap_or_default().wrapping_sub(first);
        format!("{number} (relative {relative})")
    }
}

/// The header of TCP, `length` bytes from `at` on.
pub fn tcp(frame: &[u8], at: usize, length: usize, origins: Origins) -> Layer {
    let mut fields = Fields::new(frame, at, RFC_TCP);
    ports(&mut fields);
    let sequence = origins.tell(0, fields.peek(32));
    fields.add("Sequence number", 32, sequence, "Where its first byte stands in the stream.");
    let acknowledged = origins.tell(1, fields.peek(32));
    let purpose = "The byte that the sender expects next: it has all before it.";
    fields.add("Acknowledgment number", 32, acknowledged, purpose);
    let words = fields.peek(4);
    let bytes = format!("{words} words of 4 bytes = {} bytes", 4 * words);
    fields.add("Data offset", 4, bytes, "How long this header is, with its options.");
    fields.number("Reserved", 4, "Kept for the future; always 0.");
    flags(&mut fields);
    let window = format!("{} bytes", fields.peek(16));
    fields.add("Window", 16, window, "How much more the sender of this would take at once.");
    let sum = format!("0x{:04x}", fields.peek(16));
    let purpose = "Guards addresses, header and data; it is worked out below.";
    fields.add("Checksum", 16, sum, purpose);
    fields.number(
        "Urgent pointer",
        16,
        "Where urgent data ends; it means something with URG only.",
    );
    options(&mut fields, at + length);
    Layer {
        kind: Kind::Transport,
        name: "TCP",
        unit: "segment",
        purpose: "Makes a reliable stream of bytes between two programs out of packets that may \
            be lost, doubled or overtaken: every byte has a number, and is acknowledged."
            .into(),
        source: RFC_TCP,
        bytes: at..at + length,
        fields: fields.done(),
    }
}

/// The header of UDP, from `at` on.
pub fn udp(frame: &[u8], at: usize) -> Layer {
    let mut fields = Fields::new(frame, at, RFC_UDP);
    ports(&mut fields);
    let length = format!("{} bytes", fields.peek(16));
    fields.add("Length", 16, length, "Of the datagram: this header, which is always 8, and data.");
    let sum = format!("0x{:04x}", fields.peek(16));
    let purpose = "Guards addresses, header and data; it is worked out below.";
    fields.add("Checksum", 16, sum, purpose);
    let end = fields.end();
    Layer {
        kind: Kind::Transport,
        name: "UDP",
        unit: "datagram",
        purpose: "Brings one message from program to program, and adds no more than ports and a \
            checksum: no connection, no order, nothing is repeated."
            .into(),
        source: RFC_UDP,
        bytes: at..end,
        fields: fields.done(),
    }
}

fn ports(fields: &mut Fields<'_>) {
    let from = port(fields.peek(16));
    fields.add("Source port", 16, from, "Which program on the sending host it is from.");
    let to = port(fields.peek(16));
    fields.add("Destination port", 16, to, "Which program on the receiving host it is for.");
}

fn port(number: u64) -> String {
    let service = u16::try_from(number).ok().and_then(Service::at).and_then(Service::name);
    match service {
        Some(name) => format!("{number} ({name})"),
        None if number >= DYNAMIC_PORTS => format!("{number} (a client's, for a while)"),
        None => number.to_string(),
    }
}

fn flags(fields: &mut Fields<'_>) {
    fields.source(RFC_ECN_IN_TCP);
    for (name, purpose) in [
        ("CWR", "Congestion window reduced: the sender has slowed down."),
        ("ECE", "ECN echo: a router on the way here marked congestion."),
    ] {
        flag(fields, name, purpose);
    }
    fields.source(RFC_TCP);
    for (name, purpose) in [
        ("URG", "The urgent pointer means something."),
        ("ACK", "The acknowledgment number means something: always, but in the first segment."),
        ("PSH", "Push: here ends what the application wrote, so hand it on now."),
        ("RST", "Reset: the connection is no more."),
        ("SYN", "Synchronize: the first segment of its side; sequence numbers begin here."),
        ("FIN", "Finish: its sender will say no more."),
    ] {
        flag(fields, name, purpose);
    }
}

fn flag(fields: &mut Fields<'_>, name: &'static str, purpose: &'static str) {
    let value = if fields.peek(1) == 1 { "1 (set)" } else { "0" };
    fields.add(name, 1, value, purpose);
}

/// An option is one byte that says its kind, or that, its length and so many bytes less two
/// (RFC 9293, section 3.2).
fn options(fields: &mut Fields<'_>, end: usize) {
    fields.source(RFC_TCP_OPTIONS);
    while fields.end() < end {
        let (kind, room) = (fields.peek(8), end - fields.end());
        let name = option_name(kind);
        if kind < 2 {
            let purpose = "One byte, so that the header ends at a whole word.";
            fields.add("Option", 8, format!("{kind} ({name})"), purpose);
            continue;
        }
        let length = match fields.peek(16) & 0xff {
            length @ 2.. if length <= room as u64 => usize::try_from(length).unwrap_or(room),
            _ => {
                fields.add("Option", 8 * room, "no option", "Its length is wrong.");
                return;
            }
        };
        fields.add("Option kind", 8, format!("{kind} ({name})"), "Which option it is.");
        let bytes = format!("{length} bytes");
        fields.add("Option length", 8, bytes, "How long it is, with kind and length.");
        match (kind, length - 2) {
            (_, 0) => {}
            (2, 2) => {
                let most = format!("{} bytes", fields.peek(16));
                let purpose = "The largest payload of a segment that its sender would take.";
                fields.add("MSS", 16, most, purpose);
            }
            (_, data) => {
                fields.add("Option data", 8 * data, format!("{data} bytes"), "What it says.");
            }
        }
    }
}

/// IANA's kinds, as far as they are usual.
fn option_name(kind: u64) -> &'static str {
    match kind {
        0 => "end of options",
        1 => "no operation",
        2 => "maximum segment size",
        3 => "window scale",
        4 => "selective acknowledgment permitted",
        5 => "selective acknowledgment",
        8 => "timestamps",
        _ => "another",
    }
}
