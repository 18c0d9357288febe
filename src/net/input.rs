//! Input: from what a socket has to what the chat is told.

use std::io;

use tracing::trace;

use super::connection::{Death, Held, Leave, Wait};
use super::logs::Quoted;
use super::platform::Platform;
use super::server::Server;
use crate::chat::Step;
use crate::outbound::ClientId;
use crate::wire::{Foreign, Frame, Framer, Telnet, telnet};

/// What a read takes at most, in bytes.
const READ: usize = 16 * 1024;

/// The same, for a connection that filled its last read.
const LARGE_READ: usize = 64 * 1024;

/// The shared buffer has room for part of a line and a large read behind it. What is kept of a
/// connection's input is never more than that.
pub(super) const BUFFER_BEYOND_LINE: usize = LARGE_READ;

/// The most work of one connection in one turn, as [`Chat::work`] counts it: 64 short lines, 16 KiB
/// of long ones, or one long answer.
///
/// [`Chat::work`]: crate::chat::Chat::work
const MAX_WORK: u64 = 64;

/// What a lingering connection may still send, in bytes.
const MAX_DISCARD: u32 = 64 * 1024;

/// Why the lines of a connection go no further for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// The next line is not there yet.
    Hungry,
    /// Its turn is over.
    TurnOver,
    /// The next line was not taken.
    Refused(Step),
    /// There was a last line.
    Closed,
}

/// The part of the shared buffer that is read and not yet done.
struct Window<'a> {
    buffer: &'a mut [u8],
    start: usize,
    end: usize,
    /// The turn is over when so much work was done.
    work_until: u64,
}

impl<P: Platform> Server<P> {
    /// Gives an open connection its turn: the lines that it has, then one read and its lines.
    pub(super) fn read(&mut self, id: ClientId) {
        let Some(connection) = self.connection(id) else { return };
        let unread = std::mem::take(&mut connection.unread);
        let mut buffer = std::mem::take(&mut self.buffer);
        self.pool.release(unread.len());
        buffer[..unread.len()].copy_from_slice(&unread);
        let work_until = self.chat.work() + MAX_WORK;
        let mut window = Window { buffer: &mut buffer, start: 0, end: unread.len(), work_until };

        let mut pause = self.take_lines(id, &mut window);
        if pause == Pause::Hungry && self.fill(id, &mut window) {
            pause = self.take_lines(id, &mut window);
        }
        self.keep(id, window.buffer.get(window.start..window.end).unwrap_or_default());
        self.buffer = buffer;
        self.settle(id);
        self.handle_pause(id, pause);
    }

    /// Offers lines to the chat until one is not taken or there are no more.
    fn take_lines(&mut self, id: ClientId, window: &mut Window<'_>) -> Pause {
        let Some(connection) = self.connection(id) else { return Pause::Closed };
        let (mut framer, ended, edits) = (connection.framer, connection.ended, connection.telnet);
        let mut input = &window.buffer[window.start..window.end];
        let pause = loop {
            if self.chat.work() >= window.work_until {
                break Pause::TurnOver;
            }
            let (before, offered) = (framer, input);
            let frame = framer.next(&mut input, self.settings.max_line);
            let frame = frame.or_else(|| if ended { framer.finish(&mut input) } else { None });
            let Some(frame) = frame else { break Pause::Hungry };
            let edited;
            let frame = match frame {
                Frame::Line(line) if edits => {
                    edited = telnet::edit(line);
                    Frame::Line(&edited)
                }
                frame => frame,
            };
            let step = self.chat.handle_frame(id, frame, self.now);
            match step {
                Step::Next | Step::Close => {
                    trace!(client = %id, line = %Quoted(&offered[..offered.len() - input.len()]));
                }
                Step::Wait(_) | Step::Hold | Step::Clogged => {
                    (framer, input) = (before, offered);
                    break Pause::Refused(step);
                }
            }
            if step == Step::Close {
                break Pause::Closed;
            }
        };
        window.start = window.end - input.len();
        if let Some(connection) = self.connection(id) {
            connection.framer = framer;
        }
        pause
    }

