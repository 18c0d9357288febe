//! Numbers as people read them.

use indicatif::HumanCount;
use jiff::Timestamp;

/// With commas: 1,203.
pub fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// In the largest unit that leaves a digit before the point: 12.3 ms.
pub fn duration(time_ns: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "µs"),
    ];
    match UNITS.iter().find(|(unit, _)| time_ns >= *unit) {
        Some((unit, name)) => format!("{} {name}", three_digits(time_ns, *unit)),
        None => format!("{time_ns} ns"),
    }
}

/// A size in the largest unit that leaves a digit before the point: 1.21 MB.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{} {name}", three_digits(bytes, *unit)),
        None => format!("{bytes} B"),
    }
}

/// Bytes of a size such as `500MB`, `2 GiB` or `1000`; `None` of anything else.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// A size that [`parse_size`] reads and that leaves a tenth of room above these bytes: 2GB.
pub fn rounded_up(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let bytes = bytes.saturating_add(bytes / 10);
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}{name}", bytes.div_ceil(*unit)),
        None => bytes.to_string(),
    }
}

/// Three digits of a quotient of at least one, rounded.
fn three_digits(number: u64, unit: u64) -> String {
    let hundredths = rounded(number, 100, unit);
    if hundredths < 1_000 {
        return format!("{}.{:02}", hundredths / 100, hundredths % 100);
    }
    let tenths = rounded(number, 10, unit);
    if tenths < 1_000 {
        return format!("{}.{}", tenths / 10, tenths % 10);
    }
    grouped(rounded(number, 1, unit))
}

/// `number * times / unit`, rounded half up.
fn rounded(number: u64, times: u64, unit: u64) -> u64 {
    let unit = u128::from(unit.max(1));
    let quotient = (2 * u128::from(number) * u128::from(times) + unit) / (2 * unit);
    u64::try_from(quotient).unwrap_or(u64::MAX)
}

/// A percentage with two digits behind the point: 12.34 %.
pub fn percentage(part: u64, whole: u64) -> String {
    let hundredths = rounded(part, 10_000, whole);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// A date and time, in UTC.
pub fn date(time_ns: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(time_ns)) {
        Ok(time) => format!("{time:.6}").replace('T', " ").replace('Z', " UTC"),
        Err(_) => format!("{time_ns} ns after 1970"),
    }
}

/// How many of something: 1 packet, 2 packets.
pub fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        for (time_ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (12_345_678, "12.3 ms"),
            (90_000_000_000, "1.50 min"),
            (u64::MAX, "213,504 d"),
        ] {
            assert_eq!(duration(time_ns), text);
        }
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_179), "1.18 kB");
        assert_eq!(size(9_996), "10.0 kB");
        assert_eq!(percentage(20, 22), "90.91 %");
        assert_eq!(percentage(1, 3), "33.33 %");
        assert_eq!(percentage(0, 0), "0.00 %");
        assert_eq!(date(1_714_564_800_500_000_000), "2024-05-01 12:00:00.500000 UTC");
        assert_eq!(count(1, "packet"), "1 packet");
        for (text, bytes) in [("2GB", 2_000_000_000), ("2 GiB", 2 << 30), ("7", 7), ("1kib", 1024)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "GB", "-1", "1.5GB", "2 XB", "99999999999999999999", "99999999TB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(rounded_up(1_100_000_000), "2GB");
        assert!(parse_size(&rounded_up(u64::MAX)).is_none_or(|bytes| bytes > 0));
    }
}
