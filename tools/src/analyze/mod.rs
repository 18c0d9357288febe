//! `tools analyze`: what is in a capture, its own or anybody's.
//!
//! One pass, in which every packet is looked at once and forgotten: [`source`] reads the file,
//! [`analysis`] takes its packets apart and hands the parts to those who count:
//!
//! * [`protocols`]: the tree of protocols, and what their headers cost.
//! * [`endpoints`]: by address.
//! * [`conversations`]: by pair of ends; [`tcp`]: how well they went; [`chat`]: the chats among
//!   them; [`ladder`]: their first packets, to be drawn.
//! * [`traffic`]: over time.
//!
//! A [`report`] is what is told of all that: as [`text`], as JSON, or as a [`page`].
//!
//! Memory: every table has a limit with a name. What is beyond it is counted and told.

pub mod analysis;
mod charts;
pub mod chat;
pub mod conversations;
pub mod endpoints;
pub mod ends;
mod input;
pub mod ladder;
pub mod left_out;
pub mod page;
pub mod protocols;
pub mod report;
pub mod source;
mod steps;
mod tables;
pub mod tcp;
pub mod text;
pub mod traffic;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use analysis::{Analysis, Ending, Settings, analyze};
use conversations::Conversation;
use page::Page;
use report::Report;
use source::Stop;

use crate::files::{self, is_standard};
use crate::units;

/// The input is no capture, or is damaged. clap's own errors exit with the same.
pub const BAD_INPUT: u8 = 2;

/// Say what is in a capture: pcap or pcapng, of anybody.
///
/// Exits with 0, also when the file was cut off in the middle of a packet: that is told. Exits with
/// 2 when it is no capture, or damaged; what stands before the damage is told.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The capture; `-` is standard input
    pub input: PathBuf,

    /// Print JSON, with everything that the tables leave out
    #[arg(long, conflicts_with = "rows")]
    pub json: bool,

    /// Also write a page with charts: one file with everything in it; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// The conversation that the page draws step by step, by its number
    #[arg(long, value_name = "N", requires = "html",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub conversation: Option<u64>,

    /// The most rows of a table
    #[arg(long, value_name = "N", default_value = "20",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub rows: u32,

    /// The port on which chats are; what begins as this server does is a chat on any port
    #[arg(long, value_name = "PORT", default_value_t = 12345)]
    pub chat_port: u16,
}

/// Does it, prints what was found on `out`, and what is wrong on `log`. The exit code is 0, or
/// [`BAD_INPUT`].
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn run(options: &Options, out: &mut dyn Write, log: &mut dyn Write) -> anyhow::Result<u8> {
    let name = files::input_name(&options.input);
    let page = options.html.as_deref();
    if let Some(clash) = page.and_then(|page| files::clash(&options.input, "--html", page)) {
        writeln!(log, "{clash}")?;
        return Ok(BAD_INPUT);
    }
    let shown = options.conversation.and_then(|number| usize::try_from(number - 1).ok());
    let settings = Settings { chat_port: options.chat_port, shown };
    let (file, length) = files::open(&options.input).with_context(|| name.clone())?;
    let bar = files::reading_bar(length);
    let found = analyze(file, settings, &mut |position| bar.set_position(position));
    bar.finish_and_clear();
    let mut analysis = match found {
        Ok(analysis) => analysis,
        Err(Stop::Io(error)) => {
            return Err(error).with_context(|| format!("cannot read {name}"));
        }
        Err(Stop::Over) => {
            writeln!(log, "{name}: not a capture: it is empty")?;
            return Ok(BAD_INPUT);
        }
        Err(Stop::Cut) => {
            writeln!(log, "{name}: not a capture: it ends before its header does")?;
            return Ok(BAD_INPUT);
        }
        Err(Stop::Damaged(why)) => {
            writeln!(log, "{name}: {why}")?;
            return Ok(BAD_INPUT);
        }
    };
    let said = options.input.to_string_lossy();
    let said = if is_standard(&options.input) { &name } else { &*said };
    let report = Report::new(said, &mut analysis);
    if let Some(number) = options.conversation
        && report.conversations.len() < usize::try_from(number).unwrap_or(usize::MAX)
    {
        let found = units::count(report.conversations.len() as u64, "conversation");
        writeln!(log, "{name}: there is no conversation {number}; it has {found}")?;
        return Ok(BAD_INPUT);
    }
    if let Some(path) = &options.html {
        let page = Page::new(&report, to_draw(options.conversation, &analysis));
        crate::page::write(&page, path)?;
    }
    match tell(options, &report, out) {
        // Whoever reads has read enough: `tools analyze FILE | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        told => told.context("cannot write to standard output")?,
    }
    if options.json || options.html.is_some() {
        warn(&name, &analysis, log)?;
    }
    Ok(if analysis.ending == Ending::Damaged { BAD_INPUT } else { 0 })
}

/// Prints what was found, unless the page went there.
fn tell(options: &Options, report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if options.html.as_deref().is_some_and(is_standard) {
        return Ok(());
    }
    let told = if options.json {
        report.json()? + "\n"
    } else {
        text::text(report, options.rows as usize)
    };
    out.write_all(told.as_bytes())?;
    out.flush()
}

/// The conversation that was asked for; or else the chat in which most was said; or the first one.
fn to_draw(asked: Option<u64>, analysis: &Analysis) -> Option<(u64, &Conversation)> {
    let talks = || (1..).zip(analysis.conversations.list());
    if asked.is_some() {
        return talks().find(|(number, _)| Some(*number) == asked);
    }
    let drawn = || talks().filter(|(_, talk)| !talk.arrows.is_empty());
    let said = |talk: &Conversation| talk.chat.as_ref().map(|chat| chat.said().total());
    let chats = drawn().filter(|(_, talk)| talk.chat.is_some());
    // Of several equals, the first.
    chats
        .max_by_key(|(number, talk)| (said(talk), std::cmp::Reverse(*number)))
        .or_else(|| drawn().find(|(_, talk)| talk.tcp.is_some()))
        .or_else(|| drawn().next())
}

/// Says on `log` what is wrong, as a compiler would: the file, the packet, the trouble. The text
/// for people says it too, at its top.
fn warn(name: &str, analysis: &Analysis, log: &mut dyn Write) -> io::Result<()> {
    for warning in &analysis.warnings {
        writeln!(log, "{name}: packet {}: {}", units::grouped(warning.packet), warning.text)?;
    }
    if analysis.more_warnings > 0 {
        writeln!(log, "{name}: and {}", units::count(analysis.more_warnings, "more warning"))?;
    }
    Ok(())
}
