//! Latency: a histogram of nanoseconds, exact to a thousandth.

use hdrhistogram::Histogram;

/// The longest latency that is told apart: a minute. What takes longer counts as that.
const MAX_NS: u64 = 60_000_000_000;

/// How many decimal digits are kept.
const DIGITS: u8 = 3;

/// How long messages were on their way.
#[derive(Debug)]
pub(super) struct Latency(Histogram<u64>);

impl Latency {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, MAX_NS, DIGITS)?))
    }

    pub(super) fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// The same of so many messages, or of none.
    pub(super) fn record_many(&mut self, ns: u64, count: u64) {
        if count > 0 {
            self.0.saturating_record_n(ns, count);
        }
    }

    pub(super) fn reset(&mut self) {
        self.0.reset();
    }

    /// The latency that this share of all did not exceed, in nanoseconds; `None` without any.
    pub(super) fn quantile(&self, share: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(share))
    }
}
