//! The chat: who is here, and what happens when they say something.
//!
//! No socket and no clock: the caller hands in frames and the time, and writes what
//! [`Outbound`] holds. A client is a newcomer until it has a name, then present, then departed:
//! it reads what was said up to then, and nothing it sends matters any more.
//!
//! Invariants: no two who are present have names that fold or look alike; a newcomer is told
//! nothing of what is said; every coming and going is told exactly once.

mod directory;
mod flood;
mod login;
mod member;
mod news;
mod sorted;
mod talk;

use std::time::Duration;

pub use flood::FloodLimit;

use crate::metrics::Counters;
use crate::name::Name;
use crate::outbound::{ClientId, NoMemory, Outbound, Table};
use crate::wire::{Frame, Notice, Reply};
use directory::Directory;
use member::{Member, Present};
use news::News;

/// What bounds this floor.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest line, in bytes, for the notice that tells it.
    pub max_line: usize,
    /// The longest answer to `list`, in bytes.
    pub list_bytes: usize,
    /// How long a newcomer may be without a name.
    pub login_timeout: Duration,
    /// How fast one client may talk.
    pub flood: FloodLimit,
    /// Up to how many present each coming and going is told one by one.
    pub announce_up_to: usize,
}

/// What became of a frame, and so what to do with the client's next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// It is done; the next one may come.
    Next,
    /// Not taken: the client talks too fast. Offer it again at this time.
    Wait(Duration),
    /// Not taken: broadcasts have to wait. Offer it again when there is room.
    Hold,
    /// Not taken: the client does not read its answers. Offer it again when it does.
    Clogged,
    /// It is done, and was the last: write what is due, then close.
    Close,
}

/// One chat room.
#[derive(Debug)]
pub struct Chat {
    limits: Limits,
    members: Table<Member>,
    directory: Directory,
    news: News,
    scratch: String,
    /// What is still to be written.
    pub outbound: Outbound,
    /// What has happened.
    pub counters: Counters,
}

impl Chat {
    /// An empty room.
    pub fn new(limits: Limits, outbound: Outbound) -> Self {
        Self {
            limits,
            members: Table::new(),
            directory: Directory::default(),
            news: News::default(),
            scratch: String::new(),
            outbound,
            counters: Counters::default(),
        }
    }

    /// How many are present.
    pub fn online(&self) -> usize {
        self.directory.len()
    }

