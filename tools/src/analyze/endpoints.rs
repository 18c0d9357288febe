//! Who sent and received how much, by IP address.

use std::collections::HashMap;
use std::net::IpAddr;

use super::traffic::Count;

/// Addresses that are told apart.
pub const MAX_ENDPOINTS: usize = 50_000;

/// What an address sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Sent.
    pub sent: Count,
    /// Received.
    pub received: Count,
}

impl Endpoint {
    /// Both together.
    pub fn total(&self) -> Count {
        self.sent.and(self.received)
    }
}

/// All addresses.
#[derive(Debug, Default)]
pub struct Endpoints {
    table: HashMap<IpAddr, Endpoint>,
    untold: Count,
}

impl Endpoints {
    /// Counts a packet from one address to another.
    pub fn add(&mut self, [from, to]: [IpAddr; 2], bytes: u32) {
        match self.place(from) {
            Some(endpoint) => endpoint.sent.add_packet(bytes),
            None => self.untold.add_packet(bytes),
        }
        match self.place(to) {
            Some(endpoint) => endpoint.received.add_packet(bytes),
            None => self.untold.add_packet(bytes),
        }
    }

    fn place(&mut self, address: IpAddr) -> Option<&mut Endpoint> {
        if self.table.len() >= MAX_ENDPOINTS {
            return self.table.get_mut(&address);
        }
        Some(self.table.entry(address).or_default())
    }

    /// Packets, once for each end, of addresses that had no room.
    pub fn untold(&self) -> Count {
        self.untold
    }

    /// All of them, those with the most bytes first.
    pub fn sorted(&self) -> Vec<(IpAddr, Endpoint)> {
        let mut all: Vec<_> = self.table.iter().map(|(ip, endpoint)| (*ip, *endpoint)).collect();
        all.sort_by_key(|(address, end)| (std::cmp::Reverse(end.total().bytes), *address));
        all
    }
}
