//! The network: the only floor with sockets, a clock and a poll.
//!
//! One thread runs one loop ([`Server::turn`]), and a turn has five steps:
//!
//! 1. **Poll** for what became ready, until the nearest deadline (`system` asks mio).
//! 2. **Accept and read**, bounded for each connection (`accept`, `input`).
//! 3. **Deadlines**: logins, floods, stalls, lingering (`timers`).
//! 4. **Flush** one slice of those who have something to read (`output`).
//! 5. **Reap** what died in this turn (`life`).
//!
//! With `--capture`, a `record`er stands between the server and the system, and writes down what
//! goes by; neither knows of it.
//!
//! The system tells each readiness once. So it is remembered in the `connection`, and whoever
//! stops before `WouldBlock` queues itself again.

mod accept;
mod address;
mod announce;
mod capacity;
mod connection;
mod deadlines;
mod inherited;
mod input;
mod life;
mod listen;
mod logs;
mod output;
pub mod platform;
mod pool;
pub mod record;
mod server;
mod slots;
mod system;
mod timers;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use thiserror::Error;
use tracing::warn;

pub use capacity::CapacityError;
pub use listen::ListenError;
pub use server::{Exit, Server};
pub use system::{System, SystemError};

use crate::config::{self, DEFAULT_PORT, Settings};
use crate::outbound::NoMemory;
use listen::Options;
use logs::Logs;
use platform::Platform;
use record::{RecordError, Tape};

/// Why the server cannot run.
#[derive(Debug, Error)]
pub enum NetError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// More addresses than one server listens on.
    #[error("{0} addresses to listen on; at most {max} are possible", max = system::MAX_LISTENERS)]
    TooManyListeners(usize),
    /// The system does not give the memory for the log.
    #[error("there is no memory for a log of {0} bytes; a smaller --log-bytes would work")]
    LogMemory(usize),
    /// The capture cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The system does not give what every server needs.
    #[error(transparent)]
    System(#[from] SystemError),
    /// There are too few descriptors, or there is too little memory.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// The server was running, and cannot go on.
    #[error("the system's poll failed")]
    Poll(#[source] io::Error),
}

/// Serves until somebody asks it to stop. Prints where it listens.
///
/// # Errors
///
/// [`NetError`]: the server could not start, or cannot go on.
pub fn run(settings: &Settings) -> Result<Exit, NetError> {
    // First of all: descriptors are given by number.
    let inherited = inherited::listeners()?;
    system::outlive_full_files()?;
    let mut logs = Logs::start(settings.log_format);
    // Before anybody can connect, and without harm to what it holds: the port may not be free.
    let tape = Tape::open(settings)?;
    let listeners = listen_where_asked(settings, inherited)?;
    let mut addresses = Vec::new();
    for listener in &listeners {
        addresses.push(listener.local_addr().map_err(ListenError::Address)?);
    }
    let system = System::new(listeners)?;
    let max_clients = max_clients(settings)?;
    logs.await_thread();
    let mut settings = settings.clone();
    let max_clients = capacity::fit_memory(&mut settings, max_clients)?;
    let exit = match tape {
        None => serve(system, settings, &addresses, max_clients),
        Some(tape) => {
            let (recorder, scribe) = tape.record(system)?;
            let exit = serve(recorder, settings, &addresses, max_clients);
            // Who is in a hurry does not wait for a disk either, now or from now on.
            system::end_by_signal(Exit::Forced.code())?;
            if !matches!(exit, Ok(Exit::Forced)) {
                scribe.finish();
            }
            exit
        }
    };
    match logs.dropped() {
        0 => {}
        lines => warn!(lines, "log lines were dropped"),
    }
    exit
}

/// Says where, and serves.
fn serve<P: Platform>(
    platform: P,
    settings: Settings,
    addresses: &[SocketAddr],
    max_clients: usize,
) -> Result<Exit, NetError> {
    let log_bytes = settings.log_bytes;
    let mut server = Server::new(platform, settings, addresses.len(), max_clients)
        .map_err(|NoMemory| NetError::LogMemory(log_bytes))?;
    // Nobody need read this.
    let _ = io::stdout().write_all(announce::announcement(addresses, max_clients).as_bytes());
    inherited::tell_ready();
    server.run().map_err(NetError::Poll)
}

/// The listeners that were inherited, and those that were asked for; by default, one on loopback.
fn listen_where_asked(
    settings: &Settings,
    inherited: Vec<TcpListener>,
) -> Result<Vec<TcpListener>, NetError> {
    let default = config::Server { host: Ipv4Addr::LOCALHOST.to_string(), port: DEFAULT_PORT };
    let places = match settings.listen.as_slice() {
        [] if inherited.is_empty() => &[default][..],
        places => places,
    };
    let Settings { keepalive, stall_timeout, .. } = *settings;
    let listeners = listen::listen(places, inherited, Options { keepalive, stall_timeout })?;
    match listeners.len() {
        0..=system::MAX_LISTENERS => Ok(listeners),
        count => Err(NetError::TooManyListeners(count)),
    }
}

/// For how many clients there are descriptors, or as many as are wanted.
fn max_clients(settings: &Settings) -> Result<usize, CapacityError> {
    let room = capacity::descriptors_for_clients()?;
    Ok(match settings.max_clients {
        Some(wanted) if wanted > room => {
            warn!(wanted, room, "--max-clients is more than there are descriptors for");
            room
        }
        Some(wanted) => wanted,
        None => room,
    })
}
