//! `tools layers` as a program, and that what it says is what is in the frame that `encap` writes.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Parser;
use pcap_file::pcap::PcapReader;
use proptest::prelude::*;
use tempfile::TempDir;
use tools::layers::dump::Line;
use tools::layers::html::Page;
use tools::layers::{self, Lesson, Options, text};
use unicode_width::UnicodeWidthStr;

use crate::support::{Run, encap_well, run_of, tshark};

/// A table in which every service says something, and row 6 nothing.
const TEA: &str = "app_protocol,src_app,dst_app,message,timestamp\n\
    HTTP,browser,tea_shop,GET /oolong HTTP/1.1,0.010\n\
    HTTP,tea_shop,browser,HTTP/1.1 200 OK,0.025\n\
    DNS,browser,name_server,Query: tea.example.com,0.040\n\
    DNS,name_server,browser,Response: 192.0.2.7,0.052\n\
    chat,דנה,hubbub,all שלום לכולם! 🫖,0.060\n\
    chat,hubbub,דנה,,0.070\n\
    SMTP,a,b,HELO tea.example.com,0.080\n\
    SSH,c,d,ls,0.090\n\
    TFTP,e,f,odd,0.100\n";

/// How many rows it has.
const TEA_ROWS: usize = 9;

/// A folder with a table in it.
struct Place {
    folder: TempDir,
}

/// A command line.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

impl Place {
    fn new(table: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("in.csv"), table).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
        command.current_dir(&self.folder).args(["layers", "in.csv"]).args(arguments);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command
    }

    fn layers(&self, arguments: &[&str]) -> Run {
        run_of(self.command(arguments).output().unwrap())
    }

    /// The same without a program, and what it says on the log when there is none.
    fn lesson(&self, arguments: &[&str]) -> Result<Lesson, String> {
        let input = self.path("in.csv");
        let all = [&["layers", input.to_str().unwrap()], arguments].concat();
        let mut log = Vec::new();
        let lesson = layers::lesson(&Arguments::parse_from(all).options, &mut log).unwrap();
        lesson.ok_or_else(|| String::from_utf8(log).unwrap())
    }

    /// The frames that `encap` writes.
    fn frames(&self, arguments: &[&str]) -> Vec<Vec<u8>> {
        let [input, output] = ["in.csv", "out.pcap"].map(|name| self.path(name));
        let ends = [input.to_str().unwrap(), "-o", output.to_str().unwrap()];
        encap_well(&[&ends, arguments].concat());
        let file = fs::read(output).unwrap();
        let mut reader = PcapReader::new(&file[..]).unwrap();
        let packets = std::iter::from_fn(|| {
            let packet = reader.next_packet()?;
            Some(packet.unwrap().data().to_vec())
        });
        packets.collect()
    }
}

/// What a field says, up to the first space.
fn value<'a>(lesson: &'a Lesson, layer: &str, field: &str) -> &'a str {
    let layer = lesson.layers.iter().find(|one| one.kind.name() == layer).unwrap();
    let field = layer.fields.iter().find(|one| one.name == field);
    field.map_or("", |field| field.value.split(' ').next().unwrap())
}

/// What must hold for every lesson.
#[track_caller]
fn assert_sound(lesson: &Lesson) {
    let mut at = 0;
    for layer in &lesson.layers {
        assert_eq!(layer.bytes.start * 8, at, "{}", layer.name);
        for field in &layer.fields {
            assert_eq!(field.bits.start, at, "{}: {}", layer.name, field.name);
            assert!(!field.bits.is_empty(), "{}: {}", layer.name, field.name);
            at = field.bits.end;
        }
        assert_eq!(layer.bytes.end * 8, at, "{}", layer.name);
    }
    assert_eq!(lesson.shown.frame.len() * 8, at);
    for working in &lesson.workings {
        let sent = &lesson.shown.frame[working.at..working.at + 2];
        assert_eq!(sent, working.complement.to_be_bytes(), "{}", working.name);
        assert!(working.is_right());
    }
    let shown = lesson.dump.iter().map(|line| match line {
        Line::Run(run) => run.cells.len(),
        Line::Gap(bytes) => *bytes,
    });
    assert_eq!(shown.sum::<usize>(), lesson.shown.frame.len());
}

