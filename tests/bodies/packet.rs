//! Packets: a stream cut into segments, which come in any order, overlap and come again, is the
//! stream that it was; arbitrary segments keep the reassembler within its limits; an arbitrary
//! frame parses to something that prints as itself, or does not parse.

use arbitrary::{Arbitrary, Unstructured};
use hubbub::capture::frame::{emit_tcp, emit_udp};
use hubbub::capture::reassembly::Limits;
use hubbub::capture::{Flags, Packet, Path, Payload, Reassembler, Segment, Side};

/// Small, so that streams of a fuzzer's size exceed them.
const LIMITS: Limits = Limits { bytes: 64, pieces: 4 };

/// The longest stream.
const MAX_STREAM: usize = 256;

/// A cut out of the stream, and how far away in the row of segments it comes.
#[derive(Arbitrary, Debug)]
struct Cut {
    from: u8,
    length: u8,
    comes: u8,
}

#[derive(Arbitrary, Debug)]
struct Case {
    first: u32,
    stream: Vec<u8>,
    cuts: Vec<Cut>,
    wild: Vec<Wild>,
}

/// A segment that fits nothing.
#[derive(Arbitrary, Debug)]
struct Wild {
    ahead: i16,
    far: bool,
    flags: u8,
    payload: Vec<u8>,
}

pub fn run(data: &[u8]) {
    parses_or_not(data);
    if let Ok(case) = Case::arbitrary(&mut Unstructured::new(data)) {
        gives_back_the_stream(&case);
        stays_within_its_limits(&case);
    }
}

fn segment(sequence: u32, flags: Flags, payload: &[u8]) -> Segment<'_> {
    Segment { sequence, acknowledgment: 0, flags, window: 0, mss: None, payload }
}

/// Every byte comes at least once, in cuts of any size and order.
fn gives_back_the_stream(case: &Case) {
    let stream = &case.stream[..case.stream.len().min(MAX_STREAM)];
    let mut cuts: Vec<(u8, usize, usize)> = Vec::new();
    for cut in &case.cuts {
        let from = usize::from(cut.from).min(stream.len());
        let to = (from + usize::from(cut.length)).min(stream.len());
        cuts.push((cut.comes, from, to));
    }
    // What no cut covers comes too, a few bytes at a time, somewhere among them.
    for (index, from) in (0..stream.len()).step_by(7).enumerate() {
        let comes = case.cuts.get(index).map_or(0, |cut| cut.comes.reverse_bits());
        cuts.push((comes, from, (from + 7).min(stream.len())));
    }
    cuts.sort_by_key(|(comes, ..)| *comes);

    let limits = Limits { bytes: MAX_STREAM, pieces: MAX_STREAM };
    let (mut reassembler, mut out) = (Reassembler::new(limits), Vec::new());
    reassembler.push(&segment(case.first, Flags::SYN, b""), &mut out);
    let start = case.first.wrapping_add(1);
    let number = |place: usize| start.wrapping_add(u32::try_from(place).expect("it is short"));
    for (_, from, to) in cuts {
        let ends = if to == stream.len() { Flags::FIN } else { Flags::default() };
        reassembler.push(&segment(number(from), ends, &stream[from..to]), &mut out);
        assert!(stream.starts_with(&out), "{out:?} is no front of {stream:?}");
        assert!(out.len() + reassembler.waiting_bytes() <= stream.len());
    }
    reassembler.push(&segment(number(stream.len()), Flags::FIN, b""), &mut out);
    assert_eq!(out, stream);
    assert!(reassembler.is_finished());
    assert_eq!((reassembler.waiting_bytes(), reassembler.gap()), (0, 0));
    let oddities = reassembler.oddities();
    assert_eq!((oddities.dropped, oddities.missing), (0, 0));
}

/// Whatever comes, and whatever gap is skipped, little is kept and every byte is accounted for.
fn stays_within_its_limits(case: &Case) {
    let (mut reassembler, mut out) = (Reassembler::new(LIMITS), Vec::new());
    let mut bytes = 0;
    for wild in &case.wild {
        let far = if wild.far { 1 << 31 } else { 0 };
        let sequence = case.first.wrapping_add_signed(i32::from(wild.ahead)).wrapping_add(far);
        let marks = [(1, Flags::FIN), (2, Flags::SYN), (4, Flags::RST)];
        let set = marks.iter().filter(|(bit, _)| wild.flags & bit != 0);
        let flags = set.fold(Flags::default(), |all, (_, flag)| all | *flag);
        reassembler.push(&segment(sequence, flags, &wild.payload), &mut out);
        bytes += wild.payload.len() as u64;
        if wild.flags & 8 != 0 {
            let passed = reassembler.passed();
            let skipped = reassembler.skip_gap(&mut out);
            assert!(reassembler.passed() >= passed + skipped);
        }
        let oddities = reassembler.oddities();
        let waiting = reassembler.waiting_bytes();
        assert!(waiting <= LIMITS.bytes);
        assert_eq!(out.len() as u64 + oddities.missing, reassembler.passed());
        assert_eq!(out.len() as u64 + waiting as u64 + oddities.again + oddities.dropped, bytes);
    }
}

/// What parses is emitted again as something that parses to the same.
fn parses_or_not(frame: &[u8]) {
    let Ok(packet) = Packet::parse(frame) else { return };
    let Ok(path) = Path::new(packet.source, packet.destination, packet.vlan) else { return };
    let mut again = Vec::new();
    let emitted = match packet.payload {
        Payload::Tcp(segment) => emit_tcp(&path, Side::Client, 0, &segment, &mut again),
        Payload::Udp(payload) => emit_udp(&path, Side::Client, 0, payload, &mut again),
    };
    emitted.expect("what came in one packet fits one packet");
    let parsed = Packet::parse(&again).expect("what is emitted parses");
    // An IPv4-mapped address is an IPv4 address on the way out.
    if packet.source.is_ipv4() == parsed.source.is_ipv4() {
        assert_eq!(parsed, packet);
    }
}
