//! The floor: the least that a readiness loop can do and still deliver.
//!
//! It has no grammar, no names and no limits. What one client sends, everyone reads, in one order:
//! it is appended to one log, and each client is written what it has not read yet, in one vectored
//! write. As in the server, not everyone is written to at once: between two slices it reads, so
//! that the rest are written more at a time. It looks at the bytes for one thing only, the end of
//! the last line of a read, so that lines are not torn by those of others. With `--pairs`, the
//! first client that came and the second read what the other sends, the third and the fourth, and
//! so on.
//!
//! What the server takes beyond this is the price of the chat.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use memchr::memrchr;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use super::descriptors;

/// What is kept for those who are behind, in bytes: a power of two, as large as the server's log.
const LOG_BYTES: usize = 8 << 20;

/// What a read takes at most, in bytes.
const READ: usize = 64 << 10;

/// How much one client may have unread of its partner's, and how long a line may be that has not
/// ended, in bytes.
const MAX_KEPT: usize = 8 << 20;

/// How many events one poll takes.
const EVENTS_PER_POLL: usize = 1024;

/// How many clients are written to between two polls: as many as in the server.
const SLICE: usize = 128;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

const LISTENER: Token = Token(usize::MAX);

/// Delivers whatever it is sent.
#[derive(Debug, Args)]
pub(crate) struct Relay {
    /// Deliver to the one who came just before or after, not to everyone
    #[arg(long)]
    pairs: bool,
    /// Do not greet those who come
    #[arg(long)]
    mute: bool,
}

/// The loop.
struct Floor {
    options: Relay,
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    log: Box<[u8]>,
    /// The offset behind the last byte of the log.
    end: u64,
    /// Who is the last that was written to, how many are left in this round, and where the log
    /// ended when it began.
    position: usize,
    left: usize,
    round_end: u64,
    buffer: Box<[u8]>,
    /// Who has more to read than one turn took.
    ready: Vec<usize>,
}

struct Client {
    socket: TcpStream,
    /// How far in the log it was written.
    cursor: u64,
    is_writable: bool,
    /// The end of the stream was announced: a short read has not drained the socket.
    is_ending: bool,
    /// The part of a line that it has sent.
    torn: Vec<u8>,
    /// What its partner sent and the socket did not take.
    unsent: Vec<u8>,
}