    /// Reads once, behind what is there. Says whether there is anything new: bytes, or the end.
    fn fill(&mut self, id: ClientId, window: &mut Window<'_>) -> bool {
        window.buffer.copy_within(window.start..window.end, 0);
        (window.start, window.end) = (0, window.end - window.start);
        let own = window.end;
        let Some(connection) = self.connections.get_mut(id) else { return false };
        if !connection.readable || connection.ended {
            return connection.ended;
        }
        let want = if connection.filled { LARGE_READ } else { READ };
        let allowed = match self.pool.allowance(own, want) {
            // The end of its stream is near, and with it comes back what it keeps.
            0 if connection.read_closed => self.settings.max_line,
            allowed => allowed,
        };
        if allowed == 0 {
            connection.wait = Wait::Input;
            self.pool.waiters.push_back(id);
            return false;
        }
        let telnet = connection.telnet.then(|| self.telnets.get(&id)).flatten();
        let start = own + telnet.map_or(0, Telnet::room);
        let room = &mut window.buffer[start..start + allowed];
        match self.platform.read(&mut connection.socket, room) {
            Ok(0) => (connection.ended, connection.readable) = (true, false),
            Ok(count) => {
                window.end = start + count;
                connection.filled = count == allowed;
                // A short read has drained the socket, unless the end of the stream is behind it,
                // or an urgent mark (^C in telnet sends one), at which Linux ends a read: that was
                // told together with the data, and will not be told again.
                connection.readable =
                    connection.filled || connection.read_closed || connection.urgent;
            }
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::WouldBlock => connection.readable = false,
                    io::ErrorKind::Interrupted => {}
                    _ => self.doom(id, Death::Failed),
                }
                return false;
            }
        }
        self.take_telnet(id, window, own, start);
        true
    }

    /// Takes what belongs to Telnet out of the bytes from `start` on that were just read, and
    /// closes the gap between them and the `own` bytes before.
    fn take_telnet(&mut self, id: ClientId, window: &mut Window<'_>, own: usize, start: usize) {
        let Some(connection) = self.connection(id) else { return };
        let read = &mut window.buffer[..window.end];
        let is_new = !connection.telnet;
        if is_new && !telnet::concerns(&read[start..]) {
            return;
        }
        // What is about to be closed anyhow is not to be answered.
        let is_first = connection.framer == Framer::Start && own == 0;
        if is_new && is_first && Foreign::of_start(&read[..1]).is_some() {
            return;
        }
        connection.telnet = true;
        let telnet = self.telnets.entry(id).or_default();
        let mut answers = Vec::new();
        window.end = telnet.filter(read, own, start, &mut answers);
        if answers.is_empty() || self.chat.outbound.is_clogged(id) {
            return;
        }
        if self.chat.outbound.answer(id, &[&answers]).is_err() {
            self.chat.counters.answers_dropped += 1;
        }
    }

    /// Keeps what is not yet done.
    fn keep(&mut self, id: ClientId, rest: &[u8]) {
        if rest.is_empty() {
            return;
        }
        if let Some(connection) = self.connection(id) {
            connection.unread = rest.into();
            self.pool.keep(rest.len());
        }
    }

    /// A connection that has a name now is no longer among those that have none.
    pub(super) fn settle(&mut self, id: ClientId) {
        if self.chat.login_deadline(id).is_some() {
            return;
        }
        if let Some(connection) = self.connection(id)
            && std::mem::take(&mut connection.pending)
        {
            let peer = connection.peer;
            self.addresses.settle(peer);
            self.log_login(id);
        }
    }

    fn handle_pause(&mut self, id: ClientId, pause: Pause) {
        let Some(connection) = self.connection(id) else { return };
        connection.backlog = pause != Pause::Hungry;
        let waits = matches!(pause, Pause::Refused(_)) || connection.wait != Wait::None;
        if connection.over && waits {
            // Nothing will tell again that it is over, and it would wait for nobody.
            return self.doom(id, Death::Failed);
        }
        match pause {
            Pause::Hungry if connection.ended => {
                self.chat.handle_end(id, self.now);
                self.close(id, Leave::EndOfStream);
            }
            Pause::Hungry | Pause::TurnOver => self.enqueue(id),
            Pause::Closed => self.close(id, Leave::Quit),
            Pause::Refused(Step::Wait(until)) => {
                connection.wait = Wait::Flood;
                self.arm(id, until);
            }
            Pause::Refused(Step::Clogged) => connection.wait = Wait::Mailbox,
            Pause::Refused(_) => {
                connection.wait = Wait::Room;
                self.held.push_back(Held { id, since: self.now });
            }
        }
    }

    /// Reads what a lingering connection still sends, and drops it.
    pub(super) fn discard(&mut self, id: ClientId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        match self.platform.read(&mut connection.socket, &mut self.buffer[..READ]) {
            Ok(0) => self.doom(id, Death::Closed),
            Ok(count) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                connection.discarded = connection.discarded.saturating_add(count);
                if connection.discarded > MAX_DISCARD {
                    return self.doom(id, Death::Closed);
                }
                self.enqueue(id);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => connection.readable = false,
                io::ErrorKind::Interrupted => self.enqueue(id),
                _ => self.doom(id, Death::Closed),
            },
        }
    }
}
