//! Datagrams between two ends: UDP knows no opening and no close.

use super::frame::{self, TooLong};
use super::{Frames, Path, Side};

/// What two ends send each other in datagrams.
#[derive(Clone, Debug)]
pub struct Exchange {
    path: Path,
    /// The identifications of each side's next IPv4 header.
    ids: [u16; 2],
    last_ns: Option<u64>,
}

impl Exchange {
    /// Two ends; `ids` are where the identifications of their IPv4 headers begin.
    pub fn new(path: Path, ids: [u16; 2]) -> Self {
        Self { path, ids, last_ns: None }
    }

    /// Between whom it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One datagram, at `time_ns` or just after the one before it. An empty one is a datagram too.
    ///
    /// # Errors
    ///
    /// When it is longer than [`frame::MAX_DATAGRAM`]; then there is none.
    pub fn say(
        &mut self,
        side: Side,
        bytes: &[u8],
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<(), TooLong> {
        let time_ns = self.last_ns.map_or(time_ns, |last| time_ns.max(last.saturating_add(1)));
        let id = self.ids[side.index()];
        out.try_push(time_ns, side, true, |frame| {
            frame::emit_udp(&self.path, side, id, bytes, frame)
        })?;
        self.ids[side.index()] = id.wrapping_add(1);
        self.last_ns = Some(time_ns);
        Ok(())
    }
}
