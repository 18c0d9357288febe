//! What the application says: the payload, and what it consists of.

use std::fmt::Write as _;
use std::ops::Range;

use memchr::memmem;

use super::field::{Field, Fields, Kind, Layer};
use super::shown::Shown;
use crate::encap::message::Transport;
use crate::visible;

const RFC_HTTP: &str = "RFC 9112, 2.1";
const RFC_DNS: &str = "RFC 1035, 4.1";
const RFC_DNS_TCP: &str = "RFC 1035, 4.2.2";

/// Lines that are shown one by one.
const MAX_LINES: usize = 24;

/// How much of a text is quoted, in characters.
const MAX_QUOTED: usize = 240;

/// The bytes of a header of DNS.
const DNS_HEADER: usize = 12;

/// What it is when nobody knows what is spoken.
const UNNAMED: &str = "Application";

/// The payload of the frame, which begins at byte `start`; `None` when there is none.
pub fn layer(shown: &Shown, start: usize) -> Option<Layer> {
    let length = shown.payload().len();
    let part = 8 * shown.payload_at..8 * (shown.payload_at + length);
    let fields = whole(shown).into_iter().filter_map(|field| {
        let bits = field.bits.start.max(part.start)..field.bits.end.min(part.end);
        if bits.is_empty() {
            return None;
        }
        let value = if field.value.is_empty() {
            visible::text(shown.sent.get(bits.start / 8..bits.end / 8)?, MAX_QUOTED)
        } else {
            field.value
        };
        let down = |bit: usize| bit - part.start + 8 * start;
        Some(Field { bits: down(bits.start)..down(bits.end), value, ..field })
    });
    let fields: Vec<Field> = fields.collect();
    let layer = Layer {
        kind: Kind::Application,
        name: shown.service.unwrap_or(UNNAMED),
        unit: "message",
        purpose: purpose(shown, length).into(),
        source: fields.first().map_or("", |field| field.source),
        bytes: start..start + length,
        fields,
    };
    (length > 0).then_some(layer)
}

fn purpose(shown: &Shown, length: usize) -> String {
    let (first, last) = (shown.payload_at + 1, shown.payload_at + length);
    let all = shown.sent.len();
    let mut words = match shown.service {
        Some(name) => format!("What the application has to say, in the format of {name}."),
        None => "What the application has to say.".to_owned(),
    };
    words.push_str(" For the layers below, these are bytes and nothing more.");
    if shown.segments > 1 {
        let _ = write!(words, " This segment carries bytes {first} to {last} of {all}.");
    }
    words
}

/// All that is sent for the message, as fields that begin at 0. Texts have no value yet.
fn whole(shown: &Shown) -> Vec<Field> {
    let sent = &shown.sent[..];
    if shown.is_filler {
        let mut fields = Fields::new(sent, 0, "");
        let purpose = "The table only tells how many bytes there were; letters stand for them.";
        fields.add("Message", 8 * sent.len(), "", purpose);
        return fields.done();
    }
    let text = memmem::find(sent, &shown.text).map(|at| at..at + shown.text.len());
    let text = text.filter(|text| !text.is_empty());
    match (shown.service, text) {
        (Some("HTTP"), text) if shown.transport == Transport::Tcp => http(sent, text.as_ref()),
        (Some("DNS"), _) if sent != shown.text => dns(sent, shown.transport),
        (Some("SSH"), _) if sent != shown.text => other(sent, "The message in SSH's format."),
        (_, Some(text)) => plain(sent, text),
        (_, None) => other(sent, "What encap made of the message."),
    }
}

fn other(sent: &[u8], purpose: &'static str) -> Vec<Field> {
    let mut fields = Fields::new(sent, 0, "");
    fields.add("Message", 8 * sent.len(), "", purpose);
    fields.done()
}

/// The message, with what was added before and behind.
fn plain(sent: &[u8], text: Range<usize>) -> Vec<Field> {
    let mut fields = Fields::new(sent, 0, "");
    if text.start > 0 {
        fields.add("Added before", 8 * text.start, "", "Not in the table: its format wants it.");
    }
    fields.add("Message", 8 * text.len(), "", "What the row of the table says.");
    let behind = sent.len() - text.end;
    if behind > 0 {
        let purpose = "Not in the table: it tells the receiver where the message ends.";
        fields.add("Line end", 8 * behind, "", purpose);
    }
    fields.done()
}

/// What a piece of HTTP is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    StartLine,
    HeaderLine,
    /// Behind what the table says of a line.
    LineEnd,
    BlankLine,
    Body,
}

impl Piece {
    fn name(self) -> &'static str {
        match self {
            Self::StartLine => "Start line",
            Self::HeaderLine => "Header line",
            Self::LineEnd => "Line end",
            Self::BlankLine => "Blank line",
            Self::Body => "Body",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::StartLine => "What is asked for, or what became of it, and in which version.",
            Self::HeaderLine => "A name, a colon, and what it says of the message.",
            Self::LineEnd => "CR and LF: here the line ends.",
            Self::BlankLine => "Here the head ends, and the body begins.",
            Self::Body => "What it is all about; the head says how long it is.",
        }
    }
}

