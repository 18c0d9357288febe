use std::net::SocketAddr;

use etherparse::{Ipv4Header, NetSlice, SlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::block_common::Block;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{PcapNgBlock, PcapNgReader};
use proptest::prelude::*;

use super::conversation::{Misuse, OPENING_NS};
use super::frame::{MAX_DATAGRAM, ParseError, TooLong, emit_tcp};
use super::reassembly::Limits;
use super::*;

const START_NS: u64 = 1_700_000_000_000_000_000;

fn path(ipv6: bool, vlan: Option<u16>) -> Path {
    let socket = |v4: &str, v6: &str| -> SocketAddr { if ipv6 { v6 } else { v4 }.parse().unwrap() };
    let client = socket("10.0.0.1:50000", "[2001:db8::1]:50000");
    let server = socket("10.0.0.2:12345", "[2001:db8::2]:12345");
    Path::new(client, server, vlan.map(|id| Vlan::new(id).unwrap())).unwrap()
}

fn conversation(numbers: Numbers, mss: u16) -> Conversation {
    Conversation::new(path(false, None), numbers, Mss::new(mss).unwrap())
}

/// What Wireshark would tell of the frames of a conversation, one line each.
fn told(frames: &Frames) -> Vec<String> {
    let line = |frame: Frame<'_>| {
        let packet = Packet::parse(frame.bytes).unwrap();
        let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
        let time = (frame.time_ns - START_NS) / STEP_NS;
        let (seq, ack, len) = (segment.sequence, segment.acknowledgment, segment.payload.len());
        format!("{time} {:?} [{}] {seq} {ack} {len}", frame.from, segment.flags)
    };
    frames.iter().map(line).collect()
}

