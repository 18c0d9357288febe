//! Sources: what all connections from one address have together, and what closed ones have left.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::flood::Bucket;
use crate::outbound::NoMemory;

/// How many addresses without a connection are remembered. Only those are whose buckets are not
/// full; beyond this, the one that would be forgotten soonest anyway is forgotten first. So nobody
/// gets a debt forgotten by adding small ones.
const MAX_ABSENT: usize = 16_384;

/// An address in the table of [`Sources`].
pub(super) type SourceId = u32;

/// All addresses that have connections, and those that had some a short while ago.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_address: HashMap<u64, SourceId>,
    slots: Vec<Source>,
    /// Slots that nobody has.
    free: Vec<SourceId>,
    /// Those without a connection, by when their buckets will be full.
    absent: BTreeSet<(Bucket, SourceId)>,
}

/// One address.
#[derive(Debug)]
pub(super) struct Source {
    address: u64,
    connections: u32,
    /// The emptiest bucket that a closed connection has left: the next connection begins with it.
    left: Bucket,
    /// What all its connections may say together.
    pub(super) lines: Bucket,
    /// How often they may try a name.
    pub(super) logins: Bucket,
}

impl Sources {
    /// A connection from this address. Returns the address, and the bucket that the connection
    /// begins with.
    pub(super) fn enter(&mut self, address: u64) -> (SourceId, Bucket) {
        let id = match self.by_address.get(&address) {
            Some(&id) => id,
            None => self.add(address),
        };
        let Some(source) = self.slots.get_mut(id as usize) else {
            return (id, Bucket::default());
        };
        if source.connections == 0 {
            self.absent.remove(&(source.full_at(), id));
        }
        source.connections += 1;
        (id, source.left)
    }

    fn add(&mut self, address: u64) -> SourceId {
        let source = Source {
            address,
            connections: 0,
            left: Bucket::default(),
            lines: Bucket::default(),
            logins: Bucket::default(),
        };
        let id = match self.free.pop() {
            Some(id) => id,
            // There are no more of them than connections at once, and some.
            None => SourceId::try_from(self.slots.len()).unwrap_or(SourceId::MAX),
        };
        match self.slots.get_mut(id as usize) {
            Some(slot) => *slot = source,
            None => self.slots.push(source),
        }
        self.by_address.insert(address, id);
        id
    }

    /// Makes room for one more address.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub(super) fn reserve(&mut self) -> Result<(), NoMemory> {
        self.by_address.try_reserve(1).or(Err(NoMemory))?;
        self.slots.try_reserve(1).or(Err(NoMemory))?;
        let used = self.slots.len() + 1 - self.free.len();
        self.free.try_reserve(used).or(Err(NoMemory))
    }

    /// A connection is over, and leaves its bucket.
    pub(super) fn leave(&mut self, id: SourceId, bucket: Bucket, now: Duration) {
        let Some(source) = self.slots.get_mut(id as usize) else { return };
        source.left = source.left.max(bucket);
        source.connections = source.connections.saturating_sub(1);
        if source.connections == 0 {
            self.absent.insert((source.full_at(), id));
            self.forget(now);
        }
    }

    /// The address with this id.
    pub(super) fn get_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.slots.get_mut(id as usize)
    }

    /// Forgets the addresses of which there is nothing to remember, and those that are too many.
    fn forget(&mut self, now: Duration) {
        while let Some(&(full_at, id)) = self.absent.first()
            && (full_at.is_full(now) || self.absent.len() > MAX_ABSENT)
        {
            self.absent.pop_first();
            if let Some(source) = self.slots.get(id as usize) {
                self.by_address.remove(&source.address);
                self.free.push(id);
            }
        }
    }
}

impl Source {
    /// The bucket that is the last to be full.
    fn full_at(&self) -> Bucket {
        self.left.max(self.lines).max(self.logins)
    }
}

#[cfg(test)]
mod tests {
    use super::super::flood::{FloodLimit, Rate};
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn rate() -> Rate {
        FloodLimit { rate: 1, burst: 10 }.into()
    }

    /// A connection that comes, takes tokens, and goes. What it began with.
    fn visit(sources: &mut Sources, address: u64, tokens: u64, now: Duration) -> Bucket {
        let (id, mut bucket) = sources.enter(address);
        let begins = bucket;
        bucket.charge(tokens, rate(), now);
        sources.leave(id, bucket, now);
        begins
    }

    fn is_empty(sources: &Sources) -> bool {
        sources.by_address.is_empty()
            && sources.slots.len() == sources.free.len()
            && sources.absent.is_empty()
    }

    #[test]
    fn the_next_connection_from_an_address_begins_where_the_last_one_ended() {
        let mut sources = Sources::default();
        assert!(visit(&mut sources, 1, 5, START).is_full(START));
        assert!(visit(&mut sources, 2, 1, START).is_full(START), "of another address");
        let again = START + Duration::from_secs(1);
        let left = visit(&mut sources, 1, 0, again);
        assert!(!left.is_full(again + Duration::from_secs(3)));
        assert!(left.is_full(again + Duration::from_secs(4)));
    }

    #[test]
    fn the_emptiest_bucket_that_was_left_is_the_one_that_counts() {
        let mut sources = Sources::default();
        let (id, mut spent) = sources.enter(1);
        let (_, fresh) = sources.enter(1);
        spent.charge(10, rate(), START);
        sources.leave(id, spent, START);
        sources.leave(id, fresh, START);
        assert_eq!(sources.enter(1).1, spent);
        assert_eq!(sources.enter(1).1, spent, "for each that comes while it fills");
    }

    #[test]
    fn an_address_is_forgotten_when_there_is_nothing_to_remember() {
        let mut sources = Sources::default();
        for address in 0..1000 {
            visit(&mut sources, address, 0, START);
        }
        assert!(is_empty(&sources));
        for address in 0..1000 {
            visit(&mut sources, address, 5, START);
        }
        assert_eq!(sources.by_address.len(), 1000);
        visit(&mut sources, 7, 0, START + Duration::from_secs(6));
        assert!(is_empty(&sources));
    }

    #[test]
    fn an_address_with_a_connection_is_remembered() {
        let mut sources = Sources::default();
        let (id, bucket) = sources.enter(1);
        sources.get_mut(id).unwrap().logins.charge(3, rate(), START);
        visit(&mut sources, 2, 0, START * 2);
        assert_eq!(sources.enter(1).0, id);
        sources.leave(id, bucket, START * 2);
        sources.leave(id, bucket, START * 2);
        assert!(is_empty(&sources));
    }

    #[test]
    fn many_small_debts_push_out_no_large_one() {
        let mut sources = Sources::default();
        visit(&mut sources, u64::MAX, 9, START);
        for address in 0..3 * MAX_ABSENT as u64 {
            visit(&mut sources, address, 1, START);
        }
        assert_eq!(sources.absent.len(), MAX_ABSENT);
        assert_eq!(sources.by_address.len(), sources.slots.len() - sources.free.len());
        let left = visit(&mut sources, u64::MAX, 0, START);
        assert!(!left.is_full(START + Duration::from_secs(8)), "the large one is remembered");
    }
}
