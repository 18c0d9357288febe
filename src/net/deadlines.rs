//! Deadlines: log-ins, flood limits, stalls, lingering, and what a gap in the clock does to them.
//!
//! No deadline is judged before a last look at the socket. A poll need not have told that there is
//! something to read or room to write: a signal may have interrupted it, or more was ready than one
//! poll tells.

use std::time::Duration;

use tracing::warn;

use super::connection::{Death, Leave, Phase, Wait};
use super::platform::Platform;
use super::server::Server;
use super::timers::{NEVER, ceil_millis};
use crate::chat::Step;
use crate::outbound::ClientId;

/// A poll that returns so much later than it should, or a turn that takes so long, means that the
/// process did not run: it was stopped (SIGSTOP, a debugger), or its machine was.
pub(super) const GAP: Duration = Duration::from_secs(1);

/// The most timers that are looked at in one turn: what is judged gets a last read, and a turn must
/// not become long by it. The others stay due, so the next turn begins at once.
const MAX_WAKES: usize = 64;

impl<P: Platform> Server<P> {
    /// Begins a turn. `asked` is when the poll began, `timeout` how long it was to last at most.
    pub(super) fn begin_turn(&mut self, asked: Duration, timeout: Option<Duration>) {
        let (before, now) = (self.now, self.platform.now());
        self.now = now;
        let (busy, polled) = (asked.saturating_sub(before), now.saturating_sub(asked));
        let late = timeout.map_or(Duration::ZERO, |timeout| polled.saturating_sub(timeout));
        let mut gap = Duration::ZERO;
        if busy > GAP {
            gap += busy;
        }
        if late > GAP {
            // Which part of it the process did not run is not known.
            gap += polled;
        }
        if !gap.is_zero() {
            self.handle_gap(gap);
        }
    }

    /// Nobody was read from or written to for so long: that is held against nobody.
    fn handle_gap(&mut self, gap: Duration) {
        warn!(seconds = gap.as_secs_f64(), "the server did not run; deadlines move by that time");
        self.chat.handle_gap(gap, self.now);
        for connection in self.connections.values_mut() {
            if connection.phase == Phase::Lingering {
                connection.clock_ms = connection.clock_ms.saturating_add(ceil_millis(gap));
            }
        }
        if let Some(stop) = &mut self.stop {
            stop.deadline += gap;
        }
    }

    pub(super) fn handle_deadlines(&mut self) {
        for _ in 0..MAX_WAKES {
            let Some((wake_ms, id)) = self.timers.pop(self.now) else { break };
            if self.connection(id).is_some_and(|connection| connection.wake_ms == wake_ms) {
                self.handle_wake(id);
            }
        }
        self.chat.handle_news(self.now);
        let connections = &self.connections;
        let find = |id: ClientId| connections.get(id);
        let clients = connections.len();
        self.timers.compact(clients, |wake_ms, id| find(id).is_some_and(|c| c.wake_ms == wake_ms));
        self.pool.compact(clients, |id| find(id).is_some_and(|c| c.wait == Wait::Input));
    }

    fn handle_wake(&mut self, id: ClientId) {
        let Some(connection) = self.connection(id) else { return };
        connection.wake_ms = NEVER;
        if let Some(linger) = connection.linger() {
            return self.handle_linger(id, linger);
        }
        if self.is_stalled(id) {
            return self.doom(id, Death::Stalled);
        }
        self.resume_flood(id);
        self.judge_login(id);
        // While it is held the deadline may have passed; whoever releases it arms it again.
        if self.chat.login_deadline(id).is_some_and(|deadline| deadline > self.now) {
            self.arm_login(id);
        }
        self.arm_stall(id);
    }

    /// A lingering connection goes when its time is over, or when it takes nothing.
    fn handle_linger(&mut self, id: ClientId, linger: Duration) {
        if linger > self.now {
            return self.arm(id, linger);
        }
        // What it sent before need not make a reset of its end.
        self.discard(id);
        self.doom(id, Death::Closed);
    }

    /// Whether a client has taken nothing for the stall time-out, and takes nothing now.
    fn is_stalled(&mut self, id: ClientId) -> bool {
        let deadline = self.chat.outbound.stall_deadline(id);
        if deadline.is_none_or(|deadline| deadline > self.now) {
            return false;
        }
        self.write_once_more(id)
    }

    /// Whether a client that has read below the minimum rate for long has done so after a last
    /// write, too: it may have made room, of which nothing was heard yet.
    pub(super) fn is_too_slow(&mut self, id: ClientId) -> bool {
        self.write_once_more(id);
        self.chat.outbound.is_too_slow(id, self.now)
    }

    /// Writes although nothing was heard of room. Says whether the socket takes nothing.
    fn write_once_more(&mut self, id: ClientId) -> bool {
        self.chat.outbound.handle_writable(id, self.now);
        let refuses = self.write(id);
        self.after_write(id);
        refuses
    }

    fn resume_flood(&mut self, id: ClientId) {
        if self.connection(id).is_some_and(|connection| connection.phase == Phase::Open) {
            self.resume(id, Wait::Flood);
        }
    }

    /// Closes a newcomer whose time is over and whose name is not there.
    fn judge_login(&mut self, id: ClientId) {
        if self.chat.login_deadline(id).is_none_or(|deadline| deadline > self.now) {
            return;
        }
        if let Some(connection) = self.connection(id)
            && connection.phase == Phase::Open
            && connection.wait == Wait::None
        {
            connection.readable = true;
            self.read(id);
        }
        let Some(connection) = self.connection(id) else { return };
        // Its clock stands still while it is held.
        if connection.phase == Phase::Open
            && connection.wait != Wait::Room
            && self.chat.handle_login_deadline(id, self.now) == Step::Close
        {
            self.close(id, Leave::Refused);
        }
    }

    /// Looks at a connection no later than at this time.
    pub(super) fn arm(&mut self, id: ClientId, at: Duration) {
        let wake_ms = ceil_millis(at);
        if let Some(connection) = self.connection(id)
            && wake_ms < connection.wake_ms
        {
            connection.wake_ms = wake_ms;
            self.timers.push(wake_ms, id);
        }
    }

    pub(super) fn arm_login(&mut self, id: ClientId) {
        if let Some(deadline) = self.chat.login_deadline(id) {
            self.arm(id, deadline);
        }
    }

    pub(super) fn arm_stall(&mut self, id: ClientId) {
        if let Some(deadline) = self.chat.outbound.stall_deadline(id) {
            self.arm(id, deadline);
        }
    }
}
