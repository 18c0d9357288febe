//! `hubbub serve --capture`: what was said comes back out of the file, and Wireshark has nothing to
//! say against it. The server is the one in `tools`, which is the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use hubbub::capture::reassembly::Limits;
use hubbub::capture::{Packet, Payload, Reassembler};
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::block_common::Block;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;

use crate::support::chat::{Client, DEADLINE, Server};
use crate::support::tshark;

const CLIENTS: usize = 40;
const LINES_EACH: usize = 5;

/// The streams of the client and of the server, by the client's port.
type Streams = BTreeMap<u16, [Vec<u8>; 2]>;

/// Everyone logs in, talks to all, and hears all.
fn chat(server: &Server) -> Vec<Client> {
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|n| Client::login(server.address, &format!("guest{n}"))).collect();
    for round in 0..LINES_EACH {
        for (n, client) in clients.iter_mut().enumerate() {
            client.say(&format!("all {round} of {n}: שלום, {}\n", "so on ".repeat(30)));
        }
    }
    clients[0].say("list\n@guest1 psst\n");
    clients[1].hear("psst");
    let last = |n: usize| format!("[guest{n}]: {} of {n}:", LINES_EACH - 1);
    for client in &mut clients {
        (0..CLIENTS).for_each(|n| client.hear(&last(n)));
    }
    clients
}

/// They go, each in another way; some are still there when the server stops.
fn leave(clients: &mut [Client], server: Server) {
    for (n, client) in clients.iter_mut().enumerate() {
        match n % 4 {
            0 => client.say("quit\n"),
            1 => client.say("all that is it\n"),
            _ => {}
        }
        if n % 4 < 3 {
            client.end();
            client.hear_end();
        }
    }
    server.stop();
    for client in clients.iter_mut().skip(3).step_by(4) {
        client.hear_end();
    }
}

/// What the files say, one after the other.
fn streams(files: &[PathBuf]) -> Streams {
    let mut streams = Streams::new();
    for file in files {
        let bytes = fs::read(file).unwrap();
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let mut halves = BTreeMap::new();
        while let Some(block) = reader.next_block() {
            let (Block::EnhancedPacket(block), _) = block.unwrap() else { continue };
            let packet = Packet::parse(&block.data).unwrap();
            let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
            // The direction is told in the two lowest bits: 1 is to the server.
            let flags = block.options.iter().find_map(|option| match option {
                EnhancedPacketOption::Flags(flags) => Some(flags & 3),
                _ => None,
            });
            let (side, port) = match flags {
                Some(1) => (0, packet.source.port()),
                _ => (1, packet.destination.port()),
            };
            let half: &mut Reassembler =
                halves.entry((side, port)).or_insert_with(|| Reassembler::new(Limits::default()));
            half.push(&segment, &mut streams.entry(port).or_default()[side]);
        }
    }
    streams
}

/// Wants the files to have what everyone has said and heard.
#[track_caller]
fn assert_all_there(files: &[PathBuf], clients: &[Client]) {
    let streams = streams(files);
    assert_eq!(streams.len(), clients.len());
    for client in clients {
        let [said, heard] = &streams[&client.port];
        assert_eq!(said.escape_ascii().to_string(), client.sent.escape_ascii().to_string());
        assert_eq!(heard.escape_ascii().to_string(), client.heard.escape_ascii().to_string());
    }
}

/// The captures in a folder, in the order of their names.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pcapng"));
    files.sort();
    files
}

fn dissector(folder: &Path) -> PathBuf {
    let script = folder.join("hubbub.lua");
    let printed = Command::new(env!("CARGO_BIN_EXE_tools")).arg("dissector").output().unwrap();
    fs::write(&script, printed.stdout).unwrap();
    script
}

/// Shows every file to tshark, and wants it to find all lines that were said.
fn assert_clean(files: &[PathBuf], server_port: u16, folder: &Path, clients: &[Client]) {
    if !tshark::is_there() {
        return;
    }
    let script = dissector(folder);
    let lines: usize =
        files.iter().map(|file| tshark::assert_clean_chat(file, server_port, &script)).sum();
    let said: usize = clients.iter().map(Client::lines).sum();
    assert_eq!(lines, said);
}

