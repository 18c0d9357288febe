//! A capture file, read record by record: pcap and pcapng, of anybody.
//!
//! The formats are pcap-file's to know. What it is given is bounded here: no record longer than
//! `MAX_RECORD` of the input, no more than `MAX_INTERFACES` interfaces, and no options of
//! packets, which would be kept in memory for each.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::time::Duration;

use hubbub::capture::Link;
use pcap_file::pcap::{PcapHeader, PcapParseError, PcapParser, PcapTsResolution, RawPcapPacket};
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::name_resolution::Record as NameRecord;
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, NAME_RESOLUTION_BLOCK, PACKET_BLOCK,
    SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK,
};
use pcap_file::pcapng::{Block, PcapNgParseError, PcapNgParser, RawBlock};
use pcap_file::{DataLink, Endianness};
use serde::Serialize;
use thiserror::Error;

use super::input::{End, Input, Look};
use crate::visible::Said;

/// Interfaces of one section.
const MAX_INTERFACES: usize = 1_024;

/// What all descriptions of the interfaces of one section may have together, in bytes.
const MAX_INTERFACE_BYTES: usize = 1 << 20;

/// Names of addresses that are kept.
const MAX_NAMES: usize = 10_000;

/// The longest block of names that is read, in bytes.
const MAX_NAME_BLOCK: usize = 256 << 10;

/// What stands in a pcap file before the bytes of a packet.
const PCAP_HEADER: usize = 16;

/// What stands in a block before and behind its body.
const BLOCK_HEADER: usize = 8;
const BLOCK_FRAME: usize = 12;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The old one.
    Pcap,
    /// The new one.
    PcapNg,
}

/// A packet as the file has it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Nanoseconds since 1970; none where the file does not say, or where no `u64` holds it.
    pub time_ns: Option<u64>,
    /// How long it was on the wire.
    pub wire_bytes: u32,
    /// How it begins.
    pub link: Link,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

/// What comes next.
#[derive(Debug)]
pub enum Event<'a> {
    /// A packet.
    Packet(Record<'a>),
    /// A block that makes no sense was passed over.
    Skipped(String),
}

/// Why there is no more.
#[derive(Debug, Error)]
pub enum Stop {
    /// Everything was read.
    #[error("it is over")]
    Over,
    /// The file ends in the middle of something.
    #[error("the file ends in the middle of it")]
    Cut,
    /// What comes makes no sense, and neither does what is behind it.
    #[error("{0}")]
    Damaged(String),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        match end {
            End::Over => Self::Over,
            End::Cut => Self::Cut,
            End::Io(error) => Self::Io(error),
            End::TooLong(bytes) => Self::Damaged(format!("it would be {bytes} bytes long")),
        }
    }
}

/// What a file says about itself.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The machine.
    pub hardware: Option<Said>,
    /// Its system.
    pub system: Option<Said>,
    /// The program that wrote it.
    pub application: Option<Said>,
    /// The interfaces of the last section that say something of themselves.
    pub interfaces: Vec<Interface>,
}

/// What a file says about an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// What the system calls it.
    pub name: Option<Said>,
    /// What it is.
    pub description: Option<Said>,
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.description) {
            (Some(name), Some(description)) => write!(f, "{name} ({description})"),
            (Some(said), None) | (None, Some(said)) => said.fmt(f),
            (None, None) => Ok(()),
        }
    }
}

/// A capture file.
#[derive(Debug)]
pub struct Source<R> {
    input: Input<R>,
    parser: Parser,
    interface_bytes: usize,
    links: Vec<Link>,
    names: HashMap<IpAddr, Said>,
    origin: Origin,
}

#[derive(Debug)]
enum Parser {
    Pcap(PcapParser, Link),
    PcapNg(PcapNgParser),
}

/// A packet by its place in the window.
struct Found {
    time_ns: Option<u64>,
    wire_bytes: u32,
    link: Link,
    offset: usize,
    length: usize,
}

/// What a record turned out to be.
enum Item {
    Packet(Found),
    Other,
    Skipped(String),
}

