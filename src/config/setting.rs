//! Every setting, once: what it is called, what it takes, and what is said of it.
//!
//! The default stands here as text for people, and in `Settings::default` as a value; a test holds
//! them together.

use super::value;

/// One setting of `hubbub serve`.
#[derive(Debug)]
pub(super) struct Setting {
    /// The flag without its dashes.
    pub(super) flag: &'static str,
    /// Under which heading the help has it.
    pub(super) heading: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// The default, as one would type it, or in words where none would do.
    pub(super) default: &'static str,
    /// What it does, without unit, range and default.
    pub(super) help: &'static str,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number of bytes, from and to.
    Bytes(u64, u64),
    /// A number, from and to.
    Count(u64, u64),
    /// Decimal seconds, 0.05 to 86,400.
    Seconds,
    /// Whole seconds, from and to, or 0.
    WholeSeconds(u64, u64),
    /// A number of bytes, from and to, or 0.
    BytesOrOff(u64, u64),
    /// Names and IP addresses, with or without a port.
    Addresses,
    /// The name of a file that ends in `.pcapng` or `.pcap`.
    Capture,
    /// `text` or `json`.
    Format,
}

/// The largest size: 64 GiB, more than a chat needs and less than an allocator despairs of.
const HUGE: u64 = 64 << 30;
/// The largest count that stands for "as many as you like".
const MANY: u64 = 10_000_000;

const LISTENING: &str = "Listening";
const LIMITS: &str = "Limits";
const TIMES: &str = "Time-outs";
const FAIRNESS: &str = "Fairness";
const LOGGING: &str = "Logging";
const CAPTURING: &str = "Capture";

/// `--listen`.
pub(super) static LISTEN: Setting = Setting {
    flag: "listen",
    heading: LISTENING,
    kind: Kind::Addresses,
    default: "127.0.0.1:12345, or the sockets of LISTEN_FDS",
    help: "Listen here; may be given several times; port 12345 unless said",
};

/// `--keepalive`.
pub(super) static KEEPALIVE: Setting = Setting {
    flag: "keepalive",
    heading: LISTENING,
    kind: Kind::WholeSeconds(6, 32_767),
    default: "60",
    help: "Probe a connection that was idle for so long; 0 = off",
};

/// `--max-line`.
pub(super) static MAX_LINE: Setting = Setting {
    flag: "max-line",
    heading: LIMITS,
    kind: Kind::Bytes(64, 65_536),
    default: "4096",
    help: "Longest line of a client, its end included",
};

/// `--max-clients`.
pub(super) static MAX_CLIENTS: Setting = Setting {
    flag: "max-clients",
    heading: LIMITS,
    kind: Kind::Count(1, MANY),
    default: "as many as descriptors allow",
    help: "Most connections at once",
};

/// `--max-pending`.
pub(super) static MAX_PENDING: Setting = Setting {
    flag: "max-pending",
    heading: LIMITS,
    kind: Kind::Count(1, MANY),
    default: "4096",
    help: "Most connections without a name at once",
};

/// `--max-per-address`.
pub(super) static MAX_PER_ADDRESS: Setting = Setting {
    flag: "max-per-address",
    heading: LIMITS,
    kind: Kind::Count(0, MANY),
    default: "off for loopback, 128 for others",
    help: "Most connections of one address (IPv6: of one /64); 0 = off",
};

/// `--log-bytes`.
pub(super) static LOG_BYTES: Setting = Setting {
    flag: "log-bytes",
    heading: LIMITS,
    kind: Kind::Bytes(32_768, HUGE),
    default: "8MiB",
    help: "Log of broadcasts, a power of two; who falls behind it is dropped",
};

/// `--mailbox-bytes`.
pub(super) static MAILBOX_BYTES: Setting = Setting {
    flag: "mailbox-bytes",
    heading: LIMITS,
    kind: Kind::Bytes(640, HUGE),
    default: "256KiB",
    help: "Private messages and answers waiting for one client",
};

/// `--mailbox-total`.
pub(super) static MAILBOX_TOTAL: Setting = Setting {
    flag: "mailbox-total",
    heading: LIMITS,
    kind: Kind::Bytes(640, HUGE),
    default: "64MiB",
    help: "Private messages and answers waiting for all clients",
};

/// `--input-bytes`.
pub(super) static INPUT_BYTES: Setting = Setting {
    flag: "input-bytes",
    heading: LIMITS,
    kind: Kind::Bytes(65_600, HUGE),
    default: "64MiB",
    help: "Unfinished input of all clients; beyond it reading waits",
};

