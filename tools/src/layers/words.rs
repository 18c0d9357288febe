//! Sentences about a message that both the terminal and the page say.

use hubbub::capture::Side;

use super::Lesson;
use super::checksum::Working;
use super::cost;
use super::field::{Field, Layer};
use super::shown::Shown;
use crate::encap::message::Transport;
use crate::units::{count, grouped};
use crate::visible;

/// How much of the message is quoted, in characters.
const MAX_QUOTED: usize = 400;

/// How much of a name, in characters.
const MAX_NAME: usize = 40;

/// What it is all about.
pub fn title(lesson: &Lesson) -> String {
    let shown = &lesson.shown;
    let [from, to] = names(lesson, shown.from);
    let [from_address, to_address] = addresses(lesson, shown.from);
    let table = visible::text(lesson.table.as_bytes(), MAX_QUOTED);
    let row = grouped(shown.row);
    format!("{table}, row {row}: {from}{from_address} to {to}{to_address}")
}

/// Who sends and who receives, when this side sends: what they are called, or their addresses.
pub fn names(lesson: &Lesson, from: Side) -> [String; 2] {
    let shown = &lesson.shown;
    [from, from.other()].map(|side| match &shown.names[usize::from(side != shown.from)] {
        Some(name) => visible::text(name.as_bytes(), MAX_NAME),
        None => shown.path.end(side).socket.to_string(),
    })
}

/// The addresses of the two, in brackets, where [`names`] has their names.
pub fn addresses(lesson: &Lesson, from: Side) -> [String; 2] {
    let shown = &lesson.shown;
    [from, from.other()].map(|side| match &shown.names[usize::from(side != shown.from)] {
        Some(_) => format!(" ({})", shown.path.end(side).socket),
        None => String::new(),
    })
}

/// A sentence with its source behind it, unless that is the usual one.
pub fn sourced(sentence: &str, source: &str, usual: &str) -> String {
    if source == usual { sentence.to_owned() } else { format!("{sentence} [{source}]") }
}

/// The message as the table has it.
pub fn quoted(shown: &Shown) -> String {
    if shown.is_filler {
        return format!(
            "({}, which the table does not tell)",
            count(shown.sent.len() as u64, "byte")
        );
    }
    if shown.text.is_empty() {
        return "(nothing)".to_owned();
    }
    visible::text(&shown.text, MAX_QUOTED)
}

/// What has to be known before the layers are looked at.
pub fn circumstances(lesson: &Lesson) -> Vec<String> {
    let shown = &lesson.shown;
    let (text, sent) = (shown.text.len() as u64, shown.sent.len() as u64);
    let mut said = Vec::new();
    if !shown.is_filler && text != sent {
        let bytes = count(text, "byte");
        said.push(format!(
            "The table says {bytes}; {} are sent, because {} wants it so. (--verbatim adds \
             nothing.)",
            grouped(sent),
            shown.service.unwrap_or("the application"),
        ));
    }
    if shown.segments > 1 {
        said.push(format!(
            "{} do not fit one segment, so {} carry them. This is segment {}; --segment K shows \
             another.",
            count(sent, "byte"),
            count(shown.segments as u64, "segment"),
            shown.segment,
        ));
    }
    let (number, all) = (shown.number, shown.tally.frames());
    said.push(match shown.transport {
        Transport::Tcp => format!(
            "It is frame {} of {} in its connection, which begins with a handshake of {}.",
            grouped(number),
            grouped(all),
            count(shown.tally.opening.frames, "frame"),
        ),
        Transport::Udp => format!(
            "It is datagram {} of {} between these two; UDP has no handshake.",
            grouped(number),
            grouped(all),
        ),
    });
    said
}

/// A layer with its unit: `Transport layer: TCP segment`.
pub fn layer_title(layer: &Layer) -> String {
    let mut kind = layer.kind.name().to_owned();
    if let Some(first) = kind.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{kind} layer: {} {}", layer.name, layer.unit)
}

