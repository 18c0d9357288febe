//! `tools analyze` and tshark say the same of captures that others made. `tests/foreign/run`
//! fetches them and says where they are; without it there is nothing to compare.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::skip::skip;
use crate::support::tshark;

/// Where the files are.
const FOLDER: &str = "FOREIGN_CAPTURES";

/// What is said differently, and why: the file, what it is about, the reason.
const EXPLAINED: [(&str, &str, &str); 9] = [
    ("malformed.pcap", "the file", "it is no capture; tshark refuses it too"),
    ("modified-format.pcap", "the file", "a format of its own; the refusal says how to convert it"),
    ("test017-be.pcapng", "data", "custom blocks: tshark shows each as a packet"),
    ("test017-le.pcapng", "data", "custom blocks: tshark shows each as a packet"),
    ("wireshark_samples-test.pcapng", "ff02::1", "IPv6 in UDP (Teredo) is not looked into"),
    ("wireshark_samples-test.pcapng", "2001:0:d5d:", "IPv6 in UDP (Teredo) is not looked into"),
    ("smtp.pcap", "retransmissions", "the bytes came before: again, not out of order"),
    (
        "4SICS-GeekLounge-151020.pcap",
        "retransmissions",
        "the first segment that a side is seen to send",
    ),
    (
        "4SICS-GeekLounge-151020.pcap",
        "completeness",
        "a reset and nothing else is 32; tshark has 0",
    ),
];

/// Answers by what they are about.
type Facts = BTreeMap<String, Vec<u64>>;

#[test]
#[ignore = "tools/tests/foreign/run fetches the captures that it needs"]
fn what_tshark_says_of_foreign_files_is_said_here() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return skip(&format!("{FOLDER} names no captures; tools/tests/foreign/run fetches some"));
    };
    if !tshark::is_there() {
        return;
    }
    let (mut files, mut facts, mut unexplained) = (0, 0, Vec::new());
    let mut explained: BTreeMap<usize, u64> = BTreeMap::new();
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.collect();
    paths.sort();
    for path in paths {
        files += 1;
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (ours, theirs) = match ours(&path) {
            Some(report) => (of_report(&report), of_tshark(&path, &report)),
            None => (Facts::from([("the file".to_owned(), vec![])]), Facts::new()),
        };
        facts += theirs.len();
        let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
        for key in keys.filter(|key| ours.get(*key) != theirs.get(*key)) {
            let is_about = |(file, about, _): &(&str, &str, &str)| {
                let mut words = key.split([' ', '/']);
                *file == name && (key == about || words.any(|word| word.starts_with(about)))
            };
            match EXPLAINED.iter().position(is_about) {
                Some(reason) => *explained.entry(reason).or_default() += 1,
                None => unexplained.push(format!(
                    "{name}: {key}: {:?}, tshark {:?}",
                    ours.get(key),
                    theirs.get(key)
                )),
            }
        }
    }
    println!("{files} files, {facts} facts of tshark; different, and why:");
    for (reason, times) in explained {
        let (file, about, why) = EXPLAINED[reason];
        println!("  {file}: {about} ({times} times): {why}");
    }
    assert!(unexplained.is_empty(), "\n{}", unexplained.join("\n"));
}

/// The report; none of a file that is refused, which has to be refused well.
fn ours(path: &Path) -> Option<Value> {
    let program = env!("CARGO_BIN_EXE_tools");
    let output = Command::new(program).args(["analyze", "--json"]).arg(path).output().unwrap();
    if output.status.code() == Some(2) && output.stdout.is_empty() {
        assert!(String::from_utf8_lossy(&output.stderr).contains("not a capture"));
        return None;
    }
    assert_eq!(output.status.code(), Some(0), "{}", path.display());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn list<'a>(report: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    report[name].as_array().unwrap().iter()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn numbers(value: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| number(&value[*name])).collect()
}

fn of_report(report: &Value) -> Facts {
    let mut facts = Facts::new();
    for branch in list(report, "protocols") {
        let path = branch["path"].as_str().unwrap();
        facts.insert(format!("hierarchy {path}"), numbers(branch, &["packets", "bytes"]));
    }
    for end in list(report, "endpoints") {
        let names = [
            "packets",
            "bytes",
            "sent_packets",
            "sent_bytes",
            "received_packets",
            "received_bytes",
        ];
        facts
            .insert(format!("endpoint {}", end["address"].as_str().unwrap()), numbers(end, &names));
    }
    let tcp = list(report, "conversations").filter(|talk| talk["protocol"] == "tcp");
    for (stream, talk) in tcp.enumerate() {
        let mut add = |what: &str, told: Vec<u64>| {
            facts.insert(format!("stream/{stream} {what}"), told);
        };
        let payload = number(&talk["client_payload_bytes"]) + number(&talk["server_payload_bytes"]);
        add("packets", vec![number(&talk["packets"]), number(&talk["bytes"]), payload]);
        add("duration_us", vec![number(&talk["duration_ns"]) / 1_000]);
        let tcp = &talk["tcp"];
        let [client, server] = ["client_ack_rtt", "server_ack_rtt"].map(|name| &tcp[name]);
        let count = number(&client["count"]) + number(&server["count"]);
        let most = number(&client["max_ns"]).max(number(&server["max_ns"]));
        let least = [client, server].into_iter().filter(|rtt| number(&rtt["count"]) > 0);
        let least = least.map(|rtt| number(&rtt["min_ns"])).min().unwrap_or_default();
        add("ack_rtt", vec![count, least, most]);
        add("handshake", vec![number(&tcp["handshake_rtt_ns"])]);
        add("completeness", vec![number(&tcp["completeness"])]);
        add("retransmissions", vec![number(&tcp["retransmissions"])]);
    }
    facts
}

