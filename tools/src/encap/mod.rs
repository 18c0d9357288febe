//! `tools encap`: messages of a CSV file become packets for Wireshark.
//!
//! Two passes, so that nothing is written of a file that is wrong, and so that names, which have to
//! stand before the packets, are known when the first packet is written:
//!
//! 1. [`source`], [`read`]: rows ([`rows`]) by their columns ([`columns`]) become messages
//!    ([`message`]), each with a place in the plan ([`plan`]); they wait in the spool ([`spool`]).
//! 2. [`build`]: in the order of their times, messages become what their application would send
//!    ([`speech`], [`http`], [`dns`], [`ssh`]), and that becomes packets ([`talks`]).
//!
//! Memory: the spool and the timeline of packets are bounded; the plan keeps something for each
//! conversation and each name. Nothing is kept for each row.

pub mod build;
pub mod columns;
pub mod dns;
pub mod http;
pub mod message;
pub mod plan;
pub mod problem;
pub mod read;
pub mod report;
pub mod rows;
pub mod service;
pub mod size;
pub mod source;
pub mod speech;
pub mod spool;
pub mod ssh;
pub mod talks;
pub mod time;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};
use hubbub::capture::{About, Format, WriteError, Writer};

use crate::files::output::{self, Output};
use crate::files::{self, STANDARD};
use crate::units;

use build::Builder;
use report::Report;
use size::Estimate;
use source::{PROGRESS_ROWS, Source, Table};

/// The input has rows that are wrong; nothing was written. clap's own errors exit with the same.
pub const BAD_INPUT: u8 = 2;

/// Make packets of the messages in a CSV file.
///
/// The first row names the columns, in any order: `message`, and as many as there are of
/// `timestamp`, `app_protocol`, `src_app`, `dst_app`, `src_ip`, `dst_ip`, `src_port`, `dst_port`
/// and `protocol` (TCP or UDP). What is missing is derived, and said.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The messages, and how they become packets.
    #[command(flatten)]
    pub source: Source,

    /// The file to write: `.pcapng` or `.pcap`; `-` is standard output, as pcapng
    #[arg(short, long, value_name = "FILE", value_parser = output_path())]
    pub output: PathBuf,

    /// The largest file that is written, such as 2GB [default: 256MiB, or 100 times the table]
    #[arg(long, value_name = "SIZE", value_parser = max_output)]
    pub max_output: Option<u64>,

    /// Name the row of each message in a comment (pcapng only)
    #[arg(long)]
    pub comments: bool,
}

fn max_output(text: &str) -> Result<u64, String> {
    units::parse_size(text).ok_or_else(|| "expected a size such as 500MB or 2GiB".to_owned())
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
    if let Some(clash) = files::clash(&options.source.input, "--output", &options.output) {
        writeln!(log, "{clash}")?;
        return Ok(BAD_INPUT);
    }
    let table = options.source.read(log, "nothing was written", &mut |_| {})?;
    let Some(Table { resolved, spool, facts }) = table else { return Ok(BAD_INPUT) };
    if !is_expected(options, &resolved, &facts, log)? {
        return Ok(BAD_INPUT);
    }
    match write_packets(options, format, &resolved, spool, &facts) {
        Ok(report) => write!(log, "{report}")?,
        // Whoever reads has read enough: `tools encap in.csv -o - | tshark -c 5 -r -`.
        Err(error) if is_broken_pipe(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(0)
}

/// Says what will be written where that is out of proportion, and whether it may be.
fn is_expected(
    options: &Options,
    resolved: &plan::Resolved,
    facts: &read::Facts,
    log: &mut dyn Write,
) -> io::Result<bool> {
    let name = options.source.name();
    let estimate = Estimate::new(resolved, facts.bytes, options.source.mss);
    let limit = estimate.exceeds(options.max_output);
    if limit.is_some() || estimate.is_surprising() {
        writeln!(log, "{name}: {estimate}")?;
    }
    let Some(limit) = limit else { return Ok(true) };
    writeln!(
        log,
        "{name}: that is more than {}, so nothing was written; --max-output {} would allow it",
        units::size(limit),
        units::rounded_up(estimate.bytes),
    )?;
    Ok(false)
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
    spool: spool::Spool,
    facts: &'a read::Facts,
) -> anyhow::Result<Report<'a>> {
    let file_name =
        options.source.input.file_name().map(|name| name.to_string_lossy().into_owned());
    let file_name = file_name.filter(|name| name != STANDARD);
    let about = About {
        hardware: "none: made from a table of messages",
        system: "any",
        application: concat!("Hubbub tools encap ", env!("CARGO_PKG_VERSION")),
        interface: "encap",
        description: "messages of a CSV file; the packets around them are made up",
        names: &resolved.names,
    };
    let output_name = files::output_name(&options.output);
    let out = Output::create(&options.output).with_context(|| output_name.clone())?;
    let writer = Writer::new(out, format, &about).context(build::WRITING)?;
    let comments = options.comments.then(|| file_name.as_deref().unwrap_or("input"));
    let mut builder = Builder::new(resolved, options.source.style(facts), comments, writer);
    let mut sorted = spool.into_sorted().context("cannot sort the messages")?;
    let bar = files::bar(Some(facts.messages), "writing", "{per_sec}");
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
    Output::commit(out).with_context(|| output_name.clone())?;
    let has_names = format == Format::PcapNg;
    Ok(Report { output: output_name, packets, facts, resolved, added, silent, has_names })
}