/// No line is too long, and nothing is in it that steers a terminal.
#[track_caller]
fn assert_calm(lesson: &Lesson) {
    for width in [0, 40, 59, 76, 80, 110, 1_000] {
        let text = text::render(lesson, width);
        let plain = anstream::adapter::strip_str(&text).to_string();
        for line in plain.lines() {
            assert!(line.width() <= width.clamp(40, 110), "{width}: {line:?}");
            let steers = |c: char| {
                c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!line.contains(steers), "{line:?}");
        }
    }
}

/// Every tag that opens closes, in order, and nothing comes from elsewhere.
#[track_caller]
fn assert_whole(page: &str) {
    const VOID: [&str; 5] = ["!doctype", "meta", "link", "br", "hr"];
    let (mut open, mut ids, mut targets) = (Vec::new(), HashSet::new(), HashSet::new());
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    for tag in before.split('<').skip(1).chain(after.split('<').skip(1)) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.split_whitespace().next().unwrap().to_ascii_lowercase();
        let attribute = |name: &str| {
            let rest = tag.split_once(&format!(" {name}=\""))?.1;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
        } else if !VOID.contains(&name.as_str()) {
            open.push(name);
        }
        if let Some(id) = attribute("id") {
            assert!(ids.insert(id.clone()), "{id} twice");
        }
        targets.extend(attribute("href"));
        assert_eq!(attribute("src"), None);
    }
    assert_eq!(open, Vec::<String>::new());
    for target in targets {
        let id = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} is outside"));
        assert!(ids.contains(id), "{target} is nowhere");
    }
    for outside in ["url(h", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn each_frame_is_one_that_encap_writes() {
    let place = Place::new(TEA);
    for arguments in
        [&[][..], &["--ipv6", "--vlan", "7"], &["--udp", "--seed", "9"], &["--mss", "16"]]
    {
        let frames = place.frames(arguments);
        for row in 1..=TEA_ROWS {
            let row_text = row.to_string();
            let all = [arguments, &["--row", &row_text]].concat();
            let first = place.lesson(&all).unwrap();
            let mut sent = Vec::new();
            for segment in 1..=first.shown.segments {
                let lesson =
                    place.lesson(&[&all[..], &["--segment", &segment.to_string()]].concat());
                let lesson = lesson.unwrap();
                assert!(frames.contains(&lesson.shown.frame), "{all:?}, segment {segment}");
                assert_sound(&lesson);
                sent.extend_from_slice(lesson.shown.payload());
            }
            assert_eq!(sent, first.shown.sent);
        }
    }
}

#[test]
fn what_cannot_be_shown_is_told_with_what_can() {
    let place = Place::new(TEA);
    let silent = "row 6 says nothing, and a connection sends no segment for that; row 1 says \
        something";
    for (arguments, want) in [
        (&["--row", "10"][..], "there is no row 10; expected 1 to 9"),
        (&["--row", "6", "--verbatim"], silent),
        (&["--segment", "2"], "there is no segment 2; expected 1 to 1"),
    ] {
        let run = place.layers(arguments);
        assert_eq!((run.code, run.log), (2, format!("in.csv: {want}\n")));
        assert!(run.stdout.is_empty());
    }
    let run = place.layers(&["--html", "in.csv"]);
    let refused = "--html: in.csv would be written over; another name would work\n";
    assert_eq!((run.code, run.log.as_str()), (2, refused));
    for arguments in [["--row", "0"], ["--segment", "0"], ["--vlan", "4095"], ["--mss", "1"]] {
        assert_eq!(place.layers(&arguments).code, 2, "{arguments:?}");
    }
    let run = Place::new("message,src_app,dst_app\n").layers(&[]);
    let none = "there are no rows below the names of the columns; nothing is shown";
    assert_eq!(run.log, format!("in.csv: {none}\n"));
    assert_eq!(run.code, 2);
}

#[test]
fn an_empty_datagram_has_three_layers() {
    let place = Place::new(TEA);
    let lesson = place.lesson(&["--row", "6", "--udp", "--verbatim"]).unwrap();
    assert_eq!(lesson.layers.len(), 3);
    assert_sound(&lesson);
    assert_calm(&lesson);
}

#[test]
fn a_bad_row_is_told_and_may_be_left_out() {
    let place = Place::new("timestamp,src_app,dst_app,message\nsoon,a,b,hm\n1,a,b,ok\n");
    let run = place.layers(&["--row", "2"]);
    assert_eq!(run.code, 2);
    let end = "in.csv: nothing is shown; --skip-bad-rows leaves them out\n";
    assert!(run.log.starts_with("in.csv") && run.log.ends_with(end), "{}", run.log);
    assert_eq!(place.layers(&["--row", "2", "--skip-bad-rows"]).code, 0);
    let run = place.layers(&["--skip-bad-rows"]);
    let end = "row 1 was left out; expected one that has nothing wrong with it\n";
    assert!(run.code == 2 && run.log.ends_with(end), "{}", run.log);
}

#[test]
fn there_is_colour_where_it_is_wanted() {
    let place = Place::new(TEA);
    let coloured = |name: &str| {
        let run = run_of(place.command(&[]).env(name, "1").output().unwrap());
        assert_eq!((run.code, run.log.as_str()), (0, ""));
        run.stdout.contains(&0x1b)
    };
    assert!(coloured("CLICOLOR_FORCE"));
    assert!(!coloured("NO_COLOR"));
    assert!(!place.layers(&[]).stdout.contains(&0x1b));
}

#[test]
fn whoever_reads_the_lesson_may_stop_reading() {
    let place = Place::new(TEA);
    for arguments in [&[][..], &["--html", "-"]] {
        let mut command = place.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 8];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let run = run_of(child.wait_with_output().unwrap());
        assert!(!run.log.contains("panicked"), "{}", run.log);
    }
}

