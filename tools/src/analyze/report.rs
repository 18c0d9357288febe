//! What was found, as it is told: one structure for the text, the JSON and the page. Its names are
//! those of the JSON and stay as they are; a unit stands last in a name.

use std::net::{IpAddr, SocketAddr};

use hubbub::capture::layers::Protocol;
use serde::Serialize;

use super::analysis::{Analysis, Ending, LENGTHS, Totals};
use super::chat::{Chat, Lines};
use super::conversations::Conversation;
use super::ends::End;
use super::left_out::LeftOut;
use super::source::{Format, Interface};
use super::tcp::{Connection, Times, completeness_name};
use crate::units::grouped;
use crate::visible::{self, Said};

/// Interfaces that are named.
const INTERFACES: usize = 8;

/// All that is told of a capture.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file as a whole.
    pub capture: Capture,
    /// What is wrong with it.
    pub warnings: Vec<Warning>,
    /// The tree of protocols, every branch before what grows on it.
    pub protocols: Vec<Branch>,
    /// What the bytes were for.
    pub overhead: Vec<Cost>,
    /// Packets by length.
    pub lengths: Vec<Length>,
    /// Addresses, those with the most bytes first.
    pub endpoints: Vec<Endpoint>,
    /// Conversations, in the order of their first packets.
    pub conversations: Vec<Talk>,
    /// Chats, in the same order.
    pub chats: Vec<Session>,
    /// Packets over time.
    pub traffic: Traffic,
    /// What was left out because there was too much of it.
    pub left_out: LeftOut,
}

impl Capture {
    /// The interfaces, one line each, and how many more there are than [`INTERFACES`].
    pub(super) fn named_interfaces(&self) -> Vec<String> {
        let named = self.interfaces.iter().take(INTERFACES).map(Interface::to_string);
        let more = self.interfaces.len().checked_sub(INTERFACES).filter(|&more| more > 0);
        named.chain(more.map(|more| format!("and {} more", grouped(more as u64)))).collect()
    }
}

/// The file as a whole.
#[derive(Clone, Debug, Serialize)]
pub struct Capture {
    /// What the user calls it.
    pub file: Said,
    /// `pcap` or `pcapng`.
    pub format: &'static str,
    /// What its frames begin with.
    pub links: Vec<String>,
    /// What it says about itself.
    pub hardware: Option<Said>,
    /// The same.
    pub system: Option<Said>,
    /// The same.
    pub application: Option<Said>,
    /// The same.
    pub interfaces: Vec<Interface>,
    /// `whole`, `cut` or `damaged`.
    pub ending: &'static str,
    /// How many packets there are.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Their bytes in the file.
    pub captured_bytes: u64,
    /// The first time, since 1970.
    pub first_ns: Option<u64>,
    /// The last time, since 1970.
    pub last_ns: Option<u64>,
    /// Between the two.
    pub duration_ns: u64,
    /// The longest time without a packet, and the packet that ended it.
    pub longest_gap_ns: Option<u64>,
    /// The same.
    pub longest_gap_before_packet: Option<u64>,
    /// Packets that were not captured to their ends.
    pub cut_packets: u64,
    /// Packets with a header that makes no sense.
    pub broken_packets: u64,
    /// Packets without a time.
    pub untimed_packets: u64,
    /// Packets that are older than the one before them.
    pub backward_packets: u64,
}

/// What is wrong with a file.
#[derive(Clone, Debug, Serialize)]
pub struct Warning {
    /// The packet, from one.
    pub packet: u64,
    /// What it is.
    pub text: Said,
}

/// A branch of the tree of protocols.
#[derive(Clone, Debug, Serialize)]
pub struct Branch {
    /// From the root on, as in `eth:ip:tcp`.
    pub path: String,
    /// Packets that go through here.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
}

/// What bytes were for.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// `link`, `network`, `transport`, `payload` or `other`.
    pub layer: &'static str,
    /// How many.
    pub bytes: u64,
}

/// A class of packet lengths.
#[derive(Clone, Debug, Serialize)]
pub struct Length {
    /// The shortest.
    pub from_bytes: u32,
    /// The longest; none for the last class.
    pub to_bytes: Option<u32>,
    /// How many.
    pub packets: u64,
}

/// An address.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint {
    /// IPv4 or IPv6.
    pub address: IpAddr,
    /// What the file calls it.
    pub name: Option<Said>,
    /// Both directions.
    pub packets: u64,
    /// Both directions.
    pub bytes: u64,
    /// What it sent.
    pub sent_packets: u64,
    /// What it sent.
    pub sent_bytes: u64,
    /// What it received.
    pub received_packets: u64,
    /// What it received.
    pub received_bytes: u64,
}

