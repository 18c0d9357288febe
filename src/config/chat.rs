//! What `hubbub chat` takes on its command line, and the format of the times that it shows.

use std::fmt;
use std::str::FromStr;

use clap::builder::ValueHint;
use clap::{ArgAction, Args};
use jiff::Zoned;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use thiserror::Error;

use super::server::Server;
use super::value::{Heartbeat, quote};

/// The format of times where nobody says another.
const DEFAULT_TIME_FORMAT: &str = "%H:%M";

/// The most characters that a formatted time may have: it stands before every line.
const MAX_TIME_CHARS: usize = 32;

/// The arguments of `hubbub chat`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Chat {
    /// Your name in the chat; without one, you are asked for it
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The server; port 12345 unless said
    #[arg(value_name = "HOST[:PORT]", default_value = "127.0.0.1:12345")]
    #[arg(value_hint = ValueHint::Hostname)]
    host: Server,
    /// The same, for use without a NAME
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "host")]
    #[arg(value_hint = ValueHint::Hostname)]
    server: Option<Server>,
    /// Send an empty line when nothing was sent for so long; 0 = off
    #[arg(long, value_name = "SECONDS", default_value = "240", allow_negative_numbers = true)]
    pub heartbeat: Heartbeat,
    /// How the time before each line is written (strftime)
    #[arg(long, value_name = "FORMAT", default_value = DEFAULT_TIME_FORMAT)]
    #[arg(allow_hyphen_values = true)]
    pub time_format: TimeFormat,
    /// Show no time before each line
    #[arg(long, conflicts_with = "time_format")]
    pub no_times: bool,
    /// Do not ring the bell when your name is mentioned or a private line arrives
    #[arg(long = "no-bell", action = ArgAction::SetFalse)]
    pub bell: bool,
    /// Neither read nor write the file with what you typed in earlier sessions
    #[arg(long = "no-history", action = ArgAction::SetFalse)]
    pub history: bool,
}

impl Chat {
    /// Where the server listens.
    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap_or(&self.host)
    }

    /// How times are written, if they are to be shown.
    pub fn times(&self) -> Option<&TimeFormat> {
        (!self.no_times).then_some(&self.time_format)
    }
}

/// A format of strftime, known to work: it makes 1 to 32 printable characters of any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat(String);

/// Why a text is no format of times.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeFormatError {
    /// It makes nothing.
    #[error("it shows nothing; --no-times would work")]
    Empty,
    /// It holds a conversion that does not exist.
    #[error("{quoted} is no format of strftime ({why}); %H:%M or %H:%M:%S would work")]
    Conversion {
        /// The format.
        quoted: String,
        /// What the library says.
        why: String,
    },
    /// It breaks the line or steers the terminal.
    #[error("{0} makes a control character; %H:%M or %H:%M:%S would work")]
    Control(String),
    /// It takes too much of each line.
    #[error("{0} makes more than {MAX_TIME_CHARS} characters; %H:%M or %H:%M:%S would work")]
    TooLong(String),
}

impl TimeFormat {
    /// A time as it is shown.
    pub fn format(&self, time: &Zoned) -> String {
        // It worked when it was parsed, for a time that has everything that a time can have.
        strtime::format(&self.0, time).unwrap_or_default()
    }
}

impl FromStr for TimeFormat {
    type Err = TimeFormatError;

    fn from_str(format: &str) -> Result<Self, TimeFormatError> {
        let quoted = quote(format);
        // The longest day and month in English, in a zone that has all that a zone can have.
        let sample = jiff::civil::date(2026, 9, 30).at(23, 59, 59, 999_999_999);
        let made = sample.to_zoned(TimeZone::UTC).and_then(|time| strtime::format(format, &time));
        let made = made.map_err(|error| {
            let why = error.to_string().replace(char::is_control, " ");
            TimeFormatError::Conversion { quoted: quoted.clone(), why }
        })?;
        if made.contains(char::is_control) {
            return Err(TimeFormatError::Control(quoted));
        }
        if made.trim().is_empty() {
            return Err(TimeFormatError::Empty);
        }
        if made.chars().count() > MAX_TIME_CHARS {
            return Err(TimeFormatError::TooLong(quoted));
        }
        Ok(Self(format.to_owned()))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_works_makes_a_time() {
        let time = jiff::civil::date(2026, 1, 2).at(3, 4, 5, 0).to_zoned(TimeZone::UTC).unwrap();
        for (format, made) in [
            ("%H:%M", "03:04"),
            ("%H:%M:%S", "03:04:05"),
            ("%d/%m %R", "02/01 03:04"),
            ("at %I %p", "at 03 AM"),
            ("%%", "%"),
        ] {
            assert_eq!(format.parse::<TimeFormat>().unwrap().format(&time), made);
        }
    }

    #[test]
    fn a_format_that_does_not_work_is_told_with_one_that_does() {
        for bad in ["%", "%!", "%H:%", "%n", "%H%t", "\u{1b}[2J%H", "%c %c %c", "%c %c %A %B"] {
            let error = bad.parse::<TimeFormat>().unwrap_err().to_string();
            assert!(error.ends_with("; %H:%M or %H:%M:%S would work"), "{bad}: {error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        for empty in ["", "  "] {
            let error = empty.parse::<TimeFormat>().unwrap_err();
            assert_eq!(error.to_string(), "it shows nothing; --no-times would work");
        }
    }
}
