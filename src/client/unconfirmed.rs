//! What was sent and is not known to have arrived, so that it can be named when the connection is
//! lost. Pure: times and acknowledgements are arguments.
//!
//! A line is confirmed when the server's system has acknowledged its last byte. A broadcast comes
//! back to its sender, and only that shows that the server itself has read it, so a broadcast is
//! confirmed by its echo, and with it everything that was sent before.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::wire::Command;
use crate::wire::text::clean;

/// The most lines whose text is kept; of older ones only the number is known.
const MAX_LINES: usize = 1024;

/// The most bytes of text that are kept.
const MAX_BYTES: usize = 256 * 1024;

/// The most lines that are named one by one when the connection is lost.
pub(super) const MAX_NAMED: usize = 10;

/// How long an echo, or an acknowledgement that the system does not show, may be missing: a server
/// that does not send broadcasts back to their sender must not make every line look lost.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// The lines of one connection that are not confirmed, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    lines: VecDeque<Line>,
    /// The bytes of all their texts.
    bytes: usize,
    /// How many bytes were sent in all.
    sent: u64,
    /// How many bytes the other side's system has acknowledged.
    acknowledged: u64,
    /// The number of the last line that was sent; the first is 1.
    last: u64,
    /// The number of the last line that is confirmed.
    confirmed: u64,
    /// The number of the last line whose text had to go before it was confirmed.
    dropped: u64,
}

#[derive(Debug)]
struct Line {
    number: u64,
    /// How many bytes were sent when its last byte was.
    end: u64,
    text: String,
    is_broadcast: bool,
    at: Instant,
}

impl Line {
    /// What comes back when the server has taken this line, if anything does.
    fn echo(&self) -> Option<&str> {
        match Command::parse(self.text.as_bytes()) {
            Ok(Command::All { text }) if self.is_broadcast => Some(text),
            _ => None,
        }
    }
}

/// What was not confirmed when a connection ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unsure {
    /// The number of the first line that is not confirmed; the first that was sent is 1.
    pub(super) first: u64,
    /// How many lines are not confirmed.
    pub(super) count: u64,
    /// The texts of the last of them.
    pub(super) texts: Vec<String>,
}

impl Unconfirmed {
    /// Some bytes were sent that complete no line.
    pub(super) fn sent_part(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The bytes that were sent last complete a line. Empty lines ask for nothing, and are not
    /// kept.
    pub(super) fn sent_line(&mut self, line: &[u8], now: Instant) {
        self.last += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(line).into_owned();
        self.bytes += text.len();
        let is_broadcast = matches!(Command::parse(line), Ok(Command::All { .. }));
        let (number, end) = (self.last, self.sent);
        self.lines.push_back(Line { number, end, text, is_broadcast, at: now });
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            self.dropped = self.pop().map_or(self.dropped, |line| line.number);
        }
    }

    /// Whether something was sent that the other side's system has not acknowledged.
    pub(super) fn is_under_way(&self) -> bool {
        self.acknowledged < self.sent
    }

    /// The other side's system has acknowledged all but so many of the bytes that were sent.
    pub(super) fn acknowledge(&mut self, outstanding: u64, now: Instant) {
        self.acknowledged = self.sent.saturating_sub(outstanding).max(self.acknowledged);
        while let Some(line) = self.lines.front() {
            let is_old = now.saturating_duration_since(line.at) >= FORGET_AFTER;
            if line.end > self.acknowledged || (line.is_broadcast && !is_old) {
                break;
            }
            self.confirm_first();
        }
    }

    /// A broadcast of one's own has come back.
    pub(super) fn echoed(&mut self, text: &str) {
        let is_it = |line: &Line| line.echo().is_some_and(|echo| clean(echo) == text);
        if let Some(index) = self.lines.iter().position(is_it) {
            (0..=index).for_each(|_| self.confirm_first());
        }
    }

    /// Everything is confirmed: the server has read to the end of the stream.
    pub(super) fn confirm_all(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.confirmed = self.last;
    }

    /// What is not confirmed now; `None` when there is nothing.
    pub(super) fn unsure(&self, now: Instant) -> Option<Unsure> {
        let is_recent = |line: &&Line| now.saturating_duration_since(line.at) < FORGET_AFTER;
        let recent: Vec<&Line> = self.lines.iter().filter(is_recent).collect();
        let first = match recent.first() {
            _ if self.dropped > self.confirmed => self.confirmed + 1,
            Some(line) => line.number,
            None => return None,
        };
        let texts = recent.iter().map(|line| line.text.clone()).collect();
        Some(Unsure { first, count: self.last + 1 - first, texts })
    }

