//! `hubbub serve --capture` when something goes wrong: the chat goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Does not start, and says why.
#[track_caller]
fn assert_refused(launch: &Launch, file: &Path, reason: &str) {
    let output = launch.command().output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{log}");
    let want = format!("cannot write the capture: {}: {reason}", file.display());
    assert!(log.contains(&want), "{log}");
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anybody_connects() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere/chat.pcapng");
    assert_refused(&Launch::new(&flags(&nowhere)), &nowhere, "No such file");
    if !lacks("prlimit") {
        let full = folder.path().join("full.pcapng");
        let launch = Launch::new(&flags(&full)).through(["prlimit", "--fsize=10"]);
        assert_refused(&launch, &full, "File too large");
    }
    let pipe = folder.path().join("pipe.pcapng");
    if let Some(_reader) = unread_pipe(&pipe) {
        let launch = Launch::new(&format!("{} --capture-size 1MiB", flags(&pipe)));
        assert_refused(&launch, &pipe, "it is no file; it would do without --capture-size");
    }
}

#[test]
fn what_somebody_may_have_planted_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let victim = at("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, at("link.pcapng")).unwrap();
    symlink(at("new"), at("loose.pcapng")).unwrap();
    fs::hard_link(&victim, at("hard.pcapng")).unwrap();
    let link = format!("it is a link to {}; that name itself would work", victim.display());
    for (name, reason) in [
        ("link.pcapng", link.as_str()),
        ("loose.pcapng", "it is a link to "),
        ("hard.pcapng", "it has other names too"),
    ] {
        assert_refused(&Launch::new(&flags(&at(name))), &at(name), reason);
    }
    assert!(!at("new").exists());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    let (others, pipe) = (at("others.pcapng"), at("pipe.pcapng"));
    fs::write(&others, "of somebody else").unwrap();
    if std::os::unix::fs::chown(&others, Some(12_345), None).is_err() {
        return skip("only root can give a file away");
    }
    let reason = "it belongs to user 12345; another name would work";
    assert_refused(&Launch::new(&flags(&others)), &others, reason);
    assert_eq!(fs::read_to_string(&others).unwrap(), "of somebody else");
    if let Some(_reader) = unread_pipe(&pipe) {
        std::os::unix::fs::chown(&pipe, Some(12_345), None).unwrap();
        assert_refused(&Launch::new(&flags(&pipe)), &pipe, reason);
    }
}

/// The files of a set, the oldest first.
fn set(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "pcapng")).collect();
    files.sort();
    files
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the names of a set have the date in them")]
fn a_link_at_the_name_of_a_file_of_a_set_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (captures, victim) = (folder.path().join("captures"), folder.path().join("victim"));
    fs::create_dir(&captures).unwrap();
    fs::write(&victim, "precious").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    for second in 0..20 {
        let time = i64::try_from(now.as_secs()).unwrap() + second;
        let time = jiff::Timestamp::from_second(time).unwrap().strftime("%Y%m%d%H%M%S");
        symlink(&victim, captures.join(format!("chat_00001_{time}.pcapng"))).unwrap();
    }
    let file = captures.join("chat.pcapng");
    drop(Server::start(&format!("{} --capture-size 1MiB", flags(&file))));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    let made = set(&captures).pop().unwrap();
    assert!(made.file_name().unwrap().to_str().unwrap().starts_with("chat_00002_"), "{made:?}");
    assert!(fs::symlink_metadata(made).unwrap().is_file());
}

