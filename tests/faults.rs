//! The faults of the original, a threaded chat in Python: each is a test, so that it stays fixed.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Client, ENTER_NAME, End, Launch, Server, eventually, lacks, now};

/// What a command gets that is none.
const USAGE: &str = "Use: @Name text, all text, list, help, quit";

#[test]
fn three_commands_in_one_write_are_three_commands() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send_bytes(b"all one\n@Bob two\nlist\n");
    alice.expect("[Alice]: one");
    alice.expect("[SERVER] Online users (2): Alice, Bob");
    bob.expect("[Alice]: one");
    bob.expect("[From Alice]: two");
}

#[test]
fn a_command_split_byte_by_byte_is_one() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let mut bob = server.connect();
    bob.expect(ENTER_NAME);
    send_byte_by_byte(&mut bob, "Bob\r\n", &mut alice);
    alice.expect("[SERVER] Bob has joined the chat!");
    assert!(bob.line().starts_with("[SERVER] Welcome Bob!"));
    send_byte_by_byte(&mut bob, "@Alice hi, you\r\n", &mut alice);
    alice.expect("[From Bob]: hi, you");
}

/// Each byte is a read of its own: before the next one the server has answered somebody else.
fn send_byte_by_byte(client: &mut Client, text: &str, other: &mut Client) {
    for byte in text.bytes() {
        client.send_bytes(&[byte]);
        if byte != b'\n' {
            other.reads_nothing();
        }
    }
}

#[test]
fn a_message_longer_than_a_read_arrives_whole() {
    let server = Server::start("--max-line 65536 --log-bytes 16MiB --mailbox-bytes 512KiB");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let text = (0..10_000).map(|number| format!("{number:05}")).collect::<Vec<_>>().join(" ");
    let text = &text[..59_999];
    alice.send(&format!("all {text}"));
    alice.send(&format!("@bob {text}"));
    bob.expect(&format!("[Alice]: {text}"));
    bob.expect(&format!("[From Alice]: {text}"));
    alice.expect(&format!("[Alice]: {text}"));
}

#[test]
fn a_character_split_across_reads_survives() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let text = "שלום é 👩\u{200d}👧 𝄞";
    let line = format!("all {text}\n").into_bytes();
    for cut in 4..line.len() {
        alice.send_bytes(&line[..cut]);
        bob.reads_nothing();
        alice.send_bytes(&line[cut..]);
        bob.expect(&format!("[Alice]: {text}"));
        alice.expect(&format!("[Alice]: {text}"));
    }
}

#[test]
fn a_rejected_duplicate_does_not_evict_the_holder() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    let taken = "[SERVER] Name already taken. Alice is online.";
    let mut double = server.connect();
    double.expect(ENTER_NAME);
    double.send("Alice");
    double.expect(taken);
    alice.expect("[SERVER] Somebody else asked for your name. It stays yours.");
    for like in ["aLICE", "AIice"] {
        double.expect(ENTER_NAME);
        double.send(like);
        double.expect(taken);
    }
    double.expect("[SERVER] That was the last try. Goodbye.");
    double.expect_end();
    alice.send("all still here");
    alice.expect("[Alice]: still here");
    bob.expect("[Alice]: still here");
    bob.send("@Alice good");
    alice.expect("[From Bob]: good");
}

