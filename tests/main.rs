//! The integration tests: one binary, a module per topic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "that is how tests fail"
)]

#![allow(clippy::unwrap_used, reason = "what a test cannot do without has failed it")]

mod config;
mod sim;
