//! What the tools read and write: a file, or one of the standard streams.

pub mod output;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};

use crate::visible;

/// What stands for standard input or output.
pub const STANDARD: &str = "-";

/// Whether a path stands for standard input or output.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD)
}

/// What is wrong with an output, named by `flag`, that leads to the input; `None` when nothing is.
pub fn clash(input: &Path, flag: &str, output: &Path) -> Option<String> {
    let name = input_name(input);
    is_same(input, output)
        .then(|| format!("{flag}: {name} would be written over; another name would work"))
}

/// Whether two paths lead to one file, by links or by other names.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some((data.dev(), data.ino()))
    };
    !is_standard(one)
        && !is_standard(other)
        && identity(one).is_some_and(|id| Some(id) == identity(other))
}

/// What an input is called in what is said about it.
pub fn input_name(path: &Path) -> String {
    name(path, "standard input")
}

/// What an output is called in what is said about it.
pub fn output_name(path: &Path) -> String {
    name(path, "standard output")
}

fn name(path: &Path, standard: &str) -> String {
    if is_standard(path) { standard.to_owned() } else { visible::path(path) }
}

/// The file at a path, or standard input for `-`; and its length where that is known.
///
/// # Errors
///
/// When it cannot be read.
pub fn open(path: &Path) -> anyhow::Result<(Box<dyn Read>, Option<u64>)> {
    if is_standard(path) {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path)?;
    let data = file.metadata()?;
    if data.is_dir() {
        return Err(anyhow!("it is a folder"));
    }
    let length = data.is_file().then_some(data.len());
    Ok((Box::new(file), length))
}

/// A bar for what is read, in bytes.
pub fn reading_bar(length: Option<u64>) -> ProgressBar {
    bar(length, "reading", "{binary_bytes_per_sec}")
}

/// A bar on a terminal; elsewhere it shows nothing.
pub fn bar(length: Option<u64>, what: &'static str, rate: &str) -> ProgressBar {
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = format!("{{msg}} {{wide_bar}} {{percent}}% {rate} {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.with_message(what)
}
