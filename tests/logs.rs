//! What the server logs, and that logging never holds up the chat.

use rustix::process::Signal;

use crate::support::{Launch, Server, Stderr, eventually, lacks};

#[test]
fn sigusr1_tells_the_counters() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send("all hi\n@bob psst\nlist\nnonsense");
    bob.expect("[Alice]: hi");
    bob.expect("[From Alice]: psst");
    alice.lines_until("[SERVER] Online users (2): Alice, Bob");
    assert!(alice.line().starts_with("[SERVER] Unknown command 'nonsense'."));
    server.signal(Signal::USR1);
    let logs = server.await_log(" counters ");
    assert!(logs.contains(" INFO counters online=2 accepted=2 closed=0 refused=0 logins=2 "));
    assert!(logs.contains(" lines=4 broadcasts=1 private_messages=1 "), "{logs}");
}

#[test]
fn connections_are_logged_at_debug_only() {
    for (filter, told) in [("info", false), ("debug", true)] {
        let server = Launch::new("").env("RUST_LOG", filter).start();
        let alice = server.login("Alice");
        let peer = alice.address();
        server.counter("accepted");
        let logs = server.logs();
        let line = format!("accepted client=0.0 peer={peer}");
        assert_eq!(logs.contains(&line), told, "{filter}: {logs}");
    }
}

/// The log, from what a login or a leave says of this name on.
fn audit(server: &Server, name: &str, word: &str) -> String {
    let logs = eventually(&format!("{name} {word}"), || {
        let logs = server.logs();
        let is_it = |line: &&str| line.contains(&format!("{word} client=")) && line.contains(name);
        logs.lines().find(is_it).map(str::to_owned)
    });
    logs.split_once(" INFO ").expect("at info").1.to_owned()
}

#[test]
fn each_login_and_each_leave_is_a_line_with_who_where_and_why() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let peer = alice.address();
    let login = audit(&server, "Alice", "logged in");
    assert_eq!(login, format!("logged in client=0.0 name=\"Alice\" peer={peer}"));
    alice.send("quit");
    alice.expect_end();
    drop(alice);
    let leave = audit(&server, "Alice", "left");
    let expected = format!("left client=0.0 name=\"Alice\" peer={peer} seconds=");
    assert!(leave.starts_with(&expected) && leave.ends_with(" why=quit"), "{leave}");

    let [mut bob, carol, dan] = server.room(["Bob", "Carol", "Dan"]);
    carol.reset();
    assert!(audit(&server, "Carol", "left").ends_with(" why=connection failed"));
    bob.end();
    assert!(audit(&server, "Bob", "left").ends_with(" why=end of stream"));
    server.signal(Signal::TERM);
    assert!(audit(&server, "Dan", "left").ends_with(" why=server stops"));
    drop(dan);
    let logs = server.await_log("INFO stopped");
    assert_eq!(logs.matches(" INFO left ").count(), 4, "each once: {logs}");
}

#[test]
fn two_connections_in_one_slot_have_different_ids_in_the_log() {
    let server = Launch::new("").env("RUST_LOG", "trace").start();
    for (gone, name) in [(1, "Alice"), (2, "Bob")] {
        let mut client = server.login(name);
        client.send("quit");
        client.expect_end();
        drop(client);
        eventually("it is gone", || {
            (server.logs().matches(" closed client=").count() == gone).then_some(())
        });
    }
    let logs = server.logs();
    assert!(logs.contains("accepted client=0.0 ") && logs.contains("accepted client=0.1 "));
    for line in ["line=Alice\\n", "line=quit\\n", "line=Bob\\n"] {
        assert!(logs.contains(line), "{line} is missing: {logs}");
    }
}

#[test]
fn a_name_cannot_forge_a_line_of_the_log() {
    let server = Server::start("");
    let _alice = server.login("x\"peer=1.2.3.4\\n");
    let line = audit(&server, "1.2.3.4", "logged in");
    assert!(line.contains("name=\"x\\\"peer=1.2.3.4\\\\n\" peer=127.0.0.1:"), "{line}");
}

#[test]
fn a_log_file_that_reaches_its_limit_does_not_end_the_chat() {
    if lacks("prlimit") {
        return;
    }
    let file = tempfile::tempfile().expect("a file");
    let launch = Launch::new("").env("RUST_LOG", "trace").through(["prlimit", "--fsize=4096"]);
    let server = launch.stderr(Stderr::File(file.try_clone().expect("a file"))).start();
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    for number in 0..200 {
        alice.send(&format!("all {number}"));
        bob.expect(&format!("[Alice]: {number}"));
    }
    assert_eq!(file.metadata().expect("a file").len(), 4096, "it is full");
}

#[test]
fn a_bad_rust_log_is_told_and_harms_nothing() {
    let server = Launch::new("").env("RUST_LOG", "=[nonsense").start();
    server.await_log("RUST_LOG is not understood");
    server.login("Alice");
}

#[test]
fn json_logs_are_one_object_a_line() {
    let launch = Launch::new("--log-format json").env("RUST_LOG", "trace");
    let mut server = launch.start();
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send("all \"quotes\" \\ and \u{1b}[31m שלום");
    bob.expect("[Alice]: \"quotes\" \\ and ?[31m שלום");
    server.signal(Signal::TERM);
    drop((alice, bob));
    server.await_exit();
    let logs = server.await_log("stopped");
    for line in logs.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect(line);
        for key in ["timestamp", "level", "fields", "target"] {
            assert!(object.get(key).is_some(), "{key} is missing: {line}");
        }
    }
    assert!(logs.lines().count() > 5, "{logs}");
}

#[test]
fn what_a_client_sent_is_escaped_in_the_logs() {
    let server = Launch::new("").env("RUST_LOG", "trace").start();
    let mut alice = server.login("Alice");
    alice.send("all \u{1b}[2J\r INFO forged");
    alice.line();
    let logs = server.await_log("INFO forged");
    assert!(logs.contains("all \\x1b[2J\\r INFO forged\\n"), "{logs}");
    assert!(!logs.contains('\u{1b}'), "{logs}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_stderr_that_nobody_reads_stalls_nothing() {
    let launch = Launch::new("").env("RUST_LOG", "trace").stderr(Stderr::Unread);
    let mut server = launch.start();
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let mut memory = 0;
    for block in 0..200 {
        let numbers = block * 100..(block + 1) * 100;
        let lines: Vec<String> = numbers.clone().map(|number| format!("all {number}")).collect();
        alice.send(&lines.join("\n"));
        for number in numbers {
            let line = format!("[Alice]: {number}");
            alice.expect(&line);
            bob.expect(&line);
        }
        if block == 150 {
            memory = server.memory();
        }
    }
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 1 << 20, "memory has grown by {grown} bytes");
    server.signal(Signal::TERM);
    drop((alice, bob));
    assert_eq!(server.await_exit().code(), Some(0), "and it ends all the same");
}
