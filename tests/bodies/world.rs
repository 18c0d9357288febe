//! A world in memory: sockets that are strictly edge-triggered, a clock that a test turns, and
//! faults from a seed.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hubbub::net::platform::{Event, Platform, Readiness};
use hubbub::outbound::ClientId;

/// What a peer's system takes before its program reads, in bytes.
pub const SOCKET_BUFFER: usize = 2000;

/// How many turns the server may spend on what it has read already, or on nothing.
const MAX_IDLE_TURNS: u32 = 50;

/// How far the clock goes at once, so that a test sees what happens on the way.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How often something goes wrong, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A read or write that moves less than it could.
    pub short: u8,
    /// EINTR on read, write, accept or poll.
    pub interrupted: u8,
    /// EMFILE, ENFILE, ENOBUFS or ENOMEM on accept.
    pub no_descriptor: u8,
    /// ECONNABORTED on accept.
    pub aborted: u8,
    /// An event without a reason, for somebody here or long gone.
    pub spurious: u8,
}

/// One connection, seen from outside.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub struct Peer {
    /// What the peer's program has received.
    pub received: Vec<u8>,
    /// The server has ended its stream.
    pub got_end: bool,
    /// The server has thrown the connection away.
    pub got_reset: bool,
    /// The server has no socket for it any more.
    pub closed: bool,
    /// The peer's program reads.
    pub reads: bool,
    /// The peer has ended its stream.
    pub ended: bool,
    /// The peer has reset the connection.
    pub reset: bool,
    address: Option<Ipv4Addr>,
    /// When the server took the connection.
    pub accepted_at: Option<Duration>,
    id: Option<ClientId>,
    to_server: VecDeque<u8>,
    in_flight: VecDeque<u8>,
    blocked: bool,
    edge: Readiness,
}

/// The world.
#[derive(Debug)]
pub struct World {
    pub peers: Vec<Peer>,
    pub faults: Faults,
    pub now: Duration,
    /// The server found nothing to do and was ready to wait.
    pub quiet: bool,
    pub listening: bool,
    /// No wait lasts beyond this.
    pub horizon: Option<Duration>,
    /// Where the next peers connect from; this machine unless a test says otherwise.
    pub address: Ipv4Addr,
    /// How many turns in a row the server did not wait, had no event, and asked for nothing.
    idle_turns: u32,
    asks: u32,
    random: fastrand::Rng,
    backlog: VecDeque<usize>,
    acceptable: bool,
    stops: u32,
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct Socket(usize);

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            peers: Vec::new(),
            faults: Faults::default(),
            now: Duration::from_secs(1000),
            quiet: false,
            listening: true,
            horizon: None,
            address: Ipv4Addr::LOCALHOST,
            idle_turns: 0,
            asks: 0,
            random: fastrand::Rng::with_seed(seed),
            backlog: VecDeque::new(),
            acceptable: false,
            stops: 0,
        }
    }

    /// Somebody connects; the number of the peer.
    pub fn connect(&mut self) -> usize {
        let address = Some(self.address);
        self.peers.push(Peer { reads: true, address, ..Peer::default() });
        self.backlog.push_back(self.peers.len() - 1);
        self.acceptable = true;
        self.peers.len() - 1
    }

    /// Whether bytes sent now can arrive.
    pub fn can_send(&self, peer: usize) -> bool {
        let peer = &self.peers[peer];
        !(peer.ended || peer.reset || peer.closed)
    }

    /// Whether the server has taken the connection.
    pub fn is_accepted(&self, peer: usize) -> bool {
        self.peers[peer].id.is_some()
    }

    pub fn send(&mut self, peer: usize, bytes: &[u8]) {
        let peer = &mut self.peers[peer];
        peer.to_server.extend(bytes);
        peer.edge.readable = true;
    }

    /// The peer ends its stream and goes on reading.
    pub fn end(&mut self, peer: usize) {
        let peer = &mut self.peers[peer];
        peer.ended = true;
        (peer.edge.readable, peer.edge.read_closed) = (true, true);
        peer.edge.write_closed |= peer.got_end;
    }

    /// The peer resets the connection; what it sent before can still be read, as on Linux.
    pub fn reset(&mut self, peer: usize) {
        let peer = &mut self.peers[peer];
        peer.reset = true;
        peer.edge = Readiness {
            readable: true,
            writable: true,
            read_closed: true,
            urgent: false,
            write_closed: true,
            error: true,
        };
    }

    /// The peer's program reads, or stops reading.
    pub fn set_reads(&mut self, peer: usize, reads: bool) {
        self.peers[peer].reads = reads;
    }

    pub fn stop_server(&mut self) {
        self.stops += 1;
    }

    pub fn text(&self, peer: usize) -> String {
        String::from_utf8(self.peers[peer].received.clone()).expect("the server speaks UTF-8")
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.random.u8(0..100) < percent
    }

    /// What the peers' systems and programs do while the server is busy.
    pub fn deliver(&mut self) {
        for peer in &mut self.peers {
            if peer.reads && !peer.in_flight.is_empty() {
                peer.received.extend(peer.in_flight.drain(..));
                if std::mem::take(&mut peer.blocked) {
                    peer.edge.writable = true;
                }
            }
        }
    }
}

