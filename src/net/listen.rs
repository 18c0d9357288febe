//! Listeners, and how many descriptors there are for what comes in.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;
use tracing::warn;

use crate::config::Server as Place;

/// How many connections may wait to be accepted. The system may allow fewer
/// (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;

/// How much the system may hold for a client beyond what is on its way, in bytes: without a limit
/// a stalled client holds megabytes.
const NOTSENT_LOWAT: u32 = 128 * 1024;

/// How much Linux keeps for a client of what is not read yet, in bytes, its own overhead included:
/// twice what is asked for (socket(7)). Without a limit it gives some clients megabytes. A client
/// on a line of 100 ms can still send 300 KiB a second.
#[cfg(target_os = "linux")]
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Why the server cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error("cannot listen on {0}: the port is taken. Stop the other server or use --listen")]
    Taken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Failed(SocketAddr, #[source] io::Error),
    /// Where it listens is not known, after a port of the system's choice.
    #[error("cannot tell which port the system chose")]
    Address(#[source] io::Error),
    /// The name stands for no address.
    #[error("cannot listen on {0}")]
    Unknown(Place, #[source] io::Error),
    /// Two names stand for the same address.
    #[error("--listen {0} and --listen {1} both mean {2}; one of them would work")]
    Twice(Place, Place, SocketAddr),
    /// A socket that the process was given is not what the server needs.
    #[error("cannot use the sockets of LISTEN_FDS")]
    Inherited(#[source] io::Error),
}

/// Options of listeners, which Linux hands down to accepted sockets: set here once instead of with
/// several system calls for each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// See `Settings`.
    pub(super) keepalive: Option<Duration>,
    /// See `Settings`.
    pub(super) stall_timeout: Duration,
}

/// Listens on every address of every place, besides `inherited`, whose addresses are left alone.
///
/// # Errors
///
/// The first place that cannot be listened on.
pub(super) fn listen(
    places: &[Place],
    mut inherited: Vec<TcpListener>,
    options: Options,
) -> Result<Vec<TcpListener>, ListenError> {
    let taken: Vec<SocketAddr> =
        inherited.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    for listener in &inherited {
        let address = listener.local_addr().map_err(ListenError::Inherited)?;
        options.set(&SockRef::from(listener)).map_err(|e| ListenError::Failed(address, e))?;
    }
    let mut wanted: Vec<(SocketAddr, &Place)> = Vec::new();
    for place in places {
        for address in resolve(place)? {
            let twice = wanted.iter().find(|(other, _)| *other == address && address.port() != 0);
            match twice {
                Some((_, other)) if *other == place => {}
                Some((_, other)) => {
                    return Err(ListenError::Twice((*other).clone(), place.clone(), address));
                }
                None if taken.contains(&address) => {}
                None => wanted.push((address, place)),
            }
        }
    }
    let v4_ports: Vec<u16> = wanted
        .iter()
        .map(|(address, _)| address)
        .chain(&taken)
        .filter(|address| address.is_ipv4())
        .map(SocketAddr::port)
        .collect();
    for (address, place) in &wanted {
        // An IPv6 listener takes IPv4 too, unless that has a listener of its own.
        let only_v6 = v4_ports.contains(&address.port());
        match bind(*address, only_v6, options) {
            Ok(listener) => inherited.push(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                return Err(ListenError::Taken(*address));
            }
            // `localhost` has an IPv6 address on machines without IPv6, too.
            Err(error) if is_absent(&error) && has_other(&wanted, *address, place) => {
                warn!(%address, %place, "this address is not there, others of the name are");
            }
            Err(error) => return Err(ListenError::Failed(*address, error)),
        }
    }
    Ok(inherited)
}

/// Every address of a place, each once.
fn resolve(place: &Place) -> Result<Vec<SocketAddr>, ListenError> {
    let unknown = |error| ListenError::Unknown(place.clone(), error);
    let found = (place.host.as_str(), place.port).to_socket_addrs().map_err(unknown)?;
    let mut addresses = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Whether this machine has no such address.
fn is_absent(error: &io::Error) -> bool {
    let unsupported = Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(unsupported)
}

fn has_other(wanted: &[(SocketAddr, &Place)], address: SocketAddr, place: &Place) -> bool {
    wanted.iter().any(|(other, of)| *of == place && *other != address)
}

fn bind(address: SocketAddr, only_v6: bool, options: Options) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A port whose last server crashed can be bound again at once.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    options.set(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Options {
    fn set(self, socket: &Socket) -> io::Result<()> {
        let Self { keepalive, stall_timeout } = self;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // Telnet marks an interrupt as urgent: the byte belongs into the stream, where it was sent.
        socket.set_out_of_band_inline(true)?;
        if let Some(idle) = keepalive {
            let probes =
                TcpKeepalive::new().with_time(idle).with_interval(idle / 6).with_retries(3);
            socket.set_tcp_keepalive(&probes)?;
        }
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
            socket.set_recv_buffer_size(RECEIVE_BUFFER / 2)?;
            // What was written and is not acknowledged for so long is lost with the peer (RFC
            // 5482). Linux counts a window of zero, too, and that is for the stall time-out to
            // judge.
            let give_up = |idle: Duration| (idle + idle / 2).max(stall_timeout);
            socket.set_tcp_user_timeout(keepalive.map(give_up))?;
        }
        Ok(())
    }
}
