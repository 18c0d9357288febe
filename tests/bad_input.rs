//! Bad input gets one clear notice, or a close where there is nothing to talk about, and costs
//! nobody else anything.

use crate::support::{Client, ENTER_NAME, Server};

/// What memory may grow by while nothing should, in bytes: what an allocator takes at a time.
const SLACK: u64 = 1 << 20;

/// A server with Alice, who minds her own business, and Eve, who does not.
fn alice_and_eve() -> (Server, Client, Client) {
    let server = Server::start("");
    let [alice, eve] = server.room(["Alice", "Eve"]);
    (server, alice, eve)
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn a_megabyte_without_a_newline_gets_one_notice() {
    let (server, mut alice, mut eve) = alice_and_eve();
    let megabyte = vec![b'x'; 1 << 20];
    let mut memory = 0;
    for round in 0..10 {
        eve.send_bytes(&megabyte);
        eve.expect("[SERVER] Line dropped: it is longer than 4,096 bytes.");
        eve.send_bytes(b"\n");
        eve.reads_nothing();
        if round == 0 {
            memory = server.memory();
        }
    }
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < SLACK, "memory has grown by {grown} bytes");
    alice.reads_nothing();
}

#[test]
fn a_megabyte_for_a_name_gets_one_notice_and_another_try() {
    let (server, mut alice, _eve) = alice_and_eve();
    let mut mallory = server.connect();
    mallory.expect(ENTER_NAME);
    mallory.send_bytes(&vec![b'x'; 1 << 20]);
    mallory.expect("[SERVER] Line dropped: it is longer than 4,096 bytes.");
    mallory.expect(ENTER_NAME);
    alice.reads_nothing();
    mallory.send("\nMallory");
    assert!(mallory.line().starts_with("[SERVER] Welcome Mallory!"));
    alice.expect("[SERVER] Mallory has joined the chat!");
}

#[test]
fn zero_bytes_are_shown_and_never_passed_on() {
    let (_server, mut alice, mut eve) = alice_and_eve();
    eve.send_bytes(b"\0\0\0\n");
    let shown = "???";
    let usage = "Use: @Name text, all text, list, help, quit";
    eve.expect(&format!("[SERVER] Unknown command '{shown}'. {usage}"));
    alice.reads_nothing();
    eve.send_bytes(b"all a\0b\n@Alice \0\n");
    alice.expect("[Eve]: a?b");
    alice.expect("[From Eve]: ?");
    alice.reads_nothing();
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let (server, mut alice, mut eve) = alice_and_eve();
    let not_utf8: [&[u8]; 8] = [
        b"all \xff\x80\n",
        b"@Alice caf\xe9\n",
        b"@\xc3\x28 hi\n",
        b"list \x80\n",
        b"\xc0\xaf\n",
        b"all \xed\xa0\x80\n",
        b"all \xf4\x90\x80\x80\n",
        b"all cut \xf0\x9f\x91\n",
    ];
    for line in not_utf8 {
        eve.send_bytes(line);
        eve.expect("[SERVER] Line dropped: it is not UTF-8 text.");
    }
    let mut mallory = server.connect();
    mallory.expect(ENTER_NAME);
    mallory.send_bytes(b"Ren\xe9\n");
    mallory.expect("[SERVER] Line dropped: it is not UTF-8 text.");
    alice.reads_nothing();
    eve.reads_nothing();
}

