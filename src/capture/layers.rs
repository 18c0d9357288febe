//! What is in a frame of anybody's capture, layer by layer, as far down as TCP and UDP.
//!
//! Unlike [`Packet`](super::Packet), which takes what this house emits and refuses the rest, this
//! says of every frame what can be said: link types other than Ethernet, ARP, ICMP, fragments,
//! frames that were cut when they were captured, and frames that are broken.

use std::fmt;
use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Slice, IpNumber, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket,
    TransportSlice,
};
use pcap_file::DataLink;

use super::frame::segment;
use super::{Segment, Vlan};

/// The most layers of one frame: a link, three tags, a network, a transport.
pub const MAX_LAYERS: usize = 8;

/// Ethernet types below this are lengths (IEEE 802.3).
const FIRST_ETHER_TYPE: u16 = 0x0600;

/// How a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// Ethernet II.
    Ethernet,
    /// Linux, any interface: 16 bytes.
    Cooked,
    /// The second version of it: 20 bytes.
    Cooked2,
    /// The address family in four bytes, in whatever order the machine had.
    Loopback,
    /// Nothing before IP.
    Ip,
    /// Something else, by its number in the registry of link types.
    Other(u16),
}

impl Link {
    /// The link type of a file. What is said above its lower half (the length of the frame check
    /// sequence) is left out.
    pub fn of(link: DataLink) -> Self {
        let [_, _, high, low] = u32::from(link).to_be_bytes();
        let number = u16::from_be_bytes([high, low]);
        match DataLink::from(u32::from(number)) {
            DataLink::ETHERNET => Self::Ethernet,
            DataLink::LINUX_SLL => Self::Cooked,
            DataLink::LINUX_SLL2 => Self::Cooked2,
            DataLink::NULL | DataLink::LOOP => Self::Loopback,
            DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Self::Ip,
            _ => Self::Other(number),
        }
    }

    /// The name and length of its header, what stands behind that, and where; none of that when
    /// there is too little.
    fn open(self, frame: &[u8]) -> Option<(Protocol, usize, EtherType, &[u8])> {
        let number = |at: usize| {
            let bytes = frame.get(at..at + 2)?;
            Some(EtherType(u16::from_be_bytes([bytes[0], bytes[1]])))
        };
        let (protocol, length, ether_type) = match self {
            Self::Ethernet => {
                let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
                (Protocol::Ethernet, ethernet.header_len(), ethernet.ether_type())
            }
            Self::Cooked => (Protocol::Cooked, 16, number(14)?),
            Self::Cooked2 => (Protocol::Cooked2, 20, number(0)?),
            Self::Loopback => (Protocol::Loopback, 4, family(frame)?),
            Self::Ip => {
                let ether_type = match frame.first()? >> 4 {
                    6 => EtherType::IPV6,
                    _ => EtherType::IPV4,
                };
                (Protocol::Raw, 0, ether_type)
            }
            Self::Other(_) => return None,
        };
        Some((protocol, length, ether_type, frame.get(length..)?))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ethernet => f.write_str("Ethernet"),
            Self::Cooked => f.write_str("Linux cooked"),
            Self::Cooked2 => f.write_str("Linux cooked v2"),
            Self::Loopback => f.write_str("loopback"),
            Self::Ip => f.write_str("raw IP"),
            Self::Other(number) => write!(f, "link type {number}"),
        }
    }
}

/// The families that stand for IP: 2 everywhere, and what the BSDs and macOS call IPv6.
fn family(frame: &[u8]) -> Option<EtherType> {
    let bytes: [u8; 4] = frame.get(..4)?.try_into().ok()?;
    let number = u32::from_be_bytes(bytes).min(u32::from_le_bytes(bytes));
    match number {
        2 => Some(EtherType::IPV4),
        24 | 28 | 30 => Some(EtherType::IPV6),
        _ => None,
    }
}

/// A layer's protocol. It prints as Wireshark's filters call it, where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Ethernet II.
    Ethernet,
    /// Linux cooked.
    Cooked,
    /// Linux cooked, version 2.
    Cooked2,
    /// An address family.
    Loopback,
    /// No link at all.
    Raw,
    /// A link that is not looked into, or too short to be.
    Unknown,
    /// A tag of 802.1Q.
    Vlan,
    /// A tag of 802.1AE.
    MacSec,
    /// A frame of 802.3 with a length.
    Llc,
    /// IPv4.
    Ipv4,
    /// IPv6, its extension headers included.
    Ipv6,
    /// A part of a packet of IP.
    Fragment,
    /// What else Ethernet carries, by its type.
    Ether(u16),
    /// What IP carries, by its number.
    Ip(u8),
}

