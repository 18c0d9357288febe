//! The crowd: where everyone's cursor stands, roughly, and when the talkers have to wait.
//!
//! When one client lags, it is dropped. When the crowd lags, the talkers wait. A crowd that lags
//! is one that takes what it can get and cannot keep up; stallers who take nothing are no crowd.
//! Patience with a crowd has an end, or a coalition could hold the room; patience with most of the
//! room has none: without it all who are slow would be lapped at once, the talkers among them.

use std::time::Duration;

/// In how many segments cursors are counted.
const SEGMENTS: usize = 64;

/// How many segments behind the end a cursor lags: it is in the oldest quarter.
const LAGGING_FROM: u64 = SEGMENTS as u64 * 3 / 4;

/// How many segments behind the end a cursor trails: it is in the older half.
const TRAILING_FROM: u64 = SEGMENTS as u64 / 2;

/// The fewest that make a crowd.
const CROWD_AT_LEAST: usize = 3;

/// The share of all followers that makes a crowd: one in this many.
const CROWD_ONE_IN: usize = 10;

/// For how long the talkers may be held in a [`WINDOW`].
const PAUSE_BUDGET: Duration = Duration::from_secs(5);

/// The time over which the budget is spent.
const WINDOW: Duration = Duration::from_secs(60);

/// How often the lagging are looked at one by one while there are enough of them.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Also look again when so many segments were written since: a lot can be said in that time.
const CHECK_EVERY_SEGMENTS: u64 = SEGMENTS as u64 / 16;

/// Counts the cursors in each segment of the log. A move costs O(1).
#[derive(Debug)]
pub(super) struct Crowd {
    counts: [u32; SEGMENTS],
    /// Cursors so far behind that their segment is used again.
    beyond: u32,
    followers: usize,
    /// The absolute number of the segment that holds the log's end.
    current: u64,
    shift: u32,
}

impl Crowd {
    /// A crowd of nobody, before a log of `capacity` bytes (a power of two, at least 64).
    pub(super) fn new(capacity: usize) -> Self {
        let shift = capacity.trailing_zeros() - SEGMENTS.trailing_zeros();
        Self { counts: [0; SEGMENTS], beyond: 0, followers: 0, current: 0, shift }
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
        for segment in (self.current + 1..=current).rev().take(SEGMENTS) {
            self.beyond += std::mem::take(&mut self.counts[slot(segment)]);
        }
        self.current = current;
    }

    /// The number of the segment that holds the log's end.
    pub(super) fn newest(&self) -> u64 {
        self.current
    }

    /// A cursor is now at this offset.
    pub(super) fn enter(&mut self, offset: u64) {
        *self.count(offset) += 1;
        self.followers += 1;
    }

    /// A cursor is no longer at this offset.
    pub(super) fn leave(&mut self, offset: u64) {
        *self.count(offset) -= 1;
        self.followers -= 1;
    }

    /// A cursor went from one offset to another.
    pub(super) fn shift(&mut self, from: u64, to: u64) {
        *self.count(from) -= 1;
        *self.count(to) += 1;
    }

    /// Whether a cursor at this offset lags: it is in the oldest quarter of the log.
    pub(super) fn lags(&self, offset: u64) -> bool {
        (offset >> self.shift) + LAGGING_FROM <= self.current
    }

    /// Whether a cursor at this offset is in the older half of the log.
    pub(super) fn trails(&self, offset: u64) -> bool {
        (offset >> self.shift) + TRAILING_FROM <= self.current
    }

    /// Whether this many are most of all: the room itself, not a coalition in it.
    pub(super) fn is_room(&self, count: usize) -> bool {
        2 * count >= self.followers
    }

    /// Whether so many lag that it can be a crowd.
    pub(super) fn enough_lag(&self) -> bool {
        let oldest = (self.current + 1).saturating_sub(SEGMENTS as u64);
        let newest = (self.current + 1).saturating_sub(LAGGING_FROM);
        let lagging: u32 = (oldest..newest).map(|segment| self.counts[slot(segment)]).sum();
        self.is_crowd((lagging + self.beyond) as usize)
    }

    /// Whether this many are a crowd among all.
    pub(super) fn is_crowd(&self, count: usize) -> bool {
        count >= CROWD_AT_LEAST.max(self.followers.div_ceil(CROWD_ONE_IN))
    }

    fn count(&mut self, offset: u64) -> &mut u32 {
        let segment = offset >> self.shift;
        if segment + (SEGMENTS as u64) <= self.current {
            return &mut self.beyond;
        }
        &mut self.counts[slot(segment)]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below SEGMENTS")]
fn slot(segment: u64) -> usize {
    (segment % SEGMENTS as u64) as usize
}

/// Whether the talkers wait, and how much of their patience is left.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// When the time held was last added up; `None` while nobody waits.
    holding: Option<Duration>,
    spent: Duration,
    /// It is the room that the talkers wait for: that is how fast it is, and costs no patience.
    free: bool,
    window_start: Duration,
    next_check: Duration,
    next_segment: u64,
}

/// What a look at the crowd leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on as before.
    Unchanged,
    /// The patience is spent: whoever lags is dropped, and talk goes on.
    DropLagging,
}

impl Pause {
    /// Whether the talkers wait.
    pub(super) fn holds(&self) -> bool {
        self.holding.is_some()
    }

    /// Whether it is time to look at the lagging one by one, when this is the newest segment.
    pub(super) fn is_due(&self, now: Duration, newest: u64) -> bool {
        now >= self.next_check || newest >= self.next_segment
    }

