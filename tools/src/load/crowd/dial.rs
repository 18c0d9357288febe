//! Connecting, logging in, and leaving.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};

use anyhow::{Context, anyhow, bail};
use hubbub::wire::{Notice, Reply};
use memchr::memchr;
use mio::net::TcpStream;
use mio::{Interest, Token};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::super::client::State;
use super::super::dialect::Dialect;
use super::super::plan::Plan;
use super::Crowd;

/// The most connections that are on their way or have no name yet: fewer than a server has room
/// for in its backlog.
const MAX_PENDING: u32 = 512;

/// How many connections to one server come from one address of this machine. It has about 28,000
/// ports for them, but Linux looks through one half of these before it takes any of the other: from
/// 14,000 connections on, each takes longer than the last.
const CLIENTS_PER_SOURCE: u32 = 10_000;

/// From how many addresses clients that come and go do so: ports rest for a minute after use.
const CHURN_SOURCES: u32 = 100;

/// What a client that does not read lets the system keep for it, in bytes, so that the server soon
/// sees that it does not.
const STALLED_BUFFER: usize = 4096;

/// What the system keeps of a talker that never waits, in bytes: a thousand of them would fill
/// gigabytes.
const EAGER_BUFFER: usize = 64 << 10;

/// Who connects next.
pub(super) struct Dialer {
    address: SocketAddr,
    /// How many addresses of this machine connections come from; 0 where the system decides.
    sources: u32,
    /// Talkers never wait.
    is_eager: bool,
    /// What the system keeps for each client that reads; `None` where that is left to it.
    receive_buffer: Option<usize>,
    /// The resident who connects next.
    next: u32,
    /// The number in the name of the next who comes and goes. Residents are called by their index.
    next_name: u32,
    /// How many residents are logged in.
    pub(super) logged_in: u32,
    /// How many connections are on their way in or out.
    active: u32,
    /// How many are still to come and go, and how many have.
    left: u32,
    pub(super) gone: u32,
}

impl Dialer {
    pub(super) fn new(address: SocketAddr, plan: &Plan) -> Self {
        let sources = match plan.clients().div_ceil(CLIENTS_PER_SOURCE) {
            _ if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) => 0,
            _ if plan.churners() > 0 => CHURN_SOURCES,
            1 => 0,
            sources => sources,
        };
        Self {
            address,
            sources,
            is_eager: plan.window == 0,
            receive_buffer: plan.receive_buffer,
            next: 0,
            next_name: plan.residents(),
            logged_in: 0,
            active: 0,
            left: 0,
            gone: 0,
        }
    }

    /// Lets so many come and go.
    pub(super) fn begin_churn(&mut self, count: u32) {
        self.left = count;
    }

    /// Nobody comes any more.
    pub(super) fn end_churn(&mut self) {
        self.left = 0;
    }

    /// Whether somebody still has to go.
    pub(super) fn is_churning(&self) -> bool {
        self.active > 0
    }

    /// Begins a connection.
    fn connect(&self, number: u32, is_stalled: bool) -> io::Result<TcpStream> {
        let domain = Domain::for_address(self.address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if is_stalled {
            socket.set_recv_buffer_size(STALLED_BUFFER)?;
        } else if let Some(bytes) = self.receive_buffer {
            set_receive_buffer(&socket, bytes)?;
        }
        if self.is_eager {
            socket.set_send_buffer_size(EAGER_BUFFER)?;
        }
        if let Some(source) = number.checked_rem(self.sources) {
            bind(&socket, Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + source))?;
        }
        match socket.connect(&SockAddr::from(self.address)) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }
}

/// Has the system keep so much, and not silently less.
fn set_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    socket.set_recv_buffer_size(bytes)?;
    if socket.recv_buffer_size()? < bytes {
        let less = "the system allows no receive buffer of so many bytes (net.core.rmem_max)";
        return Err(io::Error::other(format!("{less}: {bytes}")));
    }
    Ok(())
}

/// Chooses the address that a connection comes from, and leaves the port to `connect`, which knows
/// where it goes and finds one sooner.
fn bind(socket: &Socket, source: Ipv4Addr) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::from((source, 0)).into())
}

