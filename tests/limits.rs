//! Limits by their flags: each is reached, and does what the table of limits says.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::{Client, DEADLINE, ENTER_NAME, Server, eventually, lacks, now};

#[test]
fn who_gives_no_name_in_time_is_told_and_closed() {
    let server = Server::start("--login-timeout 0.2");
    let mut alice = server.login("Alice");
    let start = now();
    let mut silent = server.connect();
    let mut half = server.connect();
    half.send_bytes(b"half a na");
    for client in [&mut silent, &mut half] {
        client.expect(ENTER_NAME);
        client.expect("[SERVER] You took too long to enter a name. Goodbye.");
        client.expect_end();
    }
    assert!(now() - start >= Duration::from_millis(200));
    alice.reads_nothing();
}

#[test]
fn beyond_max_clients_the_server_is_full_until_somebody_goes() {
    let server = Server::start("--max-clients 2");
    assert_eq!(server.max_clients(), 2);
    let [mut alice, bob] = server.room(["Alice", "Bob"]);
    for _ in 0..30 {
        let mut third = server.connect();
        third.expect("[SERVER] Server is full.");
        third.expect_end();
    }
    alice.reads_nothing();
    drop(bob);
    alice.expect("[SERVER] Bob has left the chat.");
    let mut third = server.connect();
    third.login("Carol");
    alice.expect("[SERVER] Carol has joined the chat!");
    assert_eq!(server.counter("refused"), 30);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: all of 127/8")]
fn beyond_max_per_address_other_addresses_still_come_in() {
    let server = Server::start("--max-per-address 2");
    let [mut alice, bob] = server.room(["Alice", "Bob"]);
    let mut third = server.connect();
    third.expect("[SERVER] Too many connections from your address.");
    third.expect_end();
    drop(third);
    let mut other = connect_from("127.0.0.2:0", server.address());
    other.login("Carol");
    alice.expect("[SERVER] Carol has joined the chat!");
    drop(bob);
    alice.expect("[SERVER] Bob has left the chat.");
    server.login("Dan");
}

/// Connects with this as one's own address.
fn connect_from(here: &str, there: SocketAddr) -> Client {
    let here: SocketAddr = here.parse().expect("an address");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&here.into()).expect("every address in 127/8 is ours");
    socket.connect_timeout(&there.into(), DEADLINE).expect("the server listens");
    Client::over(TcpStream::from(socket))
}

#[test]
fn beyond_max_pending_the_oldest_without_a_name_goes() {
    let server = Server::start("--max-pending 3");
    let mut alice = server.login("Alice");
    let mut pending: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    let mut oldest = pending.remove(0);
    oldest.expect(ENTER_NAME);
    oldest.expect("[SERVER] Too many connections wait to log in. Try again later.");
    oldest.expect_end();
    for (mut client, name) in pending.into_iter().zip(["Bob", "Carol", "Dan"]) {
        client.login(name);
        alice.expect(&format!("[SERVER] {name} has joined the chat!"));
        drop(client);
        alice.expect(&format!("[SERVER] {name} has left the chat."));
    }
}

#[test]
fn beyond_the_flood_limit_lines_wait_and_none_is_lost() {
    const RATE: u32 = 20;
    const BURST: u32 = 5;
    const LINES: u32 = 30;
    let server = Server::start(&format!("--flood-rate {RATE} --flood-burst {BURST}"));
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let start = now();
    let lines: Vec<String> = (0..LINES).map(|number| format!("all {number}")).collect();
    alice.send(&lines.join("\n"));
    for number in 0..BURST {
        bob.expect(&format!("[Alice]: {number}"));
    }
    bob.send("@Alice you talk too fast");
    for number in BURST..LINES {
        bob.expect(&format!("[Alice]: {number}"));
    }
    let least = Duration::from_secs(1) * (LINES - BURST) / RATE;
    assert!(now() - start >= least);
    let heard: Vec<String> = (0..=LINES).map(|_| alice.line()).collect();
    let private = heard.iter().position(|line| line == "[From Bob]: you talk too fast");
    assert!(private.expect("Bob is heard") < LINES as usize, "and waits for nobody: {heard:?}");
}

fn welcome(name: &str) -> String {
    format!("[SERVER] Welcome {name}! Commands: @Name text, all text, list, help, quit")
}

