//! Logs: to stderr, through a bounded queue to a thread of their own, so that a pager at the other
//! end cannot stall the loop. What does not fit is dropped and counted.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::metrics::Counters;

/// How many log lines may wait.
const QUEUE_LINES: usize = 8192;

/// How long the writing thread may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(1);

/// What a log line quotes of a client at most, in bytes.
const MAX_QUOTE: usize = 128;

/// Keeps the logs going; dropping it writes what still waits.
#[derive(Debug)]
pub(super) struct Logs {
    dropped: ErrorCounter,
    failed: Arc<AtomicUsize>,
    begun: Receiver<()>,
    writer: NonBlocking,
    _guard: WorkerGuard,
}

impl Logs {
    /// Starts logging. `RUST_LOG` says what is told (default: `info`).
    pub(super) fn start(format: LogFormat) -> Self {
        let failed = Arc::<AtomicUsize>::default();
        let (sender, begun) = sync_channel(1);
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(QUEUE_LINES)
            .thread_name("logs")
            .finish(Stderr { failed: Arc::clone(&failed), begun: Some(sender) });
        let dropped = writer.error_counter();
        let (filter, problem) = match std::env::var("RUST_LOG") {
            Err(_) => (EnvFilter::new("info"), None),
            Ok(text) => match EnvFilter::try_new(&text) {
                Ok(filter) => (filter, None),
                Err(error) => (EnvFilter::new("info"), Some(error)),
            },
        };
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer.clone());
        // A second server in one process keeps the logs of the first.
        let _ = match format {
            LogFormat::Text => builder.with_target(false).with_ansi(false).try_init(),
            LogFormat::Json => builder.json().try_init(),
        };
        if let Some(error) = problem {
            tracing::warn!(%error, "RUST_LOG is not understood; using info");
        }
        Self { dropped, failed, begun, writer, _guard: guard }
    }

    /// Waits until the writing thread has the memory that it takes: an arena of the allocator,
    /// which is much where the address space is limited.
    pub(super) fn await_thread(&mut self) {
        // A write of nothing leads to a flush, and that says that the thread is there.
        if self.writer.write(b"").is_ok() {
            let _ = self.begun.recv_timeout(BEGIN_WITHIN);
        }
    }

    /// How many lines were lost: the queue was full, or they could not be written.
    pub(super) fn dropped(&self) -> usize {
        self.dropped.dropped_lines() + self.failed.load(Ordering::Relaxed)
    }
}

/// Where the lines go. What cannot be written (the file has reached its limit, the disk is full)
/// is counted, and the next line is tried again.
#[derive(Debug)]
struct Stderr {
    failed: Arc<AtomicUsize>,
    begun: Option<SyncSender<()>>,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::stderr().write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                Ok(bytes.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(begun) = self.begun.take() {
            let _ = begun.try_send(());
        }
        Ok(())
    }
}

/// Logs how many are online and everything that was counted, each as a field of its own.
pub(super) fn report(what: &str, online: usize, counters: Counters) {
    // Taken apart whole: a new counter that is not told here does not compile.
    let Counters {
        accepted,
        closed,
        refused,
        logins,
        lines,
        broadcasts,
        private_messages,
        undelivered,
        answers_dropped,
        lapped,
        too_slow,
        stalled,
        failed,
        holds,
        accept_failures,
        uncaptured,
    } = counters;
    tracing::info!(
        online,
        accepted,
        closed,
        refused,
        logins,
        lines,
        broadcasts,
        private_messages,
        undelivered,
        answers_dropped,
        lapped,
        too_slow,
        stalled,
        failed,
        holds,
        accept_failures,
        uncaptured,
        "{what}"
    );
}

/// What a client sent, cut and escaped.
pub(super) struct Quoted<'a>(pub(super) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (quoted, rest) = self.0.split_at(self.0.len().min(MAX_QUOTE));
        write!(f, "{}{}", quoted.escape_ascii(), if rest.is_empty() { "" } else { "..." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_is_cut_and_escaped() {
        assert_eq!(Quoted(b"all \x1b[2J\n").to_string(), "all \\x1b[2J\\n");
        assert_eq!(Quoted(&[b'x'; 200]).to_string(), format!("{}...", "x".repeat(128)));
    }
}
