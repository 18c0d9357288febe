//! The chats inside: who logged in, what was said how often, and how it ended.
//!
//! A conversation is a chat when one of its ports is the chat's, or when one side begins with what
//! only this server says. Both directions are put together and read as the server and the client
//! themselves read them.

use std::net::SocketAddr;

use hubbub::capture::reassembly::{Limits, Reassembler};
use hubbub::capture::{Flags, Segment};
use hubbub::name::is_blank;
use hubbub::wire::{
    Command, DEFAULT_MAX_LINE, Frame, Framer, Notice, Reply, Telnet, max_server_line, telnet,
};

use super::conversations::Message;
use super::ends::{End, Pair};
use crate::visible::Said;

/// Chats that are followed.
pub const MAX_CHATS: usize = 1_000;

/// What one direction may keep of what came ahead of its turn. When half of it is taken, what is
/// missing is given up.
const LIMITS: Limits = Limits { bytes: 32 << 10, pieces: 64 };

/// The longest line of either side that is read, in bytes: `list` answers aside, what the server's
/// default makes of a client's longest.
const MAX_LINE: usize = max_server_line(DEFAULT_MAX_LINE);

/// How the first line of every server begins.
const GREETING: &[u8] = b"[SERVER] ";

/// How a chat ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It did not, as far as was captured.
    #[default]
    Open,
    /// The client said `quit`.
    Quit,
    /// The client ended its stream.
    ClientClosed,
    /// The server ended its stream.
    ServerClosed,
    /// The client reset the connection.
    ClientReset,
    /// The server reset the connection.
    ServerReset,
}

impl Ending {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "still open",
            Self::Quit => "quit",
            Self::ClientClosed => "client closed",
            Self::ServerClosed => "server closed",
            Self::ClientReset => "client reset",
            Self::ServerReset => "server reset",
        }
    }
}

/// Lines by what they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// To everyone.
    pub broadcasts: u64,
    /// To one.
    pub private: u64,
    /// Notices of the server; or `list`, `help` and `quit`.
    pub other: u64,
    /// Notices that refuse something; or lines that are no command.
    pub refused: u64,
}

impl Lines {
    /// All of them.
    pub fn total(self) -> u64 {
        self.broadcasts + self.private + self.other + self.refused
    }
}

/// One chat.
#[derive(Debug, Default)]
pub struct Chat {
    server: End,
    streams: Pair<Stream>,
    /// The name in the welcome; until that comes, the last one that was tried.
    name: Option<Said>,
    /// Whether the next line of the client is a name.
    is_asked: bool,
    is_welcome: bool,
    /// When the welcome came.
    login_ns: Option<u64>,
    said: Lines,
    heard: Lines,
    has_quit: bool,
    /// Who was the first to end its stream, and so the chat, although some of it may be missing.
    first_fin: Option<End>,
    ending: Ending,
}

/// One direction.
#[derive(Debug)]
struct Stream {
    reassembler: Reassembler,
    framer: Framer,
    /// Which commands of Telnet are under way, once there were any.
    telnet: Option<Box<Telnet>>,
    /// What is not yet a line.
    rest: Vec<u8>,
    /// Of a packet that was cut, the end is missing: no gap is worth waiting for.
    has_holes: bool,
}

impl Default for Stream {
    fn default() -> Self {
        let reassembler = Reassembler::new(LIMITS);
        Self {
            reassembler,
            framer: Framer::default(),
            telnet: None,
            rest: Vec::new(),
            has_holes: false,
        }
    }
}

/// Finds chats, as many as there is room for.
#[derive(Debug)]
pub struct Chats {
    port: u16,
    count: usize,
    untold: u64,
}

impl Chats {
    /// None yet.
    pub fn new(port: u16) -> Self {
        Self { port, count: 0, untold: 0 }
    }

    /// The chat's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Chats that had no room.
    pub fn untold(&self) -> u64 {
        self.untold
    }

    /// Gives a segment to the chat of its conversation, if it is one.
    pub fn follow(
        &mut self,
        chat: &mut Option<Box<Chat>>,
        ends: &Pair<SocketAddr>,
        from: End,
        is_from_server: bool,
        message: &Message<'_>,
        segment: &Segment<'_>,
    ) {
        if chat.is_none() {
            let server = if is_from_server { from } else { from.other() };
            let has_port = ends[server].port() == self.port;
            let is_greeting = is_from_server && segment.payload.starts_with(GREETING);
            if !has_port && !is_greeting {
                return;
            }
            // What is left out is counted by its SYN, or by its greeting.
            if self.count >= MAX_CHATS {
                let opens = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
                self.untold += u64::from(opens || is_greeting && !has_port);
                return;
            }
            self.count += 1;
            let is_asked = is_greeting || segment.flags.has(Flags::SYN);
            *chat = Some(Box::new(Chat { server, is_asked, ..Chat::default() }));
        }
        if let Some(chat) = chat {
            chat.handle(from, message, segment);
        }
    }
}

impl Chat {
    /// The name of who logged in; where nothing of the server was captured, the one that was said.
    pub fn name(&self) -> Option<&Said> {
        let is_one_sided = self.heard == Lines::default();
        self.name.as_ref().filter(|_| self.is_welcome || is_one_sided)
    }

    /// When the server welcomed them.
    pub fn login_ns(&self) -> Option<u64> {
        self.login_ns
    }

    /// What the client said.
    pub fn said(&self) -> Lines {
        self.said
    }

    /// What the server told the client.
    pub fn heard(&self) -> Lines {
        self.heard
    }

