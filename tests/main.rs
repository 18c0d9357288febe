//! The integration tests: one binary, a module per topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "that is how tests fail"
)]

mod config;
mod sim;
