//! The recorder: a platform that writes down what the one inside it does.
//!
//! It stands between the server and the system, and neither knows of it: a server that is not to be
//! recorded is another type, and pays nothing.
//!
//! * here: what the loop does, which is to copy what is said into a `batch`. It never waits.
//! * [`batch`]: what happened, on its way to the writer.
//! * `scribe`: the thread that makes frames of it (`capture::Recording`) and writes them.
//! * `file`: what it writes to.
//! * `tape`: how all of that begins.
//!
//! Where the writer cannot keep up, a batch is dropped. Every connection that lost something by
//! that is left alone from then on: half of a conversation would look like a broken one. The writer
//! is told so, and it is counted. The chat loses nothing.

pub mod batch;
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
use batch::Batch;

pub use scribe::RecordError;
pub(super) use tape::Tape;

/// How many batches may be on their way to the writer: with [`batch::BATCH_BYTES`], 64 MiB.
const MAX_BATCHES: usize = 256;

/// How many empty batches are kept to be used again; others are freed.
const MAX_SPARE: usize = 8;

/// How long something may wait until its batch goes to the writer. To wake a thread costs more than
/// to write down what a turn does.
const BATCH_WAIT: Duration = Duration::from_millis(200);

/// A platform whose traffic is recorded.
#[derive(Debug)]
pub struct Recorder<P> {
    inner: P,
    /// What is added to the platform's time, in nanoseconds since 1970.
    base_ns: u64,
    batch: Batch,
    batches: SyncSender<Batch>,
    /// For the last one, which finds room also where the others do not.
    last: SyncSender<Batch>,
    spare: Receiver<Batch>,
    /// The writer has given up.
    stopped: bool,
    /// It was said that the writer is behind.
    warned: bool,
    /// How many connections there are.
    open: u64,
    /// Those among them that are not recorded any more.
    lost: HashSet<u64>,
    /// Those of which the writer has heard, and not that they are lost.
    untold: Vec<u64>,
    uncaptured: u64,
    unwritten: Arc<AtomicU64>,
}

/// The writer's end: full batches come, empty ones go.
#[derive(Debug)]
pub struct Batches {
    full: Receiver<Batch>,
    last: Receiver<Batch>,
    spare: SyncSender<Batch>,
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
    /// Records what this platform does from now on. Its time 0 was `base_ns` nanoseconds after
    /// 1970.
    pub fn new(inner: P, base_ns: u64) -> (Self, Batches) {
        let (batches, full) = sync_channel(MAX_BATCHES);
        let (last, very_last) = sync_channel(1);
        let (give_back, spare) = sync_channel(MAX_SPARE);
        let recorder = Self {
            inner,
            base_ns,
            batch: Batch::default(),
            batches,
            last,
            spare,
            stopped: false,
            warned: false,
            open: 0,
            lost: HashSet::new(),
            untold: Vec::new(),
            uncaptured: 0,
            unwritten: Arc::default(),
        };
        let unwritten = Arc::clone(&recorder.unwritten);
        (recorder, Batches { full, last: very_last, spare: give_back, unwritten })
    }

    /// The platform inside.
    pub fn platform(&mut self) -> &mut P {
        &mut self.inner
    }

    fn now_ns(&self) -> u64 {
        let since = u64::try_from(self.inner.now().as_nanos()).unwrap_or(u64::MAX);
        self.base_ns.saturating_add(since)
    }

    /// Writes down what happened, in as many notes as its bytes need.
    fn note(&mut self, number: u64, what: Happening, bytes: &[u8]) {
        self.note_at(self.now_ns(), number, what, bytes);
    }

    /// The same at this time.
    fn note_at(&mut self, time_ns: u64, number: u64, what: Happening, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            if !self.batch.is_empty() && self.batch.room().is_none_or(|room| room < rest.len()) {
                self.send();
            }
            if self.stopped || self.lost.contains(&number) {
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
        self.lost.remove(&number);
        self.open -= 1;
    }

    /// Until when a poll may last, so that the batch goes when it is time.
    fn hand_over(&mut self, timeout: Option<Duration>) -> Option<Duration> {
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
        let next = self.spare.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        match self.batches.try_send(batch) {
            Ok(()) => {}
            Err(TrySendError::Full(batch)) => self.lose(batch),
            Err(TrySendError::Disconnected(batch)) => self.stop(&batch),
        }
        self.batch.lost.append(&mut self.untold);
    }

    /// The writer is too far behind: this batch is dropped, and who was in it is lost.
    fn lose(&mut self, mut batch: Batch) {
        if !std::mem::replace(&mut self.warned, true) {
            warn!("the capture cannot keep up; who loses something is not recorded further");
        }
        self.untold.append(&mut batch.lost);
        for (note, _) in batch.iter() {
            let is_new = self.lost.insert(note.number);
            self.uncaptured += u64::from(is_new);
            // The writer has not heard of those who came in this batch.
            if is_new && !matches!(note.what, Happening::Opened { .. }) {
                self.untold.push(note.number);
            }
            if note.what == Happening::Closed {
                self.lost.remove(&note.number);
            }
        }
        batch.clear();
        self.batch = batch;
    }

    /// The writer has given up: nobody who is here is recorded to the end, nor who comes.
    fn stop(&mut self, batch: &Batch) {
        self.stopped = true;
        self.uncaptured += self.open.saturating_sub(self.lost.len() as u64) + batch.closed();
        self.lost = HashSet::new();
        self.untold = Vec::new();
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
                self.lost.insert(number);
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
        let mut batch = std::mem::take(&mut self.batch);
        batch.is_last = true;
        // It is the only one, so there is room; a writer that has given up does not want it.
        let _ = self.last.try_send(batch);
    }
}

impl Batches {
    /// Waits for what happened next; none when the platform is gone and everything was taken.
    pub fn wait(&self) -> Option<Batch> {
        self.full.recv().or_else(|_| self.last.recv()).ok()
    }

    /// The same without waiting: none also when nothing has come yet.
    pub fn poll(&self) -> Option<Batch> {
        match self.full.try_recv() {
            Ok(batch) => Some(batch),
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

/// A slot and its generation, which no two connections share.
fn number(id: ClientId) -> u64 {
    u64::from(id.generation) << 32 | u64::from(id.key)
}
