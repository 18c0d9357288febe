//! `tools`: Hubbub's workbench.

mod load;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hubbub::config::Flags;
use hubbub::net;
use tools::{analyze, curves, dissector, encap, layers};

/// The command line is wrong; clap's own errors exit with the same.
const USAGE: u8 = 2;

/// Hubbub's tools.
#[derive(Debug, Parser)]
#[command(name = "tools", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put load on the server, check what it delivers, and measure what that costs
    Load(Box<load::Command>),
    Curves(curves::Options),
    Encap(encap::Options),
    Analyze(analyze::Options),
    Layers(layers::Options),
    /// Print the dissector that teaches Wireshark Hubbub's protocol
    Dissector,
    /// The server, as `load` starts it: the same code and profile as the tool, never a stale one
    #[command(hide = true)]
    Serve(Flags),
    /// The floor, as `load` starts it
    #[command(hide = true)]
    Relay(load::Relay),
}

fn main() -> ExitCode {
    let code = match Cli::parse().action {
        Action::Load(command) => load::run(&command),
        Action::Curves(options) => curves::run(&options, &mut io::stderr()),
        Action::Dissector => dissector::run(&mut io::stdout(), &mut io::stderr()),
        Action::Encap(options) => encap::run(&options, &mut io::stderr()),
        Action::Analyze(options) => analyze::run(&options, &mut io::stdout(), &mut io::stderr()),
        Action::Layers(options) => layers::run(&options, &mut io::stderr()),
        Action::Serve(flags) => serve(&flags),
        Action::Relay(relay) => {
            load::follow_parent();
            relay.run().map(|()| 0)
        }
    };
    ExitCode::from(code.unwrap_or_else(|error| {
        report(&format!("tools: {error:#}"));
        1
    }))
}

fn serve(flags: &Flags) -> anyhow::Result<u8> {
    load::follow_parent();
    match flags.resolve() {
        Ok(settings) => Ok(net::run(&settings)?.code()),
        Err(problems) => {
            report(&problems.to_string());
            Ok(USAGE)
        }
    }
}

/// Says it on stderr; if even that fails, the exit code has to do.
fn report(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
