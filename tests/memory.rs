//! What an idle client costs the server: its resident memory at several sizes of a real crowd.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{DEADLINE, Server, skip};

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
