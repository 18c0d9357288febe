//! Backpressure: how far behind the readers of a log are, and how fast talkers may go on.
//!
//! A reader is **behind** while its cursor is in the older half of the log. A log follows those
//! who are behind and keep up the minimum rate: no more is appended until they have caught up, but
//! for the minimum rate itself, which they keep up by definition. So nobody who reads at that rate
//! is ever overrun, and nobody can slow a log to less.

use std::time::Duration;

/// In how many segments cursors are counted.
const SEGMENTS: usize = 64;

/// How many segments behind the end a cursor is behind: it is in the older half of the log.
const BEHIND_FROM: u64 = SEGMENTS as u64 / 2;

/// How often those who are behind are looked at one by one.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Also look again when so many segments were written since: a lot can be said in that time.
const CHECK_EVERY_SEGMENTS: u64 = SEGMENTS as u64 / 16;

/// The share of the log that may be appended at once while readers are waited for: one in so many.
const BURST_ONE_IN: u64 = 64;

/// Counts the cursors in each segment of a log, and those that are behind. A move costs O(1).
#[derive(Debug)]
pub(super) struct Lag {
    counts: [u32; SEGMENTS],
    behind: u32,
    /// The absolute number of the segment that holds the log's end.
    current: u64,
    shift: u32,
}

impl Lag {
    /// Nobody reads a log of `capacity` bytes (a power of two, at least 64) yet.
    pub(super) fn new(capacity: usize) -> Self {
        let shift = capacity.trailing_zeros() - SEGMENTS.trailing_zeros();
        Self { counts: [0; SEGMENTS], behind: 0, current: 0, shift }
    }

    /// The log now ends at this offset.
    pub(super) fn advance(&mut self, end: u64) {
        let current = end >> self.shift;
        if current > self.current {
            self.begin(current);
        }
    }

    /// The log's end is in a new segment: seldom, and so apart.
    #[cold]
    fn begin(&mut self, current: u64) {
        for segment in self.current + 1..=current {
            if let Some(falls_behind) = segment.checked_sub(BEHIND_FROM) {
                self.behind += self.counts[slot(falls_behind)];
            }
            // Whoever was counted here a whole log ago is among those behind.
            self.counts[slot(segment)] = 0;
        }
        self.current = current;
    }

    /// The number of the segment that holds the log's end.
    fn newest(&self) -> u64 {
        self.current
    }

    /// A cursor is now at this offset.
    pub(super) fn enter(&mut self, offset: u64) {
        self.behind += u32::from(self.is_behind(offset));
        if let Some(count) = self.count(offset) {
            *count += 1;
        }
    }

    /// A cursor is no longer at this offset.
    pub(super) fn leave(&mut self, offset: u64) {
        self.behind -= u32::from(self.is_behind(offset));
        if let Some(count) = self.count(offset) {
            *count -= 1;
        }
    }

    /// A cursor went from one offset to another.
    pub(super) fn shift(&mut self, from: u64, to: u64) {
        // Most writes end in the segment in which they began.
        if from >> self.shift != to >> self.shift {
            self.leave(from);
            self.enter(to);
        }
    }

    /// Whether a cursor at this offset is in the older half of the log, or beyond it.
    pub(super) fn is_behind(&self, offset: u64) -> bool {
        (offset >> self.shift) + BEHIND_FROM <= self.current
    }

    /// Whether anybody is behind.
    pub(super) fn is_anybody_behind(&self) -> bool {
        self.behind > 0
    }

