//! Who talks: what it may send, and what its socket did not take.

use std::io::{self, Write};

use super::dialect::{Dialect, Envelope};
use super::message::Message;

/// How much a talker that never waits puts into one write, in bytes.
const BURST: usize = 16 << 10;

/// One talker.
#[derive(Debug)]
pub(super) struct Talker {
    /// What stands around each message.
    envelope: Envelope,
    size: usize,
    /// The most messages in flight; 0 for any number.
    window: u32,
    index: u32,
    /// How many it has sent, torn ones included.
    pub(super) sent: u32,
    in_flight: u32,
    /// How many it may still send.
    left: u32,
    is_writable: bool,
    /// It stands in the queue of those who can send.
    pub(super) is_queued: bool,
    /// The rest of a message of which the socket took a part.
    torn: Vec<u8>,
}

impl Talker {
    /// A talker to everyone, or to its partner.
    pub(super) fn new(
        index: u32,
        partner: Option<u32>,
        dialect: Dialect,
        size: usize,
        window: u32,
    ) -> Self {
        Self {
            envelope: dialect.envelope(index, partner, size),
            size,
            window,
            index,
            sent: 0,
            in_flight: 0,
            left: 0,
            is_writable: true,
            is_queued: false,
            torn: Vec::new(),
        }
    }

    /// It may send so many more.
    pub(super) fn allow(&mut self, messages: u32) {
        self.left = messages;
    }

    /// One of its messages was read by everyone who is to read it.
    pub(super) fn handle_arrival(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) fn handle_writable(&mut self) {
        self.is_writable = true;
    }

    /// Whether it has something to send and can.
    pub(super) fn is_eager(&self) -> bool {
        self.is_writable && (!self.torn.is_empty() || self.credit() > 0)
    }

    /// Whether a part of a message is still to be sent.
    pub(super) fn is_torn(&self) -> bool {
        !self.torn.is_empty()
    }

    fn credit(&self) -> u32 {
        let window = if self.window == 0 { u32::MAX } else { self.window - self.in_flight };
        window.min(self.left)
    }

    /// Sends what it may in one write. Returns how many messages that began; those that the socket
    /// has no room for are as if they had never been put into words.
    ///
    /// # Errors
    ///
    /// Those of the system's write.
    pub(super) fn send(
        &mut self,
        socket: &mut impl Write,
        now_ns: u64,
        scratch: &mut Vec<u8>,
    ) -> io::Result<u32> {
        let Envelope { before, behind } = &self.envelope;
        let line = before.len() + self.size + behind.len();
        let burst = u32::try_from((BURST / line).max(1)).unwrap_or(1);
        let burst = if self.window == 0 { burst } else { self.window };
        scratch.clear();
        scratch.append(&mut self.torn);
        let torn = scratch.len();
        for number in self.sent..self.sent + self.credit().min(burst) {
            scratch.extend_from_slice(before.as_bytes());
            Message { sender: self.index, number, sent_ns: now_ns }.write(self.size, scratch);
            scratch.extend_from_slice(behind.as_bytes());
        }
        let written = match socket.write(scratch) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_writable = false;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // Whole messages and a part of one; the rest of the old one comes first.
        let begun = written.saturating_sub(torn).div_ceil(line);
        let end = torn + begun * line;
        self.torn.extend_from_slice(&scratch[written..end]);
        let begun = u32::try_from(begun).unwrap_or(u32::MAX);
        self.sent += begun;
        self.in_flight += begun;
        self.left -= begun;
        Ok(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at a time, then none for once.
    struct Narrow {
        room: usize,
        is_blocked: bool,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.is_blocked = !self.is_blocked;
            if !self.is_blocked {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.room);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_torn_comes_out_whole() {
        for room in [1, 7, 69, 70, 1000] {
            let mut talker = Talker::new(3, None, Dialect::Hubbub, 64, 4);
            let mut socket = Narrow { room, is_blocked: false, taken: Vec::new() };
            talker.allow(9);
            let mut begun = 0;
            while begun < 9 || talker.is_torn() {
                let count = talker.send(&mut socket, 5, &mut Vec::new()).unwrap();
                begun += count;
                (0..count).for_each(|_| talker.handle_arrival());
                if !talker.is_writable {
                    assert!(!talker.is_eager());
                    talker.handle_writable();
                }
            }
            let lines = socket.taken.split_inclusive(|&byte| byte == b'\n');
            let numbers = lines.map(|line| {
                let text = line.strip_prefix(b"all ").unwrap().strip_suffix(b"\n").unwrap();
                Message::parse(text).unwrap().number
            });
            assert!(numbers.eq(0..9), "with room for {room}");
            assert!(!talker.is_eager());
        }
    }

    #[test]
    fn a_window_holds_it_back_until_a_message_arrives() {
        let mut talker = Talker::new(0, Some(1), Dialect::Bare, 64, 2);
        let mut sent = Vec::new();
        talker.allow(u32::MAX);
        assert_eq!(talker.send(&mut sent, 0, &mut Vec::new()).unwrap(), 2);
        assert!(!talker.is_eager());
        talker.handle_arrival();
        assert!(talker.is_eager());
        assert_eq!(talker.send(&mut sent, 0, &mut Vec::new()).unwrap(), 1);
        assert!(sent.starts_with(b"[From c0]: 00000000 00000000 "));
    }
}