fn of_tshark(path: &Path, report: &Value) -> Facts {
    let options = ["-n", "-q", "-z", "io,phs", "-z", "endpoints,ip", "-z", "endpoints,ipv6"];
    let told = tshark::printed("tshark", &options, path);
    let mut facts = Facts::new();
    let ours: Vec<&str> =
        list(report, "protocols").map(|branch| branch["path"].as_str().unwrap()).collect();
    let mut stem: Vec<&str> = Vec::new();
    for line in told.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, frames, bytes] = words[..]
            && let Some(frames) = frames.strip_prefix("frames:")
            && let Some(bytes) = bytes.strip_prefix("bytes:")
        {
            stem.truncate((line.len() - line.trim_start().len()) / 2);
            stem.push(name);
            // What tshark finds in what we do not look into, it tells of a branch that ends here.
            let is_within = |end: usize| {
                let outer = stem[..end].join(":");
                let goes_on = |path: &&str| path.starts_with(&format!("{outer}:"));
                ours.contains(&outer.as_str()) && !ours.iter().any(goes_on)
            };
            if !(1..stem.len()).any(is_within) {
                let told = [frames, bytes].map(|digits| digits.parse().unwrap()).to_vec();
                facts.insert(format!("hierarchy {}", stem.join(":")), told);
            }
        } else if let [address, rest @ ..] = &words[..]
            && address.parse::<std::net::IpAddr>().is_ok()
            && rest.len() >= 6
        {
            let told = rest[..6].iter().map(|digits| digits.parse().unwrap()).collect();
            facts.insert(format!("endpoint {address}"), told);
        }
    }
    facts.append(&mut streams(path));
    facts
}

/// What the fields of all segments say of their streams: what `conv,tcp` prints, without rounding.
fn streams(path: &Path) -> Facts {
    let fields = [
        "tcp.stream",
        "frame.len",
        "tcp.len",
        "frame.time_epoch",
        "tcp.analysis.ack_rtt",
        "tcp.analysis.initial_rtt",
        "tcp.completeness",
        "tcp.analysis.retransmission",
    ];
    let fields = fields.iter().flat_map(|field| ["-e", field]);
    // Segments that an ICMP message quotes are no segments.
    let mut options = vec!["-n", "-2", "-Y", "tcp and !icmp and !icmpv6", "-T", "fields"];
    options.extend(fields);
    let mut facts = Facts::new();
    let mut times: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in tshark::printed("tshark", &options, path).lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let stream = format!("stream/{}", words[0]);
        let mut add = |what: &str, change: &dyn Fn(&mut Vec<u64>), empty: Vec<u64>| {
            change(facts.entry(format!("{stream} {what}")).or_insert(empty));
        };
        let [frame, payload] = [words[1], words[2]].map(|digits| digits.parse().unwrap_or(0));
        add(
            "packets",
            &|told| {
                told[0] += 1;
                told[1] += frame;
                told[2] += payload;
            },
            vec![0; 3],
        );
        let time_ns = nanoseconds(words[3]);
        let (first, last) = times.entry(stream.clone()).or_insert((time_ns, time_ns));
        (*first, *last) = (time_ns.min(*first), time_ns.max(*last));
        let lasted_us = (*last - *first) / 1_000;
        add("duration_us", &|told| told[0] = lasted_us, vec![0]);
        let rtt = (!words[4].is_empty()).then(|| nanoseconds(words[4]));
        add(
            "ack_rtt",
            &|told| {
                if let Some(rtt) = rtt {
                    told[1] = if told[0] == 0 { rtt } else { told[1].min(rtt) };
                    told[0] += 1;
                    told[2] = told[2].max(rtt);
                }
            },
            vec![0; 3],
        );
        let handshake = nanoseconds(words[5]);
        add("handshake", &|told| told[0] = told[0].max(handshake), vec![0]);
        let bits = words[6].parse().unwrap();
        add("completeness", &|told| told[0] = bits, vec![0]);
        let is_again = u64::from(!words[7].is_empty());
        add("retransmissions", &|told| told[0] += is_again, vec![0]);
    }
    facts
}

/// Of seconds with nine digits behind the point.
fn nanoseconds(seconds: &str) -> u64 {
    seconds.replace('.', "").parse().unwrap_or_default()
}
