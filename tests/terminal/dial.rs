//! Reaching a server whose address, or one of whose addresses, does not answer.

use std::fs;
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::welcome;
use crate::support::{ENTER_NAME, Pty, lacks, now, skip};

/// Half of the time after which a dead address is given up.
const AT_ONCE: Duration = Duration::from_secs(5);

/// In a network of its own, whose only interface leads nowhere, with the names of the file $2: a
/// server, and a client that has these arguments. It exits with 99 when there is no such network.
const IN_A_NETWORK: &str = r#"
    ip link set lo up && ip link add nowhere type veth peer name end &&
    ip link set nowhere up && ip link set end up && ip -6 addr add fd99::1/64 dev nowhere nodad &&
    ip -6 neigh add fd99::2 lladdr 02:00:00:00:00:01 dev nowhere nud permanent &&
    ip -6 route add unreachable fd98::/64 && mount --bind "$2" /etc/hosts || exit 99
    "$1" serve --listen 127.0.0.1:21000 > "$3" 2>&1 & server=$!
    until grep -qs Listening "$3"; do kill -0 $server || exit 98; sleep 0.02; done
    echo "all hi" | "$1" chat bot "$4"; code=$?
    kill $server; exit $code
"#;

const HOSTS: &str =
    "fd99::2 both.test\n127.0.0.1 both.test\nfd98::2 gone.test\n127.0.0.1 gone.test\n";

/// What a pipe does with this server, in that network; `None` where there is none.
fn pipe(server: &str) -> Option<(Option<i32>, String, String)> {
    if lacks("unshare") || lacks("ip") {
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (hosts, log) = (folder.path().join("hosts"), folder.path().join("log"));
    fs::write(&hosts, HOSTS).expect("a file");
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", IN_A_NETWORK, "sh"]);
    command.args([env!("CARGO_BIN_EXE_hubbub").as_ref(), hosts.as_path(), &log]).arg(server);
    let output = command.output().expect("unshare can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(99) || stderr.starts_with("unshare:") {
        skip(&format!("there is no network namespace to be had: {}", stderr.trim()));
        return None;
    }
    Some((output.status.code(), stdout, stderr))
}

#[test]
fn a_dead_ipv6_address_costs_next_to_nothing() {
    let start = now();
    let Some((code, stdout, stderr)) = pipe("both.test:21000") else { return };
    assert!(now() - start < AT_ONCE, "{:?}", now() - start);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "a pipe stays quiet");
    let want = [ENTER_NAME, &welcome("bot"), "[bot]: hi"];
    assert_eq!(stdout.lines().collect::<Vec<_>>(), want);
}

#[test]
fn an_error_names_every_address_that_was_tried() {
    let Some((code, _, stderr)) = pipe("gone.test:9") else { return };
    assert_eq!(code, Some(1));
    let front = "hubbub: cannot connect to gone.test:9: [fd98::2]:9: ";
    assert!(stderr.starts_with(front), "{stderr}");
    assert!(stderr.contains("; 127.0.0.1:9: Connection refused"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn an_address_that_does_not_answer_is_named_while_it_is_tried() {
    // A queue that is full answers nothing, until there is room.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    listener.bind(&any.into()).expect("a port");
    listener.listen(0).expect("a listener");
    let address = listener.local_addr().expect("it").as_socket().expect("an address");
    let _queued = std::net::TcpStream::connect(address).expect("there is room for one");
    let mut alice = Pty::chat("Alice", address);
    alice.await_row(&format!("* Trying {address} ..."));
    alice.press("\u{3}");
    assert_eq!(alice.await_exit(), None, "Ctrl-C ends it");
}
