//! A frame becomes its layers, each with its fields, read from the bytes alone.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::application;
use super::field::{Fields, Kind, Layer};
use super::shown::Shown;
use super::transport::{self, Origins};

const IEEE_ETHERNET: &str = "IEEE 802.3, 3.2";
const IEEE_VLAN: &str = "IEEE 802.1Q, 9.6";
const RFC_IPV4: &str = "RFC 791, 3.1";
const RFC_IPV6: &str = "RFC 8200, 3";
const RFC_DSCP: &str = "RFC 2474, 3";
const RFC_ECN: &str = "RFC 3168, 5";

/// The bytes of an Ethernet header without a tag, and those of a tag.
const ETHERNET: usize = 14;
const TAG: usize = 4;

/// The layers of the frame that is shown, the lowest first. A frame of this house has all four; of
/// any other there are those that were understood.
pub fn layers(shown: &Shown) -> Vec<Layer> {
    let mut layers = headers(&shown.frame, shown.first_sequence);
    let start = layers.last().map_or(0, |layer| layer.bytes.end);
    layers.extend(application::layer(shown, start));
    layers
}

/// The headers of a frame.
pub fn headers(frame: &[u8], first_sequence: Option<[u32; 2]>) -> Vec<Layer> {
    let Ok(sliced) = SlicedPacket::from_ethernet(frame) else { return Vec::new() };
    let mut layers = vec![link(frame, sliced.link_exts.len())];
    let at = layers[0].bytes.end;
    layers.extend(match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => Some(ipv4(frame, at, ip.header().slice().len())),
        Some(NetSlice::Ipv6(_)) => Some(ipv6(frame, at)),
        _ => None,
    });
    let at = layers.last().map_or(at, |layer| layer.bytes.end);
    layers.extend(match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let length = tcp.header_slice().len();
            Some(transport::tcp(frame, at, length, Origins(first_sequence)))
        }
        Some(TransportSlice::Udp(_)) => Some(transport::udp(frame, at)),
        _ => None,
    });
    layers
}

fn link(frame: &[u8], tags: usize) -> Layer {
    let mut fields = Fields::new(frame, 0, IEEE_ETHERNET);
    let to = mac(fields.peek_bytes(6));
    let purpose = "Which network card on this link takes the frame. A local address was made up; \
        others are built in.";
    fields.add("Destination", 48, to, purpose);
    let from = mac(fields.peek_bytes(6));
    fields.add("Source", 48, from, "Which network card sent it.");
    for _ in 0..tags {
        tag(&mut fields);
    }
    fields.source(IEEE_ETHERNET);
    let network = ether_type(fields.peek(16));
    fields.add("EtherType", 16, network, "What is inside: the protocol of the next layer.");
    let is_tagged = tags > 0;
    Layer {
        kind: Kind::Link,
        name: if is_tagged { "Ethernet II + 802.1Q" } else { "Ethernet II" },
        unit: "frame",
        purpose: "Carries a packet over one link, from one network card to the next. A router \
            takes this header off and puts on another."
            .into(),
        source: IEEE_ETHERNET,
        bytes: 0..ETHERNET + tags * TAG,
        fields: fields.done(),
    }
}

/// A tag stands where the `EtherType` would; the real one is behind it.
fn tag(fields: &mut Fields<'_>) {
    let what = ether_type(fields.peek(16));
    fields.source(IEEE_VLAN);
    fields.add("TPID", 16, what, "Says that the tag of a virtual LAN comes before the EtherType.");
    let priority = match fields.peek(3) {
        0 => "0 (best effort)".to_owned(),
        other => other.to_string(),
    };
    let purpose = "Priority code point: which frames go first when a switch is busy.";
    fields.add("PCP", 3, priority, purpose);
    let drop = if fields.peek(1) == 1 { "1 (yes)" } else { "0 (no)" };
    let purpose = "Drop eligible indicator: whether this one is dropped before others.";
    fields.add("DEI", 1, drop, purpose);
    let id = fields.peek(12).to_string();
    fields.add("VLAN", 12, id, "Which virtual LAN it is in: switches keep them apart.");
}

fn ether_type(number: u64) -> String {
    let name = match number {
        0x0800 => "IPv4",
        0x86dd => "IPv6",
        0x8100 => "802.1Q tag",
        _ => "another",
    };
    format!("0x{number:04x} ({name})")
}

/// The second-lowest bit of the first byte says who gave the address out (IEEE 802, clause 8).
fn mac(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let is_local = bytes.first().is_some_and(|first| first & 0x02 != 0);
    let note = if is_local { " (local)" } else { "" };
    format!("{}{note}", hex.join(":"))
}

fn dscp_and_ecn(fields: &mut Fields<'_>, source: &'static str) {
    let class = match fields.peek(6) {
        0 => "0 (best effort)".to_owned(),
        other => other.to_string(),
    };
    fields.source(RFC_DSCP);
    fields.add("DSCP", 6, class, "Which kind of service routers should give it.");
    let congestion = match fields.peek(2) {
        0 => "0 (not used)",
        3 => "3 (congestion met)",
        _ => "the sender understands it",
    };
    fields.source(RFC_ECN);
    fields.add("ECN", 2, congestion, "Routers can mark congestion here in place of dropping.");
    fields.source(source);
}

