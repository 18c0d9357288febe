//! The chat: who is here, and what happens when they say something.
//!
//! No socket and no clock: the caller hands in frames and the time, and writes what
//! [`Outbound`] holds. A client is a newcomer until it has a name, then present, then departed:
//! it reads what was said up to then, and nothing it sends matters any more.
//!
//! Invariants: no two who are present have names that fold or look alike; a newcomer is told
//! nothing of what is said; every coming and going is told exactly once.

mod admission;
mod directory;
mod flood;
mod login;
mod member;
mod news;
mod sorted;
mod sources;
mod talk;

use std::time::Duration;

pub use admission::FloodLimits;
pub use flood::FloodLimit;

use crate::metrics::Counters;
use crate::name::Name;
use crate::outbound::{ClientId, NoMemory, Outbound, Table};
use crate::wire::{Notice, Reply};
use admission::Admission;
use directory::Directory;
use member::{Member, Newcomer, Present};
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
    /// How fast clients may talk, and log in.
    pub flood: FloodLimits,
    /// Up to how many present each coming and going is told one by one.
    pub announce_up_to: usize,
    /// How many comings and goings are told so.
    pub announce: FloodLimit,
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
    admission: Admission,
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
            admission: Admission::new(limits.flood),
            members: Table::new(),
            directory: Directory::default(),
            news: News::new(limits.announce),
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
        self.admission.reserve()?;
        self.outbound.reserve(id)
    }

    /// Somebody connected: a newcomer, who is asked for a name. `address` is the same number for
    /// all who share the limits of one address.
    pub fn handle_connect(&mut self, id: ClientId, address: u64, now: Duration) {
        let (source, bucket) = self.admission.enter(address);
        let newcomer = Newcomer::new(source, bucket, now + self.limits.login_timeout);
        self.members.insert(id, Member::Newcomer(Box::new(newcomer)));
        self.outbound.connect(id);
        self.answer(id, Notice::EnterName);
    }

    /// Somebody connected for whom there is no room; `why` is all that is said.
    pub fn handle_refused(&mut self, id: ClientId, why: Notice<'_>) {
        self.members.insert(id, Member::Departed(None));
        self.outbound.connect(id);
        self.answer(id, why);
        self.outbound.finish(id);
        self.counters.refused += 1;
    }

    /// How much was done so far, in tokens: a line counts one, and one more for each full 256 bytes
    /// of it; a long answer counts more.
    pub fn work(&self) -> u64 {
        self.admission.work()
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
            Member::Newcomer(newcomer) => Some(newcomer.deadline),
            Member::Present(_) | Member::Departed(_) => None,
        }
    }

    /// The name that a client has, or had until it left.
    pub fn name(&self, id: ClientId) -> Option<&Name> {
        match self.members.get(id)? {
            Member::Newcomer(_) => None,
            Member::Present(present) => Some(&present.name),
            Member::Departed(name) => name.as_ref(),
        }
    }

    /// The server did not run for so long, up to now: that is held against nobody.
    pub fn handle_gap(&mut self, gap: Duration, now: Duration) {
        for member in self.members.values_mut() {
            if let Member::Newcomer(newcomer) = member {
                newcomer.deadline += gap;
            }
        }
        self.outbound.handle_gap(now);
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
            let Some(member) = self.members.get_mut(id) else { continue };
            match std::mem::replace(member, Member::Departed(None)) {
                Member::Present(Present { name, .. }) => {
                    self.directory.leave(&name);
                    *member = Member::Departed(Some(name));
                }
                Member::Newcomer(_) => self.answer(id, Notice::ShuttingDown),
                departed @ Member::Departed(_) => *member = departed,
            }
            self.outbound.finish(id);
        }
    }

    /// The client is no longer one of those present, and reads no further than to here.
    fn depart(&mut self, id: ClientId, now: Duration) {
        let Some(member) = self.members.get_mut(id) else { return };
        let member = match std::mem::replace(member, Member::Departed(None)) {
            departed @ Member::Departed(_) => {
                *member = departed;
                return self.outbound.finish(id);
            }
            other => other,
        };
        self.outbound.finish(id);
        match member {
            Member::Newcomer(newcomer) => {
                if newcomer.turn.is_some_and(|turn| turn > now) {
                    self.admission.cancel_login(newcomer.source);
                }
                self.admission.leave(newcomer.source, newcomer.bucket, now);
            }
            Member::Present(present) => {
                self.admission.leave(present.source, present.bucket, now);
                self.leave(&present.name, now);
                self.members.insert(id, Member::Departed(Some(present.name)));
            }
            Member::Departed(_) => {}
        }
    }

    /// Somebody who was present is so no more.
    fn leave(&mut self, name: &Name, now: Duration) {
        let by_name = self.is_told_by_name(now, self.directory.len());
        self.directory.leave(name);
        if by_name {
            self.announce(Notice::Left(name.as_str()));
        }
        self.news.left(now, self.directory.len(), by_name);
    }

    /// The client is now one of those present.
    fn join(&mut self, id: ClientId, name: Name, now: Duration) {
        let Some(Member::Newcomer(newcomer)) = self.members.get(id) else { return };
        let present = Present::new(name, newcomer);
        let name = present.name.clone();
        let by_name = self.is_told_by_name(now, self.directory.len());
        if by_name {
            self.announce(Notice::Joined(name.as_str()));
        }
        self.news.joined(now, self.directory.len(), by_name);
        self.outbound.follow(id);
        self.answer(id, Notice::Welcome(name.as_str()));
        self.members.insert(id, Member::Present(present));
        self.counters.logins += 1;
    }

    /// Whether a coming or going is told by name: in a room of so many, and while it is a rare
    /// event.
    fn is_told_by_name(&self, now: Duration, online: usize) -> bool {
        online <= self.limits.announce_up_to && self.news.is_rare(now)
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
