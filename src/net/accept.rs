//! Accept: who may come in.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tracing::{debug, warn};

use super::address::AddressKey;
use super::connection::{Connection, Death, Leave};
use super::platform::Platform;
use super::server::Server;
use crate::outbound::{ClientId, NoMemory};
use crate::wire::Notice;

/// The most connections taken in one turn.
const MAX_ACCEPTS: usize = 64;

/// The most connections that are told at one time that there is no room for them. While the server
/// is full, more wait in the backlog of the listener.
pub(super) const MAX_REFUSED: usize = 16;

/// How long to leave accept alone when it fails for want of something.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How often such a failure is logged.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What is remembered of the listeners from turn to turn.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// Which listeners may have pending connections. Told only once, so it stays until accept says
    /// that there are none.
    pending: Vec<bool>,
    /// The listener that comes first in the next turn.
    first: usize,
    max_clients: usize,
    /// How many of the connections were refused for want of room. They take none from others.
    refused: usize,
    retry_at: Option<Duration>,
    warn_at: Duration,
    next_generation: u32,
}

impl Acceptor {
    pub(super) fn new(listeners: usize, max_clients: usize) -> Self {
        Self {
            pending: vec![false; listeners],
            first: 0,
            max_clients,
            refused: 0,
            retry_at: None,
            warn_at: Duration::ZERO,
            next_generation: 0,
        }
    }

    pub(super) fn handle_acceptable(&mut self, listener: usize) {
        if let Some(pending) = self.pending.get_mut(listener) {
            *pending = true;
        }
    }

    /// A connection has gone, and its descriptor with it: there may be room now.
    pub(super) fn handle_closed(&mut self, refused: bool) {
        self.refused -= usize::from(refused);
        self.retry_at = None;
    }

    pub(super) fn stop(&mut self) {
        self.pending.clear();
        self.retry_at = None;
    }

    /// Whether accept can be tried now with so many connections.
    pub(super) fn is_runnable(&self, connections: usize) -> bool {
        self.pending.contains(&true)
            && self.retry_at.is_none()
            && (!self.is_full(connections) || self.refused < MAX_REFUSED)
    }

    /// When accept is tried again after a failure.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.retry_at
    }

    fn is_full(&self, connections: usize) -> bool {
        connections - self.refused >= self.max_clients
    }
}

impl<P: Platform> Server<P> {
    /// Takes pending connections, listener after listener.
    pub(super) fn accept(&mut self) {
        // A deadline that has passed is none, or the loop would not sleep while it is full.
        let now = self.now;
        self.acceptor.retry_at.take_if(|at| *at <= now);
        let listeners = self.acceptor.pending.len();
        let mut left = MAX_ACCEPTS;
        for number in 0..listeners {
            let listener = (self.acceptor.first + number) % listeners;
            while left > 0
                && self.acceptor.pending[listener]
                && self.acceptor.is_runnable(self.connections.len())
            {
                left -= 1;
                self.accept_one(listener);
            }
        }
        self.acceptor.first = (self.acceptor.first + 1).checked_rem(listeners).unwrap_or(0);
    }

    fn accept_one(&mut self, listener: usize) {
        let Some(key) = self.connections.vacant_key() else { return };
        let id = ClientId { key, generation: self.acceptor.next_generation };
        if self.reserve(id).is_err() {
            return self.handle_accept_failure(&io::ErrorKind::OutOfMemory.into());
        }
        match self.platform.accept(listener, id) {
            Ok((socket, peer)) => {
                self.acceptor.next_generation = id.generation.wrapping_add(1);
                self.admit(id, socket, peer);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => self.acceptor.pending[listener] = false,
                // The connection died in the backlog; others may follow (accept(2), "Error
                // handling").
                io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::TimedOut
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable => {}
                // No descriptor, no memory: no event tells when there is one again.
                _ => self.handle_accept_failure(&error),
            },
        }
    }

    /// Makes room in every table that has an entry for each connection, before there is one more:
    /// later there is no way to refuse.
    fn reserve(&mut self, id: ClientId) -> Result<(), NoMemory> {
        self.connections.reserve(id)?;
        self.chat.reserve(id, self.addresses.pending())?;
        self.timers.reserve()?;
        self.addresses.reserve()?;
        self.ready.try_reserve(1).or(Err(NoMemory))
    }

    fn handle_accept_failure(&mut self, error: &io::Error) {
        self.chat.counters.accept_failures += 1;
        self.acceptor.retry_at = Some(self.now + RETRY_AFTER);
        if self.now >= self.acceptor.warn_at {
            self.acceptor.warn_at = self.now + WARN_EVERY;
            warn!(%error, "cannot accept a connection; trying again");
        }
    }

    fn admit(&mut self, id: ClientId, socket: P::Socket, peer: SocketAddr) {
        debug!(client = %id, %peer, "accepted");
        let key = AddressKey::of(peer.ip());
        let full = self.acceptor.is_full(self.connections.len());
        let refusal = if full {
            Some(Notice::Full)
        } else {
            self.addresses.is_full(key).then_some(Notice::AddressFull)
        };
        let mut connection = Connection::new(socket, key, self.now);
        connection.refused = refusal.is_some();
        connection.pending = refusal.is_none();
        self.connections.insert(id, connection);
        self.chat.counters.accepted += 1;
        if let Some(why) = refusal {
            return self.refuse(id, why);
        }
        self.addresses.enter(key, id);
        self.chat.handle_connect(id, key.number(), self.now);
        self.arm_login(id);
        self.bound_pending();
    }

    /// Tells a connection why it cannot stay. Too many of one address must not make the others wait
    /// as a full server does: where enough are being told, the next ones are closed without a word.
    fn refuse(&mut self, id: ClientId, why: Notice<'_>) {
        self.acceptor.refused += 1;
        if self.acceptor.refused > MAX_REFUSED {
            self.chat.counters.refused += 1;
            return self.doom(id, Death::Closed);
        }
        self.chat.handle_refused(id, why);
        self.close(id, Leave::Refused);
    }

    /// When too many have no name, one of the address that has most of them goes.
    fn bound_pending(&mut self) {
        let connections = &self.connections;
        let crowded = self.addresses.too_many(|id| {
            connections.get(id).is_some_and(|connection| connection.pending && !connection.doomed)
        });
        if let Some(id) = crowded {
            self.chat.handle_expelled(id, Notice::PendingFull, self.now);
            self.close(id, Leave::Refused);
        }
    }
}
