//! Where packets go: a file that is whole or not there at all, or standard output.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hubbub::capture::Format;
use tempfile::NamedTempFile;

use super::is_standard;

/// How much is written at once, in bytes.
const BUFFER: usize = 256 << 10;

/// What everybody may do with a new file; the user's mask takes away from it.
const PERMISSIONS: u32 = 0o666;

/// Where packets are written.
#[derive(Debug)]
pub struct Output {
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    /// It becomes `target` in the end.
    File { temporary: NamedTempFile, target: PathBuf },
    /// Standard output.
    Standard(io::Stdout),
    /// Something that is there and no file: a pipe, a device.
    Other(fs::File),
}

impl Output {
    /// Makes ready to write to a path, or to standard output for `-`.
    ///
    /// # Errors
    ///
    /// When nothing can be written there.
    pub fn create(path: &Path) -> io::Result<BufWriter<Self>> {
        let sink = if is_standard(path) {
            Sink::Standard(io::stdout())
        } else {
            // A link stays a link: what it points to is replaced.
            let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            match fs::metadata(&target) {
                Ok(data) if !data.is_file() => {
                    Sink::Other(fs::OpenOptions::new().write(true).open(&target)?)
                }
                _ => Sink::File { temporary: temporary(&target)?, target },
            }
        };
        Ok(BufWriter::with_capacity(BUFFER, Self { sink }))
    }

    /// The file gets its name.
    ///
    /// # Errors
    ///
    /// When it cannot have it.
    pub fn commit(writer: BufWriter<Self>) -> io::Result<()> {
        let output = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Sink::File { temporary, target } = output.sink {
            temporary.persist(target).map_err(|error| error.error)?;
        }
        Ok(())
    }
}

fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // The error that it would be otherwise names a file that nobody knows.
    fs::metadata(folder)?;
    tempfile::Builder::new()
        .prefix(".tools-")
        .permissions(Permissions::from_mode(PERMISSIONS))
        .tempfile_in(folder)
        .map_err(|error| error.kind().into())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::File { temporary, .. } => temporary.write(bytes),
            Sink::Standard(out) => out.write(bytes),
            Sink::Other(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::File { temporary, .. } => temporary.flush(),
            Sink::Standard(out) => out.flush(),
            Sink::Other(file) => file.flush(),
        }
    }
}

/// The format by the end of the name; standard output is pcapng.
pub fn format(path: &Path) -> Option<Format> {
    if is_standard(path) {
        return Some(Format::PcapNg);
    }
    Format::of(path)
}
