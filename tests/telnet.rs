//! Telnet: real programs that speak it can chat, and what they send is understood however it comes.

use std::io::{Read, Write};
use std::net::TcpStream;

use socket2::SockRef;

use crate::support::{Client, DEADLINE, ENTER_NAME, Pty, Server, lacks};

/// Waits until a program shows this.
#[track_caller]
fn await_text(pty: &Pty, text: &str) {
    pty.await_screen(text, |screen| screen.raw().contains(text).then_some(()));
}

#[test]
fn a_telnet_program_shows_what_comes_after_an_interrupt() {
    if lacks("telnet") {
        return;
    }
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let port = server.address().port().to_string();
    let mut tess = Pty::program("telnet", &["127.0.0.1", &port]);
    await_text(&tess, ENTER_NAME);
    tess.press("Tess\r");
    bob.expect("[SERVER] Tess has joined the chat!");
    await_text(&tess, "Welcome Tess!");
    for round in 0..2 {
        // It sends an urgent mark and asks for a timing mark, and shows nothing until it has one.
        tess.press("\x03");
        tess.press(&format!("all {round}\r"));
        bob.expect(&format!("[Tess]: {round}"));
        bob.send(&format!("all round {round}"));
        bob.expect(&format!("[Bob]: round {round}"));
        await_text(&tess, &format!("[Bob]: round {round}"));
    }
    tess.press("quit\r");
    bob.expect("[SERVER] Tess has left the chat.");
}

#[test]
fn putty_in_telnet_mode_logs_in_at_its_first_try() {
    if lacks("plink") {
        return;
    }
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let port = server.address().port().to_string();
    let mut putty = Pty::program("plink", &["-telnet", "-P", &port, "127.0.0.1"]);
    await_text(&putty, ENTER_NAME);
    putty.press("Putty\r");
    bob.expect("[SERVER] Putty has joined the chat!");
    await_text(&putty, "Welcome Putty!");
    putty.press("all hi\r");
    bob.expect("[Putty]: hi");
    await_text(&putty, "[Putty]: hi");
}

/// Reads until the server has said this.
#[track_caller]
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
    while !heard.ends_with(end) {
        let count = stream.read(&mut buffer).expect("the server says it");
        assert!(count > 0, "the end after {}", heard.escape_ascii());
        heard.extend(&buffer[..count]);
    }
    heard
}

#[test]
fn each_option_is_refused_once_however_it_is_cut() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    // DO ECHO, WILL NAWS, both again, WONT and DONT, a subnegotiation, NOP, a name, and Enter.
    let sent = b"\xff\xfd\x01\xff\xfb\x1f\xff\xfd\x01\xff\xfb\x1f\xff\xfc\x03\xff\xfe\x03\
        \xff\xfa\x18\0xterm\n\xff\xf0Te\xff\xf1ss\r\0";
    for cut in [1, 2, 3, 5, sent.len()] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        sent.chunks(cut).for_each(|piece| stream.write_all(piece).unwrap());
        let heard = read_until(&mut stream, b"list, help, quit\n");
        let mut answers = heard.clone();
        answers.retain(|byte| !byte.is_ascii_graphic() && !b" \n".contains(byte));
        assert_eq!(answers, b"\xff\xfc\x01\xff\xfe\x1f", "{}", heard.escape_ascii());
        bob.expect("[SERVER] Tess has joined the chat!");
        stream.write_all(b"quit\r\0").unwrap();
        bob.expect("[SERVER] Tess has left the chat.");
    }
}

#[test]
fn an_urgent_byte_stays_where_it_was_sent() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let mut tess = TcpStream::connect(server.address()).unwrap();
    tess.write_all(b"Tess\r\nall a\xff").unwrap();
    SockRef::from(&tess).send_out_of_band(b"\xf2").unwrap();
    tess.write_all(b"b\r\n").unwrap();
    bob.expect("[SERVER] Tess has joined the chat!");
    bob.expect("[Tess]: ab");
}

#[test]
fn keys_edit_the_line_by_whole_characters() {
    let server = Server::start("");
    let [mut bob, mut eve] = server.room(["Bob", "Eve"]);
    for (typed, seen) in [
        (b"all helo\x08lo\r\0".as_slice(), "hello"),
        (b"all he\x7f\x7f\x7f\x7f\x7f\x7f\x7fall ok\r\n", "ok"),
        ("all caf\u{e9}\x08\u{e9}e\u{301}\x08!\n".as_bytes(), "café!"),
        (b"all ab\xff\xf7c\n", "ac"),
    ] {
        eve.send_bytes(typed);
        eve.expect(&format!("[Eve]: {seen}"));
        bob.expect(&format!("[Eve]: {seen}"));
    }
    // What was taken back counts for the limit: nobody gains anything by it.
    eve.send_bytes(&[&b"all "[..], &b"x\x08".repeat(2_100), b"hi\n"].concat());
    eve.expect("[SERVER] Line dropped: it is longer than 4,096 bytes.");
    bob.reads_nothing();
}

#[test]
fn a_flood_of_commands_costs_no_line_and_no_memory() {
    let server = Server::start("");
    let mut bob = server.login("Bob");
    let mut tess = Client::connect(server.address());
    let nops = b"\xff\xf1".repeat(1 << 19);
    tess.send_bytes(&nops);
    let memory = server.memory();
    tess.send_bytes(&nops);
    tess.send_bytes(b"\xff\xfaendless");
    tess.send_bytes(&[b'x'; 249]);
    tess.login("Tess");
    bob.expect("[SERVER] Tess has joined the chat!");
    let grown = server.memory().saturating_sub(memory);
    assert!(grown < 1 << 20, "memory has grown by {grown} bytes");
}
