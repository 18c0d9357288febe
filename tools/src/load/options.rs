//! The command line of `tools load`, and how `--versus` changes it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser};

use super::dialect::Dialect;
use super::plan::{Plan, Scenario};
use super::process::Target;

/// What a server is told unless `--flood-rate` is chosen: to take lines as fast as they come.
const FLOOD_RATE: &str = "--flood-rate";
const NO_FLOOD_LIMIT: [&str; 2] = [FLOOD_RATE, "0"];

/// How often two sides take their turns unless it is said.
const DEFAULT_ROUNDS: u32 = 5;

const AFTER_HELP: &str = "\
What is not chosen is the scenario's own: fanout has 10 senders, 1000 receivers and a window of 16,
whisper 50 pairs and a window of 1, idle 10000 receivers, churn a window of 64 connections, storm
1000 senders and a window of 16, stalled 10 senders, 980 receivers and 10 stalled with 1024 bytes.
Messages have 64 bytes. Each round measures 2 seconds.

Everything that is received is checked: a message that is lost, doubled or out of order ends the
load with an error. Exit codes: 0 done, 1 it failed, 2 the command line is wrong.

  tools load fanout --floor                               what the chat costs over bare delivery
  tools load whisper --idle 19000 --versus '--idle 0'     what idle clients cost those who talk
  tools load fanout --pairs 10 --versus '-- --flush-slice 0'";

/// Put load on the server, check what it delivers, and measure what that costs.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Command {
    /// What happens
    #[arg(value_enum)]
    scenario: Scenario,
    /// Measure the same with these options changed too, turn about, and compare
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    versus: Option<String>,
    /// Compare with the floor, the least that a readiness loop can do: --versus --relay
    #[arg(long, conflicts_with = "versus")]
    floor: bool,
    /// How often each side is measured [default: 1; 5 when two are compared]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Print the results as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    side: SideOptions,
}

/// What `--versus` can change.
#[derive(Clone, Debug, Args)]
struct SideOptions {
    #[command(flatten)]
    numbers: Numbers,
    #[command(flatten)]
    target: TargetOptions,
}

/// The numbers of a scenario.
#[derive(Clone, Debug, Args)]
pub(super) struct Numbers {
    /// Clients that talk to everyone
    #[arg(long, value_name = "N")]
    pub(super) senders: Option<u32>,
    /// Pairs of clients that talk in private
    #[arg(long, value_name = "N")]
    pub(super) pairs: Option<u32>,
    /// Clients that only read
    #[arg(long, value_name = "N", visible_alias = "idle")]
    pub(super) receivers: Option<u32>,
    /// Clients that log in and then do not read
    #[arg(long, value_name = "N")]
    pub(super) stalled: Option<u32>,
    /// Messages of one talker that not everyone has read; 0 = talkers never wait. In churn:
    /// connections at a time
    #[arg(long, value_name = "N")]
    pub(super) window: Option<u32>,
    /// Size of a message, in bytes
    #[arg(long, value_name = "BYTES")]
    pub(super) size: Option<usize>,
    /// What the system keeps for a client until it reads it, in bytes; it decides itself otherwise
    #[arg(long, value_name = "BYTES")]
    pub(super) receive_buffer: Option<usize>,
    /// Measure for so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) seconds: Option<f64>,
    /// Measure so many instead: messages of each talker; in churn, logins
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    pub(super) count: Option<u32>,
}

/// What the load is put on.
#[derive(Clone, Debug, Args)]
struct TargetOptions {
    /// Put the load on the floor instead of the server
    #[arg(long, group = "target")]
    relay: bool,
    /// Start this hubbub instead of the one that is built in
    #[arg(long, value_name = "FILE", group = "target")]
    program: Option<PathBuf>,
    /// Put the load on a server that runs already
    #[arg(long, value_name = "ADDR:PORT", group = "target")]
    connect: Option<SocketAddr>,
    /// The process of that server, to measure what it takes
    #[arg(long, value_name = "PID", requires = "connect")]
    pid: Option<u32>,
    /// What that server understands
    #[arg(long, value_enum, default_value = "hubbub", requires = "connect")]
    protocol: Dialect,
    /// Flags for the server that is started
    #[arg(last = true, value_name = "SERVER FLAGS")]
    flags: Vec<String>,
}

/// `--versus`, taken apart as a command line of its own.
#[derive(Debug, Parser)]
#[command(name = "--versus", disable_help_flag = true, no_binary_name = true)]
struct Versus {
    #[command(flatten)]
    side: SideOptions,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(super) struct Side {
    /// What it is called in the table.
    pub(super) label: String,
    pub(super) plan: Plan,
    pub(super) target: Target,
}

impl Command {
    /// The one or two sides to be measured, and how often.
    ///
    /// # Errors
    ///
    /// What is wrong with the command line.
    pub(super) fn sides(&self) -> Result<(Vec<Side>, u32), clap::Error> {
        let changes = if self.floor { Some("--relay") } else { self.versus.as_deref() };
        let mut sides = vec![self.side.resolve(self.scenario, None)?];
        if let Some(changes) = changes {
            let words = shlex::split(changes)
                .ok_or_else(|| usage("--versus holds a quotation mark without its other half"))?;
            let other = Versus::try_parse_from(words)?.side;
            sides.push(other.or(&self.side).resolve(self.scenario, Some(changes))?);
        }
        let default = if sides.len() > 1 { DEFAULT_ROUNDS } else { 1 };
        Ok((sides, self.rounds.unwrap_or(default)))
    }

