//! One pass over a capture: every packet is looked at once, and then forgotten.

use std::io::Read;

use hubbub::capture::Layers;
use hubbub::capture::layers::Transport;

use super::conversations::{Conversations, Message};
use super::endpoints::Endpoints;
use super::protocols::Protocols;
use super::source::{Event, Format, Origin, Record, Source, Stop};
use super::traffic::Traffic;
use crate::visible::Said;
use hubbub::capture::Link;
use std::collections::HashMap;
use std::net::IpAddr;

/// Warnings that are told one by one.
pub const MAX_WARNINGS: usize = 10;

/// Where the classes of packet lengths begin, in bytes.
pub const LENGTHS: [u32; 9] = [0, 64, 128, 256, 512, 1_024, 1_519, 4_096, 16_384];

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Where chats are.
    pub chat_port: u16,
    /// The conversation whose packets are kept, from zero; otherwise a few of each.
    pub shown: Option<usize>,
}

/// How the file ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Whole,
    /// In the middle of something.
    Cut,
    /// What is behind the last packet makes no sense.
    Damaged,
}

/// Something that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The packet that it is about, from one.
    pub packet: u64,
    /// What it is.
    pub text: Said,
}

/// What all packets together were.
#[derive(Debug, Default)]
pub struct Totals {
    /// How many.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Their bytes in the file.
    pub captured_bytes: u64,
    /// Those of which less was captured than was on the wire.
    pub cut_packets: u64,
    /// Those with a header that contradicts itself, or ends too early.
    pub broken_packets: u64,
    /// Those without a time.
    pub untimed_packets: u64,
    /// Those before the packet before them.
    pub backward_packets: u64,
    /// The first and the last time.
    pub times_ns: Option<[u64; 2]>,
    /// The longest time without a packet, and the packet that ended it.
    pub longest_gap: Option<(u64, u64)>,
    /// Packets by their length, in the classes of [`LENGTHS`].
    pub lengths: [u64; LENGTHS.len()],
    last_ns: u64,
}

/// All that was found.
#[derive(Debug)]
pub struct Analysis {
    /// All packets together.
    pub totals: Totals,
    /// The tree of protocols.
    pub protocols: Protocols,
    /// By address.
    pub endpoints: Endpoints,
    /// By conversation.
    pub conversations: Conversations,
    /// By time.
    pub traffic: Traffic,
    /// What is wrong, the first few.
    pub warnings: Vec<Warning>,
    /// How many more are wrong.
    pub more_warnings: u64,
    /// The format of the file.
    pub format: Format,
    /// The links that it names.
    pub links: Vec<Link>,
    /// What it says about itself.
    pub origin: Origin,
    /// What addresses are called.
    pub names: HashMap<IpAddr, Said>,
    /// How it ended.
    pub ending: Ending,
}

/// Reads a capture to its end. `told` is called now and then with the bytes that were read.
///
/// # Errors
///
/// When it is no capture, or cannot be read. What is cut or damaged further on is a warning.
pub fn analyze<R: Read>(
    reader: R,
    settings: Settings,
    told: &mut dyn FnMut(u64),
) -> Result<Analysis, Stop> {
    let mut source = Source::open(reader)?;
    let mut analysis = Analysis::new(source.format(), settings);
    loop {
        match source.next_event() {
            Ok(Event::Packet(record)) => analysis.add(&record),
            Ok(Event::Skipped(why)) => analysis.warn(format!("passed over: {why}")),
            Err(Stop::Over) => break,
            Err(stop @ Stop::Cut) => {
                analysis.ending = Ending::Cut;
                analysis.warn(stop.to_string());
                break;
            }
            Err(stop @ Stop::Damaged(_)) => {
                analysis.ending = Ending::Damaged;
                analysis.warn(format!("{stop}; what is behind it was not read"));
                break;
            }
            Err(stop @ Stop::Io(_)) => return Err(stop),
        }
        if analysis.totals.packets.is_multiple_of(PROGRESS_PACKETS) {
            told(source.position());
        }
    }
    analysis.conversations.finish();
    analysis.links = source.links().to_vec();
    analysis.origin = source.origin().clone();
    analysis.names.clone_from(source.names());
    Ok(analysis)
}

/// How often progress is told: once in so many packets.
const PROGRESS_PACKETS: u64 = 8_192;

impl Analysis {
    fn new(format: Format, settings: Settings) -> Self {
        Self {
            totals: Totals::default(),
            protocols: Protocols::default(),
            endpoints: Endpoints::default(),
            conversations: Conversations::new(settings.chat_port, settings.shown),
            traffic: Traffic::default(),
            warnings: Vec::new(),
            more_warnings: 0,
            format,
            links: Vec::new(),
            origin: Origin::default(),
            names: HashMap::new(),
            ending: Ending::Whole,
        }
    }

    /// Warns of the packet that would have come next.
    fn warn(&mut self, text: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning { packet: self.totals.packets + 1, text: Said::all(text) });
        } else {
            self.more_warnings += 1;
        }
    }

    fn add(&mut self, record: &Record<'_>) {
        let wire_bytes = record.wire_bytes;
        let layers = Layers::parse(record.link, record.bytes, wire_bytes);
        self.totals.add(record, layers.is_broken);
        self.protocols.add(&layers, wire_bytes);
        if let Some(time_ns) = record.time_ns {
            self.traffic.add(time_ns, wire_bytes);
        }
        let Some(addresses) = layers.addresses else { return };
        self.endpoints.add(addresses, wire_bytes);
        let Some(transport @ (Transport::Tcp(..) | Transport::Udp(..))) = layers.transport else {
            return;
        };
        self.conversations.add(&Message {
            // What has no time comes when the one before it came.
            time_ns: record.time_ns.unwrap_or(self.totals.last_ns),
            is_timed: record.time_ns.is_some(),
            addresses,
            transport,
            wire_bytes,
            payload_bytes: layers.share.payload,
        });
    }
}

impl Totals {
    fn add(&mut self, record: &Record<'_>, is_broken: bool) {
        self.packets += 1;
        self.wire_bytes = self.wire_bytes.saturating_add(record.wire_bytes.into());
        self.captured_bytes += record.bytes.len() as u64;
        self.cut_packets += u64::from(record.bytes.len() < record.wire_bytes as usize);
        self.broken_packets += u64::from(is_broken);
        let class = LENGTHS.iter().rposition(|least| record.wire_bytes >= *least).unwrap_or(0);
        if let Some(count) = self.lengths.get_mut(class) {
            *count += 1;
        }
        let Some(time_ns) = record.time_ns else {
            self.untimed_packets += 1;
            return;
        };
        let Some([first, last]) = &mut self.times_ns else {
            self.times_ns = Some([time_ns; 2]);
            self.last_ns = time_ns;
            return;
        };
        self.backward_packets += u64::from(time_ns < self.last_ns);
        self.last_ns = time_ns;
        let gap = time_ns.saturating_sub(*last);
        if self.longest_gap.is_none_or(|(longest, _)| gap > longest) {
            self.longest_gap = Some((gap, self.packets));
        }
        *first = time_ns.min(*first);
        *last = time_ns.max(*last);
    }
}