    /// The count of the segment of an offset; `None` where the segment is used again.
    fn count(&mut self, offset: u64) -> Option<&mut u32> {
        let segment = offset >> self.shift;
        (segment + (SEGMENTS as u64) > self.current).then(|| &mut self.counts[slot(segment)])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below SEGMENTS")]
fn slot(segment: u64) -> usize {
    (segment % SEGMENTS as u64) as usize
}

/// How fast a log may grow while readers who are behind are waited for.
#[derive(Debug)]
pub(super) struct Pace {
    /// In bytes a second.
    min_rate: u32,
    /// What may be appended at once, in bytes.
    burst: i64,
    /// How far those who said little lately may overdraw the allowance, in bytes.
    reserve: i64,
    /// Whether readers are waited for.
    holds: bool,
    /// What may be appended now although they are, in bytes; overdrawn by the last line.
    allowance: i64,
    /// When the allowance was added up.
    since: Duration,
    next_check: Duration,
    next_segment: u64,
}

impl Pace {
    /// Nobody is waited for. `log_bytes` is the capacity of the log.
    pub(super) fn new(min_rate: u32, log_bytes: usize) -> Self {
        let log_bytes = i64::try_from(log_bytes).unwrap_or(i64::MAX);
        let burst = (log_bytes / BURST_ONE_IN.cast_signed()).min(i64::from(min_rate) / 4).max(1);
        Self {
            min_rate,
            burst,
            reserve: 2 * burst,
            holds: false,
            allowance: 0,
            since: Duration::ZERO,
            next_check: Duration::ZERO,
            next_segment: 0,
        }
    }

    /// Whether readers are waited for.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// Whether a line may be appended now, by somebody who said little lately (`rested`) or not.
    pub(super) fn allows(&self, rested: bool) -> bool {
        let least = if rested { -self.reserve } else { 0 };
        !self.holds || self.allowance > least
    }

    /// What may be appended now by those who do not find the reserve, in bytes.
    pub(super) fn room(&self) -> u64 {
        if self.holds { u64::try_from(self.allowance).unwrap_or(0) } else { u64::MAX }
    }

    /// This much was appended.
    pub(super) fn spend(&mut self, bytes: u64) {
        if self.holds {
            self.allowance = self.allowance.saturating_sub_unsigned(bytes);
        }
    }

    /// Adds up what may be appended by now.
    pub(super) fn refill(&mut self, now: Duration) {
        if self.holds {
            let passed = now.saturating_sub(self.since).as_nanos();
            let grown = passed * u128::from(self.min_rate) / 1_000_000_000;
            // The part of a byte that is left over counts the next time.
            let taken = (grown * 1_000_000_000).div_ceil(u128::from(self.min_rate));
            let grown = i64::try_from(grown).unwrap_or(i64::MAX);
            self.allowance = self.allowance.saturating_add(grown).min(self.burst);
            self.since += Duration::from_nanos(u64::try_from(taken).unwrap_or(u64::MAX));
        }
    }

    /// Whether it is time to look at those who are behind one by one.
    pub(super) fn is_due(&self, now: Duration, lag: &Lag) -> bool {
        now >= self.next_check || lag.newest() >= self.next_segment
    }

    /// They were looked at: whether some of them are to be waited for.
    pub(super) fn decide(&mut self, now: Duration, lag: &Lag, wait: bool) {
        self.next_check = now + CHECK_EVERY;
        self.next_segment = lag.newest() + CHECK_EVERY_SEGMENTS;
        if wait && !self.holds {
            (self.allowance, self.since) = (0, now);
        }
        self.holds = wait;
    }

    /// Nobody is behind any more. The next who falls behind is looked at when that happens.
    pub(super) fn lift(&mut self) {
        self.holds = false;
        self.next_check = Duration::ZERO;
    }

    /// When to look again, or to go on talking, while readers are waited for.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let short = u64::try_from(1 - self.allowance.min(1)).unwrap_or(0);
        let wait = Duration::from_micros((short * 1_000_000).div_ceil(u64::from(self.min_rate)));
        let again = if short > 0 { self.since + wait } else { Duration::MAX };
        self.holds.then_some(self.next_check.min(again))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RING: usize = 4096;
    const SEGMENT: u64 = RING as u64 / SEGMENTS as u64;

    #[test]
    fn the_older_half_is_behind() {
        let mut lag = Lag::new(RING);
        lag.enter(0);
        lag.advance(SEGMENT * 32 - 1);
        assert!(!lag.is_behind(0) && !lag.is_anybody_behind());
        lag.advance(SEGMENT * 32);
        assert!(lag.is_behind(0) && lag.is_anybody_behind());
        lag.shift(0, SEGMENT);
        assert!(!lag.is_anybody_behind());
    }

    proptest! {
        #[test]
        fn whoever_is_behind_is_counted_once_however_far_the_log_goes(
            steps in prop::collection::vec((0_u64..3000, 0_usize..4, 0_u64..3000), 0..60),
        ) {
            let (mut lag, mut end, mut cursors) = (Lag::new(RING), 0, Vec::new());
            for (grow, which, ahead) in steps {
                end += grow;
                lag.advance(end);
                match cursors.get_mut(which) {
                    None => {
                        cursors.push(end);
                        lag.enter(end);
                    }
                    Some(cursor) if ahead > 2900 => {
                        lag.leave(*cursor);
                        cursors.swap_remove(which);
                    }
                    Some(cursor) => {
                        let to = (*cursor + ahead).min(end);
                        lag.shift(*cursor, to);
                        *cursor = to;
                    }
                }
                let behind = cursors.iter().filter(|&&cursor| lag.is_behind(cursor)).count();
                prop_assert_eq!(lag.behind as usize, behind);
            }
        }
    }

    #[test]
    fn a_log_that_waits_grows_at_the_minimum_rate_and_no_faster() {
        let lag = Lag::new(1 << 20);
        let mut pace = Pace::new(1 << 16, 1 << 20);
        let start = Duration::from_secs(100);
        assert!(pace.allows(false));
        pace.spend(1 << 30);
        pace.decide(start, &lag, true);
        let (mut said, mut now) = (0_u64, start);
        while now < start + Duration::from_secs(10) {
            pace.refill(now);
            while pace.allows(false) {
                pace.spend(100);
                said += 100;
            }
            let next = pace.deadline().unwrap();
            assert!(next > now && next <= now + CHECK_EVERY, "{next:?} after {now:?}");
            now = next;
            if now >= pace.next_check {
                pace.decide(now, &lag, true);
            }
        }
        assert!((639 << 10..=656 << 10).contains(&said), "{said}");
        pace.lift();
        assert!(pace.allows(false) && pace.deadline().is_none());
    }

    #[test]
    fn short_turns_lose_nothing_of_the_minimum_rate() {
        let lag = Lag::new(1 << 20);
        let mut pace = Pace::new(1 << 16, 1 << 20);
        pace.decide(Duration::ZERO, &lag, true);
        let mut said = 0;
        for turn in 1..=33_333 {
            pace.refill(Duration::from_micros(30 * turn));
            while pace.allows(false) {
                pace.spend(1);
                said += 1;
            }
        }
        assert!((65_000..=65_536).contains(&said), "{said} bytes in a second");
    }

    #[test]
    fn who_said_little_lately_has_a_reserve() {
        let lag = Lag::new(1 << 20);
        let mut pace = Pace::new(1 << 16, 1 << 20);
        pace.decide(Duration::ZERO, &lag, true);
        assert!(!pace.allows(false) && pace.allows(true));
        pace.spend(2 * (1 << 14));
        assert!(!pace.allows(true));
    }

    #[test]
    fn a_long_time_without_talk_allows_no_more_than_a_burst() {
        let lag = Lag::new(1 << 20);
        let mut pace = Pace::new(1 << 16, 1 << 20);
        pace.decide(Duration::ZERO, &lag, true);
        pace.refill(Duration::MAX);
        assert_eq!(pace.allowance, 1 << 14);
    }

    #[test]
    fn one_looks_again_after_a_while_or_when_much_was_said() {
        let mut lag = Lag::new(RING);
        let mut pace = Pace::new(1 << 16, RING);
        let now = Duration::from_secs(1);
        assert!(pace.is_due(now, &lag));
        pace.decide(now, &lag, false);
        assert!(!pace.is_due(now, &lag) && pace.is_due(now + CHECK_EVERY, &lag));
        lag.advance(SEGMENT * CHECK_EVERY_SEGMENTS);
        assert!(pace.is_due(now, &lag));
    }
}
