//! The flood limit: token buckets.

use std::time::Duration;

/// How long a bucket has to have been full for an empty line to be free: a client whose heartbeat
/// comes every few minutes never pays for it, and one that sends nothing but empty lines does. The
/// first line of a new bucket is free, too.
const FREE_AFTER: Duration = Duration::from_secs(10);

/// A token bucket. It stores one number: when it will be full again, or since when it has been
/// (the virtual scheduling form of the algorithm; ITU-T I.371, annex A).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    full_at_ns: u64,
}

/// A bucket of `burst` tokens that fills at `rate` tokens a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimit {
    /// Tokens a second in the long run; 0 for no limit.
    pub rate: u32,
    /// Tokens at once.
    pub burst: u32,
}

/// A [`FloodLimit`] in the units of a [`Bucket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// How long a token takes: no time where there is no limit.
    token_ns: u64,
    /// How long all tokens but one take.
    slack_ns: u64,
}

impl FloodLimit {
    /// No limit.
    pub const OFF: Self = Self { rate: 0, burst: 1 };
}

impl From<FloodLimit> for Rate {
    fn from(limit: FloodLimit) -> Self {
        let token_ns = 1_000_000_000_u64.checked_div(u64::from(limit.rate)).unwrap_or(0);
        Self { token_ns, slack_ns: token_ns * u64::from(limit.burst.max(1) - 1) }
    }
}

impl Rate {
    /// Whether there is no limit.
    pub(super) fn is_off(self) -> bool {
        self.token_ns == 0
    }
}

impl Bucket {
    /// When a token is there: in the past, or at this time.
    pub(super) fn free_at(self, rate: Rate) -> Duration {
        Duration::from_nanos(self.full_at_ns.saturating_sub(rate.slack_ns))
    }

    /// Whether a token is there; if not, when one will be.
    pub(super) fn check(self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let free_at_ns = self.full_at_ns.saturating_sub(rate.slack_ns);
        if free_at_ns <= nanos(now) { Ok(()) } else { Err(Duration::from_nanos(free_at_ns)) }
    }

    /// Takes tokens. An expensive line may take more than there are: the debt is paid off in time.
    pub(super) fn charge(&mut self, tokens: u64, rate: Rate, now: Duration) {
        self.full_at_ns = self.full_at_ns.max(nanos(now)) + tokens * rate.token_ns;
    }

    /// Puts a token back that was taken for something that did not happen.
    pub(super) fn give_back(&mut self, rate: Rate) {
        self.full_at_ns = self.full_at_ns.saturating_sub(rate.token_ns);
    }

    /// Whether an empty line is free now. It is not free again for a while.
    pub(super) fn take_free_line(&mut self, now: Duration) -> bool {
        let now_ns = nanos(now);
        let is_new = self.full_at_ns == 0;
        let is_free = is_new || self.full_at_ns.saturating_add(nanos(FREE_AFTER)) <= now_ns;
        if is_free {
            self.full_at_ns = now_ns;
        }
        is_free
    }

    /// Whether nothing is missing, so that nothing is lost when the bucket is forgotten.
    pub(super) fn is_full(self, now: Duration) -> bool {
        self.full_at_ns <= nanos(now)
    }

    /// Whether no more than so many tokens are missing.
    pub(super) fn lacks_at_most(self, tokens: u64, rate: Rate, now: Duration) -> bool {
        self.full_at_ns <= nanos(now) + tokens * rate.token_ns
    }

    /// Makes the clock stand still for a time in which the client was held by others.
    pub(super) fn shift(&mut self, held: Duration) {
        self.full_at_ns = self.full_at_ns.saturating_add(nanos(held));
    }
}

fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: FloodLimit = FloodLimit { rate: 50, burst: 200 };

    fn rate() -> Rate {
        LIMIT.into()
    }

    /// How many lines pass at one moment.
    fn drain(bucket: &mut Bucket, now: Duration) -> usize {
        let mut lines = 0;
        while bucket.check(rate(), now).is_ok() && lines < 1000 {
            bucket.charge(1, rate(), now);
            lines += 1;
        }
        lines
    }

    #[test]
    fn a_burst_then_a_rate() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        assert_eq!(drain(&mut bucket, start), 200);
        let next = bucket.check(rate(), start).unwrap_err();
        assert_eq!(next, start + Duration::from_millis(20));
        assert_eq!(drain(&mut bucket, next), 1);
        assert_eq!(drain(&mut bucket, next + Duration::from_secs(1)), 50);
        assert_eq!(drain(&mut bucket, next + Duration::from_secs(3600)), 200, "no more than full");
    }

    #[test]
    fn an_expensive_line_is_paid_off() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        bucket.charge(250, rate(), start);
        let next = bucket.check(rate(), start).unwrap_err();
        assert_eq!(next, start + Duration::from_millis(20) * 51);
    }

    #[test]
    fn a_token_that_is_given_back_can_be_taken_again() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        drain(&mut bucket, start);
        bucket.give_back(rate());
        assert_eq!(drain(&mut bucket, start), 1);
    }

    #[test]
    fn time_in_which_others_hold_a_client_does_not_fill_its_bucket() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        drain(&mut bucket, start);
        let held = Duration::from_secs(4);
        bucket.shift(held);
        assert_eq!(drain(&mut bucket, start + held), 0);
    }

    #[test]
    fn what_is_missing_is_counted() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        bucket.charge(10, rate(), start);
        assert!(bucket.lacks_at_most(10, rate(), start));
        bucket.charge(1, rate(), start);
        assert!(!bucket.lacks_at_most(10, rate(), start));
        assert!(bucket.lacks_at_most(10, rate(), start + Duration::from_millis(20)));
    }

    #[test]
    fn a_free_line_takes_no_token_and_is_not_free_at_once_again() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(20));
        assert!(bucket.take_free_line(start));
        assert!(!bucket.take_free_line(start));
        let too_soon = Duration::from_millis(9_999);
        assert!(!bucket.take_free_line(start + too_soon));
        assert_eq!(drain(&mut bucket, start), 200);
        let full = start + Duration::from_secs(4);
        assert!(!bucket.take_free_line(full + too_soon));
        assert!(bucket.take_free_line(full + FREE_AFTER));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let (off, mut bucket) = (FloodLimit::OFF.into(), Bucket::default());
        bucket.charge(1_000_000, off, Duration::ZERO);
        assert_eq!(bucket.check(off, Duration::ZERO), Ok(()));
        assert!(bucket.lacks_at_most(0, off, Duration::ZERO));
        assert!(off.is_off() && bucket.is_full(Duration::ZERO));
    }
}