impl Crowd<'_> {
    /// Has more residents connect, as many as may be on their way at one time. The first one is
    /// told of all the others, so it is alone at first.
    pub(super) fn dial_residents(&mut self, residents: u32) -> anyhow::Result<()> {
        while self.dialer.next < residents
            && self.dialer.active < MAX_PENDING
            && (self.dialer.next == 0 || self.dialer.logged_in > 0)
        {
            let index = self.dialer.next;
            self.dialer.next += 1;
            self.dial(index, index)?;
        }
        Ok(())
    }

    /// Has the next one come who will go again, if there is one.
    pub(super) fn dial_churner(&mut self, index: u32) -> anyhow::Result<()> {
        if self.dialer.left == 0 {
            return Ok(());
        }
        self.dialer.left -= 1;
        let name = self.dialer.next_name;
        self.dialer.next_name += 1;
        self.dial(index, name)
    }

    fn dial(&mut self, index: u32, name: u32) -> anyhow::Result<()> {
        let is_stalled = self.plan.is_stalled(index);
        let socket = self.dialer.connect(name, is_stalled);
        let mut socket = socket.with_context(|| self.cannot_connect())?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(index as usize), interest)?;
        self.clients[index as usize].begin(socket, name, self.now_ns);
        self.dialer.active += 1;
        Ok(())
    }

    fn cannot_connect(&self) -> String {
        format!("cannot connect to {}", self.dialer.address)
    }

    /// A connection is there, or has failed, or neither yet.
    pub(super) fn handle_connected(&mut self, index: u32) -> anyhow::Result<()> {
        let connected = self.clients[index as usize].is_connected();
        if !connected.with_context(|| self.cannot_connect())? {
            return Ok(());
        }
        let is_churner = index >= self.plan.residents();
        let client = &mut self.clients[index as usize];
        let name = client.name;
        self.heard_ns = self.now_ns;
        if self.dialect != Dialect::Bare {
            client.state = State::LoggingIn;
            return self.say(index, &self.dialect.login(name));
        }
        if is_churner {
            client.socket()?.shutdown(Shutdown::Write)?;
            client.state = State::Leaving;
        } else {
            client.state = State::LoggingIn;
        }
        Ok(())
    }

    /// Takes what is said to somebody who logs in. Returns how many bytes that was.
    pub(super) fn take_welcome(&mut self, index: u32, input: &[u8]) -> anyhow::Result<usize> {
        let mut taken = 0;
        while self.clients[index as usize].state == State::LoggingIn {
            let Some(end) = memchr(b'\n', &input[taken..]) else { break };
            let line = &input[taken..taken + end];
            taken += end + 1;
            if self.is_welcome(index, line)? {
                self.handle_welcome(index)?;
            }
        }
        Ok(taken)
    }

    fn is_welcome(&self, index: u32, line: &[u8]) -> anyhow::Result<bool> {
        if self.dialect == Dialect::Bare && line.is_empty() {
            return Ok(true);
        }
        if !self.dialect.is_own() && !line.starts_with(b"-") {
            return Ok(self.dialect.is_last_of_login(line.trim_ascii_end()));
        }
        let name = format!("c{}", self.clients[index as usize].name);
        let text = String::from_utf8_lossy(line);
        match Reply::parse(&text) {
            Some(Reply::Notice(Notice::EnterName)) => Ok(false),
            Some(Reply::Notice(Notice::Welcome(welcomed))) if welcomed == name => Ok(true),
            _ => bail!("{name} was not let in: {text}"),
        }
    }

    fn handle_welcome(&mut self, index: u32) -> anyhow::Result<()> {
        let client = &mut self.clients[index as usize];
        if index >= self.plan.residents() {
            client.state = State::Leaving;
            return self.say(index, "quit\n");
        }
        client.state = State::In;
        client.read = self.check.end();
        self.dialer.active -= 1;
        self.dialer.logged_in += 1;
        Ok(())
    }

    /// The end of a stream: well for those who asked for it, or do not read.
    pub(super) fn handle_end(&mut self, index: u32) -> anyhow::Result<()> {
        let client = &mut self.clients[index as usize];
        if client.state != State::Leaving {
            return Err(anyhow!("c{} was thrown out while it read", client.name));
        }
        client.end();
        self.tally.visits.record(self.now_ns.saturating_sub(client.since_ns));
        self.dialer.active -= 1;
        self.dialer.gone += 1;
        self.dial_churner(index)
    }

    /// Writes a few bytes to a socket that has room for them: it is new.
    fn say(&mut self, index: u32, text: &str) -> anyhow::Result<()> {
        let client = &mut self.clients[index as usize];
        let name = client.name;
        let written = client.socket()?.write(text.as_bytes());
        let written = written.with_context(|| format!("c{name} cannot speak"))?;
        if written < text.len() {
            bail!("c{name} has no room for {text:?}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::super::plan::Scenario;
    use super::*;

    #[test]
    fn many_clients_come_from_many_addresses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = |receivers| {
            let scenario = Scenario::Idle;
            Plan { receivers, ..Plan::default_of(scenario) }
        };
        for (receivers, last) in [(10_000, 1), (10_002, 2), (1_000_000, 100)] {
            let dialer = Dialer::new(listener.local_addr().unwrap(), &plan(receivers));
            let _socket = dialer.connect(receivers - 1, false).unwrap();
            let (_, peer) = listener.accept().unwrap();
            let (_, first) = (dialer.connect(0, false).unwrap(), listener.accept().unwrap().1);
            assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, last), "{receivers} clients");
            assert_eq!(first.ip(), Ipv4Addr::LOCALHOST, "{receivers} clients");
        }
    }
}
