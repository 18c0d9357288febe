//! Where the server listens: names, sockets that it is given, and what it says of it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Client, DEADLINE, ENTER_NAME, Launch, eventually, lacks, skip};

/// Makes stdin the first of `$GIVEN` inherited sockets, and becomes the server.
const WITH_SOCKET: &str =
    r#"exec 3<&0 </dev/null; export LISTEN_FDS=${GIVEN:-1} LISTEN_PID=$$; exec "$0" "$@""#;

/// A server that prints what it says at the start; it is killed when this is dropped.
struct Started {
    child: Child,
    lines: Vec<String>,
}

impl Started {
    /// Starts it, and reads so many lines.
    fn new(mut command: Command, lines: usize) -> Self {
        let mut child = command.spawn().expect("the server starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let lines: Vec<String> = stdout.lines().take(lines).map_while(Result::ok).collect();
        Self { child, lines }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let said = self.lines.iter().filter_map(|line| line.strip_prefix("Listening on "));
        said.map(|rest| rest.split(',').next().unwrap().parse().expect("an address")).collect()
    }

    fn terminate(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        let ended = eventually("its end", || self.child.try_wait().expect("it is our child"));
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that is given a socket, and these addresses.
fn with_socket(socket: impl Into<OwnedFd>, listen: &[&str]) -> Command {
    let launch = Launch::new("").through(["sh", "-c", WITH_SOCKET]).listen(listen);
    let mut command = launch.command();
    command.stdin(Stdio::from(socket.into()));
    command
}

/// What a server that does not start says.
fn refusal(mut command: Command) -> String {
    let output = command.output().expect("it can be run");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_name_is_listened_on_at_all_of_its_addresses() {
    let server = Launch::new("").listen(&["localhost:0"]).start();
    assert!(server.address().ip().is_loopback());
    Client::connect(server.address()).expect(ENTER_NAME);
}

#[test]
fn two_names_of_one_address_are_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let (name, address) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let said = refusal(Launch::new("").listen(&[&name, &address]).command());
    let want = format!("hubbub: --listen {name} and --listen {address} both mean {address}; ");
    assert!(said.starts_with(&want), "{said}");
}

#[test]
fn a_name_that_nobody_has_is_told() {
    let said = refusal(Launch::new("").listen(&["no-such-host.invalid:7"]).command());
    assert!(said.starts_with("hubbub: cannot listen on no-such-host.invalid:7: "), "{said}");
}

#[test]
fn whoever_lets_others_in_is_warned_and_told_where_they_connect() {
    let started = Started::new(Launch::new("").listen(&["0.0.0.0:0"]).command(), 2);
    let warning = "There are no passwords and no encryption: ";
    assert!(started.lines[1].starts_with(warning), "{:?}", started.lines);
}

#[test]
fn a_socket_that_the_server_is_given_is_used_instead_of_the_default() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    // The same address as a flag is no second one.
    for listen in [&[][..], &[&*address.to_string()]] {
        let socket = socket.try_clone().expect("a socket");
        let mut started = Started::new(with_socket(socket, listen), 1);
        assert_eq!(started.addresses(), [address], "{listen:?}");
        Client::connect(address).expect(ENTER_NAME);
        started.terminate();
    }
    let started = Started::new(with_socket(socket, &["127.0.0.1:0"]), 2);
    assert_eq!(started.addresses()[0], address);
    started.addresses().into_iter().for_each(|address| Client::connect(address).expect(ENTER_NAME));
}

#[test]
fn what_is_no_listener_is_refused() {
    let front = "hubbub: cannot use the sockets of LISTEN_FDS: ";
    let folder = tempfile::tempdir().expect("a folder");
    let unix = UnixListener::bind(folder.path().join("socket")).expect("a socket");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let connection = std::net::TcpStream::connect(tcp.local_addr().expect("it")).expect("it");
    let file = File::open("/dev/null").expect("a file");
    let sockets: [OwnedFd; 4] = [unix.into(), udp.into(), connection.into(), file.into()];
    for socket in sockets {
        let said = refusal(with_socket(socket, &[]));
        assert!(said.starts_with(front) && said.contains("a TCP socket that listens"), "{said}");
    }
    for given in ["2", "65", "-1", "one"] {
        let mut command = with_socket(tcp.try_clone().expect("a socket"), &[]);
        let said = refusal({
            command.env("GIVEN", given);
            command
        });
        assert!(said.starts_with(front), "{given}: {said}");
    }
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let mut command = Launch::new("").listen(&["127.0.0.1:0"]).command();
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    assert_eq!(Started::new(command, 1).addresses().len(), 1);
}

#[test]
fn the_service_manager_is_told_that_the_server_is_ready_and_that_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(DEADLINE)).expect("a socket");
    let heard = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).expect("it is told");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut command = Launch::new("").listen(&["127.0.0.1:0"]).command();
    let mut started = Started::new(
        {
            command.env("NOTIFY_SOCKET", &path);
            command
        },
        1,
    );
    assert_eq!(heard(), "READY=1\n");
    started.terminate();
    assert_eq!(heard(), "STOPPING=1\n");
}

#[test]
fn systemd_hands_its_socket_over() {
    if lacks("systemd-socket-activate") {
        return;
    }
    // A port that is free now; who else takes it makes systemd-socket-activate fail.
    let port = TcpListener::bind("127.9.8.7:0").and_then(|socket| socket.local_addr());
    let address = port.expect("an address");
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &address.to_string(), env!("CARGO_BIN_EXE_hubbub"), "--listen"]);
    command.arg(address.to_string()).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().expect("it can be run");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("it speaks");
    if line.starts_with("Listening on ") {
        Client::connect(address).expect(ENTER_NAME);
    } else {
        skip(&format!("systemd-socket-activate does not listen: {line}"));
    }
    let _ = child.kill();
    let _ = child.wait();
    let _ = stderr.read_to_string(&mut line);
}