/// TCP.
pub const TCP: Protocol = Protocol::Ip(IpNumber::TCP.0);

/// UDP.
pub const UDP: Protocol = Protocol::Ip(IpNumber::UDP.0);

/// Those that have a name.
const ETHER_NAMES: [(u16, &str); 7] = [
    (EtherType::ARP.0, "arp"),
    (0x8847, "mpls"),
    (0x8863, "pppoed"),
    (0x8864, "pppoes"),
    (0x888e, "eapol"),
    (0x88cc, "lldp"),
    (0x9000, "loop"),
];

/// Those that have a name.
const IP_NAMES: [(u8, &str); 14] = [
    (0, "ipv6.hopopts"),
    (1, "icmp"),
    (2, "igmp"),
    (4, "ip"),
    (6, "tcp"),
    (17, "udp"),
    (41, "ipv6"),
    (47, "gre"),
    (50, "esp"),
    (58, "icmpv6"),
    (89, "ospf"),
    (103, "pim"),
    (112, "vrrp"),
    (132, "sctp"),
];

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ethernet => f.write_str("eth"),
            Self::Cooked => f.write_str("sll"),
            Self::Cooked2 => f.write_str("sll2"),
            Self::Loopback => f.write_str("null"),
            Self::Raw => f.write_str("raw"),
            Self::Unknown => f.write_str("data"),
            Self::Vlan => f.write_str("vlan"),
            Self::MacSec => f.write_str("macsec"),
            Self::Llc => f.write_str("llc"),
            Self::Ipv4 => f.write_str("ip"),
            Self::Ipv6 => f.write_str("ipv6"),
            Self::Fragment => f.write_str("fragment"),
            Self::Ether(number) => match ETHER_NAMES.iter().find(|(n, _)| *n == number) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "ethertype-0x{number:04x}"),
            },
            Self::Ip(number) => match IP_NAMES.iter().find(|(n, _)| *n == number) {
                Some((_, name)) => f.write_str(name),
                None => write!(f, "ip-proto-{number}"),
            },
        }
    }
}

/// Bytes of a frame as it was on the wire, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Headers below IP.
    pub link: u32,
    /// Headers of IP.
    pub network: u32,
    /// Headers of TCP and UDP.
    pub transport: u32,
    /// What TCP and UDP carried.
    pub payload: u32,
}

/// What is in a frame.
#[derive(Clone, Debug, Default)]
pub struct Layers<'a> {
    protocols: [Option<Protocol>; MAX_LAYERS],
    /// The sender's and the receiver's, of a packet of IP.
    pub addresses: Option<[IpAddr; 2]>,
    /// The outermost VLAN.
    pub vlan: Option<Vlan>,
    /// What the bytes are for.
    pub share: Share,
    /// What TCP or UDP carried.
    pub transport: Option<Transport<'a>>,
    /// Whether a header contradicts itself, or ends too early in a frame that is whole.
    pub is_broken: bool,
}

