//! The scribe: the thread that makes frames of what happened, and writes them.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tracing::warn;

use super::Batches;
use super::batch::Batch;
use super::file::{Files, Opened, Sink};
use crate::capture::conversation::Misuse;
use crate::capture::{Frames, Recording, WriteError, Writer};

/// How long a server that ends waits for what is not yet written.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How much is written at once, in bytes, and the next frame: what a full disk takes whole or not.
const CHUNK_BYTES: u64 = 32 * 1024;

/// Why nothing is recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file cannot be made or written.
    #[error("cannot write the capture")]
    Io(#[from] io::Error),
    /// The file format cannot say it.
    #[error("cannot write the capture")]
    Write(#[from] WriteError),
    /// What happened makes no sense.
    #[error("cannot write the capture")]
    Misuse(#[from] Misuse),
}

/// The thread, seen from outside.
#[derive(Debug)]
pub(crate) struct Scribe {
    /// It is over when the thread is.
    end: Receiver<()>,
}

/// What the thread has.
struct Desk {
    recording: Recording,
    frames: Frames,
    files: Files,
    writer: Writer<Sink>,
    /// How many bytes of the writer's were flushed.
    flushed: u64,
}

impl Scribe {
    /// Begins to write to a file that is open, and goes on in those that follow.
    pub(crate) fn start(
        batches: Batches,
        files: Files,
        opened: Opened,
        seed: u64,
    ) -> Result<Self, RecordError> {
        let mut desk = Desk {
            recording: Recording::new(seed),
            frames: Frames::default(),
            files,
            writer: opened.begin()?,
            flushed: 0,
        };
        let (sender, end): (Sender<()>, _) = channel();
        thread::Builder::new().name("capture".to_owned()).spawn(move || {
            let result = desk.follow(&batches);
            if let Err(error) = desk.finish(result) {
                let error = anyhow::Error::from(error);
                warn!("{error:#}; the capture ends here, and the chat goes on");
            }
            drop(sender);
        })?;
        Ok(Self { end })
    }

    /// Waits until everything is written, but not for ever.
    pub(crate) fn finish(self) {
        if self.end.recv_timeout(FINISH_WITHIN) == Err(RecvTimeoutError::Timeout) {
            warn!(seconds = FINISH_WITHIN.as_secs(), "the capture could not be written to its end");
        }
    }
}

impl Desk {
    /// Writes what comes until there is no more. Whoever reads the file while it grows finds a
    /// whole one after each batch.
    fn follow(&mut self, batches: &Batches) -> Result<(), RecordError> {
        while let Some(batch) = batches.wait() {
            self.take(&batch).inspect_err(|_| batches.give_up(&batch))?;
            batches.give_back(batch);
        }
        Ok(())
    }

    fn take(&mut self, batch: &Batch) -> Result<(), RecordError> {
        if batch.begins_page {
            self.turn_page(batch.begin_ns().unwrap_or_default())?;
            self.recording.set_back();
        }
        if let Some(gap) = &batch.gap {
            self.writer.add_dropped(gap.notes);
            for (number, missed) in &gap.missed {
                self.recording.miss(*number, gap.end_ns, missed, &mut self.frames)?;
                self.write()?;
            }
        }
        for (note, bytes) in batch.iter() {
            self.recording.take(note.number, note.time_ns, note.what, bytes, &mut self.frames)?;
            self.write()?;
            if self.files.is_full(self.writer.bytes()) {
                self.turn_page(note.time_ns)?;
            }
        }
        if batch.is_last {
            self.recording.finish(&mut self.frames)?;
            self.write()?;
        }
        self.flushed = self.writer.bytes();
        Ok(self.writer.flush()?)
    }

    /// Writes the frames that were made.
    fn write(&mut self) -> Result<(), RecordError> {
        for frame in self.frames.iter() {
            let [client, server] = frame.missed;
            let is_gap = frame.missed != [0; 2];
            let comment = is_gap.then(|| {
                format!(
                    "not captured before this: {client} bytes of the client, {server} of the server"
                )
            });
            self.writer.write(&frame, comment.as_deref())?;
            if self.writer.bytes() - self.flushed > CHUNK_BYTES {
                self.writer.flush()?;
                self.flushed = self.writer.bytes();
            }
        }
        self.frames.clear();
        Ok(())
    }

    /// Ends this file and begins the next.
    fn turn_page(&mut self, time_ns: u64) -> Result<(), RecordError> {
        self.recording.turn_page(&mut self.frames)?;
        self.write()?;
        let next = self.files.open_next(time_ns)?.begin()?;
        std::mem::replace(&mut self.writer, next).finish()?;
        self.files.remove_oldest();
        self.flushed = 0;
        Ok(())
    }

    /// Writes what stands behind the last frame, also when something went wrong before.
    fn finish(self, result: Result<(), RecordError>) -> Result<(), RecordError> {
        let finished = self.writer.finish();
        result?;
        finished?;
        Ok(())
    }
}
