//! What no table had room for.

use serde::Serialize;

use super::analysis::Analysis;
use crate::units;

/// What was left out because there was too much of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Packets of conversations that are not told.
    pub conversation_packets: u64,
    /// Ends of packets, of addresses that are not told.
    pub endpoint_packets: u64,
    /// Packets of protocols that are not told.
    pub protocol_packets: u64,
    /// Chats that were not followed.
    pub chats: u64,
    /// Segments whose ACK was not waited for.
    pub unwatched_segments: u64,
    /// Warnings that are not told.
    pub warnings: u64,
}

impl LeftOut {
    /// What an analysis has no room for.
    pub(super) fn of(analysis: &Analysis) -> Self {
        let conversations = &analysis.conversations;
        let unwatched = conversations.list().iter().filter_map(|talk| talk.tcp.as_ref());
        Self {
            conversation_packets: conversations.untold().packets,
            endpoint_packets: analysis.endpoints.untold().packets,
            protocol_packets: analysis.protocols.untold().packets,
            chats: conversations.untold_chats(),
            unwatched_segments: unwatched.map(|tcp| tcp.unwatched()).sum(),
            warnings: analysis.more_warnings,
        }
    }

    /// What was left out, a line for each.
    pub fn lines(&self) -> Vec<String> {
        [
            (
                self.conversation_packets,
                "packet",
                "of further conversations, of which there are too many",
            ),
            (self.endpoint_packets, "packet", "of further addresses, of which there are too many"),
            (self.protocol_packets, "packet", "of further protocols, of which there are too many"),
            (self.chats, "chat", "that were not followed, after the first 1,000"),
            (self.unwatched_segments, "segment", "whose ACK was not waited for: too many wait"),
            (self.warnings, "warning", "more"),
        ]
        .iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, what, why)| format!("{} {why}", units::count(*number, what)))
        .collect()
    }
}
