//! A proxy that cuts what is quiet, between a client and the server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Client, Server, eventually};

/// For how long nothing may come from the client.
const IDLE: Duration = Duration::from_secs(2);

/// Carries one connection, and ends it when nothing has come from the client for [`IDLE`].
struct Proxy {
    address: SocketAddr,
    /// How many empty lines the client has sent behind its name.
    beats: Arc<AtomicUsize>,
}

impl Proxy {
    fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        let beats = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&beats);
        thread::spawn(move || -> io::Result<()> {
            let (mut client, _) = listener.accept()?;
            let mut server = TcpStream::connect(server)?;
            let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
            thread::spawn(move || io::copy(&mut from_server, &mut to_client));
            client.set_read_timeout(Some(IDLE))?;
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                counted.fetch_add(usize::from(buffer[..count] == *b"\n"), Ordering::SeqCst);
                server.write_all(&buffer[..count])?;
            }
            client.shutdown(Shutdown::Both)?;
            server.shutdown(Shutdown::Both)
        });
        Self { address, beats }
    }
}

/// Somebody who logs in through the proxy and says nothing; killed when this is dropped.
struct Quiet(Child);

impl Quiet {
    fn log_in(proxy: &Proxy, heartbeat: &str, alice: &mut Client) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubbub"));
        command.args(["chat", "bot", &proxy.address.to_string(), "--heartbeat", heartbeat]);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let quiet = Self(pipes.spawn().expect("the client starts"));
        alice.expect("[SERVER] bot has joined the chat!");
        quiet
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_heartbeat_keeps_a_quiet_chat_alive_through_a_proxy() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let proxy = Proxy::before(server.address());
    let _quiet = Quiet::log_in(&proxy, "0.25", &mut alice);
    // So many of them take longer than the proxy waits.
    eventually("heartbeats", || (proxy.beats.load(Ordering::SeqCst) >= 12).then_some(()));
    alice.send("list");
    alice.expect("[SERVER] Online users (2): Alice, bot");
}

#[test]
fn without_a_heartbeat_the_proxy_cuts_a_quiet_chat() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let proxy = Proxy::before(server.address());
    let _quiet = Quiet::log_in(&proxy, "0", &mut alice);
    alice.expect("[SERVER] bot has left the chat.");
    assert_eq!(proxy.beats.load(Ordering::SeqCst), 0);
}
