//! Conversations that nobody would think of, two hundred in a file, so that tshark starts once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path as FilePath;

use hubbub::capture::conversation::OPENING_NS;
use hubbub::capture::{
    About, Conversation, Format, Frame, Frames, Mss, Numbers, Path, Side, Timeline, Vlan, Writer,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::encap_well;
use crate::support::tshark::{self, Messages};

/// How many conversations are in one file.
const TALKS: usize = 200;

/// Where the times of the files begin, in nanoseconds.
const START_NS: u64 = 1_700_000_000_000_000_000;

/// What one side says, and how long after the last word.
#[derive(Clone, Debug)]
struct Word {
    is_client: bool,
    bytes: Vec<u8>,
    pause_ns: u64,
}

#[derive(Clone, Debug)]
struct Talk {
    words: Vec<Word>,
    numbers: ([u32; 2], [u16; 2]),
    mss: u16,
    ipv6: bool,
    vlan: Option<u16>,
    start_ns: u64,
}

fn talk() -> impl Strategy<Value = Talk> {
    let word = (any::<bool>(), prop::collection::vec(any::<u8>(), 1..3_000), 0..2_000_000u64)
        .prop_map(|(is_client, bytes, pause_ns)| Word { is_client, bytes, pause_ns });
    // Numbers that wrap in the middle. With u32::MAX the first acknowledgement is 0, which is fine
    // with TCP; Wireshark takes it for a repetition.
    let number = prop_oneof![0..u32::MAX, u32::MAX - 3_000..u32::MAX];
    (
        prop::collection::vec(word, 1..6),
        ([number.clone(), number], any::<[u16; 2]>()),
        prop_oneof![3 => Just(1_460), 1 => 16..3_000u16],
        any::<bool>(),
        prop::option::of(1..=Vlan::MAX),
        0..50_000_000u64,
    )
        .prop_map(|(words, numbers, mss, ipv6, vlan, start_ns)| Talk {
            words,
            numbers,
            mss,
            ipv6,
            vlan,
            start_ns,
        })
}

fn path(index: u16, talk: &Talk) -> Path {
    let address = |host: u16| -> IpAddr {
        if talk.ipv6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, index, host).into()
        } else {
            let [high, low] = index.to_be_bytes();
            Ipv4Addr::new(10, high, low, u8::try_from(host).unwrap()).into()
        }
    };
    let client = SocketAddr::new(address(1), 50_000 + index);
    let server = SocketAddr::new(address(2), 54_000);
    Path::new(client, server, talk.vlan.and_then(Vlan::new)).unwrap()
}

/// Writes a file of conversations at the same time, and gives back what each side said.
fn write(talks: &[Talk], file: &FilePath) -> BTreeMap<(SocketAddr, SocketAddr), Vec<u8>> {
    let (mut timeline, mut said) = (Timeline::default(), BTreeMap::new());
    for (index, talk) in (0..).zip(talks) {
        let path = path(index, talk);
        let (sequence, id) = talk.numbers;
        let mut conversation =
            Conversation::new(path, Numbers { sequence, id }, Mss::new(talk.mss).unwrap());
        let mut frames = Frames::default();
        let mut time_ns = START_NS + talk.start_ns;
        conversation.open(time_ns, &mut frames).unwrap();
        time_ns += OPENING_NS;
        for word in &talk.words {
            time_ns += word.pause_ns;
            let side = if word.is_client { Side::Client } else { Side::Server };
            conversation.say(side, &word.bytes, time_ns, &mut frames).unwrap();
            let ends = (path.end(side).socket, path.end(side.other()).socket);
            said.entry(ends).or_insert_with(Vec::new).extend_from_slice(&word.bytes);
        }
        conversation.finish(Side::Server, time_ns, &mut frames).unwrap();
        frames.iter().for_each(|frame| timeline.push(&frame, None));
    }
    let out = std::io::BufWriter::new(File::create(file).unwrap());
    let mut writer = Writer::new(out, Format::PcapNg, &About::default()).unwrap();
    while let Some(it) = timeline.next_before(u64::MAX) {
        let frame = Frame {
            time_ns: it.time_ns,
            from: it.from,
            is_data: false,
            missed: [0; 2],
            bytes: &it.bytes,
        };
        writer.write(&frame, None).unwrap();
    }
    writer.finish().unwrap();
    said
}

