//! How long to wait before the next try: twice as long each time, and never the same for two
//! clients, so that a server that comes back is not met by all of them at once.

use std::time::Duration;

/// The waits between tries at one thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    /// The longest that the first wait can be.
    first: Duration,
    /// The longest that any wait can be.
    most: Duration,
    /// The longest that the next wait can be.
    next: Duration,
}

impl Backoff {
    /// Waits of at most `first`, then twice that, up to `most`.
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first.min(most) }
    }

    /// The next wait: between half of its longest and its longest, as `random` says.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let half = self.next / 2;
        self.next = self.next.saturating_mul(2).min(self.most);
        half + half.mul_f64(fraction(random))
    }

    /// Begins anew: a try succeeded.
    pub(super) fn reset(&mut self) {
        self.next = self.first.min(self.most);
    }
}

/// Spreads a random number over 0 to 1.
fn fraction(random: u64) -> f64 {
    // The upper half is plenty, and is exact as a float.
    let upper = u32::try_from(random >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_secs(2);
    const MOST: Duration = Duration::from_secs(30);

    #[test]
    fn it_doubles_up_to_its_most_and_begins_anew() {
        let mut backoff = Backoff::new(FIRST, MOST);
        let longest: Vec<u64> = (0..6).map(|_| backoff.next(u64::MAX).as_secs()).collect();
        assert_eq!(longest, [2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next(0), FIRST / 2);
    }

    proptest! {
        #[test]
        fn every_wait_is_within_its_bounds(randoms in prop::collection::vec(any::<u64>(), 0..20)) {
            let mut backoff = Backoff::new(FIRST, MOST);
            for (i, random) in randoms.into_iter().enumerate() {
                let longest = FIRST.saturating_mul(1 << i.min(10)).min(MOST);
                let wait = backoff.next(random);
                prop_assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
            }
        }
    }
}
