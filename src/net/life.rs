//! How a connection gets its next turn, and how it ends.
//!
//! An end takes three steps. [`close`](Server::close): its last word is fixed, nothing more is
//! read. [`half_close`](Server::half_close): everything was written, so its stream ends, and what
//! the peer still sends is dropped. [`doom`](Server::doom): it is gone at the end of this turn,
//! never in the middle, so that no event of a batch meets a slot's next occupant.

use std::time::Duration;

use tracing::{debug, info};

use super::connection::{Death, Leave, Phase, Wait};
use super::platform::Platform;
use super::server::Server;
use super::timers::ceil_millis;
use crate::outbound::ClientId;

impl<P: Platform> Server<P> {
    /// Puts a connection that can go on behind the others that can.
    pub(super) fn enqueue(&mut self, id: ClientId) {
        if let Some(connection) = self.connection(id)
            && connection.is_runnable()
            && !connection.queued
        {
            connection.queued = true;
            self.ready.push_back(id);
        }
    }

    /// What the connection waited for is there.
    pub(super) fn resume(&mut self, id: ClientId, wait: Wait) {
        if let Some(connection) = self.connection(id)
            && connection.wait == wait
        {
            connection.wait = Wait::None;
            self.enqueue(id);
        }
    }

    /// The last word to this connection is said; the chat has seen to that.
    pub(super) fn close(&mut self, id: ClientId, why: Leave) {
        if self.connection(id).is_none_or(|connection| connection.phase != Phase::Open) {
            return;
        }
        self.log_leave(id, why);
        let Some(connection) = self.connection(id) else { return };
        connection.phase = Phase::Draining;
        connection.wait = Wait::None;
        let unread = std::mem::take(&mut connection.unread);
        let (peer, pending) = (connection.peer, std::mem::take(&mut connection.pending));
        self.pool.release(unread.len());
        if pending {
            self.addresses.settle(peer);
        }
        // Also when nothing is due: the flush is where a connection is found to be done.
        self.chat.outbound.enqueue(id);
    }

    /// Everything is written to this connection.
    pub(super) fn half_close(&mut self, id: ClientId) {
        let linger = self.now + self.settings.close_timeout;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let shut = self.platform.shutdown(&mut connection.socket);
        if connection.ended || shut.is_err() {
            return self.doom(id, Death::Closed);
        }
        connection.phase = Phase::Lingering;
        connection.clock_ms = ceil_millis(linger);
        self.arm(id, linger);
        self.enqueue(id);
    }

    /// This connection is gone at the end of the turn.
    pub(super) fn doom(&mut self, id: ClientId, death: Death) {
        // It may have got its name in this very read.
        self.settle(id);
        let Some(connection) = self.connection(id) else { return };
        if connection.phase == Phase::Open {
            self.log_leave(id, Leave::Died(death));
        }
        let Some(connection) = self.connection(id) else { return };
        connection.doomed = true;
        self.dead.push((id, death));
        let counters = &mut self.chat.counters;
        match death {
            Death::Closed => {}
            Death::Failed => counters.failed += 1,
            Death::Lapped => counters.lapped += 1,
            Death::TooSlow => counters.too_slow += 1,
            Death::Stalled => counters.stalled += 1,
        }
    }

    /// Somebody has got a name: who, and from where.
    pub(super) fn log_login(&self, id: ClientId) {
        if let Some(name) = self.chat.name(id) {
            info!(client = %id, name = name.as_str(), peer = %self.peer(id), "logged in");
        }
    }

    /// Somebody with a name is no longer present: who, from where, for how long, and why.
    fn log_leave(&self, id: ClientId, why: Leave) {
        let (Some(name), Some(connection)) = (self.chat.name(id), self.connections.get(id)) else {
            return;
        };
        let since = Duration::from_millis(connection.clock_ms);
        let seconds = self.now.saturating_sub(since).as_secs();
        let name = name.as_str();
        info!(client = %id, name, peer = %self.peer(id), seconds, %why, "left");
    }

    /// Where a connection comes from. The system forgets the address of one that has failed; then
    /// what its connections are counted by has to do.
    fn peer(&self, id: ClientId) -> String {
        let Some(connection) = self.connections.get(id) else { return String::new() };
        match self.platform.peer_address(&connection.socket) {
            Ok(address) => address.to_string(),
            Err(_) => connection.peer.to_string(),
        }
    }

    /// Clears away what died in this turn.
    pub(super) fn reap(&mut self) {
        for (id, death) in std::mem::take(&mut self.dead) {
            let Some(connection) = self.connections.remove(id) else { continue };
            debug!(client = %id, ?death, "closed");
            self.pool.release(connection.unread.len());
            if connection.telnet {
                self.telnets.remove(&id);
            }
            if !connection.refused {
                if connection.pending {
                    self.addresses.settle(connection.peer);
                }
                self.addresses.leave(connection.peer);
            }
            self.acceptor.handle_closed(connection.refused);
            self.chat.handle_disconnect(id, self.now);
            self.chat.counters.closed += 1;
            if death.is_abort() {
                self.platform.abort(connection.socket);
            } else {
                self.platform.close(connection.socket);
            }
        }
    }
}
