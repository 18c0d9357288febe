//! A world in memory: sockets that are strictly edge-triggered, a clock that a test turns, and
//! faults from a seed.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hubbub::net::platform::{Event, Platform, Readiness};
use hubbub::outbound::ClientId;

/// What a peer's system takes before its program reads, in bytes.
pub const SOCKET_BUFFER: usize = 2000;

/// How many turns the server may spend on what it has read already, or on nothing.
const MAX_IDLE_TURNS: u32 = 50;

/// How far the clock goes at once, so that a test sees what happens on the way.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How far the clock leaps at most when it leaps, as after a laptop has slept.
const LONGEST_LEAP: Duration = Duration::from_secs(20);

/// Where everyone connects to.
pub const SERVER_PORT: u16 = 12_345;

/// The port of the first peer; others have the next.
const FIRST_PORT: u16 = 50_000;

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
    /// What became true of a socket is told in two events.
    pub split: u8,
    /// The clock leaps.
    pub leaps: u8,
}

/// One connection, seen from outside.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub struct Peer {
    /// What the peer's program has sent.
    pub sent: Vec<u8>,
    /// What the peer's program has received.
    pub received: Vec<u8>,
    /// The server has ended its stream.
    pub got_end: bool,
    /// The server has thrown the connection away.
    pub got_reset: bool,
    /// The peer's program reads.
    pub reads: bool,
    /// The peer has ended its stream.
    pub ended: bool,
    /// The server has read to that end.
    pub saw_end: bool,
    /// The peer has reset the connection.
    pub reset: bool,
    address: Option<Ipv4Addr>,
    /// When the server took the connection.
    pub accepted_at: Option<Duration>,
    id: Option<ClientId>,
    /// Shared with the server's end of the connection, for as long as that is there.
    socket: Rc<()>,
    to_server: VecDeque<u8>,
    in_flight: VecDeque<u8>,
    blocked: bool,
    edge: Readiness,
}

impl Peer {
    /// What the server has read.
    pub fn taken(&self) -> &[u8] {
        &self.sent[..self.sent.len() - self.to_server.len()]
    }

    /// What the server has written, as far as the connection was not thrown away.
    pub fn given(&self) -> Vec<u8> {
        self.received.iter().chain(&self.in_flight).copied().collect()
    }

    /// The server took the connection, and has closed it since.
    pub fn is_closed(&self) -> bool {
        self.id.is_some() && Rc::strong_count(&self.socket) == 1
    }
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
    /// In the next poll the server is stopped for so long (SIGSTOP), and wakes up with EINTR.
    pub freeze: Option<Duration>,
    /// No wait lasts beyond this, or longer than that.
    pub horizon: Option<Duration>,
    pub longest_wait: Duration,
    /// How long the server works on what one read gives it.
    pub read_takes: Duration,
    /// Where the next peers connect from; this machine unless a test says otherwise.
    pub address: Ipv4Addr,
    /// What went wrong so far, by kind.
    pub met: BTreeMap<&'static str, u64>,
    pub turns: u64,
    /// Whom the last events were about.
    told: Vec<ClientId>,
    /// How many turns in a row the server did not wait, had no event, and asked for nothing.
    idle_turns: u32,
    asks: u32,
    random: fastrand::Rng,
    backlog: VecDeque<usize>,
    acceptable: bool,
    /// How often the server was asked to stop, and how often that was told.
    stops: [u32; 2],
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct Socket {
    peer: usize,
    /// While it is held, the socket is open.
    _open: Rc<()>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            peers: Vec::new(),
            faults: Faults::default(),
            now: Duration::from_secs(1000),
            quiet: false,
            listening: true,
            freeze: None,
            horizon: None,
            longest_wait: LONGEST_WAIT,
            read_takes: Duration::ZERO,
            address: Ipv4Addr::LOCALHOST,
            met: BTreeMap::new(),
            turns: 0,
            told: Vec::new(),
            idle_turns: 0,
            asks: 0,
            random: fastrand::Rng::with_seed(seed),
            backlog: VecDeque::new(),
            acceptable: false,
            stops: [0, 0],
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
        !(peer.ended || peer.reset || peer.is_closed())
    }

    /// Whether the server has taken the connection.
    pub fn is_accepted(&self, peer: usize) -> bool {
        self.peers[peer].id.is_some()
    }

