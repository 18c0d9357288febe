//! Where a recording goes: one file, or a set of them, each of which ends with a whole frame.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::capture::{About, Format, WriteError, Writer};

/// Private messages stand in a new file: it is for its owner alone, as dumpcap's are.
const PERMISSIONS: u32 = 0o600;

/// What a file says about itself.
const ABOUT: About<'static> = About {
    hardware: "",
    system: std::env::consts::OS,
    application: concat!("Hubbub ", env!("CARGO_PKG_VERSION")),
    interface: "hubbub",
    description: "real bytes and times; the TCP/IP around them is made up",
    names: &[],
};

/// The names of the files, one after the other.
#[derive(Debug)]
pub(crate) struct Files {
    path: PathBuf,
    format: Format,
    /// How large the frames of one file may be; none for one file however large.
    max_bytes: Option<u64>,
    number: u32,
}

impl Files {
    pub(crate) fn new(path: &Path, max_bytes: Option<u64>) -> Self {
        let format = Format::of(path).unwrap_or(Format::PcapNg);
        Self { path: path.to_owned(), format, max_bytes, number: 0 }
    }

    /// Whether so many bytes are more than a file may have.
    pub(super) fn is_full(&self, bytes: u64) -> bool {
        self.max_bytes.is_some_and(|max_bytes| bytes > max_bytes)
    }

    /// Opens the next file at this time, in nanoseconds since 1970. What is there already stays
    /// until the sink is made of it.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn open_next(&mut self, time_ns: u64) -> io::Result<Opened> {
        self.number += 1;
        let path = self.name(time_ns);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(PERMISSIONS);
        match options.open(&path) {
            Ok(file) => Ok(Opened { file, path, format: self.format }),
            Err(error) => Err(of_file(&path, &error)),
        }
    }

    /// A single file is called as was asked for. Those of a set are called as dumpcap calls them,
    /// so that Wireshark finds one from another: `chat_00002_20261123081601.pcapng`.
    fn name(&self, time_ns: u64) -> PathBuf {
        if self.max_bytes.is_none() {
            return self.path.clone();
        }
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let (stem, ending) = (text(self.path.file_stem()), text(self.path.extension()));
        let time = Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default();
        let time = time.strftime("%Y%m%d%H%M%S");
        self.path.with_file_name(format!("{stem}_{:05}_{time}.{ending}", self.number))
    }
}

/// A file that is there, and still as it was before.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
    path: PathBuf,
    format: Format,
}

impl Opened {
    /// Empties it, and writes what stands before the first frame.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or another server writes it.
    pub(super) fn begin(self) -> Result<Writer<Sink>, WriteError> {
        let Self { file, path, format } = self;
        let is_file = file.metadata().is_ok_and(|data| data.is_file());
        if is_file {
            // Two servers would write over each other. Not every file system has locks.
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                let taken = io::Error::new(io::ErrorKind::ResourceBusy, "another server writes it");
                return Err(of_file(&path, &taken).into());
            }
            file.set_len(0).map_err(|error| of_file(&path, &error))?;
        }
        let sink = Sink { file, path, is_file, buffer: Vec::new(), whole: 0, has_failed: false };
        let mut writer = Writer::new(sink, format, &ABOUT)?;
        writer.flush()?;
        Ok(writer)
    }
}

/// A file that gets whole frames: what is written waits for a flush, and what a flush cannot write
/// to its end is taken back. After that it takes nothing more.
#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    path: PathBuf,
    /// It is no pipe and no device.
    is_file: bool,
    buffer: Vec<u8>,
    /// How much of the file is whole, in bytes.
    whole: u64,
    has_failed: bool,
}

impl Sink {
    fn write_buffer(&mut self) -> io::Result<()> {
        // What is written to a file without a name is lost, and nobody would notice.
        if self.is_file && self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "somebody has removed it"));
        }
        self.file.write_all(&self.buffer)?;
        self.whole += self.buffer.len() as u64;
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = if self.has_failed { Ok(()) } else { self.write_buffer() };
        self.buffer.clear();
        result.map_err(|error| {
            self.has_failed = true;
            if self.is_file {
                // If even that fails, Wireshark says that the file is cut short.
                let _ = self.file.set_len(self.whole);
            }
            of_file(&self.path, &error)
        })
    }
}

/// An error that names the file.
fn of_file(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
