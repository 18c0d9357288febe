//! What Wireshark says of a file, through tshark and capinfos.

use std::path::Path;
use std::process::Command;
use std::thread;

use super::skip::lacks;

/// Everything that must not be there: wrong checksums, malformed packets, warnings, trouble of TCP,
/// and conversations that are not whole, from handshake to close, with data.
const BAD: &str = "ip.checksum.status==0 or tcp.checksum.status==0 or udp.checksum.status==0 \
    or _ws.malformed or _ws.lua.error or _ws.expert.severity>=0x600000 \
    or tcp.analysis.flags or (tcp and tcp.completeness!=31)";

/// Data that no dissector took.
const UNKNOWN: &str = "tcp.len>0 and !tcp.reassembled_in \
    and !(http or tls or dns or smtp or ftp or ssh or data)";

/// The same where all that is said is the chat.
const UNKNOWN_CHAT: &str = "tcp.len>0 and !tcp.reassembled_in and !hubbub";

/// Data that waits for more.
const WAITING: &str = "tcp.segment_data";

/// The same, unless the rest came, in a later segment or in this one.
const LEFT_WAITING: &str = "tcp.segment_data and !tcp.reassembled_in and !tcp.segments";

/// How long messages are in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// Each fits one segment.
    Short,
    /// Some need several, and are put together by their dissector.
    Long,
}

/// Whether tshark can be asked; where it cannot, the test that asks counts as not checked.
#[track_caller]
pub fn is_there() -> bool {
    !lacks("tshark") && !lacks("capinfos")
}

/// What a program prints on its standard output.
#[track_caller]
pub fn printed(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg("-r").arg(file).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?} {}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Asks tshark with checksums looked at.
#[track_caller]
pub fn ask(arguments: &[&str], file: &Path) -> String {
    let checks = ["ip", "tcp", "udp"].map(|name| format!("{name}.check_checksum:TRUE"));
    let mut all = vec!["-n"];
    all.extend(checks.iter().flat_map(|check| ["-o", check.as_str()]));
    all.extend(arguments);
    printed("tshark", &all, file)
}

/// Wants Wireshark to have nothing to say against a file. One start of tshark says all of it: what
/// `-z expert,warn` would list is part of the filter.
#[track_caller]
pub fn assert_clean(file: &Path, messages: Messages) {
    let waiting = if messages == Messages::Short { WAITING } else { LEFT_WAITING };
    let filter = format!("({BAD}) or ({waiting}) or ({UNKNOWN})");
    let name = file.display();
    assert_eq!(ask(&["-2", "-Y", &filter], file), "", "{name}");
    assert_in_order(file);
}

/// Wants each frame to be later than the one before.
#[track_caller]
fn assert_in_order(file: &Path) {
    let order = Command::new("capinfos").args(["-T", "-M", "-r", "-o"]).arg(file).output().unwrap();
    let order = String::from_utf8(order.stdout).unwrap();
    assert!(order.trim_end().ends_with("True"), "{}: {order}", file.display());
}

/// The same for a live chat on this port, read with the dissector. It says how many lines of the
/// chat Wireshark found.
#[track_caller]
pub fn assert_clean_chat(file: &Path, port: u16, dissector: &Path) -> usize {
    let script = format!("lua_script:{}", dissector.display());
    let decode = format!("tcp.port=={port},hubbub");
    let options = ["-X", &script, "-d", &decode];
    let filter = format!("({BAD}) or ({LEFT_WAITING}) or ({UNKNOWN_CHAT})");
    let name = file.display();
    assert_eq!(ask(&[&options[..], &["-2", "-Y", &filter]].concat(), file), "", "{name}");
    assert_in_order(file);
    let fields = ["-Y", "hubbub", "-T", "fields", "-e", "hubbub.kind"];
    let kinds = ask(&[&options[..], &fields].concat(), file);
    kinds.split([',', '\n']).filter(|kind| !kind.is_empty()).count()
}

/// The same for many, two at a time.
pub fn assert_all_clean(files: &[(std::path::PathBuf, Messages)]) {
    let half = files.len().div_ceil(2).max(1);
    thread::scope(|scope| {
        for part in files.chunks(half) {
            scope.spawn(move || {
                for (file, messages) in part {
                    assert_clean(file, *messages);
                }
            });
        }
    });
}

/// What `follow` shows of a connection: the bytes of the client and of the server.
pub fn follow(file: &Path, stream: usize) -> [Vec<u8>; 2] {
    let text = ask(&["-q", "-z", &format!("follow,tcp,raw,{stream}")], file);
    let mut sides = [Vec::new(), Vec::new()];
    let is_hex = |line: &&str| !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
    for line in text.lines().filter(|line| is_hex(&line.trim())) {
        let side = usize::from(line.starts_with('\t'));
        sides[side].extend(hex(line.trim()));
    }
    sides
}

/// The bytes of hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}
