//! How large a file becomes, estimated before its first byte is written: a short table may ask for
//! megabytes of letters, and a small MSS puts sixty bytes of headers before every sixteen.

use std::fmt;

use hubbub::capture::Mss;

use super::message::Transport;
use super::plan::{Resolved, Route};
use crate::units::{count, percentage, size};

/// Headers of a frame: Ethernet, IPv4 and TCP.
const HEADERS: u64 = 54;

/// What a file has beside a frame, with its padding.
const RECORD: u64 = 36;

/// Frames of a handshake and a close.
const FRAMES_AROUND: u64 = 7;

/// Larger files are announced before they are written, if they are out of proportion.
const ANNOUNCED: u64 = 16 << 20;

/// So many times the table is out of proportion: a row of sixty bytes becomes three frames.
const PROPORTION: u64 = 20;

/// What is written without `--max-output`: this, or so many times the table.
const MAX_OUTPUT: u64 = 256 << 20;
const MAX_PROPORTION: u64 = 100;

/// What will be written, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Frames.
    pub packets: u64,
    /// What is said in them, in bytes.
    pub payload: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of the table.
    pub table: u64,
}

impl Estimate {
    /// What becomes of a table of so many bytes, with segments of at most `mss`.
    pub fn new(resolved: &Resolved, table: u64, mss: Option<Mss>) -> Self {
        let mut estimate = Self { table, ..Self::default() };
        resolved.routes.iter().for_each(|route| estimate.add(route, mss));
        estimate.bytes = estimate.payload + estimate.packets * (HEADERS + RECORD);
        estimate
    }

    fn add(&mut self, route: &Route, mss: Option<Mss>) {
        self.payload += route.bytes;
        self.packets += match route.transport {
            Transport::Udp => route.rows,
            Transport::Tcp if !route.has_data => 0,
            Transport::Tcp => {
                let mss = u64::from(mss.unwrap_or_else(|| Mss::usual(&route.path)).get());
                // Every row ends with a segment that is not full, and every second one is
                // acknowledged, and the last.
                let segments = route.bytes / mss + route.rows;
                segments + segments.div_ceil(2) + FRAMES_AROUND
            }
        };
    }

    /// Whether nobody would expect so much.
    pub fn is_surprising(&self) -> bool {
        self.bytes > ANNOUNCED && self.bytes > self.table.saturating_mul(PROPORTION)
    }

    /// The limit that it exceeds, which `max_output` sets.
    pub fn exceeds(&self, max_output: Option<u64>) -> Option<u64> {
        let usual = MAX_OUTPUT.max(self.table.saturating_mul(MAX_PROPORTION));
        Some(max_output.unwrap_or(usual)).filter(|limit| self.bytes > *limit)
    }
}

impl fmt::Display for Estimate {
    /// As in `813 B of table become about 990 MB: 9,830,557 packets, 89.40 % of it headers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [table, bytes] = [self.table, self.bytes].map(size);
        let headers = percentage(self.bytes - self.payload, self.bytes);
        let packets = count(self.packets, "packet");
        write!(f, "{table} of table become about {bytes}: {packets}, {headers} of it headers")
    }
}
