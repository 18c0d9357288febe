//! The recorder: a platform that writes down what the one inside it does.
//!
//! It stands between the server and the system, and neither knows of it: a server that is not to be
//! recorded is another type, and pays nothing.
//!
//! * here: what the loop does, which is to copy what is said into a `batch`. It never waits.
//! * [`batch`]: what happened, on its way to the writer.
//! * `scribe`: the thread that makes frames of it (`capture::Recording`) and writes them.
//! * `file`: what it writes to.
//! * [`calendar`]: which date it is.
//! * `tape`: how all of that begins.
//!
//! Where the writer cannot keep up there is a gap: nothing is copied until the writer has caught up
//! by half. What is kept of it is how many bytes each connection has said, and which of them have
//! come and gone. The writer is told so, and leaves a gap of that many bytes in the sequence
//! numbers. The chat loses nothing.

pub mod batch;
pub mod calendar;
mod file;
mod scribe;
mod tape;

use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;

use tracing::warn;

use super::platform::{Event, Platform};
use crate::capture::{Happening, Side};
use crate::metrics::Counters;
use crate::outbound::ClientId;
use batch::{Batch, Gap};
use calendar::Calendar;

pub use scribe::RecordError;
pub(super) use tape::Tape;

/// How many batches may be on their way to the writer: with [`batch::BATCH_BYTES`], 64 MiB.
const MAX_BATCHES: usize = 256;

/// A gap ends when the writer has no more than these before it: one long gap says more than many
/// short ones, and what comes next has room.
const RESUME_BATCHES: u64 = MAX_BATCHES as u64 / 2;

/// How many empty batches are kept to be used again; others are freed.
const MAX_SPARE: usize = 8;

/// How long something may wait until its batch goes to the writer. To wake a thread costs more than
/// to write down what a turn does.
const BATCH_WAIT: Duration = Duration::from_millis(200);

/// A platform whose traffic is recorded.
#[derive(Debug)]
pub struct Recorder<P> {
    inner: P,
    calendar: Calendar,
    batch: Batch,
    batches: SyncSender<Batch>,
    /// For the last one, which finds room also where the others do not.
    last: SyncSender<Batch>,
    spare: Receiver<Batch>,
    /// The writer has given up.
    stopped: bool,
    /// How many batches were handed to the writer, and how many it has taken.
    sent: u64,
    taken: Arc<AtomicU64>,
    /// What happens while the writer is behind.
    gap: Option<Gap>,
    /// How many connections there are.
    open: u64,
    /// Those among them of which something is missing.
    incomplete: HashSet<u64>,
    uncaptured: u64,
    unwritten: Arc<AtomicU64>,
}

/// The writer's end: full batches come, empty ones go.
#[derive(Debug)]
pub struct Batches {
    full: Receiver<Batch>,
    last: Receiver<Batch>,
    spare: SyncSender<Batch>,
    /// How many were taken.
    taken: Arc<AtomicU64>,
    /// Connections that were over when the writer gave up, and not yet written to their end.
    unwritten: Arc<AtomicU64>,
}

/// A socket and the number of its connection.
#[derive(Debug)]
pub struct Recorded<S> {
    inner: S,
    number: u64,
}

impl<P: Platform> Recorder<P> {
    /// Records what this platform does from now on.
    pub fn new(inner: P, calendar: Calendar) -> (Self, Batches) {
        let (batches, full) = sync_channel(MAX_BATCHES);
        let (last, very_last) = sync_channel(1);
        let (give_back, spare) = sync_channel(MAX_SPARE);
        let recorder = Self {
            inner,
            calendar,
            batch: Batch::default(),
            batches,
            last,
            spare,
            stopped: false,
            sent: 0,
            taken: Arc::default(),
            gap: None,
            open: 0,
            incomplete: HashSet::new(),
            uncaptured: 0,
            unwritten: Arc::default(),
        };
        let (taken, unwritten) = (Arc::clone(&recorder.taken), Arc::clone(&recorder.unwritten));
        (recorder, Batches { full, last: very_last, spare: give_back, taken, unwritten })
    }

    /// The platform inside.
    pub fn platform(&mut self) -> &mut P {
        &mut self.inner
    }

    fn now_ns(&self) -> u64 {
        self.calendar.date(self.inner.now())
    }

    /// Writes down what happened, in as many notes as its bytes need.
    fn note(&mut self, number: u64, what: Happening, bytes: &[u8]) {
        self.note_at(self.now_ns(), number, what, bytes);
    }

