//! The real server as a process, and clients that talk bytes to it over real sockets.
//!
//! Nothing here sleeps to let something happen: what is waited for is a line, an end of stream, the
//! end of a process, or a condition in [`eventually`]. All of them give up after [`DEADLINE`].

mod client;
mod launch;
#[cfg(target_os = "linux")]
mod link;
mod picture;
mod pty;
mod screen;
mod server;
mod skip;
mod tool;

use std::thread;
use std::time::{Duration, Instant};

pub(crate) use client::{Client, End};
pub(crate) use launch::{Launch, Stderr};
#[cfg(target_os = "linux")]
pub(crate) use link::Link;
pub(crate) use picture::picture;
pub(crate) use pty::{Pty, while_typed};
pub(crate) use server::Server;
pub(crate) use skip::{lacks, skip};
pub(crate) use tool::Tool;

/// How long anything may take that should happen at once, on a machine that is busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How often [`eventually`] looks.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// What the server asks on connect.
pub(crate) const ENTER_NAME: &str = "[SERVER] Enter your name:";

/// The time. The tests measure from outside, so there is no clock to hand in.
#[expect(clippy::disallowed_methods, reason = "tests of a real process have only the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until a condition holds and returns what it found.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(now() < deadline, "{what}: not within {DEADLINE:?}");
        thread::sleep(POLL_EVERY);
    }
}
