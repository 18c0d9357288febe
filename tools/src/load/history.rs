//! What has been said to everyone, once, in the order in which the first to read it read it.

use std::collections::VecDeque;
use std::collections::vec_deque::IterMut;

use super::message::Message;

/// How much is kept. No client that a server keeps is half as far behind another: a server's log
/// and the buffers of the system are in between.
const MAX_BYTES: usize = 64 << 20;

/// A broadcast that somebody has read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// What it carries.
    pub(super) message: Message,
    /// How many have not read it yet.
    pub(super) left: u32,
    /// The offset behind it.
    end: u64,
}

/// The broadcasts. Clients name their place in it by the number of lines that they have read.
#[derive(Debug, Default)]
pub(super) struct History {
    bytes: Vec<u8>,
    lines: VecDeque<Line>,
    /// How many lines are gone, and how many bytes with them.
    forgotten: u64,
    start: u64,
}

impl History {
    /// How many lines there were so far.
    pub(super) fn end(&self) -> u64 {
        self.forgotten + self.lines.len() as u64
    }

    /// Adds a line, its end included, that so many have to read.
    pub(super) fn append(&mut self, line: &[u8], message: Message, left: u32) {
        if self.bytes.len() + line.len() > MAX_BYTES {
            self.forget_half();
        }
        self.bytes.extend_from_slice(line);
        self.lines.push_back(Line { message, left, end: self.start + self.bytes.len() as u64 });
    }

    /// How many whole lines behind the first `read` ones `input` begins with, and their bytes;
    /// `None` when those are forgotten.
    pub(super) fn matching(&self, read: u64, input: &[u8]) -> Option<(usize, usize)> {
        let at = self.place(read)?;
        let from = if at == 0 { self.start } else { self.lines.get(at - 1)?.end };
        let known = self.bytes.get(usize::try_from(from - self.start).ok()?..)?;
        let len = common_prefix(known, input);
        if len == 0 {
            return Some((0, 0));
        }
        let behind = self.lines.partition_point(|line| line.end <= from + len as u64);
        if behind <= at {
            return Some((0, 0));
        }
        let end = self.lines.get(behind - 1)?.end;
        Some((behind - at, usize::try_from(end - from).ok()?))
    }

    /// These lines; those that are forgotten are left out.
    pub(super) fn lines(&mut self, read: u64, count: usize) -> IterMut<'_, Line> {
        let len = self.lines.len();
        let at = self.place(read).unwrap_or(len).min(len);
        self.lines.range_mut(at..at + count.min(len - at))
    }

    /// How many messages of a sender stand before this place: its last one's number, plus one.
    pub(super) fn heard_before(&self, read: u64, sender: u32) -> u32 {
        let before = self.lines.iter().take(self.place(read).unwrap_or(0));
        let last = before.rev().find(|line| line.message.sender == sender);
        last.map_or(0, |line| line.message.number + 1)
    }

    fn place(&self, read: u64) -> Option<usize> {
        usize::try_from(read.checked_sub(self.forgotten)?).ok()
    }

    fn forget_half(&mut self) {
        let limit = self.start + (MAX_BYTES / 2) as u64;
        let gone = self.lines.partition_point(|line| line.end <= limit);
        let Some(end) = self.lines.drain(..gone).next_back().map(|line| line.end) else { return };
        self.bytes.drain(..usize::try_from(end - self.start).unwrap_or(self.bytes.len()));
        self.forgotten += gone as u64;
        self.start = end;
    }
}

/// The length of what both begin with. In most cases that is the shorter one, whole.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.len().min(b.len());
    if a[..len] == b[..len] {
        return len;
    }
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u32) -> Message {
        Message { sender: 0, number, sent_ns: 0 }
    }

    #[test]
    fn whole_lines_match_and_nothing_else() {
        let mut history = History::default();
        for (number, line) in [b"one\n", b"two\n", b"six\n"].into_iter().enumerate() {
            history.append(line, message(u32::try_from(number).unwrap()), 1);
        }
        assert_eq!(history.matching(0, b"one\ntwo\nsix\n"), Some((3, 12)));
        assert_eq!(history.matching(1, b"two\nsi"), Some((1, 4)));
        assert_eq!(history.matching(1, b"two\n[From you]"), Some((1, 4)));
        assert_eq!(history.matching(0, b"two\n"), Some((0, 0)));
        assert_eq!(history.matching(2, b"six\nten\n"), Some((1, 4)));
        assert_eq!(history.matching(3, b"ten\n"), Some((0, 0)));
        assert_eq!(history.lines(1, 2).map(|line| line.message.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((history.heard_before(2, 0), history.heard_before(2, 1)), (2, 0));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut history = History::default();
        let line = vec![b'x'; MAX_BYTES / 8];
        for number in 0..9 {
            history.append(&line, message(number), 1);
        }
        assert_eq!((history.end(), history.forgotten), (9, 4));
        assert_eq!(history.matching(3, &line), None);
        assert_eq!(history.matching(4, &line), Some((1, line.len())));
        assert_eq!(history.matching(8, &line), Some((1, line.len())));
    }
}