#[test]
fn a_refused_duplicate_may_take_another_name() {
    let server = Server::start("");
    let [mut alice] = server.room(["Alice"]);
    let mut double = server.connect();
    double.send("Alice\nAlicia");
    double.expect(ENTER_NAME);
    double.expect("[SERVER] Name already taken. Alice is online.");
    double.expect(ENTER_NAME);
    assert!(double.line().starts_with("[SERVER] Welcome Alicia!"));
    alice.expect("[SERVER] Somebody else asked for your name. It stays yours.");
    alice.expect("[SERVER] Alicia has joined the chat!");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn connect_and_close_harms_no_later_login() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let before = server.descriptors();
    for number in 0..500 {
        let mut client = server.connect();
        match number % 4 {
            0 => drop(client),
            1 => client.reset(),
            2 => client.end(),
            _ => client.send_what_goes(b"half a na"),
        }
    }
    let bob = server.login("Bob");
    alice.expect("[SERVER] Bob has joined the chat!");
    drop(bob);
    alice.expect("[SERVER] Bob has left the chat.");
    eventually("all descriptors given back", || (server.descriptors() == before).then_some(()));
    assert_eq!(server.counter("accepted"), 502);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_client_that_stops_reading_delays_nobody_and_is_dropped() {
    const MESSAGES: usize = 10_000;
    /// Before the log of a mebibyte can have lapped anyone, and after every buffer on the way to
    /// the one who does not read is full.
    const LOOK_AT: usize = 3_000;
    let server = Server::start("--log-bytes 1048576");
    let [mut alice, mut bob, mut carol] = server.room(["Alice", "Bob", "Carol"]);
    let padding = "x".repeat(300);
    let (mut left, mut memory) = (0, 0);
    for block in (0..MESSAGES).step_by(100) {
        if block == LOOK_AT {
            memory = server.memory();
            assert_kernel_memory_is_bounded(&server, &carol);
            assert_eq!(left, 0, "nobody has to go yet");
        }
        let said: Vec<String> =
            (block..block + 100).map(|number| format!("{number:05} {padding}")).collect();
        for text in &said {
            alice.send(&format!("all {text}"));
        }
        for reader in [&mut alice, &mut bob] {
            for text in &said {
                let mut line = reader.line();
                if line == "[SERVER] Carol has left the chat." {
                    left += 1;
                    line = reader.line();
                }
                assert_eq!(line, format!("[Alice]: {text}"));
            }
        }
    }
    assert_eq!(left, 2, "both are told that Carol was dropped");
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 4 << 20, "memory has grown by {grown} bytes");
    assert_eq!(server.counter("lapped"), 1);
    let (heard, end) = carol.rest();
    assert_eq!(end, End::Reset, "a slow consumer is aborted");
    let expected = (0..).map(|number| format!("[Alice]: {number:05} {padding}"));
    assert!(heard.iter().zip(expected).all(|(line, want)| *line == want), "in order");
}

/// What the system holds of a connection on the server's side is bounded.
fn assert_kernel_memory_is_bounded(server: &Server, client: &Client) {
    if lacks("ss") {
        return;
    }
    let (here, there) = (server.address(), client.address());
    let filter = ["-tmnH", "src", &here.to_string(), "dst", &there.to_string()];
    let output = Command::new("ss").args(filter).output().expect("ss runs");
    let text = String::from_utf8(output.stdout).expect("ss prints text");
    let memory = text.split_once("skmem:(").and_then(|(_, rest)| rest.split_once(')'));
    let (fields, _) = memory.unwrap_or_else(|| panic!("no skmem of the connection: {text:?}"));
    // ss(8), "-m": memory for receiving (r), for sending (w), set aside (f), options (o) and
    // backlog (bl).
    let bytes = |field: &str, name: &str| field.strip_prefix(name)?.parse::<u64>().ok();
    let held = |name| fields.split(',').find_map(|field| bytes(field, name)).unwrap_or(0);
    let total: u64 = ["r", "w", "f", "o", "bl"].into_iter().map(held).sum();
    assert!(held("w") > 0, "something waits for a client that does not read: {text}");
    assert!(total < 600_000, "the system holds {total} bytes for one client: {text}");
}

#[test]
fn a_silent_connection_blocks_no_login() {
    let server = Server::start("");
    let mut silent: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    for client in silent.iter_mut().step_by(2) {
        client.send_bytes(b"half a name");
    }
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    alice.send("all hi");
    bob.expect("[Alice]: hi");
    for mut client in silent {
        client.expect(ENTER_NAME);
        assert_eq!(client.waiting(), "");
    }
}

#[test]
fn allegory_is_not_all() {
    let server = Server::start("");
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    for line in
        ["allegory of the cave", "all\tday", "allhi", " all hi", "list.", "quitter", "help!"]
    {
        alice.send(line);
        alice.expect(&format!("[SERVER] Unknown command '{line}'. {USAGE}"));
    }
    bob.reads_nothing();
    alice.send("ALL of you");
    bob.expect("[Alice]: of you");
}

