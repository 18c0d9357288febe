//! Where connections sit: a table, and which of its slots are free.

use crate::outbound::{ClientId, NoMemory, Table};

/// Connections by id.
#[derive(Debug)]
pub(super) struct Slots<T> {
    table: Table<T>,
    /// Slots whose occupants have gone; the last one is taken first.
    free: Vec<u32>,
    len: usize,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self { table: Table::new(), free: Vec::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slot that the next one gets; `None` when there are no more numbers.
    pub(super) fn vacant_key(&self) -> Option<u32> {
        match self.free.last() {
            Some(&key) => Some(key),
            None => u32::try_from(self.table.slots()).ok(),
        }
    }

    /// Makes room for this one, so that nothing on its way in or out needs memory here.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub(super) fn reserve(&mut self, id: ClientId) -> Result<(), NoMemory> {
        self.table.reserve(id)?;
        self.free.try_reserve(self.len + 1).or(Err(NoMemory))
    }

    /// Puts it into [`vacant_key`](Self::vacant_key), which is the key of its id.
    pub(super) fn insert(&mut self, id: ClientId, value: T) {
        debug_assert_eq!(Some(id.key), self.vacant_key());
        self.free.pop();
        self.table.insert(id, value);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, id: ClientId) -> Option<T> {
        let value = self.table.remove(id)?;
        self.free.push(id.key);
        self.len -= 1;
        Some(value)
    }

    #[inline]
    pub(super) fn get(&self, id: ClientId) -> Option<&T> {
        self.table.get(id)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ClientId) -> Option<&mut T> {
        self.table.get_mut(id)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.table.values_mut()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ClientId> {
        self.table.iter().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_its_occupant_has_gone() {
        let mut slots = Slots::new();
        for key in 0..3 {
            let id = ClientId { key, generation: key };
            assert_eq!(slots.vacant_key(), Some(key));
            slots.reserve(id).unwrap();
            slots.insert(id, key);
        }
        let (old, new) = (ClientId { key: 1, generation: 1 }, ClientId { key: 1, generation: 7 });
        assert_eq!((slots.remove(old), slots.remove(old), slots.len()), (Some(1), None, 2));
        assert_eq!(slots.vacant_key(), Some(1));
        slots.insert(new, 9);
        assert_eq!((slots.get(old), slots.get(new), slots.vacant_key()), (None, Some(&9), Some(3)));
        assert_eq!(slots.ids().map(|id| id.key).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