#[test]
fn nothing_steers_the_terminal_of_another() {
    let (_server, mut alice, mut eve) = alice_and_eve();
    let evil = [
        ("\x1b[2J\x1b[H", "?[2J?[H"),
        ("\x1b]0;title\x07", "?]0;title?"),
        ("\u{9b}31mred", "?31mred"),
        ("a\r[SERVER] Bye", "a?[SERVER] Bye"),
        ("a\u{2028}b\u{2029}c\u{85}d", "a\u{fffd}b\u{fffd}c?d"),
        ("\u{202e}evil\u{202c}", "\u{fffd}evil\u{fffd}"),
        ("\u{3164}\u{115f}[Bob]: hi", "\u{fffd}\u{fffd}[Bob]: hi"),
        ("a\u{ad}b\u{feff}c\u{2060}", "a?b\u{fffd}c\u{fffd}"),
        ("\u{2066}x\u{2069} \u{202d}y", "\u{fffd}x\u{fffd} \u{fffd}y"),
    ];
    for (sent, shown) in evil {
        eve.send(&format!("all {sent}\n@alice {sent}"));
        alice.expect(&format!("[Eve]: {shown}"));
        alice.expect(&format!("[From Eve]: {shown}"));
        eve.expect(&format!("[Eve]: {shown}"));
        eve.send(&format!("@x{} hi", sent.replace(' ', "_")));
        eve.expect(&format!("[SERVER] User 'x{}' not found.", shown.replace(' ', "_")));
    }
    let kept = "tab\there, שלום \u{200f}עולם, مرحبا, 👩\u{200d}👧, Zażółć";
    eve.send(&format!("all {kept}"));
    alice.expect(&format!("[Eve]: {kept}"));
    alice.reads_nothing();
}

#[test]
fn an_http_post_speaks_in_nobodys_name() {
    let (server, mut alice, _eve) = alice_and_eve();
    let body = "Mallory\nall pwned\n@Alice pwned\n";
    for request in [
        format!("POST / HTTP/1.1\r\nHost: localhost:12345\r\n\r\n{body}"),
        format!("GET /chat?x=1 HTTP/1.0\r\n\r\n{body}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let mut browser = server.connect();
        browser.send_bytes(request.as_bytes());
        browser.expect(ENTER_NAME);
        browser.expect("[SERVER] This is not an HTTP server.");
        browser.expect_end();
    }
    alice.reads_nothing();
    let get = server.login("GET");
    alice.expect("[SERVER] GET has joined the chat!");
    drop(get);
}

#[test]
fn whoever_speaks_another_protocol_is_told_and_closed() {
    let (server, mut alice, _eve) = alice_and_eve();
    let strangers: [(&[u8], &str); 14] = [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "This is not an SSH server."),
        (b"CAP LS 302\r\nNICK x\r\nUSER x 0 * :x\r\n", "This is not an IRC server."),
        (b"NICK x\r\n", "This is not an IRC server."),
        (b"USER x 0 * :x\r\n", "This is not an IRC server."),
        (b"EHLO example.org\r\n", "This is not an SMTP server."),
        (b"*1\r\n$4\r\nPING\r\n", "This is not a Redis server."),
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\nMallory\r\n",
            "This server does not take the PROXY protocol.",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x05\0\x06",
            "This server does not take the PROXY protocol.",
        ),
        (b"\x10\x18\0\x04MQTT\x04", "This is not an MQTT server."),
        (b"\0\0\0\x85\xffSMBr", "This is not an SMB server."),
        (b"\x03\0\0\x13\x0e\xe0", "This is not an RDP server."),
        (b"\x05\x01\0", "This is not a SOCKS server."),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", "This is not a PostgreSQL server."),
        (b"<?xml version='1.0'?><stream:stream>", "This is not an XMPP server."),
    ];
    for (bytes, told) in strangers {
        let mut stranger = server.connect();
        stranger.send_bytes(bytes);
        stranger.expect(ENTER_NAME);
        stranger.expect(&format!("[SERVER] {told}"));
        stranger.expect_end();
    }
    alice.reads_nothing();
    for name in ["NICK", "CAP", "HELO", "PROXY", "USER"] {
        let client = server.login(name);
        alice.expect(&format!("[SERVER] {name} has joined the chat!"));
        drop(client);
        alice.expect(&format!("[SERVER] {name} has left the chat."));
    }
}

