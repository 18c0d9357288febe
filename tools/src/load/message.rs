//! What a message carries: who sent it, which of its sender's messages it is, and when it was sent.
//!
//! ```text
//! 0000002a 00000007 00000000075bcd15..............................
//! sender   number   sent (ns)        padding up to the size asked for
//! ```

use std::io::Write;

/// The smallest message, in bytes: one without padding.
pub(super) const MIN_SIZE: usize = 34;

/// What fills a message up.
const PADDING: u8 = b'.';

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The index of the client that sent it.
    pub(super) sender: u32,
    /// How many the sender had sent before, of the same kind.
    pub(super) number: u32,
    /// When it was put into words, in nanoseconds of the crowd's clock.
    pub(super) sent_ns: u64,
}

impl Message {
    /// Writes it in `size` bytes, of which there are at least [`MIN_SIZE`].
    pub(super) fn write(self, size: usize, line: &mut Vec<u8>) {
        let end = line.len() + size;
        let Self { sender, number, sent_ns } = self;
        // Writing to memory cannot fail.
        let _ = write!(line, "{sender:08x} {number:08x} {sent_ns:016x}");
        line.resize(end, PADDING);
    }

    /// Reads it back; `None` for what no message of ours looks like.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (head, padding) = text.split_at_checked(MIN_SIZE)?;
        let (sender, rest) = str::from_utf8(head).ok()?.split_once(' ')?;
        let (number, sent) = rest.split_once(' ')?;
        padding.iter().all(|&byte| byte == PADDING).then_some(())?;
        Some(Self {
            sender: u32::from_str_radix(sender, 16).ok()?,
            number: u32::from_str_radix(number, 16).ok()?,
            sent_ns: u64::from_str_radix(sent, 16).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (sender, number, sent_ns) in [(0, 0, 0), (42, 7, 123_456_789), (u32::MAX, 1, u64::MAX)]
        {
            let message = Message { sender, number, sent_ns };
            for size in [MIN_SIZE, 64, 4000] {
                let mut line = b"all ".to_vec();
                message.write(size, &mut line);
                assert_eq!(line.len(), 4 + size);
                assert_eq!(Message::parse(&line[4..]), Some(message));
            }
        }
    }

    #[test]
    fn what_was_torn_or_touched_is_not() {
        let mut line = Vec::new();
        Message { sender: 1, number: 2, sent_ns: 3 }.write(64, &mut line);
        assert_eq!(Message::parse(&line[1..]), None);
        assert_eq!(Message::parse(&line[..MIN_SIZE - 1]), None);
        line[63] = b'!';
        assert_eq!(Message::parse(&line), None);
    }
}
