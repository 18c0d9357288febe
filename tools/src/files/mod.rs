//! What the tools read and write: a file, or one of the standard streams.

pub mod output;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::anyhow;
use hubbub::wire::text;
use indicatif::{ProgressBar, ProgressStyle};

/// What stands for standard input or output.
pub const STANDARD: &str = "-";

/// Whether a path stands for standard input or output.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD)
}

/// What an input is called in what is said about it.
pub fn input_name(path: &Path) -> String {
    if is_standard(path) {
        "standard input".to_owned()
    } else {
        text::clean(&path.display().to_string()).into_owned()
    }
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
