//! Flags and file together: every value parsed, the flag preferred, and all of it cross-checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::file::{self, Contents};
use super::problem::{Origin, Problems};
use super::server::Server;
use super::setting::{self as set, Setting};
use super::value::{self, show_bytes};
use super::{LogFormat, Settings};

/// A value as it was typed, and where.
type Given = (Origin, String);

/// How many lines of the server the log holds at least.
const LINES_IN_LOG: usize = 64;

/// The largest read, in bytes.
const LARGEST_READ: usize = 64 * 1024;

/// Everything that was said, and what has been found wrong with it.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    /// By flag; what the command line says comes before what the file says.
    given: BTreeMap<&'static str, Vec<Given>>,
    file: String,
    bad: BTreeSet<&'static str>,
    problems: Vec<(Origin, String)>,
}

impl Resolver {
    /// Takes what the command line says of a setting.
    pub(super) fn add_flag(&mut self, setting: &'static Setting, texts: &[String]) {
        let given = texts.iter().map(|text| (Origin::CommandLine, text.clone()));
        self.given.entry(setting.flag).or_default().extend(given);
    }

    /// Takes what the file says, or that it cannot be read.
    pub(super) fn add_file(&mut self, path: &Path) {
        self.file = path.display().to_string();
        match file::read(path) {
            Ok(text) => self.add_contents(file::parse(&text)),
            Err(error) => {
                let what = format!(
                    "--config: cannot read {}: {error}; a readable TOML file would work",
                    self.file
                );
                self.problems.push((Origin::CommandLine, what));
            }
        }
    }

    fn add_contents(&mut self, contents: Contents) {
        for (setting, origin, text) in contents.values {
            self.given.entry(setting.flag).or_default().push((origin, text));
        }
        self.bad.extend(contents.bad.iter().map(|setting| setting.flag));
        for (origin, what) in contents.problems {
            self.push(origin, &what);
        }
    }

    /// The settings, or everything that is wrong.
    pub(super) fn finish(mut self) -> Result<Settings, Problems> {
        let default = Settings::default();
        let settings = Settings {
            listen: self.addresses(&set::LISTEN, default.listen),
            max_line: self.size(&set::MAX_LINE, default.max_line),
            login_timeout: self.seconds(&set::LOGIN_TIMEOUT, default.login_timeout),
            log_bytes: self.size(&set::LOG_BYTES, default.log_bytes),
            mailbox_bytes: self.size(&set::MAILBOX_BYTES, default.mailbox_bytes),
            mailbox_total: self.size(&set::MAILBOX_TOTAL, default.mailbox_total),
            input_bytes: self.size(&set::INPUT_BYTES, default.input_bytes),
            flood_rate: self.number(&set::FLOOD_RATE).unwrap_or(default.flood_rate),
            flood_burst: self.number(&set::FLOOD_BURST).unwrap_or(default.flood_burst),
            flood_address_rate: self.number(&set::FLOOD_ADDRESS_RATE),
            login_rate: self.number(&set::LOGIN_RATE),
            max_clients: self.number(&set::MAX_CLIENTS),
            max_pending: self.size(&set::MAX_PENDING, default.max_pending),
            max_per_address: self.number(&set::MAX_PER_ADDRESS),
            out_budget: self.size(&set::OUT_BUDGET, default.out_budget),
            flush_slice: self.size(&set::FLUSH_SLICE, default.flush_slice),
            stall_timeout: self.seconds(&set::STALL_TIMEOUT, default.stall_timeout),
            min_rate: self.number(&set::MIN_RATE).unwrap_or(default.min_rate),
            close_timeout: self.seconds(&set::CLOSE_TIMEOUT, default.close_timeout),
            announce_up_to: self.size(&set::ANNOUNCE_UP_TO, default.announce_up_to),
            announce_rate: self.number(&set::ANNOUNCE_RATE).unwrap_or(default.announce_rate),
            list_bytes: self.size(&set::LIST_BYTES, default.list_bytes),
            keepalive: self.keepalive(&set::KEEPALIVE, default.keepalive),
            shutdown_grace: self.seconds(&set::SHUTDOWN_GRACE, default.shutdown_grace),
            log_format: self.log_format(&set::LOG_FORMAT, default.log_format),
            capture: self.first(&set::CAPTURE, value::capture),
            capture_size: self.number(&set::CAPTURE_SIZE).filter(|&bytes| bytes > 0),
            capture_files: self.number(&set::CAPTURE_FILES).filter(|&files| files > 0),
        };
        self.cross_check(&settings);
        if self.problems.is_empty() { Ok(settings) } else { Err(Problems::in_order(self.problems)) }
    }

