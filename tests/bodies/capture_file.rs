//! `tools analyze`: of arbitrary bytes, a file is refused, or all of its packets are accounted for,
//! however its bytes come; and what is told of it can be told in every way. What is no capture says
//! what is to be in one: of random bytes nearly none are a capture with packets in it.

use std::io::{self, Read};

use hubbub::wire::text::is_unsafe;
use tools::analyze::analysis::{Analysis, Settings, analyze};
use tools::analyze::ladder::MAX_ARROWS;
use tools::analyze::page::Page;
use tools::analyze::report::Report;
use tools::analyze::text::text;
use tools::analyze::traffic::MAX_BUCKETS;

use super::crafted;

const SETTINGS: Settings = Settings { chat_port: 12345, shown: None };

/// A reader that gives a few bytes at a time.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.0.len() % 7 + 1);
        self.0.read(&mut buffer[..length])
    }
}

pub fn run(data: &[u8]) {
    if !check(data) {
        check(&crafted::capture(data));
    }
}

/// Whether it is a capture.
fn check(data: &[u8]) -> bool {
    let whole = analyze(data, SETTINGS, &mut |_| {});
    let drops = analyze(Drops(data), SETTINGS, &mut |_| {});
    let (mut whole, mut drops) = match (whole, drops) {
        (Ok(whole), Ok(drops)) => (whole, drops),
        (whole, drops) => {
            let [whole, drops] = [whole, drops].map(|end| end.unwrap_err().to_string());
            assert_eq!(whole, drops);
            return false;
        }
    };
    let report = Report::new("file", &mut whole);
    accounts_for_all(&report, &whole);
    let json = report.json().expect("it holds numbers and texts");
    let again = Report::new("file", &mut drops).json().expect("it holds numbers and texts");
    assert_eq!(json, again);
    let told = text(&report, 3) + &json;
    assert!(!told.contains(|c| is_unsafe(c) && c != '\n'), "something of the file steers: {told}");
    let shown = (1..).zip(whole.conversations.list()).next();
    let page = askama::Template::render(&Page::new(&report, shown)).expect("memory");
    assert!(!page.contains(|c| is_unsafe(c) && c != '\n'), "something of the file steers: {page}");
    assert_eq!(page.matches("<script").count(), 1, "something of the file is a script");
    true
}

fn accounts_for_all(report: &Report, analysis: &Analysis) {
    let packets = report.capture.packets;
    let roots = report.protocols.iter().filter(|branch| !branch.path.contains(':'));
    let told: u64 = roots.map(|branch| branch.packets).sum();
    assert_eq!(told + report.left_out.protocol_packets, packets);
    let bytes: u64 = report.overhead.iter().map(|cost| cost.bytes).sum();
    assert_eq!(bytes, report.capture.wire_bytes);
    assert_eq!(report.lengths.iter().map(|class| class.packets).sum::<u64>(), packets);
    let timed: u64 = report.traffic.buckets.iter().map(|bucket| bucket.packets).sum();
    assert_eq!(timed + report.capture.untimed_packets, packets);
    assert!(report.traffic.buckets.len() <= MAX_BUCKETS + 1);
    let sent: u64 = report.endpoints.iter().map(|end| end.sent_packets).sum();
    let received: u64 = report.endpoints.iter().map(|end| end.received_packets).sum();
    assert_eq!(sent, received);
    let talked: u64 = report.conversations.iter().map(|talk| talk.packets).sum();
    assert!(talked <= sent);
    for talk in analysis.conversations.list() {
        assert!(talk.arrows.len() <= MAX_ARROWS);
    }
}
