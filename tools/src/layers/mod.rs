//! `tools layers`: one message of a table, shown going down the layers.
//!
//! The frame is the one that `encap` writes for the row, byte for byte: both get it from
//! [`talks`](crate::encap::talks). Everything that is told about it is read from its bytes.
//!
//! * [`shown`]: which row, its frame, and the conversation around it.
//! * [`field`], [`dissect`], [`transport`], [`application`]: the frame as layers of fields, which
//!   tile it bit by bit.
//! * [`checksum`]: worked out, word by word. [`cost`]: what each layer adds. [`dump`]: the bytes.
//! * [`text`], [`html`]: the same on a terminal and as a page.

pub mod application;
pub mod checksum;
pub mod cost;
mod diagram;
pub mod dissect;
pub mod dump;
pub mod field;
pub mod html;
pub mod opening;
pub mod shown;
pub mod text;
pub mod transport;
pub mod words;

use std::io::{self, IsTerminal, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::encap::BAD_INPUT;
use crate::encap::source::Source;
use crate::files::{self, is_standard};
use crate::page;

use shown::{Choice, Shown};

/// Show one message of a CSV file going down the layers.
///
/// Each header field by field, the checksums worked out, the bytes, and what each layer adds. The
/// frame is the one that `tools encap` writes for this row with the same options.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The messages, and how they become packets.
    #[command(flatten)]
    pub source: Source,

    /// Which row below the names of the columns, from 1
    #[arg(long, value_name = "N", default_value = "1")]
    pub row: NonZeroU64,

    /// Which of the frames that carry a long message, from 1
    #[arg(long, value_name = "K", default_value = "1")]
    pub segment: NonZeroUsize,

    /// Write a page for a browser to this file instead; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Everything that there is to tell about a message.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// What the user calls the table.
    pub table: String,
    /// The message.
    pub shown: Shown,
    /// The layers of its frame, the lowest first.
    pub layers: Vec<field::Layer>,
    /// The checksums of its frame.
    pub workings: Vec<checksum::Working>,
    /// What each layer adds.
    pub shares: Vec<cost::Share>,
    /// The bytes of its frame.
    pub dump: Vec<dump::Line>,
    /// The handshake before it.
    pub greetings: Vec<opening::Greeting>,
}

impl Lesson {
    /// Reads the frame.
    pub fn new(table: String, shown: Shown) -> Self {
        let layers = dissect::layers(&shown);
        let workings = checksum::workings(&shown.frame, &layers);
        let shares = cost::shares(&layers);
        let dump = dump::lines(&shown.frame, &layers);
        let greetings = opening::greetings(&shown);
        Self { table, shown, layers, workings, shares, dump, greetings }
    }
}

/// Shows it on standard output, or writes the page, and says on `log` what is wrong. The exit code
/// is 0, or [`BAD_INPUT`].
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn run(options: &Options, log: &mut dyn Write) -> anyhow::Result<u8> {
    let page = options.html.as_deref();
    if let Some(clash) = page.and_then(|page| files::clash(&options.source.input, "--html", page)) {
        writeln!(log, "{clash}")?;
        return Ok(BAD_INPUT);
    }
    let Some(lesson) = lesson(options, log)? else { return Ok(BAD_INPUT) };
    if let Some(path) = &options.html {
        page::write(&html::Page::new(&lesson), path)?;
        if !is_standard(path) {
            let name = files::output_name(path);
            writeln!(log, "{name}: {}", text::title(&lesson))?;
        }
        return Ok(0);
    }
    let stdout = io::stdout();
    let width = stdout.is_terminal().then(terminal_size::terminal_size).flatten();
    let width = width.map_or(text::USUAL_WIDTH, |(width, _)| usize::from(width.0));
    let mut out = anstream::AutoStream::auto(stdout.lock());
    match out.write_all(text::render(&lesson, width).as_bytes()).and_then(|()| out.flush()) {
        // Whoever stops reading has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        told => told.map(|()| 0).context("cannot write to standard output"),
    }
}

/// The lesson about one row, if there is something to tell.
///
/// # Errors
///
/// When a file cannot be read.
pub fn lesson(options: &Options, log: &mut dyn Write) -> anyhow::Result<Option<Lesson>> {
    let source = &options.source;
    let mut choice = Choice::new(options.row.get());
    let table = source.read(log, "nothing is shown", &mut |progress| choice.see(progress))?;
    let Some(table) = table else { return Ok(None) };
    match choice.show(source, table, options.segment.get())? {
        Ok(shown) => Ok(Some(Lesson::new(source.name(), shown))),
        Err(absent) => {
            writeln!(log, "{}: {absent}", source.name())?;
            Ok(None)
        }
    }
}
