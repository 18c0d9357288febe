//! What goes out over one connection: what waits for room, what is not confirmed, and whether
//! anything of it is answered.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::connection::now;
use super::diag::send_queue;
use super::link::NotSent;
use super::unconfirmed::{Unconfirmed, Unsure};

/// How long what was sent may stay without any answer of the other side's system: as long as the
/// keep-alive probes of an idle connection take to give it up. `TCP_USER_TIMEOUT` would be the
/// system's own means, but Linux also counts a window of zero, and a server that slows a long
/// pipe down closes the window for longer than this.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(90);

/// How long one wait for room to send takes at most.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How much of what was typed may wait for a server that does not take it, in bytes.
const MAX_BACKLOG: usize = 1024 * 1024;

/// After how long it is told that the server does not take what was typed.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// How much of a line that is sent in parts is kept, in bytes; no server takes a longer line.
const MAX_PART: usize = 64 * 1024;

/// What goes out over one connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) stream: Arc<TcpStream>,
    /// One's name, as the server writes it.
    pub(super) me: String,
    pub(super) unconfirmed: Unconfirmed,
    /// What was typed and is not sent yet.
    pub(super) backlog: VecDeque<u8>,
    /// It was told that the server does not take it.
    told_stuck: bool,
    /// The front of a line whose end is not sent yet.
    part: Vec<u8>,
    last_sent: Instant,
    /// Since when nothing of what is sent is answered.
    unanswered_since: Option<Instant>,
}

impl Outgoing {
    pub(super) fn new(stream: TcpStream, me: &str) -> Self {
        Self {
            stream: Arc::new(stream),
            me: me.to_owned(),
            unconfirmed: Unconfirmed::default(),
            backlog: VecDeque::new(),
            told_stuck: false,
            part: Vec::new(),
            last_sent: now(),
            unanswered_since: None,
        }
    }

    /// Sends as much as the system has room for now; how much that was.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = send_now(&self.stream, bytes)?;
        if sent > 0 {
            self.last_sent = now();
        }
        Ok(sent)
    }

    /// Lets a line wait behind those that wait already, and remembers it.
    pub(super) fn queue(&mut self, line: &str) -> Result<(), NotSent> {
        self.enqueue(line)?;
        self.record(format!("{line}\n").as_bytes());
        Ok(())
    }

    /// Lets a line wait that nobody has typed.
    pub(super) fn queue_unseen(&mut self, line: &str) -> Result<(), NotSent> {
        self.enqueue(line)?;
        self.unconfirmed.sent_part(line.len() + 1);
        Ok(())
    }

    fn enqueue(&mut self, line: &str) -> Result<(), NotSent> {
        if self.backlog.len() + line.len() >= MAX_BACKLOG {
            return Err(NotSent::Full);
        }
        self.backlog.extend(line.as_bytes());
        self.backlog.push_back(b'\n');
        Ok(())
    }

    /// Sends as much of the backlog as the system has room for now.
    pub(super) fn send_backlog(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            let sent = send_now(&self.stream, self.backlog.as_slices().0)?;
            if sent == 0 {
                return Ok(());
            }
            self.backlog.drain(..sent);
            self.last_sent = now();
        }
        self.told_stuck = false;
        Ok(())
    }

    /// Whether the server takes nothing any more, and that was not told yet.
    pub(super) fn is_stuck(&mut self) -> bool {
        let idle = now().saturating_duration_since(self.last_sent);
        let is_new = !self.backlog.is_empty() && idle >= TELL_AFTER && !self.told_stuck;
        self.told_stuck |= is_new;
        is_new
    }

    /// Remembers lines that are sent, or wait to be.
    pub(super) fn record(&mut self, sent: &[u8]) {
        let now = now();
        for piece in sent.split_inclusive(|&byte| byte == b'\n') {
            self.unconfirmed.sent_part(piece.len());
            let room = MAX_PART.saturating_sub(self.part.len());
            self.part.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = self.part.strip_suffix(b"\n").unwrap_or(&self.part);
                self.unconfirmed.sent_line(line, now);
                self.part.clear();
            }
        }
    }

    /// Sends an empty line when nothing was sent for so long.
    pub(super) fn beat(&mut self, idle: Duration) {
        let is_between_lines = self.part.is_empty() && self.backlog.is_empty();
        if is_between_lines && now().saturating_duration_since(self.last_sent) >= idle {
            // Where there is no room for it, the connection is not idle; an error is told to the
            // one who reads.
            if self.send(b"\n").is_ok_and(|sent| sent > 0) {
                self.unconfirmed.sent_part(1);
            }
        }
    }

    pub(super) fn is_answered(&mut self) -> bool {
        if !self.unconfirmed.is_under_way() {
            self.unanswered_since = None;
            return true;
        }
        let Some(queue) = send_queue(&self.stream) else { return true };
        let now = now();
        let outstanding = u64::from(queue.unacknowledged) + self.backlog.len() as u64;
        self.unconfirmed.acknowledge(outstanding, now);
        if !queue.is_unanswered {
            self.unanswered_since = None;
            return true;
        }
        let since = *self.unanswered_since.get_or_insert(now);
        now.saturating_duration_since(since) < DEAD_AFTER
    }

    pub(super) fn unsure(&mut self) -> Option<Unsure> {
        self.is_answered();
        self.unconfirmed.unsure(now())
    }
}

/// Sends as much as the system has room for now; how much that was. After an error the connection
/// is over, and whoever reads from it learns it.
fn send_now(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(0),
            Err(error) => {
                // If this fails, the connection is gone already.
                let _ = stream.shutdown(Shutdown::Both);
                return Err(error.into());
            }
        }
    }
}

/// Waits until there is room to send, but not for long.
pub(super) fn await_room(stream: &TcpStream) {
    let mut descriptors = [PollFd::new(stream, PollFlags::OUT)];
    // It fails when a signal comes, and then there may be a reason not to go on.
    let _ = poll(&mut descriptors, Some(&LOOK_EVERY));
}
