//! One client's side of it: a cursor, a mailbox, and whether the socket takes anything.

use std::time::Duration;

use super::Lapped;
use super::batch::Batch;
use super::log::Log;
use super::mailbox::Mailbox;

/// A reader that keeps up the minimum rate is never later than this; who is, is not waited for.
const LATE: Duration = Duration::from_secs(1);

/// Who is this late has read below the minimum rate for long.
const TOO_LATE: Duration = Duration::from_secs(10);

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
    /// What a socket at the minimum rate would have taken while this one took nothing, less what it
    /// took since; in microseconds at that rate, when it was last blocked or written to. Nothing
    /// once it has taken all that there was for it.
    late_us: u32,
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
            late_us: 0,
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

    /// What waits in the mailbox, in bytes, the note of each letter included.
    pub(super) fn mail_size(&self) -> usize {
        self.mail.as_ref().map_or(0, |mail| mail.size())
    }

    /// What the mailbox has allocated, in bytes.
    pub(super) fn mail_allocated(&self) -> usize {
        self.mail.as_ref().map_or(0, |mail| mail.allocated())
    }

    /// The same when `len` more bytes were mailed, if a letter may then be due at `due`.
    pub(super) fn mail_allocated_with(&self, due: u64, len: usize) -> usize {
        match &self.mail {
            Some(mail) => mail.allocated_with(due, len),
            None => Mailbox::default().allocated_with(due, len),
        }
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
    pub(super) fn advance(&mut self, count: usize, end: u64, min_rate: u32) {
        self.note_taken(count, min_rate);
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
        if self.cursor == end && self.mail.is_none() {
            self.late_us = 0;
        }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.blocked_ms == WRITABLE
    }

    pub(super) fn block(&mut self, now: Duration) {
        self.blocked_ms = millis(now);
    }

    pub(super) fn unblock(&mut self, now: Duration) {
        // No more than twice that is remembered: whoever reads again catches up with it.
        self.late_us = micros(self.late(now).min(2 * TOO_LATE));
        self.blocked_ms = WRITABLE;
    }

    pub(super) fn blocked_since(&self) -> Option<Duration> {
        (!self.is_writable()).then(|| Duration::from_millis(self.blocked_ms))
    }

    /// The time up to `now` is not held against the client: the server was not there to write.
    pub(super) fn forgive(&mut self, now: Duration) {
        if !self.is_writable() {
            self.block(now);
        }
    }

    /// Whether the client keeps up the minimum rate, or took all that it was given: whoever is
    /// behind with a socket that takes more waits for the server, which is busy.
    pub(super) fn keeps_up(&self, now: Duration) -> bool {
        self.is_writable() || self.late(now) < LATE
    }

    /// Whether the client has read below the minimum rate for long.
    pub(super) fn is_too_slow(&self, now: Duration) -> bool {
        !self.is_writable() && self.late(now) >= TOO_LATE
    }

    /// How much later the client is than one that reads at the minimum rate. Only the time in which
    /// the socket took nothing counts.
    fn late(&self, now: Duration) -> Duration {
        let blocked = self.blocked_since().map_or(Duration::ZERO, |at| now.saturating_sub(at));
        Duration::from_micros(u64::from(self.late_us)).saturating_add(blocked)
    }

    fn note_taken(&mut self, count: usize, min_rate: u32) {
        if self.late_us > 0 {
            let worth = count as u64 * 1_000_000 / u64::from(min_rate);
            self.late_us = self.late_us.saturating_sub(u32::try_from(worth).unwrap_or(u32::MAX));
        }
    }
}

fn millis(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(WRITABLE - 1)
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u32 = 64 * 1024;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A client that takes `bytes` every `period` milliseconds and is blocked in between, for a
    /// minute; the time at which it was first found not to keep up, and too slow.
    fn minute(bytes: usize, period: usize) -> [Option<u64>; 2] {
        let mut outbox = Outbox::new();
        outbox.block(at(0));
        let (mut late, mut too_slow) = (None, None);
        for now in (0_u64..60_000).step_by(period).skip(1) {
            // Just before it takes something it is latest.
            if !outbox.keeps_up(at(now)) {
                late.get_or_insert(now);
            }
            if outbox.is_too_slow(at(now)) {
                too_slow.get_or_insert(now);
            }
            outbox.unblock(at(now));
            outbox.note_taken(bytes, RATE);
            outbox.block(at(now));
        }
        [late, too_slow]
    }

    #[test]
    fn a_client_is_judged_by_its_rate_and_not_by_how_it_sips() {
        let second = RATE as usize;
        assert_eq!(minute(second / 10, 100), [None, None], "the minimum rate");
        assert_eq!(minute(second, 990), [None, None], "the same in large sips");
        assert_eq!(minute(0, 100), [Some(1_000), Some(10_000)], "nothing at all");
        let [late, too_slow] = minute(second / 20, 100);
        assert!(matches!(late, Some(1_500..=2_100)), "half of it: {late:?}");
        assert!(matches!(too_slow, Some(19_000..=20_100)), "half of it: {too_slow:?}");
        let [_, too_slow] = minute(second, 9_000);
        assert!(matches!(too_slow, Some(10_000..=18_000)), "a sip now and then: {too_slow:?}");
    }

    #[test]
    fn who_has_read_everything_begins_anew() {
        let mut outbox = Outbox::new();
        outbox.follow(0);
        outbox.block(at(0));
        outbox.unblock(at(9_000));
        outbox.advance(10, 20, RATE);
        outbox.block(at(9_000));
        assert!(outbox.is_too_slow(at(10_001)), "there is more to read");
        outbox.unblock(at(9_001));
        outbox.advance(10, 20, RATE);
        outbox.block(at(3_600_000));
        assert!(outbox.keeps_up(at(3_600_999)) && !outbox.is_too_slow(at(3_609_999)));
    }

    #[test]
    fn time_in_which_the_server_was_not_there_is_forgiven() {
        let mut outbox = Outbox::new();
        outbox.block(at(0));
        outbox.forgive(at(60_000));
        assert!(outbox.keeps_up(at(60_999)) && !outbox.keeps_up(at(61_000)));
        outbox.unblock(at(60_100));
        outbox.forgive(at(90_000));
        assert!(outbox.is_writable() && outbox.keeps_up(at(90_000)));
    }

    #[test]
    fn a_client_can_be_blocked_at_any_time() {
        let mut outbox = Outbox::new();
        for now in [Duration::ZERO, Duration::MAX] {
            outbox.block(now);
            assert!(!outbox.is_writable());
            outbox.unblock(Duration::MAX);
            assert!(outbox.is_writable());
        }
    }

    proptest! {
        #[test]
        fn who_takes_the_minimum_rate_in_every_second_keeps_up(
            sips in prop::collection::vec((1_u64..500, 0_u64..400), 1..200),
        ) {
            let mut outbox = Outbox::new();
            let mut now = 0;
            for (wait, more) in sips {
                outbox.block(at(now));
                now += wait;
                prop_assert!(outbox.keeps_up(at(now)));
                outbox.unblock(at(now));
                let bytes = (wait + more) * u64::from(RATE) / 1000 + 1;
                outbox.note_taken(usize::try_from(bytes).unwrap(), RATE);
            }
        }
    }
}
