//! Who a client is to the machine, and one value for each.

/// A client: a slot, and which of its occupants is meant. Slots are used again at once, so a timer
/// or an event may speak of somebody who has gone; the generation tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// The slot.
    pub key: u32,
    /// The occupant: no two clients in a slot have the same one, short of four billion logins.
    pub generation: u32,
}

/// One value for each client, found in constant time.
#[derive(Debug)]
pub struct Table<T> {
    slots: Vec<Option<(u32, T)>>,
}

impl<T> Table<T> {
    /// A table without anybody.
    pub fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Puts a value in the client's slot. Whatever a former occupant left there goes.
    pub fn insert(&mut self, id: ClientId, value: T) {
        let index = id.key as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some((id.generation, value));
    }

    /// Takes the client's value out.
    pub fn remove(&mut self, id: ClientId) -> Option<T> {
        self.get(id)?;
        self.slots.get_mut(id.key as usize)?.take().map(|(_, value)| value)
    }

    /// The client's value; `None` when it has gone, even if its slot is taken again.
    pub fn get(&self, id: ClientId) -> Option<&T> {
        match self.slots.get(id.key as usize)? {
            Some((generation, value)) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut T> {
        match self.slots.get_mut(id.key as usize)? {
            Some((generation, value)) if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// How many slots there are, the empty ones included.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Whoever sits in a slot.
    pub fn at(&self, index: usize) -> Option<(ClientId, &T)> {
        let (generation, value) = self.slots.get(index)?.as_ref()?;
        let key = u32::try_from(index).ok()?;
        Some((ClientId { key, generation: *generation }, value))
    }

    /// The values of everyone, to change them, in the order of the slots.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten().map(|(_, value)| value)
    }

    /// Everyone, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, &T)> {
        (0..self.slots.len()).filter_map(|index| self.at(index))
    }
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
}
