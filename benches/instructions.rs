//! How many instructions one line and one delivery take, counted by Valgrind's callgrind, which is
//! the same on every run; a tenth more than was counted last fails. `cargo bench --bench instructions` needs
//! `valgrind`, and `gungraun-runner` of the version that `Cargo.lock` names.

#![allow(
    missing_docs,
    unused_qualifications,
    clippy::expect_used,
    reason = "gungraun's macros make public functions"
)]

mod common;

use std::hint::black_box;

use common::{ASCII, HEBREW, Room, parse};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use hubbub::wire::Command;

const LISTENERS: u32 = 100;

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// The first search for a byte asks the processor what it can do.
fn warm() {
    black_box(parse(black_box(ASCII)));
}

fn one() -> Box<Room> {
    // Everything is allocated and touched.
    let mut room = Box::new(Room::of(1));
    for line in [ASCII, HEBREW] {
        let _ = room.say(line);
        room.deliver();
    }
    room
}

fn said() -> Box<Room> {
    let mut room = Box::new(Room::of(LISTENERS));
    let _ = room.say(ASCII);
    room.deliver();
    let _ = room.say(ASCII);
    room
}

#[library_benchmark(setup = warm, config = at_most(345))]
fn framing_utf8_and_grammar((): ()) -> usize {
    match parse(black_box(ASCII)) {
        Some(Ok(Command::All { text })) => text.len(),
        _ => 0,
    }
}

#[library_benchmark(setup = one, config = at_most(766))]
fn ascii_to_the_log(mut room: Box<Room>) -> Box<Room> {
    let _ = black_box(room.say(black_box(ASCII)));
    room
}

#[library_benchmark(setup = one, config = at_most(926))]
fn hebrew_to_the_log(mut room: Box<Room>) -> Box<Room> {
    let _ = black_box(room.say(black_box(HEBREW)));
    room
}

#[library_benchmark(setup = said, config = at_most(44_000))]
fn delivered_to_a_hundred(mut room: Box<Room>) -> Box<Room> {
    black_box(room.deliver());
    room
}

library_benchmark_group!(
    name = message,
    benchmarks =
        [framing_utf8_and_grammar, ascii_to_the_log, hebrew_to_the_log, delivered_to_a_hundred]
);
main!(library_benchmark_groups = message);