/// A conversation.
#[derive(Clone, Debug, Serialize)]
pub struct Talk {
    /// From one, in the order of first packets.
    pub number: u64,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// Who opened it.
    pub client: SocketAddr,
    /// Who was called.
    pub server: SocketAddr,
    /// Both directions.
    pub packets: u64,
    /// Both directions.
    pub bytes: u64,
    /// What the client sent.
    pub client_packets: u64,
    /// The same.
    pub client_bytes: u64,
    /// What the server sent.
    pub server_packets: u64,
    /// The same.
    pub server_bytes: u64,
    /// Of that, what applications said.
    pub client_payload_bytes: u64,
    /// The same.
    pub server_payload_bytes: u64,
    /// Since 1970; none where no packet has a time.
    pub start_ns: Option<u64>,
    /// To its last packet.
    pub duration_ns: u64,
    /// How well it went, if it was TCP.
    pub tcp: Option<Tcp>,
}

/// How well a connection went.
#[derive(Clone, Debug, Serialize)]
pub struct Tcp {
    /// As Wireshark counts it.
    pub completeness: u8,
    /// In words.
    pub completeness_name: &'static str,
    /// From SYN to ACK.
    pub handshake_rtt_ns: Option<u64>,
    /// Segments that came again.
    pub retransmissions: u64,
    /// Segments that came late.
    pub out_of_order: u64,
    /// Segments behind something that was not captured.
    pub gaps: u64,
    /// Empty segments that said the same again.
    pub duplicate_acks: u64,
    /// Segments that ask whether somebody is there.
    pub keep_alives: u64,
    /// Segments that had no room for more.
    pub zero_windows: u64,
    /// How long the client took to acknowledge.
    pub client_ack_rtt: Rtt,
    /// How long the server took to acknowledge.
    pub server_ack_rtt: Rtt,
}

/// How long acknowledgments took.
#[derive(Clone, Debug, Serialize)]
pub struct Rtt {
    /// How many were measured.
    pub count: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The mean.
    pub mean_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// A chat.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// Its conversation.
    pub conversation: u64,
    /// The name; of one who was not let in, the last one tried.
    pub name: Option<Said>,
    /// When the welcome came, since 1970.
    pub login_ns: Option<u64>,
    /// What the client said.
    pub said: Words,
    /// What the server told the client.
    pub heard: Words,
    /// How it ended.
    pub ending: &'static str,
    /// What was not captured of both streams.
    pub missing_bytes: u64,
}

/// Lines by what they were.
#[derive(Clone, Debug, Serialize)]
pub struct Words {
    /// To everyone.
    pub broadcasts: u64,
    /// To one.
    pub private: u64,
    /// `list`, `help` and `quit`; or notices.
    pub other: u64,
    /// Lines that are no command; or those of the notices that refuse something.
    pub refused: u64,
}

/// Packets over time.
#[derive(Clone, Debug, Serialize)]
pub struct Traffic {
    /// How wide a bucket is.
    pub bucket_ns: u64,
    /// Those that hold something.
    pub buckets: Vec<Bucket>,
}

/// A bucket.
#[derive(Clone, Debug, Serialize)]
pub struct Bucket {
    /// When it begins, since 1970.
    pub start_ns: u64,
    /// Packets in it.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
}

impl Report {
    /// What an analysis found in a file.
    pub fn new(file: &str, analysis: &mut Analysis) -> Self {
        let overhead = analysis.protocols.overhead();
        let conversations = analysis.conversations.list();
        let warnings = analysis.warnings.iter();
        let chats = conversations
            .iter()
            .enumerate()
            .filter_map(|(index, talk)| talk.chat.as_ref().map(|chat| session(index, chat)));
        Self {
            capture: capture(file, analysis),
            warnings: warnings
                .map(|warning| Warning { packet: warning.packet, text: warning.text.clone() })
                .collect(),
            protocols: analysis.protocols.tree().iter().map(branch).collect(),
            overhead: [
                ("link", overhead.link_bytes),
                ("network", overhead.network_bytes),
                ("transport", overhead.transport_bytes),
                ("payload", overhead.payload_bytes),
                ("other", overhead.other_bytes),
            ]
            .map(|(layer, bytes)| Cost { layer, bytes })
            .to_vec(),
            lengths: lengths(&analysis.totals),
            endpoints: endpoints(analysis),
            conversations: conversations.iter().enumerate().map(talk).collect(),
            chats: chats.collect(),
            left_out: LeftOut::of(analysis),
            traffic: Traffic {
                bucket_ns: analysis.traffic.width_ns(),
                buckets: analysis
                    .traffic
                    .buckets()
                    .map(|(start_ns, count)| {
                        let (packets, bytes) = (count.packets, count.bytes);
                        Bucket { start_ns, packets, bytes }
                    })
                    .collect(),
            },
        }
    }

    /// As JSON, which holds every text as it was said, and escapes what could do harm.
    ///
    /// # Errors
    ///
    /// None that are known: it holds numbers and texts.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(visible::json(&serde_json::to_string_pretty(self)?))
    }

    /// All bytes on the wire.
    pub fn bytes(&self) -> u64 {
        self.capture.wire_bytes
    }
}