#[test]
fn the_page_is_whole_and_asks_for_nothing() {
    let hostile = "</style></bdi><script src=//x>&\u{202e}\u{1b}[2J";
    let place =
        Place::new(&format!("message,src_app,dst_app\n\"{hostile}\",<b>,\"\"\" onload=x\"\n"));
    let run = place.layers(&["--html", "-"]);
    assert_eq!((run.code, run.log.as_str()), (0, ""));
    let page = String::from_utf8(run.stdout).unwrap();
    assert_whole(&page);
    let run = place.layers(&["--html", "page.html"]);
    assert!(run.code == 0 && run.log.starts_with("page.html: in.csv, row 1: "), "{}", run.log);
    assert_eq!(fs::read_to_string(place.path("page.html")).unwrap(), page);
    let run = place.layers(&["--html", "no/page.html"]);
    assert!(run.code != 0 && run.log.contains("cannot write no/page.html"), "{}", run.log);
}

#[test]
fn of_a_long_message_all_bytes_are_accounted_for() {
    let place = Place::new(&format!("message,src_app,dst_app\n{},a,b\n", "ab".repeat(6_001)));
    for arguments in [&["--mss", "9000", "--segment", "2"][..], &["--udp"], &["--mss", "1001"]] {
        let lesson = place.lesson(arguments).unwrap();
        assert_sound(&lesson);
        assert_calm(&lesson);
        let longest = lesson.workings.iter().map(|working| working.steps.len()).max();
        assert!(longest < Some(64), "{longest:?} lines of a sum");
        let count: usize =
            lesson.workings.last().unwrap().steps.iter().map(|step| step.count).sum();
        assert!(count > lesson.shown.payload().len() / 2);
        assert!(Page::new(&lesson).to_string().len() < 1 << 20);
    }
}

#[test]
fn udp_sends_all_ones_in_the_place_of_zero() {
    let table = |port: u16| {
        Place::new(&format!("message,src_ip,dst_ip,src_port,dst_port\nodd,::1,::2,{port},9\n"))
    };
    let sum = table(1_000).lesson(&["--udp", "--verbatim"]).unwrap().workings[0].sum;
    // The port that makes the sum all ones.
    let port = u32::from(!sum) + 1_000;
    let port = u16::try_from(port % 0xffff).unwrap();
    let lesson = table(port).lesson(&["--udp", "--verbatim"]).unwrap();
    let working = &lesson.workings[0];
    assert_eq!((working.sum, working.complement, working.sent), (0xffff, 0xffff, 0xffff));
    assert!(working.is_all_ones_for_zero() && working.is_right());
    assert!(text::render(&lesson, 80).contains("UDP sends ffff"));
}

