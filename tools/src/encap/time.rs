//! Times: seconds, or a date and a time.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A second, in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;

/// Where times end, in nanoseconds since 1970: in 2106, when a pcap file can tell no more.
pub const END_NS: u64 = (1 << 32) * SECOND_NS;

/// What would have been a time.
pub const EXPECTED: &str = "seconds such as 0.010, or a date and time such as 2024-05-01 12:00:00";

/// A time of a file, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Since whatever the file counts from.
    Since(u64),
    /// Since 1970-01-01 UTC.
    At(u64),
}

impl Moment {
    /// Reads seconds, exactly, with `.` or `,` before the fraction and perhaps an exponent; a time
    /// of day; or a date and time (RFC 3339, or the same with a space), in UTC unless it says
    /// otherwise. Digits below the nanosecond are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(time_ns) = seconds(text) {
            return Some(Self::Since(time_ns));
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return at(time);
        }
        if let Ok(time) = text.parse::<DateTime>() {
            return at(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
        }
        let since_midnight = text.parse::<Time>().ok()?.duration_since(Time::midnight());
        Some(Self::Since(nanoseconds(since_midnight)?))
    }
}

fn at(time: Timestamp) -> Option<Moment> {
    nanoseconds(time.duration_since(Timestamp::UNIX_EPOCH)).map(Moment::At)
}

fn nanoseconds(duration: SignedDuration) -> Option<u64> {
    u64::try_from(duration.as_nanos()).ok().filter(|time_ns| *time_ns < END_NS)
}

fn seconds(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i8>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // The number is its digits, and so many of them stand before the end of the nanoseconds. What
    // is too large overflows within twenty of them.
    let zeros = whole.bytes().take_while(|digit| *digit == b'0').count();
    let before = i64::try_from(whole.len() - zeros).ok()? + i64::from(exponent) + 9;
    let mut digits = digits().skip(zeros);
    let mut value: u64 = 0;
    for _ in 0..before {
        let digit = digits.next().unwrap_or(b'0') - b'0';
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (value < END_NS).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        let ns = |text| match Moment::parse(text) {
            Some(Moment::Since(time_ns)) => Some(time_ns),
            _ => None,
        };
        for (text, want) in [
            ("0", 0),
            ("0.010", 10_000_000),
            (".5", 500_000_000),
            ("7.", 7 * SECOND_NS),
            ("1,25", 1_250_000_000),
            ("5e-05", 50_000),
            ("1.5E3", 1_500 * SECOND_NS),
            ("0.1234567899", 123_456_789),
            ("1e-20", 0),
            ("000000000000000000000000000000000000001.5", 1_500_000_000),
            ("1700000000.000000001", 1_700_000_000_000_000_001),
            ("4294967295.999999999", END_NS - 1),
            ("00:01:00.5", 60_500_000_000),
        ] {
            assert_eq!(ns(text), Some(want), "{text}");
        }
        let wrong = ["", ".", "-1", "1.2.3", "1e", "1e999", "e5", "inf", "4294967296", "9e99", "x"];
        for text in wrong {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_in_utc_unless_they_say_otherwise() {
        let noon = 1_714_564_800 * SECOND_NS;
        for text in [
            "2024-05-01 12:00:00",
            "2024-05-01T12:00:00",
            "2024-05-01T12:00:00Z",
            "2024-05-01 14:00:00+02:00",
        ] {
            assert_eq!(Moment::parse(text), Some(Moment::At(noon)), "{text}");
        }
        assert_eq!(Moment::parse("1969-12-31 23:59:59"), None);
        assert_eq!(Moment::parse("2106-02-07 06:28:16"), None);
    }
}
