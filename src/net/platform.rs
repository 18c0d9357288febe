//! What the loop asks of the world. The system implements it through mio; a test implements it in
//! memory, with a clock that it turns by hand.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use crate::metrics::Counters;
use crate::outbound::ClientId;

/// The world, as the loop sees it: edge-triggered readiness, sockets that never block, a clock.
///
/// Readiness is told once when it arises. A read or a write that did not end in `WouldBlock` may
/// have left some: the loop remembers.
pub trait Platform {
    /// A connected socket. Dropping it closes it.
    type Socket;

    /// The time since the platform was made. It never goes back.
    fn now(&self) -> Duration;

    /// Waits until something happens, or for as long as `timeout`; `None` is for ever. Fills
    /// `events` anew.
    ///
    /// # Errors
    ///
    /// Those of the system's poll; `Interrupted` means nothing.
    fn poll(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Takes one pending connection and watches it under `id`.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when none is pending, and those of the system's accept.
    fn accept(&mut self, listener: usize, id: ClientId) -> io::Result<(Self::Socket, SocketAddr)>;

    /// Where the peer of a socket connected to.
    ///
    /// # Errors
    ///
    /// Those of the system, which may have forgotten a connection that failed.
    fn local_address(&self, socket: &Self::Socket) -> io::Result<SocketAddr>;

    /// Where a socket comes from.
    ///
    /// # Errors
    ///
    /// Those of the system, which may have forgotten a connection that failed.
    fn peer_address(&self, socket: &Self::Socket) -> io::Result<SocketAddr>;

    /// Reads what is there, up to the buffer's length; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there, and those of the system's read.
    fn read(&mut self, socket: &mut Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as the socket takes.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it takes nothing, and those of the system's write.
    fn write_vectored(
        &mut self,
        socket: &mut Self::Socket,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize>;

    /// Ends the stream towards the peer, who may go on sending.
    ///
    /// # Errors
    ///
    /// Those of the system's shutdown.
    fn shutdown(&mut self, socket: &mut Self::Socket) -> io::Result<()>;

    /// Throws a connection away with what the system still holds for it, by a reset.
    fn abort(&mut self, socket: Self::Socket);

    /// Lets go of a connection; the system still delivers what it holds for it.
    fn close(&mut self, socket: Self::Socket) {
        drop(socket);
    }

    /// Takes no more connections, for good.
    fn stop_listening(&mut self);

    /// Adds what it has counted itself.
    fn count(&self, _counters: &mut Counters) {}
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A listener, by its number, has pending connections.
    Acceptable(usize),
    /// A socket became ready.
    Ready(ClientId, Readiness),
    /// The first asks the server to stop, the second makes it.
    Stop,
    /// Somebody wants to see the counters.
    Report,
    /// Somebody wants the settings to be read again.
    Reload,
}

/// For what a socket became ready. Not all that holds is told at once, and something may be told
/// that does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the bits of the system's answer")]
pub struct Readiness {
    /// There is something to read, or the stream has ended.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The peer has ended its stream.
    pub read_closed: bool,
    /// There is an urgent mark in the stream (RFC 6093), at which a read stops.
    pub urgent: bool,
    /// Nothing written reaches the peer any more.
    pub write_closed: bool,
    /// The connection has failed.
    pub error: bool,
}

impl Readiness {
    /// Whether the connection is over in both directions.
    pub fn is_over(self) -> bool {
        self.error || (self.read_closed && self.write_closed)
    }
}