/// Asks tshark for the fields of a frame, and compares each with what the lesson says.
#[track_caller]
fn assert_as_tshark(lesson: &Lesson, number: usize, capture: &Path) {
    let wanted = [
        ("eth.src", "link", "Source"),
        ("eth.dst", "link", "Destination"),
        ("vlan.id", "link", "VLAN"),
        ("ip.src", "network", "Source"),
        ("ipv6.dst", "network", "Destination"),
        ("ip.id", "network", "Identification"),
        ("ip.len", "network", "Total length"),
        ("ip.ttl", "network", "Time to live"),
        ("ipv6.plen", "network", "Payload length"),
        ("ip.checksum", "network", "Header checksum"),
        ("tcp.srcport", "transport", "Source port"),
        ("tcp.dstport", "transport", "Destination port"),
        ("tcp.seq_raw", "transport", "Sequence number"),
        ("tcp.ack_raw", "transport", "Acknowledgment number"),
        ("tcp.flags.push", "transport", "PSH"),
        ("tcp.window_size_value", "transport", "Window"),
        ("tcp.checksum", "transport", "Checksum"),
        ("udp.dstport", "transport", "Destination port"),
        ("udp.length", "transport", "Length"),
        ("udp.checksum", "transport", "Checksum"),
    ];
    let filter = format!("frame.number=={number}");
    let mut arguments = vec!["-Y", &filter, "-T", "fields", "-E", "separator=|"];
    arguments.extend(wanted.iter().flat_map(|(name, ..)| ["-e", name]));
    let answer = tshark::ask(&arguments, capture);
    let answers: Vec<&str> = answer.trim_end_matches('\n').split('|').collect();
    assert_eq!(answers.len(), wanted.len(), "{answer}");
    let mut compared = 0;
    for ((name, layer, field), theirs) in wanted.into_iter().zip(answers) {
        let ours = value(lesson, layer, field);
        let theirs = match theirs {
            "" => continue,
            "True" => "1",
            theirs => theirs,
        };
        let same = ours == theirs || name == "ip.id" && hex(theirs) == ours.parse().ok();
        assert!(same, "{name}: {ours:?}, and tshark says {theirs:?}");
        compared += 1;
    }
    assert!(compared >= 8, "{answer}");
}

fn hex(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[test]
fn wireshark_reads_the_same() {
    if !tshark::is_there() {
        return;
    }
    let place = Place::new(TEA);
    for arguments in [&["--row", "5"][..], &["--row", "3", "--udp", "--ipv6", "--vlan", "7"]] {
        let lesson = place.lesson(arguments).unwrap();
        let frames = place.frames(&arguments[2..]);
        let number = frames.iter().position(|frame| *frame == lesson.shown.frame).unwrap() + 1;
        assert_as_tshark(&lesson, number, &place.path("out.pcap"));
    }
}

prop_compose! {
    fn cell()(text in prop_oneof![
        any::<String>(),
        "[ -~\r\n\t]{0,80}",
        "[\u{5d0}-\u{5ea}\u{202a}-\u{202e}\u{300}-\u{30f}]{0,40}",
        "[\u{4e00}-\u{4e20}\u{1f600}-\u{1f610}]{0,40}",
        "(GET|HTTP/1.1 200|Query:|Response:) [a-z./0-9 ]{0,200}",
    ]) -> String {
        format!("\"{}\"", text.replace('"', "\"\""))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_bit_of_any_message_belongs_to_one_field(
        rows in prop::collection::vec(
            (prop::sample::select(vec!["HTTP", "DNS", "chat", "SSH", "SMTP", "TFTP", ""]), cell()),
            1..6,
        ),
        switches in prop::sample::subsequence(
            vec!["--udp", "--ipv6", "--verbatim", "--vlan=4094", "--mss=16", "--mss=333"], 0..5),
        row in 1_usize..6,
    ) {
        let mut table = "app_protocol,message,src_app,dst_app\n".to_owned();
        for (index, (app, text)) in rows.iter().enumerate() {
            let ends = if index % 2 == 0 { "a,b" } else { "b,a" };
            writeln!(table, "{app},{text},{ends}").unwrap();
        }
        let row = format!("--row={}", row.min(rows.len()));
        let mut switches = switches;
        if switches.contains(&"--mss=333") {
            switches.retain(|switch| *switch != "--mss=16");
        }
        let place = Place::new(&table);
        match place.lesson(&[&switches[..], &["--skip-bad-rows", &row]].concat()) {
            Ok(lesson) => {
                assert_sound(&lesson);
                assert_calm(&lesson);
                assert_whole(&Page::new(&lesson).to_string());
            }
            Err(log) => prop_assert!(log.starts_with(place.path("in.csv").to_str().unwrap())),
        }
    }
}
