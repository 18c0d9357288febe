//! One client of the crowd: a few dozen bytes, so that very many can be here.

use std::io::{self, Read as _};

use mio::net::TcpStream;

/// How far a client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not here: not yet, or no longer.
    Away,
    /// Its connection is on its way.
    Connecting,
    /// It is connected and has said its name.
    LoggingIn,
    /// It is logged in.
    In,
    /// It has said that it leaves, and waits for the end of the stream.
    Leaving,
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    socket: Option<TcpStream>,
    pub(super) state: State,
    /// It stands in the queue of those who have something to read.
    pub(super) is_queued: bool,
    /// The end of its stream was announced: a short read has not drained the socket.
    pub(super) is_ending: bool,
    /// The number in its name.
    pub(super) name: u32,
    /// How many broadcasts it has read; those before its time count as read.
    pub(super) read: u64,
    /// When it began to connect.
    pub(super) since_ns: u64,
    /// The part of a line that it has read.
    torn: Box<[u8]>,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// So many bytes stand at the front of the buffer, and there may be more to read.
    Some(usize),
    /// The same, and nothing more for now.
    Last(usize),
    /// Nothing for now.
    Nothing,
    /// The end of the stream.
    End,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            socket: None,
            state: State::Away,
            is_queued: false,
            is_ending: false,
            name: 0,
            read: 0,
            since_ns: 0,
            torn: Box::default(),
        }
    }

    /// Begins anew, with another connection and name.
    pub(super) fn begin(&mut self, socket: TcpStream, name: u32, now_ns: u64) {
        // It may stand in the queue still.
        let is_queued = self.is_queued;
        *self = Self {
            socket: Some(socket),
            state: State::Connecting,
            is_queued,
            name,
            since_ns: now_ns,
            ..Self::new()
        };
    }

    /// It has gone; its connection is closed.
    pub(super) fn end(&mut self) {
        self.socket = None;
        self.torn = Box::default();
        self.state = State::Away;
    }

    pub(super) fn socket(&mut self) -> io::Result<&mut TcpStream> {
        self.socket.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Whether a connection that was on its way is there.
    ///
    /// # Errors
    ///
    /// It will never be.
    pub(super) fn is_connected(&mut self) -> io::Result<bool> {
        let socket = self.socket()?;
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// Reads once, behind the part of a line that was there.
    ///
    /// # Errors
    ///
    /// Those of the system's read, and a line that is as long as the buffer.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Read> {
        let own = self.torn.len();
        let Some(socket) = &mut self.socket else { return Ok(Read::Nothing) };
        let room = buffer.len().saturating_sub(own);
        if room == 0 {
            return Err(io::Error::other("a line without an end"));
        }
        match socket.read(&mut buffer[own..]) {
            Ok(0) => Ok(Read::End),
            Ok(count) => {
                buffer[..own].copy_from_slice(&self.torn);
                self.torn = Box::default();
                let is_drained = count < room && !self.is_ending;
                Ok(if is_drained { Read::Last(own + count) } else { Read::Some(own + count) })
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Read::Nothing),
                io::ErrorKind::Interrupted => self.read(buffer),
                _ => Err(error),
            },
        }
    }

    /// Keeps the part of a line that stands behind the last whole one.
    pub(super) fn keep(&mut self, torn: &[u8]) {
        if !torn.is_empty() {
            self.torn = torn.into();
        }
    }
}
