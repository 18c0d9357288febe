//! Between whom: two endpoints with their link, network and transport addresses.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// One of the two who talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Whoever opened the conversation.
    Client,
    /// Whoever was called.
    Server,
}

impl Side {
    /// Both, the client first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Where its things stand in a pair.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// An address for whoever has this IP address: administered locally, for one station, and never
    /// all zeros (IEEE 802, section 8.4). IPv6 addresses that end alike share it, as do hosts
    /// behind one router.
    pub fn of(address: IpAddr) -> Self {
        let [a, b, c, d] = match address {
            IpAddr::V4(address) => address.octets(),
            IpAddr::V6(address) => {
                let [.., a, b, c, d] = address.octets();
                [a, b, c, d]
            }
        };
        Self([0x02, 0x00, a, b, c, d])
    }
}

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The link address.
    pub mac: MacAddress,
    /// Network address and port.
    pub socket: SocketAddr,
}

impl Endpoint {
    /// An end with a link address made of its network address. An IPv4 address that is written as
    /// an IPv6 one (`::ffff:1.2.3.4`, as a socket for both shows it) is IPv4, as it is on the wire.
    pub fn new(socket: SocketAddr) -> Self {
        let address = socket.ip().to_canonical();
        Self { mac: MacAddress::of(address), socket: SocketAddr::new(address, socket.port()) }
    }
}

/// The identifier of a virtual LAN (IEEE 802.1Q): 1 to 4,094.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vlan(u16);

impl Vlan {
    /// The highest identifier; 4,095 is reserved.
    pub const MAX: u16 = 4_094;

    /// `None` unless it is 1 to [`MAX`](Self::MAX).
    pub fn new(id: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&id).then_some(Self(id))
    }

    /// The identifier as a number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// Why two ends cannot talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// One has an IPv4 address and the other an IPv6 one.
    #[error("{0} and {1} cannot talk: one is IPv4, the other IPv6")]
    Families(IpAddr, IpAddr),
}

/// The way between two ends of the same address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    ends: [Endpoint; 2],
    vlan: Option<Vlan>,
}

impl Path {
    /// A way between a client and a server.
    ///
    /// # Errors
    ///
    /// When their addresses are of different families.
    pub fn new(
        client: SocketAddr,
        server: SocketAddr,
        vlan: Option<Vlan>,
    ) -> Result<Self, PathError> {
        let ends = [Endpoint::new(client), Endpoint::new(server)];
        let [client, server] = ends.map(|end| end.socket.ip());
        if client.is_ipv4() != server.is_ipv4() {
            return Err(PathError::Families(client, server));
        }
        Ok(Self { ends, vlan })
    }

    /// The end of a side.
    pub fn end(&self, side: Side) -> &Endpoint {
        &self.ends[side.index()]
    }

    /// The virtual LAN, if there is one.
    pub fn vlan(&self) -> Option<Vlan> {
        self.vlan
    }
}
