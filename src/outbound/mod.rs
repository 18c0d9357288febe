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

mod backpressure;
mod batch;
mod id;
mod log;
mod mailbox;
mod outbox;
mod sweep;

use std::collections::VecDeque;
use std::time::Duration;

pub use batch::{Batch, MAX_SLICES};
pub use id::{ClientId, NoMemory, Table};

use backpressure::{Lag, Pace};
pub use log::Log;
use outbox::Outbox;
use sweep::Sweep;

/// The server's own words reach a client even when all mailboxes together are full, as long as no
/// more than this many bytes wait in its own: nobody can silence the server's word to another.
pub const RESERVED_ANSWER: usize = 1024;

/// In how many fan-out passes the log can be filled at the least. Between two looks at those who
/// are behind so much less than half of the log is appended, so they are waited for in time.
const ROUNDS: usize = 16;

/// What is written in one turn to those with something due, and again to a slice of the fan-out
/// pass, in bytes and soft by one write each: after a few milliseconds input is read again.
const FLUSH_BYTES: usize = 4 << 20;

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
    /// How many clients a sweep serves in one turn; 0 for all, however many bytes that takes.
    pub flush_slice: usize,
    /// How long a client may accept nothing while something is due to it.
    pub stall_timeout: Duration,
    /// What a client that is behind has to read so that talkers wait for it, in bytes a second: at
    /// least 1. A log never waits for less.
    pub min_rate: u32,
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
    /// How many clients there are.
    clients: usize,
    /// What all mailboxes have allocated, in bytes.
    mail_total: usize,
    /// Whom to serve before the sweep: mail is due, the socket takes bytes again, or a budget ran
    /// out. Everyone stands here at most once.
    due: VecDeque<ClientId>,
    due_this_turn: usize,
    /// How much more may be written in this part of the turn, in bytes.
    flush_budget: usize,
    sweep: Sweep,
    lag: Lag,
    pace: Pace,
    /// How much more the one who talks now may append, in bytes.
    share: u64,
}

impl Outbound {
    /// Nothing to write, to nobody.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system does not give the memory for the log.
    pub fn new(limits: Limits) -> Result<Self, NoMemory> {
        Ok(Self {
            limits,
            log: Log::new(limits.log_bytes)?,
            boxes: Table::new(),
            clients: 0,
            mail_total: 0,
            due: VecDeque::new(),
            due_this_turn: 0,
            flush_budget: 0,
            sweep: Sweep::new(limits.flush_slice, limits.out_budget.min(limits.log_bytes / ROUNDS)),
            lag: Lag::new(limits.log_bytes),
            pace: Pace::new(limits.min_rate, limits.log_bytes),
            share: u64::MAX,
        })
    }

