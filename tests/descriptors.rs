//! Descriptors run out: those who are in go on chatting, the others are told or wait, nobody spins,
//! and room that comes free is used at once.

use std::process::Command;
use std::time::Duration;

use crate::support::{Client, ENTER_NAME, Launch, Server, eventually, lacks, now};

const FULL: &str = "[SERVER] Server is full.";

/// For how long the processor is watched.
const WINDOW: Duration = Duration::from_secs(1);

/// The share of one processor that a server takes at most when there is nothing to do.
const IDLE: f64 = 0.2;

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn two_hundred_clients_share_sixty_four_descriptors() {
    if lacks("prlimit") {
        return;
    }
    let launch = Launch::new("--announce-rate 0").through(["prlimit", "--nofile=64"]);
    let server = launch.start();
    let room = server.max_clients();
    let kept = 64 - room;
    assert!((24..=40).contains(&kept), "{kept} are kept for what is no client");
    let mut inside: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    let mut outside = inside.split_off(room);
    for (number, client) in inside.iter_mut().enumerate() {
        client.login(&format!("user{number}"));
    }
    everyone_hears(&mut inside, "we are full");
    let share = server.processor_share(WINDOW);
    assert!(share < IDLE, "full, and takes {share} of a processor");
    everyone_hears(&mut inside, "and go on");

    // Somebody leaves. Of those outside many are told, or wait to be; one is let in.
    let mut leaver = inside.pop().expect("the room is full");
    leaver.send("quit");
    leaver.expect_end();
    drop(leaver);
    let freed = now();
    let next = await_one_let_in(&mut outside);
    let waited = now() - freed;
    assert!(waited < Duration::from_secs(1), "room stood empty for {waited:?}");
    let mut late = outside.remove(next);
    late.expect(ENTER_NAME);
    late.send("late");
    assert!(late.line().starts_with("[SERVER] Welcome late!"));
    inside.push(late);
    everyone_hears(&mut inside, "welcome");

    // In the order of their coming: each one that goes makes way for another to be told.
    for mut client in outside {
        client.expect(FULL);
        client.expect_end();
    }
    everyone_hears(&mut inside, "we stay");
    assert_eq!(server.counter("accept_failures"), 0, "the limit is known beforehand");
}

#[test]
fn sixty_four_listeners_leave_room_for_who_is_told_that_there_is_none() {
    if lacks("prlimit") {
        return;
    }
    let addresses = ["127.0.0.1:0"; 64];
    let launch = Launch::new("--close-timeout 0.1").listen(&addresses);
    let server = launch.through(["prlimit", "--nofile=140"]).start();
    let room = server.max_clients();
    let crowd: Vec<Client> = (0..100)
        .map(|number| Client::connect(server.addresses()[number % addresses.len()]))
        .collect();
    let mut inside = 0;
    for mut client in crowd.into_iter().rev() {
        let line = client.line();
        assert!([ENTER_NAME, FULL].contains(&line.as_str()), "{line}");
        inside += usize::from(line == ENTER_NAME);
    }
    assert!(inside >= room, "{inside} were let in, of {room}");
    assert_eq!(server.counter("accept_failures"), 0, "the limit is known beforehand");
}

#[test]
fn too_few_descriptors_for_one_client_are_told_at_the_start() {
    if lacks("prlimit") {
        return;
    }
    let output = Launch::new("").through(["prlimit", "--nofile=20"]).command().output();
    let output = output.expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("hubbub: 20 descriptors are not enough: "), "{text}");
}

#[test]
fn without_descriptors_for_a_poll_the_operation_and_its_cause_are_told_once() {
    if lacks("prlimit") {
        return;
    }
    let output = Launch::new("").through(["prlimit", "--nofile=5"]).command().output();
    let output = output.expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.matches("Too many open files").count(), 1, "{text}");
    assert!(text.contains("cannot make the poll") || text.contains("cannot handle"), "{text}");
}

/// Waits until one of them is asked for its name, and says which.
fn await_one_let_in(outside: &mut [Client]) -> usize {
    eventually("the next one is let in", || {
        outside.iter_mut().position(|client| client.waiting().starts_with(ENTER_NAME))
    })
}

/// The first of them speaks, and everyone hears it.
#[track_caller]
fn everyone_hears(room: &mut [Client], text: &str) {
    room[0].send(&format!("all {text}"));
    for client in room {
        client.lines_until(&format!("[user0]: {text}"));
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_limit_that_is_hit_by_surprise_makes_nobody_spin() {
    if lacks("prlimit") {
        return;
    }
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let limit = format!("--nofile={}", server.descriptors());
    let pid = server.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(limited.expect("prlimit runs").success());
    let mut waiting: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    server.await_log("cannot accept a connection");
    let share = server.processor_share(WINDOW);
    assert!(share < IDLE, "without descriptors it takes {share} of a processor");
    assert!(server.counter("accept_failures") > 0);
    alice.send("all still fine");
    bob.expect("[Alice]: still fine");
    alice.expect("[Alice]: still fine");
    // A gap among the descriptors may have let one in.
    let inside: Vec<Client> =
        waiting.extract_if(.., |client| !client.waiting().is_empty()).collect();
    assert!(waiting.len() > 5, "{} were let in", inside.len());

    bob.send("quit");
    bob.expect_end();
    drop(bob);
    let freed = now();
    let next = await_one_let_in(&mut waiting);
    let waited = now() - freed;
    assert!(waited < Duration::from_secs(1), "a descriptor lay idle for {waited:?}");
    alice.expect("[SERVER] Bob has left the chat.");
    waiting[next].send("Carol");
    alice.expect("[SERVER] Carol has joined the chat!");
}