#[test]
fn who_connects_anew_in_a_loop_says_no_more_than_who_stays() {
    const RATE: u64 = 20;
    const BURST: u64 = 50;
    let server = Server::start(&format!("--flood-rate {RATE} --flood-burst {BURST}"));
    let start = now();
    let lines = "all buy\n".repeat(40);
    for number in 0..4 {
        let mut client = server.connect();
        client.send_bytes(format!("eve{number}\n{lines}quit\n").as_bytes());
        client.rest();
    }
    let elapsed = (now() - start).as_millis();
    let most = u128::from(BURST) + u128::from(RATE) * elapsed / 1000;
    assert_eq!(server.counter("broadcasts"), 4 * 40);
    assert!(4 * 41 <= most, "{} lines in {elapsed} ms", 4 * 41);
    assert!(elapsed < 20_000, "and nobody waits longer than for what was said");
}

#[test]
fn a_class_logs_in_at_once_and_a_storm_of_logins_waits() {
    let server = Server::start("--flood-rate 1000 --flood-burst 1000 --login-rate 10");
    let start = now();
    let mut class: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    for (number, client) in class.iter_mut().enumerate() {
        client.send(&format!("pupil{number}"));
    }
    for (number, client) in class.iter_mut().enumerate() {
        client.expect(ENTER_NAME);
        client.lines_until(&welcome(&format!("pupil{number}")));
    }
    for number in 0..8 {
        let mut client = server.connect();
        client.send_bytes(format!("storm{number}\nquit\n").as_bytes());
        let (lines, _) = client.rest();
        assert!(lines.contains(&welcome(&format!("storm{number}"))), "{lines:?}");
    }
    let elapsed = (now() - start).as_millis();
    assert!(48 * 100 <= 40 * 100 + elapsed, "40 at once and ten a second: {elapsed} ms");
    connect_from("127.0.0.2:0", server.address()).login("Zoe");
}

#[test]
fn heartbeats_cost_no_token() {
    let server = Server::start("--flood-rate 1 --flood-burst 1 --flood-address-rate 0");
    let mut alice = server.login("Alice");
    let start = now();
    // If the first empty line had cost the only token, the line behind it would wait as well.
    alice.send("\nall hi");
    alice.expect("[Alice]: hi");
    let first = now() - start;
    alice.send("\nall again");
    alice.expect("[Alice]: again");
    let both = now() - start;
    assert!(both >= Duration::from_secs(1), "a flood of them does");
    assert!(first < both / 2, "{first:?} of {both:?}");
}

#[test]
fn a_storm_of_comings_and_goings_is_summed_up_in_a_small_room() {
    const VISITS: usize = 300;
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let start = now();
    for number in 0..VISITS {
        let mut client = server.connect();
        client.send_bytes(format!("w{number}\nquit\n").as_bytes());
        client.rest();
    }
    let (mut told, mut lines) = (0, 0);
    while told < 2 * VISITS {
        let line = alice.line();
        lines += 1;
        told += if line.contains(" online)") {
            let (joined, left, _) = parse_summary(&line);
            joined + left
        } else {
            assert!(
                line.ends_with(" has joined the chat!") || line.ends_with(" has left the chat.")
            );
            1
        };
    }
    assert_eq!(told, 2 * VISITS, "each is told once");
    let seconds = usize::try_from((now() - start).as_secs()).expect("a short test") + 2;
    assert!(lines <= 20 + 6 * seconds, "{lines} lines in {seconds} s");
}

