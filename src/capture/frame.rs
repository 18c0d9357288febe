//! A frame: Ethernet II, a VLAN tag if there is one, IPv4 or IPv6, TCP or UDP, and the payload.
//!
//! What is emitted has right lengths and checksums, and parses back to what it was made of. What is
//! parsed is whatever somebody captured: anything that is not TCP or UDP in one piece is an error.

use std::net::{IpAddr, SocketAddr};

use etherparse::err::packet::SliceError;
use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6Header, NetSlice, SingleVlanHeader,
    SlicedPacket, TcpHeader, TcpOptionElement, TransportSlice, UdpHeader, VlanId,
};
use thiserror::Error;

use super::{Flags, Path, Segment, Side, Vlan};

/// How many routers a frame may pass: what Linux and macOS start with.
const HOPS: u8 = 64;

/// The longest payload of a datagram, in bytes: what IPv4 can say, less its header and that of UDP.
pub const MAX_DATAGRAM: usize = 65_507;

/// The frame has no room for so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} bytes do not fit one packet")]
pub struct TooLong(pub usize);

/// Writes the frame of a segment from one side behind what is in `out`. `id` is the identification
/// of its IPv4 header (RFC 6864: fragments aside, it means nothing).
///
/// # Errors
///
/// When the payload is longer than a packet; then nothing is written.
pub fn emit_tcp(
    path: &Path,
    from: Side,
    id: u16,
    segment: &Segment<'_>,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let too_long = TooLong(segment.payload.len());
    let [source, destination] = sockets(path, from);
    let mut header =
        TcpHeader::new(source.port(), destination.port(), segment.sequence, segment.window);
    header.acknowledgment_number = segment.acknowledgment;
    header.fin = segment.flags.has(Flags::FIN);
    header.syn = segment.flags.has(Flags::SYN);
    header.rst = segment.flags.has(Flags::RST);
    header.psh = segment.flags.has(Flags::PSH);
    header.ack = segment.flags.has(Flags::ACK);
    if let Some(mss) = segment.mss {
        let option = [TcpOptionElement::MaximumSegmentSize(mss)];
        header.set_options(&option).map_err(|_| too_long)?;
    }
    let sum = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.calc_checksum_ipv4_raw(from.octets(), to.octets(), segment.payload)
        }
        (from, to) => header.calc_checksum_ipv6_raw(octets(from), octets(to), segment.payload),
    };
    header.checksum = sum.map_err(|_| too_long)?;
    let header = header.to_bytes();
    emit_below(path, from, id, IpNumber::TCP, header.len() + segment.payload.len(), out)?;
    out.extend_from_slice(&header);
    out.extend_from_slice(segment.payload);
    Ok(())
}

/// Writes the frame of a datagram from one side behind what is in `out`; `id` as in [`emit_tcp`].
///
/// # Errors
///
/// When the payload is longer than a packet, [`MAX_DATAGRAM`]; then nothing is written.
pub fn emit_udp(
    path: &Path,
    from: Side,
    id: u16,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let too_long = TooLong(payload.len());
    if payload.len() > MAX_DATAGRAM {
        return Err(too_long);
    }
    let [source, destination] = sockets(path, from);
    let length = u16::try_from(UdpHeader::LEN + payload.len()).map_err(|_| too_long)?;
    let (source_port, destination_port) = (source.port(), destination.port());
    let mut header = UdpHeader { source_port, destination_port, length, checksum: 0 };
    let sum = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.calc_checksum_ipv4_raw(from.octets(), to.octets(), payload)
        }
        (from, to) => header.calc_checksum_ipv6_raw(octets(from), octets(to), payload),
    };
    header.checksum = sum.map_err(|_| too_long)?;
    emit_below(path, from, id, IpNumber::UDP, usize::from(length), out)?;
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Writes the headers below the transport.
fn emit_below(
    path: &Path,
    from: Side,
    id: u16,
    protocol: IpNumber,
    length: usize,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    let too_long = TooLong(length);
    let payload_length = u16::try_from(length).map_err(|_| too_long)?;
    let [source, destination] = sockets(path, from).map(|socket| socket.ip());
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
        emit_link(path, from, EtherType::IPV6, out);
        let header = Ipv6Header {
            payload_length,
            next_header: protocol,
            hop_limit: HOPS,
            source: octets(source),
            destination: octets(destination),
            ..Ipv6Header::default()
        };
        out.extend_from_slice(&header.to_bytes());
        return Ok(());
    };
    let (source, destination) = (source.octets(), destination.octets());
    let mut header = Ipv4Header::new(payload_length, HOPS, protocol, source, destination)
        .map_err(|_| too_long)?;
    header.identification = id;
    header.header_checksum = header.calc_header_checksum();
    emit_link(path, from, EtherType::IPV4, out);
    out.extend_from_slice(&header.to_bytes());
    Ok(())
}

