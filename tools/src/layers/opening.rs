//! The handshake that comes before the first message of a connection.

use hubbub::capture::Side;

use super::dissect;
use super::field::{Field, Kind};
use super::shown::Shown;

/// A segment of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Who sent it.
    pub from: Side,
    /// The bits that are set, by name.
    pub flags: String,
    /// Its sequence number, as it is and counted from the first.
    pub sequence: String,
    /// Its acknowledgment number in the same way, if it means something.
    pub acknowledgment: Option<String>,
    /// Its options, field by field.
    pub options: Vec<Field>,
    /// Its bytes.
    pub frame: Vec<u8>,
    /// What it says, in a sentence.
    pub purpose: &'static str,
}

const PURPOSES: [&str; 3] = [
    "I want to talk; my bytes are numbered from here.",
    "So do I; mine are numbered from here, and I know where yours begin.",
    "I know where yours begin, too. Now both have heard each other.",
];

/// All of them; none for UDP, which knows no connection.
pub fn greetings(shown: &Shown) -> Vec<Greeting> {
    let sides = [Side::Client, Side::Server, Side::Client];
    let frames = shown.opening.iter().zip(sides).zip(PURPOSES);
    frames.filter_map(|((frame, from), purpose)| greeting(shown, frame, from, purpose)).collect()
}

fn greeting(shown: &Shown, frame: &[u8], from: Side, purpose: &'static str) -> Option<Greeting> {
    let firsts = shown
        .first_sequence
        .map(|[own, other]| if from == shown.from { [own, other] } else { [other, own] });
    let layers = dissect::headers(frame, firsts);
    let header = layers.into_iter().find(|layer| layer.kind == Kind::Transport)?;
    let fields = &header.fields;
    let value = |name: &str| fields.iter().find(|field| field.name == name);
    let is_set = |field: &&Field| field.bits.len() == 1 && field.value.starts_with('1');
    // The lowest bit first, as Wireshark has them: SYN, ACK.
    let flags: Vec<&str> = fields.iter().filter(is_set).map(|field| field.name).rev().collect();
    let acknowledgment = value("Acknowledgment number")?.value.clone();
    let options = fields.iter().skip_while(|field| field.name != "Urgent pointer").skip(1);
    Some(Greeting {
        from,
        sequence: value("Sequence number")?.value.clone(),
        acknowledgment: flags.contains(&"ACK").then_some(acknowledgment),
        flags: flags.join(", "),
        options: options.cloned().collect(),
        frame: frame.to_vec(),
        purpose,
    })
}
