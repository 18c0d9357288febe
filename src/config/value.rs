//! Text to value. An `Err` says what is wrong and what would work.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::LogFormat;
use super::server::{Server, ServerError};

/// The suffixes of a size, the largest first.
const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// How the name of a capture may end.
const CAPTURES: [&str; 4] = ["pcapng", "ntar", "pcap", "cap"];

/// A plain number, or one with `KiB`, `MiB` or `GiB` in any case.
pub(super) fn bytes(text: &str) -> Result<i128, String> {
    let suffix = UNITS.iter().find_map(|&(unit, shift)| {
        let cut = text.len().checked_sub(unit.len())?;
        let (number, end) = text.split_at_checked(cut)?;
        end.eq_ignore_ascii_case(unit).then_some((number, shift))
    });
    let (number, shift) = suffix.unwrap_or((text, 0));
    integer(number)
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("{} is not a size; bytes, or KiB, MiB, GiB as in 8MiB", quote(text)))
}

/// A plain number.
pub(super) fn count(text: &str) -> Result<i128, String> {
    integer(text).ok_or_else(|| format!("{} is not a whole number", quote(text)))
}

/// Decimal seconds from 0.05 to 86,400.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| format!("{} is not a time in seconds, such as 30 or 0.2", quote(text)))?;
    if !(0.05..=86_400.0).contains(&number) {
        return Err(format!("{text} is out of range; 0.05 to 86400 seconds would work"));
    }
    Duration::try_from_secs_f64(number).map_err(|error| format!("{}: {error}", quote(text)))
}

/// After how long without a line a client sends an empty one; `None` for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat(pub Option<Duration>);

impl FromStr for Heartbeat {
    type Err = String;

    /// Decimal seconds from 0.05 to 86,400, or 0 for never.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self(None));
        }
        seconds(text).map(|time| Self(Some(time))).map_err(|what| format!("{what}, or 0 for never"))
    }
}

/// Where to listen: as a client names a server, but port 0 is a free one, and a lone number is
/// taken for the port that it is meant to be.
pub(super) fn address(text: &str) -> Result<Server, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if port.parse::<u16>().is_ok() {
        return Err(format!("{} is a port; 127.0.0.1:{port} would work", quote(text)));
    }
    Server::read(text, 0).map_err(|error| match error {
        ServerError::Port(port) => format!("{port} is no port; 0 to 65535 would work"),
        error => format!(
            "{} is no address: {error}; such as 127.0.0.1:12345, [::1]:12345, localhost or 0.0.0.0",
            quote(text)
        ),
    })
}

/// `text` or `json`.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{} is no format; text or json would work", quote(text))),
    }
}

/// The name of a file, with an end that Wireshark knows.
pub(super) fn capture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_known = |ending: &str| CAPTURES.iter().any(|known| known.eq_ignore_ascii_case(ending));
    // What was no UTF-8 when it was typed would be another file.
    let is_text = !text.contains(['\u{fffd}', '\0']);
    match path.extension().and_then(OsStr::to_str) {
        Some(ending) if is_known(ending) && is_text => Ok(path),
        _ => Err(format!(
            "{} is no name of a capture; such as chat.pcapng or chat.pcap",
            quote(text)
        )),
    }
}

/// A size in its largest whole unit: `8MiB`, `4096`.
pub(super) fn show_bytes(bytes: u64) -> String {
    UNITS
        .iter()
        .find(|&&(_, shift)| bytes >> shift > 0 && bytes.trailing_zeros() >= shift)
        .filter(|_| bytes >= 8192)
        .map_or_else(|| bytes.to_string(), |&(unit, shift)| format!("{}{unit}", bytes >> shift))
}

/// What was typed, on one line whatever it was.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

/// Only digits, with a sign at most; 39 digits fit, and more are no number for anything here.
fn integer(text: &str) -> Option<i128> {
    text.parse().ok()
}
