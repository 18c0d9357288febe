//! `tools encap` as a program: what it says, what it writes, and what it does not.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hubbub::capture::{Packet, Payload};
use pcap_file::pcap::PcapReader;
use tempfile::TempDir;

use crate::support::{Run, encap, encap_well, run_of};

/// A folder with a table in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(table: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("in.csv"), table).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs it in the folder, so that messages name the file as a user would.
    fn encap(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
        command.current_dir(&self.folder).args(["encap", "in.csv"]).args(arguments);
        run_of(command.output().unwrap())
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What is said in the packets of `out.pcap`: from port, to port, bytes.
    fn said(&self) -> Vec<(u16, u16, String)> {
        said(&self.path("out.pcap"))
    }
}

fn said(file: &Path) -> Vec<(u16, u16, String)> {
    let file = fs::read(file).unwrap();
    let mut reader = PcapReader::new(&file[..]).unwrap();
    let mut said = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let packet = Packet::parse(packet.data()).unwrap();
        let bytes = match packet.payload {
            Payload::Tcp(segment) => segment.payload,
            Payload::Udp(bytes) => bytes,
        };
        if !bytes.is_empty() {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            said.push((packet.source.port(), packet.destination.port(), text));
        }
    }
    said
}

#[test]
fn every_bad_row_is_told_and_nothing_is_written() {
    let table = "msg_id,app_protocol,src_ip,dst_ip,src_port,dst_port,message,timestamp\n\
        1,HTTP,10.0.0.1,10.0.0.2,50000,80,fine,0.1\n\
        2,HTTP,10.0.0.1,::2,70000,80,x,yesterday\n\
        \n\
        3,HTTP,10.0.0.1,10.0.0.2,50000,80,no, quotes,0.1\n\
        4,HTTP,10.0.0.1,10.0.0.2,50000\n";
    let place = Place::new(table);
    let run = place.encap(&["-o", "out.pcapng"]);
    let want = "\
in.csv:3: timestamp: 'yesterday' is no time; expected seconds such as 0.010, or a date and time \
such as 2024-05-01 12:00:00
in.csv:3: src_port: '70000' is no port; expected 1 to 65535, or as in HTTP
in.csv:3: dst_ip: ::2 does not go with 10.0.0.1; expected both IPv4 or both IPv6
in.csv:5: row: 9 columns, expected 8 as in the first row; a message with commas needs quotes
in.csv:5: timestamp: 'quotes' is no time; expected seconds such as 0.010, or a date and time \
such as 2024-05-01 12:00:00
in.csv:6: row: 5 columns, expected 8 as in the first row
in.csv: nothing was written; --skip-bad-rows leaves them out
";
    assert_eq!((run.code, run.log.as_str()), (2, want));
    assert_eq!(place.files(), ["in.csv"]);

    let run = place.encap(&["-o", "out.pcap", "--skip-bad-rows", "--verbatim"]);
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(run.log.contains("skipped: 3 bad rows"), "{}", run.log);
    assert_eq!(place.said(), [(50_000, 80, "fine".to_owned())]);
}

/// A table that asks for so many messages of a megabyte.
fn megabytes(count: usize) -> String {
    "payload_size\n".to_owned() + &"1048576\n".repeat(count)
}

#[test]
fn what_is_out_of_proportion_is_said_and_too_much_is_refused_before_it_is_written() {
    let place = Place::new(&megabytes(17));
    let run = place.encap(&["-o", "out.pcapng"]);
    let said = "in.csv: 149 B of table become about 19.5 MB: 18,346 packets, 8.4";
    assert!(run.code == 0 && run.log.starts_with(said), "{}", run.log);

    let place = Place::new(&megabytes(100));
    let arguments = ["-o", "out.pcapng", "--mss", "16"];
    let run = place.encap(&arguments);
    let want =
        "in.csv: 813 B of table become about 990 MB: 9,830,557 packets, 89.40 % of it headers
in.csv: that is more than 268 MB, so nothing was written; --max-output 2GB would allow it
";
    assert_eq!((run.code, run.log.as_str()), (2, want));
    assert_eq!(place.files(), ["in.csv"]);
    let table = "message\n".to_owned() + &"x\n".repeat(500);
    let run = Place::new(&table).encap(&["-o", "out.pcapng", "--max-output", "50kB"]);
    assert!(run.code == 2 && run.log.contains("--max-output 76kB would"), "{}", run.log);
    let run = Place::new(&table).encap(&["-o", "out.pcapng", "--max-output", "76kB"]);
    assert!(run.code == 0 && !run.log.contains("become"), "{}", run.log);
}

