//! A capture made of whatever a fuzzer says: its structure is always valid, and its times, lengths,
//! names and segments are anything. So every input gets past the parser, to what counts and draws.

use std::net::{Ipv4Addr, SocketAddr};

use arbitrary::{Arbitrary, Unstructured};
use hubbub::capture::frame::{emit_tcp, emit_udp};
use hubbub::capture::{Flags, Path, Segment, Side};

/// More than analyze has steps of time, so that these become wider.
const MAX_PACKETS: usize = 1_500;

/// How many pairs talk.
const TALKS: u8 = 4;

/// What a chat would say, so that it is followed.
const LINES: [&[u8]; 6] = [
    b"[SERVER] Enter your name:\n",
    b"[SERVER] Welcome Bob! There are 2 online.\n",
    b"Bob\n",
    b"all hi\n@Al \xe2\x80\xaeevil\n",
    b"[Al]: hi\n[From Al]: ",
    b"quit\n",
];

/// A whole file.
#[derive(Arbitrary, Debug)]
struct Crafted {
    container: Container,
    names: Vec<(u8, String)>,
    runs: Vec<Run>,
}

#[derive(Arbitrary, Debug)]
enum Container {
    Pcap { is_nanoseconds: bool },
    PcapNg { clock: Clock, about: String },
}

/// How times stand in the file.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Clock {
    Nanoseconds,
    Microseconds,
    Other { resolution: u8, offset: Number },
}

/// Packets at equal distances, so that a few bytes of input are many packets.
#[derive(Arbitrary, Debug)]
struct Run {
    count: u16,
    from: Number,
    to: Number,
    length: Option<u32>,
    frame: Frame,
}

/// Numbers of all magnitudes, and those at either end: where every bit is random, most are huge.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Any(u64),
    Low(u16),
    Bits { shift: u8, less: u8 },
    High(u16),
}

#[derive(Arbitrary, Debug)]
enum Frame {
    Wild(Vec<u8>),
    Udp { talk: u8, is_server: bool, payload: Vec<u8> },
    Tcp { talk: u8, is_server: bool, sequence: u32, ack: u32, flags: u8, window: u16, says: Says },
}

#[derive(Arbitrary, Debug)]
enum Says {
    Nothing,
    Line(u8),
    Bytes(Vec<u8>),
}

impl Number {
    fn value(self) -> u64 {
        match self {
            Self::Any(value) => value,
            Self::Low(value) => value.into(),
            Self::Bits { shift, less } => (1_u64 << (shift % 64)).wrapping_sub(less.into()),
            Self::High(value) => u64::MAX - u64::from(value),
        }
    }
}

/// The file of any bytes.
pub fn capture(data: &[u8]) -> Vec<u8> {
    match Crafted::arbitrary_take_rest(Unstructured::new(data)) {
        Ok(crafted) => crafted.file(),
        Err(_) => Vec::new(),
    }
}

impl Crafted {
    fn file(&self) -> Vec<u8> {
        let mut file = self.container.start();
        if let Container::PcapNg { .. } = self.container {
            file.extend(block(4, &self.records()));
        }
        let mut left = MAX_PACKETS;
        for run in &self.runs {
            let bytes = run.frame.bytes();
            let length = run.length.unwrap_or(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let (from, to) = (run.from.value(), run.to.value());
            let count = usize::from(run.count).min(left);
            for number in 0..count as u64 {
                let way = to.wrapping_sub(from) / (count as u64 - 1).max(1) * number;
                file.extend(self.container.packet(from.wrapping_add(way), length, &bytes));
            }
            left -= count;
        }
        file
    }

    /// The records of a block of names.
    fn records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for (talk, name) in &self.names {
            let SocketAddr::V4(client) = path(*talk).end(Side::Client).socket else { continue };
            let name: String = name.chars().filter(|c| *c != '\0').take(80).collect();
            let value = [&client.ip().octets()[..], name.as_bytes(), b"\0"].concat();
            option(&mut records, 1, &value);
        }
        records.extend([0; 4]);
        records
    }
}

impl Container {
    fn start(&self) -> Vec<u8> {
        match self {
            Self::Pcap { is_nanoseconds } => {
                let magic: u32 = if *is_nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
                let mut file = magic.to_le_bytes().to_vec();
                file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
                file
            }
            Self::PcapNg { clock, about } => {
                let (resolution, offset) = match clock {
                    Clock::Nanoseconds => (9, 0),
                    Clock::Microseconds => (6, 0),
                    Clock::Other { resolution, offset } => (*resolution, offset.value()),
                };
                let mut section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0].to_vec();
                section.extend([0xff; 8]);
                let mut interface = [1, 0, 0, 0, 0, 0, 0, 0].to_vec();
                for (code, text) in [(2, about.as_bytes()), (3, &about.as_bytes()[..0])] {
                    option(&mut interface, code, text.get(..200).unwrap_or(text));
                }
                option(&mut interface, 9, &[resolution]);
                option(&mut interface, 14, &offset.to_le_bytes());
                interface.extend([0; 4]);
                [block(0x0a0d_0d0a, &section), block(1, &interface)].concat()
            }
        }
    }

    fn packet(&self, time_ns: u64, length: u32, bytes: &[u8]) -> Vec<u8> {
        let is_micro = matches!(self, Self::PcapNg { clock: Clock::Microseconds, .. });
        let time = if is_micro { time_ns / 1_000 } else { time_ns };
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let [high, low] = [time >> 32, time & u64::from(u32::MAX)];
        let [high, low] = [high, low].map(|word| u32::try_from(word).expect("it is half of it"));
        let body = |head: &[u32]| {
            let mut body: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
            body.extend(bytes);
            body
        };
        match self {
            Self::Pcap { .. } => body(&[high, low, captured, length]),
            Self::PcapNg { .. } => block(6, &body(&[0, high, low, captured, length])),
        }
    }
}

/// A block of pcapng.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

/// An option of a block, or a record of a block of names.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn path(talk: u8) -> Path {
    let talk = talk % TALKS;
    let client = (Ipv4Addr::new(10, 0, 0, talk), 50_000 + u16::from(talk)).into();
    let server = (Ipv4Addr::new(10, 0, 1, 0), if talk == 0 { 80 } else { 12_345 }).into();
    Path::new(client, server, None).expect("both are IPv4")
}

fn side(is_server: bool) -> Side {
    if is_server { Side::Server } else { Side::Client }
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Wild(bytes) => out.extend(bytes),
            Self::Udp { talk, is_server, payload } => {
                emit_udp(&path(*talk), side(*is_server), 1, payload, &mut out).expect("it fits");
            }
            Self::Tcp { talk, is_server, sequence, ack, flags, window, says } => {
                let all = [Flags::FIN, Flags::SYN, Flags::RST, Flags::PSH, Flags::ACK];
                let set = all.into_iter().enumerate().filter(|(bit, _)| flags & 1 << bit != 0);
                let flags = set.fold(Flags::default(), |all, (_, flag)| all | flag);
                let payload = match says {
                    Says::Nothing => &[],
                    Says::Line(number) => LINES[usize::from(*number) % LINES.len()],
                    Says::Bytes(bytes) => &bytes[..],
                };
                let (sequence, acknowledgment, window) = (*sequence, *ack, *window);
                let segment =
                    Segment { sequence, acknowledgment, flags, window, mss: None, payload };
                let from = side(*is_server);
                emit_tcp(&path(*talk), from, 1, &segment, &mut out).expect("it fits");
            }
        }
        out
    }
}