    /// When to look again, while the talkers wait.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.holding.map(|_| self.next_check)
    }

    /// Fewer lag than make a crowd.
    pub(super) fn lift(&mut self, now: Duration) {
        self.spend(now);
        self.holding = None;
        self.next_check = now;
    }

    /// The lagging were looked at when this was the newest segment: `crowd` says whether those who
    /// make progress are a crowd, `room` whether most of all trail and make progress.
    pub(super) fn decide(
        &mut self,
        now: Duration,
        newest: u64,
        crowd: bool,
        room: bool,
    ) -> Verdict {
        self.spend(now);
        self.next_segment = newest + CHECK_EVERY_SEGMENTS;
        self.free = room;
        if now.saturating_sub(self.window_start) >= WINDOW {
            self.window_start = now;
            self.spent = Duration::ZERO;
        }
        let left = PAUSE_BUDGET.saturating_sub(self.spent);
        self.next_check = now + CHECK_EVERY.min(left.max(Duration::from_millis(1)));
        let held = self.holding.take().is_some();
        if !crowd {
            return Verdict::Unchanged;
        }
        if left.is_zero() && !room {
            self.next_check = now + CHECK_EVERY;
            return if held { Verdict::DropLagging } else { Verdict::Unchanged };
        }
        self.holding = Some(now);
        Verdict::Unchanged
    }

    fn spend(&mut self, now: Duration) {
        if let Some(since) = &mut self.holding {
            if !self.free {
                self.spent += now.saturating_sub(*since);
            }
            *since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: usize = 4096;

    #[test]
    fn the_oldest_quarter_lags() {
        let segment = RING as u64 / 64;
        let mut crowd = Crowd::new(RING);
        for _ in 0..3 {
            crowd.enter(0);
        }
        crowd.advance(segment * 48 - 1);
        assert!(!crowd.lags(0) && !crowd.enough_lag());
        crowd.advance(segment * 48);
        assert!(crowd.lags(0) && crowd.enough_lag());
        crowd.shift(0, segment);
        assert!(!crowd.enough_lag(), "two are no crowd");
    }

    #[test]
    fn cursors_that_are_lapped_still_count_and_can_leave() {
        let segment = RING as u64 / 64;
        let mut crowd = Crowd::new(RING);
        (0..3).for_each(|_| crowd.enter(5));
        crowd.advance(segment * 1000);
        crowd.enter(segment * 1000);
        assert!(crowd.enough_lag());
        crowd.leave(5);
        assert!(!crowd.enough_lag());
        crowd.leave(5);
        crowd.shift(5, segment * 1000);
        assert_eq!(crowd.counts[slot(1000)], 2);
        assert_eq!((crowd.beyond, crowd.followers), (0, 2));
    }

    #[test]
    fn a_tenth_of_many_is_a_crowd() {
        let mut crowd = Crowd::new(RING);
        (0..100).for_each(|_| crowd.enter(0));
        assert!(!crowd.is_crowd(9) && crowd.is_crowd(10));
    }

    #[test]
    fn talkers_wait_for_five_seconds_a_minute() {
        let secs = Duration::from_secs;
        let mut pause = Pause::default();
        assert_eq!(pause.decide(secs(100), 0, true, false), Verdict::Unchanged);
        assert!(pause.holds());
        pause.lift(secs(103));
        assert!(!pause.holds());
        assert_eq!(pause.decide(secs(110), 0, true, false), Verdict::Unchanged);
        assert_eq!(pause.decide(secs(112), 0, true, false), Verdict::DropLagging);
        assert!(!pause.holds(), "talk goes on");
        assert_eq!(pause.decide(secs(120), 0, true, false), Verdict::Unchanged);
        assert!(!pause.holds(), "no patience is left in this minute");
        pause.decide(secs(161), 0, true, false);
        assert!(pause.holds(), "a new minute");
    }

    #[test]
    fn a_whole_room_that_is_slow_is_waited_for_as_long_as_it_takes() {
        let mut pause = Pause::default();
        for second in 0..50 {
            assert_eq!(
                pause.decide(Duration::from_secs(second), 0, true, true),
                Verdict::Unchanged
            );
            assert!(pause.holds());
        }
        assert_eq!(pause.decide(Duration::from_secs(50), 0, true, false), Verdict::Unchanged);
        assert_eq!(pause.decide(Duration::from_secs(55), 0, true, false), Verdict::DropLagging);
    }

    #[test]
    fn one_looks_again_after_a_while_or_when_much_was_said() {
        let mut pause = Pause::default();
        let (now, soon) = (Duration::from_secs(1), Duration::from_millis(1001));
        assert!(pause.is_due(now, 7));
        pause.decide(now, 7, false, false);
        assert!(!pause.is_due(soon, 10) && pause.is_due(soon, 11));
        assert!(pause.is_due(now + CHECK_EVERY, 7));
    }

    #[test]
    fn the_crowd_is_looked_at_ten_times_a_second() {
        let mut pause = Pause::default();
        for (secs, verdict) in [(10, Verdict::Unchanged), (15, Verdict::DropLagging)] {
            let now = Duration::from_secs(secs);
            assert_eq!(pause.decide(now, 0, true, false), verdict);
            assert!(!pause.is_due(now + Duration::from_millis(99), 0), "{verdict:?}");
            assert!(pause.is_due(now + Duration::from_millis(100), 0), "{verdict:?}");
        }
    }

    #[test]
    fn a_crowd_that_makes_no_progress_holds_nobody() {
        let mut pause = Pause::default();
        pause.decide(Duration::from_secs(1), 0, true, false);
        pause.decide(Duration::from_secs(2), 0, false, false);
        assert!(!pause.holds());
    }
}