#[test]
fn of_a_set_the_last_files_are_kept_and_nothing_is_deleted_that_is_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chat.pcapng");
    fs::write(folder.path().join("chat_00000_20200101000000.pcapng"), "of another run").unwrap();
    let flags = format!("{} --capture-size 64KiB --capture-files 3", flags(&file));
    let mut server = Server::start(&flags);
    let mut alice = server.login("Alice");
    let first = set(folder.path()).pop().unwrap();
    fs::rename(&first, folder.path().join("moved")).unwrap();
    fs::write(&first, "of somebody else").unwrap();
    let text = "x".repeat(4000);
    let number = |file: &PathBuf| file.file_name()?.to_str()?.get(5..10)?.parse::<u32>().ok();
    eventually("several files", || {
        alice.send(&format!("all {text}"));
        alice.expect(&format!("[Alice]: {text}"));
        (set(folder.path()).last().and_then(number) > Some(6)).then_some(())
    });
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    let files = set(folder.path());
    let numbers: Vec<u32> = files.iter().filter_map(number).collect();
    let last = *numbers.last().unwrap();
    assert_eq!(numbers, [0, 1, last - 2, last - 1, last], "0 and 1 are not of its own making");
    assert_eq!(fs::read_to_string(&first).unwrap(), "of somebody else");
}

/// What tshark tells of a file.
fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tshark").arg("-n").args(arguments).arg("-r").arg(file).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// A reader of the pipe that was away for too long finds a gap that says how large it is, and what
/// comes behind it.
#[test]
fn behind_a_gap_the_capture_goes_on_and_wireshark_sees_how_much_is_missing() {
    const READERS: usize = 30;
    if lacks("tshark") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (pipe, file) = (folder.path().join("pipe.pcapng"), folder.path().join("chat.pcapng"));
    let Some(reader) = unread_pipe(&pipe) else { return };
    let mut server = Server::start(&flags(&pipe));
    let mut room: Vec<_> = (0..READERS).map(|n| server.login(&format!("user{n}"))).collect();
    let text = "x".repeat(4000);
    // More than 64 MiB of what is heard.
    for _ in 0..64 * 1024 * 1024 / 4000 / READERS + 100 {
        room[0].send(&format!("all {text}"));
        for client in &mut room {
            client.lines_until(&format!("[user0]: {text}"));
        }
    }
    server.await_log("cannot keep up");
    // The reader has the pipe open for writing, too, and would see no end.
    let (mut pipe, mut copy) = (fs::File::open(&pipe).unwrap(), fs::File::create(&file).unwrap());
    drop(reader);
    let copied = std::thread::spawn(move || std::io::copy(&mut pipe, &mut copy));
    server.await_log("goes on behind a gap");
    room[0].send("all here again");
    for client in &mut room {
        client.lines_until("[user0]: here again");
    }
    let uncaptured = server.counter("uncaptured");
    assert_eq!(uncaptured, READERS as u64);
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    copied.join().unwrap().unwrap();
    around_the_gap(&file);
    let count = |filter: &str| tshark(&file, &["-Y", filter]).lines().count();
    assert!(count("frame.comment contains \"not captured before\"") >= READERS);
    assert!(count("tcp.analysis.lost_segment") >= READERS);
    assert_eq!(count("tcp contains \"here again\""), READERS + 1);
    assert!(count("tcp.flags.fin==1") >= READERS, "everyone has an end");
}

/// Leaves out of a file most of what is long before the gap, so that tshark is quick.
fn around_the_gap(file: &Path) {
    const KEPT: usize = 3_000;
    let bytes = fs::read(file).unwrap();
    let (mut blocks, mut rest) = (Vec::new(), &bytes[..]);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        let (block, behind) = rest.split_at(length);
        blocks.push(block);
        rest = behind;
    }
    let says = |block: &[u8]| block.windows(12).any(|part| part == b"not captured");
    let gap = blocks.iter().position(|block| says(block)).expect("a gap that is marked");
    let kept = [&blocks[..2], &blocks[gap.saturating_sub(KEPT).max(2)..]].concat();
    fs::write(file, kept.concat()).unwrap();
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
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Server::start(&flags(&file)));
    assert_whole(&file);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A named pipe that is open for reading, and not read; none where there are no such things.
fn unread_pipe(pipe: &Path) -> Option<fs::File> {
    if lacks("mkfifo") {
        return None;
    }
    let made = Command::new("mkfifo").arg(pipe).status().unwrap();
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
