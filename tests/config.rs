//! The program as a process: exit codes, and what it says where.

use assert_cmd::Command;
use std::fs;

fn hubbub(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("hubbub").unwrap();
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_problem_is_told_and_the_exit_code_is_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "max_lines = 80\n").unwrap();
    let path = file.path().to_str().unwrap();
    for serve in [&[][..], &["serve"]] {
        let args = [serve, &["--flood-burst", "0", "--listen", "ho me", "--config", path]].concat();
        let (code, stdout, stderr) = hubbub(&args);
        assert_eq!((code, stdout.as_str()), (Some(2), ""));
        let lines: Vec<_> = stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{stderr}");
        assert!(lines[0].starts_with("--listen: `ho me` "), "{stderr}");
        assert!(lines[1].starts_with("--flood-burst: 0 "), "{stderr}");
        assert_eq!(lines[2], format!("{path}:1: max_lines: unknown key; did you mean `max_line`?"));
    }
}

#[test]
fn an_unknown_flag_is_told_by_clap() {
    let (code, _, stderr) = hubbub(&["--max-lines", "80"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("'--max-line'"), "{stderr}");
    assert_eq!(hubbub(&["chat"]).0, Some(2));
}

#[test]
fn what_is_printed_is_printed_on_stdout() {
    let cases: [(&[&str], &str); 4] = [
        (&["completions", "bash"], "complete -F _hubbub"),
        (&["man"], ".TH hubbub 1"),
        (&["--version"], concat!("hubbub ", env!("CARGO_PKG_VERSION"))),
        (&["serve", "--help"], "--max-line <BYTES>"),
    ];
    for (args, expected) in cases {
        let (code, stdout, stderr) = hubbub(args);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(stdout.contains(expected), "{stdout}");
    }
}
