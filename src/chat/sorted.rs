//! Names in the order in which `list` tells them, counted by prefix without a walk over them.

use crate::name::Folded;
use crate::outbound::ClientId;

/// The most entries of a block: what a new one moves is at most so many.
const MAX_BLOCK: usize = 256;

/// By how many entries a block grows. Doubling would leave a quarter of the memory unused.
const GROWTH: usize = 16;

/// Somebody who is here.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) folded: Folded,
    pub(super) id: ClientId,
    /// The hash of what the name looks like.
    pub(super) look: u64,
}

/// Entries sorted by name, in blocks. No block is empty, and what is in one is less than what is in
/// the next. So finding is two binary searches, and the rank of an entry is a sum over blocks.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    blocks: Vec<Vec<Entry>>,
    len: usize,
}

/// Where an entry is, or would be: a block, and a place in it.
type Place = (usize, usize);

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, folded: &[u8]) -> Option<&Entry> {
        let (block, place) = self.first_not_before(folded);
        let entry = self.blocks.get(block)?.get(place)?;
        (entry.folded.as_str().as_bytes() == folded).then_some(entry)
    }

    /// Inserts an entry whose name is not here yet.
    pub(super) fn insert(&mut self, entry: Entry) {
        let (mut block, mut place) = self.first_not_before(entry.folded.as_str().as_bytes());
        if block == self.blocks.len() {
            // Behind everyone: at the end of the last block.
            match self.blocks.last() {
                Some(last) => (block, place) = (block - 1, last.len()),
                None => self.blocks.push(Vec::new()),
            }
        }
        if self.blocks[block].len() == MAX_BLOCK {
            let upper = self.blocks[block].split_off(MAX_BLOCK / 2);
            self.blocks[block].shrink_to_fit();
            self.blocks.insert(block + 1, upper);
            if place > MAX_BLOCK / 2 {
                (block, place) = (block + 1, place - MAX_BLOCK / 2);
            }
        }
        let entries = &mut self.blocks[block];
        if entries.len() == entries.capacity() {
            entries.reserve_exact(GROWTH);
        }
        entries.insert(place, entry);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, folded: &[u8]) -> Option<Entry> {
        let (block, place) = self.first_not_before(folded);
        let entries = self.blocks.get_mut(block)?;
        if entries.get(place)?.folded.as_str().as_bytes() != folded {
            return None;
        }
        let entry = entries.remove(place);
        self.len -= 1;
        if entries.is_empty() {
            self.blocks.remove(block);
        } else if entries.capacity() - entries.len() >= 2 * GROWTH {
            entries.shrink_to(entries.len() + GROWTH);
        }
        Some(entry)
    }

    /// Whoever's name begins with `prefix`: how many, and who, in order.
    pub(super) fn beginning_with<'a>(
        &'a self,
        prefix: &[u8],
    ) -> (usize, impl Iterator<Item = ClientId> + use<'a>) {
        let from = self.first_not_before(prefix);
        let to = self.first_where(|name| name > prefix && !name.starts_with(prefix));
        let count = self.rank(to) - self.rank(from);
        let blocks = self.blocks.iter().skip(from.0).flatten();
        (count, blocks.skip(from.1).take(count).map(|entry| entry.id))
    }

    fn first_not_before(&self, folded: &[u8]) -> Place {
        self.first_where(|name| name >= folded)
    }

    /// The first place whose name is so, where all that follow are so too.
    fn first_where(&self, is_so: impl Fn(&[u8]) -> bool) -> Place {
        let is_before = |entry: &Entry| !is_so(entry.folded.as_str().as_bytes());
        let block = self.blocks.partition_point(|entries| entries.last().is_none_or(is_before));
        let place = self.blocks.get(block).map_or(0, |entries| entries.partition_point(is_before));
        (block, place)
    }

    /// How many entries stand before a place.
    fn rank(&self, (block, place): Place) -> usize {
        self.blocks[..block].iter().map(Vec::len).sum::<usize>() + place
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(name: &str, key: u32) -> Entry {
        Entry { folded: Folded::of(name), id: ClientId { key, generation: 1 }, look: 0 }
    }

    #[test]
    fn memory_follows_those_who_are_here() {
        let mut sorted = Sorted::default();
        let names: Vec<String> =
            (0..20_000).map(|n| format!("user{}", n * 7919 % 20_000)).collect();
        for (key, name) in (0..).zip(&names) {
            sorted.insert(entry(name, key));
        }
        let room = |sorted: &Sorted| sorted.blocks.iter().map(Vec::capacity).sum::<usize>();
        assert!(room(&sorted) < 20_000 * 23 / 20, "{} places", room(&sorted));
        for name in &names[100..] {
            assert!(sorted.remove(name.as_bytes()).is_some());
        }
        assert!(sorted.blocks.iter().all(|entries| !entries.is_empty()));
        assert!(room(&sorted) < 100 * (1 + 2 * GROWTH), "{} places", room(&sorted));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Names of few letters, so that they share prefixes and blocks split at every place.
        #[test]
        fn it_answers_as_a_plain_map_does(
            steps in prop::collection::vec(("[abc]{1,7}", any::<bool>()), 0..1500),
            prefixes in prop::collection::vec("[abcd]{0,4}", 1..20),
        ) {
            let (mut sorted, mut plain) = (Sorted::default(), BTreeMap::new());
            for (key, (name, leaves)) in (0..).zip(&steps) {
                if *leaves {
                    let left = sorted.remove(name.as_bytes()).map(|entry| entry.id.key);
                    prop_assert_eq!(left, plain.remove(name));
                } else if !plain.contains_key(name) {
                    sorted.insert(entry(name, key));
                    plain.insert(name.clone(), key);
                }
                prop_assert_eq!(sorted.len(), plain.len());
            }
            for (name, _) in &steps {
                let found = sorted.get(name.as_bytes()).map(|entry| entry.id.key);
                prop_assert_eq!(found, plain.get(name).copied());
            }
            for prefix in &prefixes {
                let right = plain.iter().filter(|(name, _)| name.starts_with(prefix));
                let right: Vec<u32> = right.map(|(_, key)| *key).collect();
                let (count, ids) = sorted.beginning_with(prefix.as_bytes());
                prop_assert_eq!(count, right.len());
                prop_assert_eq!(ids.map(|id| id.key).collect::<Vec<_>>(), right);
            }
        }
    }
}