/// What the system may hold for a connection of what the server has not read, in bytes.
const MAX_UNREAD: u64 = 64 * 1024;

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: its ss")]
fn what_waits_to_be_read_of_one_who_pastes_is_bounded_in_the_system_too() {
    if lacks("ss") {
        return;
    }
    let server = Server::start("--flood-rate 1 --flood-burst 1");
    let mut alice = server.login("Alice");
    let peer = alice.address().port().to_string();
    // As much as the system takes for her own program; the server holds her back.
    alice.send_bytes(format!("all {}\n", "x".repeat(4_000)).repeat(75).as_bytes());
    let port = server.address().port().to_string();
    let waits = eventually("something waits to be read", || {
        let filter = ["sport", "=", &format!(":{port}"), "and", "dport", "=", &format!(":{peer}")];
        let output = Command::new("ss").args(["-tmnH"]).args(filter).output().expect("ss runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, memory) = text.split_once("skmem:(r")?;
        let bytes: u64 = memory.split(',').next()?.parse().ok()?;
        (bytes > MAX_UNREAD / 4).then_some(bytes)
    });
    assert!(waits <= MAX_UNREAD, "{waits} bytes wait");
}

#[test]
fn a_crowd_of_joins_is_summed_up() {
    let server = Server::start("--announce-up-to 3");
    let [mut alice, bob, carol] = server.room(["Alice", "Bob", "Carol"]);
    let crowd: Vec<Client> = ["Dan", "Eve", "Frank"].map(|name| server.login(name)).into();
    let (mut joined, mut left) = (0, 0);
    while joined < crowd.len() {
        let (j, l, _) = parse_summary(&alice.line());
        (joined, left) = (joined + j, left + l);
    }
    assert_eq!((joined, left), (3, 0));
    drop(crowd);
    let mut online = 6;
    while online > 3 {
        let (j, l, now_online) = parse_summary(&alice.line());
        (joined, left, online) = (joined + j, left + l, now_online);
    }
    assert_eq!((joined, left), (3, 3));
    drop(bob);
    alice.expect("[SERVER] Bob has left the chat.");
    drop(carol);
    alice.expect("[SERVER] Carol has left the chat.");
}

/// `[SERVER] 57 joined, 3 left (1,203 online)`
#[track_caller]
fn parse_summary(line: &str) -> (usize, usize, usize) {
    let numbers: Vec<usize> =
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok()).collect();
    let [joined, left, online] = numbers[..] else { panic!("no summary: {line:?}") };
    assert_eq!(line, format!("[SERVER] {joined} joined, {left} left ({online} online)"));
    (joined, left, online)
}

#[test]
fn a_full_mailbox_is_the_senders_to_know() {
    // Smaller than what the system takes for somebody who does not read.
    let server = Server::start("--mailbox-bytes 32KiB --list-bytes 8KiB");
    let [mut alice, mut bob, carol] = server.room(["Alice", "Bob", "Carol"]);
    let refusal = "[SERVER] Message to carol not delivered: too much is waiting for them. \
                   Try again later.";
    let text = "m".repeat(4_000);
    eventually("a full mailbox", || {
        for _ in 0..10 {
            alice.send(&format!("@carol {text}"));
        }
        alice.send("list");
        let lines = alice.lines_until("[SERVER] Online users (3): Alice, Bob, Carol");
        lines.iter().all(|line| line == refusal || line.contains("Online")).then_some(())?;
        (lines.len() == 11).then_some(())
    });
    assert!(server.counter("undelivered") >= 10);
    alice.send("@bob but you get it\nall and everyone this");
    bob.expect("[From Alice]: but you get it");
    bob.expect("[Alice]: and everyone this");
    let mut carol = carol;
    let heard = carol.lines_until("[Alice]: and everyone this");
    let letters = heard.iter().filter(|line| **line == format!("[From Alice]: {text}")).count();
    assert_eq!(letters, heard.len() - 1);
    assert_eq!(server.counter("private_messages"), letters as u64 + 1);
}

#[test]
fn who_accepts_nothing_for_the_stall_timeout_is_dropped() {
    let server = Server::start("--stall-timeout 0.3");
    let [mut alice, mut bob, mut carol] = server.room(["Alice", "Bob", "Carol"]);
    let text = "s".repeat(4_000);
    let line = format!("[Alice]: {text}");
    let mut told = 0;
    // Far less than the log holds, and more than the system takes for Carol.
    for _ in 0..100 {
        alice.send(&[format!("all {text}").as_str(); 10].join("\n"));
        for client in [&mut alice, &mut bob] {
            told += (0..10).filter(|_| passes_over_a_leave(client, &line)).count();
        }
    }
    if told < 2 {
        for client in [&mut alice, &mut bob] {
            client.expect("[SERVER] Carol has left the chat.");
        }
    }
    let (heard, _) = carol.rest();
    assert!(heard.len() < 1_000, "she got all of it");
    assert_eq!(server.counter("stalled"), 1);
    assert_eq!(server.counter("lapped"), 0);
}

/// Takes this line, and says whether it came after the news that Carol has left.
#[track_caller]
fn passes_over_a_leave(client: &mut Client, line: &str) -> bool {
    let got = client.line();
    let left = got == "[SERVER] Carol has left the chat.";
    assert_eq!(if left { client.line() } else { got }, line);
    left
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let server = Server::start("--list-bytes 256");
    let mut clients: Vec<Client> =
        (0..40).map(|number| server.login(&format!("participant{number:02}"))).collect();
    let last = clients.last_mut().expect("forty of them");
    last.send("list");
    let answer = last.line();
    assert!(answer.starts_with("[SERVER] Online users (40): participant00, participant01"));
    assert!(answer.ends_with(" more") && answer.contains(" ... and "), "{answer}");
    assert!(answer.len() < 256, "{answer}");
    last.send("list PARTICIPANT39\nlist nobody");
    last.expect("[SERVER] Online users (1): participant39");
    last.expect("[SERVER] Nobody online has a name that begins with 'nobody'.");
}