/// How long its own bytes are, and where.
pub fn extent(layer: &Layer) -> String {
    let what = if layer.unit == "message" { "" } else { " of header" };
    let (length, start) = (layer.bytes.len() as u64, layer.bytes.start);
    format!("{}{what} from byte {start} on", count(length, "byte"))
}

/// The bits of a field, two bytes a row, four bits a group.
pub fn pattern(frame: &[u8], field: &Field) -> Vec<String> {
    let pattern: Vec<char> = field.pattern(frame).chars().collect();
    let group = |row: &[char]| {
        let groups: Vec<String> = row.chunks(4).map(|bits| bits.iter().collect()).collect();
        groups.join(" ")
    };
    pattern.chunks(16).map(group).collect()
}

/// How a checksum comes about.
pub fn how_to_sum(working: &Working) -> String {
    format!(
        "Over {}: 16 bits at a time are added; what does not fit 16 bits is folded back, that is, \
         added to the rest; in the end all bits are turned round (RFC 1071).",
        working.over
    )
}

/// Why a layer that could have a checksum has none.
pub fn no_checksum(lesson: &Lesson) -> Option<&'static str> {
    let is_ipv6 = lesson.layers.iter().any(|layer| layer.name == "IPv6");
    is_ipv6.then_some(
        "IPv6 has no checksum, so routers have none to work out anew at each hop. That of the \
         layer above covers the addresses, and for UDP it must be there (RFC 8200, section 8.1).",
    )
}

/// What came of it.
pub fn outcome(working: &Working) -> String {
    let Working { sum, complement, sent, at, .. } = working;
    let turned = if working.is_all_ones_for_zero() {
        format!("~{sum:04x} would be 0, which says \"no checksum\"; UDP sends ffff in its place.")
    } else {
        format!("~{sum:04x} = {complement:04x}.")
    };
    let verdict = if working.is_right() { "It is right." } else { "It is wrong." };
    format!("{turned} The frame says {sent:04x} at byte {at}. {verdict}")
}

/// What the layers add, in sentences.
pub fn overhead(lesson: &Lesson) -> Vec<String> {
    let frame = lesson.shown.frame.len() as u64;
    let payload = lesson.shown.payload().len() as u64;
    let wire = cost::on_wire(lesson.shown.frame.len()) as u64;
    vec![
        format!(
            "The frame in the capture has {}, of which {} ({}) are what the application says.",
            count(frame, "byte"),
            grouped(payload),
            percent(payload, frame).trim_start(),
        ),
        format!(
            "The wire takes the time of {} for it: network cards add the rest, and take it off \
             before anything is captured (IEEE 802.3). No capture has it.",
            count(wire, "byte"),
        ),
    ]
}

/// What the conversation costs, in sentences.
pub fn around(lesson: &Lesson) -> Vec<String> {
    let (shown, tally) = (&lesson.shown, &lesson.shown.tally);
    let sent = shown.sent.len() as u64;
    let own = tally.data.bytes + tally.acks.bytes;
    let shared = tally.opening.bytes + tally.closing.bytes;
    let mut said = vec![format!(
        "{} of the application cost {} in the capture{}.",
        count(sent, "byte"),
        count(own, "byte"),
        if tally.acks.frames > 0 { ", with what acknowledges them" } else { "" },
    )];
    if shown.transport == Transport::Tcp {
        let messages = tally.messages;
        let alone = if messages == 1 {
            "all for this one message".to_owned()
        } else {
            format!("shared by {}", count(messages, "message"))
        };
        said.push(format!("Handshake and close cost {} more, {alone}.", count(shared, "byte")));
    }
    said
}

/// As in `12.5 %`.
pub fn percent(part: u64, whole: u64) -> String {
    let permille = (part * 1_000 + whole / 2) / whole.max(1);
    format!("{}.{} %", permille / 10, permille % 10)
}
