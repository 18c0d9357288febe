//! Running `tools` and tshark, and where the tables of messages are.

pub mod chat;
#[path = "../../../../tests/support/skip.rs"]
pub mod skip;
pub mod tshark;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How a run of `tools encap` ended.
pub struct Run {
    pub code: i32,
    pub log: String,
    pub stdout: Vec<u8>,
}

/// Runs `tools encap` and waits for its end.
pub fn encap(arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_tools")).arg("encap").args(arguments).output();
    run_of(output.unwrap())
}

pub fn run_of(output: Output) -> Run {
    let log = String::from_utf8(output.stderr).unwrap();
    Run { code: output.status.code().unwrap(), log, stdout: output.stdout }
}

/// Runs it and wants it to go well.
#[track_caller]
pub fn encap_well(arguments: &[&str]) -> String {
    let run = encap(arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.log);
    run.log
}

/// The tables of this project.
pub fn own_tables() -> Vec<PathBuf> {
    tables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"))
}

/// Tables of others that lie beside the project, where they do.
pub fn other_tables() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/csv");
    if folder.is_dir() { tables(&folder) } else { Vec::new() }
}

fn tables(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut tables: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
    tables.sort();
    assert!(!tables.is_empty(), "{} holds no table", folder.display());
    tables
}
