//! What is still to be written, and to whom.
//!
//! A broadcast is written once, into the [`Log`]. A client holds no copy of it, only a cursor: the
//! offset up to which it was written. Lines for one client alone wait in its mailbox, each due
//! at an offset of the log, so that a client reads everything in the order in which the server
//! took it.
//!
//! The caller does the writing: [`begin_flush`](Outbound::begin_flush) once a turn,
//! [`poll_flush`](Outbound::poll_flush) for whose turn it is, [`batch`](Outbound::batch) for the
//! bytes, and [`handle_written`](Outbound::handle_written) or
//! [`handle_blocked`](Outbound::handle_blocked) for what became of them.
//!
//! Bounded by: the log, the mailbox of each, and all mailboxes together ([`Limits`]).

mod batch;
mod crowd;
mod id;
mod log;
mod mailbox;
mod outbox;
mod sweep;

use std::collections::VecDeque;
use std::time::Duration;

pub use batch::{Batch, MAX_SLICES};
pub use id::{ClientId, Table};

use crowd::{Crowd, Pause, Verdict};
pub use log::Log;
use outbox::Outbox;
use sweep::Sweep;

/// An answer of at most this many bytes reaches a client whose mailbox is empty even when all
/// mailboxes together are full: nobody can silence the server's word to another.
pub const RESERVED_ANSWER: usize = 1024;

/// In how many rounds of the sweep the log can be filled at the least. Between two looks at the
/// crowd so much less than the quarter in which cursors lag is appended, so it is seen in time.
const ROUNDS: usize = 16;

/// What bounds this floor.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The log, in bytes: a power of two, at least 64.
    pub log_bytes: usize,
    /// The mailbox of one client, in bytes.
    pub mailbox_bytes: usize,
    /// All mailboxes together, in bytes.
    pub mailbox_total: usize,
    /// What one client is written in one turn, in bytes.
    pub out_budget: usize,
    /// How many clients a sweep serves in one turn; 0 for all.
    pub flush_slice: usize,
    /// How long a client may accept nothing while something is due to it.
    pub stall_timeout: Duration,
}

/// Why a private line was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailError {
    /// The mailbox, or all mailboxes together, would hold more than they may.
    Full,
    /// The client has gone.
    Gone,
}

/// The client's cursor points at bytes that the log no longer has: a slow consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapped;

/// Everything that is still to be written.
#[derive(Debug)]
pub struct Outbound {
    limits: Limits,
    log: Log,
    boxes: Table<Outbox>,
    mail_total: usize,
    /// Whom to serve before the sweep: mail is due, the socket takes bytes again, or a budget ran
    /// out. Everyone stands here at most once.
    due: VecDeque<ClientId>,
    due_this_turn: usize,
    sweep: Sweep,
    crowd: Crowd,
    pause: Pause,
}