fn ipv4(frame: &[u8], at: usize, length: usize) -> Layer {
    let mut fields = Fields::new(frame, at, RFC_IPV4);
    fields.number("Version", 4, "Which IP this is; it tells how to read all that follows.");
    let words = fields.peek(4);
    let bytes = format!("{words} words of 4 bytes = {} bytes", 4 * words);
    fields.add("IHL", 4, bytes, "How long this header is: with options it would be longer.");
    dscp_and_ecn(&mut fields, RFC_IPV4);
    let total = format!("{} bytes", fields.peek(16));
    fields.add("Total length", 16, total, "Of the packet: this header and all that is in it.");
    let id = fields.peek(16);
    let id = format!("{id} (0x{id:04x})");
    fields.add("Identification", 16, id, "Tells which fragments belong together; here are none.");
    fields.number("Reserved", 1, "Always 0.");
    let whole = if fields.peek(1) == 1 { "1 (do not fragment)" } else { "0 (routers may)" };
    fields.add("DF", 1, whole, "A router that cannot pass it on as a whole drops it.");
    let more = if fields.peek(1) == 1 { "1 (more fragments)" } else { "0 (no more)" };
    fields.add("MF", 1, more, "Whether further fragments of the same packet follow.");
    fields.number("Fragment offset", 13, "Where this fragment belongs, in units of 8 bytes.");
    let hops = format!("{} hops", fields.peek(8));
    fields.add("Time to live", 8, hops, "Each router takes one off, and at 0 the packet dies.");
    let inside = protocol(fields.peek(8));
    fields.add("Protocol", 8, inside, "What is inside: the protocol of the next layer.");
    let sum = format!("0x{:04x}", fields.peek(16));
    fields.add("Header checksum", 16, sum, "Guards this header only; it is worked out below.");
    let from = ipv4_address(fields.peek(32));
    fields.add("Source", 32, from, "The host that sent it; routers leave it as it is.");
    let to = ipv4_address(fields.peek(32));
    fields.add("Destination", 32, to, "The host that it is for; routers look at this.");
    let options = (at + length).saturating_sub(fields.end());
    if options > 0 {
        let value = format!("{options} bytes");
        fields.add("Options", 8 * options, value, "Rarely seen: many routers drop such packets.");
    }
    Layer {
        kind: Kind::Network,
        name: "IPv4",
        unit: "packet",
        purpose: "Brings a packet from host to host, over any number of links. It promises \
            nothing: packets may be lost, doubled or overtaken."
            .into(),
        source: RFC_IPV4,
        bytes: at..at + length,
        fields: fields.done(),
    }
}

fn ipv6(frame: &[u8], at: usize) -> Layer {
    let mut fields = Fields::new(frame, at, RFC_IPV6);
    fields.number("Version", 4, "Which IP this is; it tells how to read all that follows.");
    dscp_and_ecn(&mut fields, RFC_IPV6);
    fields.number("Flow label", 20, "Lets routers send packets of one flow the same way.");
    let length = format!("{} bytes", fields.peek(16));
    fields.add("Payload length", 16, length, "How much follows this header, which is always 40.");
    let inside = protocol(fields.peek(8));
    fields.add("Next header", 8, inside, "What is inside: the protocol of the next layer.");
    let hops = format!("{} hops", fields.peek(8));
    fields.add("Hop limit", 8, hops, "Each router takes one off, and at 0 the packet dies.");
    let from = ipv6_address(fields.peek_bytes(16));
    fields.add("Source", 128, from, "The host that sent it; routers leave it as it is.");
    let to = ipv6_address(fields.peek_bytes(16));
    fields.add("Destination", 128, to, "The host that it is for; routers look at this.");
    let end = fields.end();
    Layer {
        kind: Kind::Network,
        name: "IPv6",
        unit: "packet",
        purpose: "Brings a packet from host to host, over any number of links. It promises \
            nothing, and has no checksum of its own: those above and below have to do."
            .into(),
        source: RFC_IPV6,
        bytes: at..end,
        fields: fields.done(),
    }
}

/// IANA's numbers, which both versions of IP use.
fn protocol(number: u64) -> String {
    match number {
        6 => "6 (TCP)".to_owned(),
        17 => "17 (UDP)".to_owned(),
        other => other.to_string(),
    }
}

fn ipv4_address(number: u64) -> String {
    let bits = u32::try_from(number).unwrap_or_default();
    Ipv4Addr::from_bits(bits).to_string()
}

fn ipv6_address(bytes: &[u8]) -> String {
    let octets: [u8; 16] = bytes.try_into().unwrap_or_default();
    Ipv6Addr::from_octets(octets).to_string()
}