    /// Makes room for one more client beside so many that have no name yet.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub fn reserve(&mut self, id: ClientId, newcomers: usize) -> Result<(), NoMemory> {
        self.members.reserve(id)?;
        self.directory.reserve(newcomers + 1)?;
        self.outbound.reserve(id)
    }

    /// Somebody connected: a newcomer, who is asked for a name.
    pub fn handle_connect(&mut self, id: ClientId, now: Duration) {
        self.members.insert(id, Member::newcomer(now + self.limits.login_timeout));
        self.outbound.connect(id);
        self.answer(id, Notice::EnterName);
    }

    /// Somebody connected for whom there is no room; `why` is all that is said.
    pub fn handle_refused(&mut self, id: ClientId, why: Notice<'_>) {
        self.members.insert(id, Member::Departed);
        self.outbound.connect(id);
        self.answer(id, why);
        self.outbound.finish(id);
        self.counters.refused += 1;
    }

    /// A client sent a frame.
    pub fn handle_frame(&mut self, id: ClientId, frame: Frame<'_>, now: Duration) -> Step {
        match self.members.get(id) {
            Some(Member::Newcomer { .. }) => self.log_in(id, frame, now),
            Some(Member::Present(_)) => self.talk(id, frame, now),
            Some(Member::Departed) | None => Step::Close,
        }
    }

    /// A client will send nothing more, and everything it sent is done.
    pub fn handle_end(&mut self, id: ClientId, now: Duration) {
        self.depart(id, now);
    }

    /// A client is to be closed for a reason that it is told.
    pub fn handle_expelled(&mut self, id: ClientId, why: Notice<'_>, now: Duration) {
        self.answer(id, why);
        self.depart(id, now);
        self.counters.refused += 1;
    }

    /// A connection is gone, whatever was still to be written.
    pub fn handle_disconnect(&mut self, id: ClientId, now: Duration) {
        self.depart(id, now);
        self.members.remove(id);
        self.outbound.disconnect(id);
    }

    /// A client was held for so long by [`Step::Hold`]: its clocks stood still.
    pub fn handle_held(&mut self, id: ClientId, held: Duration) {
        if let Some(member) = self.members.get_mut(id) {
            member.shift(held);
        }
    }

    /// Until when a newcomer needs a name; `None` for those who have one.
    pub fn login_deadline(&self, id: ClientId) -> Option<Duration> {
        match self.members.get(id)? {
            Member::Newcomer { deadline, .. } => Some(*deadline),
            Member::Present(_) | Member::Departed => None,
        }
    }

    /// Closes a newcomer whose time is over.
    pub fn handle_login_deadline(&mut self, id: ClientId, now: Duration) -> Step {
        if self.login_deadline(id).is_none_or(|deadline| deadline > now) {
            return Step::Next;
        }
        self.answer(id, Notice::LoginTimeout);
        self.depart(id, now);
        Step::Close
    }

    /// When to call [`handle_news`](Self::handle_news).
    pub fn news_deadline(&self) -> Option<Duration> {
        self.news.deadline()
    }

    /// Tells who came and went, where that is not told one by one.
    pub fn handle_news(&mut self, now: Duration) {
        if let Some((joined, left)) = self.news.take(now) {
            let online = self.directory.len() as u64;
            self.announce(Notice::Crowd { joined, left, online });
        }
    }

    /// The server stops: everyone is told, and that is the last they read.
    pub fn handle_shutdown(&mut self) {
        self.announce(Notice::ShuttingDown);
        let everyone: Vec<ClientId> = self.members.iter().map(|(id, _)| id).collect();
        for id in everyone {
            let member = self.members.get_mut(id).map(|m| std::mem::replace(m, Member::Departed));
            match member {
                Some(Member::Present(present)) => self.directory.leave(&present.name),
                Some(Member::Newcomer { .. }) => self.answer(id, Notice::ShuttingDown),
                Some(Member::Departed) | None => {}
            }
            self.outbound.finish(id);
        }
    }

    /// The client is no longer one of those present, and reads no further than to here.
    fn depart(&mut self, id: ClientId, now: Duration) {
        let Some(member) = self.members.get_mut(id) else { return };
        let member = std::mem::replace(member, Member::Departed);
        self.outbound.finish(id);
        if let Member::Present(Present { name, .. }) = member {
            let one_by_one = self.directory.len() <= self.limits.announce_up_to;
            self.directory.leave(&name);
            if one_by_one {
                self.announce(Notice::Left(name.as_str()));
            } else {
                self.news.left(now, self.directory.len());
            }
        }
    }

    /// The client is now one of those present.
    fn join(&mut self, id: ClientId, name: Name, now: Duration) {
        if self.directory.len() <= self.limits.announce_up_to {
            self.announce(Notice::Joined(name.as_str()));
        } else {
            self.news.joined(now, self.directory.len());
        }
        self.outbound.follow(id);
        self.answer(id, Notice::Welcome(name.as_str()));
        self.members.insert(id, Member::Present(Present::new(name)));
        self.counters.logins += 1;
    }

    /// Says something to everyone.
    fn announce(&mut self, notice: Notice<'_>) {
        self.outbound.broadcast(&Reply::Notice(notice).parts(&mut self.scratch));
    }

    /// Says something to one.
    fn answer(&mut self, id: ClientId, notice: Notice<'_>) {
        let parts = &Reply::Notice(notice).parts(&mut self.scratch);
        if self.outbound.answer(id, parts).is_err() {
            self.counters.answers_dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests;