#[test]
fn a_tls_hello_is_answered_at_once_and_closed() {
    let (server, mut alice, mut eve) = alice_and_eve();
    // A handshake record of TLS 1.0 to 1.3 (RFC 8446, section 5.1) that holds no LF.
    let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    hello.extend([0x55; 0x200]);
    for bytes in [&hello[..], &hello[..1]] {
        let mut browser = server.connect();
        browser.send_bytes(bytes);
        browser.expect(ENTER_NAME);
        browser.expect("[SERVER] This is not a TLS server.");
        browser.expect_end();
    }
    eve.send_bytes(b"\x16\n");
    assert!(eve.line().starts_with("[SERVER] Unknown command '?'."), "only at the start");
    alice.reads_nothing();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /proc")]
fn ten_thousand_empty_lines_are_silent() {
    let (server, mut alice, mut eve) = alice_and_eve();
    let empty = "\n".repeat(5_000) + &"\r\n".repeat(5_000);
    eve.send_bytes(empty.as_bytes());
    let memory = server.memory();
    for _ in 0..4 {
        eve.send_bytes(empty.as_bytes());
    }
    eve.reads_nothing();
    let mut late = server.connect();
    late.expect(ENTER_NAME);
    late.send_bytes(empty.as_bytes());
    late.send("Late");
    assert!(late.line().starts_with("[SERVER] Welcome Late!"), "an empty line is no try");
    alice.expect("[SERVER] Late has joined the chat!");
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < SLACK, "memory has grown by {grown} bytes");
    alice.reads_nothing();
}

#[test]
fn malformed_commands_get_one_notice_each() {
    let (_server, mut alice, mut eve) = alice_and_eve();
    let private = "[SERVER] Message format error. Use: @Name Message";
    let all = "[SERVER] Message format error. Use: all Message";
    for (line, notice) in [
        ("@", private),
        ("@Alice", private),
        ("@Alice ", private),
        ("@Alice  \t ", private),
        ("@ hi", private),
        ("@: hi", private),
        ("quit now", "[SERVER] To leave, send the word quit alone on a line."),
        ("list zz", "[SERVER] Nobody online has a name that begins with 'zz'."),
        ("all", all),
        ("ALL  ", all),
        ("@Nobody hi", "[SERVER] User 'Nobody' not found."),
    ] {
        eve.send(line);
        eve.expect(notice);
    }
    let long = "y".repeat(5_000);
    eve.send(&format!("{long}\nall {long}\n@Alice {long}"));
    for _ in 0..3 {
        eve.expect("[SERVER] Line dropped: it is longer than 4,096 bytes.");
    }
    eve.reads_nothing();
    alice.reads_nothing();
}

#[test]
fn how_people_address_each_other_reaches_them() {
    let (server, mut alice, mut eve) = alice_and_eve();
    for line in ["@Alice: hi", "@alice, hi", "@ALICE:, hi"] {
        eve.send(line);
        alice.expect("[From Eve]: hi");
    }
    eve.send("@Nobody: hi\n   \n \t\nhelp me");
    eve.expect("[SERVER] User 'Nobody' not found.");
    let help = eve.line();
    assert!(help.starts_with("[SERVER] Commands: "), "{help:?}");
    eve.reads_nothing();
    let mut late = server.connect();
    late.expect(ENTER_NAME);
    late.send("  \n\t\n \t \nLate");
    assert!(late.line().starts_with("[SERVER] Welcome Late!"), "an empty line is no try");
}

#[test]
fn a_line_at_the_end_of_the_stream_needs_no_newline() {
    let (_server, mut alice, mut eve) = alice_and_eve();
    eve.send_bytes(b"all one\n@Alice two");
    eve.end();
    eve.expect("[Eve]: one");
    eve.expect_end();
    alice.expect("[Eve]: one");
    alice.expect("[From Eve]: two");
    alice.expect("[SERVER] Eve has left the chat.");
}

#[test]
fn noise_harms_nobody() {
    let (server, mut alice, mut eve) = alice_and_eve();
    let mut random = fastrand::Rng::with_seed(0x6e_6f69_7365);
    for _ in 0..100 {
        // No ASCII, so no command, and with this seed no name.
        let noise: Vec<u8> = (0..random.usize(1..20_000)).map(|_| random.u8(0x80..)).collect();
        let mut mallory = server.connect();
        mallory.send_what_goes(&noise);
        let mut pieces = noise.chunks(3_000).map(|piece| [piece, b"\n"].concat());
        pieces.by_ref().take(5).for_each(|piece| mallory.send_what_goes(&piece));
        if random.bool() {
            mallory.reset();
        }
    }
    alice.reads_nothing();
    eve.send("all phew");
    alice.expect("[Eve]: phew");
}
