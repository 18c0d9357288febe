//! `hubbub`: parse, build, run, report.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use hubbub::client::{self, ClientError, Options, Outcome};
use hubbub::config::{self, Action, Chat, Cli, Flags};
use hubbub::net;

/// The command line or the configuration file is wrong; clap's own errors exit with the same.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let code = match Cli::parse().action() {
        // Each error says what was not possible, and the one behind it why.
        Action::Serve(flags) => serve(&flags).map_err(|error| anyhow!("{error:#}")),
        Action::Chat(arguments) => chat(&arguments),
        Action::Completions { shell } => print(&config::completions(shell)),
        Action::Man => config::man().map_err(anyhow::Error::from).and_then(|page| print(&page)),
    };
    ExitCode::from(code.unwrap_or_else(|error| {
        report(&format!("hubbub: {error}"));
        1
    }))
}

fn serve(flags: &Flags) -> anyhow::Result<u8> {
    match flags.resolve() {
        Ok(settings) => Ok(net::run(&settings)?.code()),
        Err(problems) => {
            report(&problems.to_string());
            Ok(USAGE)
        }
    }
}

fn chat(arguments: &Chat) -> anyhow::Result<u8> {
    let options = Options {
        name: arguments.name.clone(),
        server: arguments.server().clone(),
        heartbeat: arguments.heartbeat.0,
        times: arguments.times().cloned(),
        bell: arguments.bell,
        history: arguments.history,
    };
    match client::run(&options) {
        Ok(Outcome::Done) => Ok(0),
        Ok(Outcome::Refused) => Ok(1),
        Err(error @ ClientError::NoName) => {
            report(&format!("hubbub: {error}"));
            Ok(USAGE)
        }
        Err(error) => Err(error.into()),
    }
}

fn print(bytes: &[u8]) -> anyhow::Result<u8> {
    match io::stdout().write_all(bytes) {
        // Whoever reads has read enough: `hubbub man | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        result => result.map(|()| 0).map_err(|error| anyhow!("cannot write to stdout: {error}")),
    }
}

/// Says it on stderr; if even that fails, the exit code has to do.
fn report(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