impl<R: Read> Source<R> {
    /// Reads what stands before the first packet.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no capture; the text says what it looks like.
    pub fn open(reader: R) -> Result<Self, Stop> {
        let mut input = Input::new(reader);
        let (parser, _) = input.find(|window| {
            let Some(first) = window.first_chunk::<4>() else { return Ok(Look::Needs(4)) };
            if u32::from_be_bytes(*first) == SECTION_HEADER_BLOCK {
                return open_pcapng(window);
            }
            open_pcap(window, *first)
        })?;
        let mut source = Self {
            input,
            parser,
            interface_bytes: 0,
            links: Vec::new(),
            names: HashMap::new(),
            origin: Origin::default(),
        };
        match &source.parser {
            Parser::Pcap(_, link) => source.links.push(*link),
            Parser::PcapNg(_) => source.note_section(),
        }
        Ok(source)
    }

    /// Which format it is.
    pub fn format(&self) -> Format {
        match self.parser {
            Parser::Pcap(..) => Format::Pcap,
            Parser::PcapNg(_) => Format::PcapNg,
        }
    }

    /// The link types that were named so far, each once.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What it says about itself.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What addresses are called.
    pub fn names(&self) -> &HashMap<IpAddr, Said> {
        &self.names
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// The next packet, or what was passed over.
    ///
    /// # Errors
    ///
    /// [`Stop`] says why there is none; there will be none either when it is asked again.
    pub fn next_event(&mut self) -> Result<Event<'_>, Stop> {
        loop {
            let (item, at) = match &mut self.parser {
                Parser::Pcap(parser, link) => {
                    let (parser, link) = (&*parser, *link);
                    self.input.find(|window| look_pcap(parser, link, window))?
                }
                Parser::PcapNg(_) => self.next_block()?,
            };
            match item {
                Item::Packet(Found { time_ns, wire_bytes, link, offset, length }) => {
                    let bytes = self.input.bytes(at + offset, length);
                    return Ok(Event::Packet(Record { time_ns, wire_bytes, link, bytes }));
                }
                Item::Skipped(why) => return Ok(Event::Skipped(why)),
                Item::Other => {}
            }
        }
    }

    fn next_block(&mut self) -> Result<(Item, usize), Stop> {
        let Parser::PcapNg(parser) = &mut self.parser else { return Err(Stop::Over) };
        let names = &mut self.names;
        let ((item, kind, length), at) =
            self.input.find(|window| match parser.next_raw_block(window) {
                Ok((rest, block)) => {
                    let used = window.len() - rest.len();
                    let kind = block.type_;
                    let item = read_block(parser, block, names);
                    Ok::<_, Stop>(Look::Found((item, kind, used), used))
                }
                Err(error) => incomplete(&error).ok_or_else(|| damaged(&error)),
            })?;
        match kind {
            SECTION_HEADER_BLOCK => self.note_section(),
            INTERFACE_DESCRIPTION_BLOCK => self.note_interface(length)?,
            _ => {}
        }
        Ok((item, at))
    }

    fn note_section(&mut self) {
        use pcap_file::pcapng::blocks::section_header::SectionHeaderOption as Of;
        let Parser::PcapNg(parser) = &self.parser else { return };
        self.interface_bytes = 0;
        self.origin = Origin::default();
        for option in &parser.section().options {
            let (place, said) = match option {
                Of::Hardware(text) => (&mut self.origin.hardware, text),
                Of::OS(text) => (&mut self.origin.system, text),
                Of::UserApplication(text) => (&mut self.origin.application, text),
                Of::Common(_) => continue,
            };
            *place = Some(Said::quote(said));
        }
    }

