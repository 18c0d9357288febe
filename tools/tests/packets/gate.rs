//! Wireshark has nothing to say against any file that `tools encap` writes.

use std::path::{Path, PathBuf};

use crate::support::tshark::{self, Messages};
use crate::support::{encap_well, other_tables, own_tables};

/// Each table is encapsulated in each of these ways: every pair of transport and network, and each
/// format with each of them.
const WAYS: [(&str, &[&str]); 4] = [
    ("plain.pcapng", &[]),
    ("ipv6.pcap", &["--ipv6"]),
    ("udp.pcap", &["--udp", "--vlan", "4094"]),
    ("udp6.pcapng", &["--udp", "--ipv6", "--comments", "--base-time", "2024-05-01 12:00:00"]),
];

fn write_all(tables: &[PathBuf], folder: &Path) -> Vec<(PathBuf, Messages)> {
    let mut files = Vec::new();
    for table in tables {
        let name = table.file_stem().unwrap().to_str().unwrap();
        let messages = if name.starts_with("long") { Messages::Long } else { Messages::Short };
        for (way, arguments) in WAYS {
            let file = folder.join(format!("{name}-{way}"));
            let (from, to) = (table.to_str().unwrap(), file.to_str().unwrap());
            encap_well(&[&[from, "-o", to], arguments].concat());
            files.push((file, messages));
        }
    }
    files
}

#[test]
fn tables_of_this_project_are_clean_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_all(&own_tables(), folder.path());
    if tshark::is_there() {
        tshark::assert_all_clean(&files);
    }
}

#[test]
fn tables_of_others_are_clean_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_all(&other_tables(), folder.path());
    if tshark::is_there() {
        tshark::assert_all_clean(&files);
    }
}

#[test]
fn wireshark_follows_what_was_said() {
    if !tshark::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (table, file) = (folder.path().join("in.csv"), folder.path().join("out.pcapng"));
    let text = "src_port,dst_port,message\n50000,12345,Alice\n12345,50000,\"hi, Alice\"\n\
                50000,12345,all שלום\n";
    std::fs::write(&table, text).unwrap();
    let arguments = [table.to_str().unwrap(), "-o", file.to_str().unwrap(), "--mss", "16"];
    encap_well(&arguments);
    let [client, server] = tshark::follow(&file, 0);
    assert_eq!(String::from_utf8(client).unwrap(), "Alice\nall שלום\n");
    assert_eq!(String::from_utf8(server).unwrap(), "hi, Alice\n");
}

#[test]
fn names_comments_and_dates_are_shown() {
    if !tshark::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (table, file) = (folder.path().join("in.csv"), folder.path().join("out.pcapng"));
    std::fs::write(&table, "src_app,dst_app,message,timestamp\nann,bob,hello,0.5\n").unwrap();
    let (table, name) = (table.to_str().unwrap(), file.to_str().unwrap());
    let log = encap_well(&[table, "-o", name, "--comments", "--base-time", "2024-05-01T12:00:00Z"]);
    assert!(log.contains("ann is 10.0.0.1, bob is 10.0.0.2"), "{log}");
    let fields =
        ["-T", "fields", "-e", "ip.src_host", "-e", "frame.comment", "-e", "frame.time_utc"];
    let options = ["-o", "nameres.network_name:TRUE", "-N", "n", "-Y", "tcp.len>0"];
    let shown = tshark::printed("tshark", &[&options[..], &fields[..6]].concat(), &file);
    assert_eq!(shown, "ann\tin.csv, line 2\n");
    let time = tshark::ask(&["-Y", "tcp.len>0", "-T", "fields", "-e", "frame.time_epoch"], &file);
    assert_eq!(time.trim(), "1714564800.500000000");
}