fn emit_link(path: &Path, from: Side, network: EtherType, out: &mut Vec<u8>) {
    let tag = path.vlan().and_then(|vlan| VlanId::try_new(vlan.get()).ok());
    let ethernet = Ethernet2Header {
        source: path.end(from).mac.0,
        destination: path.end(from.other()).mac.0,
        ether_type: if tag.is_some() { EtherType::VLAN_TAGGED_FRAME } else { network },
    };
    out.extend_from_slice(&ethernet.to_bytes());
    if let Some(vlan_id) = tag {
        let tag = SingleVlanHeader { vlan_id, ether_type: network, ..SingleVlanHeader::default() };
        out.extend_from_slice(&tag.to_bytes());
    }
}

/// The sender's and the receiver's.
fn sockets(path: &Path, from: Side) -> [SocketAddr; 2] {
    [path.end(from).socket, path.end(from.other()).socket]
}

/// As IPv6 writes it. A [`Path`] holds one family only, so an IPv4 address never comes here.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
    }
}

/// What was in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The outermost VLAN tag.
    pub vlan: Option<Vlan>,
    /// What it carried.
    pub payload: Payload<'a>,
}

/// What a packet carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A segment of TCP.
    Tcp(Segment<'a>),
    /// The bytes of a datagram of UDP.
    Udp(&'a [u8]),
}

/// Why a frame was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// It is not TCP or UDP over IP, or it is a fragment of that.
    #[error("not TCP or UDP over IP in one piece")]
    Foreign,
    /// A header contradicts itself, or the frame ends too early.
    #[error(transparent)]
    Broken(SliceError),
}

impl<'a> Packet<'a> {
    /// Reads a frame from its Ethernet header on. Checksums are not looked at: of what a machine
    /// sends, its network card often works them out only after the capture.
    ///
    /// # Errors
    ///
    /// [`ParseError`] says what it is not.
    pub fn parse(frame: &'a [u8]) -> Result<Self, ParseError> {
        let sliced = SlicedPacket::from_ethernet(frame).map_err(ParseError::Broken)?;
        let vlan = sliced.vlan_ids().first().and_then(|id| Vlan::new(id.value()));
        let [source, destination] = match sliced.net.as_ref() {
            Some(NetSlice::Ipv4(ip)) => {
                [ip.header().source_addr().into(), ip.header().destination_addr().into()]
            }
            Some(NetSlice::Ipv6(ip)) => {
                [IpAddr::from(ip.header().source_addr()), ip.header().destination_addr().into()]
            }
            _ => return Err(ParseError::Foreign),
        };
        let (ports, payload) = match sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let header = tcp.to_header();
                let ports = [header.source_port, header.destination_port];
                (ports, Payload::Tcp(segment(&header, tcp.payload())))
            }
            Some(TransportSlice::Udp(udp)) => {
                ([udp.source_port(), udp.destination_port()], Payload::Udp(udp.payload()))
            }
            _ => return Err(ParseError::Foreign),
        };
        let source = SocketAddr::new(source, ports[0]);
        let destination = SocketAddr::new(destination, ports[1]);
        Ok(Self { source, destination, vlan, payload })
    }
}

/// A segment as its header tells it.
pub(super) fn segment<'a>(header: &TcpHeader, payload: &'a [u8]) -> Segment<'a> {
    let marks = [
        (header.fin, Flags::FIN),
        (header.syn, Flags::SYN),
        (header.rst, Flags::RST),
        (header.psh, Flags::PSH),
        (header.ack, Flags::ACK),
    ];
    let flags = marks.iter().filter(|(set, _)| *set).fold(Flags::default(), |all, (_, f)| all | *f);
    let mss = header.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::MaximumSegmentSize(mss)) => Some(mss),
        _ => None,
    });
    Segment {
        sequence: header.sequence_number,
        acknowledgment: header.acknowledgment_number,
        flags,
        window: header.window_size,
        mss,
        payload,
    }
}
