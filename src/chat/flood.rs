//! The flood limit: a token bucket for each client.

use std::time::Duration;

/// Somebody who lacks no more tokens than this said little lately.
const RESTED: u64 = 10;

/// A bucket of `burst` tokens that fills at `rate` a second. It stores one number: when it will be
/// full again (the virtual scheduling form of the algorithm; ITU-T I.371, annex A).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full_at_us: u64,
}

/// How fast clients may talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimit {
    /// Lines a second in the long run; 0 for no limit.
    pub rate: u32,
    /// Lines at once.
    pub burst: u32,
}

impl Bucket {
    /// Whether a token is there; if not, when one will be.
    pub(super) fn check(self, limit: FloodLimit, now: Duration) -> Result<(), Duration> {
        let slack = limit.token_us() * u64::from(limit.burst.max(1) - 1);
        let free_at_us = self.full_at_us.saturating_sub(slack);
        if free_at_us <= micros(now) { Ok(()) } else { Err(Duration::from_micros(free_at_us)) }
    }

    /// Takes tokens. An expensive line may take more than there are: the debt is paid off in time.
    pub(super) fn charge(&mut self, tokens: u64, limit: FloodLimit, now: Duration) {
        self.full_at_us = self.full_at_us.max(micros(now)) + tokens * limit.token_us();
    }

    /// Whether few tokens were taken lately: no more than [`RESTED`] of them are missing.
    pub(super) fn is_rested(self, limit: FloodLimit, now: Duration) -> bool {
        self.full_at_us <= micros(now) + RESTED * limit.token_us()
    }

    /// Makes the clock stand still for a time in which the client was held by others.
    pub(super) fn shift(&mut self, held: Duration) {
        self.full_at_us = self.full_at_us.saturating_add(micros(held));
    }
}

impl FloodLimit {
    /// How long a token takes, in microseconds: no time where there is no limit.
    fn token_us(self) -> u64 {
        1_000_000_u64.checked_div(u64::from(self.rate)).unwrap_or(0)
    }
}

fn micros(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000);
    seconds.saturating_add(u64::from(time.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: FloodLimit = FloodLimit { rate: 50, burst: 200 };

    /// How many lines pass at one moment.
    fn drain(bucket: &mut Bucket, now: Duration) -> usize {
        let mut lines = 0;
        while bucket.check(LIMIT, now).is_ok() && lines < 1000 {
            bucket.charge(1, LIMIT, now);
            lines += 1;
        }
        lines
    }

    #[test]
    fn a_burst_then_a_rate() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        assert_eq!(drain(&mut bucket, start), 200);
        let next = bucket.check(LIMIT, start).unwrap_err();
        assert_eq!(next, start + Duration::from_millis(20));
        assert_eq!(drain(&mut bucket, next), 1);
        assert_eq!(drain(&mut bucket, next + Duration::from_secs(1)), 50);
        assert_eq!(drain(&mut bucket, next + Duration::from_secs(3600)), 200, "no more than full");
    }

    #[test]
    fn an_expensive_line_is_paid_off() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        bucket.charge(250, LIMIT, start);
        let next = bucket.check(LIMIT, start).unwrap_err();
        assert_eq!(next, start + Duration::from_millis(20) * 51);
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
    fn who_said_little_lately_is_rested() {
        let (mut bucket, start) = (Bucket::default(), Duration::from_secs(10));
        bucket.charge(RESTED, LIMIT, start);
        assert!(bucket.is_rested(LIMIT, start));
        bucket.charge(1, LIMIT, start);
        assert!(!bucket.is_rested(LIMIT, start));
        assert!(bucket.is_rested(LIMIT, start + Duration::from_millis(20)));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let off = FloodLimit { rate: 0, burst: 1 };
        let mut bucket = Bucket::default();
        bucket.charge(1_000_000, off, Duration::ZERO);
        assert_eq!(bucket.check(off, Duration::ZERO), Ok(()));
        assert!(bucket.is_rested(off, Duration::ZERO));
    }
}
