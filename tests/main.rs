//! The integration tests: one binary, a module per topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what is there to see"
)]
#![allow(unreachable_pub, missing_docs, reason = "nobody else sees them")]

mod allocations;
mod bad_input;
mod bodies;
mod capture;
mod config;
mod descriptors;
mod evening;
mod faults;
mod injected;
mod lifecycle;
mod limits;
mod listen;
mod logs;
mod memory;
mod pressure;
#[path = "../benches/common/mod.rs"]
#[expect(dead_code, reason = "the benchmarks use the rest")]
mod room;
mod signals;
mod sim;
#[cfg(target_os = "linux")]
mod slow_links;
mod support;
mod telnet;
mod terminal;
mod tidy;
