//! Counters: plain integers that the loop owns, readable at any turn.

/// What has happened since the server started. Each counter only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed, for whatever reason.
    pub closed: u64,
    /// Connections refused: server full, address full, or too many without a name.
    pub refused: u64,
    /// Logins.
    pub logins: u64,
    /// Lines taken from clients.
    pub lines: u64,
    /// Broadcasts by clients.
    pub broadcasts: u64,
    /// Private messages taken.
    pub private_messages: u64,
    /// Private messages refused for want of room in a mailbox.
    pub undelivered: u64,
    /// Notices dropped for want of room in a mailbox.
    pub answers_dropped: u64,
    /// Slow consumers: clients aborted because the log lapped them.
    pub lapped: u64,
    /// Clients aborted because they read below the minimum rate for long, while others waited.
    pub too_slow: u64,
    /// Clients aborted because they accepted nothing for the stall time-out.
    pub stalled: u64,
    /// Connections that failed: reset by the peer, or timed out.
    pub failed: u64,
    /// Times that talkers began to wait for readers who were behind.
    pub holds: u64,
    /// Times that accept failed for want of a descriptor or of memory.
    pub accept_failures: u64,
    /// Connections of which a capture lacks bytes, their end, or everything; each once.
    pub uncaptured: u64,
}
