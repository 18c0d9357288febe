//! A capture file: one writer for both formats.

use std::io::Write;
use std::path::Path;

use thiserror::Error;

use super::pcap::PcapFile;
use super::pcapng::{About, PcapNgFile};
use super::{Frame, Side};

/// The two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The old one: frames and nothing else, until the year 2106.
    Pcap,
    /// The new one: names, comments, directions, statistics.
    PcapNg,
}

impl Format {
    /// The format that the end of a file's name asks for.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        match ending.to_ascii_lowercase().as_str() {
            "pcapng" | "ntar" => Some(Self::PcapNg),
            "pcap" | "cap" => Some(Self::Pcap),
            _ => None,
        }
    }
}

/// Why a frame could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Whatever is written to failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The format cannot say it: a time behind 2106 in a pcap file, for one.
    #[error("the file format cannot hold this: {0}")]
    Format(String),
}

/// A capture that is being written.
#[derive(Debug)]
pub struct Writer<W: Write> {
    file: File<W>,
    packets: u64,
    bytes: u64,
}

#[derive(Debug)]
enum File<W: Write> {
    Pcap(PcapFile<W>),
    PcapNg(PcapNgFile<W>),
}

impl<W: Write> Writer<W> {
    /// Writes what stands before the first frame. A pcap file can tell nothing of `about`.
    ///
    /// Everything is written in small pieces: `out` should be buffered.
    ///
    /// # Errors
    ///
    /// When `out` does not take it.
    pub fn new(out: W, format: Format, about: &About<'_>) -> Result<Self, WriteError> {
        let file = match format {
            Format::Pcap => File::Pcap(PcapFile::new(out)?),
            Format::PcapNg => File::PcapNg(PcapNgFile::new(out, about)?),
        };
        Ok(Self { file, packets: 0, bytes: 0 })
    }

    /// Writes a frame. A pcap file has no room for the comment.
    ///
    /// # Errors
    ///
    /// When `out` does not take it, or the format has no words for it.
    pub fn write(&mut self, frame: &Frame<'_>, comment: Option<&str>) -> Result<(), WriteError> {
        let bytes = match &mut self.file {
            File::Pcap(file) => file.write(frame)?,
            File::PcapNg(file) => file.write(frame, comment)?,
        };
        self.packets += 1;
        self.bytes += bytes as u64;
        Ok(())
    }

    /// So much was not captured; the statistics at the end of a pcapng file say so.
    pub fn add_dropped(&mut self, count: u64) {
        match &mut self.file {
            File::Pcap(_) => {}
            File::PcapNg(file) => file.add_dropped(count),
        }
    }

    /// How many frames were written.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// How many bytes of the file the frames take; what stands before the first is not counted.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Flushes what is written to: a reader finds the file whole so far.
    ///
    /// # Errors
    ///
    /// When `out` does not take it.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        match &mut self.file {
            File::Pcap(file) => file.flush(),
            File::PcapNg(file) => file.flush(),
        }
    }

    /// Writes what stands behind the last frame, and flushes.
    ///
    /// # Errors
    ///
    /// When `out` does not take it.
    pub fn finish(self) -> Result<W, WriteError> {
        let mut out = match self.file {
            File::Pcap(file) => file.finish(),
            File::PcapNg(file) => file.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

/// Seen from the server, where a capture would be made.
pub(super) fn is_inbound(from: Side) -> bool {
    from == Side::Client
}