    /// What one value must be because of another.
    fn cross_check(&mut self, settings: &Settings) {
        let line = settings.server_line();
        let log = (LINES_IN_LOG * line).next_power_of_two();
        self.check_power_of_two(settings.log_bytes, log);
        self.at_least((&set::LOG_BYTES, settings.log_bytes), log, &set::MAX_LINE);
        let mailbox = (&set::MAILBOX_BYTES, settings.mailbox_bytes);
        let (longest, why) = if line > settings.list_bytes {
            (line, &set::MAX_LINE)
        } else {
            (settings.list_bytes, &set::LIST_BYTES)
        };
        self.at_least(mailbox, 2 * longest, why);
        let total = (&set::MAILBOX_TOTAL, settings.mailbox_total);
        self.at_least(total, settings.mailbox_bytes, &set::MAILBOX_BYTES);
        let input = (&set::INPUT_BYTES, settings.input_bytes);
        self.at_least(input, LARGEST_READ + settings.max_line, &set::MAX_LINE);
        self.at_least((&set::OUT_BUDGET, settings.out_budget), line, &set::MAX_LINE);
        self.check_twice(&settings.listen);
        self.check_capture(settings);
    }

    /// A set of files needs a capture, and a number of files a set.
    fn check_capture(&mut self, settings: &Settings) {
        let has_capture = settings.capture.is_some() || self.bad.contains(set::CAPTURE.flag);
        let has_size = settings.capture_size.is_some() || self.bad.contains(set::CAPTURE_SIZE.flag);
        for (setting, is_given, has_what, what) in [
            (
                &set::CAPTURE_SIZE,
                settings.capture_size.is_some(),
                has_capture,
                "there is no capture; --capture chat.pcapng besides would work",
            ),
            (
                &set::CAPTURE_FILES,
                settings.capture_files.is_some(),
                has_size,
                "there is one file; --capture-size 100MiB besides would work",
            ),
        ] {
            if let Some(origin) = self.origin(setting).filter(|_| is_given && !has_what) {
                self.blame(setting, origin, what);
            }
        }
    }

    fn check_power_of_two(&mut self, bytes: usize, least: usize) {
        let Some(origin) = self.origin(&set::LOG_BYTES) else { return };
        if bytes.is_power_of_two() || self.bad.contains(set::LOG_BYTES.flag) {
            return;
        }
        let above = bytes.next_power_of_two().max(least);
        let below = (above / 2).max(least);
        let mut what = format!("{bytes} is not a power of two; {}", show(below));
        if below < above {
            what = format!("{what} or {}", show(above));
        }
        self.refuse(&set::LOG_BYTES, origin, &format!("{what} would work"));
    }

