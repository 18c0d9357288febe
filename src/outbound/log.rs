//! The shared log: every broadcast, once, in the order in which all clients read it.

use super::NoMemory;

/// By how much the ring grows while it fills for the first time, in bytes.
const GROWTH: usize = 64 * 1024;

/// A ring of bytes addressed by an offset that only grows. What is more than a ring behind the end
/// is gone.
#[derive(Debug)]
pub struct Log {
    /// Its memory is reserved as a whole, and becomes part of the ring as that fills for the first
    /// time: the system gives memory for what was written only.
    ring: Vec<u8>,
    capacity: usize,
    end: u64,
}

impl Log {
    /// An empty log that keeps the last `capacity` bytes: a power of two.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system does not give so much.
    pub fn new(capacity: usize) -> Result<Self, NoMemory> {
        debug_assert!(capacity.is_power_of_two(), "a ring of {capacity} bytes");
        let mut ring = Vec::new();
        ring.try_reserve_exact(capacity).or(Err(NoMemory))?;
        Ok(Self { ring, capacity, end: 0 })
    }

    /// The offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The offset of the oldest byte that is still there.
    pub fn start(&self) -> u64 {
        self.end.saturating_sub(self.capacity as u64)
    }

    /// Writes one line, given in pieces, behind the last. This is the one door through which a
    /// broadcast enters, and the one copy of it in user space.
    pub fn append(&mut self, parts: &[&[u8]]) {
        let (at, len) = (self.index(self.end), parts.iter().map(|part| part.len()).sum::<usize>());
        self.end += len as u64;
        if let Some(room) = self.ring.get_mut(at..at + len) {
            return fill(room, parts);
        }
        self.grow_or_wrap(at, len, parts);
    }

    /// Writes a line for which the ring has to grow first, or that goes on at its start: seldom,
    /// and so apart.
    #[cold]
    fn grow_or_wrap(&mut self, mut at: usize, len: usize, parts: &[&[u8]]) {
        let wanted = (at + len).max(self.ring.len() + GROWTH).min(self.capacity);
        if self.ring.len() < wanted {
            self.ring.resize(wanted, 0);
        }
        for part in parts {
            let (till_wrap, wrapped) = part.split_at(part.len().min(self.capacity - at));
            self.ring[at..at + till_wrap.len()].copy_from_slice(till_wrap);
            self.ring[..wrapped.len()].copy_from_slice(wrapped);
            at = (at + part.len()) & (self.capacity - 1);
        }
    }

    /// The bytes from one offset to another, in the two pieces that a ring has; `None` when they
    /// are overwritten or not yet written. No bytes are there wherever they are asked for: whoever
    /// reads nothing of the log, a newcomer say, is not lapped by it.
    pub fn slices(&self, from: u64, to: u64) -> Option<[&[u8]; 2]> {
        if to > self.end || from > to {
            return None;
        }
        if from == to {
            return Some([&[], &[]]);
        }
        if from < self.start() {
            return None;
        }
        let (first, last) = (self.index(from), self.index(to - 1));
        if first <= last {
            return Some([&self.ring[first..=last], &[]]);
        }
        Some([&self.ring[first..], &self.ring[..=last]])
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to below the ring's length")]
    fn index(&self, offset: u64) -> usize {
        offset as usize & (self.capacity - 1)
    }
}

/// Puts the parts behind each other where there is room for just these.
fn fill(mut room: &mut [u8], parts: &[&[u8]]) {
    for part in parts {
        let Some((here, rest)) = room.split_at_mut_checked(part.len()) else { return };
        match (here, part) {
            // Brackets and the newline: not worth the call of a copy.
            ([place], [byte]) => *place = *byte,
            (here, part) => here.copy_from_slice(part),
        }
        room = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_lapped_is_gone_and_what_is_to_come_is_not_there() {
        let mut log = Log::new(8).unwrap();
        log.append(&[b"abcde", b"fghij"]);
        assert_eq!((log.start(), log.end()), (2, 10));
        assert_eq!(log.slices(1, 4), None);
        assert_eq!(log.slices(2, 11), None);
        assert_eq!(log.slices(4, 3), None);
        assert_eq!(log.slices(2, 10), Some([&b"cdefgh"[..], b"ij"]));
        for nothing in [0, 2, 10] {
            assert_eq!(log.slices(nothing, nothing), Some([&b""[..], b""]));
        }
    }

    proptest! {
        #[test]
        fn it_gives_back_what_was_written(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..20),
            range in any::<(u16, u16)>(),
        ) {
            let mut log = Log::new(16).unwrap();
            let all = lines.concat();
            for line in &lines {
                let (front, back) = line.split_at(line.len() / 2);
                log.append(&[front, back]);
            }
            prop_assert_eq!(log.end(), all.len() as u64);
            let (from, to) = (range.0 as usize % 256, range.1 as usize % 256);
            let kept = all.len().saturating_sub(16)..=all.len();
            match log.slices(from as u64, to as u64) {
                Some(slices) => prop_assert_eq!(slices.concat(), &all[from..to]),
                None => prop_assert!(!kept.contains(&from) || !kept.contains(&to) || from > to),
            }
        }
    }
}
