//! Where a recording goes: one file, or a set of them, each of which ends with a whole frame.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;
use rustix::process::geteuid;
use tracing::warn;

use crate::capture::{About, Format, WriteError, Writer};

/// Private messages stand in a new file: it is for its owner alone, as dumpcap's are.
const PERMISSIONS: u32 = 0o600;

/// How many names of a set are tried before one that is free: a server that starts anew within a
/// second comes upon those of the one before.
const NAMES_TRIED: u32 = 16;

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
    /// How many are kept; none for all.
    most: Option<usize>,
    number: u32,
    /// Those of the set that this run has made and not removed, the oldest first.
    made: VecDeque<Made>,
}

/// A file of the set, and what it is, whatever its name may become.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Files {
    pub(crate) fn new(path: &Path, max_bytes: Option<u64>, most: Option<usize>) -> Self {
        let format = Format::of(path).unwrap_or(Format::PcapNg);
        let (path, made) = (path.to_owned(), VecDeque::new());
        Self { path, format, max_bytes, most, number: 0, made }
    }

    /// Whether it is a set of files, and not one.
    pub(super) fn is_set(&self) -> bool {
        self.max_bytes.is_some()
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
        let format = self.format;
        if !self.is_set() {
            let path = self.path.clone();
            let file = open_single(&path).map_err(|error| of_file(&path, &error))?;
            return Ok(Opened { file, path, format });
        }
        let mut tries = 0;
        loop {
            (self.number, tries) = (self.number.wrapping_add(1), tries + 1);
            let path = self.name(time_ns);
            match open(OpenOptions::new().create_new(true), &path) {
                Ok(file) => {
                    self.keep(&file, &path)?;
                    return Ok(Opened { file, path, format });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < NAMES_TRIED => {}
                Err(error) => return Err(of_file(&path, &error)),
            }
        }
    }

    /// Remembers a file so that it can be removed later. Nothing is remembered where all are kept.
    fn keep(&mut self, file: &File, path: &Path) -> io::Result<()> {
        if self.most.is_some() {
            let data = file.metadata()?;
            let (path, device, inode) = (path.to_owned(), data.dev(), data.ino());
            self.made.push_back(Made { path, device, inode });
        }
        Ok(())
    }

    /// Removes the oldest files that this run has made, beyond those that are to be kept. What is
    /// called like one of them and is another stays.
    pub(super) fn remove_oldest(&mut self) {
        while self.most.is_some_and(|most| self.made.len() > most) {
            let Some(Made { path, device, inode }) = self.made.pop_front() else { return };
            let is_it = |data: Metadata| (data.dev(), data.ino()) == (device, inode);
            if !fs::symlink_metadata(&path).is_ok_and(is_it) {
                continue;
            }
            if let Err(error) = fs::remove_file(&path) {
                warn!("cannot remove an old file of the capture: {}", of_file(&path, &error));
            }
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

/// Opens a file for writing, and never what a link at its place leads to.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NOCTTY).bits().cast_signed();
    options.write(true).mode(PERMISSIONS).custom_flags(flags).open(path)
}

/// Opens the one file of a capture: a new one, or one that is there and may be written over, or a
/// pipe or a device. A pipe waits here for its reader.
fn open_single(path: &Path) -> io::Result<File> {
    if let Ok(data) = fs::symlink_metadata(path) {
        refuse_planted(path, &data)?;
    }
    let file = open(OpenOptions::new().create(true).truncate(false), path)?;
    // It may have become another one meanwhile.
    refuse_planted(path, &file.metadata()?)?;
    Ok(file)
}

/// Refuses what somebody else may have put at this place to read what is written there, or to have
/// something else written over. Devices are root's to make.
fn refuse_planted(path: &Path, data: &Metadata) -> io::Result<()> {
    let kind = data.file_type();
    let is_shared = kind.is_file() || kind.is_fifo();
    let refuse = |why: String| Err(io::Error::new(ErrorKind::PermissionDenied, why));
    if kind.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        refuse(format!("it is a link to {}; that name itself would work", target.display()))
    } else if is_shared && data.uid() != geteuid().as_raw() {
        refuse(format!("it belongs to user {}; another name would work", data.uid()))
    } else if kind.is_file() && data.nlink() > 1 {
        refuse("it has other names too, whose file would be written over".to_owned())
    } else {
        Ok(())
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
                let taken = io::Error::new(ErrorKind::ResourceBusy, "another server writes it");
                return Err(of_file(&path, &taken).into());
            }
            let private = Permissions::from_mode(PERMISSIONS);
            let emptied = file.set_permissions(private).and_then(|()| file.set_len(0));
            emptied.map_err(|error| of_file(&path, &error))?;
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
            return Err(io::Error::new(ErrorKind::NotFound, "somebody has removed it"));
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
pub(super) fn of_file(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