    /// The same at this time.
    fn note_at(&mut self, time_ns: u64, number: u64, what: Happening, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            if self.gap.is_none()
                && !self.batch.is_empty()
                && self.batch.room().is_none_or(|room| room < rest.len())
            {
                self.send();
            }
            if self.stopped {
                return;
            }
            if self.gap.is_some() {
                self.miss(number, what, rest.len());
                return;
            }
            let (part, behind) = rest.split_at(rest.len().min(self.batch.room().unwrap_or(0)));
            self.batch.push(number, time_ns, what, part);
            rest = behind;
            if rest.is_empty() {
                return;
            }
        }
    }

    /// An error of a socket. What is no failure happens again.
    fn note_failure(&mut self, number: u64, error: &io::Error) {
        let side = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return,
            // Nobody answered, and the system has said goodbye to nobody.
            io::ErrorKind::TimedOut => Side::Server,
            _ => Side::Client,
        };
        self.note(number, Happening::Broke(side), b"");
    }

    /// The server has let go of a connection.
    fn note_closed(&mut self, number: u64) {
        self.note(number, Happening::Closed, b"");
        if !self.incomplete.remove(&number) && self.gap.is_none() && !self.stopped {
            self.batch.count_closed();
        }
        self.open -= 1;
    }

    /// Looks at the calendar. Where it was set back, another file begins.
    fn follow_calendar(&mut self) {
        if self.calendar.follow(self.inner.now()) {
            self.send();
            self.batch.begins_page = true;
        }
    }

    /// Until when a poll may last, so that the batch goes when it is time.
    fn hand_over(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        if self.gap.is_some() {
            if self.sent.saturating_sub(self.taken.load(Ordering::Relaxed)) > RESUME_BATCHES {
                return Some(timeout.map_or(BATCH_WAIT, |timeout| timeout.min(BATCH_WAIT)));
            }
            self.resume();
        }
        let Some(begin_ns) = self.batch.begin_ns() else { return timeout };
        let age = Duration::from_nanos(self.now_ns().saturating_sub(begin_ns));
        match BATCH_WAIT.checked_sub(age) {
            None | Some(Duration::ZERO) => {
                self.send();
                timeout
            }
            Some(left) => Some(timeout.map_or(left, |timeout| timeout.min(left))),
        }
    }

    /// Hands the batch to the writer, without waiting for it, and begins the next.
    fn send(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let next = self.spare.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        match self.batches.try_send(batch) {
            Ok(()) => self.sent += 1,
            Err(TrySendError::Full(batch)) => self.begin_gap(batch),
            Err(TrySendError::Disconnected(batch)) => self.stop(&batch),
        }
    }

    /// The writer is too far behind: nothing of this batch is written, nor of what follows, until
    /// it has caught up.
    fn begin_gap(&mut self, mut batch: Batch) {
        warn!("the capture cannot keep up; there is a gap in it until it has caught up");
        self.gap = Some(batch.gap.take().unwrap_or_default());
        for (note, bytes) in batch.iter() {
            self.miss(note.number, note.what, bytes.len());
            if note.what == Happening::Closed {
                self.incomplete.remove(&note.number);
            }
        }
        let begins_page = batch.begins_page;
        batch.clear();
        batch.begins_page = begins_page;
        self.batch = batch;
    }

    /// Something happens in the gap.
    fn miss(&mut self, number: u64, what: Happening, bytes: usize) {
        let Some(gap) = &mut self.gap else { return };
        gap.add(number, what, bytes);
        // It may also have come and gone unseen.
        let is_missing =
            bytes > 0 || (what == Happening::Closed && !gap.missed.contains_key(&number));
        if is_missing && self.incomplete.insert(number) {
            self.uncaptured += 1;
        }
    }

    /// The writer has caught up: the next batch tells what it has missed.
    fn resume(&mut self) {
        let Some(mut gap) = self.gap.take() else { return };
        gap.end_ns = self.now_ns();
        let all = gap.missed.values().flat_map(|missed| missed.bytes);
        let bytes = all.fold(0, u64::saturating_add);
        warn!(bytes, connections = gap.missed.len(), "the capture goes on behind a gap");
        self.batch.gap = Some(gap);
    }

    /// The writer has given up: nobody who is here is recorded to the end, nor who comes.
    fn stop(&mut self, batch: &Batch) {
        self.stopped = true;
        self.uncaptured += self.open.saturating_sub(self.incomplete.len() as u64) + batch.closed();
        self.incomplete = HashSet::new();
        self.batch = Batch::default();
    }
}

impl<P: Platform> Platform for Recorder<P> {
    type Socket = Recorded<P::Socket>;

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn poll(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = self.hand_over(timeout);
        self.inner.poll(timeout, events)?;
        self.follow_calendar();
        for event in events {
            // It may be that no read and no write will tell.
            if let Event::Ready(id, readiness) = event
                && readiness.error
            {
                self.note(number(*id), Happening::Broke(Side::Client), b"");
            }
        }
        Ok(())
    }