#[test]
fn a_chat_of_forty_comes_back_whole_and_clean() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    let server = Server::start("[::]:0", &file, &[]);
    let port = server.address.port();
    let mut server = server;
    // It listens everywhere; those who come by IPv4 are shown so.
    server.address = ([127, 0, 0, 1], port).into();
    let mut clients = chat(&server);
    leave(&mut clients, server);
    let files = [file];
    assert_all_there(&files, &clients);
    assert_clean(&files, port, folder.path(), &clients);
    if tshark::is_there() {
        let [said, heard] = tshark::follow(&files[0], 0);
        assert_eq!((&said, &heard), (&clients[0].sent, &clients[0].heard));
        let ends = tshark::ask(&["-Y", "tcp.stream==0", "-T", "fields", "-e", "ip.dst"], &files[0]);
        assert!(ends.lines().all(|address| address == "127.0.0.1"), "{ends}");
    }
}

#[test]
fn each_file_of_a_set_is_whole_in_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        "127.0.0.1:0",
        &folder.path().join("chat.pcapng"),
        &["--capture-size", "512KiB"],
    );
    let port = server.address.port();
    let mut clients = chat(&server);
    leave(&mut clients, server);
    let files = captures(folder.path());
    assert!(files.len() > 2, "{files:?}");
    for (n, file) in files.iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("chat_{:05}_20", n + 1)), "{name}");
        assert!(fs::metadata(file).unwrap().len() < 1 << 20, "{name}");
    }
    assert_all_there(&files, &clients);
    assert_clean(&files, port, folder.path(), &clients);
}

#[test]
fn a_reset_is_a_reset_and_half_a_close_is_half_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    let server = Server::start("[::1]:0", &file, &[]);
    let mut alice = Client::login(server.address, "Alice");
    Client::login(server.address, "Bob").reset();
    alice.hear("Bob has left the chat.");
    alice.say("@Alice not yet\n");
    alice.end();
    alice.hear_end();
    server.stop();
    assert!(String::from_utf8_lossy(&alice.heard).contains("[From Alice]: not yet"));
    if !tshark::is_there() {
        return;
    }
    let fields = ["-T", "fields", "-e", "ipv6.src", "-e", "tcp.srcport", "-e", "tcp.flags.str"];
    let filter = "tcp.flags.fin==1 or tcp.flags.reset==1";
    let ends = tshark::ask(&[&["-Y", filter][..], &fields].concat(), &file);
    let ends: Vec<Vec<&str>> = ends.lines().map(|line| line.split('\t').collect()).collect();
    let marks: Vec<char> =
        ends.iter().map(|end| if end[2].contains('R') { 'R' } else { 'F' }).collect();
    assert_eq!(marks, ['R', 'F', 'F'], "{ends:?}");
    assert_eq!(ends[1][1], alice.port.to_string(), "Alice ends first");
    assert!(ends.iter().all(|end| end[0] == "::1"), "{ends:?}");
    let whole = ["-2", "-T", "fields", "-e", "tcp.completeness", "-Y"];
    for (filter, want) in [("tcp.flags.reset==1", "47"), ("tcp.flags.fin==1", "31")] {
        let told = tshark::ask(&[&whole[..], &[filter]].concat(), &file);
        assert!(told.lines().all(|number| number == want), "{filter}: {told}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a file that grows tells nobody")]
fn a_file_can_be_read_while_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    let server = Server::start("127.0.0.1:0", &file, &[]);
    let mut alice = Client::login(server.address, "Alice");
    alice.say("all I am here\n");
    alice.hear("[Alice]: I am here\n");
    let deadline = Instant::now() + DEADLINE;
    let files = [file];
    while streams(&files).get(&alice.port).is_none_or(|[_, heard]| *heard != alice.heard) {
        assert!(Instant::now() < deadline, "it is not in the file");
        std::thread::yield_now();
    }
    if tshark::is_there() {
        let said = tshark::ask(&["-Y", "tcp.len>0", "-T", "fields", "-e", "tcp.len"], &files[0]);
        assert_eq!(said.lines().count(), 5, "{said}");
    }
    server.stop();
}
