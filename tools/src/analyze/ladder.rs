//! The first packets of conversations, kept so that one of them can be drawn as a ladder.

use hubbub::capture::Flags;
use hubbub::capture::layers::Transport;

use hubbub::wire::text;

use super::conversations::{Conversation, Message};
use super::ends::End;

/// Packets that are drawn of one conversation.
pub const MAX_ARROWS: usize = 40;

/// Packets that are kept of the conversation that was asked for.
const MAX_SHOWN: usize = 500;

/// Characters of what a packet says that are kept.
const MAX_SAID: usize = 72;

/// Packets that are kept of all conversations.
const MAX_KEPT: usize = 60_000;

/// A packet of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// When it came.
    pub time_ns: u64,
    /// Which end sent it.
    pub from: End,
    /// The marks of a segment; none for a datagram.
    pub flags: Option<Flags>,
    /// Sequence and acknowledgment, as from zero.
    pub numbers: [u32; 2],
    /// The bytes that it carried.
    pub payload_bytes: u32,
    /// What it says, if that is text: the beginning.
    pub said: Box<str>,
}

/// How many packets may still be kept.
#[derive(Debug)]
pub struct Ladders {
    shown: Option<usize>,
    room: usize,
}

impl Ladders {
    /// Keeps some of every conversation, or only those of the one that was asked for.
    pub fn new(shown: Option<usize>) -> Self {
        Self { shown, room: MAX_KEPT }
    }

    /// Keeps a packet if there is room.
    pub fn add(
        &mut self,
        number: usize,
        conversation: &mut Conversation,
        from: End,
        message: &Message<'_>,
    ) {
        let most = match self.shown {
            Some(shown) if shown == number => MAX_SHOWN,
            Some(_) => return,
            None => MAX_ARROWS,
        };
        if self.room == 0 || conversation.arrows.len() >= most {
            return;
        }
        self.room -= 1;
        let payload = match &message.transport {
            Transport::Tcp(_, segment) => segment.payload,
            Transport::Udp(_, payload) => payload,
        };
        let (flags, numbers) = match (&message.transport, &conversation.tcp) {
            (Transport::Tcp(_, segment), Some(tcp)) => {
                (Some(segment.flags), tcp.relative(from, segment))
            }
            _ => (None, [0; 2]),
        };
        conversation.arrows.push(Arrow {
            time_ns: message.time_ns,
            from,
            flags,
            numbers,
            payload_bytes: message.payload_bytes,
            said: said(payload).into(),
        });
    }
}

/// The beginning of a text; nothing of what is no text.
fn said(payload: &[u8]) -> String {
    // A character has at most four bytes, and the last one may be cut: it has no end then.
    let start = payload.get(..4 * MAX_SAID).unwrap_or(payload);
    let start = match std::str::from_utf8(start) {
        Ok(start) => start,
        Err(error) if error.error_len().is_none() => {
            start.get(..error.valid_up_to()).and_then(|s| std::str::from_utf8(s).ok()).unwrap_or("")
        }
        Err(_) => return String::new(),
    };
    let lines = start.trim_end_matches(['\r', '\n']).replace("\r\n", " ⏎ ").replace('\n', " ⏎ ");
    if lines.contains(text::is_unsafe) {
        return String::new();
    }
    let mut said: String = lines.chars().take(MAX_SAID).collect();
    if said.len() < lines.len() {
        said.push('…');
    }
    said
}
