//! The platform that the system gives: mio, sockets, signals.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook_mio::v1_0::Signals;
use socket2::SockRef;

use super::platform::{Event, Platform, Readiness};
use crate::outbound::ClientId;

/// How many events one poll takes; more wait in the system for the next.
const EVENTS_PER_POLL: usize = 1024;

/// The token of the signals. Listeners count down from here; clients have the rest.
const SIGNALS: usize = usize::MAX;

/// The most listeners: their tokens end before those of clients begin.
pub(super) const MAX_LISTENERS: usize = 64;

/// The system, through mio.
pub struct System {
    poll: Poll,
    events: Events,
    listeners: Vec<TcpListener>,
    signals: Signals,
    started: Instant,
}

impl System {
    /// Watches the listeners, SIGTERM, SIGINT and SIGUSR1.
    ///
    /// # Errors
    ///
    /// Those of the system's poll and signals.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters the house")]
    pub fn new(listeners: Vec<std::net::TcpListener>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1])?;
        poll.registry().register(&mut signals, Token(SIGNALS), Interest::READABLE)?;
        let mut listeners: Vec<_> = listeners.into_iter().map(TcpListener::from_std).collect();
        for (number, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, listener_token(number), Interest::READABLE)?;
        }
        let events = Events::with_capacity(EVENTS_PER_POLL);
        Ok(Self { poll, events, listeners, signals, started: Instant::now() })
    }
}

/// From here on, SIGTERM and SIGINT end the process at once, with this exit code.
///
/// # Errors
///
/// Those of the system's signals.
pub(super) fn end_by_signal(code: u8) -> io::Result<()> {
    static ALWAYS: AtomicBool = AtomicBool::new(true);
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, code.into(), &ALWAYS)?;
    }
    Ok(())
}

impl Platform for System {
    type Socket = TcpStream;

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn poll(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        self.poll.poll(&mut self.events, timeout)?;
        for event in &self.events {
            match event.token() {
                Token(SIGNALS) => {
                    let signals = self.signals.pending();
                    events.extend(signals.map(|signal| match signal {
                        SIGUSR1 => Event::Report,
                        _ => Event::Stop,
                    }));
                }
                Token(token) if token >= SIGNALS - MAX_LISTENERS => {
                    events.push(Event::Acceptable(SIGNALS - 1 - token));
                }
                Token(token) => events.push(Event::Ready(client_id(token), readiness(event))),
            }
        }
        Ok(())
    }

    fn accept(&mut self, listener: usize, id: ClientId) -> io::Result<(TcpStream, SocketAddr)> {
        let listener = self.listeners.get(listener).ok_or(io::ErrorKind::NotConnected)?;
        let (mut socket, peer) = listener.accept()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        #[cfg(target_os = "linux")]
        let interest = interest | Interest::PRIORITY;
        self.poll.registry().register(&mut socket, client_token(id), interest)?;
        Ok((socket, peer))
    }

    fn local_address(&self, socket: &TcpStream) -> io::Result<SocketAddr> {
        socket.local_addr()
    }

    fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        socket.read(buffer)
    }

    fn write_vectored(
        &mut self,
        socket: &mut TcpStream,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        socket.write_vectored(slices)
    }

    fn shutdown(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        socket.shutdown(Shutdown::Write)
    }

    fn abort(&mut self, socket: TcpStream) {
        // If it cannot be set, the close is a plain one, and the system lets go in its own time.
        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
    }
}

fn readiness(event: &mio::event::Event) -> Readiness {
    Readiness {
        readable: event.is_readable(),
        writable: event.is_writable(),
        read_closed: event.is_read_closed(),
        urgent: event.is_priority(),
        write_closed: event.is_write_closed(),
        error: event.is_error(),
    }
}

fn listener_token(number: usize) -> Token {
    Token(SIGNALS - 1 - number)
}

fn client_token(id: ClientId) -> Token {
    Token((id.generation as usize) << 32 | id.key as usize)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the token")]
fn client_id(token: usize) -> ClientId {
    ClientId { key: token as u32, generation: (token >> 32) as u32 }
}

/// Tokens hold a slot and a generation.
const _: () = assert!(usize::BITS == 64, "hubbub serves on 64-bit systems");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_clients_and_listeners_apart() {
        for id in [(0, 0), (7, 1), (u32::MAX, 3), (5, u32::MAX)] {
            let id = ClientId { key: id.0, generation: id.1 };
            assert_eq!(client_id(client_token(id).0), id);
            assert!(client_token(id).0 < SIGNALS - MAX_LISTENERS);
        }
        assert_eq!(listener_token(3), Token(SIGNALS - 4));
    }
}
