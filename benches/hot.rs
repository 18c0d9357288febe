//! How long the things take that happen for every message: `cargo bench --bench hot`.

#![allow(missing_docs, clippy::expect_used, reason = "criterion's macros make public functions")]

mod common;

use std::hint::black_box;

use common::{ASCII, HEBREW, Room, parse};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hubbub::wire::Framer;

/// How many lines come in one read.
const LINES: usize = 64;

fn framer(c: &mut Criterion) {
    let stream = ASCII.repeat(LINES);
    let mut group = c.benchmark_group("framer");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("64 lines of one read", |b| {
        b.iter(|| {
            let (mut framer, mut input) = (Framer::Line, black_box(stream.as_slice()));
            while let Some(frame) = framer.next(&mut input, 4096) {
                black_box(frame);
            }
        });
    });
}

fn grammar(c: &mut Criterion) {
    let mut group = c.benchmark_group("framing, UTF-8 and grammar");
    group.throughput(Throughput::Elements(1));
    let private = b"@Alice The quick brown fox jumps over the lazy dog, and then sleeps.\n";
    for (what, line) in [("all, ASCII", ASCII), ("all, Hebrew", HEBREW), ("private", private)] {
        group.bench_function(what, |b| b.iter(|| black_box(parse(black_box(line)))));
    }
}

fn room(c: &mut Criterion) {
    let mut group = c.benchmark_group("a line through the log to everyone");
    let crowds = [1, 100, 10_000].map(|clients| ("ASCII", ASCII, clients));
    for (what, line, clients) in crowds.into_iter().chain([("Hebrew", HEBREW, 1)]) {
        let mut room = Room::of(clients);
        group.throughput(Throughput::Elements(u64::from(clients)));
        group.bench_function(format!("{what}, {clients} clients"), |b| {
            b.iter(|| {
                let _ = room.say(black_box(line));
                black_box(room.deliver())
            });
        });
    }
}

criterion_group!(hot, framer, grammar, room);
criterion_main!(hot);
