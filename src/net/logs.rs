//! Logs: to stderr, through a bounded queue to a thread of their own, so that a pager at the other
//! end cannot stall the loop. What does not fit is dropped and counted.

use std::fmt;
use std::io;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::metrics::Counters;

/// How many log lines may wait.
const QUEUE_LINES: usize = 8192;

/// What a log line quotes of a client at most, in bytes.
const MAX_QUOTE: usize = 128;

/// Keeps the logs going; dropping it writes what still waits.
#[derive(Debug)]
pub(super) struct Logs {
    dropped: ErrorCounter,
    _writer: WorkerGuard,
}

impl Logs {
    /// Starts logging. `RUST_LOG` says what is told (default: `info`).
    pub(super) fn start(format: LogFormat) -> Self {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(QUEUE_LINES)
            .thread_name("logs")
            .finish(io::stderr());
        let dropped = writer.error_counter();
        let (filter, problem) = match std::env::var("RUST_LOG") {
            Err(_) => (EnvFilter::new("info"), None),
            Ok(text) => match EnvFilter::try_new(&text) {
                Ok(filter) => (filter, None),
                Err(error) => (EnvFilter::new("info"), Some(error)),
            },
        };
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
        // A second server in one process keeps the logs of the first.
        let _ = match format {
            LogFormat::Text => builder.with_target(false).with_ansi(false).try_init(),
            LogFormat::Json => builder.json().try_init(),
        };
        if let Some(error) = problem {
            tracing::warn!(%error, "RUST_LOG is not understood; using info");
        }
        Self { dropped, _writer: guard }
    }

    /// How many lines were dropped.
    pub(super) fn dropped(&self) -> usize {
        self.dropped.dropped_lines()
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