impl Outbound {
    /// Nothing to write, to nobody.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            log: Log::new(limits.log_bytes),
            boxes: Table::new(),
            mail_total: 0,
            due: VecDeque::new(),
            due_this_turn: 0,
            sweep: Sweep::new(limits.flush_slice, limits.out_budget.min(limits.log_bytes / ROUNDS)),
            crowd: Crowd::new(limits.log_bytes),
            pause: Pause::default(),
        }
    }

    /// A client is here. It can get mail; it does not follow the log yet.
    pub fn connect(&mut self, id: ClientId) {
        self.boxes.insert(id, Outbox::new());
    }

    /// From here on the client reads every broadcast.
    pub fn follow(&mut self, id: ClientId) {
        let end = self.log.end();
        if let Some(outbox) = self.boxes.get_mut(id)
            && !outbox.is_following()
        {
            outbox.follow(end);
            self.crowd.enter(end);
        }
    }

    /// What was said up to now is the last that this client reads.
    pub fn finish(&mut self, id: ClientId) {
        let end = self.log.end();
        let Some(outbox) = self.boxes.get_mut(id) else { return };
        if outbox.is_following() {
            self.crowd.leave(outbox.cursor());
        }
        outbox.finish(end);
        self.enqueue(id);
    }

    /// The client has gone, and everything for it.
    pub fn disconnect(&mut self, id: ClientId) {
        let Some(outbox) = self.boxes.remove(id) else { return };
        self.mail_total -= outbox.mail_size();
        if outbox.is_following() {
            self.crowd.leave(outbox.cursor());
        }
    }

    /// Whether a broadcast is welcome now: the sweep keeps up, and no crowd lags.
    pub fn has_room(&self) -> bool {
        !self.pause.holds() && self.sweep.has_room(self.log.end())
    }

    /// Whether it is the crowd that talkers wait for, not just the end of a sweep.
    pub fn is_paused(&self) -> bool {
        self.pause.holds()
    }

    /// Writes one line, in pieces, for everyone who follows the log.
    pub fn broadcast(&mut self, parts: &[&[u8]]) {
        self.log.append(parts);
        self.crowd.advance(self.log.end());
    }

    /// Mails one line, in pieces, from one client to another.
    ///
    /// # Errors
    ///
    /// [`MailError`]: it was not taken.
    pub fn mail(&mut self, id: ClientId, parts: &[&[u8]]) -> Result<(), MailError> {
        self.deliver(id, parts, 0)
    }

    /// Mails the server's own word, in pieces; see [`RESERVED_ANSWER`].
    ///
    /// # Errors
    ///
    /// [`MailError`]: it was not taken.
    pub fn answer(&mut self, id: ClientId, parts: &[&[u8]]) -> Result<(), MailError> {
        self.deliver(id, parts, RESERVED_ANSWER)
    }

    /// Whether the client's own mailbox is so full that its lines have to wait. While all together
    /// are half full, it has to be empty: then what is answered to the next line has room.
    pub fn is_clogged(&self, id: ClientId) -> bool {
        let are_full = self.mail_total > self.limits.mailbox_total / 2;
        self.boxes.get(id).is_some_and(|outbox| {
            let own = outbox.mail_size();
            own > self.limits.mailbox_bytes / 2 || (are_full && own > 0)
        })
    }

    /// Whether everything was written that the client will ever read.
    pub fn is_finished(&self, id: ClientId) -> bool {
        self.boxes.get(id).is_none_or(Outbox::is_finished)
    }

    /// Whether there is anything that the next turn can try to write.
    pub fn has_work(&self) -> bool {
        !self.due.is_empty() || self.sweep.has_work(self.log.end())
    }

    /// Starts the flush of one turn.
    pub fn begin_flush(&mut self) {
        self.due_this_turn = self.due.len().min(self.sweep.slice());
        self.sweep.begin_turn(self.log.end(), self.boxes.slots());
    }

    /// Whose turn it is to be written to: those with mail first, then a slice of the sweep.
    pub fn poll_flush(&mut self) -> Option<ClientId> {
        while self.due_this_turn > 0 {
            self.due_this_turn -= 1;
            let id = self.due.pop_front()?;
            if let Some(outbox) = self.boxes.get_mut(id) {
                outbox.queued = false;
                if outbox.is_writable() {
                    return Some(id);
                }
            }
        }
        while let Some(index) = self.sweep.poll() {
            if let Some((id, outbox)) = self.boxes.at(index)
                && outbox.wants_log(self.log.start(), self.log.end())
            {
                self.sweep.served_one();
                return Some(id);
            }
        }
        None
    }

    /// What all mailboxes hold, in bytes, the notes of their letters included.
    pub fn mail_bytes(&self) -> usize {
        self.mail_total
    }

    /// The next bytes for a client, at most `budget` of them; empty when nothing is due.
    ///
    /// # Errors
    ///
    /// [`Lapped`]: there is no way to go on with this client.
    pub fn batch(&self, id: ClientId, budget: usize) -> Result<Batch<'_>, Lapped> {
        let mut batch = Batch::new(budget);
        if let Some(outbox) = self.boxes.get(id) {
            outbox.fill(&self.log, &mut batch)?;
        }
        Ok(batch)
    }

    /// The client's socket took this many bytes.
    pub fn handle_written(&mut self, id: ClientId, count: usize, now: Duration) {
        let end = self.log.end();
        let Some(outbox) = self.boxes.get_mut(id) else { return };
        let (cursor, mail) = (outbox.cursor(), outbox.mail_size());
        outbox.advance(count, end, now);
        self.mail_total -= mail - outbox.mail_size();
        if outbox.is_following() {
            self.crowd.shift(cursor, outbox.cursor());
        }
    }

    /// The client's socket takes nothing for now.
    pub fn handle_blocked(&mut self, id: ClientId, now: Duration) {
        if let Some(outbox) = self.boxes.get_mut(id) {
            outbox.block(now);
        }
    }

    /// The client's socket takes bytes again.
    pub fn handle_writable(&mut self, id: ClientId) {
        if let Some(outbox) = self.boxes.get_mut(id)
            && !outbox.is_writable()
        {
            outbox.unblock();
            self.enqueue(id);
        }
    }

    /// The client's turn is over, not its output: it goes behind the others.
    pub fn enqueue(&mut self, id: ClientId) {
        if let Some(outbox) = self.boxes.get_mut(id)
            && outbox.is_writable()
            && !outbox.queued
        {
            outbox.queued = true;
            self.due.push_back(id);
        }
    }

    /// When a client that takes nothing is given up; `None` while it takes what it gets.
    pub fn stall_deadline(&self, id: ClientId) -> Option<Duration> {
        Some(self.boxes.get(id)?.blocked_since()? + self.limits.stall_timeout)
    }

    /// When to call [`handle_crowd`](Self::handle_crowd) although nothing has happened.
    pub fn crowd_deadline(&self) -> Option<Duration> {
        self.pause.deadline()
    }

    /// Looks at the crowd: whether the talkers have to wait, or wait no longer. Returns those who
    /// lag still when the patience with them is spent; they are to be dropped. O(1) unless so many
    /// lag that they can be a crowd.
    pub fn handle_crowd(&mut self, now: Duration) -> Vec<ClientId> {
        if !self.crowd.enough_lag() {
            if self.pause.holds() {
                self.pause.lift(now);
            }
            return Vec::new();
        }
        let newest = self.crowd.newest();
        if !self.pause.is_due(now, newest) {
            return Vec::new();
        }
        let lagging = |outbox: &Outbox| outbox.is_following() && self.crowd.lags(outbox.cursor());
        let trailing = |outbox: &Outbox| self.crowd.trails(outbox.cursor());
        let (mut crowd, mut room) = (0, 0);
        for (_, outbox) in self.boxes.iter().filter(|(_, o)| o.makes_progress(now)) {
            crowd += usize::from(lagging(outbox));
            room += usize::from(outbox.is_following() && trailing(outbox));
        }
        let (crowd, room) = (self.crowd.is_crowd(crowd), self.crowd.is_room(room));
        match self.pause.decide(now, newest, crowd, room) {
            Verdict::Unchanged => Vec::new(),
            Verdict::DropLagging => {
                self.boxes.iter().filter(|(_, o)| lagging(o)).map(|(id, _)| id).collect()
            }
        }
    }

    fn deliver(&mut self, id: ClientId, parts: &[&[u8]], reserve: usize) -> Result<(), MailError> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let due = self.log.end();
        let outbox = self.boxes.get_mut(id).ok_or(MailError::Gone)?;
        // The note of a new letter may go over the limits; the next line then finds them full.
        let own = outbox.mail_size();
        let reserved = own == 0 && len <= reserve;
        let fits_all = self.mail_total + len <= self.limits.mailbox_total;
        if own + len > self.limits.mailbox_bytes || !(fits_all || reserved) {
            return Err(MailError::Full);
        }
        outbox.mail(due, parts);
        self.mail_total += outbox.mail_size() - own;
        self.enqueue(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
