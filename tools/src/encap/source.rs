//! Where the messages come from and what is made of them: the options that shape packets, and the
//! first pass over the file.

use std::io::{BufReader, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hubbub::capture::{Mss, Vlan};

use super::build::Style;
use super::plan::{Plan, Resolved, Shape};
use super::problem::Problems;
use super::read::{Facts, Progress, Reading};
use super::spool::{self, Spool};
use super::time::{self, END_NS, Moment};
use crate::files;

/// How much of the input is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// How often the bar moves: once in so many rows.
pub const PROGRESS_ROWS: u64 = 4_096;

/// A file of messages, and how they become packets.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Source {
    /// The CSV file; `-` is standard input
    pub input: PathBuf,

    /// Leave out bad rows instead of giving up
    #[arg(long)]
    pub skip_bad_rows: bool,

    /// Add nothing to a message: no line end, no format of DNS
    #[arg(long)]
    pub verbatim: bool,

    /// Send everything in UDP
    #[arg(long)]
    pub udp: bool,

    /// Use IPv6; IPv4 addresses of the file stand behind `2001:db8::/96`
    #[arg(long)]
    pub ipv6: bool,

    /// Tag all frames with this virtual LAN, 1 to 4094
    #[arg(long, value_name = "ID", value_parser = vlan)]
    pub vlan: Option<Vlan>,

    /// The most bytes in a segment of TCP, 16 to 32000 [default: 1460, over IPv6 1440]
    #[arg(long, value_name = "BYTES", value_parser = mss)]
    pub mss: Option<Mss>,

    /// What times in seconds count from: seconds since 1970, or a date and time
    #[arg(long, value_name = "TIME", value_parser = base_time, default_value = "0")]
    pub base_time: u64,

    /// Where sequence numbers and the like begin; equal seeds give equal packets
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn vlan(text: &str) -> Result<Vlan, String> {
    let vlan = text.parse().ok().and_then(Vlan::new);
    vlan.ok_or_else(|| format!("expected 1 to {}", Vlan::MAX))
}

fn mss(text: &str) -> Result<Mss, String> {
    let mss = text.parse().ok().and_then(Mss::new);
    mss.ok_or_else(|| format!("expected {} to {}", Mss::MIN, Mss::MAX))
}

fn base_time(text: &str) -> Result<u64, String> {
    match Moment::parse(text) {
        Some(Moment::At(time_ns) | Moment::Since(time_ns)) if time_ns < END_NS => Ok(time_ns),
        _ => Err(format!("expected {}", time::EXPECTED)),
    }
}

/// A file that was read, with nothing left open.
#[derive(Debug)]
pub struct Table {
    /// Its conversations and names.
    pub resolved: Resolved,
    /// Its messages.
    pub spool: Spool,
    /// What it had beside them.
    pub facts: Facts,
}

impl Source {
    /// What the user calls the file.
    pub fn name(&self) -> String {
        files::input_name(&self.input)
    }

    /// The first pass. What is wrong with the file is said on `log`; when nothing comes of it for
    /// that, there is no table, and `refusal` is said too, such as `nothing was written`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written.
    pub fn read(
        &self,
        log: &mut dyn Write,
        refusal: &str,
        seen: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<Option<Table>> {
        let name = self.name();
        let (udp, ipv6, vlan, verbatim) = (self.udp, self.ipv6, self.vlan, self.verbatim);
        let mut problems = Problems::new(&name);
        let mut plan = Plan::new(Shape { udp, ipv6, vlan, verbatim });
        let mut spool = Spool::new(spool::MAX_COLLECTED);
        let (file, length) = files::open(&self.input).with_context(|| name.clone())?;
        let bar = files::reading_bar(length);
        let reading = &mut Reading {
            plan: &mut plan,
            spool: &mut spool,
            problems: &mut problems,
            base_ns: self.base_time,
        };
        let facts = reading.run(&mut BufReader::with_capacity(BUFFER, file), &mut |progress| {
            if progress.row.is_multiple_of(PROGRESS_ROWS) {
                bar.set_position(progress.position);
            }
            seen(progress);
        });
        bar.finish_and_clear();
        let facts = facts.with_context(|| format!("cannot read {name}"))?;
        write!(log, "{problems}")?;
        if problems.count() > 0 && (!self.skip_bad_rows || facts.messages == 0) {
            let hint = if facts.messages > 0 { "; --skip-bad-rows leaves them out" } else { "" };
            writeln!(log, "{name}: {refusal}{hint}")?;
            return Ok(None);
        }
        if facts.messages == 0 {
            writeln!(log, "{name}: there are no rows below the names of the columns; {refusal}")?;
            return Ok(None);
        }
        match plan.resolve() {
            Ok(resolved) => Ok(Some(Table { resolved, spool, facts })),
            Err(no_port) => {
                writeln!(log, "{name}: {no_port}; {refusal}")?;
                Ok(None)
            }
        }
    }

    /// How the messages of a table become packets.
    pub fn style(&self, facts: &Facts) -> Style {
        Style {
            mss: self.mss,
            verbatim: self.verbatim,
            seed: self.seed,
            shift_ns: facts.shift_ns(),
        }
    }
}
