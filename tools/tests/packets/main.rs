//! `tools analyze`, `tools encap`, `tools layers` and `tools dissector` as programs: one binary, a
//! room per topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what is there to see"
)]
#![allow(unreachable_pub, missing_docs, reason = "nobody else sees them")]

mod analyze;
mod dissector;
mod encap;
mod foreign;
mod gate;
mod hostile;
mod layers;
mod live;
mod random;
mod support;
