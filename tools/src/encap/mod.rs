//! `tools encap`: messages of a CSV file become packets for Wireshark.
//!
//! Two passes, so that nothing is written of a file that is wrong, and so that names, which have to
//! stand before the packets, are known when the first packet is written:
//!
//! 1. [`read`]: rows ([`rows`]) by their columns ([`columns`]) become messages ([`message`]), each
//!    with a place in the plan ([`plan`]); they wait in the spool ([`spool`]).
//! 2. [`build`]: in the order of their times, messages become what their application would send
//!    ([`speech`], [`http`], [`dns`], [`ssh`]), and that becomes packets.
//!
//! Memory: the spool and the timeline of packets are bounded; the plan keeps something for each
//! conversation and each name. Nothing is kept for each row.

pub mod build;
pub mod columns;
pub mod dns;
pub mod http;
pub mod message;
pub mod output;
pub mod plan;
pub mod problem;
pub mod read;
pub mod report;
pub mod rows;
pub mod service;
pub mod speech;
pub mod spool;
pub mod ssh;
pub mod time;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use hubbub::capture::{About, Format, Mss, Vlan, WriteError, Writer};
use indicatif::{ProgressBar, ProgressStyle};

use build::{Builder, Style};
use output::{Output, STANDARD};
use plan::{Plan, Shape};
use problem::Problems;
use read::Reading;
use report::Report;
use spool::Spool;
use time::{END_NS, Moment};

/// The input has rows that are wrong; nothing was written. clap's own errors exit with the same.
pub const BAD_INPUT: u8 = 2;

/// How much of the input is read at once, in bytes.
const BUFFER: usize = 256 << 10;

/// How often the bar moves: once in so many rows.
const PROGRESS_ROWS: u64 = 4_096;

/// Make packets of the messages in a CSV file.
///
/// The first row names the columns, in any order: `message`, and as many as there are of
/// `timestamp`, `app_protocol`, `src_app`, `dst_app`, `src_ip`, `dst_ip`, `src_port`, `dst_port`
/// and `protocol` (TCP or UDP). What is missing is derived, and said.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Options {
    /// The CSV file; `-` is standard input
    pub input: PathBuf,

    /// The file to write: `.pcapng` or `.pcap`; `-` is standard output, as pcapng
    #[arg(short, long, value_name = "FILE", value_parser = output_path())]
    pub output: PathBuf,

    /// Leave out bad rows instead of writing nothing
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

    /// The most bytes in a segment of TCP, 16 to 32000
    #[arg(long, value_name = "BYTES", value_parser = mss, default_value = "1460")]
    pub mss: Mss,

    /// What times in seconds count from: seconds since 1970, or a date and time
    #[arg(long, value_name = "TIME", value_parser = base_time, default_value = "0")]
    pub base_time: u64,

    /// Name the row of each message in a comment (pcapng only)
    #[arg(long)]
    pub comments: bool,

    /// Where sequence numbers and the like begin; equal seeds give equal files
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn output_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(writable)
}