    /// Keeps what an interface is, and no more of them than there may be.
    fn note_interface(&mut self, length: usize) -> Result<(), Stop> {
        let Parser::PcapNg(parser) = &self.parser else { return Ok(()) };
        self.interface_bytes += length;
        let interfaces = parser.interfaces();
        if interfaces.len() > MAX_INTERFACES || self.interface_bytes > MAX_INTERFACE_BYTES {
            let count = interfaces.len();
            return Err(Stop::Damaged(format!("too many interfaces are described: {count}")));
        }
        let Some(interface) = interfaces.last() else { return Ok(()) };
        let link = Link::of(interface.linktype);
        if !self.links.contains(&link) {
            self.links.push(link);
        }
        let mut said = Interface::default();
        for option in &interface.options {
            let (place, text) = match option {
                InterfaceDescriptionOption::IfName(text) => (&mut said.name, text),
                InterfaceDescriptionOption::IfDescription(text) => (&mut said.description, text),
                _ => continue,
            };
            *place = Some(Said::quote(text));
        }
        self.origin.interfaces.extend(Some(said).filter(|said| *said != Interface::default()));
        Ok(())
    }
}

fn open_pcapng(window: &[u8]) -> Result<Look<Parser>, Stop> {
    match PcapNgParser::new(window) {
        Ok((rest, parser)) => Ok(Look::Found(Parser::PcapNg(parser), window.len() - rest.len())),
        Err(error) => incomplete(&error).ok_or_else(|| damaged(&error)),
    }
}

fn open_pcap(window: &[u8], first: [u8; 4]) -> Result<Look<Parser>, Stop> {
    match PcapHeader::from_slice(window) {
        Ok((rest, header)) => {
            let (_, parser) = PcapParser::new(window).map_err(|error| damaged(&error))?;
            let link = Link::of(header.datalink);
            Ok(Look::Found(Parser::Pcap(parser, link), window.len() - rest.len()))
        }
        Err(PcapParseError::IncompleteBuffer(needed, _)) if is_pcap(first) => {
            Ok(Look::Needs(needed))
        }
        Err(_) => Err(Stop::Damaged(looks_like(first))),
    }
}

fn is_pcap(first: [u8; 4]) -> bool {
    const MAGIC: [u32; 2] = [0xa1b2_c3d4, 0xa1b2_3c4d];
    [u32::from_be_bytes(first), u32::from_le_bytes(first)].iter().any(|magic| MAGIC.contains(magic))
}

/// What a file is that is no capture, by its first bytes.
fn looks_like(first: [u8; 4]) -> String {
    const MODIFIED: u32 = 0xa1b2_cd34;
    let what = match first {
        [0x1f, 0x8b, ..] => "; it is compressed: pipe it through `gzip -dc` and read `-`",
        [0x28, 0xb5, 0x2f, 0xfd] => "; it is compressed: pipe it through `zstd -dc` and read `-`",
        _ if [u32::from_be_bytes(first), u32::from_le_bytes(first)].contains(&MODIFIED) => {
            "; a modified tcpdump wrote it: `editcap -F pcap` makes it an ordinary pcap file"
        }
        _ => "",
    };
    let first = first.map(|byte| format!("{byte:02x}")).join(" ");
    format!("not a capture: expected pcap or pcapng, and it begins with {first}{what}")
}

fn incomplete<T>(error: &PcapNgParseError) -> Option<Look<T>> {
    match error {
        // Before it has seen a length, it asks for the shortest block; then, for all but what
        // stands before the body.
        PcapNgParseError::IncompleteBuffer(BLOCK_FRAME, had) if *had < BLOCK_FRAME => {
            Some(Look::Needs(BLOCK_FRAME))
        }
        PcapNgParseError::IncompleteBuffer(needed, _) => Some(Look::Needs(needed + BLOCK_HEADER)),
        _ => None,
    }
}

/// An error with its causes, in one line.
fn damaged(error: &(dyn std::error::Error + 'static)) -> Stop {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    Stop::Damaged(texts.join(": "))
}

fn look_pcap(parser: &PcapParser, link: Link, window: &[u8]) -> Result<Look<Item>, Stop> {
    match parser.next_raw_packet(window) {
        Ok((rest, packet)) => {
            let item = Item::Packet(Found {
                time_ns: Some(pcap_time(&packet, parser.header().ts_resolution)),
                wire_bytes: packet.orig_len.max(packet.incl_len),
                link,
                offset: PCAP_HEADER,
                length: packet.data.len(),
            });
            Ok(Look::Found(item, window.len() - rest.len()))
        }
        Err(PcapParseError::IncompleteBuffer(needed, _)) if window.len() < PCAP_HEADER => {
            Ok(Look::Needs(needed))
        }
        Err(PcapParseError::IncompleteBuffer(needed, _)) => Ok(Look::Needs(PCAP_HEADER + needed)),
        Err(error) => Err(damaged(&error)),
    }
}

/// A fraction of more than a second counts as it stands: some writers let it run over.
fn pcap_time(packet: &RawPcapPacket<'_>, resolution: PcapTsResolution) -> u64 {
    let unit = match resolution {
        PcapTsResolution::MicroSecond => 1_000,
        PcapTsResolution::NanoSecond => 1,
    };
    u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_frac) * unit
}

