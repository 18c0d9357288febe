//! Leaving: the prompt of the shell is back at once, whatever the server does, and what was not
//! sent is said.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::{CTRL_C, CTRL_D, greeting, welcome};
use crate::support::{Pty, now};

/// Far more than the client waits for a goodbye, and less than it once waited in a write.
const AT_ONCE: Duration = Duration::from_secs(5);

/// More than the system takes for a server that does not read.
const PASTE_LINES: usize = 100;
const PASTE_COLUMNS: usize = 2000;

/// A server that welcomes one client and never reads again, for as long as what it returns lives.
fn deaf_server() -> (SocketAddr, JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    SockRef::from(&listener).set_recv_buffer_size(4096).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut reader = BufReader::with_capacity(1, stream);
        let mut name = String::new();
        reader.read_line(&mut name).expect("a name");
        let mut stream = reader.into_inner();
        stream.write_all(format!("{}\n", welcome(name.trim_end())).as_bytes()).expect("it reads");
        stream
    });
    (address, server)
}

#[test]
fn whoever_pastes_to_a_server_that_does_not_read_can_leave_at_once() {
    let paste: Vec<String> =
        (0..PASTE_LINES).map(|number| format!("all {number:0>PASTE_COLUMNS$}")).collect();
    for leave in [CTRL_C, CTRL_D, "quit\r", "SIGTERM"] {
        let (address, server) = deaf_server();
        let mut alice = Pty::chat("Alice", address);
        let _deaf = server.join().expect("the server");
        alice.await_typing("");
        alice.press(&format!("\u{1b}[200~{}\u{1b}[201~\r", paste.join("\n")));
        alice.await_row("* The server does not take what you send yet.");
        alice.await_typing("");
        let start = now();
        match leave {
            "SIGTERM" => alice.terminate(),
            keys => alice.press(keys),
        }
        assert_eq!(alice.await_exit(), Some(0), "{leave:?}");
        assert!(now() - start < AT_ONCE, "{leave:?}");
        let said = alice.screen().said("Alice");
        let lost = format!(
            "* {PASTE_LINES} lines were not confirmed by the server and are probably lost; 10 of \
             them:"
        );
        let at = said.iter().position(|row| *row == lost).expect(&lost);
        assert_eq!(said[at + 1], format!("*     {}", paste[0]), "{leave:?}");
        assert_eq!(said.len(), at + 11, "{leave:?}");
    }
}

#[test]
fn a_line_that_the_server_took_is_not_said_to_be_lost() {
    let server = crate::support::Server::start("");
    let mut alice = Pty::chat("Alice", server.address());
    alice.enter("all hi");
    alice.press("@Alice to myself\rlist\rall bye\r");
    alice.await_row("[Alice]: bye");
    alice.enter("all once more");
    alice.await_typing("");
    alice.press(CTRL_D);
    assert_eq!(alice.await_exit(), Some(0));
    let said = alice.screen().said("Alice");
    let hint = &greeting("Alice")[1];
    assert!(!said.iter().any(|row| row.starts_with('*') && row != hint), "{said:?}");
}
