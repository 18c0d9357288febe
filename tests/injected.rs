//! System calls that fail: strace makes them, and the chat goes on.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Launch, Server, eventually, lacks, skip};

/// A server some of whose system calls fail.
struct Broken {
    server: Server,
    trace: PathBuf,
    _directory: TempDir,
}

impl Broken {
    /// `calls` and `how` as in strace(1): `-e inject=calls:how`.
    fn start(calls: &str, how: &str) -> Option<Self> {
        if lacks("strace") || lacks("timeout") {
            return None;
        }
        // Where tracing is forbidden it can also hang.
        let mut probe = Command::new("timeout");
        probe.args(["5", "strace", "-D", "-o", "/dev/null", "true"]);
        probe.stdout(Stdio::null()).stderr(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            skip("strace is not allowed to trace here");
            return None;
        }
        let directory = tempfile::tempdir().expect("a directory for the trace");
        let trace = directory.path().join("trace");
        let (traced, inject) = (format!("trace={calls}"), format!("inject={calls}:{how}"));
        // -D: the server is our child, and strace is its grandchild.
        let strace = ["strace", "-D", "-f", "-e", &traced, "-e", &inject, "-o"];
        let server = Launch::new("")
            .through(strace.map(Into::into).into_iter().chain([trace.clone().into_os_string()]));
        Some(Self { server: server.start(), trace, _directory: directory })
    }

    /// How many calls were made to fail so far.
    fn injected(&self) -> usize {
        fs::read_to_string(&self.trace).unwrap_or_default().matches("(INJECTED)").count()
    }

    #[track_caller]
    fn await_injected(&self, count: usize) {
        eventually("system calls that fail", || (self.injected() >= count).then_some(()));
    }
}

/// Everything that an evening needs, with some of its system calls failing.
#[track_caller]
fn chat_survives(calls: &str, how: &str) {
    let Some(broken) = Broken::start(calls, how) else { return };
    let server = &broken.server;
    let [mut alice, mut bob, carol] = server.room(["Alice", "Bob", "Carol"]);
    for number in 0..20 {
        alice.send(&format!("all {number}\n@Bob p{number}"));
        alice.expect(&format!("[Alice]: {number}"));
        bob.expect(&format!("[Alice]: {number}"));
        bob.expect(&format!("[From Alice]: p{number}"));
    }
    drop(carol);
    for client in [&mut alice, &mut bob] {
        client.expect("[SERVER] Carol has left the chat.");
    }
    alice.send("quit");
    alice.expect_end();
    bob.expect("[SERVER] Alice has left the chat.");
    server.login("Dan");
    broken.await_injected(1);
}

#[test]
fn chat_survives_one_accept_without_a_descriptor() {
    chat_survives("accept4", "error=EMFILE:when=2");
}

#[test]
fn chat_survives_every_other_accept_without_a_descriptor() {
    chat_survives("accept4", "error=ENFILE:when=1+2");
}

#[test]
fn chat_survives_accepts_without_memory() {
    chat_survives("accept4", "error=ENOBUFS:when=2+3");
}

#[test]
fn chat_survives_connections_that_die_in_the_backlog() {
    chat_survives("accept4", "error=ECONNABORTED:when=1+2");
}

#[test]
fn chat_survives_interrupted_accepts() {
    chat_survives("accept4", "error=EINTR:when=1+2");
}

#[test]
fn chat_survives_interrupted_reads() {
    chat_survives("recvfrom", "error=EINTR:when=1+2");
}

#[test]
fn chat_survives_interrupted_writes() {
    chat_survives("writev", "error=EINTR:when=1+2");
}

#[test]
fn chat_survives_interrupted_waits() {
    chat_survives("?epoll_wait,?epoll_pwait", "error=EINTR:when=1+2");
}

#[test]
fn chat_survives_failing_shutdowns() {
    chat_survives("shutdown", "error=ENOTCONN:when=1+2");
}

#[test]
fn a_read_that_fails_ends_one_connection_and_no_other() {
    // The first three reads are the three names.
    one_connection_ends("recvfrom", "error=ECONNRESET:when=4");
}

#[test]
fn a_write_that_fails_ends_one_connection_and_no_other() {
    // The first nine writes at most: three prompts, three welcomes, and three joins to be told.
    one_connection_ends("writev", "error=EPIPE:when=10");
}

/// Somebody's connection fails while three chat; the other two are told and go on.
#[track_caller]
fn one_connection_ends(calls: &str, how: &str) {
    let Some(broken) = Broken::start(calls, how) else { return };
    let names = ["Alice", "Bob", "Carol"];
    let mut room = Vec::from(broken.server.room(names));
    let dead = (0..100).map(|turn| turn % names.len()).find(|&number| {
        room[number].send("help");
        room[number].line_or_end().is_err()
    });
    let dead = dead.expect("a system call that fails");
    room.remove(dead);
    for client in &mut room {
        client.expect(&format!("[SERVER] {} has left the chat.", names[dead]));
    }
    room[0].send("all we are two");
    for client in &mut room {
        assert!(client.line().ends_with("]: we are two"));
    }
    assert_eq!(broken.server.counter("failed"), 1);
    assert_eq!(broken.injected(), 1);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_server_that_can_accept_nobody_does_not_spin() {
    let Some(broken) = Broken::start("accept4", "error=EMFILE:when=3+") else { return };
    let mut alice = broken.server.login("Alice");
    let waiting: Vec<_> = (0..50).map(|_| broken.server.connect()).collect();
    broken.await_injected(2);
    let before = broken.injected();
    let share = broken.server.processor_share(Duration::from_secs(1));
    assert!(share < 0.2, "it takes {share} of a processor");
    let tries = broken.injected() - before;
    assert!((1..=30).contains(&tries), "{tries} tries in a second");
    alice.reads_nothing();
    drop(waiting);
}