#[test]
fn the_size_that_is_said_is_about_the_size_that_is_written() {
    let row = |n: usize| format!("c{},s,{}", n % 7, "x".repeat(n));
    let rows = (0..300).map(row).collect::<Vec<_>>().join("\n");
    for flags in [&[][..], &["--mss", "16"], &["--udp"], &["--ipv6", "--mss", "99"]] {
        let place = Place::new(&format!("src_app,dst_app,message\n{rows}\n"));
        let run = place.encap(&[&["-o", "out.pcapng", "--max-output", "1B"], flags].concat());
        let (_, said) = run.log.split_once("about ").unwrap();
        let said: f64 = said.split_once(" kB").unwrap().0.parse().unwrap();
        place.encap(&[&["-o", "out.pcapng"], flags].concat());
        let is = fs::metadata(place.path("out.pcapng")).unwrap().len();
        let ratio = said * 1_000.0 / f64::from(u32::try_from(is).unwrap());
        assert!((0.75..1.3).contains(&ratio), "{flags:?}: {said} kB said, {is} B written");
    }
}

#[test]
fn a_table_without_sense_is_refused_with_a_reason() {
    for (table, want) in [
        ("", "in.csv:1: row: the file is empty; the first row has to name the columns\n"),
        ("a,b\n1,2\n", "in.csv:1: row: no column is called 'message'; "),
        ("message,text\nx,y\n", "in.csv:1: text: it says the same as column 'message'\n"),
        ("message\n\"open\n", "out.pcap: "),
    ] {
        let run = Place::new(table).encap(&["-o", "out.pcap"]);
        assert!(run.log.starts_with(want), "{table:?}: {}", run.log);
    }
    let utf16: Vec<u8> = "\u{feff}message\nx\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let place = Place::new("");
    fs::write(place.path("in.csv"), utf16).unwrap();
    let run = place.encap(&["-o", "out.pcap"]);
    assert!(run.log.starts_with("in.csv:1: row: the file is UTF-16"), "{}", run.log);
}

#[test]
fn a_quote_without_an_end_takes_one_row_and_not_all_memory() {
    let mut table = "message\nfine\n\"open\n".to_owned();
    table.push_str(&"x,y\n".repeat(300_000));
    let place = Place::new(&table);
    let run = place.encap(&["-o", "out.pcap"]);
    assert_eq!(run.code, 2);
    assert!(run.log.contains("in.csv:3: row: longer than 1048576 bytes"), "{}", run.log);
}

#[test]
fn equal_seeds_give_equal_files_and_others_do_not() {
    let place = Place::new("message,timestamp\nhello,0.5\n");
    for (name, seed) in [("a.pcapng", "7"), ("b.pcapng", "7"), ("c.pcapng", "8")] {
        assert_eq!(place.encap(&["-o", name, "--seed", seed]).code, 0);
    }
    let read = |name: &str| fs::read(place.path(name)).unwrap();
    assert_eq!(read("a.pcapng"), read("b.pcapng"));
    assert_ne!(read("a.pcapng"), read("c.pcapng"));
}

