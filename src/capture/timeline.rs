//! Conversations at the same time become one sequence of frames, each later than the one before.
//!
//! Frames wait here until nothing earlier can come. What waits is bounded: beyond the limit the
//! earliest go although something earlier may come, and that is then moved behind them. Within a
//! conversation the order is always kept, because its frames come here in order and with growing
//! times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Frame, Side};

/// How many bytes of frames may wait, 64 MiB.
pub const MAX_WAITING_BYTES: usize = 64 << 20;

/// What each frame counts beside its bytes.
const OVERHEAD: usize = size_of::<Waiting>() + 16;

/// A frame whose turn it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// When it is on the wire, in nanoseconds since 1970; no two frames have the same time.
    pub time_ns: u64,
    order: u64,
    /// Who sent it.
    pub from: Side,
    /// Everything from the Ethernet header on.
    pub bytes: Vec<u8>,
    /// What is to be said about it.
    pub comment: Option<String>,
}

impl Waiting {
    fn weight(&self) -> usize {
        OVERHEAD + self.bytes.len() + self.comment.as_ref().map_or(0, String::len)
    }
}

/// Frames that wait for their turn.
#[derive(Debug, Default)]
pub struct Timeline {
    waiting: BinaryHeap<Reverse<Waiting>>,
    bytes: usize,
    pushed: u64,
    last_ns: Option<u64>,
}

impl Timeline {
    /// A frame comes.
    pub fn push(&mut self, frame: &Frame<'_>, comment: Option<String>) {
        let waiting = Waiting {
            time_ns: frame.time_ns,
            order: self.pushed,
            from: frame.from,
            bytes: frame.bytes.to_vec(),
            comment,
        };
        self.pushed += 1;
        self.bytes += waiting.weight();
        self.waiting.push(Reverse(waiting));
    }

    /// The next frame, if it is before `until_ns`, the earliest time that can still come, or if too
    /// many wait.
    pub fn next_before(&mut self, until_ns: u64) -> Option<Waiting> {
        let Reverse(first) = self.waiting.peek()?;
        if first.time_ns >= until_ns && self.bytes <= MAX_WAITING_BYTES {
            return None;
        }
        let Reverse(mut frame) = self.waiting.pop()?;
        self.bytes -= frame.weight();
        frame.time_ns = self.last_ns.map_or(frame.time_ns, |last| frame.time_ns.max(last + 1));
        self.last_ns = Some(frame.time_ns);
        Some(frame)
    }
}