/// The checksums of a frame, worked out a second time by its reader.
fn assert_checksums(frame: &[u8]) {
    let sliced = SlicedPacket::from_ethernet(frame).unwrap();
    let net = sliced.net.unwrap();
    if let NetSlice::Ipv4(ip) = &net {
        let header: Ipv4Header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert!(header.dont_fragment);
    }
    match (&net, sliced.transport.unwrap()) {
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(tcp)) => {
            let ip = ip.header().to_header();
            let sum = tcp.to_header().calc_checksum_ipv4(&ip, tcp.payload()).unwrap();
            assert_eq!(tcp.checksum(), sum);
        }
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            let ip = ip.header().to_header();
            let sum = tcp.to_header().calc_checksum_ipv6(&ip, tcp.payload()).unwrap();
            assert_eq!(tcp.checksum(), sum);
        }
        (NetSlice::Ipv4(ip), TransportSlice::Udp(udp)) => {
            let ip = ip.header().to_header();
            let sum = udp.to_header().calc_checksum_ipv4(&ip, udp.payload()).unwrap();
            assert_eq!((udp.checksum(), udp.checksum() != 0), (sum, true));
        }
        (NetSlice::Ipv6(ip), TransportSlice::Udp(udp)) => {
            let ip = ip.header().to_header();
            let sum = udp.to_header().calc_checksum_ipv6(&ip, udp.payload()).unwrap();
            assert_eq!((udp.checksum(), udp.checksum() != 0), (sum, true));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_conversation_is_what_a_real_one_would_be() {
    let numbers = Numbers { sequence: [100, 500], id: [0, 0] };
    let (mut talk, mut out) = (conversation(numbers, 16), Frames::default());
    talk.open(START_NS, &mut out).unwrap();
    talk.say(Side::Client, &[b'a'; 40], START_NS + 10 * STEP_NS, &mut out).unwrap();
    talk.say(Side::Server, b"", START_NS + 20 * STEP_NS, &mut out).unwrap();
    talk.say(Side::Server, b"hi", START_NS + 30 * STEP_NS, &mut out).unwrap();
    talk.close(Side::Client, START_NS + 40 * STEP_NS, &mut out).unwrap();
    talk.say(Side::Server, b"bye", START_NS + 50 * STEP_NS, &mut out).unwrap();
    talk.finish(Side::Client, START_NS + 60 * STEP_NS, &mut out).unwrap();
    let want = [
        "0 Client [SYN] 100 0 0",
        "1 Server [SYN, ACK] 500 101 0",
        "2 Client [ACK] 101 501 0",
        "10 Client [ACK] 101 501 16",
        "11 Client [ACK] 117 501 16",
        "12 Server [ACK] 501 133 0",
        "13 Client [PSH, ACK] 133 501 8",
        "14 Server [ACK] 501 141 0",
        "30 Server [PSH, ACK] 501 141 2",
        "31 Client [ACK] 141 503 0",
        "40 Client [FIN, ACK] 141 503 0",
        "41 Server [ACK] 503 142 0",
        "50 Server [PSH, ACK] 503 142 3",
        "51 Client [ACK] 142 506 0",
        "60 Server [FIN, ACK] 506 142 0",
        "61 Client [ACK] 142 507 0",
    ];
    assert_eq!(told(&out), want);
    assert!(!talk.is_open());
}

#[test]
fn a_reset_is_one_frame_and_takes_nothing() {
    let (mut talk, mut out) = (conversation(Numbers::default(), 1_460), Frames::default());
    assert_eq!(talk.reset(Side::Server, START_NS, &mut out), Err(Misuse::NotOpen));
    talk.open(START_NS, &mut out).unwrap();
    out.clear();
    talk.reset(Side::Server, START_NS + 9 * STEP_NS, &mut out).unwrap();
    assert_eq!(told(&out), ["9 Server [RST, ACK] 1 1 0"]);
    assert_eq!(talk.say(Side::Client, b"x", START_NS, &mut out), Err(Misuse::Closed));
    assert_eq!(talk.reset(Side::Client, START_NS, &mut out), Err(Misuse::Closed));
    assert_eq!(out.len(), 1);
}

#[test]
fn what_comes_at_the_wrong_time_is_refused_and_makes_no_frame() {
    let (mut talk, mut out) = (conversation(Numbers::default(), 1_460), Frames::default());
    assert_eq!(talk.say(Side::Client, b"x", 0, &mut out), Err(Misuse::NotOpen));
    assert_eq!(talk.close(Side::Client, 0, &mut out), Err(Misuse::NotOpen));
    talk.finish(Side::Client, 0, &mut out).unwrap();
    assert!(out.is_empty());
    talk.open(0, &mut out).unwrap();
    assert_eq!(talk.open(0, &mut out), Err(Misuse::AlreadyOpen));
    talk.close(Side::Server, 0, &mut out).unwrap();
    assert!(talk.may_say(Side::Client) && !talk.may_say(Side::Server));
    out.clear();
    assert_eq!(talk.say(Side::Server, b"x", 0, &mut out), Err(Misuse::Closed));
    assert_eq!(talk.close(Side::Server, 0, &mut out), Err(Misuse::Closed));
    assert!(out.is_empty());
}

#[test]
fn a_path_has_one_family_and_no_mapped_addresses() {
    let v4: SocketAddr = "1.2.3.4:5".parse().unwrap();
    let mapped: SocketAddr = "[::ffff:1.2.3.4]:5".parse().unwrap();
    let v6: SocketAddr = "[::1]:5".parse().unwrap();
    assert_eq!(Path::new(mapped, v4, None).unwrap().end(Side::Client).socket, v4);
    let error = Path::new(v6, mapped, None).unwrap_err();
    assert_eq!(error.to_string(), "::1 and 1.2.3.4 cannot talk: one is IPv4, the other IPv6");
}

#[test]
fn numbers_out_of_range_are_no_numbers() {
    assert_eq!([0, 1, 4_094, 4_095].map(|id| Vlan::new(id).is_some()), [false, true, true, false]);
    assert_eq!([15, 16, 32_000, 32_001].map(|b| Mss::new(b).is_some()), [false, true, true, false]);
}

#[test]
fn a_datagram_too_long_is_refused_and_the_longest_is_not() {
    for ipv6 in [false, true] {
        let (mut talk, mut out) = (Exchange::new(path(ipv6, None), [7, 7]), Frames::default());
        let bytes = vec![b'x'; MAX_DATAGRAM + 1];
        assert_eq!(talk.say(Side::Client, &bytes, 0, &mut out), Err(TooLong(MAX_DATAGRAM + 1)));
        assert!(out.is_empty());
        talk.say(Side::Client, &bytes[1..], 0, &mut out).unwrap();
        let frame = out.iter().next().unwrap();
        assert_eq!(Packet::parse(frame.bytes).unwrap().payload, Payload::Udp(&bytes[1..]));
        assert_checksums(frame.bytes);
    }
}

#[test]
fn what_is_no_tcp_and_no_udp_is_foreign_or_broken() {
    assert!(matches!(Packet::parse(&[0; 10]), Err(ParseError::Broken(_))));
    assert_eq!(Packet::parse(&[0; 60]), Err(ParseError::Foreign));
}

#[test]
fn frames_of_two_conversations_are_in_order_and_never_at_once() {
    let mut timeline = Timeline::default();
    for _ in 0..2 {
        let (mut talk, mut out) = (conversation(Numbers::default(), 1_460), Frames::default());
        talk.open(START_NS, &mut out).unwrap();
        out.iter().for_each(|frame| timeline.push(&frame, None));
    }
    assert!(timeline.next_before(START_NS).is_none());
    let times: Vec<u64> = std::iter::from_fn(|| timeline.next_before(u64::MAX))
        .map(|frame| frame.time_ns - START_NS)
        .collect();
    let step = STEP_NS;
    assert_eq!(times, [0, 1, step, step + 1, 2 * step, 2 * step + 1]);
}

#[test]
fn when_too_much_waits_the_earliest_go() {
    let mut timeline = Timeline::default();
    let bytes = vec![0; timeline::MAX_WAITING_BYTES / 4];
    let frame = |time_ns| Frame {
        time_ns,
        from: Side::Client,
        is_data: true,
        missed: [0; 2],
        bytes: &bytes,
    };
    for time_ns in [30, 20, 40, 50] {
        timeline.push(&frame(time_ns), None);
    }
    assert_eq!(timeline.next_before(0).unwrap().time_ns, 20);
    assert!(timeline.next_before(0).is_none());
    // This one is late: its place was given away.
    timeline.push(&frame(5), None);
    let times: Vec<u64> =
        std::iter::from_fn(|| timeline.next_before(u64::MAX)).map(|frame| frame.time_ns).collect();
    assert_eq!(times, [21, 30, 40, 50]);
}

#[test]
fn both_formats_give_back_every_frame_with_its_nanoseconds() {
    let (mut talk, mut out) = (conversation(Numbers::default(), 1_460), Frames::default());
    talk.open(START_NS + 123_456_789, &mut out).unwrap();
    let want: Vec<(u64, Vec<u8>)> =
        out.iter().map(|frame| (frame.time_ns, frame.bytes.to_vec())).collect();
    let names = [("10.0.0.1".parse().unwrap(), "Al\0ice".to_owned())];
    let about = About { application: "hubbub", names: &names, ..About::default() };
    let write = |format| {
        let mut writer = Writer::new(Vec::new(), format, &about).unwrap();
        for frame in out.iter() {
            writer.write(&frame, Some("a word")).unwrap();
        }
        assert_eq!(writer.packets(), 3);
        writer.finish().unwrap()
    };
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap();

    let pcap = write(Format::Pcap);
    let mut reader = PcapReader::new(&pcap[..]).unwrap();
    let mut read = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        read.push((nanos(packet.timestamp()), packet.data().to_vec()));
    }
    assert_eq!(read, want);

    let pcapng = write(Format::PcapNg);
    let mut reader = PcapNgReader::new(&pcapng[..]).unwrap();
    let (mut read, mut directions) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.unwrap().0 {
            Block::EnhancedPacket(packet) => {
                read.push((nanos(packet.timestamp), packet.data.to_vec()));
                let flags = packet.options.iter().find_map(|option| match option {
                    EnhancedPacketOption::Flags(flags) => Some(*flags),
                    _ => None,
                });
                directions.push(flags.unwrap());
            }
            Block::NameResolution(block) => {
                let text = format!("{:?}", block.into_block());
                assert!(text.contains("10.0.0.1") && text.contains("Al_ice"), "{text}");
            }
            _ => {}
        }
    }
    assert_eq!(read, want);
    assert_eq!(directions, [1, 2, 1]);
}

