//! `tools`: Hubbub's workbench.

mod load;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hubbub::config::Flags;
use hubbub::net;
use tools::visible::Harmless;
use tools::{analyze, curves, dissector, encap, layers, visible};

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
    let (mut out, mut log) = (Harmless(io::stdout()), Harmless(io::stderr()));
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    let code = match cli.action {
        Action::Load(command) => load::run(&command),
        Action::Curves(options) => curves::run(&options, &mut log),
        Action::Dissector => dissector::run(&mut io::stdout(), &mut log),
        Action::Encap(options) => encap::run(&options, &mut log),
        Action::Analyze(options) => analyze::run(&options, &mut out, &mut log),
        Action::Layers(options) => layers::run(&options, &mut log),
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

/// Ends as clap does, also where a word of the command line could do harm: names of files are not
/// always the user's own.
fn refuse(error: &clap::Error) -> ! {
    let text = error.render().to_string();
    let harmless = visible::lines(&text);
    if harmless == text {
        error.exit();
    }
    report(harmless.trim_end());
    std::process::exit(error.exit_code())
}

/// Says it on stderr; if even that fails, the exit code has to do.
fn report(text: &str) {
    let _ = writeln!(io::stderr(), "{}", visible::lines(text));
}
