//! Admission: whether a line is taken now, and when it is otherwise. One of many lines waits; none
//! is refused.
//!
//! Everything is paid for in tokens: a line costs one, and one more for each full
//! [`BYTES_PER_TOKEN`] of it. The bucket of a client bounds what it says, one of its address bounds
//! what all clients from there say together, and another how often they try to log in.

use std::time::Duration;

use super::flood::{Bucket, FloodLimit, Rate};
use super::sources::{SourceId, Sources};
use crate::outbound::NoMemory;

/// A line costs one more token for each so many bytes: what people type costs one, and who pastes
/// lines of 4 KiB gets as many bytes through as others, not as many lines.
const BYTES_PER_TOKEN: usize = 256;

/// Somebody who lacks no more tokens than this said little lately.
const RESTED: u64 = 10;

/// How soon a client is looked at again that waits for the others of its address, at the least.
/// All of them wait for the same token: without this, each would be looked at for every token.
const ADDRESS_RETRY: Duration = Duration::from_millis(50);

/// Who lacks no more of its own tokens than this says little: people who type, and bots that keep
/// to their limit. They do not wait for those at their address who do not.
const MODEST: u64 = 20;

/// How far an address may be in debt by those who say little, as the time that it takes to pay it
/// off: beyond that, all wait.
const MAX_DEBT: Duration = Duration::from_secs(30);

/// How fast clients may talk, and log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloodLimits {
    /// What one client may say.
    pub client: FloodLimit,
    /// What all clients from one address may say together.
    pub address: FloodLimit,
    /// How often clients from one address may try to log in.
    pub logins: FloodLimit,
}

/// Who has to wait, and for how long.
#[derive(Debug)]
pub(super) struct Admission {
    client: Rate,
    address: Rate,
    logins: Rate,
    sources: Sources,
    /// What was done so far, in tokens, whether there is a limit or not.
    work: u64,
}

impl FloodLimits {
    /// No limits.
    pub const OFF: Self =
        Self { client: FloodLimit::OFF, address: FloodLimit::OFF, logins: FloodLimit::OFF };
}

/// What a line of so many bytes costs.
pub(super) fn cost(bytes: usize) -> u64 {
    1 + (bytes / BYTES_PER_TOKEN) as u64
}

impl Admission {
    pub(super) fn new(limits: FloodLimits) -> Self {
        Self {
            client: limits.client.into(),
            address: limits.address.into(),
            logins: limits.logins.into(),
            sources: Sources::default(),
            work: 0,
        }
    }

    /// Makes room for a connection from one more address.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub(super) fn reserve(&mut self) -> Result<(), NoMemory> {
        self.sources.reserve()
    }

    /// A connection from this address: which one it is here, and the bucket to begin with.
    pub(super) fn enter(&mut self, address: u64) -> (SourceId, Bucket) {
        self.sources.enter(address)
    }

    /// A client sends no more, and leaves its bucket to the next one from its address.
    pub(super) fn leave(&mut self, source: SourceId, bucket: Bucket, now: Duration) {
        self.sources.leave(source, bucket, now);
    }

    /// Whether a client's next line is taken now; if not, when to offer it again.
    pub(super) fn check(
        &mut self,
        bucket: &mut Bucket,
        source: SourceId,
        now: Duration,
    ) -> Result<(), Duration> {
        bucket.check(self.client, now)?;
        if self.address.is_off() { Ok(()) } else { self.check_address(bucket, source, now) }
    }

    /// The same for what all clients from its address say together. One that says little does not
    /// wait for the others, as long as their debt can be paid off soon. For one that waits, time
    /// stands still: it does not come to be one that says little by waiting.
    fn check_address(
        &mut self,
        bucket: &mut Bucket,
        source: SourceId,
        now: Duration,
    ) -> Result<(), Duration> {
        let Some(source) = self.sources.get_mut(source) else { return Ok(()) };
        let Err(free_at) = source.lines.check(self.address, now) else { return Ok(()) };
        let is_modest = !self.client.is_off() && bucket.lacks_at_most(MODEST, self.client, now);
        let later = if is_modest { free_at.saturating_sub(MAX_DEBT) } else { free_at };
        if later <= now {
            return Ok(());
        }
        let later = later.max(now + ADDRESS_RETRY);
        if !is_modest {
            bucket.shift(later.saturating_sub(now));
        }
        Err(later)
    }

    /// Takes tokens for what a client has sent, or asked for.
    pub(super) fn charge(
        &mut self,
        bucket: &mut Bucket,
        source: SourceId,
        tokens: u64,
        now: Duration,
    ) {
        self.work += tokens;
        bucket.charge(tokens, self.client, now);
        if !self.address.is_off()
            && let Some(source) = self.sources.get_mut(source)
        {
            source.lines.charge(tokens, self.address, now);
        }
    }

    /// When a newcomer from this address may try a name: now, or later, behind the others who wait.
    /// The token is taken.
    pub(super) fn book_login(&mut self, source: SourceId, now: Duration) -> Duration {
        self.work += 1;
        let Some(source) = self.sources.get_mut(source) else { return now };
        let at = source.logins.free_at(self.logins).max(now);
        source.logins.charge(1, self.logins, now);
        at
    }

    /// A newcomer has gone before it could try.
    pub(super) fn cancel_login(&mut self, source: SourceId) {
        if let Some(source) = self.sources.get_mut(source) {
            source.logins.give_back(self.logins);
        }
    }

    /// Whether a client said little lately.
    pub(super) fn is_rested(&self, bucket: Bucket, now: Duration) -> bool {
        bucket.lacks_at_most(RESTED, self.client, now)
    }

    /// How much was done so far for all, in tokens.
    pub(super) fn work(&self) -> u64 {
        self.work
    }
}