/// What tshark finds in the segments of each direction, in the order of the file.
fn seen(file: &FilePath) -> BTreeMap<(SocketAddr, SocketAddr), Vec<u8>> {
    let fields = ["ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport"];
    let mut arguments = vec!["-Y", "tcp.len>0", "-T", "fields"];
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    arguments.extend(["-e", "tcp.payload"]);
    let mut seen = BTreeMap::new();
    for line in tshark::ask(&arguments, file).lines() {
        let column: Vec<&str> = line.split('\t').collect();
        let socket = |at: usize| {
            let address = if column[at].is_empty() { column[at + 1] } else { column[at] };
            SocketAddr::new(address.parse().unwrap(), column[at + 2].parse().unwrap())
        };
        let bytes = seen.entry((socket(0), socket(3))).or_insert_with(Vec::new);
        bytes.extend(tshark::hex(column[6]));
    }
    seen
}

#[test]
fn random_conversations_are_clean_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("random.pcapng");
    let mut runner = TestRunner::deterministic();
    let talks: Vec<Talk> =
        (0..TALKS).map(|_| talk().new_tree(&mut runner).unwrap().current()).collect();
    let said = write(&talks, &file);
    if tshark::is_there() {
        tshark::assert_clean(&file, Messages::Short);
        assert!(seen(&file) == said, "tshark sees other bytes than were said");
    }
}

/// Words that mean something to some dissector.
const WORDS: &[&str] = &[
    "hello",
    "GET / HTTP/1.1",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 304 Not Modified",
    "a: b",
    "Host: x",
    "{\"a\": 1}",
    "Content-Length: 77",
    "Content-Type: image/png",
    "Transfer-Encoding: chunked",
    "Upgrade: websocket",
    "CONNECT a:1 HTTP/1.1",
    "<html>",
    "USER bob",
    "PASV",
    "SSH-2.0-OpenSSH",
    "220 ok",
    "QUIT",
    "www.example.com",
    "192.0.2.7",
    "2001:db8::7",
    "שלום",
    "\"q\"",
    ",",
    "\u{1}",
];

fn row() -> impl Strategy<Value = (usize, bool, String, u64)> {
    let between = prop::sample::select(vec![" ", "\n", "\r\n"]);
    let words = prop::collection::vec(prop::sample::select(WORDS), 0..5);
    let text = (words, between).prop_map(|(words, between)| words.join(between));
    (0..TALKS, any::<bool>(), text, 0..3_000_000u64)
}

#[test]
fn random_tables_are_clean() {
    const SERVICES: [&str; 4] = ["HTTP", "DNS", "FTP", "SSH"];
    let folder = tempfile::tempdir().unwrap();
    let (table, file) = (folder.path().join("in.csv"), folder.path().join("out.pcapng"));
    let mut runner = TestRunner::deterministic();
    let mut text = "app_protocol,src_app,dst_app,message,timestamp\n".to_owned();
    for _ in 0..4 * TALKS {
        let (talk, is_client, said, time_us) = row().new_tree(&mut runner).unwrap().current();
        let (client, server) = (format!("c{talk}"), format!("s{talk}"));
        let (from, to) = if is_client { (client, server) } else { (server, client) };
        let (service, said) = (SERVICES[talk % SERVICES.len()], said.replace('"', "\"\""));
        writeln!(text, "{service},{from},{to},\"{said}\",{time_us}e-6").unwrap();
    }
    std::fs::write(&table, text).unwrap();
    encap_well(&[table.to_str().unwrap(), "-o", file.to_str().unwrap()]);
    if tshark::is_there() {
        tshark::assert_clean(&file, Messages::Short);
    }
}
