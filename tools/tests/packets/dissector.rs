//! `tools dissector`: tshark runs the script, and reads the protocol with it.
//!
//! An error of a script exits with 0, so each run has to be silent about Lua and to find something.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::support::chat::{DEADLINE, Server};
use crate::support::{encap_well, tshark};

/// What two clients and the server say; several lines in one message.
const TABLE: &str = "src_port,dst_port,message,timestamp
PORT,50000,[SERVER] Enter your name:,0.1
50000,PORT,Eve,0.11
PORT,50000,\"[SERVER] Name already taken. Eve is online.
[SERVER] Enter your name:\",0.12
50000,PORT,\"Alice
list
@Bob שלום
all hello there\",0.2
PORT,50000,\"[SERVER] User 'Bob' not found.
[Alice]: hello there
[From Bob]: late, sorry\",0.3
50000,PORT,nonsense,0.4
50000,PORT,LIST al,0.5
50000,PORT,\"@Bob, hi
help me
quit now
  \",0.55
50000,PORT,[Eve]: hi,0.6
";

/// What tshark tells of the lines, in the order in which they were said.
const WANT: &[&str] =
    &["9", "1", "9", "9", "1", "4", "2", "3", "9", "10", "11", "8", "4", "2", "5", "8", "7", "8"];

fn ask(folder: &Path, file: &Path, arguments: &[&str]) -> String {
    let script = folder.join("hubbub.lua");
    let printed = Command::new(env!("CARGO_BIN_EXE_tools")).arg("dissector").output().unwrap();
    fs::write(&script, printed.stdout).unwrap();
    let option = format!("lua_script:{}", script.display());
    let output = Command::new("tshark")
        .args(["-n", "-X", &option, "-r"])
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !stderr.contains("Lua"), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the fields hold, each in the order of the lines.
fn fields<const N: usize>(folder: &Path, file: &Path, names: [&str; N]) -> [Vec<String>; N] {
    let mut arguments = vec!["-Y", "hubbub", "-T", "fields"];
    arguments.extend(names.iter().flat_map(|name| ["-e", name]));
    let mut values = [const { Vec::new() }; N];
    for packet in ask(folder, file, &arguments).lines() {
        for (values, told) in values.iter_mut().zip(packet.split('\t')) {
            let all = told.split(',').filter(|value| !value.is_empty());
            values.extend(all.map(str::to_owned));
        }
    }
    values
}

#[test]
fn every_line_is_read_however_it_was_cut_and_at_any_port() {
    if !tshark::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (table, file) = (folder.path().join("in.csv"), folder.path().join("out.pcapng"));
    for (port, mss) in [("12345", "1460"), ("12345", "16"), ("54321", "1460")] {
        fs::write(&table, TABLE.replace("PORT", port)).unwrap();
        encap_well(&[table.to_str().unwrap(), "-o", file.to_str().unwrap(), "--mss", mss]);
        let names = ["kind", "name", "to", "from", "prefix", "text"];
        let names = names.map(|name| format!("hubbub.{name}"));
        let [kinds, name, to, from, prefix, texts] =
            fields(folder.path(), &file, names.each_ref().map(String::as_str));
        assert_eq!(kinds, WANT, "port {port}, MSS {mss}");
        assert_eq!((name, to), (vec!["Eve".into(), "Alice".into()], vec!["Bob".to_owned(); 2]));
        assert_eq!((from, prefix), (vec!["Alice".into(), "Bob".into()], vec!["al".to_owned()]));
        assert_eq!(texts, ["שלום", "hello there", "hello there", "late", " sorry", "hi"]);
        let filter = "_ws.lua.error or _ws.malformed or _ws.expert.severity>=0x600000";
        assert_eq!(ask(folder.path(), &file, &["-2", "-Y", filter]), "");
    }
}

#[test]
fn what_a_telnet_program_sends_is_told_apart_from_its_lines() {
    if !tshark::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    let server = Server::start("127.0.0.1:0", &file, &[]);
    let mut program = TcpStream::connect(server.address).unwrap();
    program.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut greeting = [0; "[SERVER] Enter your name:\n".len()];
    program.read_exact(&mut greeting).unwrap();
    program.write_all(b"\xff\xfb\x1fAl\x08lice\r\0\xff\xf4\xff\xfd\x06all hi\r\nquit\r\0").unwrap();
    program.read_to_end(&mut Vec::new()).unwrap();
    drop(program);
    server.stop();
    let names = ["hubbub.kind", "hubbub.telnet", "hubbub.text"];
    let [kinds, telnet, texts] = fields(folder.path(), &file, names);
    assert_eq!(kinds, ["9", "1", "3", "6", "9", "10"]);
    assert_eq!(telnet, ["fffb1f", "fff4fffd06", "fffe1ffffc06"]);
    assert_eq!(texts, ["hi", "hi"]);
    let tools =
        Command::new(env!("CARGO_BIN_EXE_tools")).arg("analyze").arg(&file).output().unwrap();
    let told = String::from_utf8(tools.stdout).unwrap();
    assert!(told.contains("Alice") && told.contains(" quit"), "{told}");
}