fn capture(file: &str, analysis: &Analysis) -> Capture {
    let Totals { packets, wire_bytes, captured_bytes, cut_packets, broken_packets, .. } =
        analysis.totals;
    let times = analysis.totals.times_ns;
    let gap = analysis.totals.longest_gap;
    Capture {
        file: Said::all(file),
        format: match analysis.format {
            Format::Pcap => "pcap",
            Format::PcapNg => "pcapng",
        },
        links: analysis.links.iter().map(ToString::to_string).collect(),
        hardware: analysis.origin.hardware.clone(),
        system: analysis.origin.system.clone(),
        application: analysis.origin.application.clone(),
        interfaces: analysis.origin.interfaces.clone(),
        ending: match analysis.ending {
            Ending::Whole => "whole",
            Ending::Cut => "cut",
            Ending::Damaged => "damaged",
        },
        packets,
        wire_bytes,
        captured_bytes,
        first_ns: times.map(|[first, _]| first),
        last_ns: times.map(|[_, last]| last),
        duration_ns: times.map_or(0, |[first, last]| last - first),
        longest_gap_ns: gap.map(|(gap_ns, _)| gap_ns),
        longest_gap_before_packet: gap.map(|(_, packet)| packet),
        cut_packets,
        broken_packets,
        untimed_packets: analysis.totals.untimed_packets,
        backward_packets: analysis.totals.backward_packets,
    }
}

fn branch(branch: &super::protocols::Branch) -> Branch {
    let path: Vec<String> = branch.path.iter().map(Protocol::to_string).collect();
    Branch { path: path.join(":"), packets: branch.count.packets, bytes: branch.count.bytes }
}

fn lengths(totals: &Totals) -> Vec<Length> {
    let ends = LENGTHS.iter().skip(1).map(|next| Some(next - 1)).chain([None]);
    let classes = LENGTHS.iter().zip(ends).zip(totals.lengths);
    classes
        .map(|((&from_bytes, to_bytes), packets)| Length { from_bytes, to_bytes, packets })
        .collect()
}

fn endpoints(analysis: &Analysis) -> Vec<Endpoint> {
    let told = |(address, end): (IpAddr, super::endpoints::Endpoint)| Endpoint {
        address,
        name: analysis.names.get(&address).cloned(),
        packets: end.total().packets,
        bytes: end.total().bytes,
        sent_packets: end.sent.packets,
        sent_bytes: end.sent.bytes,
        received_packets: end.received.packets,
        received_bytes: end.received.bytes,
    };
    analysis.endpoints.sorted().into_iter().map(told).collect()
}

fn number(index: usize) -> u64 {
    index as u64 + 1
}

fn talk((index, talk): (usize, &Conversation)) -> Talk {
    let [client, server] = talk.client_first(talk.ends);
    let [from_client, from_server] = talk.client_first(talk.sent);
    let [client_payload_bytes, server_payload_bytes] = talk.client_first(talk.payload_bytes);
    Talk {
        number: number(index),
        protocol: if talk.tcp.is_some() { "tcp" } else { "udp" },
        client,
        server,
        packets: talk.total().packets,
        bytes: talk.total().bytes,
        client_packets: from_client.packets,
        client_bytes: from_client.bytes,
        server_packets: from_server.packets,
        server_bytes: from_server.bytes,
        client_payload_bytes,
        server_payload_bytes,
        start_ns: talk.times_ns.map(|[first, _]| first),
        duration_ns: talk.duration_ns(),
        tcp: talk.tcp.as_ref().map(|connection| tcp(talk, connection)),
    }
}

fn tcp(talk: &Conversation, connection: &Connection) -> Tcp {
    let [one, other] = End::BOTH.map(|end| connection.trouble(end));
    let ends = [talk.client, talk.client.other()];
    let [client, server] = ends.map(|end| connection.ack_rtt(end));
    Tcp {
        completeness: connection.completeness(),
        completeness_name: completeness_name(connection.completeness()),
        handshake_rtt_ns: connection.handshake_ns(),
        retransmissions: one.retransmissions + other.retransmissions,
        out_of_order: one.out_of_order + other.out_of_order,
        gaps: one.gaps + other.gaps,
        duplicate_acks: one.duplicate_acks + other.duplicate_acks,
        keep_alives: one.keep_alives + other.keep_alives,
        zero_windows: one.zero_windows + other.zero_windows,
        client_ack_rtt: rtt(client),
        server_ack_rtt: rtt(server),
    }
}

fn rtt(times: Times) -> Rtt {
    let Times { count, min_ns, max_ns, .. } = times;
    Rtt { count, min_ns, mean_ns: times.mean_ns(), max_ns }
}

fn session(index: usize, chat: &Chat) -> Session {
    Session {
        conversation: number(index),
        name: chat.name().cloned(),
        login_ns: chat.login_ns(),
        said: words(chat.said()),
        heard: words(chat.heard()),
        ending: chat.ending().name(),
        missing_bytes: chat.missing_bytes(),
    }
}

fn words(lines: Lines) -> Words {
    let Lines { broadcasts, private, other, refused } = lines;
    Words { broadcasts, private, other, refused }
}
