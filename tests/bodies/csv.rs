//! `tools encap`: of arbitrary bytes, every row becomes a message or a problem that names its line;
//! the messages come out in the order of their times, and become packets that parse.

use hubbub::capture::{About, Format, Mss, Packet, Writer};
use pcap_file::pcap::PcapReader;
use tools::encap::build::{Builder, Style};
use tools::encap::plan::{Plan, Shape};
use tools::encap::problem::Problems;
use tools::encap::read::{Facts, Reading};
use tools::encap::spool::{MAX_COLLECTED, Spool};

/// So little memory that a fuzzer's file needs several runs.
const COLLECTED: usize = 200;

/// The first byte says how it is done; the rest is the file.
pub fn run(data: &[u8]) {
    let Some((&switches, file)) = data.split_first() else { return };
    let on = |bit: u8| switches & bit != 0;
    let shape = Shape { udp: on(1), ipv6: on(2), vlan: None, verbatim: on(4) };
    let collected = if on(8) { COLLECTED } else { MAX_COLLECTED };
    let (mut plan, mut spool) = (Plan::new(shape), Spool::new(collected));
    let mut problems = Problems::new("file");
    let mut reading =
        Reading { plan: &mut plan, spool: &mut spool, problems: &mut problems, base_ns: 0 };
    let facts = reading.run(&mut &file[..], &mut |_| {}).expect("a slice can be read");
    check_rows(file, &facts, &problems);

    let resolved = plan.resolve().expect("so few rows leave a port");
    let style = Style { mss: Mss::new(16), verbatim: on(4), seed: 1, shift_ns: facts.shift_ns() };
    let writer = Writer::new(Vec::new(), Format::Pcap, &About::default()).expect("memory");
    let mut builder = Builder::new(&resolved, style, None, writer);
    let mut sorted = spool.into_sorted().expect("there is room for a temporary file");
    let (mut messages, mut last) = (0, (0, 0));
    while let Some(message) = sorted.next_message().expect("it can be read") {
        assert!((message.time_ns, message.line) >= last, "{message:?} is behind {last:?}");
        last = (message.time_ns, message.line);
        builder.add(&message).expect("memory");
        messages += 1;
    }
    assert_eq!(messages, facts.messages);
    let (file, packets, ..) = builder.finish().expect("memory");
    check_packets(&file, packets);
}

fn check_rows(file: &[u8], facts: &Facts, problems: &Problems) {
    assert!(problems.count() >= facts.bad_rows);
    let lines = file.split(|byte| matches!(byte, b'\r' | b'\n')).count();
    let told = problems.to_string();
    for problem in told.lines().filter(|line| !line.starts_with("file: and ")) {
        let number = problem.split(':').nth(1).and_then(|number| number.parse::<usize>().ok());
        let number = number.unwrap_or_else(|| panic!("{problem:?} names no line"));
        assert!((1..=lines).contains(&number), "{problem:?}, of {lines} lines");
    }
    let has_header = facts.messages + facts.bad_rows > 0;
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    if has_header && !file.contains(&b'"') {
        let is_blank = |line: &&[u8]| {
            line.iter().all(|byte| byte.is_ascii_whitespace() || b",;\t|".contains(byte))
        };
        let mut rows = file.split(|byte| matches!(byte, b'\n' | b'\r')).skip_while(is_blank);
        rows.next();
        let rows = rows.filter(|line| !line.is_empty());
        let (full, all) =
            rows.fold((0, 0), |(full, all), row| (full + u64::from(!is_blank(&row)), all + 1));
        let taken = facts.messages + facts.bad_rows;
        assert!((full..=all).contains(&taken), "{taken} of {full} to {all} rows");
    }
}

fn check_packets(file: &[u8], packets: u64) {
    let mut reader = PcapReader::new(file).expect("it was written just now");
    let (mut last, mut count) = (None, 0);
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("it is whole");
        assert!(last < Some(packet.timestamp()), "{last:?}, then {:?}", packet.timestamp());
        last = Some(packet.timestamp());
        Packet::parse(packet.data()).expect("what is emitted parses");
        count += 1;
    }
    assert_eq!(count, packets);
}
