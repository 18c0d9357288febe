//! A conversation step by step, as the page draws it.

use hubbub::capture::Flags;

use super::conversations::Conversation;
use super::ladder::Arrow;
use super::report::Talk;
use crate::units::{count, duration, grouped};

/// A ladder: two ends, and what goes between them.
#[derive(Debug)]
pub(super) struct Ladder {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) client: String,
    pub(super) server: String,
    pub(super) steps: Vec<Step>,
    pub(super) more: Option<String>,
}

/// One packet.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) class: String,
    pub(super) time: String,
    pub(super) what: String,
    pub(super) numbers: String,
    pub(super) said: String,
}

/// What is drawn of a conversation.
pub(super) fn ladder(told: &Talk, talk: &Conversation) -> Ladder {
    let start_ns = talk.arrows.first().map_or(0, |arrow| arrow.time_ns);
    let steps: Vec<Step> = talk.arrows.iter().map(|arrow| step(arrow, talk, start_ns)).collect();
    let more = told.packets.saturating_sub(steps.len() as u64);
    let mut note = format!(
        "{} to {}, {}, {}.",
        told.client,
        told.server,
        count(told.packets, "packet"),
        duration(told.duration_ns)
    );
    if told.tcp.is_some() {
        note += " Numbers count from the start of each side.";
    }
    note += " --conversation N draws another one.";
    Ladder {
        title: format!("Conversation {}, step by step", told.number),
        note,
        client: told.client.to_string(),
        server: told.server.to_string(),
        steps,
        more: (more > 0).then(|| format!("… {} more", grouped(more))),
    }
}

fn step(arrow: &Arrow, talk: &Conversation, start_ns: u64) -> Step {
    let to = if arrow.from == talk.client { "to-server" } else { "to-client" };
    let data = (arrow.payload_bytes > 0).then(|| count(u64::from(arrow.payload_bytes), "byte"));
    let Some(flags) = arrow.flags else {
        return Step {
            class: format!("{to} application"),
            time: duration(arrow.time_ns.saturating_sub(start_ns)),
            what: data.unwrap_or_else(|| "nothing".to_owned()),
            numbers: String::new(),
            said: arrow.said.to_string(),
        };
    };
    let colour = if flags.has(Flags::RST) {
        "reset"
    } else if flags.has(Flags::SYN) || flags.has(Flags::FIN) {
        "transport"
    } else if data.is_some() {
        "application"
    } else {
        "wire"
    };
    let [sequence, acknowledgment] = arrow.numbers;
    let mut numbers = format!("seq {}", grouped(u64::from(sequence)));
    if flags.has(Flags::ACK) {
        let acknowledgment = grouped(u64::from(acknowledgment));
        numbers = format!("{numbers} · ack {acknowledgment}");
    }
    Step {
        class: format!("{to} {colour}"),
        time: duration(arrow.time_ns.saturating_sub(start_ns)),
        what: [Some(flags.to_string()), data].into_iter().flatten().collect::<Vec<_>>().join(" · "),
        numbers,
        said: arrow.said.to_string(),
    }
}