fn writable(path: PathBuf) -> Result<PathBuf, String> {
    match output::format(&path) {
        Some(_) => Ok(path),
        None => Err("expected a name that ends in .pcapng or .pcap, or -".to_owned()),
    }
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

/// Does it, and says on `log` what was done, or what is wrong. The exit code is 0, or
/// [`BAD_INPUT`].
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn run(options: &Options, log: &mut dyn Write) -> anyhow::Result<u8> {
    let format = output::format(&options.output).unwrap_or(Format::PcapNg);
    if options.comments && format == Format::Pcap {
        writeln!(log, "--comments: a pcap file has no room for them; name a .pcapng file")?;
        return Ok(BAD_INPUT);
    }
    let input_name = name(&options.input, "standard input");
    let mut problems = Problems::new(&input_name);
    let shape = Shape {
        udp: options.udp,
        ipv6: options.ipv6,
        vlan: options.vlan,
        verbatim: options.verbatim,
    };
    let (mut plan, mut spool) = (Plan::new(shape), Spool::new(spool::MAX_COLLECTED));
    let facts = {
        let (mut input, length) = open(&options.input).with_context(|| input_name.clone())?;
        let bar = bar(length, "reading", "{binary_bytes_per_sec}");
        let reading = &mut Reading {
            plan: &mut plan,
            spool: &mut spool,
            problems: &mut problems,
            base_ns: options.base_time,
        };
        let mut rows = 0_u64;
        let facts = reading.run(&mut *input, &mut |position| {
            rows += 1;
            if rows.is_multiple_of(PROGRESS_ROWS) {
                bar.set_position(position);
            }
        });
        bar.finish_and_clear();
        facts.with_context(|| format!("cannot read {input_name}"))?
    };
    write!(log, "{problems}")?;
    if problems.count() > 0 && (!options.skip_bad_rows || facts.messages == 0) {
        let hint = if facts.messages > 0 { "; --skip-bad-rows leaves them out" } else { "" };
        writeln!(log, "{input_name}: nothing was written{hint}")?;
        return Ok(BAD_INPUT);
    }
    let resolved = plan.resolve();
    match write_packets(options, format, &resolved, spool, &facts) {
        Ok(report) => write!(log, "{report}")?,
        // Whoever reads has read enough: `tools encap in.csv -o - | tshark -c 5 -r -`.
        Err(error) if is_broken_pipe(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(0)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(WriteError::Io(error)) => Some(error),
        _ => cause.downcast_ref::<io::Error>(),
    });
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn write_packets<'a>(
    options: &'a Options,
    format: Format,
    resolved: &'a plan::Resolved,
    spool: Spool,
    facts: &'a read::Facts,
) -> anyhow::Result<Report<'a>> {
    let file_name = options.input.file_name().map(|name| name.to_string_lossy().into_owned());
    let file_name = file_name.filter(|name| name != STANDARD);
    let about = About {
        hardware: "none: made from a table of messages",
        system: "any",
        application: concat!("Hubbub tools encap ", env!("CARGO_PKG_VERSION")),
        interface: "encap",
        description: "messages of a CSV file",
        names: &resolved.names,
    };
    let output_name = if options.output == Path::new(STANDARD) {
        "standard output"
    } else {
        options.output.to_str().unwrap_or("the output")
    };
    let out = Output::create(&options.output).with_context(|| output_name.to_owned())?;
    let writer = Writer::new(out, format, &about).context(build::WRITING)?;
    let style = Style {
        mss: options.mss,
        verbatim: options.verbatim,
        comments: options.comments.then(|| file_name.as_deref().unwrap_or("input")),
        seed: options.seed,
        shift_ns: facts.shift_ns(),
    };
    let mut builder = Builder::new(resolved, style, writer);
    let mut sorted = spool.into_sorted().context("cannot sort the messages")?;
    let bar = bar(Some(facts.messages), "writing", "{per_sec}");
    let mut messages = 0_u64;
    while let Some(message) = sorted.next_message().context("cannot read the sorted messages")? {
        builder.add(&message)?;
        messages += 1;
        if messages.is_multiple_of(PROGRESS_ROWS) {
            bar.set_position(messages);
        }
    }
    bar.finish_and_clear();
    let (out, packets, added, silent) = builder.finish()?;
    Output::commit(out).with_context(|| output_name.to_owned())?;
    let has_names = format == Format::PcapNg;
    Ok(Report { output: output_name, packets, facts, resolved, added, silent, has_names })
}

fn name(path: &Path, standard: &str) -> String {
    if path == Path::new(STANDARD) { standard.to_owned() } else { path.display().to_string() }
}

/// The input, and its length where that is known.
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new(STANDARD) {
        return Ok((Box::new(BufReader::with_capacity(BUFFER, io::stdin())), None));
    }
    let file = File::open(path)?;
    let data = file.metadata()?;
    if data.is_dir() {
        return Err(anyhow!("it is a folder"));
    }
    let length = data.is_file().then_some(data.len());
    Ok((Box::new(BufReader::with_capacity(BUFFER, file)), length))
}

/// A bar on a terminal; elsewhere it shows nothing.
fn bar(length: Option<u64>, what: &'static str, rate: &str) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = format!("{{msg}} {{wide_bar}} {{percent}}% {rate} {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.with_message(what)
}
