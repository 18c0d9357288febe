//! `tools analyze` as a program: what it says of captures that are whole, cut, damaged or none.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::Value;

use crate::support::{Run, encap_well, run_of};

/// A short chat: two come, talk, and one says goodbye.
const CHAT: &str = "timestamp,src_ip,dst_ip,src_port,dst_port,message\n\
    0.1,10.0.0.9,10.0.0.1,12345,50000,[SERVER] Enter your name:\n\
    0.2,10.0.0.1,10.0.0.9,50000,12345,Ann\n\
    0.3,10.0.0.9,10.0.0.1,12345,50000,\"[SERVER] Welcome Ann! Commands: \
        @Name text, all text, list, help, quit\"\n\
    0.4,10.0.0.9,10.0.0.2,12345,50001,[SERVER] Enter your name:\n\
    0.5,10.0.0.2,10.0.0.9,50001,12345,<b>\n\
    0.6,10.0.0.9,10.0.0.2,12345,50001,[SERVER] Invalid name: it holds < (U+003C).\n\
    1.0,10.0.0.1,10.0.0.9,50000,12345,all hello\n\
    1.1,10.0.0.9,10.0.0.1,12345,50000,[Ann]: hello\n\
    1.2,10.0.0.1,10.0.0.9,50000,12345,hm\n\
    2.0,10.0.0.1,10.0.0.9,50000,12345,quit\n";

/// A folder with a capture of a table in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(table: &str, arguments: &[&str]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.path("in.csv"), table).unwrap();
        let [input, output] = ["in.csv", "it.pcapng"].map(|name| place.path(name));
        let ends = [input.to_str().unwrap(), "-o", output.to_str().unwrap()];
        encap_well(&[&ends, arguments].concat());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts other bytes in the place of the capture.
    fn put(&self, bytes: &[u8]) {
        fs::write(self.path("it.pcapng"), bytes).unwrap();
    }

    fn capture(&self) -> Vec<u8> {
        fs::read(self.path("it.pcapng")).unwrap()
    }

    fn analyze(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
        command.current_dir(&self.folder).args(["analyze", "it.pcapng"]).args(arguments);
        run_of(command.output().unwrap())
    }

    fn json(&self) -> Value {
        let run = self.analyze(&["--json"]);
        assert_eq!((run.code, run.log.as_str()), (0, ""));
        serde_json::from_slice(&run.stdout).unwrap()
    }
}

/// Compares with a file of the project; `UPDATE=1` writes it.
#[track_caller]
fn assert_is(told: &[u8], name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/analyze").join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, told).unwrap();
    }
    let told = String::from_utf8_lossy(told);
    assert_eq!(told, fs::read_to_string(path).unwrap(), "UPDATE=1 writes {name} anew");
}

#[test]
fn a_short_chat_is_told_in_full() {
    let place = Place::new(CHAT, &["--base-time", "2024-05-01T12:00:00Z"]);
    let text = place.analyze(&[]);
    assert_eq!((text.code, text.log.as_str()), (0, ""));
    assert_is(&text.stdout, "chat.txt");
    assert_is(&place.analyze(&["--json"]).stdout, "chat.json");
}

/// A pcap file without the packets in which this is said.
fn without(capture: &[u8], lost: &[&str]) -> Vec<u8> {
    let (head, mut rest) = capture.split_at(24);
    let mut kept = head.to_vec();
    while let Some(length) = rest.get(8..12) {
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        let (packet, behind) = rest.split_at(16 + length);
        let is_lost = |text: &&str| packet.windows(text.len()).any(|part| part == text.as_bytes());
        if !lost.iter().any(is_lost) {
            kept.extend_from_slice(packet);
        }
        rest = behind;
    }
    kept
}

