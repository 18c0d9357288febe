//! What is measured, what it is called, and in which unit.

use std::collections::BTreeMap;

use indicatif::HumanFloatCount;
use serde::Serialize;

/// One number of a measurement. The order is that of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Metric {
    /// Clients that were logged in at one time.
    Clients,
    /// Messages that were sent.
    Messages,
    /// Messages that were received, by each who received them.
    Deliveries,
    /// Logins that were followed by a goodbye.
    Visits,
    /// How long it took, in seconds.
    Seconds,
    /// Deliveries a second.
    DeliveryRate,
    /// Logins a second, each followed by a goodbye.
    VisitRate,
    /// Processor time of the server for one delivery, in nanoseconds.
    CpuPerDelivery,
    /// How many deliveries one write of the server made.
    DeliveriesPerWrite,
    /// Processor time of the server for one write, in nanoseconds.
    CpuPerWrite,
    /// Processor time of the server for one who comes and goes, in nanoseconds.
    CpuPerVisit,
    /// Processor time of the server for one of those who came and stayed, in nanoseconds.
    CpuPerLogin,
    /// Half of the broadcasts took no longer, in nanoseconds; and so on.
    LatencyP50,
    LatencyP99,
    LatencyP999,
    /// The same of private messages.
    WhisperP50,
    WhisperP99,
    WhisperP999,
    /// The same of the time from connecting to the end of the stream.
    VisitP50,
    VisitP99,
    VisitP999,
    /// The share of one processor that the server took.
    ServerCpu,
    /// The share of one processor that the load took.
    LoadCpu,
    /// By how much the server grew for each client after the first twentieth, in bytes.
    MemoryPerClient,
    /// Resident size of the server before anyone came and in the end, in bytes.
    ResidentBefore,
    ResidentAfter,
    /// Open descriptors of the server before anyone came and in the end.
    DescriptorsBefore,
    DescriptorsAfter,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Count,
    Ratio,
    Seconds,
    Nanoseconds,
    Share,
    Bytes,
}

/// The numbers of one measurement: those that the scenario has and the system tells.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Measures(pub(super) BTreeMap<Metric, f64>);

impl Measures {
    /// Adds a number, if there is one.
    pub(super) fn add(&mut self, metric: Metric, value: Option<f64>) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.0.insert(metric, value);
        }
    }
}

impl Metric {
    /// The quantiles of the latency of broadcasts, of private messages, and of those who come and
    /// go.
    pub(super) const LATENCY: [Self; 3] = [Self::LatencyP50, Self::LatencyP99, Self::LatencyP999];
    pub(super) const WHISPER: [Self; 3] = [Self::WhisperP50, Self::WhisperP99, Self::WhisperP999];
    pub(super) const VISIT: [Self; 3] = [Self::VisitP50, Self::VisitP99, Self::VisitP999];

    /// What it is called.
    pub(super) fn label(self) -> &'static str {
        self.describe().0
    }

    /// Whether it makes sense to compare: what was chosen is no outcome.
    pub(super) fn is_outcome(self) -> bool {
        !matches!(self, Self::Clients | Self::Seconds)
    }

    /// A number of this kind, for people.
    pub(super) fn show(self, value: f64) -> String {
        match self.describe().1 {
            Unit::Count => HumanFloatCount(value.round()).to_string(),
            Unit::Ratio => format!("{value:.1}"),
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Nanoseconds if value < 1e3 => format!("{value:.1} ns"),
            Unit::Nanoseconds if value < 1e6 => format!("{:.2} µs", value / 1e3),
            Unit::Nanoseconds if value < 1e9 => format!("{:.2} ms", value / 1e6),
            Unit::Nanoseconds => format!("{:.2} s", value / 1e9),
            Unit::Share => format!("{:.1} %", value * 100.0),
            Unit::Bytes if value < 1e4 => format!("{value:.0} B"),
            Unit::Bytes if value < 1e6 => format!("{:.1} KiB", value / 1024.0),
            Unit::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
        }
    }

    fn describe(self) -> (&'static str, Unit) {
        match self {
            Self::Clients => ("clients", Unit::Count),
            Self::Messages => ("messages", Unit::Count),
            Self::Deliveries => ("deliveries", Unit::Count),
            Self::Visits => ("logins and goodbyes", Unit::Count),
            Self::Seconds => ("measured for", Unit::Seconds),
            Self::DeliveryRate => ("deliveries a second", Unit::Count),
            Self::VisitRate => ("logins and goodbyes a second", Unit::Count),
            Self::CpuPerDelivery => ("server CPU per delivery", Unit::Nanoseconds),
            Self::DeliveriesPerWrite => ("deliveries per write", Unit::Ratio),
            Self::CpuPerWrite => ("server CPU per write", Unit::Nanoseconds),
            Self::CpuPerVisit => ("server CPU per login and goodbye", Unit::Nanoseconds),
            Self::CpuPerLogin => ("server CPU per login", Unit::Nanoseconds),
            Self::LatencyP50 => ("latency p50", Unit::Nanoseconds),
            Self::LatencyP99 => ("latency p99", Unit::Nanoseconds),
            Self::LatencyP999 => ("latency p99.9", Unit::Nanoseconds),
            Self::WhisperP50 => ("private message p50", Unit::Nanoseconds),
            Self::WhisperP99 => ("private message p99", Unit::Nanoseconds),
            Self::WhisperP999 => ("private message p99.9", Unit::Nanoseconds),
            Self::VisitP50 => ("login and goodbye p50", Unit::Nanoseconds),
            Self::VisitP99 => ("login and goodbye p99", Unit::Nanoseconds),
            Self::VisitP999 => ("login and goodbye p99.9", Unit::Nanoseconds),
            Self::ServerCpu => ("server CPU", Unit::Share),
            Self::LoadCpu => ("load CPU", Unit::Share),
            Self::MemoryPerClient => ("server memory per client", Unit::Bytes),
            Self::ResidentBefore => ("server memory before", Unit::Bytes),
            Self::ResidentAfter => ("server memory after", Unit::Bytes),
            Self::DescriptorsBefore => ("server descriptors before", Unit::Count),
            Self::DescriptorsAfter => ("server descriptors after", Unit::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (metric, value, text) in [
            (Metric::Deliveries, 0.0, "0"),
            (Metric::Deliveries, 999.0, "999"),
            (Metric::Deliveries, 1_234_567.0, "1,234,567"),
            (Metric::CpuPerDelivery, 46.3, "46.3 ns"),
            (Metric::LatencyP99, 4_800.0, "4.80 µs"),
            (Metric::LatencyP99, 69_000_000.0, "69.00 ms"),
            (Metric::LatencyP99, 2e9, "2.00 s"),
            (Metric::ServerCpu, 0.987, "98.7 %"),
            (Metric::MemoryPerClient, 319.4, "319 B"),
            (Metric::MemoryPerClient, 10_240.0, "10.0 KiB"),
            (Metric::ResidentAfter, 12_582_912.0, "12.0 MiB"),
        ] {
            assert_eq!(metric.show(value), text);
        }
    }
}
