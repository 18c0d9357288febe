//! The thread that prints what comes, while a line is being typed.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustyline::ExternalPrinter;

use super::ClientError;
use super::connection::now;
use super::echo::Echoes;
use super::gate::Gate;
use super::listener::Shown;
use super::look::{Look, print_now};
use crate::wire::{Notice, Reply};

/// How much is printed at once, in bytes, when much waits: each print draws the prompt anew.
const MAX_BATCH: usize = 16 * 1024;

/// How long it waits where nothing is to be told at a time.
const LONG: Duration = Duration::from_secs(3600);

/// Rings the terminal's bell (ECMA-48, 8.3.3).
const BELL: char = '\u{7}';

/// Where the printer prints, and how.
pub(super) struct Printer {
    pub(super) output: Box<dyn ExternalPrinter + Send>,
    pub(super) gate: Arc<Gate>,
    pub(super) look: Look,
    pub(super) echoes: Arc<Mutex<Echoes>>,
    pub(super) me: String,
}

impl Printer {
    /// Starts the thread; what this returns is hung up when everything is printed.
    pub(super) fn start(mut self, to_show: Receiver<Shown>) -> Result<Receiver<()>, ClientError> {
        let (done, printed): (SyncSender<()>, _) = sync_channel(1);
        let print = move || {
            let _hung_up_at_the_end = done;
            while let Some(first) = self.next(&to_show) {
                let Self { output, gate, look, echoes, me } = &mut self;
                let gate = Arc::clone(gate);
                gate.pass(|| {
                    let batch = lay_out(look, echoes, me, first, &to_show);
                    // The editor refuses when it is gone while the print waits for it.
                    if output.print(batch.clone()).is_err() {
                        print_now(&batch);
                    }
                });
            }
        };
        thread::Builder::new().name("printer".into()).spawn(print).map_err(ClientError::Start)?;
        Ok(printed)
    }

    /// Waits for what is to be printed next; `None` when there will be nothing more.
    fn next(&self, to_show: &Receiver<Shown>) -> Option<Shown> {
        loop {
            let deadline = lock(&self.echoes).deadline();
            let wait = deadline.map_or(LONG, |at| at.saturating_duration_since(now()));
            match to_show.recv_timeout(wait) {
                Ok(shown) => return Some(shown),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(word) = lock(&self.echoes).overdue(now()) {
                        return Some(Shown::Word(word));
                    }
                }
            }
        }
    }
}

/// Lays out a line and, within bounds, those that wait behind it, for the screen of now.
fn lay_out(
    look: &Look,
    echoes: &Mutex<Echoes>,
    me: &str,
    first: Shown,
    to_show: &Receiver<Shown>,
) -> String {
    let mut batch = String::new();
    let mut rings = false;
    let mut next = Some(first);
    while let Some(shown) = next {
        match shown {
            Shown::Line(line) => {
                note(&mut lock(echoes), &line, me);
                rings |= look.rings(&line, me);
                batch.push_str(&look.line(&line, me));
            }
            Shown::Word(word) => batch.push_str(&look.word(&word)),
        }
        next = if batch.len() < MAX_BATCH { to_show.try_recv().ok() } else { None };
    }
    if rings {
        // In front, because the editor adds a line break to what does not end in one.
        batch.insert(0, BELL);
    }
    batch
}

/// What a line says about those that are out.
fn note(echoes: &mut Echoes, line: &str, me: &str) {
    match Reply::parse(line) {
        Some(Reply::Broadcast { from, text }) if from == me => echoes.came(text),
        Some(Reply::Notice(Notice::TooLong(limit))) => echoes.too_long(limit),
        _ => {}
    }
}

fn lock(echoes: &Mutex<Echoes>) -> MutexGuard<'_, Echoes> {
    echoes.lock().unwrap_or_else(PoisonError::into_inner)
}
