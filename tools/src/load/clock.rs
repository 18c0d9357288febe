//! The one look at the clock.

use std::time::Instant;

/// Nanoseconds since it was made. They never go back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters the load")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
