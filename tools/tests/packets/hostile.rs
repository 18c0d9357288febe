//! Tables, captures and names of files that would steer a terminal or forge a line: whatever the
//! tools quote of them is harmless.

use std::fs;
use std::process::Command;

use hubbub::wire::text::is_unsafe;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Run, run_of};

/// An override of direction, a line separator, escapes of both kinds, and a line of its own.
const HOSTILE: &str = "a\u{202e}b\u{2028}c\u{9b}2J\x1b[31m\x07\u{2066}\u{85}";

/// The same as a name of a file, which may hold the end of a line.
const FILE: &str = "in\u{202e}\u{9b}\x1b]0;x\x07\ntools: all is well\u{2067}";

struct Place(TempDir);

impl Place {
    fn new(table: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{FILE}.csv")), table).unwrap();
        Self(folder)
    }

    /// Runs a tool, and wants nothing in what it says that could do harm.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
        let run = run_of(command.current_dir(&self.0).args(arguments).output().unwrap());
        for told in [&run.log, std::str::from_utf8(&run.stdout).unwrap()] {
            let harm: Vec<char> = told.chars().filter(|&c| is_unsafe(c) && c != '\n').collect();
            assert!(harm.is_empty(), "{arguments:?}: {harm:?} in {told}");
            // What is wrong with the command line itself is told in the words of whoever typed it.
            let is_forged = told.contains("\ntools: all is well") && !told.contains("--help");
            assert!(!is_forged, "{arguments:?}: {told}");
        }
        run
    }
}

#[test]
fn what_is_quoted_of_a_table_is_harmless() {
    let table = format!(
        "src_app,dst_app,app_protocol,message,{HOSTILE},src_ip{HOSTILE}\n\
         {HOSTILE},Bob,{HOSTILE},{HOSTILE},1,2\nBob,{HOSTILE},chat,hi,1,2\n"
    );
    let place = Place::new(&table);
    let input = format!("{FILE}.csv");
    let output = format!("{FILE}.pcapng");
    let run = place.run(&["encap", &input, "-o", &output, "--comments"]);
    assert_eq!(run.code, 0, "{}", run.log);
    assert!(run.log.contains("not used: a\u{fffd}b\u{fffd}c\u{fffd}2J\\x1b[31m"), "{}", run.log);
    assert!(run.log.starts_with("in\u{fffd}\u{fffd}\\x1b]0;x\\x07\\ntools: all"), "{}", run.log);
    assert_eq!(place.run(&["layers", &input]).code, 0);
    assert_eq!(place.run(&["layers", &input, "--html", &format!("{FILE}.html")]).code, 0);
    let page = fs::read_to_string(place.0.path().join(format!("{FILE}.html"))).unwrap();
    assert!(!page.contains(|c| is_unsafe(c) && c != '\n'));

    assert_eq!(place.run(&["analyze", &output]).code, 0);
    let run = place.run(&["analyze", &output, "--json", "--html", "it.html"]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["capture"]["file"], output, "JSON loses nothing");
    let page = fs::read_to_string(place.0.path().join("it.html")).unwrap();
    assert!(!page.contains(|c| is_unsafe(c) && c != '\n'));
}

#[test]
fn what_is_wrong_is_told_without_harm() {
    let input = format!("{FILE}.csv");
    for table in [
        format!("message{HOSTILE}\nx\n"),
        format!(
            "src_port,src_ip,timestamp,payload_size\n{HOSTILE},{HOSTILE},{HOSTILE},{HOSTILE}\n"
        ),
        format!("src_app {HOSTILE},message,src_app\n10.0.0.1,x,\n"),
        format!("src_app,src_ip,message\n10.0.0.1,10.0.0.2,{HOSTILE}\n"),
        HOSTILE.to_owned(),
    ] {
        let place = Place::new(&table);
        for arguments in [
            &["encap", &input, "-o", "out.pcapng"][..],
            &["layers", &input],
            &["analyze", &input],
            &["curves", &input, "-o", "out.svg"],
        ] {
            place.run(arguments);
        }
    }
    let place = Place::new("message\nx\n");
    let (missing, folder) = (format!("no {FILE}.csv"), format!("no {FILE}/out.pcapng"));
    for arguments in [
        &["encap", &missing, "-o", "out.pcapng"][..],
        &["encap", &input, "-o", &folder],
        &["encap", &input, "-o", &input],
        &["layers", &missing],
        &["layers", &input, "--row", "9"],
        &["analyze", &missing],
        &["curves", &missing, "-o", "out.svg"],
        &["curves", &input, "-o", &folder],
    ] {
        assert_ne!(place.run(arguments).code, 0, "{arguments:?}");
    }
}
