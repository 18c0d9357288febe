//! How a connection gets its next turn, and how it ends.
//!
//! An end takes three steps. [`close`](Server::close): its last word is fixed, nothing more is
//! read. [`half_close`](Server::half_close): everything was written, so its stream ends, and what
//! the peer still sends is dropped. [`doom`](Server::doom): it is gone at the end of this turn,
//! never in the middle, so that no event of a batch meets a slot's next occupant.

use tracing::debug;

use super::connection::{Death, Phase, Wait};
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
    pub(super) fn close(&mut self, id: ClientId) {
        let Some(connection) = self.connection(id) else { return };
        if connection.phase != Phase::Open {
            return;
        }
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
        connection.linger_ms = ceil_millis(linger);
        self.arm(id, linger);
        self.enqueue(id);
    }

    /// This connection is gone at the end of the turn.
    pub(super) fn doom(&mut self, id: ClientId, death: Death) {
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

    /// Clears away what died in this turn.
    pub(super) fn reap(&mut self) {
        for (id, death) in std::mem::take(&mut self.dead) {
            let Some(connection) = self.connections.remove(id) else { continue };
            debug!(client = id.key, ?death, "closed");
            self.pool.release(connection.unread.len());
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