    /// How it ended.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Bytes that were not captured.
    pub fn missing_bytes(&self) -> u64 {
        End::BOTH.map(|end| self.streams[end].reassembler.oddities().missing).into_iter().sum()
    }

    fn handle(&mut self, from: End, message: &Message<'_>, segment: &Segment<'_>) {
        let is_server = from == self.server;
        self.streams[from].push(segment, message.payload_bytes);
        self.read(from, message.time_ns, false);
        if segment.flags.has(Flags::FIN) {
            self.first_fin.get_or_insert(from);
        }
        if segment.flags.has(Flags::RST) && self.first_fin.is_none() && self.ending == Ending::Open
        {
            self.ending = if is_server { Ending::ServerReset } else { Ending::ClientReset };
        }
        if self.streams[from].reassembler.is_finished() {
            self.read(from, message.time_ns, true);
        }
    }

    /// Reads the lines that are whole, and at the end of a stream the last one.
    fn read(&mut self, from: End, time_ns: u64, is_end: bool) {
        let is_server = from == self.server;
        let stream = &mut self.streams[from];
        let rest = std::mem::take(&mut stream.rest);
        let mut framer = stream.framer;
        let mut input = &rest[..];
        loop {
            let frame = match framer.next(&mut input, MAX_LINE) {
                None if is_end => framer.finish(&mut input),
                frame => frame,
            };
            match frame {
                Some(Frame::Line(line)) if is_server => self.hear(line, time_ns),
                Some(Frame::Line(line)) => self.say(&telnet::edit(line)),
                Some(Frame::TooLong | Frame::Foreign(_)) if is_server => self.heard.other += 1,
                Some(Frame::TooLong | Frame::Foreign(_)) => self.said.refused += 1,
                None => break,
            }
        }
        let used = rest.len() - input.len();
        let stream = &mut self.streams[from];
        stream.framer = framer;
        stream.rest = rest;
        stream.rest.drain(..used);
    }

    fn hear(&mut self, line: &[u8], time_ns: u64) {
        match Reply::parse(&String::from_utf8_lossy(line)) {
            Some(Reply::Broadcast { .. }) => self.heard.broadcasts += 1,
            Some(Reply::Private { .. }) => self.heard.private += 1,
            Some(Reply::Notice(notice)) => {
                self.heard.other += 1;
                self.heard.refused += u64::from(notice.is_refusal());
                match notice {
                    Notice::Welcome(name) if !self.is_welcome => {
                        self.is_welcome = true;
                        self.is_asked = false;
                        self.login_ns = Some(time_ns);
                        self.name = Some(Said::quote(name));
                    }
                    Notice::NameRefused(_) | Notice::NameTaken(_) => {
                        self.is_asked = !self.is_welcome;
                    }
                    _ => {}
                }
            }
            None => self.heard.other += 1,
        }
    }

    fn say(&mut self, line: &[u8]) {
        if self.is_asked {
            if !is_blank(line) {
                let name = String::from_utf8_lossy(line);
                self.name = Some(Said::quote(&name));
                self.is_asked = false;
            }
            return;
        }
        match Command::parse(line) {
            Ok(Command::All { .. }) => self.said.broadcasts += 1,
            Ok(Command::Private { .. }) => self.said.private += 1,
            Ok(Command::Empty) => {}
            Ok(Command::Quit) => {
                self.has_quit = true;
                self.said.other += 1;
            }
            Ok(Command::List { .. } | Command::Help) => self.said.other += 1,
            Err(_) => self.said.refused += 1,
        }
    }

    /// Everything was read: what still waits for what is missing is read without it.
    pub(super) fn finish(&mut self, last_ns: u64) {
        for from in End::BOTH {
            let stream = &mut self.streams[from];
            while stream.reassembler.gap() > 0 {
                stream.take(|reassembler, rest| _ = reassembler.skip_gap(rest));
            }
            let is_end = stream.reassembler.is_finished();
            self.read(from, last_ns, is_end);
        }
        // What is known only now is whether the client said goodbye, behind what was missing.
        if let (Some(first), Ending::Open) = (self.first_fin, self.ending) {
            self.ending = match (first == self.server, self.has_quit) {
                (_, true) => Ending::Quit,
                (true, false) => Ending::ServerClosed,
                (false, false) => Ending::ClientClosed,
            };
        }
    }
}

impl Stream {
    /// Takes bytes as the server does: what belongs to Telnet is not kept.
    fn take(&mut self, more: impl FnOnce(&mut Reassembler, &mut Vec<u8>)) {
        let end = self.rest.len();
        self.rest.resize(end + self.telnet.as_ref().map_or(0, |telnet| telnet.room()), 0);
        let start = self.rest.len();
        more(&mut self.reassembler, &mut self.rest);
        if self.telnet.is_some() || telnet::concerns(&self.rest[start..]) {
            let telnet = self.telnet.get_or_insert_default();
            let end = telnet.filter(&mut self.rest, end, start, &mut Vec::new());
            self.rest.truncate(end);
        }
    }

    fn push(&mut self, segment: &Segment<'_>, payload_bytes: u32) {
        self.take(|reassembler, rest| reassembler.push(segment, rest));
        let is_late = self.reassembler.waiting_bytes() > LIMITS.bytes / 2;
        let is_lost = is_late || self.has_holes || self.reassembler.oddities().dropped > 0;
        if is_lost && self.reassembler.gap() > 0 {
            self.take(|reassembler, rest| _ = reassembler.skip_gap(rest));
        }
        self.has_holes |= (segment.payload.len() as u64) < u64::from(payload_bytes);
    }
}
