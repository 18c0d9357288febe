//! What the system knows about a connection: how much of what was sent is not acknowledged, and
//! whether it is being sent again in vain.
//!
//! Linux answers this through `NETLINK_SOCK_DIAG` (`sock_diag(7)`), one message each way, for one
//! socket. Elsewhere, and where that is not allowed, nothing is known.

use std::net::TcpStream;

/// The state of what was sent over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendQueue {
    /// The bytes that the other side's system has not acknowledged, sent or not.
    pub(super) unacknowledged: u32,
    /// Something was sent more than once, and no answer of any kind has come since. A system
    /// whose program does not read answers all the same.
    pub(super) is_unanswered: bool,
}

/// The state of a connection; `None` where the system does not tell.
pub(super) fn send_queue(stream: &TcpStream) -> Option<SendQueue> {
    system::send_queue(stream)
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::TcpStream;

    use super::SendQueue;

    pub(super) fn send_queue(_: &TcpStream) -> Option<SendQueue> {
        None
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::net::{IpAddr, SocketAddr, TcpStream};
    use std::time::Duration;

    use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
    };

    use super::SendQueue;

    /// How long the answer may take; it is there at once.
    const PATIENCE: Duration = Duration::from_millis(100);

    // netlink(7), sock_diag(7) and the kernel's uapi headers netlink.h, sock_diag.h, inet_diag.h.
    const NLMSG_HEADER: usize = 16;
    const NLM_F_REQUEST: u16 = 1;
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const AF_INET: u8 = 2;
    const AF_INET6: u8 = 10;
    const IPPROTO_TCP: u8 = 6;
    /// Any state: one socket is asked for, by its addresses.
    const ALL_STATES: u32 = u32::MAX;
    /// `INET_DIAG_NOCOOKIE`, twice.
    const NO_COOKIE: [u8; 8] = [0xff; 8];
    // Offsets in an answer, after its header: `struct inet_diag_msg`.
    const TIMER: usize = NLMSG_HEADER + 2;
    const RETRANSMITS: usize = NLMSG_HEADER + 3;
    const SEND_QUEUE: usize = NLMSG_HEADER + 60;
    /// `idiag_timer` while data is sent again, and while a window of zero is probed.
    const SENDS_AGAIN: [u8; 2] = [1, 4];

    pub(super) fn send_queue(stream: &TcpStream) -> Option<SendQueue> {
        let request = request(stream.local_addr().ok()?, stream.peer_addr().ok()?)?;
        let flags = SocketFlags::CLOEXEC;
        let netlink =
            socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG)).ok()?;
        set_socket_timeout(&netlink, Timeout::Recv, Some(PATIENCE)).ok()?;
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&netlink, &request, SendFlags::empty(), &kernel).ok()?;
        let mut answer = [0; 512];
        let (length, _) = recv(&netlink, &mut answer[..], RecvFlags::empty()).ok()?;
        parse(answer.get(..length)?)
    }

    /// `struct inet_diag_req_v2` behind its header.
    pub(super) fn request(local: SocketAddr, peer: SocketAddr) -> Option<Vec<u8>> {
        let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
        let mut request = Vec::with_capacity(72);
        request.extend([0; 4]);
        request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.extend(NLM_F_REQUEST.to_ne_bytes());
        request.extend([0; 8]);
        request.extend([family, IPPROTO_TCP, 0, 0]);
        request.extend(ALL_STATES.to_ne_bytes());
        request.extend(local.port().to_be_bytes());
        request.extend(peer.port().to_be_bytes());
        request.extend(octets(local.ip()));
        request.extend(octets(peer.ip()));
        request.extend(scope(local).max(scope(peer)).to_ne_bytes());
        request.extend(NO_COOKIE);
        let length = u32::try_from(request.len()).ok()?;
        request[..4].copy_from_slice(&length.to_ne_bytes());
        Some(request)
    }

    /// The index of the interface that a link-local address belongs to.
    fn scope(address: SocketAddr) -> u32 {
        match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        }
    }

    fn octets(address: IpAddr) -> [u8; 16] {
        match address {
            IpAddr::V4(v4) => {
                let mut octets = [0; 16];
                octets[..4].copy_from_slice(&v4.octets());
                octets
            }
            IpAddr::V6(v6) => v6.octets(),
        }
    }

    fn parse(answer: &[u8]) -> Option<SendQueue> {
        let kind = answer.get(4..6)?.try_into().ok().map(u16::from_ne_bytes)?;
        if kind != SOCK_DIAG_BY_FAMILY {
            return None;
        }
        let queue = answer.get(SEND_QUEUE..SEND_QUEUE + 4)?.try_into().ok()?;
        let sends_again = SENDS_AGAIN.contains(answer.get(TIMER)?);
        Some(SendQueue {
            unacknowledged: u32::from_ne_bytes(queue),
            is_unanswered: sends_again && *answer.get(RETRANSMITS)? > 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_other_side_has_no_room_for_is_not_acknowledged() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            stream.write_all(b"hi").unwrap();
            peer.read_exact(&mut [0; 2]).unwrap();
            let acknowledged = SendQueue { unacknowledged: 0, is_unanswered: false };
            while send_queue(&stream) != Some(acknowledged) {
                std::thread::yield_now();
            }
            stream.set_nonblocking(true).unwrap();
            let mut sent = 0;
            while let Ok(count) = stream.write(&[b'x'; 8192]) {
                sent += count;
            }
            let left = send_queue(&stream).unwrap();
            assert!(left.unacknowledged > 0 && left.unacknowledged as usize <= sent, "{left:?}");
        }
    }
}
