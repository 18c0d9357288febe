//! Signals and stops: what ends the server, and what does not.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use socket2::{Domain, Socket, Type};

use crate::support::{Client, DEADLINE, ENTER_NAME, Launch, Server, lacks};

const SHUTTING_DOWN: &str = "[SERVER] Server is shutting down.";
/// The server must not hold the other end of its own terminal.
#[cfg(target_os = "linux")]
const CLOSE_ON_EXEC: OpenptFlags = OpenptFlags::CLOEXEC;
#[cfg(not(target_os = "linux"))]
const CLOSE_ON_EXEC: OpenptFlags = OpenptFlags::empty();

const NO_EFFECT: &str = "SIGHUP changes nothing";

#[test]
fn sighup_without_a_terminal_changes_nothing_and_is_told() {
    if lacks("setsid") {
        return;
    }
    let server = Launch::new("").through(["setsid"]).start();
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    server.signal(Signal::HUP);
    server.await_log(NO_EFFECT);
    alice.send("all still here");
    bob.expect("[Alice]: still here");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn sighup_under_nohup_stays_ignored() {
    if lacks("nohup") {
        return;
    }
    let server = Launch::new("").through(["nohup"]).start();
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    server.signal(Signal::HUP);
    alice.send("all still here");
    bob.expect("[Alice]: still here");
    assert!(!server.logs().contains(NO_EFFECT), "{}", server.logs());
}

#[test]
fn a_terminal_that_is_closed_ends_the_server_with_a_goodbye() {
    if lacks("setsid") {
        return;
    }
    let master =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | CLOSE_ON_EXEC).expect("a pseudo-terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("a pseudo-terminal");
    let path = ptsname(&master, Vec::new()).expect("its name").into_string().expect("its name");
    let terminal = File::options().read(true).write(true).open(PathBuf::from(path));
    let terminal = terminal.expect("a terminal");
    let mut server = Launch::new("").through(["setsid", "--ctty"]).stdin(terminal).start();
    let mut alice = server.login("Alice");
    server.signal(Signal::HUP);
    server.await_log(NO_EFFECT);
    alice.reads_nothing();
    // Now it is really gone, and the system sends the signal.
    drop(master);
    alice.expect(SHUTTING_DOWN);
    alice.expect_end();
    drop(alice);
    assert_eq!(server.await_exit().code(), Some(0));
}

#[test]
fn a_server_that_was_stopped_reads_and_writes_before_it_judges() {
    let server = Server::start("--login-timeout 2 --stall-timeout 2");
    let mut newcomer = server.connect();
    newcomer.expect(ENTER_NAME);
    server.signal(Signal::STOP);
    newcomer.send("Alice");
    // The time-out has to pass while the server is stopped.
    std::thread::sleep(Duration::from_millis(2300));
    server.signal(Signal::CONT);
    assert!(newcomer.line().starts_with("[SERVER] Welcome Alice!"));
}

#[test]
fn a_stopped_server_drops_nobody_who_has_read_everything_meanwhile() {
    const LINES: usize = 100;
    let server = Server::start("--stall-timeout 1");
    let mut alice = server.login("Alice");
    let mut bob = Client::over(with_small_buffer(server.address()));
    bob.login("Bob");
    alice.expect("[SERVER] Bob has joined the chat!");
    // More than the system takes for Bob, who reads nothing.
    let text = "x".repeat(4_000);
    let line = format!("[Alice]: {text}");
    alice.send(&[format!("all {text}").as_str(); LINES].join("\n"));
    (0..LINES).for_each(|_| alice.expect(&line));
    server.signal(Signal::STOP);
    // He reads all that there is. The time-out has to pass while the server is stopped.
    let reader = std::thread::spawn(move || {
        (0..LINES).for_each(|_| bob.expect(&line));
        bob
    });
    std::thread::sleep(Duration::from_millis(1_300));
    server.signal(Signal::CONT);
    let mut bob = reader.join().expect("Bob reads everything");
    bob.reads_nothing();
    assert_eq!(server.counter("stalled"), 0);
}

/// A connection for which the system keeps little.
fn with_small_buffer(server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a socket");
    socket.connect_timeout(&server.into(), DEADLINE).expect("the server listens");
    socket.into()
}
