//! From start to end: where the server listens, how a session ends, how the server ends.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Client, ENTER_NAME, Launch, Server, Tool, eventually, lacks, now, skip};

const SHUTTING_DOWN: &str = "[SERVER] Server is shutting down.";

/// What a shell reports of a process that an interrupt has ended.
const FORCED: i32 = 130;

/// Everyone is told and the server ends well: by SIGTERM as by SIGINT.
#[track_caller]
fn drains_on(signal: Signal) {
    let mut server = Server::start("");
    let address = server.address();
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let mut newcomer = server.connect();
    newcomer.expect(ENTER_NAME);
    alice.send("all bye");
    bob.expect("[Alice]: bye");
    server.signal(signal);
    alice.expect("[Alice]: bye");
    for mut client in [alice, bob, newcomer] {
        client.expect(SHUTTING_DOWN);
        client.expect_end();
    }
    assert_eq!(server.await_exit().code(), Some(0));
    server.await_log("stopped online=0 accepted=3 closed=3 ");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn sigterm_tells_everyone_and_exits_with_0() {
    drains_on(Signal::TERM);
}

#[test]
fn sigint_tells_everyone_and_exits_with_0() {
    drains_on(Signal::INT);
}

#[test]
fn a_server_without_clients_stops_at_once() {
    let mut server = Server::start("--shutdown-grace 60");
    server.signal(Signal::TERM);
    assert_eq!(server.await_exit().code(), Some(0));
}

/// A room with somebody who does not read what the others have said: a drain has to wait.
fn room_with_a_stalled_client(server: &Server) -> [Client; 3] {
    let mut room = server.room(["Alice", "Bob", "Carol"]);
    let [alice, bob, _carol] = &mut room;
    let text = "x".repeat(4_000);
    for _ in 0..100 {
        for _ in 0..10 {
            alice.send(&format!("all {text}"));
        }
        for client in [&mut *alice, bob] {
            for _ in 0..10 {
                client.expect(&format!("[Alice]: {text}"));
            }
        }
    }
    room
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let mut server = Server::start("--shutdown-grace 60");
    let [mut alice, mut bob, _stalled] = room_with_a_stalled_client(&server);
    server.signal(Signal::TERM);
    alice.expect(SHUTTING_DOWN);
    bob.expect(SHUTTING_DOWN);
    server.signal(Signal::INT);
    assert_eq!(server.await_exit().code(), Some(FORCED));
}

#[test]
fn a_shutdown_takes_no_longer_than_its_grace() {
    let mut server = Server::start("--shutdown-grace 0.3");
    let [mut alice, _bob, _stalled] = room_with_a_stalled_client(&server);
    let start = now();
    server.signal(Signal::TERM);
    alice.expect(SHUTTING_DOWN);
    assert_eq!(server.await_exit().code(), Some(0));
    assert!(now() - start >= Duration::from_millis(300));
    server.await_log("the grace is over connections=3");
}

#[test]
fn a_slow_client_gets_everything_before_the_server_ends() {
    let mut server = Server::start("--shutdown-grace 60");
    let [mut alice, bob, mut slow] = room_with_a_stalled_client(&server);
    server.signal(Signal::TERM);
    alice.expect(SHUTTING_DOWN);
    drop((alice, bob));
    for _ in 0..1_000 {
        assert!(slow.line().starts_with("[Alice]: xxx"));
    }
    slow.expect(SHUTTING_DOWN);
    slow.expect_end();
    drop(slow);
    assert_eq!(server.await_exit().code(), Some(0));
}

#[test]
fn who_never_closes_holds_up_the_end_for_the_close_timeout_only() {
    let mut server = Server::start("--close-timeout 0.2 --shutdown-grace 60");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let start = now();
    server.signal(Signal::TERM);
    for client in [&mut alice, &mut bob] {
        client.expect(SHUTTING_DOWN);
        client.expect_end();
    }
    assert_eq!(server.await_exit().code(), Some(0));
    assert!(now() - start >= Duration::from_millis(200));
}

#[test]
fn the_last_words_reach_one_who_still_sends() {
    let server = Server::start("");
    for _ in 0..20 {
        let mut alice = server.login("Alice");
        // Input that is never read would reset the connection and take back what was written.
        alice.send_bytes("all bye\nquit\n".as_bytes());
        alice.send_bytes("x".repeat(50_000).as_bytes());
        alice.expect("[Alice]: bye");
        alice.expect_end();
        drop(alice);
    }
    assert_eq!(server.counter("failed"), 0);
}

#[test]
fn quit_ends_the_session_and_what_follows_it_is_not_done() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    bob.send_bytes(b"all bye\nQUIT\nall and another thing\nlist\n");
    bob.expect("[Bob]: bye");
    bob.expect_end();
    alice.expect("[Bob]: bye");
    alice.expect("[SERVER] Bob has left the chat.");
    alice.reads_nothing();
    let [_bob] = server.room(["Bob"]);
    alice.expect("[SERVER] Bob has joined the chat!");
}

#[test]
fn whoever_resets_has_left() {
    let server = Server::start("");
    let [mut alice, bob] = server.room(["Alice", "Bob"]);
    bob.reset();
    alice.expect("[SERVER] Bob has left the chat.");
    assert_eq!(server.counter("failed"), 1);
}

