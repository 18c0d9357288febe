//! What the operator asked for: raw text becomes a validated [`Settings`], or a list of everything
//! that is wrong with it.
//!
//! Every setting is one entry of `setting::ALL`: a `--flag` of `hubbub serve` and a key of the
//! TOML file that `--config FILE` names. A flag wins over the file, the file over the default.
//!
//! * `chat`: what `hubbub chat` takes
//! * `cli`, `man`: the command line, its help, its completions; the manual page
//! * `file`: the TOML file, key by key, each with its line
//! * `setting`: every setting: name, heading, unit, range, default, help
//! * `value`: text to number, size, time, address
//! * `server`: where a client finds the server, and where a server listens
//! * `resolve`: all of it together, cross-checked
//! * `problem`: what is wrong, one line each
//!
//! Invariants: a [`Settings`] made by [`Flags::resolve`] holds every range and cross-check that
//! its fields document; no problem hides another, except that a cross-check waits until each of
//! the values that it compares is good in itself.

mod chat;
mod cli;
mod file;
mod man;
mod problem;
mod resolve;
mod server;
mod setting;
mod value;

use std::path::PathBuf;
use std::time::Duration;

pub use chat::{Chat, TimeFormat, TimeFormatError};
pub use cli::{Action, Cli, Flags, completions};
pub use man::man;
pub use problem::Problems;
pub use server::{Server, ServerError};
pub use value::Heartbeat;

/// The port where nobody says another.
pub const DEFAULT_PORT: u16 = 12_345;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How `hubbub serve` runs.
///
/// Sizes are in bytes, at most 64 GiB each. Times are given in decimal seconds, from 0.05 to
/// 86,400 unless the field says otherwise. Counts go up to 10,000,000 unless the field says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; none twice. Port 0 takes a free one, a name stands for all of its
    /// addresses. Default: none, which means the sockets that the process was given
    /// (`LISTEN_FDS`), or else 127.0.0.1:12345.
    pub listen: Vec<Server>,
    /// The longest line with its end, in bytes: 64 to 65,536. Default: 4,096.
    pub max_line: usize,
    /// How long a newcomer may be without a name. Default: 30 s.
    pub login_timeout: Duration,
    /// The log of broadcasts, in bytes: a power of two, at least 64 times
    /// [`server_line`](Self::server_line). Default: 8 MiB.
    pub log_bytes: usize,
    /// The mailbox of one client, in bytes: at least twice the larger of
    /// [`list_bytes`](Self::list_bytes) and [`server_line`](Self::server_line). Default: 256 KiB.
    pub mailbox_bytes: usize,
    /// All mailboxes together, in bytes: at least [`mailbox_bytes`](Self::mailbox_bytes).
    /// Default: 64 MiB.
    pub mailbox_total: usize,
    /// All partial input together, in bytes: at least the largest read (64 KiB) and one
    /// [`max_line`](Self::max_line). Half of it is for whoever comes first, half is shared out
    /// equally. Default: 64 MiB.
    pub input_bytes: usize,
    /// How many tokens a second one client may spend, at length: up to 1,000,000; 0 for any number.
    /// A line costs one, and one more for each full 256 bytes of it. Default: 50.
    pub flood_rate: u32,
    /// How many tokens one client may spend at once: 1 to 1,000,000. Default: 200.
    pub flood_burst: u32,
    /// How many tokens a second all clients of one address (IPv6: one /64) may spend together, at
    /// length: up to 10,000,000; 0 for any number. Default: `None`, twenty times
    /// [`flood_rate`](Self::flood_rate).
    pub flood_address_rate: Option<u32>,
    /// How many times a second clients of one address may try to log in, at length: up to
    /// 10,000,000; 0 for any number. Default: `None`, 50, or any number where
    /// [`flood_rate`](Self::flood_rate) is 0.
    pub login_rate: Option<u32>,
    /// How many connections there may be, at least 1. Default: `None`, as many as descriptors
    /// allow.
    pub max_clients: Option<usize>,
    /// How many connections may be without a name at once, at least 1. Default: 4,096.
    pub max_pending: usize,
    /// How many connections one address (IPv6: one /64) may have; 0 for any number, a value counts
    /// for every address. Default: `None`, any number for loopback peers, 128 for others.
    pub max_per_address: Option<u32>,
    /// What one client is written in one turn, in bytes: at least
    /// [`server_line`](Self::server_line). Default: 256 KiB.
    pub out_budget: usize,
    /// How many clients the sweep serves in one turn; 0 for all. Default: 128.
    pub flush_slice: usize,
    /// How long a client may accept nothing while something is due to it. Default: 90 s.
    pub stall_timeout: Duration,
    /// What a client that is behind has to read so that talkers wait for it, in bytes a second:
    /// 1,024 to 1 GiB. Default: 64 KiB.
    pub min_rate: u32,
    /// How long a connection that was written its last bytes may take to end its own stream.
    /// Default: 2 s.
    pub close_timeout: Duration,
    /// Up to how many online each coming and going is told one by one; 0 for none. Default: 100.
    pub announce_up_to: usize,
    /// How many comings and goings a second are told one by one, at length, where so few are
    /// online: up to 1,000,000; 0 for any number. Default: 5.
    pub announce_rate: u32,
    /// The longest answer to `list`, in bytes: at least 256. Default: 64 KiB.
    pub list_bytes: usize,
    /// How long a connection may be idle before it is probed, in whole seconds: 6 to 32,767
    /// (Linux's largest `TCP_KEEPIDLE`). The interval is a sixth of it, there are three probes,
    /// and the user time-out is half as long again, or `stall_timeout` where that is longer.
    /// `None` (0 on the command line) for no probes.
    /// Default: 60 s.
    pub keepalive: Option<Duration>,
    /// How long a shutdown may take to tell everyone. Default: 5 s.
    pub shutdown_grace: Duration,
    /// How a log line is written. Default: text.
    pub log_format: LogFormat,
    /// Where everything that is said is written for Wireshark: a name that ends in `.pcapng` or
    /// `.pcap`. Default: `None`, nowhere.
    pub capture: Option<PathBuf>,
    /// How large a file of the capture may be, in bytes, before another begins; at least 65,536.
    /// Default: `None` (0 on the command line), however large.
    pub capture_size: Option<u64>,
    /// How many files of the capture are kept, 1 to 100,000; the oldest of this run are deleted.
    /// Default: `None` (0 on the command line), all.
    pub capture_files: Option<usize>,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl Settings {
    /// The longest line that the server sends, but for the answer to `list`, in bytes: a text never
    /// grows, and a sender's name or the server's own words come on top.
    pub fn server_line(&self) -> usize {
        self.max_line + 256
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            max_line: 4096,
            login_timeout: Duration::from_secs(30),
            log_bytes: 8 * MIB,
            mailbox_bytes: 256 * KIB,
            mailbox_total: 64 * MIB,
            input_bytes: 64 * MIB,
            flood_rate: 50,
            flood_burst: 200,
            flood_address_rate: None,
            login_rate: None,
            max_clients: None,
            max_pending: 4096,
            max_per_address: None,
            out_budget: 256 * KIB,
            flush_slice: 128,
            stall_timeout: Duration::from_secs(90),
            min_rate: 64 * 1024,
            close_timeout: Duration::from_secs(2),
            announce_up_to: 100,
            announce_rate: 5,
            list_bytes: 64 * KIB,
            keepalive: Some(Duration::from_secs(60)),
            shutdown_grace: Duration::from_secs(5),
            log_format: LogFormat::Text,
            capture: None,
            capture_size: None,
            capture_files: None,
        }
    }
}

#[cfg(test)]
mod tests;