#[test]
fn a_time_that_a_pcap_file_cannot_hold_is_an_error() {
    let mut writer = Writer::new(Vec::new(), Format::Pcap, &About::default()).unwrap();
    let bytes = [0; 60];
    let frame = Frame {
        time_ns: 1 << 63,
        from: Side::Client,
        is_data: false,
        missed: [0; 2],
        bytes: &bytes,
    };
    assert!(matches!(writer.write(&frame, None), Err(WriteError::Format(_))));
}

/// What happens in a conversation, in any order.
#[derive(Clone, Debug)]
enum Act {
    Say(bool, Vec<u8>),
    Close(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        9 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(side, bytes)| Act::Say(side, bytes)),
        1 => any::<bool>().prop_map(Act::Close),
    ]
}

fn side(is_client: bool) -> Side {
    if is_client { Side::Client } else { Side::Server }
}

/// Plays the acts, `gap_ns` apart, and gives back the frames and what each side said.
fn play(talk: &mut Conversation, acts: &[Act], gap_ns: u64) -> (Frames, [Vec<u8>; 2]) {
    let (mut out, mut said) = (Frames::default(), [Vec::new(), Vec::new()]);
    talk.open(START_NS, &mut out).unwrap();
    let mut time_ns = START_NS + OPENING_NS;
    for act in acts {
        match act {
            Act::Say(who, bytes) => {
                let who = side(*who);
                if talk.say(who, bytes, time_ns, &mut out).is_ok() {
                    said[who.index()].extend_from_slice(bytes);
                }
            }
            Act::Close(who) => drop(talk.close(side(*who), time_ns, &mut out)),
        }
        time_ns += gap_ns;
    }
    talk.finish(Side::Client, time_ns, &mut out).unwrap();
    (out, said)
}