    pub fn send(&mut self, peer: usize, bytes: &[u8]) {
        if self.peers[peer].got_end || !self.listening {
            self.meet("traffic after shutdown");
        }
        let peer = &mut self.peers[peer];
        peer.sent.extend(bytes);
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
        self.stops[0] += 1;
    }

    pub fn was_stopped(&self) -> bool {
        self.stops[0] > 0
    }

    /// How many connections the server has.
    pub fn open(&self) -> usize {
        self.peers.iter().filter(|peer| peer.id.is_some() && !peer.is_closed()).count()
    }

    pub fn text(&self, peer: usize) -> String {
        String::from_utf8(self.peers[peer].received.clone()).expect("the server speaks UTF-8")
    }

    /// Whether a fault of this kind strikes.
    fn strikes(&mut self, percent: u8, kind: &'static str) -> bool {
        let strikes = self.random.u8(0..100) < percent;
        if strikes {
            self.meet(kind);
        }
        strikes
    }

    fn meet(&mut self, kind: &'static str) {
        *self.met.entry(kind).or_default() += 1;
    }

    /// What became true of a socket since it was last told, in one event or two.
    fn tell(&mut self, peer: usize, events: &mut Vec<Event>) {
        let Some(id) = self.peers[peer].id else { return };
        let closed = self.peers[peer].is_closed();
        let edge = std::mem::take(&mut self.peers[peer].edge);
        if self.strikes(self.faults.spurious, "event without a reason") {
            let all = Readiness { readable: true, writable: true, ..Readiness::default() };
            events.push(Event::Ready(id, all));
            if closed {
                self.meet("event for a former occupant");
            } else if edge != Readiness::default() {
                self.meet("two events for one socket");
            }
        }
        if edge == Readiness::default() || closed {
            return;
        }
        if edge.readable && edge.read_closed {
            self.meet("readable and closed together");
        }
        let rest = Readiness { readable: false, ..edge };
        if edge.readable
            && rest != Readiness::default()
            && self.strikes(self.faults.split, "two events for one socket")
        {
            let readable = Readiness { readable: true, ..Readiness::default() };
            events.extend([Event::Ready(id, readable), Event::Ready(id, rest)]);
        } else {
            events.push(Event::Ready(id, edge));
        }
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

/// From which port a peer connects.
pub fn port(peer: usize) -> u16 {
    FIRST_PORT + u16::try_from(peer).expect("peers are fewer than ports")
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
        self.turns += 1;
        if self.strikes(self.faults.leaps, "leap of the clock") {
            self.now += LONGEST_LEAP.mul_f64(self.random.f64());
        }
        if let Some(time) = self.freeze.take() {
            self.now += time;
            return Err(ErrorKind::Interrupted.into());
        }
        if self.strikes(self.faults.interrupted, "EINTR on poll") {
            return Err(ErrorKind::Interrupted.into());
        }
        if std::mem::take(&mut self.acceptable) {
            events.push(Event::Acceptable(0));
        }
        let [asked, told] = self.stops;
        events.extend((told..asked).map(|_| Event::Stop));
        self.stops = [asked, asked];
        for peer in 0..self.peers.len() {
            self.tell(peer, events);
        }
        self.random.shuffle(events);
        self.told.clear();
        self.told.extend(events.iter().filter_map(|event| match event {
            Event::Ready(id, _) => Some(*id),
            _ => None,
        }));
        let asks = std::mem::take(&mut self.asks);
        let idle = events.is_empty() && timeout == Some(Duration::ZERO) && asks == 0;
        self.idle_turns = if idle { self.idle_turns + 1 } else { 0 };
        assert!(self.idle_turns < MAX_IDLE_TURNS, "the loop spins");
        self.quiet = events.is_empty() && timeout != Some(Duration::ZERO);
        // A clock always moves, and a wait without an event lasts as long as it was to.
        self.now += Duration::from_nanos(10);
        if self.quiet {
            let until = self.now + timeout.unwrap_or(self.longest_wait).min(self.longest_wait);
            self.now = until.min(self.horizon.unwrap_or(until)).max(self.now);
        }
        Ok(())
    }

    fn accept(&mut self, _: usize, id: ClientId) -> io::Result<(Socket, SocketAddr)> {
        self.asks += 1;
        let Some(&number) = self.backlog.front() else { return Err(ErrorKind::WouldBlock.into()) };
        if self.strikes(self.faults.interrupted, "EINTR on accept") {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.strikes(self.faults.no_descriptor, "no descriptor or no memory on accept") {
            // EMFILE, ENFILE, ENOBUFS, ENOMEM.
            let errors = [24, 23, 105, 12];
            return Err(io::Error::from_raw_os_error(self.random.choice(errors).unwrap()));
        }
        if self.told.iter().any(|told| told.key == id.key) {
            self.meet("slot reused within a batch");
        }
        self.backlog.pop_front();
        let aborted = self.strikes(self.faults.aborted, "ECONNABORTED on accept");
        let peer = &mut self.peers[number];
        (peer.id, peer.accepted_at) = (Some(id), Some(self.now));
        if aborted {
            peer.reset = true;
            return Err(ErrorKind::ConnectionAborted.into());
        }
        peer.edge.writable = true;
        let socket = Socket { peer: number, _open: Rc::clone(&peer.socket) };
        Ok((socket, (peer.address.unwrap_or(Ipv4Addr::LOCALHOST), port(number)).into()))
    }

    fn local_address(&self, _: &Socket) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, SERVER_PORT).into())
    }

    fn peer_address(&self, socket: &Socket) -> io::Result<SocketAddr> {
        let peer = &self.peers[socket.peer];
        Ok((peer.address.unwrap_or(Ipv4Addr::LOCALHOST), port(socket.peer)).into())
    }

    fn read(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        self.asks += 1;
        if self.strikes(self.faults.interrupted, "EINTR on read") {
            return Err(ErrorKind::Interrupted.into());
        }
        let peer = &self.peers[socket.peer];
        let mut count = peer.to_server.len().min(buffer.len());
        if count == 0 {
            return match (peer.reset, peer.ended) {
                (true, _) => {
                    self.meet("ECONNRESET on read");
                    Err(ErrorKind::ConnectionReset.into())
                }
                (_, true) => {
                    self.peers[socket.peer].saw_end = true;
                    Ok(0)
                }
                _ => Err(ErrorKind::WouldBlock.into()),
            };
        }
        self.now += self.read_takes;
        if count > 1 && self.strikes(self.faults.short, "short read") {
            // The rest arrives just after: a short read has drained the socket.
            count = self.random.usize(1..count);
            self.peers[socket.peer].edge.readable = true;
        }
        let peer = &mut self.peers[socket.peer];
        peer.to_server.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
        Ok(count)
    }

    fn write_vectored(&mut self, socket: &mut Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.asks += 1;
        if self.strikes(self.faults.interrupted, "EINTR on write") {
            return Err(ErrorKind::Interrupted.into());
        }
        let peer = &mut self.peers[socket.peer];
        assert!(!peer.got_end, "written to after the end of the stream");
        if peer.reset {
            self.meet("EPIPE on write");
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut count = SOCKET_BUFFER - peer.in_flight.len();
        if count == 0 {
            peer.blocked = true;
            self.meet("EAGAIN on write");
            return Err(ErrorKind::WouldBlock.into());
        }
        if count > 1 && self.strikes(self.faults.short, "short write") {
            count = self.random.usize(1..count);
        }
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).take(count).collect();
        assert!(!bytes.is_empty(), "a write of nothing");
        let peer = &mut self.peers[socket.peer];
        peer.in_flight.extend(&bytes);
        Ok(bytes.len())
    }

    fn shutdown(&mut self, socket: &mut Socket) -> io::Result<()> {
        let peer = &mut self.peers[socket.peer];
        if peer.reset {
            self.meet("ENOTCONN on shutdown");
            return Err(ErrorKind::NotConnected.into());
        }
        peer.got_end = true;
        if peer.ended {
            (peer.edge.read_closed, peer.edge.write_closed) = (true, true);
        }
        Ok(())
    }

    fn abort(&mut self, socket: Socket) {
        let peer = &mut self.peers[socket.peer];
        peer.got_reset = true;
        peer.in_flight.clear();
    }

    fn stop_listening(&mut self) {
        self.listening = false;
        self.backlog.clear();
    }
}