#[test]
fn a_shell_pipe_delivers_and_gets_its_replies() {
    for nc in [&["nc", "-N"][..], &["nc", "-q", "1"], &["ncat"]] {
        if lacks(nc[0]) {
            continue;
        }
        if !help_of(nc[0]).contains(nc.get(1).unwrap_or(&"")) {
            skip(&format!("no {} is installed", nc.join(" ")));
            continue;
        }
        let server = Server::start("");
        let mut alice = server.login("Alice");
        let address = server.address();
        let mut pipe = Tool::start(
            Command::new(nc[0])
                .args(&nc[1..])
                .args([address.ip().to_string(), address.port().to_string()]),
        );
        pipe.write("bot\n@Alice build is green\n@Bob hi\nlist\n");
        let replies = pipe.finish();
        let lines: Vec<&str> = replies.lines().collect();
        assert_eq!(lines.len(), 4, "{nc:?}: {replies}");
        assert_eq!(lines[0], ENTER_NAME);
        assert!(lines[1].starts_with("[SERVER] Welcome bot!"));
        let rest = ["[SERVER] User 'Bob' not found.", "[SERVER] Online users (2): Alice, bot"];
        assert_eq!(lines[2..], rest);
        alice.expect("[SERVER] bot has joined the chat!");
        alice.expect("[From bot]: build is green");
        alice.expect("[SERVER] bot has left the chat.");
    }
}

/// There are several programs called nc.
fn help_of(program: &str) -> String {
    let output = Command::new(program).arg("-h").output().expect("it starts");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_stopped_client_does_not_matter_to_the_others() {
    if lacks("nc") {
        return;
    }
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let address = server.address();
    let words = [address.ip().to_string(), address.port().to_string()];
    let mut sleepy = Tool::start(Command::new("nc").args(words));
    sleepy.write("Sleepy\n");
    for client in [&mut alice, &mut bob] {
        client.expect("[SERVER] Sleepy has joined the chat!");
    }
    sleepy.signal(Signal::STOP);
    let said: Vec<String> =
        (0..5_000).map(|number| format!("[Alice]: {number} {}", "z".repeat(200))).collect();
    for block in said.chunks(100) {
        for line in block {
            alice.send(&line.replacen("[Alice]:", "all", 1));
        }
        for line in block {
            alice.expect(line);
            bob.expect(line);
        }
    }
    sleepy.signal(Signal::CONT);
    alice.send("@Sleepy good morning");
    alice.send("all done");
    bob.expect("[Alice]: done");
    sleepy.write("quit\n");
    let heard = sleepy.finish();
    let heard: Vec<&str> = heard.lines().skip(2).collect();
    assert_eq!(heard.len(), said.len() + 2, "everything was kept for it");
    assert!(heard.iter().zip(&said).all(|(line, said)| line == said), "in order");
    assert_eq!(heard[said.len()..], ["[From Alice]: good morning", "[Alice]: done"]);
}

#[test]
fn an_ipv6_listener_takes_ipv6_clients() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("IPv6 is not available");
    }
    let server = Launch::new("").listen(&["[::1]:0"]).start();
    assert!(server.address().is_ipv6());
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send("all hi");
    bob.expect("[Alice]: hi");
}

#[test]
fn a_listener_on_every_address_takes_ipv4_too() {
    if TcpListener::bind("[::]:0").is_err() {
        return skip("IPv6 is not available");
    }
    let server = Launch::new("--max-per-address 1").listen(&["[::]:0"]).start();
    let port = server.address().port();
    let mut alice = Client::connect(([127, 0, 0, 1], port).into());
    alice.login("Alice");
    let mut same = Client::connect(([127, 0, 0, 1], port).into());
    same.expect("[SERVER] Too many connections from your address.");
    let mut bob = Client::connect((std::net::Ipv6Addr::LOCALHOST, port).into());
    bob.login("Bob");
    alice.expect("[SERVER] Bob has joined the chat!");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: all of 127/8")]
fn two_listeners_make_one_room() {
    let second = if TcpListener::bind("[::1]:0").is_ok() { "[::1]:0" } else { "127.0.0.2:0" };
    let server = Launch::new("").listen(&["127.0.0.1:0", second]).start();
    let [mut alice] = server.room(["Alice"]);
    let mut bob = Client::connect(server.addresses()[1]);
    bob.login("Bob");
    alice.expect("[SERVER] Bob has joined the chat!");
    bob.send("all hi");
    alice.expect("[Bob]: hi");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn what_a_client_left_behind_is_given_back() {
    let server = Server::start("--announce-rate 0");
    let mut alice = server.login("Alice");
    let descriptors = server.descriptors();
    for _ in 0..20 {
        let [bob, carol] = server.room(["Bob", "Carol"]);
        drop(bob);
        carol.reset();
        let gone = ["Bob", "Carol"].map(|name| format!("[SERVER] {name} has left the chat."));
        let mut lines: Vec<String> = (0..4).map(|_| alice.line()).collect();
        lines.retain(|line| gone.contains(line));
        assert_eq!(lines.len(), 2);
    }
    eventually("all descriptors given back", || {
        (server.descriptors() == descriptors).then_some(())
    });
    alice.reads_nothing();
}