/// `--list-bytes`.
pub(super) static LIST_BYTES: Setting = Setting {
    flag: "list-bytes",
    heading: LIMITS,
    kind: Kind::Bytes(256, HUGE),
    default: "64KiB",
    help: "Longest answer to list",
};

/// `--login-timeout`.
pub(super) static LOGIN_TIMEOUT: Setting = Setting {
    flag: "login-timeout",
    heading: TIMES,
    kind: Kind::Seconds,
    default: "30",
    help: "Close a connection that gave no name for so long",
};

/// `--stall-timeout`.
pub(super) static STALL_TIMEOUT: Setting = Setting {
    flag: "stall-timeout",
    heading: TIMES,
    kind: Kind::Seconds,
    default: "90",
    help: "Drop a client that accepted nothing for so long",
};

/// `--close-timeout`.
pub(super) static CLOSE_TIMEOUT: Setting = Setting {
    flag: "close-timeout",
    heading: TIMES,
    kind: Kind::Seconds,
    default: "2",
    help: "Wait so long for the other side when closing",
};

/// `--shutdown-grace`.
pub(super) static SHUTDOWN_GRACE: Setting = Setting {
    flag: "shutdown-grace",
    heading: TIMES,
    kind: Kind::Seconds,
    default: "5",
    help: "Take so long at most to tell everyone when shutting down",
};

/// `--flood-rate`.
pub(super) static FLOOD_RATE: Setting = Setting {
    flag: "flood-rate",
    heading: FAIRNESS,
    kind: Kind::Count(0, 1_000_000),
    default: "50",
    help: "Lines a second that one client may send at length; 0 = no flood limit",
};

/// `--flood-burst`.
pub(super) static FLOOD_BURST: Setting = Setting {
    flag: "flood-burst",
    heading: FAIRNESS,
    kind: Kind::Count(1, 1_000_000),
    default: "200",
    help: "Lines that one client may send at once",
};

/// `--flood-address-rate`.
pub(super) static FLOOD_ADDRESS_RATE: Setting = Setting {
    flag: "flood-address-rate",
    heading: FAIRNESS,
    kind: Kind::Count(0, MANY),
    default: "20 times --flood-rate",
    help: "The same for all clients of one address (IPv6: of one /64) together; 0 = off",
};

/// `--login-rate`.
pub(super) static LOGIN_RATE: Setting = Setting {
    flag: "login-rate",
    heading: FAIRNESS,
    kind: Kind::Count(0, MANY),
    default: "50, off with --flood-rate 0",
    help: "Log-ins a second from one address (IPv6: one /64), four times that at once; 0 = off",
};

/// `--out-budget`.
pub(super) static OUT_BUDGET: Setting = Setting {
    flag: "out-budget",
    heading: FAIRNESS,
    kind: Kind::Bytes(320, HUGE),
    default: "256KiB",
    help: "Written to one client before the next has its turn",
};

/// `--flush-slice`.
pub(super) static FLUSH_SLICE: Setting = Setting {
    flag: "flush-slice",
    heading: FAIRNESS,
    kind: Kind::Count(0, MANY),
    default: "128",
    help: "Clients written to before input is read again; 0 = all",
};

/// `--min-rate`.
pub(super) static MIN_RATE: Setting = Setting {
    flag: "min-rate",
    heading: FAIRNESS,
    kind: Kind::Bytes(1024, 1 << 30),
    default: "64KiB",
    help: "Bytes a second that a client must read so that talkers wait for it",
};

/// `--announce-up-to`.
pub(super) static ANNOUNCE_UP_TO: Setting = Setting {
    flag: "announce-up-to",
    heading: FAIRNESS,
    kind: Kind::Count(0, MANY),
    default: "100",
    help: "Announce each join and leave up to so many online, sum up beyond",
};

/// `--announce-rate`.
pub(super) static ANNOUNCE_RATE: Setting = Setting {
    flag: "announce-rate",
    heading: FAIRNESS,
    kind: Kind::Count(0, 1_000_000),
    default: "5",
    help: "Joins and leaves a second told by name, four times that at once; sum up beyond; 0 = all",
};

/// `--log-format`.
pub(super) static LOG_FORMAT: Setting = Setting {
    flag: "log-format",
    heading: LOGGING,
    kind: Kind::Format,
    default: "text",
    help: "How log lines are written on stderr: text or json",
};

/// `--capture`.
pub(super) static CAPTURE: Setting = Setting {
    flag: "capture",
    heading: CAPTURING,
    kind: Kind::Capture,
    default: "no capture",
    help: "Write all that is said, private lines too, to this file for Wireshark (.pcapng, .pcap)",
};