    fn accept(&mut self, listener: usize, id: ClientId) -> io::Result<(Self::Socket, SocketAddr)> {
        let (inner, client) = self.inner.accept(listener, id)?;
        let number = number(id);
        self.open += 1;
        match self.inner.local_address(&inner) {
            Ok(server) if !self.stopped => {
                self.note(number, Happening::Opened { client, server }, b"");
            }
            Ok(_) => self.uncaptured += 1,
            // It has failed already.
            Err(_) => {
                self.uncaptured += 1;
                self.incomplete.insert(number);
            }
        }
        Ok((Recorded { inner, number }, client))
    }

    fn local_address(&self, socket: &Self::Socket) -> io::Result<SocketAddr> {
        self.inner.local_address(&socket.inner)
    }

    fn peer_address(&self, socket: &Self::Socket) -> io::Result<SocketAddr> {
        self.inner.peer_address(&socket.inner)
    }

    fn read(&mut self, socket: &mut Self::Socket, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(&mut socket.inner, buffer);
        match &result {
            Ok(0) if !buffer.is_empty() => {
                self.note(socket.number, Happening::Ended(Side::Client), b"");
            }
            Ok(count) => {
                self.note(socket.number, Happening::Said(Side::Client), &buffer[..*count]);
            }
            Err(error) => self.note_failure(socket.number, error),
        }
        result
    }

    fn write_vectored(
        &mut self,
        socket: &mut Self::Socket,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let result = self.inner.write_vectored(&mut socket.inner, slices);
        match &result {
            Ok(count) => {
                let (time_ns, mut left) = (self.now_ns(), *count);
                for slice in slices {
                    let taken = &slice[..slice.len().min(left)];
                    if taken.is_empty() {
                        break;
                    }
                    self.note_at(time_ns, socket.number, Happening::Said(Side::Server), taken);
                    left -= taken.len();
                }
            }
            Err(error) => self.note_failure(socket.number, error),
        }
        result
    }

    fn shutdown(&mut self, socket: &mut Self::Socket) -> io::Result<()> {
        self.inner.shutdown(&mut socket.inner)?;
        self.note(socket.number, Happening::Ended(Side::Server), b"");
        Ok(())
    }

    fn abort(&mut self, socket: Self::Socket) {
        self.inner.abort(socket.inner);
        self.note(socket.number, Happening::Broke(Side::Server), b"");
        self.note_closed(socket.number);
    }

    fn close(&mut self, socket: Self::Socket) {
        self.inner.close(socket.inner);
        self.note_closed(socket.number);
    }

    fn stop_listening(&mut self) {
        self.inner.stop_listening();
    }

    fn count(&self, counters: &mut Counters) {
        self.inner.count(counters);
        counters.uncaptured += self.uncaptured + self.unwritten.load(Ordering::Relaxed);
    }
}

impl<P> Drop for Recorder<P> {
    fn drop(&mut self) {
        if let Some(gap) = self.gap.take() {
            // When it ended does not matter: what is told of it follows what was told before.
            self.batch.gap = Some(gap);
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.is_last = true;
        // It is the only one, so there is room; a writer that has given up does not want it.
        let _ = self.last.try_send(batch);
    }
}

impl Batches {
    /// Waits for what happened next; none when the platform is gone and everything was taken.
    pub fn wait(&self) -> Option<Batch> {
        let batch = self.full.recv().or_else(|_| self.last.recv()).ok();
        self.taken.fetch_add(1, Ordering::Relaxed);
        batch
    }

    /// The same without waiting: none also when nothing has come yet.
    pub fn poll(&self) -> Option<Batch> {
        match self.full.try_recv() {
            Ok(batch) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                Some(batch)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.last.try_recv().ok(),
        }
    }

    /// Gives a batch back that is done with.
    fn give_back(&self, mut batch: Batch) {
        batch.clear();
        // There are enough, or nobody wants one.
        let _ = self.spare.try_send(batch);
    }

    /// The writer can go on no more, with this batch nor with those that wait.
    fn give_up(&self, batch: &Batch) {
        let waiting: u64 = self.full.try_iter().map(|batch| batch.closed()).sum();
        self.unwritten.fetch_add(batch.closed() + waiting, Ordering::Relaxed);
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        // A gap ends when it is found that there is no writer.
        self.taken.store(u64::MAX, Ordering::Relaxed);
    }
}

/// A slot and its generation, which no two connections share.
fn number(id: ClientId) -> u64 {
    u64::from(id.generation) << 32 | u64::from(id.key)
}