#[test]
fn the_standard_streams_do_as_files() {
    let place = Place::new("message,timestamp\nhello,0.5\n");
    assert_eq!(place.encap(&["-o", "out.pcapng"]).code, 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command.args(["encap", "-", "-o", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"message,timestamp\nhello,0.5\n").unwrap();
    let run = run_of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}", run.log);
    assert_eq!(run.stdout, fs::read(place.path("out.pcapng")).unwrap());
    assert!(run.log.starts_with("standard output: 9 packets, 1 message"), "{}", run.log);
}

#[test]
fn whoever_reads_the_packets_may_stop_reading() {
    let table = format!("message\n{}", "hello\n".repeat(20_000));
    let place = Place::new(&table);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command.current_dir(&place.folder).args(["encap", "in.csv", "-o", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let run = run_of(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.log.as_str()), (0, ""));
}

#[test]
fn a_table_is_not_written_over() {
    let place = Place::new("message\nhello\n");
    std::os::unix::fs::symlink(place.path("in.csv"), place.path("link.pcap")).unwrap();
    let before = fs::read(place.path("in.csv")).unwrap();
    let run = place.encap(&["-o", "link.pcap"]);
    let refused = "--output: in.csv would be written over; another name would work\n";
    assert_eq!((run.code, run.log.as_str()), (2, refused));
    assert_eq!(fs::read(place.path("in.csv")).unwrap(), before);
}

#[test]
fn an_old_file_stays_until_the_new_one_is_whole() {
    let place = Place::new("message\nhello\n");
    fs::write(place.path("out.pcap"), "old").unwrap();
    fs::write(place.path("bad.csv"), "message,timestamp\nx,never\n").unwrap();
    let (bad, out) = (place.path("bad.csv"), place.path("out.pcap"));
    let run = encap(&[bad.to_str().unwrap(), "-o", out.to_str().unwrap()]);
    assert_eq!((run.code, fs::read(&out).unwrap()), (2, b"old".to_vec()));
    assert_eq!(place.encap(&["-o", "out.pcap"]).code, 0);
    assert_ne!(fs::read(&out).unwrap(), b"old");
    assert_eq!(place.files(), ["bad.csv", "in.csv", "out.pcap"]);
}

#[test]
fn what_cannot_be_is_refused_on_the_command_line() {
    let place = Place::new("message\nhello\n");
    for (arguments, want) in [
        (&["-o", "out.txt"][..], "ends in .pcapng or .pcap"),
        (&["-o", "out.pcap", "--vlan", "4095"], "expected 1 to 4094"),
        (&["-o", "out.pcap", "--mss", "15"], "expected 16 to 32000"),
        (&["-o", "out.pcap", "--base-time", "soon"], "expected seconds such as"),
        (&["-o", "out.pcap", "--comments"], "a pcap file has no room"),
    ] {
        let run = place.encap(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.log.contains(want), "{arguments:?}: {}", run.log);
    }
    let run = encap(&["missing.csv", "-o", "out.pcap"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.log, "tools: missing.csv: No such file or directory (os error 2)\n");
}

#[test]
fn rows_in_any_order_are_said_in_the_order_of_their_times() {
    let place = Place::new(
        "timestamp;message;dst_port;src_port\n\
         0,3;three;12345;50000\n0,1;one;12345;50000\n0,2;two;50000;12345\n",
    );
    assert_eq!(place.encap(&["-o", "out.pcap"]).code, 0);
    let want = [(50_000, 12_345, "one\n"), (12_345, 50_000, "two\n"), (50_000, 12_345, "three\n")];
    assert_eq!(place.said(), want.map(|(from, to, text)| (from, to, text.to_owned())));
}

#[test]
fn a_derived_port_is_none_that_the_table_has() {
    let place = Place::new(
        "app_protocol,src_app,dst_app,src_port,dst_port,message,timestamp\n\
         HTTPS,a,b,,,derived,0.1\nHTTPS,a,b,50000,443,given,0.2\n",
    );
    assert_eq!(place.encap(&["-o", "out.pcap"]).code, 0);
    let want = [(50_001, 443, "derived".to_owned()), (50_000, 443, "given".to_owned())];
    assert_eq!(place.said(), want);
}

#[test]
fn a_client_whose_usual_ports_are_all_in_the_table_gets_another() {
    let header = "src_ip,dst_ip,src_port,dst_port,message,timestamp\n".to_owned();
    let row = |port: &str| format!("192.0.2.1,192.0.2.2,{port},80,hi,1\n");
    let rows = (50_000..54_000).map(|port| row(&port.to_string())).chain([row("")]);
    let place = Place::new(&std::iter::once(header).chain(rows).collect::<String>());
    assert_eq!(place.encap(&["-o", "out.pcap"]).code, 0);
    let ports: HashSet<u16> = place.said().into_iter().map(|(from, ..)| from).collect();
    assert_eq!((ports.len(), ports.contains(&1024)), (4_001, true));
}

#[test]
fn a_port_that_stands_alone_is_the_servers_unless_it_is_high() {
    let place = Place::new(
        "app_protocol,src_ip,dst_ip,src_port,dst_port,message,timestamp\n\
         SMTP,192.0.2.1,192.0.2.2,,587,ask,0.1\nSMTP,192.0.2.2,192.0.2.1,587,,answer,0.2\n\
         SMTP,192.0.2.3,192.0.2.1,,40000,hello,0.3\n",
    );
    assert_eq!(place.encap(&["-o", "out.pcap"]).code, 0);
    let want = [
        (50_000, 587, "ask\r\n".to_owned()),
        (587, 50_000, "answer\r\n".to_owned()),
        (25, 40_000, "hello\r\n".to_owned()),
    ];
    assert_eq!(place.said(), want);
}

#[test]
fn a_name_has_its_address_in_every_row() {
    let place = Place::new(
        "src_app,dst_app,src_ip,dst_ip,message,timestamp\n\
         a,b,,,before,0.1\na,b,192.0.2.1,192.0.2.2,hi,0.2\na,b,,,again,0.3\n",
    );
    let run = place.encap(&["-o", "out.pcap"]);
    assert!(run.log.contains("1 conversation"), "{}", run.log);
    assert!(!run.log.contains("address"), "{}", run.log);
}

#[test]
fn a_client_with_too_many_connections_gets_another_address() {
    let header = "app_protocol,src_app,dst_app,message,timestamp\n".to_owned();
    let rows = (0..4_001).map(|server| format!("HTTPS,client,server{server},hi,{server}\n"));
    let table: String = std::iter::once(header).chain(rows).collect();
    let place = Place::new(&table);
    let log = encap_well(&[
        place.path("in.csv").to_str().unwrap(),
        "-o",
        place.path("out.pcap").to_str().unwrap(),
    ]);
    assert!(log.contains("4,001 conversations"), "{log}");
    let said = place.said();
    assert_eq!((said[3_999].0, said[4_000].0), (53_999, 50_000));
}

#[test]
fn a_message_too_long_for_a_datagram_is_a_bad_row() {
    let text = "x".repeat(70_000);
    let place = Place::new(&format!("message\n{text}\n"));
    let run = place.encap(&["-o", "out.pcap", "--udp"]);
    assert_eq!(run.code, 2);
    let want = "in.csv:2: message: 70000 bytes do not fit a datagram; expected at most 65503\n";
    assert!(run.log.starts_with(want), "{}", run.log);
    assert_eq!(place.encap(&["-o", "out.pcap"]).code, 0);
}
