//! A server that captures, and clients of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take that should happen at once, on a machine that is busy.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A running server; it is killed when this is dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// One with these flags that captures to this file.
    #[track_caller]
    pub fn start(listen: &str, file: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
        command.args(["serve", "--listen", listen, "--flood-rate", "0", "--capture"]).arg(file);
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("Listening on ").and_then(|rest| rest.split_once(", "));
        let address = address.unwrap_or_else(|| panic!("{line:?}")).0.parse().unwrap();
        Self { child, address }
    }

    /// Asks it to stop, and waits until it has.
    #[track_caller]
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who remembers all that was sent and received.
pub struct Client {
    socket: TcpStream,
    pub port: u16,
    pub sent: Vec<u8>,
    pub heard: Vec<u8>,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self { socket, port, sent: Vec::new(), heard: Vec::new() }
    }

    /// Somebody who has just been welcomed.
    #[track_caller]
    pub fn login(address: SocketAddr, name: &str) -> Self {
        let mut client = Self::connect(address);
        client.say(&format!("{name}\n"));
        client.hear("Welcome");
        client
    }

    #[track_caller]
    pub fn say(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
        self.sent.extend(text.as_bytes());
    }

    /// Reads until this was heard, from the beginning on.
    #[track_caller]
    pub fn hear(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&self.heard).contains(text) {
            let count = self.socket.read(&mut buffer).unwrap();
            assert!(count > 0, "the end, and not {text:?}");
            self.heard.extend(&buffer[..count]);
        }
    }

    /// Says that there is no more to come, as `nc -N` does.
    pub fn end(&mut self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads until the server has ended its stream.
    #[track_caller]
    pub fn hear_end(&mut self) {
        self.socket.read_to_end(&mut self.heard).unwrap();
    }

    /// Breaks the connection off.
    pub fn reset(self) {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// How many lines both sides have said.
    pub fn lines(&self) -> usize {
        self.sent.iter().chain(&self.heard).filter(|&&byte| byte == b'\n').count()
    }
}