    fn confirm_first(&mut self) {
        if let Some(line) = self.pop() {
            self.confirmed = line.number;
        }
    }

    fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.text.len();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::connection::now;

    fn send(unconfirmed: &mut Unconfirmed, line: &str, at: Instant) {
        unconfirmed.sent_part(line.len() + 1);
        unconfirmed.sent_line(line.as_bytes(), at);
    }

    fn texts(unconfirmed: &Unconfirmed, at: Instant) -> Vec<String> {
        unconfirmed.unsure(at).map_or_else(Vec::new, |unsure| unsure.texts)
    }

    #[test]
    fn a_private_line_is_confirmed_by_its_acknowledgement() {
        let (mut sent, start) = (Unconfirmed::default(), now());
        send(&mut sent, "@Bob one", start);
        send(&mut sent, "@Bob two", start);
        sent.acknowledge(9, start);
        assert_eq!(texts(&sent, start), ["@Bob two"]);
        assert_eq!(sent.unsure(start).map(|unsure| (unsure.first, unsure.count)), Some((2, 1)));
        // Half a line is not enough.
        sent.acknowledge(1, start);
        assert_eq!(texts(&sent, start), ["@Bob two"]);
        assert!(sent.is_under_way());
        sent.acknowledge(0, start);
        assert_eq!(sent.unsure(start), None);
        assert!(!sent.is_under_way());
    }

    #[test]
    fn a_broadcast_is_confirmed_by_its_echo_and_with_it_what_went_before() {
        let (mut sent, start) = (Unconfirmed::default(), now());
        for line in ["@Bob hi", "all one", "list", "ALL two\u{7}", "all three"] {
            send(&mut sent, line, start);
        }
        sent.acknowledge(0, start);
        assert_eq!(texts(&sent, start), ["all one", "list", "ALL two\u{7}", "all three"]);
        sent.echoed("something else");
        assert_eq!(texts(&sent, start).len(), 4);
        sent.echoed(&clean("two\u{7}"));
        assert_eq!(texts(&sent, start), ["all three"]);
        sent.confirm_all();
        assert_eq!(sent.unsure(start), None);
    }

    #[test]
    fn an_echo_that_never_comes_is_not_waited_for_without_end() {
        let (mut sent, start) = (Unconfirmed::default(), now());
        send(&mut sent, "all one", start);
        sent.acknowledge(0, start);
        assert!(sent.unsure(start + FORGET_AFTER / 2).is_some());
        assert_eq!(sent.unsure(start + FORGET_AFTER), None);
        sent.acknowledge(0, start + FORGET_AFTER);
        assert!(sent.lines.is_empty());
    }

    #[test]
    fn lines_beyond_the_limits_are_counted_still() {
        let (mut sent, start) = (Unconfirmed::default(), now());
        for number in 0..5000 {
            send(&mut sent, &format!("all {number}"), start);
        }
        let unsure = sent.unsure(start).unwrap();
        assert_eq!((unsure.first, unsure.count, unsure.texts.len()), (1, 5000, MAX_LINES));
        sent.echoed("4997");
        assert_eq!(sent.unsure(start).map(|unsure| unsure.first), Some(4999));
        send(&mut sent, &"x".repeat(2 * MAX_BYTES), start);
        let unsure = sent.unsure(start).unwrap();
        assert_eq!((unsure.first, unsure.count, unsure.texts.len()), (4999, 3, 0));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_bounded_and_in_order(
            lengths in prop::collection::vec((any::<bool>(), 0..9000_usize), 0..80),
            outstanding in 0..10_000_u64,
        ) {
            let (mut sent, start) = (Unconfirmed::default(), now());
            for &(is_broadcast, length) in &lengths {
                let front = if is_broadcast { "all " } else { "@b " };
                send(&mut sent, &format!("{front}{}", "x".repeat(length)), start);
                prop_assert!(sent.bytes <= MAX_BYTES && sent.lines.len() <= MAX_LINES);
            }
            sent.acknowledge(outstanding, start);
            if let Some(unsure) = sent.unsure(start) {
                prop_assert!(unsure.first + unsure.count == lengths.len() as u64 + 1);
                prop_assert!(unsure.texts.len() as u64 <= unsure.count);
            }
        }
    }
}