    pub(super) fn scenario(&self) -> Scenario {
        self.scenario
    }
}

impl SideOptions {
    /// These, and the others' where nothing is said.
    fn or(self, base: &Self) -> Self {
        Self { numbers: self.numbers.or(&base.numbers), target: self.target.or(&base.target) }
    }

    fn resolve(&self, scenario: Scenario, changes: Option<&str>) -> Result<Side, clap::Error> {
        let plan = Plan::new(scenario, &self.numbers).map_err(|wrong| usage(&wrong))?;
        let target = self.target.resolve(&plan).map_err(|wrong| usage(&wrong))?;
        let label = match (changes, &target) {
            (_, Target::Floor) => "floor".to_owned(),
            (_, Target::Running { dialect, .. }) if !dialect.is_own() => dialect.name().to_owned(),
            (Some(changes), _) => changes.to_owned(),
            (None, _) => "hubbub".to_owned(),
        };
        Ok(Side { label, plan, target })
    }
}

impl Numbers {
    fn or(self, base: &Self) -> Self {
        // How long it takes is said in one way or in the other.
        let says_length = self.seconds.is_some() || self.count.is_some();
        let length = if says_length { &self } else { base };
        Self {
            seconds: length.seconds,
            count: length.count,
            senders: self.senders.or(base.senders),
            pairs: self.pairs.or(base.pairs),
            receivers: self.receivers.or(base.receivers),
            stalled: self.stalled.or(base.stalled),
            window: self.window.or(base.window),
            size: self.size.or(base.size),
            receive_buffer: self.receive_buffer.or(base.receive_buffer),
        }
    }
}

impl TargetOptions {
    fn or(self, base: &Self) -> Self {
        let says_target = self.relay || self.program.is_some() || self.connect.is_some();
        let target = if says_target { &self } else { base };
        let flags = if self.flags.is_empty() { &base.flags } else { &self.flags };
        // The floor takes no flags, nor does what runs already.
        let takes_flags = !target.relay && target.connect.is_none();
        Self {
            relay: target.relay,
            program: target.program.clone(),
            connect: target.connect,
            pid: target.pid,
            protocol: target.protocol,
            flags: if takes_flags { flags.clone() } else { self.flags },
        }
    }

    fn resolve(&self, plan: &Plan) -> Result<Target, String> {
        let given = !self.flags.is_empty();
        if let Some(address) = self.connect {
            if given {
                return Err("a server that runs already takes no flags".to_owned());
            }
            let dialect = self.protocol;
            if !dialect.is_own() {
                check_other(dialect, plan)?;
            }
            return Ok(Target::Running { address, pid: self.pid, dialect });
        }
        if !self.relay {
            let mut flags = self.flags.clone();
            if !flags.iter().any(|flag| flag.starts_with(FLOOD_RATE)) {
                flags.splice(..0, NO_FLOOD_LIMIT.map(str::to_owned));
            }
            return Ok(Target::Server { program: self.program.clone(), flags });
        }
        if given {
            return Err("the floor takes no flags".to_owned());
        }
        if plan.talkers() > 0 && plan.window == 0 {
            return Err("the floor holds nobody back: its talkers need a --window".to_owned());
        }
        if plan.senders > 0 && plan.pairs > 0 {
            return Err("the floor delivers to everyone or to pairs, not both".to_owned());
        }
        Ok(Target::Floor)
    }
}

/// What the load can do to servers of others.
fn check_other(dialect: Dialect, plan: &Plan) -> Result<(), String> {
    let name = dialect.name();
    if plan.pairs > 0 || plan.churners() > 0 || plan.stalled > 0 {
        return Err(format!("with {name}, fanout, storm and idle are to be had, without --pairs"));
    }
    if dialect == Dialect::Nats && plan.talkers() > 1 {
        let why = "nats keeps the order of each sender, but not one for everyone";
        return Err(format!("{why}, and that is checked; try fanout --senders 1"));
    }
    if plan.talkers() > 0 && plan.window == 0 {
        return Err(format!("{name} drops who reads too slowly: its talkers need a --window"));
    }
    Ok(())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let is_sensible = (0.05..=86_400.0).contains(&seconds);
    is_sensible.then_some(seconds).ok_or_else(|| "not from 0.05 to 86400 seconds".to_owned())
}

fn usage(wrong: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{wrong}\n"))
}
