//! One client's side of it: a cursor, a mailbox, and whether the socket takes anything.

use std::time::Duration;

use super::Lapped;
use super::batch::Batch;
use super::log::Log;
use super::mailbox::Mailbox;

/// What a client that lags has to take in [`PROGRESS_WINDOW_MS`] to be more than a staller.
const PROGRESS_BYTES: u32 = 64 * 1024;

/// One second, in milliseconds.
const PROGRESS_WINDOW_MS: u64 = 1000;

/// `until` of those who read for ever.
const FOR_EVER: u64 = u64::MAX;

/// `blocked_ms` of those whose socket takes bytes.
const WRITABLE: u64 = u64::MAX;

/// What is still to be written to one client.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The log is written up to here.
    cursor: u64,
    /// The log is read up to here; at the cursor before login.
    until: u64,
    mail: Option<Box<Mailbox>>,
    /// Since when the socket takes nothing, in milliseconds.
    blocked_ms: u64,
    /// The second in which `taken` was counted, and what was taken in the one before it.
    second: u32,
    taken: u32,
    taken_before: u32,
    closing: bool,
    /// Whether the client stands in the queue of those with something due.
    pub(super) queued: bool,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            cursor: 0,
            until: 0,
            mail: None,
            blocked_ms: WRITABLE,
            second: 0,
            taken: 0,
            taken_before: 0,
            closing: false,
            queued: false,
        }
    }

    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(super) fn is_following(&self) -> bool {
        self.until == FOR_EVER
    }

    pub(super) fn follow(&mut self, end: u64) {
        if !self.closing {
            (self.cursor, self.until) = (end, FOR_EVER);
        }
    }

    pub(super) fn finish(&mut self, end: u64) {
        self.until = self.until.min(end);
        self.closing = true;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.closing && self.mail.is_none() && self.cursor == self.until
    }

    /// Whether the sweep has a reason to stop here: there is something to write, or nothing can be
    /// written any more.
    pub(super) fn wants_log(&self, start: u64, end: u64) -> bool {
        let behind = self.cursor < self.until.min(end);
        behind && (self.is_writable() || self.cursor < start)
    }

    /// What waits in the mailbox, in bytes.
    pub(super) fn mail_size(&self) -> usize {
        self.mail.as_ref().map_or(0, |mail| mail.size())
    }

    pub(super) fn mail(&mut self, due: u64, parts: &[&[u8]]) {
        self.mail.get_or_insert_default().push(due, parts);
    }

    /// Log and letters in the order in which the server took them.
    pub(super) fn fill<'a>(&'a self, log: &'a Log, batch: &mut Batch<'a>) -> Result<(), Lapped> {
        let end = self.until.min(log.end());
        let mut cursor = self.cursor;
        for (letter, pieces) in self.mail.iter().flat_map(|mail| mail.letters()) {
            let due = letter.due.min(end).max(cursor);
            if !batch.push(log.slices(cursor, due).ok_or(Lapped)?) || !batch.push(pieces) {
                return Ok(());
            }
            cursor = due;
        }
        batch.push(log.slices(cursor, end).ok_or(Lapped)?);
        Ok(())
    }

    /// The first `count` bytes of what [`fill`](Self::fill) gave are written.
    pub(super) fn advance(&mut self, count: usize, end: u64, now: Duration) {
        self.note_progress(count, now);
        let end = self.until.min(end);
        let mut left = count;
        loop {
            let head = self.mail.as_ref().and_then(|mail| mail.head());
            let due = head.map_or(end, |letter| letter.due.min(end)).max(self.cursor);
            let from_log = usize::try_from(due - self.cursor).unwrap_or(usize::MAX).min(left);
            self.cursor += from_log as u64;
            left -= from_log;
            if left == 0 {
                break;
            }
            let from_mail = self.mail.as_mut().map_or(0, |mail| mail.consume(left));
            debug_assert!(from_mail > 0, "{left} bytes were written that nobody gave");
            if from_mail == 0 {
                break;
            }
            left -= from_mail;
        }
        if self.mail.as_ref().is_some_and(|mail| mail.is_empty()) {
            self.mail = None;
        }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.blocked_ms == WRITABLE
    }

    pub(super) fn block(&mut self, now: Duration) {
        self.blocked_ms = millis(now);
    }

    pub(super) fn unblock(&mut self) {
        self.blocked_ms = WRITABLE;
    }

    pub(super) fn blocked_since(&self) -> Option<Duration> {
        (!self.is_writable()).then(|| Duration::from_millis(self.blocked_ms))
    }

    /// Whether the client took a fair amount in the last second, or all that it was given: whoever
    /// lags with a socket that takes more waits for the server, which is busy.
    pub(super) fn makes_progress(&self, now: Duration) -> bool {
        if self.is_writable() {
            return true;
        }
        let (this, before) = match second(now).wrapping_sub(self.second) {
            0 => (self.taken, self.taken_before),
            1 => (0, self.taken),
            _ => (0, 0),
        };
        // Of the second before this one counts what is within the last thousand milliseconds, as
        // if it had come evenly: a client at a steady rate is judged alike at every moment.
        let left = PROGRESS_WINDOW_MS - millis(now) % PROGRESS_WINDOW_MS;
        let recent = u64::from(this) + u64::from(before) * left / PROGRESS_WINDOW_MS;
        recent >= u64::from(PROGRESS_BYTES)
    }

    pub(super) fn note_progress(&mut self, count: usize, now: Duration) {
        let this = second(now);
        match this.wrapping_sub(self.second) {
            0 => {}
            1 => self.taken_before = std::mem::take(&mut self.taken),
            _ => (self.taken_before, self.taken) = (0, 0),
        }
        self.second = this;
        self.taken = self.taken.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

fn millis(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(WRITABLE - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "only neighbouring seconds are told apart")]
fn second(now: Duration) -> u32 {
    (millis(now) / PROGRESS_WINDOW_MS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: usize = PROGRESS_BYTES as usize / 2;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn progress_is_what_was_taken_in_the_last_thousand_milliseconds() {
        let mut outbox = Outbox::new();
        outbox.block(at(7000));
        outbox.note_progress(HALF, at(7000));
        outbox.note_progress(HALF - 1, at(7500));
        assert!(!outbox.makes_progress(at(7999)));
        outbox.note_progress(1, at(7999));
        assert!(outbox.makes_progress(at(7999)) && outbox.makes_progress(at(8000)));
        assert!(!outbox.makes_progress(at(8001)));
        outbox.note_progress(HALF, at(8500));
        assert!(outbox.makes_progress(at(8500)), "with half of what was taken before");
        assert!(!outbox.makes_progress(at(8501)) && !outbox.makes_progress(at(9000)));
        outbox.note_progress(HALF, at(11_000));
        assert!(!outbox.makes_progress(at(11_000)), "the seconds between took nothing");
    }

    #[test]
    fn a_client_can_be_blocked_at_any_time() {
        let mut outbox = Outbox::new();
        for now in [Duration::ZERO, Duration::MAX] {
            outbox.block(now);
            assert!(!outbox.is_writable());
        }
    }
}