impl Relay {
    /// Serves until it is killed.
    ///
    /// # Errors
    ///
    /// It cannot listen, or the system's poll fails.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        descriptors::reserve(0)?;
        let mut listener = listen().context("cannot listen")?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let address = listener.local_addr()?;
        writeln!(io::stdout(), "Listening on {address}, room for {} connections.", u32::MAX)?;
        let mut floor = Floor {
            options: self,
            poll,
            listener,
            clients: Slab::new(),
            log: vec![0; LOG_BYTES].into_boxed_slice(),
            end: 0,
            position: 0,
            left: 0,
            round_end: 0,
            buffer: vec![0; READ].into_boxed_slice(),
            ready: Vec::new(),
        };
        let mut events = Events::with_capacity(EVENTS_PER_POLL);
        loop {
            floor.turn(&mut events)?;
        }
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Linux hands this down to accepted sockets.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

impl Floor {
    fn turn(&mut self, events: &mut Events) -> anyhow::Result<()> {
        let is_idle = self.ready.is_empty() && self.left == 0 && self.end == self.round_end;
        let timeout = if is_idle { None } else { Some(Duration::ZERO) };
        if let Err(error) = self.poll.poll(events, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for key in std::mem::take(&mut self.ready) {
            self.read(key);
        }
        for event in &*events {
            match event.token() {
                LISTENER => self.accept()?,
                Token(key) => self.handle_ready(key, event),
            }
        }
        self.flush();
        Ok(())
    }

    /// Writes to a slice of those who have not read everything.
    fn flush(&mut self) {
        if self.left == 0 && self.end > self.round_end {
            (self.left, self.round_end) = (self.clients.capacity(), self.end);
        }
        let mut written = 0;
        while self.left > 0 && written < SLICE {
            self.left -= 1;
            self.position = (self.position + 1) % self.clients.capacity();
            let Some(client) = self.clients.get_mut(self.position) else { continue };
            written += usize::from(client.cursor < self.end && client.is_writable);
            if client.write_log(&self.log, self.end).is_err() {
                self.clients.remove(self.position);
            }
        }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => bail!("cannot accept: {error}"),
            };
            let slot = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(slot.key()), interest)?;
            if !self.options.mute {
                // A new socket takes a byte, unless its peer has gone already.
                let _ = socket.write(b"\n");
            }
            slot.insert(Client::new(socket, self.end));
        }
    }

    fn handle_ready(&mut self, key: usize, event: &Event) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.is_ending |= event.is_read_closed() || event.is_error();
        if event.is_writable() && !client.is_writable {
            client.is_writable = true;
            if client.write_log(&self.log, self.end).is_err() || client.write_unsent().is_err() {
                self.clients.remove(key);
                return;
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(key);
        }
    }

    /// One read of a client, and what it sent on its way.
    fn read(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        match client.socket.read(&mut self.buffer) {
            Ok(count) if count > 0 => {
                if count == READ || client.is_ending {
                    self.ready.push(key);
                }
                if self.options.pairs {
                    self.forward(key ^ 1, count);
                } else {
                    self.append(key, count);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.ready.push(key),
            _ => drop(self.clients.remove(key)),
        }
    }

    /// Appends whole lines; what is behind the last of them waits for its end.
    fn append(&mut self, key: usize, count: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let read = &self.buffer[..count];
        let (lines, torn) = read.split_at(memrchr(b'\n', read).map_or(0, |end| end + 1));
        if !lines.is_empty() {
            for part in [&client.torn, lines] {
                write_ring(&mut self.log, self.end, part);
                self.end += part.len() as u64;
            }
            client.torn.clear();
        }
        client.torn.extend_from_slice(torn);
        if client.torn.len() > MAX_KEPT {
            self.clients.remove(key);
        }
    }

    fn forward(&mut self, partner: usize, count: usize) {
        let Some(client) = self.clients.get_mut(partner) else { return };
        if client.forward(&self.buffer[..count]).is_err() {
            self.clients.remove(partner);
        }
    }
}

impl Client {
    fn new(socket: TcpStream, cursor: u64) -> Self {
        let (torn, unsent) = (Vec::new(), Vec::new());
        Self { socket, cursor, is_writable: true, is_ending: false, torn, unsent }
    }

    /// Writes what it has not read of the log.
    fn write_log(&mut self, log: &[u8], end: u64) -> io::Result<()> {
        while self.cursor < end && self.is_writable {
            let slices = ring(log, self.cursor, end).ok_or(io::ErrorKind::BrokenPipe)?;
            match self.socket.write_vectored(&slices.map(IoSlice::new)) {
                Ok(count) => self.cursor += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what its partner sent, and keeps what the socket does not take.
    fn forward(&mut self, sent: &[u8]) -> io::Result<()> {
        if self.unsent.len() + sent.len() > MAX_KEPT {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut written = 0;
        if self.unsent.is_empty() && self.is_writable {
            written = self.write(sent)?;
        }
        self.unsent.extend_from_slice(&sent[written..]);
        Ok(())
    }

    fn write_unsent(&mut self) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.write(&unsent)?;
        self.unsent.extend_from_slice(&unsent[written..]);
        Ok(())
    }

    /// Writes until the socket takes no more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() && self.is_writable {
            match self.socket.write_vectored(&[IoSlice::new(&bytes[written..])]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}

/// Where an offset stands in the ring.
#[expect(clippy::cast_possible_truncation, reason = "masked to below the ring's length")]
fn index(ring: &[u8], offset: u64) -> usize {
    offset as usize & (ring.len() - 1)
}

fn write_ring(ring: &mut [u8], offset: u64, bytes: &[u8]) {
    let at = index(ring, offset);
    let (till_wrap, wrapped) = bytes.split_at(bytes.len().min(ring.len() - at));
    ring[at..at + till_wrap.len()].copy_from_slice(till_wrap);
    ring[..wrapped.len()].copy_from_slice(wrapped);
}

/// What stands between two offsets, of which the first is the smaller one; `None` when some of it
/// is gone.
fn ring(ring: &[u8], from: u64, to: u64) -> Option<[&[u8]; 2]> {
    if to - from > ring.len() as u64 {
        return None;
    }
    let (first, behind) = (index(ring, from), index(ring, to));
    Some(if first < behind {
        [&ring[first..behind], &[]]
    } else {
        [&ring[first..], &ring[..behind]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_gives_back_what_was_written_last() {
        let mut log = [0; 8];
        write_ring(&mut log, 0, b"abcde");
        write_ring(&mut log, 5, b"fghij");
        assert_eq!(ring(&log, 1, 10), None);
        assert_eq!(ring(&log, 2, 10).unwrap().concat(), b"cdefghij");
        assert_eq!(ring(&log, 9, 10).unwrap().concat(), b"j");
    }
}
