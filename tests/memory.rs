//! What an idle client costs the server: its resident memory at several sizes of a real crowd.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Client, DEADLINE, Launch, Server, lacks, skip};

/// From how many clients on the growth is measured: what a server holds for nobody is in it.
const FROM: usize = 1_000;

/// At how many clients memory is measured, and how many bytes a client may cost there. Tables that
/// double are well filled at the first, have just doubled at the second, and are as full at the
/// third as at 19,000.
const SIZES: [(usize, usize); 3] = [(6_000, 380), (7_500, 380), (9_500, 320)];

/// What a measurement may be above that, in percent.
const MARGIN: usize = 10;

/// What each connection has besides in a debug build: mio notes to which poll it belongs.
const DEBUG: usize = if cfg!(debug_assertions) { 16 } else { 0 };

/// Descriptors that this process keeps for the tests beside this one.
const FOR_OTHERS: usize = 900;

/// How many are on their way in at one time: fewer than the backlog holds.
const AT_ONCE: usize = 500;

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn an_idle_client_costs_no_more_than_is_promised_at_three_sizes() {
    let (largest, _) = SIZES[SIZES.len() - 1];
    let limit = descriptors();
    if limit < largest + FOR_OTHERS {
        return skip(&format!("{limit} descriptors are too few for {largest} clients"));
    }
    let server = Server::start("");
    let mut crowd = Vec::new();
    let before = memory_of(&server, &mut crowd, FROM);
    for (size, bytes) in SIZES {
        let grown = memory_of(&server, &mut crowd, size).saturating_sub(before);
        let each = grown / (size - FROM);
        println!("{each} bytes for each client from {FROM} to {size}");
        let most = (bytes + DEBUG) * (100 + MARGIN) / 100;
        assert!(each <= most, "{each} bytes for each of {size} clients; {most} are the most");
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_crowd_that_would_need_more_memory_than_there_is_ends_nobodys_chat() {
    if lacks("prlimit") {
        return;
    }
    let launch = Launch::new("--announce-up-to 0 --close-timeout 0.1");
    let mut server = launch.through(["prlimit".to_owned(), format!("--as={}", 40 << 20)]).start();
    let warning = server.await_log("does not leave enough memory for all limits together");
    assert!(warning.contains("RLIMIT_AS") && warning.contains("--mailbox-total"), "{warning}");
    let (mut alice, mut bob) = (server.login("Alice"), server.login("Bob"));
    // Clients that keep unfinished lines, and clients that are sent more than they read.
    let mut crowd: Vec<Client> = (0..1500).map(|_| server.connect()).collect();
    let mut hogs = crowd.split_off(1000);
    for client in &mut crowd {
        client.send_what_goes(&[b'x'; 4_000]);
    }
    for (number, hog) in hogs.iter_mut().enumerate() {
        hog.send(&format!("hog{number}"));
    }
    // Short enough for her share of the room for unfinished input, which the others have filled.
    let text = "m".repeat(300);
    for number in 0..hogs.len() {
        let letter = format!("@hog{number} {text}\n");
        alice.send_bytes(letter.repeat(50).as_bytes());
        // She reads what is said of those that were not delivered.
        alice.send("list Alice");
        alice.lines_until("[SERVER] Online users (1): Alice");
    }
    bob.send("@Alice still fine");
    alice.lines_until("[From Bob]: still fine");
    alice.send("all and we go on");
    bob.lines_until("[Alice]: and we go on");
    assert_eq!(server.exit_code(), None);
}

#[test]
fn too_little_memory_for_the_log_is_told_at_the_start() {
    if lacks("prlimit") {
        return;
    }
    let launch = Launch::new("--log-bytes 64MiB");
    let output = launch.through(["prlimit".to_owned(), format!("--as={}", 40 << 20)]).command();
    let output = { output }.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("hubbub: RLIMIT_AS (ulimit -v) leaves "), "{text}");
    assert!(text.contains("a smaller --log-bytes"), "{text}");
}

/// The server's resident memory when the crowd has so many members, all of them at rest.
fn memory_of(server: &Server, crowd: &mut Vec<TcpStream>, size: usize) -> usize {
    while crowd.len() < size {
        let from = crowd.len();
        for number in from..(from + AT_ONCE).min(size) {
            let mut client = TcpStream::connect(server.address()).expect("the server listens");
            client.set_read_timeout(Some(DEADLINE)).expect("a TCP socket");
            client.write_all(format!("member{number}\n").as_bytes()).expect("the server reads");
            crowd.push(client);
        }
        for client in &crowd[from..] {
            let mut lines = BufReader::with_capacity(256, client).lines();
            let welcomed = lines.nth(1).expect("a welcome").expect("a welcome");
            assert!(welcomed.starts_with("[SERVER] Welcome member"), "{welcomed}");
        }
    }
    assert_eq!(server.counter("logins"), size as u64);
    usize::try_from(server.memory()).expect("it fits into this machine's")
}

/// Raises the limit on descriptors as far as the system lets a process, and says how far that is.
fn descriptors() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it cannot be raised, it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(limit).unwrap_or(usize::MAX)
}
