//! One connection: the only place that knows both a socket and what was read from it.

use std::fmt;
use std::time::Duration;

use super::address::AddressKey;
use super::timers::{NEVER, ceil_millis};
use crate::outbound::ClientId;
use crate::wire::Framer;

/// A connection, from accept to close.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub(super) struct Connection<S> {
    pub(super) socket: S,
    pub(super) peer: AddressKey,
    /// What was read and is not yet done: part of a line, or lines that have to wait.
    pub(super) unread: Box<[u8]>,
    /// When to look at this connection although nothing has happened, in milliseconds.
    pub(super) wake_ms: u64,
    /// When it was accepted; once it lingers, until when it may go on sending. In milliseconds.
    pub(super) clock_ms: u64,
    /// What a lingering connection has sent, in bytes.
    pub(super) discarded: u32,
    pub(super) phase: Phase,
    pub(super) wait: Wait,
    pub(super) framer: Framer,
    /// There may be something to read. Remembered, because it is told only once.
    pub(super) readable: bool,
    /// The peer has ended its stream; what it sent before may still be unread.
    pub(super) read_closed: bool,
    /// The peer has once sent an urgent mark, at which a read ends whatever lies behind it.
    pub(super) urgent: bool,
    /// It has failed, or is closed in both directions; what was sent before may still be unread.
    pub(super) over: bool,
    /// The end of the stream was read.
    pub(super) ended: bool,
    /// The last read filled its buffer, so the next one may be larger.
    pub(super) filled: bool,
    /// There are lines among the unread that were not taken, or not offered yet.
    pub(super) backlog: bool,
    /// It stands in the ready queue.
    pub(super) queued: bool,
    /// It has no name yet.
    pub(super) pending: bool,
    /// It was refused for want of room, and counts among those.
    pub(super) refused: bool,
    /// It has sent something that concerns Telnet, whose state the server keeps apart: few do.
    pub(super) telnet: bool,
    /// It dies at the end of this turn.
    pub(super) doomed: bool,
}

/// How far a connection is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It talks.
    Open,
    /// Its last word is fixed, and still to be written. Nothing is read.
    Draining,
    /// Everything was written and its stream ended. What it still sends is read and dropped: a
    /// close with unread input would reset the connection and take back what was written.
    Lingering,
}

/// What the next line of a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing: only for the line itself.
    None,
    /// Its flood limit.
    Flood,
    /// Room for a broadcast.
    Room,
    /// Its own mailbox, which it has to read first.
    Mailbox,
    /// Room for what it would have to keep of its input.
    Input,
}

/// Why a connection dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// Everything was written, and the peer has ended its stream or had time to.
    Closed,
    /// The peer reset it, or the system gave it up.
    Failed,
    /// A slow consumer: the log has lapped it.
    Lapped,
    /// It read below the minimum rate for long, while others waited for it.
    TooSlow,
    /// It accepted nothing for the stall time-out.
    Stalled,
}

impl<S> Connection<S> {
    pub(super) fn new(socket: S, peer: AddressKey, now: Duration) -> Self {
        Self {
            socket,
            peer,
            unread: Box::default(),
            wake_ms: NEVER,
            clock_ms: ceil_millis(now),
            discarded: 0,
            phase: Phase::Open,
            wait: Wait::None,
            framer: Framer::default(),
            readable: false,
            read_closed: false,
            urgent: false,
            over: false,
            ended: false,
            filled: false,
            backlog: false,
            queued: false,
            pending: false,
            refused: false,
            telnet: false,
            doomed: false,
        }
    }

    /// Until when it may go on sending, if it lingers.
    pub(super) fn linger(&self) -> Option<Duration> {
        (self.phase == Phase::Lingering).then(|| Duration::from_millis(self.clock_ms))
    }

    /// Whether a turn would lead to anything: there is input, and nothing that it waits for.
    pub(super) fn is_runnable(&self) -> bool {
        match self.phase {
            Phase::Open => (self.readable || self.backlog) && self.wait == Wait::None,
            Phase::Draining => false,
            Phase::Lingering => self.readable,
        }
    }
}

/// Why somebody with a name is no longer present, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It said so, or a newcomer was refused.
    Quit,
    /// It ended its stream.
    EndOfStream,
    /// There was no room for it, or it gave no name in time.
    Refused,
    /// The server stops.
    Shutdown,
    /// Its connection died.
    Died(Death),
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quit => "quit",
            Self::EndOfStream => "end of stream",
            Self::Refused => "refused",
            Self::Shutdown => "server stops",
            Self::Died(Death::Closed) => "closed",
            Self::Died(Death::Failed) => "connection failed",
            Self::Died(Death::Lapped) => "fell behind the log",
            Self::Died(Death::TooSlow) => "read too slowly",
            Self::Died(Death::Stalled) => "accepted nothing",
        })
    }
}

impl Death {
    /// Whether what the system still holds is thrown away: megabytes that nobody will read.
    pub(super) fn is_abort(self) -> bool {
        matches!(self, Self::Lapped | Self::TooSlow | Self::Stalled)
    }
}

/// A client that is held until there is room, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) id: ClientId,
    pub(super) since: Duration,
}

// A crowd is many of these. In debug builds mio notes which poll a socket belongs to.
const DEBUG: usize = if cfg!(debug_assertions) { 16 } else { 0 };
const _: () = assert!(size_of::<Connection<mio::net::TcpStream>>() <= 64 + DEBUG);
