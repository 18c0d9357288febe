//! What a test does where the machine lacks something that it needs: it says so, and returns.
//!
//! The harness of Rust can ignore a test only when it is compiled, and keeps to itself what a test
//! prints that passes. So the reasons are collected, and the process prints them when it ends,
//! below the summary: a reader sees without any flag what was not checked, and why.
//!
//! The tests of `tools` share this file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

/// The names of tests, by what they lacked.
type Skipped = BTreeMap<String, BTreeSet<String>>;

static SKIPPED: Mutex<Skipped> = Mutex::new(Skipped::new());

/// Whether this program is missing; then the test that asks counts as not checked, and returns.
#[track_caller]
pub(crate) fn lacks(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    if !is_there {
        skip(&format!("{program} is not installed"));
    }
    !is_there
}

/// Notes that the test that calls this could not check all that it should, and why.
#[track_caller]
pub(crate) fn skip(why: &str) {
    static AT_EXIT: Once = Once::new();
    AT_EXIT.call_once(|| assert!(shutdown_hooks::add_shutdown_hook(print), "no hook is left"));
    let thread = thread::current();
    // A test has a thread of its own, named after it; `main` runs them all with --test-threads=1.
    let test = thread.name().filter(|&name| name != "main").map(str::to_owned);
    let test = test.unwrap_or_else(|| Location::caller().to_string());
    skipped().entry(why.to_owned()).or_default().insert(test);
}

fn skipped() -> MutexGuard<'static, Skipped> {
    SKIPPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One line for each reason. It is called by atexit(3), so it must not panic.
extern "C" fn print() {
    let mut out = io::stdout().lock();
    for (why, tests) in &*skipped() {
        let _ = writeln!(out, "{}", line(why, tests));
    }
    let _ = writeln!(out).and_then(|()| out.flush());
}

fn line(why: &str, tests: &BTreeSet<String>) -> String {
    let names: Vec<&str> = tests.iter().map(String::as_str).collect();
    let (count, noun) = (names.len(), if names.len() == 1 { "test" } else { "tests" });
    format!("not checked, because {why}: {count} {noun} ({})", names.join(", "))
}

/// It runs itself again, lacking something.
#[test]
fn what_was_not_checked_is_printed_below_the_summary() {
    const LACKING: &str = "HUBBUB_TEST_LACKS";
    if let Some(program) = std::env::var_os(LACKING) {
        assert!(lacks(program.to_str().expect("it is written below")));
        return;
    }
    let (_, module) = module_path!().split_once("::").expect("a module of a test binary");
    let name = format!("{module}::what_was_not_checked_is_printed_below_the_summary");
    for threads in ["1", "2"] {
        let mut again = std::process::Command::new(std::env::current_exe().expect("it runs"));
        again.args(["--exact", &name, "--test-threads", threads]).env(LACKING, "no-such-program");
        let output = again.output().expect("it runs again");
        let text = String::from_utf8(output.stdout).expect("a harness prints text");
        let (_, end) = text.split_once("test result: ok. 1 passed").expect("it passes");
        let line = "not checked, because no-such-program is not installed: 1 test (";
        assert!(end.contains(&format!("\n\n{line}")), "{text}");
        assert!(threads == "1" || end.contains(&format!("{line}{name})\n")), "{text}");
    }
}
