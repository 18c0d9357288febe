//! What happened to a connection while nobody could write it down.

use std::net::SocketAddr;

use super::{Happening, Side};

/// All that happened to a connection while nobody could write it down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// It was accepted: from whom, and where.
    pub opened: Option<[SocketAddr; 2]>,
    /// How many bytes the client and the server said.
    pub bytes: [u64; 2],
    /// Who ended their stream, the client first.
    pub ended: [bool; 2],
    /// Who broke it off.
    pub broke: Option<Side>,
    /// The server let go of it.
    pub closed: bool,
}

impl Missed {
    /// Something happened, and so many bytes came along.
    pub fn add(&mut self, what: Happening, bytes: usize) {
        match what {
            Happening::Opened { client, server } => self.opened = Some([client, server]),
            Happening::Said(side) => {
                let all = &mut self.bytes[side.index()];
                *all = all.saturating_add(bytes as u64);
            }
            Happening::Ended(side) => self.ended[side.index()] = true,
            Happening::Broke(side) => self.broke = Some(side),
            Happening::Closed => self.closed = true,
        }
    }
}