/// Lines of a head, and a body; where the table's text begins or ends, a piece does, too.
fn http(sent: &[u8], text: Option<&Range<usize>>) -> Vec<Field> {
    let mut fields = Fields::new(sent, 0, RFC_HTTP);
    let first_line = sent.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut in_head = memmem::find(first_line, b"HTTP/").is_some();
    let (mut at, mut pieces) = (0, 0);
    while at < sent.len() {
        let end = http_end(sent, at, in_head && pieces < MAX_LINES, text);
        let bytes = &sent[at..end];
        let is_blank = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        let begins_line = at == 0 || sent[at - 1] == b'\n';
        let piece = match (in_head, is_blank) {
            (false, false) => Piece::Body,
            (true, true) if begins_line => Piece::BlankLine,
            (_, true) => Piece::LineEnd,
            (true, false) if at == 0 => Piece::StartLine,
            (true, false) => Piece::HeaderLine,
        };
        let added = match text {
            Some(text) if text.contains(&at) => "",
            _ => " The table does not have it: encap added it.",
        };
        let purpose = format!("{}{added}", piece.purpose());
        fields.add(piece.name(), 8 * bytes.len(), "", purpose);
        in_head &= piece != Piece::BlankLine;
        pieces += 1;
        at = end;
    }
    fields.done()
}

/// Where a piece ends that begins at a byte: with the line, or with everything.
fn http_end(sent: &[u8], at: usize, by_line: bool, text: Option<&Range<usize>>) -> usize {
    let line = memchr::memchr(b'\n', &sent[at..]).map(|end| at + end + 1);
    let end = line.filter(|_| by_line).unwrap_or(sent.len());
    let cuts = text.map_or([end; 2], |text| [text.start, text.end]);
    cuts.into_iter().find(|cut| (at + 1..end).contains(cut)).unwrap_or(end)
}

/// A message of DNS: its header of twelve bytes, the question, and what follows.
fn dns(sent: &[u8], transport: Transport) -> Vec<Field> {
    let mut fields = Fields::new(sent, 0, RFC_DNS_TCP);
    let start = if transport == Transport::Tcp { 2 } else { 0 };
    if sent.len() < start + DNS_HEADER {
        return other(sent, "What encap made of the message.");
    }
    if start > 0 {
        let length = format!("{} bytes", fields.peek(16));
        fields.add("Length", 16, length, "Of the message behind it; a datagram has no need of it.");
    }
    fields.source(RFC_DNS);
    fields.number("Identification", 16, "Tells which question an answer belongs to.");
    dns_flags(&mut fields);
    for (name, purpose) in [
        ("Questions", "How many questions follow."),
        ("Answers", "How many answers follow."),
        ("Authorities", "How many records follow that say who knows better."),
        ("Additional", "How many further records follow."),
    ] {
        fields.number(name, 16, purpose);
    }
    let mut name = sent[fields.end()..].iter();
    // Labels: a length and so many bytes, until a length of 0.
    let mut labels = 0;
    while let Some(length @ 1..64) = name.next().copied() {
        labels += 1 + usize::from(length);
        name.nth(usize::from(length) - 1);
    }
    let rest = sent.len() - fields.end();
    if labels + 5 <= rest {
        let name = labels_of(fields.peek_bytes(labels));
        fields.add(
            "Name",
            8 * (labels + 1),
            name,
            "What is asked about: each label, its length first.",
        );
        let kind = record_type(fields.peek(16));
        fields.add("Type", 16, kind, "What one wants to know of it.");
        fields.number("Class", 16, "1 is the Internet.");
    }
    let rest = sent.len() - fields.end();
    if rest > 0 {
        fields.add("Answer", 8 * rest, "", "Records: name, type, class, time to live, data.");
    }
    fields.done()
}

fn dns_flags(fields: &mut Fields<'_>) {
    let is_answer = fields.peek(1) == 1;
    let kind = if is_answer { "1 (answer)" } else { "0 (question)" };
    fields.add("QR", 1, kind, "Whether it is a question or an answer.");
    fields.number("Opcode", 4, "What kind of question; 0 is the usual.");
    for (name, purpose) in [
        ("AA", "The answer comes from whoever is in charge of the name."),
        ("TC", "Truncated: the rest did not fit."),
        ("RD", "Recursion desired: please ask others for me."),
        ("RA", "Recursion available: I would ask others for you."),
    ] {
        fields.number(name, 1, purpose);
    }
    fields.number("Z, AD, CD", 3, "Reserved, and two bits of DNSSEC (RFC 4035, 3).");
    let outcome = if fields.peek(4) == 0 { "0 (no error)" } else { "an error" };
    fields.add("Rcode", 4, outcome, "How it went.");
}

fn labels_of(mut bytes: &[u8]) -> String {
    let mut name = String::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (label, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&visible::text(label, MAX_QUOTED));
        bytes = rest;
    }
    name
}

fn record_type(number: u64) -> String {
    match number {
        1 => "1 (A: an IPv4 address)".to_owned(),
        16 => "16 (TXT: text)".to_owned(),
        28 => "28 (AAAA: an IPv6 address)".to_owned(),
        other => other.to_string(),
    }
}