#[test]
fn bad_names_are_refused_each_with_its_notice() {
    let server = Server::start("");
    let mut alice = server.login("Alice");
    let space = "it holds a space";
    let reserved = |word: &str| format!("Invalid name: it is a word that the server uses: {word}.");
    let server_like = "it looks like SERVER";
    let from_like = "it begins like From, as private messages do";
    let long = "it is longer than 32 characters";
    let taken = "Name already taken. Alice is online.";
    let refused = |why: &str| format!("Invalid name: {why}.");
    let kilobyte = "a".repeat(1000);
    let cases = [
        ("John Smith", refused(space)),
        ("John\u{a0}Smith", refused("it holds a space (U+00A0)")),
        ("[Bob]", refused("it holds [ (U+005B)")),
        ("Bob]: hi [x", refused("it holds ] (U+005D)")),
        ("Bob:", refused("it holds : (U+003A)")),
        ("@Bob", refused("it holds @ (U+0040)")),
        ("a,b", refused("it holds , (U+002C)")),
        ("Ev\ril", refused("it holds a character that does not show (U+000D)")),
        ("Ev\u{2028}il", refused("it holds a character that does not show (U+2028)")),
        ("\u{1b}[31mEve", refused("it holds [ (U+005B)")),
        ("Ev\u{202e}e", refused("it holds a character that does not show (U+202E)")),
        ("SERVER", reserved("SERVER")),
        ("server", reserved("SERVER")),
        ("ＳＥＲＶＥＲ", reserved("SERVER")),
        ("all", reserved("all")),
        ("LIST", reserved("list")),
        ("quit", reserved("quit")),
        ("\u{405}ERVER", refused(server_like)),
        ("SERVER.", refused(server_like)),
        ("From-Alice", refused(from_like)),
        ("\u{301}Eve", refused("it begins with a mark that belongs on a letter")),
        ("l\u{b7}Eve", refused("it holds · (U+00B7) where it cannot stand")),
        ("1علي", refused("it has right-to-left characters and does not begin with a letter")),
        ("עליAli", refused("it mixes right-to-left and left-to-right letters")),
        (
            "علي-",
            refused("it is written from right to left and does not end with a letter or digit"),
        ),
        ("علي1٢", refused("it mixes European and Arabic digits")),
        ("Ali٢", refused("it mixes left-to-right letters and Arabic digits")),
        (&kilobyte, refused(long)),
        ("alice", taken.to_owned()),
        ("AIice", taken.to_owned()),
        ("\u{410}lice", taken.to_owned()),
        ("Ali\u{307}ce", taken.to_owned()),
        ("\u{1ea0}lice", taken.to_owned()),
        ("  Alice\t", taken.to_owned()),
    ];
    for (name, notice) in cases {
        let mut client = server.connect();
        client.expect(ENTER_NAME);
        client.send(name);
        client.expect(&format!("[SERVER] {notice}"));
        client.expect(ENTER_NAME);
    }
    alice.expect("[SERVER] Somebody else asked for your name. It stays yours.");
    alice.send("list");
    alice.expect("[SERVER] Online users (1): Alice");
}

#[test]
fn the_port_can_be_bound_again_at_once_after_a_crash() {
    // An address of its own: no other test's connection can happen to have this port there.
    let mut server = Launch::new("").listen(&["127.45.67.89:0"]).start();
    let address = server.address();
    let [mut alice, _bob] = server.room(["Alice", "Bob"]);
    let pending = server.connect();
    let crash = now();
    server.kill();
    let again = Launch::new("").listen(&[&address.to_string()]).start();
    let outage = now() - crash;
    assert!(outage < Duration::from_secs(1), "{outage:?}");
    assert_eq!(again.address(), address);
    again.login("Alice");
    let (_, end) = alice.rest();
    assert!(matches!(end, End::Closed | End::Reset));
    drop(pending);
}

#[test]
fn a_port_that_is_taken_gives_one_clear_line() {
    let server = Server::start("");
    let address = server.address().to_string();
    let mut second = Launch::new("").listen(&[&address]).command();
    let output = second.stdout(Stdio::piped()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let want = format!(
        "hubbub: cannot listen on {address}: the port is taken. Stop the other server or use \
         --listen\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), want);
    server.login("Alice");
}
