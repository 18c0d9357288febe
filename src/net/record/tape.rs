//! How a recording begins: a file that is open, and then a recorder and its scribe.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;

use tracing::info;

use super::calendar::{Calendar, wall_ns};
use super::file::{Files, Opened};
use super::scribe::{RecordError, Scribe};
use super::{Platform, Recorder};
use crate::config::Settings;

/// A file that is open for a recording, and nothing written to it.
#[derive(Debug)]
pub(crate) struct Tape {
    files: Files,
    opened: Opened,
}

impl Tape {
    /// The file that the settings ask for, if they do. A named pipe waits for its reader here.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(crate) fn open(settings: &Settings) -> Result<Option<Self>, RecordError> {
        let Some(path) = &settings.capture else { return Ok(None) };
        if settings.capture_size.is_some() && fs::metadata(path).is_ok_and(|data| !data.is_file()) {
            // Whoever reads a pipe would wait for what goes to files beside it.
            let why = "it is no file; it would do without --capture-size";
            return Err(io::Error::other(format!("{}: {why}", path.display())).into());
        }
        if fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_fifo()) {
            info!("{}: waiting for a reader of the named pipe", path.display());
        }
        let mut files = Files::new(path, settings.capture_size, settings.capture_files);
        let opened = files.open_next(wall_ns())?;
        Ok(Some(Self { files, opened }))
    }

    /// Begins to record a platform.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, or there is no thread for it.
    pub(crate) fn record<P: Platform>(
        self,
        platform: P,
    ) -> Result<(Recorder<P>, Scribe), RecordError> {
        let calendar = Calendar::of_system(self.files.is_set(), platform.now());
        let (recorder, batches) = Recorder::new(platform, calendar);
        let scribe = Scribe::start(batches, self.files, self.opened, wall_ns())?;
        Ok((recorder, scribe))
    }
}