#[test]
fn how_a_chat_ended_is_known_although_packets_were_lost() {
    let place = Place::new(CHAT, &[]);
    let pcap = place.path("whole.pcap");
    let table = place.path("in.csv");
    encap_well(&[table.to_str().unwrap(), "-o", pcap.to_str().unwrap()]);
    let refusal = "[SERVER] Invalid name: it holds < (U+003C).\n";
    place.put(&without(&fs::read(pcap).unwrap(), &["hm\n", refusal]));
    let chats = &place.json()["chats"];
    assert_eq!([&chats[0]["ending"], &chats[1]["ending"]], ["quit", "client closed"]);
    assert_eq!(chats[0]["missing_bytes"], 3);
    assert_eq!(chats[1]["missing_bytes"], refusal.len());
}

#[test]
fn standard_input_is_read_and_a_reader_may_stop() {
    let place = Place::new(CHAT, &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command.args(["analyze", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&place.capture()).unwrap();
    let run = run_of(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.log.as_str()), (0, ""));
    assert!(run.stdout.starts_with(b"standard input: 34 packets of Ethernet"));
}

#[test]
fn a_page_is_not_written_over_the_capture() {
    let place = Place::new(CHAT, &[]);
    let (capture, before) = (place.path("it.pcapng"), place.capture());
    std::os::unix::fs::symlink(&capture, place.path("link.html")).unwrap();
    for page in ["it.pcapng", "link.html"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
        command.arg("analyze").arg(&capture).arg("--html").arg(place.path(page));
        let run = run_of(command.output().unwrap());
        assert_eq!(run.code, 2, "{page}");
        assert!(run.log.contains("would be written over"), "{}", run.log);
        assert_eq!(place.capture(), before, "{page}");
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    let place = Place::new(CHAT, &[]);
    for (bytes, want) in [
        (&b""[..], "it.pcapng: not a capture: it is empty\n"),
        (b"\xd4\xc3\xb2\xa1\x02\0", "it.pcapng: not a capture: it ends before its header does\n"),
        (
            b"GET / HTTP/1.1\n",
            "it.pcapng: not a capture: expected pcap or pcapng, and it begins with 47 45 54 20\n",
        ),
    ] {
        place.put(bytes);
        let run = place.analyze(&[]);
        assert_eq!((run.code, run.log.as_str()), (2, want));
        assert!(run.stdout.is_empty());
    }
    place.put(b"\x1f\x8b\x08\0");
    assert!(place.analyze(&[]).log.contains("`gzip -dc`"));
    fs::remove_file(place.path("it.pcapng")).unwrap();
    let run = place.analyze(&[]);
    assert_eq!(run.code, 1);
    assert!(run.log.contains("it.pcapng: No such file"), "{}", run.log);
}

#[test]
fn of_a_file_that_was_cut_all_before_it_is_told() {
    let place = Place::new(CHAT, &[]);
    let whole = place.capture();
    for cut in [whole.len() / 2, whole.len() - 5] {
        place.put(&whole[..cut]);
        let run = place.analyze(&["--json"]);
        assert_eq!(run.code, 0);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        let next = report["capture"]["packets"].as_u64().unwrap() + 1;
        let want = format!("it.pcapng: packet {next}: the file ends in the middle of it\n");
        assert_eq!((report["capture"]["ending"].as_str(), run.log), (Some("cut"), want));
    }
}

#[test]
fn of_a_damaged_file_all_before_it_is_told() {
    let place = Place::new(CHAT, &[]);
    let mut bytes = place.capture();
    let at = bytes.len() / 2 / 4 * 4;
    bytes[at..].fill(0xee);
    place.put(&bytes);
    let run = place.analyze(&["--json"]);
    assert_eq!(run.code, 2);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["capture"]["ending"], "damaged");
    assert!(report["capture"]["packets"].as_u64().unwrap() > 5);
    assert!(run.log.contains("what is behind it was not read"), "{}", run.log);
}

#[test]
fn a_length_of_gigabytes_is_no_reason_to_wait_for_them() {
    let place = Place::new(CHAT, &[]);
    let mut file = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0".to_vec();
    file.extend([[0; 4], [0; 4], [0xff; 4], [0xff; 4]].concat());
    place.put(&file);
    let run = place.analyze(&["--json"]);
    assert_eq!(run.code, 2);
    let want =
        "it.pcapng: packet 1: it would be 4294967311 bytes long; what is behind it was not read\n";
    assert_eq!(run.log, want);
}

#[test]
fn a_pause_of_years_is_cut_out() {
    let table = "timestamp,src_port,dst_port,message\n1,50000,80,GET / HTTP/1.1\n\
        900000000,50001,80,GET / HTTP/1.1\n";
    let place = Place::new(table, &[]);
    let report = place.json();
    let buckets = report["traffic"]["buckets"].as_array().unwrap();
    assert!(buckets.len() < 20, "{}", buckets.len());
    let text = String::from_utf8(place.analyze(&[]).stdout).unwrap();
    assert!(text.contains('┊') && text.contains(" µs, the highest"), "{text}");
    assert_eq!(place.analyze(&["--html", "it.html"]).code, 0);
    let page = fs::read_to_string(place.path("it.html")).unwrap();
    assert!(page.contains("a pause was cut out") && page.len() < 60_000, "{}", page.len());
}

#[test]
fn a_page_has_everything_in_it_and_one_script() {
    let place = Place::new(CHAT, &[]);
    assert_eq!(place.analyze(&["--html", "it.html", "--conversation", "2"]).code, 0);
    let page = fs::read_to_string(place.path("it.html")).unwrap();
    assert!(page.contains("Conversation 2, step by step"));
    assert!(page.contains("&#60;b&#62;") && !page.contains("<b></bdi>"));
    for outside in ["src=", "href=\"http", "url(h", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let run = place.analyze(&["--html", "it.html", "--conversation", "3"]);
    let want = "it.pcapng: there is no conversation 3; it has 2 conversations\n";
    assert_eq!((run.code, run.log.as_str()), (2, want));
}

#[test]
fn the_policy_of_the_page_names_its_script() {
    use base64::Engine;
    use sha2::Digest;
    let place = Place::new(CHAT, &[]);
    place.analyze(&["--html", "it.html"]);
    let page = fs::read_to_string(place.path("it.html")).unwrap();
    let (_, script) = page.split_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(script));
    let policy = page.split_once("script-src '").map(|(_, rest)| rest.split_once('\'').unwrap().0);
    assert_eq!(policy, Some(format!("sha256-{hash}").as_str()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_encap_wrote_is_counted(
        rows in prop::collection::vec((0..6u16, any::<bool>(), "[a-z]{1,40}"), 1..60),
        udp in any::<bool>(),
        mss in 16..100u16,
    ) {
        let mut table = "src_port,dst_port,message\n".to_owned();
        let (mut talks, mut said) = (std::collections::BTreeSet::new(), 0);
        for (port, is_client, text) in &rows {
            let (client, server) = (50_000 + port, 7_777);
            let (from, to) = if *is_client { (client, server) } else { (server, client) };
            writeln!(table, "{from},{to},{text}").unwrap();
            talks.insert(client);
            said += text.len() as u64;
        }
        let mss = mss.to_string();
        let arguments = ["--verbatim", "--mss", &mss, "--udp"];
        let place = Place::new(&table, &arguments[..if udp { 4 } else { 3 }]);
        let report = place.json();
        let conversations = report["conversations"].as_array().unwrap();
        prop_assert_eq!(conversations.len(), talks.len());
        let sum = |name: &str| -> u64 {
            conversations.iter().map(|talk| talk[name].as_u64().unwrap()).sum()
        };
        prop_assert_eq!(sum("client_payload_bytes") + sum("server_payload_bytes"), said);
        prop_assert_eq!(sum("packets"), report["capture"]["packets"].as_u64().unwrap());
        for talk in conversations.iter().filter(|_| !udp) {
            let tcp = &talk["tcp"];
            prop_assert_eq!(tcp["completeness"].as_u64(), Some(31));
            for trouble in ["retransmissions", "out_of_order", "gaps", "duplicate_acks"] {
                prop_assert_eq!(tcp[trouble].as_u64(), Some(0), "{}", trouble);
            }
            prop_assert!(tcp["handshake_rtt_ns"].as_u64().is_some());
        }
    }
}