    /// Makes room for one more client.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub fn reserve(&mut self, id: ClientId) -> Result<(), NoMemory> {
        self.boxes.reserve(id)?;
        self.due.try_reserve(1).or(Err(NoMemory))
    }

    /// A client is here. It can get mail; it does not follow the log yet.
    pub fn connect(&mut self, id: ClientId) {
        self.boxes.insert(id, Outbox::new());
        self.clients += 1;
    }

    /// From here on the client reads every broadcast.
    pub fn follow(&mut self, id: ClientId) {
        let end = self.log.end();
        if let Some(outbox) = self.boxes.get_mut(id)
            && !outbox.is_following()
        {
            outbox.follow(end);
            self.lag.enter(end);
        }
    }

    /// What was said up to now is the last that this client reads.
    pub fn finish(&mut self, id: ClientId) {
        let end = self.log.end();
        let Some(outbox) = self.boxes.get_mut(id) else { return };
        if outbox.is_following() {
            self.lag.leave(outbox.cursor());
        }
        outbox.finish(end);
        self.enqueue(id);
    }

    /// The client has gone, and everything for it.
    pub fn disconnect(&mut self, id: ClientId) {
        let Some(outbox) = self.boxes.remove(id) else { return };
        self.clients -= 1;
        self.mail_total -= outbox.mail_allocated();
        if outbox.is_following() {
            self.lag.leave(outbox.cursor());
        }
    }

    /// Whether a broadcast may be appended now: the fan-out pass keeps up, and nobody who is behind
    /// is waited for, or no more than the minimum rate allows. Somebody who said little lately
    /// (`rested`) finds a reserve that others leave alone.
    pub fn has_room(&self, rested: bool) -> bool {
        let end = self.log.end();
        self.share > 0 && self.pace.allows(rested) && self.sweep.has_room(end, rested)
    }

    /// Those who wait to talk are as many as this: from now until [`end_share`](Self::end_share)
    /// each of them may append an equal part of what there is room for.
    pub fn begin_share(&mut self, talkers: usize) {
        let room = self.pace.room().min(self.sweep.room_left(self.log.end()));
        self.share = (room / talkers.max(1) as u64).max(1);
    }

    /// Nobody waits to talk any more, or there is no more room.
    pub fn end_share(&mut self) {
        self.share = u64::MAX;
    }

    /// Whether readers who are behind are waited for.
    pub fn is_holding(&self) -> bool {
        self.pace.holds()
    }

    /// Writes one line, in pieces, for everyone who follows the log.
    pub fn broadcast(&mut self, parts: &[&[u8]]) {
        let before = self.log.end();
        self.log.append(parts);
        let end = self.log.end();
        self.lag.advance(end);
        self.pace.spend(end - before);
        self.share = self.share.saturating_sub(end - before);
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
        // Where nobody has mail, nobody need be looked at.
        self.mail_total > 0
            && self.boxes.get(id).is_some_and(|outbox| {
                let own = outbox.mail_size();
                own > self.limits.mailbox_bytes / 2 || (self.is_mail_scarce() && own > 0)
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
        self.flush_budget = self.budget_of_a_part();
        self.sweep.begin_turn(self.log.end(), self.boxes.slots());
    }

    /// Whose turn it is to be written to: those with mail first, then a slice of the sweep.
    pub fn poll_flush(&mut self) -> Option<ClientId> {
        while self.due_this_turn > 0 && self.flush_budget > 0 {
            self.due_this_turn -= 1;
            let id = self.due.pop_front()?;
            if let Some(outbox) = self.boxes.get_mut(id) {
                outbox.queued = false;
                if outbox.is_writable() {
                    return Some(id);
                }
            }
        }
        if self.sweep.begin_slice() {
            self.due_this_turn = 0;
            self.flush_budget = self.budget_of_a_part();
        }
        while self.flush_budget > 0 {
            let index = self.sweep.poll()?;
            if let Some((id, outbox)) = self.boxes.at(index)
                && outbox.wants_log(self.log.start(), self.log.end())
            {
                self.sweep.served_one();
                return Some(id);
            }
        }
        None
    }

    /// What all mailboxes have allocated, in bytes.
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
    pub fn handle_written(&mut self, id: ClientId, count: usize) {
        let end = self.log.end();
        let Some(outbox) = self.boxes.get_mut(id) else { return };
        let (cursor, mail) = (outbox.cursor(), outbox.mail_allocated());
        outbox.advance(count, end, self.limits.min_rate);
        self.flush_budget = self.flush_budget.saturating_sub(count);
        self.mail_total -= mail - outbox.mail_allocated();
        if outbox.is_following() {
            self.lag.shift(cursor, outbox.cursor());
        }
    }

    /// The client's socket takes nothing for now.
    pub fn handle_blocked(&mut self, id: ClientId, now: Duration) {
        if let Some(outbox) = self.boxes.get_mut(id) {
            outbox.block(now);
        }
    }

    /// The client's socket takes bytes again.
    pub fn handle_writable(&mut self, id: ClientId, now: Duration) {
        if let Some(outbox) = self.boxes.get_mut(id)
            && !outbox.is_writable()
        {
            outbox.unblock(now);
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

    /// When to call [`handle_backpressure`](Self::handle_backpressure) although nothing has
    /// happened.
    pub fn backpressure_deadline(&self) -> Option<Duration> {
        self.pace.deadline()
    }

    /// Looks at those who are behind, or fill the mailboxes: whether talkers have to wait for them.
    /// Returns those who have read below the minimum rate for long; they are to be dropped if they
    /// still are [too slow](Self::is_too_slow) after a last write. O(1) unless somebody is behind.
    pub fn handle_backpressure(&mut self, now: Duration) -> Vec<ClientId> {
        self.pace.refill(now);
        let is_mail_scarce = self.is_mail_scarce();
        if !self.lag.is_anybody_behind() && !is_mail_scarce {
            self.pace.lift();
            return Vec::new();
        }
        if !self.pace.is_due(now, &self.lag) {
            return Vec::new();
        }
        let (mut wait, mut too_slow) = (false, Vec::new());
        for (id, outbox) in self.boxes.iter() {
            let is_behind = outbox.is_following() && self.lag.is_behind(outbox.cursor());
            let is_hoarding = is_mail_scarce && outbox.mail_allocated() > self.mail_share();
            if (is_behind || is_hoarding) && outbox.is_too_slow(now) {
                too_slow.push(id);
            }
            wait |= is_behind && outbox.keeps_up(now);
        }
        self.pace.decide(now, &self.lag, wait);
        too_slow
    }

    /// Whether a client has read below the minimum rate for long.
    pub fn is_too_slow(&self, id: ClientId, now: Duration) -> bool {
        self.boxes.get(id).is_some_and(|outbox| outbox.is_too_slow(now))
    }

    /// The server was not there to read and write until now: nobody was slow meanwhile.
    pub fn handle_gap(&mut self, now: Duration) {
        self.boxes.values_mut().for_each(|outbox| outbox.forgive(now));
    }

    /// Whether so much is in all mailboxes that what is left is shared out.
    fn is_mail_scarce(&self) -> bool {
        self.mail_total > self.limits.mailbox_total / 2
    }

    /// What each client's mailbox may allocate whatever is in the others, in bytes.
    fn mail_share(&self) -> usize {
        self.limits.mailbox_total / 2 / self.clients.max(1)
    }

    /// What may be written in one part of a turn, in bytes.
    fn budget_of_a_part(&self) -> usize {
        if self.limits.flush_slice == 0 { usize::MAX } else { FLUSH_BYTES }
    }

    fn deliver(&mut self, id: ClientId, parts: &[&[u8]], reserve: usize) -> Result<(), MailError> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let (due, share) = (self.log.end(), self.mail_share());
        let outbox = self.boxes.get_mut(id).ok_or(MailError::Gone)?;
        // The note of a new letter may go over the limit; the next line then finds it full.
        if outbox.mail_size() + len > self.limits.mailbox_bytes {
            return Err(MailError::Full);
        }
        let own = outbox.mail_allocated();
        let grown = outbox.mail_allocated_with(due, len);
        let total = self.mail_total - own + grown;
        let reserved = outbox.mail_size() + len <= reserve;
        let fits = total <= self.limits.mailbox_total / 2
            || (grown <= share && total <= self.limits.mailbox_total);
        if !fits && !reserved {
            return Err(MailError::Full);
        }
        outbox.mail(due, parts);
        self.mail_total = total;
        self.enqueue(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