    /// Refuses a value that is less than another asks for. The problem stands where the value was
    /// said, or where the other was if the value is the default.
    fn at_least(
        &mut self,
        small: (&'static Setting, usize),
        least: usize,
        other: &'static Setting,
    ) {
        let (setting, bytes) = small;
        let is_bad = self.bad.contains(setting.flag) || self.bad.contains(other.flag);
        if bytes >= least || is_bad {
            return;
        }
        if let Some(origin) = self.origin(setting) {
            let asked = self.text(other);
            let what = format!(
                "{} is too small for --{} {asked}; {} or more would work",
                show(bytes),
                other.flag,
                show(least)
            );
            self.blame(setting, origin, &what);
        } else if let Some(origin) = self.origin(other) {
            let what = format!(
                "{} needs more than the {} of --{}; --{} {} or more would work",
                self.text(other),
                show(bytes),
                setting.flag,
                setting.flag,
                show(least)
            );
            self.blame(other, origin, &what);
        }
    }

    fn check_twice(&mut self, listen: &[Server]) {
        let twice = |(index, address): (usize, &Server)| {
            address.port != 0 && listen.iter().take(index).any(|other| other == address)
        };
        let found = listen.iter().enumerate().find(|&entry| twice(entry));
        if let (Some((_, address)), Some(origin)) = (found, self.origin(&set::LISTEN)) {
            let what = format!("{address} is given twice; once would work");
            self.blame(&set::LISTEN, origin, &what);
        }
    }

    fn addresses(&mut self, setting: &'static Setting, default: Vec<Server>) -> Vec<Server> {
        let first = self.origin(setting);
        let all = self.parse_all(setting, value::address);
        // Flags replace the lines of the file; they do not add to them.
        let of_flags = |origin| origin == Origin::CommandLine;
        let preferred = |origin| Some(of_flags(origin)) == first.map(of_flags);
        let listen: Vec<_> =
            all.into_iter().filter(|&(origin, _)| preferred(origin)).map(|(_, at)| at).collect();
        if listen.is_empty() { default } else { listen }
    }

    fn size(&mut self, setting: &'static Setting, default: usize) -> usize {
        self.number(setting).unwrap_or(default)
    }

    /// The number that was asked for; it fits `T` on every machine that can hold it.
    fn number<T: TryFrom<u64>>(&mut self, setting: &'static Setting) -> Option<T> {
        self.first(setting, |text| {
            let number = setting.number(text)?;
            T::try_from(number).map_err(|_| format!("{text} is more than this machine can count"))
        })
    }

    fn seconds(&mut self, setting: &'static Setting, default: Duration) -> Duration {
        self.first(setting, value::seconds).unwrap_or(default)
    }

    fn keepalive(
        &mut self,
        setting: &'static Setting,
        default: Option<Duration>,
    ) -> Option<Duration> {
        match self.number(setting) {
            None => default,
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
        }
    }

    fn log_format(&mut self, setting: &'static Setting, default: LogFormat) -> LogFormat {
        self.first(setting, value::log_format).unwrap_or(default)
    }

    /// The value that counts; the others are parsed too, for their problems.
    fn first<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parse_all(setting, parse).into_iter().next().map(|(_, value)| value)
    }

    fn parse_all<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<(Origin, T)> {
        let given = self.given.get(setting.flag).cloned().unwrap_or_default();
        let mut good = Vec::with_capacity(given.len());
        for (origin, text) in given {
            match parse(&text) {
                Ok(value) => good.push((origin, value)),
                Err(what) => self.refuse(setting, origin, &what),
            }
        }
        good
    }

    /// Where the value that counts was said; `None` for a default.
    fn origin(&self, setting: &Setting) -> Option<Origin> {
        self.given.get(setting.flag)?.first().map(|&(origin, _)| origin)
    }

    /// The value that counts as it was typed.
    fn text<'a>(&'a self, setting: &'a Setting) -> &'a str {
        let given = self.given.get(setting.flag).and_then(|given| given.first());
        given.map_or(setting.default, |(_, text)| text.as_str())
    }

    /// A value is bad in itself: no other is compared with it.
    fn refuse(&mut self, setting: &'static Setting, origin: Origin, what: &str) {
        self.bad.insert(setting.flag);
        self.blame(setting, origin, what);
    }

    fn blame(&mut self, setting: &Setting, origin: Origin, what: &str) {
        match origin {
            Origin::CommandLine => self.push(origin, &format!("--{}: {what}", setting.flag)),
            Origin::Line(_) => self.push(origin, &format!("{}: {what}", setting.key())),
        }
    }

    fn push(&mut self, origin: Origin, what: &str) {
        let line = match origin {
            Origin::CommandLine => what.to_owned(),
            Origin::Line(line) => format!("{}:{line}: {what}", self.file),
        };
        self.problems.push((origin, line));
    }
}

fn show(bytes: usize) -> String {
    show_bytes(bytes as u64)
}
