//! The platform that the system gives: mio, sockets, signals.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::flag;
use signal_hook_mio::v1_0::Signals;
use socket2::SockRef;
use thiserror::Error;

use super::inherited;
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
    /// It was started in a terminal.
    in_terminal: bool,
    started: Instant,
}

/// What the system does not give at the start.
#[derive(Debug, Error)]
pub enum SystemError {
    /// No poll.
    #[error("cannot make the poll that waits for sockets")]
    Poll(#[source] io::Error),
    /// No handlers of signals.
    #[error("cannot handle signals")]
    Signals(#[source] io::Error),
    /// A listener is not watched.
    #[error("cannot watch a listener")]
    Listener(#[source] io::Error),
}

impl System {
    /// Watches the listeners, SIGTERM, SIGINT, SIGUSR1 and, unless it is ignored, SIGHUP.
    ///
    /// # Errors
    ///
    /// [`SystemError`] says what the system does not give.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters the house")]
    pub fn new(listeners: Vec<std::net::TcpListener>) -> Result<Self, SystemError> {
        let poll = Poll::new().map_err(SystemError::Poll)?;
        let mut handled = vec![SIGTERM, SIGINT, SIGUSR1];
        // Under `nohup` it stays ignored.
        if !is_ignored(SIGHUP) {
            handled.push(SIGHUP);
        }
        let mut signals = Signals::new(handled).map_err(SystemError::Signals)?;
        let registry = poll.registry();
        registry
            .register(&mut signals, Token(SIGNALS), Interest::READABLE)
            .map_err(SystemError::Signals)?;
        let mut listeners: Vec<_> = listeners.into_iter().map(TcpListener::from_std).collect();
        for (number, listener) in listeners.iter_mut().enumerate() {
            registry
                .register(listener, listener_token(number), Interest::READABLE)
                .map_err(SystemError::Listener)?;
        }
        let events = Events::with_capacity(EVENTS_PER_POLL);
        let (in_terminal, started) = (has_terminal(), Instant::now());
        Ok(Self { poll, events, listeners, signals, in_terminal, started })
    }
}

/// Makes a file that reaches the limit of its process (`RLIMIT_FSIZE`) an error of that file, and
/// not the end of the chat. Nobody looks at the flag.
///
/// # Errors
///
/// Those of the system's signals.
pub(super) fn outlive_full_files() -> Result<(), SystemError> {
    let flag = Arc::new(AtomicBool::new(false));
    flag::register(SIGXFSZ, flag).map(drop).map_err(SystemError::Signals)
}

/// Whether there is a terminal that this process belongs to: it can be opened (tty(4)).
fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Whether a signal is ignored since before the start, as by `nohup`. Only Linux tells.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// From here on, SIGTERM and SIGINT end the process at once, with this exit code.
///
/// # Errors
///
/// Those of the system's signals.
pub(super) fn end_by_signal(code: u8) -> Result<(), SystemError> {
    static ALWAYS: AtomicBool = AtomicBool::new(true);
    for signal in [SIGTERM, SIGINT] {
        let ended = flag::register_conditional_shutdown(signal, code.into(), &ALWAYS);
        ended.map_err(SystemError::Signals)?;
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
                    let in_terminal = self.in_terminal;
                    let signals = self.signals.pending();
                    events.extend(signals.map(|signal| match signal {
                        SIGUSR1 => Event::Report,
                        // The terminal that it was started in is still there, or never was.
                        SIGHUP if !in_terminal || has_terminal() => Event::Reload,
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

    fn peer_address(&self, socket: &TcpStream) -> io::Result<SocketAddr> {
        socket.peer_addr()
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
        inherited::tell_stopping();
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