impl Platform for World {
    type Socket = Socket;

    fn now(&self) -> Duration {
        self.now
    }

    fn poll(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        self.deliver();
        self.quiet = false;
        if self.chance(self.faults.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        if std::mem::take(&mut self.acceptable) {
            events.push(Event::Acceptable(0));
        }
        events.extend((0..std::mem::take(&mut self.stops)).map(|_| Event::Stop));
        for peer in 0..self.peers.len() {
            let spurious = self.chance(self.faults.spurious);
            let Some(id) = self.peers[peer].id else { continue };
            let edge = std::mem::take(&mut self.peers[peer].edge);
            if spurious {
                let all = Readiness { readable: true, writable: true, ..Readiness::default() };
                events.push(Event::Ready(id, all));
            }
            if edge != Readiness::default() && !self.peers[peer].closed {
                events.push(Event::Ready(id, edge));
            }
        }
        self.random.shuffle(events);
        let asks = std::mem::take(&mut self.asks);
        let idle = events.is_empty() && timeout == Some(Duration::ZERO) && asks == 0;
        self.idle_turns = if idle { self.idle_turns + 1 } else { 0 };
        assert!(self.idle_turns < MAX_IDLE_TURNS, "the loop spins");
        self.quiet = events.is_empty() && timeout != Some(Duration::ZERO);
        // A clock always moves, and a wait without an event lasts as long as it was to.
        self.now += Duration::from_nanos(10);
        if self.quiet {
            let until = self.now + timeout.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
            self.now = until.min(self.horizon.unwrap_or(until)).max(self.now);
        }
        Ok(())
    }

    fn accept(&mut self, _: usize, id: ClientId) -> io::Result<(Socket, SocketAddr)> {
        self.asks += 1;
        let Some(&number) = self.backlog.front() else { return Err(ErrorKind::WouldBlock.into()) };
        if self.chance(self.faults.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.chance(self.faults.no_descriptor) {
            return Err(io::Error::from_raw_os_error(
                self.random.choice([24, 23, 105, 12]).unwrap(),
            ));
        }
        self.backlog.pop_front();
        let peer = &mut self.peers[number];
        (peer.id, peer.accepted_at) = (Some(id), Some(self.now));
        if self.random.u8(0..100) < self.faults.aborted {
            (peer.reset, peer.closed) = (true, true);
            return Err(ErrorKind::ConnectionAborted.into());
        }
        peer.edge.writable = true;
        Ok((Socket(number), (peer.address.unwrap_or(Ipv4Addr::LOCALHOST), 50_000).into()))
    }

    fn read(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        self.asks += 1;
        if self.chance(self.faults.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        let short = self.chance(self.faults.short);
        let peer = &mut self.peers[socket.0];
        if peer.to_server.is_empty() {
            return match (peer.reset, peer.ended) {
                (true, _) => Err(ErrorKind::ConnectionReset.into()),
                (_, true) => Ok(0),
                _ => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let mut count = peer.to_server.len().min(buffer.len());
        if short && count > 1 {
            // The rest arrives just after: a short read has drained the socket.
            count = self.random.usize(1..count);
            peer.edge.readable = true;
        }
        peer.to_server.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
        Ok(count)
    }

    fn write_vectored(&mut self, socket: &mut Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.asks += 1;
        if self.chance(self.faults.interrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        let short = self.chance(self.faults.short);
        let peer = &mut self.peers[socket.0];
        assert!(!peer.got_end, "written to after the end of the stream");
        if peer.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut count = SOCKET_BUFFER - peer.in_flight.len();
        if count == 0 {
            peer.blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        if short && count > 1 {
            count = self.random.usize(1..count);
        }
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).take(count).collect();
        assert!(!bytes.is_empty(), "a write of nothing");
        peer.in_flight.extend(&bytes);
        Ok(bytes.len())
    }

    fn shutdown(&mut self, socket: &mut Socket) -> io::Result<()> {
        let peer = &mut self.peers[socket.0];
        peer.got_end = true;
        if peer.ended {
            (peer.edge.read_closed, peer.edge.write_closed) = (true, true);
        }
        Ok(())
    }

    fn abort(&mut self, socket: Socket) {
        let peer = &mut self.peers[socket.0];
        peer.got_reset = true;
        peer.in_flight.clear();
    }

    fn stop_listening(&mut self) {
        self.listening = false;
        self.backlog.clear();
    }
}