fn read_block(
    parser: &PcapNgParser,
    mut block: RawBlock<'_>,
    names: &mut HashMap<IpAddr, Said>,
) -> Item {
    let kind = block.type_;
    match kind {
        ENHANCED_PACKET_BLOCK | PACKET_BLOCK => {
            cut_options(&mut block, parser.section().endianness);
        }
        SIMPLE_PACKET_BLOCK => {}
        NAME_RESOLUTION_BLOCK if block.body.len() <= MAX_NAME_BLOCK => {}
        _ => return Item::Other,
    }
    let block = match block.try_into_block(parser.state()) {
        Ok(block) => block,
        Err(error) => {
            let Stop::Damaged(why) = damaged(&error) else { return Item::Other };
            return Item::Skipped(why);
        }
    };
    match block {
        Block::EnhancedPacket(packet) => {
            let link = link(parser, packet.interface_id);
            let time_ns = nanoseconds(packet.timestamp);
            found(time_ns, packet.original_len, link, 20, packet.data.len())
        }
        Block::Packet(packet) => {
            let link = link(parser, packet.interface_id.into());
            let time_ns = nanoseconds(packet.timestamp);
            found(time_ns, packet.original_len, link, 20, packet.data.len())
        }
        Block::SimplePacket(packet) => {
            found(None, packet.original_len, link(parser, 0), 4, packet.data.len())
        }
        Block::NameResolution(block) => {
            for record in block.records {
                keep_name(record, names);
            }
            Item::Other
        }
        _ => Item::Other,
    }
}

fn found(time_ns: Option<u64>, wire_bytes: u32, link: Link, offset: usize, length: usize) -> Item {
    Item::Packet(Found { time_ns, wire_bytes, link, offset: BLOCK_HEADER + offset, length })
}

/// Takes the options off a packet's block: nobody asks for them, and a hostile one has many.
fn cut_options(block: &mut RawBlock<'_>, endianness: Endianness) {
    let Some(length) = block.body.get(12..16).and_then(|bytes| bytes.first_chunk::<4>()) else {
        return;
    };
    let length = match endianness {
        Endianness::Big => u32::from_be_bytes(*length),
        Endianness::Little => u32::from_le_bytes(*length),
    };
    let end = (length as usize).next_multiple_of(4).saturating_add(BLOCK_HEADER + BLOCK_FRAME);
    if let std::borrow::Cow::Borrowed(body) = block.body {
        block.body = body.get(..end).unwrap_or(body).into();
    }
}

fn link(parser: &PcapNgParser, interface: u32) -> Link {
    let interface = parser.interfaces().get(interface as usize);
    Link::of(interface.map_or(DataLink::Unknown(u32::from(u16::MAX)), |found| found.linktype))
}

fn nanoseconds(time: Duration) -> Option<u64> {
    u64::try_from(time.as_nanos()).ok()
}

fn keep_name(record: NameRecord<'_>, names: &mut HashMap<IpAddr, Said>) {
    let (address, said) = match record {
        NameRecord::Ipv4(record) => (IpAddr::from(record.ip_addr), record.names),
        NameRecord::Ipv6(record) => (IpAddr::from(record.ip_addr), record.names),
        _ => return,
    };
    // As Wireshark does, the last name counts.
    if let Some(name) = said.last()
        && (names.len() < MAX_NAMES || names.contains_key(&address))
    {
        names.insert(address, Said::quote(name));
    }
}
