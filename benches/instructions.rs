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
use hubbub::name::{Folded, LookAlike, MAX_SCALARS, MAX_TYPED, Name};
use hubbub::wire::Command;

const LISTENERS: u32 = 100;

/// The name that costs most: each letter looks like five.
const WORST_NAME: char = '\u{102a}';

/// What costs most behind an `@`: as many of these as a name can have decompose into four each.
const WORST_ADDRESS: char = '\u{1f83}';

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

fn name() -> String {
    let name = WORST_NAME.to_string().repeat(MAX_SCALARS);
    black_box(keys(&name));
    name
}

/// All that a try at a name can cost: whether it is one, and both of its keys.
fn keys(name: &str) -> Option<(Folded, LookAlike)> {
    let name = Name::parse(name).ok()?;
    Some((name.folded(), name.look_alike()))
}

/// A room, and a line to nobody in it.
fn to_nobody(scalars: usize) -> (Box<Room>, String) {
    (one(), format!("@{} hi\n", WORST_ADDRESS.to_string().repeat(scalars)))
}

fn to_nobody_of_a_possible_name() -> (Box<Room>, String) {
    to_nobody(MAX_SCALARS)
}

fn to_nobody_of_an_impossible_name() -> (Box<Room>, String) {
    to_nobody(MAX_TYPED)
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

#[library_benchmark(setup = name, config = at_most(517_000))]
fn worst_name(name: String) -> Option<(Folded, LookAlike)> {
    black_box(keys(black_box(&name)))
}

#[library_benchmark(setup = to_nobody_of_a_possible_name, config = at_most(90_000))]
fn worst_address((mut room, line): (Box<Room>, String)) -> Box<Room> {
    let _ = black_box(room.say(black_box(line.as_bytes())));
    room
}

#[library_benchmark(setup = to_nobody_of_an_impossible_name, config = at_most(33_000))]
fn impossible_address((mut room, line): (Box<Room>, String)) -> Box<Room> {
    let _ = black_box(room.say(black_box(line.as_bytes())));
    room
}

library_benchmark_group!(
    name = message,
    benchmarks =
        [framing_utf8_and_grammar, ascii_to_the_log, hebrew_to_the_log, delivered_to_a_hundred]
);
library_benchmark_group!(
    name = names,
    benchmarks = [worst_name, worst_address, impossible_address]
);
main!(library_benchmark_groups = message, names);
