//! The bodies of the fuzz targets, and their corpora replayed on every run of the tests.

pub mod capture_file;
pub mod chat;
pub mod command;
mod crafted;
pub mod csv;
pub mod lines;
pub mod model;
pub mod name;
pub mod net;
pub mod packet;
pub mod reply;
pub mod screen;
pub mod tape;
pub mod telnet;
pub mod town;
pub mod world;

use std::fs;
use std::path::Path;

/// A stream and the reads that it comes in: the first bytes of `data` say how it is cut. `None`
/// when there are none.
fn cut(data: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (&cuts, rest) = data.split_first()?;
    let (cuts, stream) = rest.split_at(rest.len().min(usize::from(cuts % 16)));
    let mut reads = Vec::new();
    let mut uncut = stream;
    for &cut in cuts {
        let (read, rest) = uncut.split_at(uncut.len().min(usize::from(cut)));
        reads.push(read);
        uncut = rest;
    }
    reads.push(uncut);
    Some((reads, stream))
}

/// Runs a body over everything that its fuzzer found worth keeping.
fn replay(target: &str, body: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&corpus).expect("every target has a corpus") {
        body(&fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus of {target} is empty");
}

#[test]
fn the_corpus_of_capture_file_is_fine() {
    replay("capture_file", capture_file::run);
}

/// What is random in structure is found in a corpus; what is random in its numbers is found here.
#[test]
fn captures_with_any_times_and_sizes_are_told_in_every_way() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..random.usize(..400)).map(|_| random.u8(..)).collect();
        capture_file::run(&bytes);
    }
}

#[test]
fn the_corpus_of_command_is_fine() {
    replay("command", command::run);
}

#[test]
fn the_corpus_of_csv_is_fine() {
    replay("csv", csv::run);
}

#[test]
fn the_corpus_of_lines_is_fine() {
    replay("lines", lines::run);
}

#[test]
fn the_corpus_of_name_is_fine() {
    replay("name", name::run);
}

#[test]
fn the_corpus_of_reply_is_fine() {
    replay("reply", reply::run);
}

#[test]
fn the_corpus_of_chat_is_fine() {
    replay("chat", chat::run);
}

#[test]
fn the_corpus_of_screen_is_fine() {
    replay("screen", screen::run);
}

#[test]
fn the_corpus_of_telnet_is_fine() {
    replay("telnet", telnet::run);
}

#[test]
fn the_corpus_of_net_is_fine() {
    replay("net", net::run);
}

#[test]
fn the_corpus_of_packet_is_fine() {
    replay("packet", packet::run);
}
