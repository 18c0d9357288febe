//! One connection to the server: connect, read lines, log in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::dial::{DialError, dial};
use super::link::Link;
#[cfg(target_os = "linux")]
use super::{diag::send_queue, outgoing::DEAD_AFTER};
use crate::config::Server;
use crate::wire::{DEFAULT_MAX_LINE, Frame, Framer, Notice, Reply, max_server_line};

/// The longest line that a server may send, in bytes with its terminator: a `list` answer of the
/// default 64 KiB with its words around it, or any other line.
pub(super) const MAX_LINE: usize = {
    let list = 64 * 1024 + 1024;
    let other = max_server_line(DEFAULT_MAX_LINE);
    if list > other { list } else { other }
};

/// How much is read at once, in bytes.
const READ_SIZE: usize = 16 * 1024;

/// When and how often a silent server is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// How much the system may hold that it has not sent, in bytes.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT: u32 = 32 * 1024;

/// A connection, and what of it was read but not yet taken. It holds less than [`MAX_LINE`] and one
/// read.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    framer: Framer,
    buffer: Vec<u8>,
    /// How much of the front of `buffer` was taken.
    taken: usize,
    /// One's name as the server writes it, once logged in.
    me: String,
    /// How long one read waits, as the system was told last.
    read_timeout: Option<Duration>,
    /// When the connection was last looked after.
    ticked: Instant,
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A whole line without its terminator. It is not sanitised; bytes that are not UTF-8 are
    /// U+FFFD.
    Line(String),
    /// A line that was too long, or no text at all, was dropped.
    Dropped,
}

impl Heard {
    /// The notice that it is, if it is one.
    pub(super) fn notice(&self) -> Option<Notice<'_>> {
        match self {
            Self::Line(line) => match Reply::parse(line) {
                Some(Reply::Notice(notice)) => Some(notice),
                _ => None,
            },
            Self::Dropped => None,
        }
    }
}

/// What came of offering a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// Logged in, under the name as the server writes it.
    Welcome(String),
    /// Somebody holds the name, or one that looks like it.
    NameTaken,
    /// The name cannot be had at all.
    NameRefused,
    /// The server has no room now.
    Busy,
    /// The server closed the connection without a refusal.
    Closed,
}

impl Connection {
    /// Connects to the address of the server that answers first. When it takes long, `tell` is
    /// told what is tried.
    pub(super) fn open(server: &Server, tell: &mut dyn FnMut(String)) -> Result<Self, DialError> {
        let stream = dial(server, tell)?;
        let address = stream.peer_addr();
        Self::over(stream).map_err(|error| DialError::of(address.ok(), error))
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let keepalive =
            TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES))?;
        #[cfg(target_os = "linux")]
        {
            // What the server does not take stays here, where it is known not to be sent.
            socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
            if send_queue(&stream).is_none() {
                // Without a look at what is acknowledged, the system has to notice a dead link.
                socket.set_tcp_user_timeout(Some(DEAD_AFTER))?;
            }
        }
        Ok(Self {
            stream,
            framer: Framer::default(),
            buffer: Vec::new(),
            taken: 0,
            me: String::new(),
            read_timeout: None,
            ticked: now(),
        })
    }

    /// One's name as the server writes it; empty before the login.
    pub(super) fn me(&self) -> &str {
        &self.me
    }

    /// A second handle, for writing while this one reads.
    pub(super) fn writer(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Ends both directions at once; a read that waits comes back.
    pub(super) fn close(&self) {
        // It fails when the connection is gone, which is what was wanted.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Waits for the next whole line; `None` at the end of the stream. A last line without a
    /// terminator is never taken: it may be half of what was meant. While it waits, the link is
    /// looked after.
    ///
    /// # Errors
    ///
    /// Those of the socket, and `TimedOut` when nothing that was sent is answered any more.
    pub(super) fn hear(&mut self, link: &Link) -> io::Result<Option<Heard>> {
        let every = link.tick_every();
        loop {
            if let Some(heard) = self.take() {
                return Ok(Some(heard));
            }
            if now().saturating_duration_since(self.ticked) >= every {
                self.ticked = now();
                if !link.tick() {
                    return Err(unanswered());
                }
            }
            self.wait_at_most(every)?;
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// From now on, a read waits for so long.
    fn wait_at_most(&mut self, time: Duration) -> io::Result<()> {
        if self.read_timeout != Some(time) {
            self.stream.set_read_timeout(Some(time))?;
            self.read_timeout = Some(time);
        }
        Ok(())
    }

    /// Offers a name and waits for the answer, at most for `patience`. `show` is given every line
    /// that comes, the answer included.
    pub(super) fn login(
        &mut self,
        name: &str,
        patience: Duration,
        mut show: impl FnMut(&Heard),
    ) -> io::Result<Login> {
        let deadline = now() + patience;
        // A server that is full may be gone already, but what it said is still to be read.
        let sent = self.stream.write_all(format!("{name}\n").as_bytes());
        loop {
            let Some(heard) = self.hear_until(deadline)? else {
                return sent.map(|()| Login::Closed);
            };
            show(&heard);
            if let Heard::Line(line) = &heard
                && let Some(answer) = answer(line)
            {
                if let Login::Welcome(me) = &answer {
                    self.me.clone_from(me);
                }
                return Ok(answer);
            }
        }
    }

    fn hear_until(&mut self, deadline: Instant) -> io::Result<Option<Heard>> {
        loop {
            if let Some(heard) = self.take() {
                return Ok(Some(heard));
            }
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                return Err(late());
            }
            self.wait_at_most(left)?;
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(late());
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes what is already here.
    fn take(&mut self) -> Option<Heard> {
        let mut rest = &self.buffer[self.taken..];
        let heard = self.framer.next(&mut rest, MAX_LINE).map(|frame| match frame {
            Frame::Line(line) => Heard::Line(String::from_utf8_lossy(line).into_owned()),
            Frame::TooLong | Frame::Foreign(_) => Heard::Dropped,
        });
        // Also when there is no frame: the rest of a line that is skipped is taken.
        self.taken = self.buffer.len() - rest.len();
        heard
    }

    /// Reads once; `false` at the end of the stream. Call it when there is nothing to take.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + READ_SIZE, 0);
        let read = loop {
            match self.stream.read(&mut self.buffer[kept..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(kept + read.as_ref().copied().unwrap_or(0));
        Ok(read? > 0)
    }
}

/// What a line says about the name that was offered, if it says anything.
fn answer(line: &str) -> Option<Login> {
    let Some(Reply::Notice(notice)) = Reply::parse(line) else { return None };
    match notice {
        Notice::Welcome(name) => Some(Login::Welcome(name.to_owned())),
        Notice::NameTaken(_) => Some(Login::NameTaken),
        Notice::Full | Notice::AddressFull | Notice::PendingFull | Notice::LoginTimeout => {
            Some(Login::Busy)
        }
        other => other.is_refusal().then_some(Login::NameRefused),
    }
}

fn unanswered() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "what was sent is not acknowledged any more")
}

fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the server did not answer in time")
}

/// The time, for deadlines.
#[expect(
    clippy::disallowed_methods,
    reason = "the client has a clock; this is its only look at it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
