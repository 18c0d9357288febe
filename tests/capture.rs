//! `hubbub serve --capture` when something goes wrong: the chat goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::process::Signal;

use crate::support::{Launch, Server, eventually, lacks, now, skip};

/// What is said once when a capture ends before the server does.
const ENDS: &str = "the capture ends here, and the chat goes on";

fn flags(file: &Path) -> String {
    format!("--capture {}", file.display())
}

/// Everyone is heard, one warning says what is wrong, and so many connections were not captured to
/// their end, two newcomers among them.
#[track_caller]
fn assert_chat_goes_on(mut server: Server, reason: &str, uncaptured: u64) {
    let logs = server.await_log(ENDS);
    assert!(logs.contains(reason), "{logs}");
    let [mut alice, mut bob] = server.room(["Xena", "Yves"]);
    bob.send("all are you there?");
    alice.expect("[Yves]: are you there?");
    let count = || server.counter("uncaptured");
    eventually("all are counted", || (count() == uncaptured).then_some(()));
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    let logs = server.await_log("stopped");
    assert_eq!(logs.matches(ENDS).count(), 1, "{logs}");
    assert_eq!(logs.matches("WARN").count(), 1, "{logs}");
}

#[test]
fn a_file_that_reaches_its_limit_is_whole_to_there_and_the_chat_goes_on() {
    if lacks("prlimit") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    let limit = 20_000;
    let prlimit = ["prlimit".to_owned(), format!("--fsize={limit}")];
    let server = Launch::new(&flags(&file)).through(prlimit).start();
    let mut alice = server.login("Alice");
    for n in 0..100 {
        alice.send(&format!("all {n} and some more"));
        alice.expect(&format!("[Alice]: {n} and some more"));
    }
    // A batch is written whole or not at all.
    let text = "x".repeat(4000);
    for _ in 0..5 {
        alice.send(&format!("all {text}"));
        alice.expect(&format!("[Alice]: {text}"));
    }
    assert_chat_goes_on(server, "chat.pcapng: File too large", 3);
    assert_whole(&file);
    assert!(fs::metadata(&file).unwrap().len() <= limit);
}

/// Wants the last block of a file to end with it.
#[track_caller]
fn assert_whole(file: &Path) {
    let bytes = fs::read(file).unwrap();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        rest = rest.get(length..).expect("the last block is cut short");
    }
}

#[test]
fn a_file_that_somebody_removes_is_missed_and_the_chat_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcap");
    let server = Server::start(&flags(&file));
    fs::remove_file(&file).unwrap();
    let _alice = server.login("Alice");
    let mut passer_by = server.login("Bob");
    passer_by.send("quit");
    passer_by.rest();
    assert_chat_goes_on(server, "chat.pcap: somebody has removed it", 4);
}

#[test]
fn a_folder_that_vanishes_before_the_next_file_is_missed_and_the_chat_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    fs::create_dir(&here).unwrap();
    let file = here.join("chat.pcapng");
    let server = Server::start(&format!("{} --capture-size 64KiB", flags(&file)));
    let mut alice = server.login("Alice");
    fs::rename(&here, &there).unwrap();
    for n in 0..20 {
        let text = format!("{n} {}", "x".repeat(4000));
        alice.send(&format!("all {text}"));
        alice.expect(&format!("[Alice]: {text}"));
    }
    assert_chat_goes_on(server, "_00002_", 3);
    let files: Vec<_> = fs::read_dir(&there).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_whole(&files[0]);
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "it needs Linux: /dev/full")]
fn a_file_that_cannot_be_written_is_told_before_anybody_connects() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full.pcapng");
    symlink("/dev/full", &full).unwrap();
    let nowhere = folder.path().join("nowhere/chat.pcapng");
    let in_a_set = format!("{} --capture-size 1MiB", flags(&full));
    for (file, flags, reason) in [
        (&nowhere, flags(&nowhere), "No such file"),
        (&full, flags(&full), "No space left"),
        (&full, in_a_set, "it is no file; it would do without --capture-size"),
    ] {
        let output = Launch::new(&flags).command().output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{log}");
        let want = format!("hubbub: cannot write the capture: {}: {reason}", file.display());
        assert!(log.starts_with(&want), "{log}");
    }
}

#[test]
fn a_server_that_cannot_listen_leaves_the_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    fs::write(&file, "of another server").unwrap();
    let server = Server::start("");
    let address = server.address().to_string();
    let output = Launch::new(&flags(&file)).listen(&[&address]).command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), "of another server");
}

#[test]
fn a_file_that_another_server_writes_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    let _first = Server::start(&flags(&file));
    let written = fs::read(&file).unwrap();
    let output = Launch::new(&flags(&file)).command().output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{log}");
    assert!(log.contains("chat.pcapng: another server writes it"), "{log}");
    assert_eq!(fs::read(&file).unwrap(), written);
}

#[test]
fn a_new_file_is_for_its_owner_and_an_old_one_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    for size in ["", " --capture-size 1MiB"] {
        drop(Server::start(&format!("{}{size}", flags(&file))));
    }
    for entry in fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    fs::write(&file, [b'x'; 10_000]).unwrap();
    drop(Server::start(&flags(&file)));
    assert_whole(&file);
}

/// A named pipe that is open for reading, and not read; none where there are no such things.
fn unread_pipe(pipe: &Path) -> Option<fs::File> {
    if lacks("mkfifo") {
        return None;
    }
    let made = std::process::Command::new("mkfifo").arg(pipe).status().unwrap();
    if !made.success() {
        skip("named pipes cannot be made");
        return None;
    }
    // Opened both ways, it waits for nobody.
    Some(fs::OpenOptions::new().read(true).write(true).open(pipe).unwrap())
}

/// Says more than a pipe holds, and everyone reads it.
fn fill(server: &Server) {
    let [mut alice, mut bob] = server.room(["Alice", "Bob"]);
    for n in 0..100 {
        let text = format!("{n} {}", "x".repeat(4000));
        alice.send(&format!("all {text}"));
        bob.expect(&format!("[Alice]: {text}"));
        alice.expect(&format!("[Alice]: {text}"));
    }
}

#[test]
fn a_second_signal_does_not_wait_for_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("chat.pcapng");
    let Some(_reader) = unread_pipe(&pipe) else { return };
    let mut server = Server::start(&flags(&pipe));
    fill(&server);
    server.signal(Signal::TERM);
    server.await_log("stopped");
    // The first may still come while it is the server's to stop.
    let code = eventually("the end of the server", || {
        server.signal(Signal::INT);
        server.exit_code()
    });
    assert_eq!(code, 130);
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("chat.pcapng");
    let Some(reader) = unread_pipe(&pipe) else { return };
    let server = Server::start(&flags(&pipe));
    let started = now();
    fill(&server);
    assert!(now() - started < crate::support::DEADLINE);
    drop(reader);
    assert_chat_goes_on(server, "chat.pcapng: Broken pipe", 4);
}
