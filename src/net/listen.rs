//! Listeners, and how many descriptors there are for what comes in.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use thiserror::Error;

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
}

/// Listens on every address. Options that Linux hands down to accepted sockets are set here once
/// instead of with several system calls for each.
///
/// # Errors
///
/// The first address that cannot be listened on.
pub(super) fn listen(
    addresses: &[SocketAddr],
    keepalive: Option<Duration>,
    stall_timeout: Duration,
) -> Result<Vec<TcpListener>, ListenError> {
    let listen_one = |address: &SocketAddr| {
        // An IPv6 listener takes IPv4 too, unless that has a listener of its own.
        let only_v6 = addresses.iter().any(|a| a.is_ipv4() && a.port() == address.port());
        bind(*address, only_v6, keepalive, stall_timeout).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::Taken(*address),
            _ => ListenError::Failed(*address, error),
        })
    };
    addresses.iter().map(listen_one).collect()
}

fn bind(
    address: SocketAddr,
    only_v6: bool,
    keepalive: Option<Duration>,
    stall_timeout: Duration,
) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A port whose last server crashed can be bound again at once.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_tcp_nodelay(true)?;
    // Telnet marks an interrupt as urgent: the byte belongs into the stream, where it was sent.
    socket.set_out_of_band_inline(true)?;
    if let Some(idle) = keepalive {
        let probes = TcpKeepalive::new().with_time(idle).with_interval(idle / 6).with_retries(3);
        socket.set_tcp_keepalive(&probes)?;
    }
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER / 2)?;
        // What was written and is not acknowledged for so long is lost with the peer (RFC 5482).
        // Linux counts a window of zero, too, and that is for the stall time-out to judge.
        let give_up = |idle: Duration| (idle + idle / 2).max(stall_timeout);
        socket.set_tcp_user_timeout(keepalive.map(give_up))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