proptest! {
    #[test]
    fn frames_keep_every_promise(
        acts in prop::collection::vec(act(), 0..20),
        sequence in any::<[u32; 2]>(),
        (ipv6, vlan) in any::<(bool, bool)>(),
        mss in 16..60u16,
        gap_ns in prop_oneof![Just(0), Just(STEP_NS), 0..3 * STEP_NS],
    ) {
        let numbers = Numbers { sequence, id: [9, 65_535] };
        let path = path(ipv6, vlan.then_some(7));
        let mut talk = Conversation::new(path, numbers, Mss::new(mss).unwrap());
        let (frames, said) = play(&mut talk, &acts, gap_ns);
        let mut streams = Side::BOTH.map(|_| (Reassembler::new(Limits::default()), Vec::new()));
        let mut next = sequence;
        let mut acknowledged = sequence;
        let mut last_ns = 0;
        for frame in frames.iter() {
            assert_checksums(frame.bytes);
            let packet = Packet::parse(frame.bytes).unwrap();
            prop_assert_eq!(packet.source, path.end(frame.from).socket);
            prop_assert_eq!(packet.destination, path.end(frame.from.other()).socket);
            prop_assert_eq!(packet.vlan, path.vlan());
            let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
            let (me, other) = (frame.from.index(), frame.from.other().index());
            prop_assert!(frame.time_ns > last_ns);
            prop_assert!(segment.payload.len() <= usize::from(mss));
            prop_assert_eq!(frame.is_data, !segment.payload.is_empty());
            prop_assert_eq!(segment.sequence, next[me]);
            if segment.flags.has(Flags::ACK) {
                prop_assert_eq!(segment.acknowledgment, next[other]);
                acknowledged[other] = segment.acknowledgment;
            } else {
                prop_assert_eq!(segment.flags, Flags::SYN);
                prop_assert_eq!(segment.acknowledgment, 0);
            }
            next[me] = next[me].wrapping_add(segment.length());
            let unacknowledged = next[me].wrapping_sub(acknowledged[me]);
            prop_assert!(unacknowledged <= 2 * u32::from(mss));
            last_ns = frame.time_ns;
            let (stream, out) = &mut streams[me];
            stream.push(&segment, out);
        }
        prop_assert_eq!(acknowledged, next);
        for ((stream, out), said) in streams.iter().zip(&said) {
            prop_assert_eq!(out, said);
            prop_assert!(stream.is_finished());
            prop_assert_eq!(stream.oddities(), reassembly::Oddities::default());
        }
    }
}

/// A short frame is padded; a card that cuts a long segment later leaves its length at zero.
#[test]
fn what_pads_a_frame_is_no_payload_and_a_length_of_zero_is_all_there_is() {
    for (ipv6, length_at, text) in
        [(false, 16, ""), (false, 16, "hi"), (true, 18, ""), (true, 18, "hi")]
    {
        let segment = Segment {
            sequence: 7,
            acknowledgment: 8,
            flags: Flags::ACK,
            window: 9,
            mss: None,
            payload: text.as_bytes(),
        };
        let mut frame = Vec::new();
        emit_tcp(&path(ipv6, None), Side::Client, 0, &segment, &mut frame).unwrap();
        frame.extend([0; 4]);
        let payload = |frame: &[u8]| {
            let bytes = u32::try_from(frame.len()).unwrap();
            Layers::parse(Link::Ethernet, frame, bytes).share.payload
        };
        let said = segment.length();
        assert_eq!(payload(&frame), said);
        frame[length_at..length_at + 2].fill(0);
        assert_eq!(payload(&frame), said + 4);
    }
}