/// `--capture-size`.
pub(super) static CAPTURE_SIZE: Setting = Setting {
    flag: "capture-size",
    heading: CAPTURING,
    kind: Kind::BytesOrOff(65_536, HUGE),
    default: "0",
    help: "Begin another file of the capture when one is larger; 0 = never",
};

/// `--capture-files`.
pub(super) static CAPTURE_FILES: Setting = Setting {
    flag: "capture-files",
    heading: CAPTURING,
    kind: Kind::Count(0, 100_000),
    default: "0",
    help: "Keep so many files of the capture and delete the oldest of this run; 0 = keep all",
};

/// Every setting, in the order of the help.
pub(super) static ALL: [&Setting; 28] = [
    &LISTEN,
    &KEEPALIVE,
    &MAX_LINE,
    &MAX_CLIENTS,
    &MAX_PENDING,
    &MAX_PER_ADDRESS,
    &LOG_BYTES,
    &MAILBOX_BYTES,
    &MAILBOX_TOTAL,
    &INPUT_BYTES,
    &LIST_BYTES,
    &LOGIN_TIMEOUT,
    &STALL_TIMEOUT,
    &CLOSE_TIMEOUT,
    &SHUTDOWN_GRACE,
    &FLOOD_RATE,
    &FLOOD_BURST,
    &FLOOD_ADDRESS_RATE,
    &LOGIN_RATE,
    &OUT_BUDGET,
    &FLUSH_SLICE,
    &MIN_RATE,
    &ANNOUNCE_UP_TO,
    &ANNOUNCE_RATE,
    &LOG_FORMAT,
    &CAPTURE,
    &CAPTURE_SIZE,
    &CAPTURE_FILES,
];

impl Setting {
    /// The key of the file: the flag with `_` for `-`.
    pub(super) fn key(&self) -> String {
        self.flag.replace('-', "_")
    }

    /// The setting of a key of the file.
    pub(super) fn of_key(key: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|setting| setting.key() == key)
    }

    /// What the help calls the value.
    pub(super) fn value_name(&self) -> &'static str {
        match self.kind {
            Kind::Bytes(..) | Kind::BytesOrOff(..) => "BYTES",
            Kind::Count(..) => "NUMBER",
            Kind::Seconds | Kind::WholeSeconds(..) => "SECONDS",
            Kind::Addresses => "HOST[:PORT]",
            Kind::Format => "FORMAT",
            Kind::Capture => "FILE",
        }
    }

    /// What the help says: what it does, its default and its range.
    pub(super) fn full_help(&self) -> String {
        let Self { help, default, .. } = self;
        match self.range() {
            range if range.is_empty() => format!("{help} [default: {default}]"),
            range => format!("{help} [default: {default}; {range}]"),
        }
    }

    /// The number that a text means, if this setting takes it.
    pub(super) fn number(&self, text: &str) -> Result<u64, String> {
        let (number, least, most, off) = match self.kind {
            Kind::Bytes(least, most) => (value::bytes(text)?, least, most, ""),
            Kind::BytesOrOff(least, most) => (value::bytes(text)?, least, most, ", or 0,"),
            Kind::Count(least, most) => (value::count(text)?, least, most, ""),
            Kind::WholeSeconds(least, most) => (value::count(text)?, least, most, ", or 0,"),
            Kind::Seconds | Kind::Addresses | Kind::Format | Kind::Capture => {
                return Err(format!("`{text}` is read as a number, which this is not"));
            }
        };
        let is_off = number == 0 && !off.is_empty();
        match u64::try_from(number) {
            Ok(number) if is_off || (least..=most).contains(&number) => Ok(number),
            _ => {
                let (least, most) = (self.show(least), self.show(most));
                Err(format!("{text} is out of range; {least} to {most}{off} would work"))
            }
        }
    }

    /// From and to, as far as anybody meets the ends.
    fn range(&self) -> String {
        match self.kind {
            Kind::Count(0, MANY) | Kind::Addresses | Kind::Format | Kind::Capture => String::new(),
            Kind::Bytes(least, HUGE) | Kind::BytesOrOff(least, HUGE) | Kind::Count(least, MANY) => {
                format!("at least {}", self.show(least))
            }
            Kind::Bytes(least, most)
            | Kind::BytesOrOff(least, most)
            | Kind::Count(least, most)
            | Kind::WholeSeconds(least, most) => {
                format!("{} to {}", self.show(least), self.show(most))
            }
            Kind::Seconds => "0.05 to 86400".to_owned(),
        }
    }

    fn show(&self, number: u64) -> String {
        match self.kind {
            Kind::Bytes(..) | Kind::BytesOrOff(..) => value::show_bytes(number),
            _ => number.to_string(),
        }
    }
}
