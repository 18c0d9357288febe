//! The first packets of conversations, kept so that one of them can be drawn as a ladder.

use hubbub::capture::Flags;
use hubbub::capture::layers::Transport;

use super::conversations::{Conversation, Message};

/// Packets that are drawn of one conversation.
pub const MAX_ARROWS: usize = 60;

/// Packets that are kept of the conversation that was asked for.
const MAX_SHOWN: usize = 500;

/// Packets that are kept of all conversations.
const MAX_KEPT: usize = 60_000;

/// A packet of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// When it came.
    pub time_ns: u64,
    /// Which end sent it.
    pub from: usize,
    /// The marks of a segment; none for a datagram.
    pub flags: Option<Flags>,
    /// Sequence and acknowledgment, as from zero.
    pub numbers: [u32; 2],
    /// The bytes that it carried.
    pub payload_bytes: u32,
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
        from: usize,
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
        });
    }
}
