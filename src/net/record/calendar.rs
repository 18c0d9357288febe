//! The date of what happens: the one look at the wall clock.
//!
//! The loop's own clock never goes back and knows no date. So the calendar is what is added to it,
//! and follows when somebody sets the wall clock: forward at once, and back where another file of
//! the set can begin, because times in a file never go back. In a single file they stay ahead until
//! the wall clock has caught up.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::warn;

/// Less than this is what two looks at two clocks differ by.
const TOLERANCE_NS: u64 = 1_000_000;

/// By less than this nobody sets a clock back on purpose; nothing follows it.
const SET_NS: u64 = 1_000_000_000;

/// What is added to the loop's time, in nanoseconds since 1970.
pub struct Calendar {
    /// The wall clock, at this time of the loop; none where it is never set.
    wall: Option<Box<dyn FnMut(Duration) -> u64 + Send>>,
    base_ns: u64,
    may_go_back: bool,
    /// It was said that times are ahead.
    is_ahead: bool,
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calendar").field("base_ns", &self.base_ns).finish_non_exhaustive()
    }
}

impl Calendar {
    /// One that nobody sets: the loop's time 0 was `base_ns` nanoseconds after 1970.
    pub fn fixed(base_ns: u64) -> Self {
        Self { wall: None, base_ns, may_go_back: false, is_ahead: false }
    }

    /// One that follows this wall clock, back too if it may. It is `now` on the loop.
    pub fn following(
        mut wall: impl FnMut(Duration) -> u64 + Send + 'static,
        may_go_back: bool,
        now: Duration,
    ) -> Self {
        let base_ns = wall(now).saturating_sub(nanoseconds(now));
        Self { wall: Some(Box::new(wall)), base_ns, may_go_back, is_ahead: false }
    }

    /// One that follows the system's wall clock.
    pub(super) fn of_system(may_go_back: bool, now: Duration) -> Self {
        Self::following(|_| wall_ns(), may_go_back, now)
    }

    /// The date, in nanoseconds since 1970, when it is `now` on the loop.
    pub(super) fn date(&self, now: Duration) -> u64 {
        self.base_ns.saturating_add(nanoseconds(now))
    }

    /// Looks whether somebody has set the clock. It is true when dates go back from now on.
    pub(super) fn follow(&mut self, now: Duration) -> bool {
        let Some(wall) = &mut self.wall else { return false };
        let base_ns = wall(now).saturating_sub(nanoseconds(now));
        let (ahead_ns, back_ns) =
            (base_ns.saturating_sub(self.base_ns), self.base_ns.saturating_sub(base_ns));
        if ahead_ns > TOLERANCE_NS {
            self.base_ns = base_ns;
            self.is_ahead = false;
        }
        let is_back = back_ns >= SET_NS;
        if is_back && self.may_go_back {
            self.base_ns = base_ns;
            return true;
        }
        if is_back && !std::mem::replace(&mut self.is_ahead, true) {
            let seconds = back_ns / SET_NS;
            warn!(
                seconds,
                "the clock was set back; times in the capture stay ahead until it is there"
            );
        }
        false
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The time of the wall clock, in nanoseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the loop's own clock does not know the date")]
pub(super) fn wall_ns() -> u64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;

    /// A calendar, and what sets its wall clock: the wall's time when the loop's is 0.
    fn set(may_go_back: bool) -> (Calendar, Arc<AtomicU64>) {
        let offset = Arc::new(AtomicU64::new(100 * HOUR_NS));
        let wall = Arc::clone(&offset);
        let wall = move |now| wall.load(Relaxed) + nanoseconds(now);
        (Calendar::following(wall, may_go_back, Duration::from_secs(7)), offset)
    }

    #[test]
    fn a_clock_that_is_set_forward_is_followed_at_once() {
        for may_go_back in [false, true] {
            let (mut calendar, offset) = set(may_go_back);
            let now = Duration::from_secs(9);
            assert_eq!(calendar.date(now), 100 * HOUR_NS + 9_000_000_000);
            offset.fetch_add(HOUR_NS, Relaxed);
            assert!(!calendar.follow(now));
            assert_eq!(calendar.date(now), 101 * HOUR_NS + 9_000_000_000);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_where_another_file_can_begin() {
        let (mut calendar, offset) = set(true);
        offset.fetch_sub(HOUR_NS, Relaxed);
        assert!(calendar.follow(Duration::ZERO));
        assert!(!calendar.follow(Duration::ZERO), "once");
        assert_eq!(calendar.date(Duration::ZERO), 99 * HOUR_NS);
    }

    #[test]
    fn in_a_single_file_dates_stay_ahead_until_the_clock_is_there() {
        let (mut calendar, offset) = set(false);
        offset.fetch_sub(HOUR_NS, Relaxed);
        assert!(!calendar.follow(Duration::ZERO) && calendar.is_ahead);
        assert_eq!(calendar.date(Duration::ZERO), 100 * HOUR_NS);
        offset.fetch_add(HOUR_NS + 5_000_000, Relaxed);
        assert!(!calendar.follow(Duration::ZERO) && !calendar.is_ahead);
        assert_eq!(calendar.date(Duration::ZERO), 100 * HOUR_NS + 5_000_000);
    }

    #[test]
    fn what_two_looks_differ_by_is_no_new_date() {
        let (mut calendar, offset) = set(true);
        for difference in [900_000, 999_999_999] {
            offset.store(100 * HOUR_NS - difference, Relaxed);
            assert!(!calendar.follow(Duration::ZERO));
            assert_eq!(calendar.date(Duration::ZERO), 100 * HOUR_NS);
        }
    }
}