/// What TCP or UDP carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A segment; of its payload, what was captured.
    Tcp([u16; 2], Segment<'a>),
    /// A datagram; of its payload, what was captured.
    Udp([u16; 2], &'a [u8]),
}

impl<'a> Layers<'a> {
    /// Looks at a frame, of which `wire_bytes` were on the wire.
    pub fn parse(link: Link, frame: &'a [u8], wire_bytes: u32) -> Self {
        let mut layers = Self::default();
        let is_whole = frame.len() >= wire_bytes as usize;
        let Some((protocol, length, ether_type, rest)) = link.open(frame) else {
            layers.push(Protocol::Unknown);
            layers.is_broken = is_whole && !matches!(link, Link::Other(_));
            return layers;
        };
        layers.push(protocol);
        layers.share.link = count(length);
        if ether_type.0 < FIRST_ETHER_TYPE && link == Link::Ethernet {
            layers.push(Protocol::Llc);
            return layers;
        }
        let behind_link = wire_bytes.saturating_sub(count(length));
        layers.read(ether_type, rest, behind_link);
        layers.is_broken &= is_whole;
        layers
    }

    /// From the outermost to the innermost.
    pub fn protocols(&self) -> impl Iterator<Item = Protocol> {
        self.protocols.iter().map_while(|protocol| *protocol)
    }

    fn push(&mut self, protocol: Protocol) {
        if let Some(free) = self.protocols.iter_mut().find(|place| place.is_none()) {
            *free = Some(protocol);
        }
    }

    /// Reads what stands behind the header of the link.
    fn read(&mut self, ether_type: EtherType, rest: &'a [u8], wire_bytes: u32) {
        let sliced = LaxSlicedPacket::from_ether_type(ether_type, rest);
        self.is_broken = sliced.stop_err.is_some();
        self.vlan = sliced.vlan_ids().first().and_then(|id| Vlan::new(id.value()));
        let mut inner = Some(ether_type);
        for tag in &sliced.link_exts {
            self.share.link += count(tag.header_len());
            inner = match tag {
                LaxLinkExtSlice::Vlan(vlan) => {
                    self.push(Protocol::Vlan);
                    Some(vlan.ether_type())
                }
                LaxLinkExtSlice::Macsec(tag) => {
                    self.push(Protocol::MacSec);
                    tag.next_ether_type()
                }
            };
        }
        let tags: u32 = sliced.link_exts.iter().map(|tag| count(tag.header_len())).sum();
        let Some(net) = sliced.net.as_ref().filter(|net| net.ip_payload_ref().is_some()) else {
            match inner {
                Some(EtherType::IPV4) => self.push(Protocol::Ipv4),
                Some(EtherType::IPV6) => self.push(Protocol::Ipv6),
                Some(EtherType(number)) => self.push(Protocol::Ether(number)),
                None => {}
            }
            return;
        };
        let length = self.read_network(net, wire_bytes.saturating_sub(tags));
        self.read_transport(sliced.transport.as_ref(), length);
    }

    /// Reads the header of IP, and says how many bytes were behind it on the wire.
    fn read_network(&mut self, net: &LaxNetSlice<'a>, wire_bytes: u32) -> u32 {
        let (protocol, addresses, header, length) = match net {
            LaxNetSlice::Ipv4(ip) => {
                let header = ip.header();
                let own = count(header.slice().len())
                    + ip.extensions().auth.map_or(0, |auth| count(auth.slice().len()));
                let addresses = [header.source_addr().into(), header.destination_addr().into()];
                (Protocol::Ipv4, addresses, own, u32::from(header.total_len()))
            }
            LaxNetSlice::Ipv6(ip) => {
                let header = ip.header();
                let own = 40 + count(ip.extensions().slice().len());
                let addresses = [header.source_addr().into(), header.destination_addr().into()];
                let length = u32::from(header.payload_length());
                (Protocol::Ipv6, addresses, own, if length == 0 { 0 } else { 40 + length })
            }
            LaxNetSlice::Arp(_) => return 0,
        };
        self.push(protocol);
        self.addresses = Some(addresses);
        self.share.network = header;
        if let Some(payload) = net.ip_payload_ref() {
            let number = payload.ip_number.0;
            self.push(if payload.fragmented { Protocol::Fragment } else { Protocol::Ip(number) });
        }
        // A card that cuts a long segment later leaves the length at zero.
        let length = if length < header { wire_bytes } else { length.min(wire_bytes) };
        length.saturating_sub(header)
    }

    fn read_transport(&mut self, transport: Option<&TransportSlice<'a>>, length: u32) {
        let header = match transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let header = tcp.to_header();
                let ports = [header.source_port, header.destination_port];
                self.transport = Some(Transport::Tcp(ports, segment(&header, tcp.payload())));
                header.header_len()
            }
            Some(TransportSlice::Udp(udp)) => {
                let ports = [udp.source_port(), udp.destination_port()];
                self.transport = Some(Transport::Udp(ports, udp.payload()));
                udp.header_len()
            }
            _ => return,
        };
        self.share.transport = count(header).min(length);
        self.share.payload = length - self.share.transport;
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::frame::{emit_tcp, emit_udp};
    use super::super::{Flags, Path, Side};
    use super::*;

    fn path(ipv6: bool, vlan: Option<Vlan>) -> Path {
        let ends = if ipv6 {
            ["[fe80::1]:50000", "[fe80::2]:80"]
        } else {
            ["10.0.0.1:50000", "10.0.0.2:80"]
        };
        let [client, server] = ends.map(|end| end.parse().unwrap());
        Path::new(client, server, vlan).unwrap()
    }

    fn names(layers: &Layers<'_>) -> String {
        layers.protocols().map(|protocol| protocol.to_string()).collect::<Vec<_>>().join(":")
    }

    fn tcp(payload: &[u8]) -> Segment<'_> {
        let (sequence, acknowledgment, flags) = (7, 8, Flags::ACK);
        Segment { sequence, acknowledgment, flags, window: 9, mss: None, payload }
    }

    #[test]
    fn what_is_emitted_is_all_accounted_for() {
        let mut frame = Vec::new();
        emit_tcp(&path(true, Vlan::new(7)), Side::Client, 0, &tcp(b"hello"), &mut frame).unwrap();
        let layers = Layers::parse(Link::Ethernet, &frame, count(frame.len()));
        assert_eq!(names(&layers), "eth:vlan:ipv6:tcp");
        assert_eq!(layers.share, Share { link: 18, network: 40, transport: 20, payload: 5 });
        assert_eq!(layers.vlan, Vlan::new(7));
        assert!(!layers.is_broken);
        assert_eq!(layers.transport, Some(Transport::Tcp([50_000, 80], tcp(b"hello"))));
    }

    #[test]
    fn a_link_is_what_stands_before_ip() {
        let mut frame = Vec::new();
        emit_udp(&path(false, None), Side::Client, 0, b"hi", &mut frame).unwrap();
        let ip = &frame[14..];
        let cooked = [&[0; 14][..], &[8, 0], ip].concat();
        let cooked2 = [&[8, 0][..], &[0; 18], ip].concat();
        let (little, big) = ([&[2, 0, 0, 0], ip].concat(), [&[0, 0, 0, 2], ip].concat());
        for (link, frame, want) in [
            (Link::Ip, ip, "raw:ip:udp"),
            (Link::Cooked, &cooked, "sll:ip:udp"),
            (Link::Cooked2, &cooked2, "sll2:ip:udp"),
            (Link::Loopback, &little, "null:ip:udp"),
            (Link::Loopback, &big, "null:ip:udp"),
            (Link::Other(147), &big, "data"),
        ] {
            let layers = Layers::parse(link, frame, count(frame.len()));
            assert_eq!(names(&layers), want);
            assert!(!layers.is_broken, "{want}");
            if want.ends_with("udp") {
                assert_eq!(layers.transport, Some(Transport::Udp([50_000, 80], b"hi")));
                assert_eq!(layers.share.payload, 2);
            }
        }
    }

    #[test]
    fn ipv6_without_a_link_or_behind_a_family_of_any_system_is_found() {
        let mut frame = Vec::new();
        emit_udp(&path(true, None), Side::Client, 0, b"hi", &mut frame).unwrap();
        let ip = &frame[14..];
        assert_eq!(names(&Layers::parse(Link::Ip, ip, count(ip.len()))), "raw:ipv6:udp");
        assert_eq!(names(&Layers::parse(Link::Ip, &ip[..10], count(ip.len()))), "raw:ipv6");
        for family in [24, 28, 30] {
            let frame = [&[family, 0, 0, 0], ip].concat();
            let layers = Layers::parse(Link::Loopback, &frame, count(frame.len()));
            assert_eq!(names(&layers), "null:ipv6:udp");
        }
    }

    #[test]
    fn a_link_is_known_by_its_number_and_has_a_name() {
        for (number, want) in [
            (0, "loopback"),
            (1, "Ethernet"),
            (101, "raw IP"),
            (108, "loopback"),
            (113, "Linux cooked"),
            (228, "raw IP"),
            (229, "raw IP"),
            (276, "Linux cooked v2"),
            (147, "link type 147"),
            // The length of the frame check sequence stands above.
            (0x2400_0001, "Ethernet"),
        ] {
            assert_eq!(Link::of(DataLink::from(number)).to_string(), want, "{number}");
        }
    }

    #[test]
    fn a_frame_that_was_cut_is_not_broken_and_keeps_its_lengths() {
        let mut frame = Vec::new();
        emit_tcp(&path(false, None), Side::Client, 0, &tcp(&[b'x'; 100]), &mut frame).unwrap();
        let whole = count(frame.len());
        for kept in 0..frame.len() {
            let layers = Layers::parse(Link::Ethernet, &frame[..kept], whole);
            assert!(!layers.is_broken, "{kept} bytes");
            if kept >= 54 {
                assert_eq!((names(&layers).as_str(), layers.share.payload), ("eth:ip:tcp", 100));
            }
            let broken = Layers::parse(Link::Ethernet, &frame[..kept], count(kept)).is_broken;
            assert_eq!(broken, kept < 54, "{kept} bytes");
        }
    }

    #[test]
    fn fragments_and_strangers_have_names() {
        let mut frame = Vec::new();
        emit_udp(&path(false, None), Side::Client, 0, b"hi", &mut frame).unwrap();
        let mut fragment = frame.clone();
        fragment[20] = 0x20;
        let layers = Layers::parse(Link::Ethernet, &fragment, count(frame.len()));
        assert_eq!(names(&layers), "eth:ip:fragment");
        assert!(layers.addresses.is_some() && layers.transport.is_none());
        for (kind, want) in [
            ([0x88, 0xcc], "eth:lldp"),
            ([0x99, 0x99], "eth:ethertype-0x9999"),
            ([6, 0], "eth:ethertype-0x0600"),
            ([0, 3], "eth:llc"),
        ] {
            frame[12..14].copy_from_slice(&kind);
            let layers = Layers::parse(Link::Ethernet, &frame, count(frame.len()));
            assert_eq!(names(&layers), want);
        }
    }
}
