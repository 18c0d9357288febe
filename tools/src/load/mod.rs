//! `tools load`: puts load on the server, checks what it delivers, and measures what that costs.
//!
//! It measures in rounds. A round starts a server in a process of its own, logs a crowd of clients
//! in, lets them do what the scenario says, and looks at the server's processor time and memory
//! before and after. Where two sides are compared (`--floor`, `--versus`), they take turns, and
//! what counts are the ratios of the rounds.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `options` | the command line; what `--versus` changes |
//! | `plan` | scenarios: who is there and what they do |
//! | `compare` | rounds, medians, ratios |
//! | `round` | one round of one side |
//! | `process` | the server or the floor as a process, and what it takes |
//! | `relay` | the floor: the least that a readiness loop can do |
//! | `crowd` | all clients, on one readiness loop |
//! | `client`, `talker` | one client; what one that talks may send |
//! | `message`, `dialect` | what a message carries; what stands around it on the wire |
//! | `check`, `history` | nothing is lost, doubled or out of order |
//! | `latency`, `metric`, `report` | histograms; what is measured; table and JSON |
//! | `clock`, `descriptors` | the one look at the clock; how many sockets there may be |

mod check;
mod client;
mod clock;
mod compare;
mod crowd;
mod descriptors;
mod dialect;
mod history;
mod latency;
mod message;
mod metric;
mod options;
mod plan;
mod process;
mod relay;
mod report;
mod round;
mod talker;

use std::io::{self, Write};

use anyhow::Context;
use tools::visible;

pub(crate) use options::Command;
pub(crate) use process::follow_parent;
pub(crate) use relay::Relay;

use report::Report;

/// Measures what was asked, and prints it. Returns the exit code.
///
/// # Errors
///
/// Something did not start, or was not delivered as it has to be.
pub(crate) fn run(command: &Command) -> anyhow::Result<u8> {
    let (sides, rounds) = match command.sides() {
        Ok(sides) => sides,
        Err(wrong) => wrong.exit(),
    };
    let mut stdout = io::stdout();
    if !command.json {
        let told = visible::lines(&report::introduce(&sides, rounds));
        stdout.write_all(told.as_bytes()).context("stdout")?;
    }
    let report = Report::new(command.scenario(), compare::measure(&sides, rounds)?);
    if command.json {
        writeln!(stdout, "{}", visible::json(&report.json()?)).context("stdout")?;
    } else {
        stdout.write_all(visible::lines(&report.table()).as_bytes()).context("stdout")?;
    }
    Ok(0)
}
