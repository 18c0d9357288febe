//! Who a client is to the machine, and one value for each.

use std::fmt;

/// A client: a slot, and which of its occupants is meant. Slots are used again at once, so a timer
/// or an event may speak of somebody who has gone; the generation tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// The slot.
    pub key: u32,
    /// The occupant: no two clients in a slot have the same one, short of four billion logins.
    pub generation: u32,
}

impl fmt::Display for ClientId {
    /// `slot.occupant`: no two clients in a log are called alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key, self.generation)
    }
}

/// How many slots a [`Table`] gains at once.
const CHUNK: usize = 64;

/// One value for each client, found in constant time.
///
/// The slots lie in chunks that never move: a table that grows copies nothing, needs no second
/// place for what it holds, and has at most one chunk that is not full. A vector that doubles would
/// leave what it has outgrown to the allocator, which can keep as much as is in use.
#[derive(Debug)]
pub struct Table<T> {
    /// Arrays of one, because only a vector can be allocated fallibly, and can become an array.
    chunks: Vec<Box<[Chunk<T>; 1]>>,
    /// One more than the highest slot that was ever taken.
    slots: usize,
}

/// Slots that lie together. The generations stand apart, so that they need no padding.
#[derive(Debug)]
struct Chunk<T> {
    generations: [u32; CHUNK],
    values: [Option<T>; CHUNK],
}

/// There is no memory for another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl<T> Table<T> {
    /// A table without anybody.
    pub fn new() -> Self {
        Self { chunks: Vec::new(), slots: 0 }
    }

    /// Makes room for this client, so that [`insert`](Self::insert) needs no memory.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none. The table is as it was.
    pub fn reserve(&mut self, id: ClientId) -> Result<(), NoMemory> {
        let wanted = id.key as usize / CHUNK + 1;
        self.chunks.try_reserve(wanted.saturating_sub(self.chunks.len())).or(Err(NoMemory))?;
        while self.chunks.len() < wanted {
            self.chunks.push(Chunk::new()?);
        }
        Ok(())
    }

    /// Puts a value in the client's slot, for which there is [room](Self::reserve). Whatever a
    /// former occupant left there goes.
    pub fn insert(&mut self, id: ClientId, value: T) {
        let Ok(()) = self.reserve(id) else { return };
        let (chunk, slot) = place(id.key as usize);
        if let Some([chunk]) = self.chunks.get_mut(chunk).map(|chunk| &mut **chunk) {
            (chunk.generations[slot], chunk.values[slot]) = (id.generation, Some(value));
            self.slots = self.slots.max(id.key as usize + 1);
        }
    }

    /// Takes the client's value out.
    pub fn remove(&mut self, id: ClientId) -> Option<T> {
        let (chunk, slot) = place(id.key as usize);
        let [chunk] = &mut **self.chunks.get_mut(chunk)?;
        if chunk.generations[slot] == id.generation { chunk.values[slot].take() } else { None }
    }

    /// The client's value; `None` when it has gone, even if its slot is taken again.
    #[inline]
    pub fn get(&self, id: ClientId) -> Option<&T> {
        let (chunk, slot) = place(id.key as usize);
        let [chunk] = &**self.chunks.get(chunk)?;
        if chunk.generations[slot] == id.generation { chunk.values[slot].as_ref() } else { None }
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut T> {
        let (chunk, slot) = place(id.key as usize);
        let [chunk] = &mut **self.chunks.get_mut(chunk)?;
        if chunk.generations[slot] == id.generation { chunk.values[slot].as_mut() } else { None }
    }

    /// How many slots there are, the empty ones included.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Whoever sits in a slot.
    #[inline]
    pub fn at(&self, index: usize) -> Option<(ClientId, &T)> {
        let (chunk, slot) = place(index);
        let [chunk] = &**self.chunks.get(chunk)?;
        let value = chunk.values[slot].as_ref()?;
        let key = u32::try_from(index).ok()?;
        Some((ClientId { key, generation: chunk.generations[slot] }, value))
    }

    /// The values of everyone, to change them, in the order of the slots.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks
            .iter_mut()
            .flat_map(|chunk| chunk.iter_mut())
            .flat_map(|chunk| chunk.values.iter_mut().flatten())
    }

    /// Everyone, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, &T)> {
        (0..self.slots()).filter_map(|index| self.at(index))
    }
}

impl<T> Chunk<T> {
    fn new() -> Result<Box<[Self; 1]>, NoMemory> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(1).or(Err(NoMemory))?;
        memory.push(Self { generations: [0; CHUNK], values: [const { None }; CHUNK] });
        memory.into_boxed_slice().try_into().or(Err(NoMemory))
    }
}

/// The chunk of a slot, and its place there.
fn place(index: usize) -> (usize, usize) {
    (index / CHUNK, index % CHUNK)
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_occupant_finds_nothing() {
        let (old, new) = (ClientId { key: 2, generation: 7 }, ClientId { key: 2, generation: 8 });
        let mut table = Table::new();
        table.insert(old, "old");
        assert_eq!(table.remove(old), Some("old"));
        table.insert(new, "new");
        assert_eq!(table.remove(old), None);
        assert_eq!(table.get(old), None);
        assert_eq!(table.get_mut(old), None);
        assert_eq!(table.get(new), Some(&"new"));
        assert_eq!(table.iter().collect::<Vec<_>>(), [(new, &"new")]);
        assert_eq!(table.slots(), 3);
    }

    #[test]
    fn a_table_that_grows_has_no_more_than_a_chunk_to_spare() {
        let mut table = Table::new();
        for key in 0..1000 {
            table.insert(ClientId { key, generation: key + 1 }, key);
            assert!(table.chunks.len() * CHUNK < key as usize + 1 + CHUNK);
        }
        assert_eq!(table.slots(), 1000);
        assert_eq!(table.get(ClientId { key: 999, generation: 1000 }), Some(&999));
        assert_eq!(table.get(ClientId { key: 5000, generation: 0 }), None);
        assert!(table.iter().map(|(id, &value)| (id.key, value)).eq((0..1000).map(|n| (n, n))));
    }
}
