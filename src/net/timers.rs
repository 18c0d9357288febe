//! Timers: when to look at a client although nothing has happened to it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::outbound::{ClientId, NoMemory};

/// No time is later.
pub(super) const NEVER: u64 = u64::MAX;

/// Stale entries are thrown out when there are more than twice as many entries as clients, and
/// this many.
const COMPACT_FROM: usize = 64;

/// A heap of wake-up times in milliseconds. An entry counts only while its client still has that
/// very time as its own: a new time makes the old entry stale, and so does leaving the slot.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(u64, ClientId)>>,
}

impl Timers {
    /// Makes room for the entries of one more connection.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub(super) fn reserve(&mut self) -> Result<(), NoMemory> {
        self.heap.try_reserve(2).or(Err(NoMemory))
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, wake_ms: u64, id: ClientId) {
        self.heap.push(Reverse((wake_ms, id)));
    }

    /// Takes an entry whose time has come; it may be stale.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(u64, ClientId)> {
        let Reverse((wake_ms, _)) = self.heap.peek()?;
        if Duration::from_millis(*wake_ms) > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// When the next entry is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((wake_ms, _))| Duration::from_millis(*wake_ms))
    }

    /// Throws out the stale entries when they are the most. Costs O(1) per entry ever pushed.
    pub(super) fn compact(&mut self, clients: usize, is_live: impl Fn(u64, ClientId) -> bool) {
        if self.heap.len() > 2 * clients + COMPACT_FROM {
            self.heap.retain(|&Reverse((wake_ms, id))| is_live(wake_ms, id));
        }
    }
}

/// A time in whole milliseconds, never before it.
pub(super) fn ceil_millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: u32) -> ClientId {
        ClientId { key, generation: 0 }
    }

    #[test]
    fn entries_come_in_the_order_of_their_time() {
        let mut timers = Timers::default();
        for wake in [30, 10, 20] {
            timers.push(wake, id(1));
        }
        assert_eq!(timers.next(), Some(Duration::from_millis(10)));
        assert_eq!(timers.pop(Duration::from_millis(9)), None);
        let now = Duration::from_millis(20);
        assert_eq!(timers.pop(now), Some((10, id(1))));
        assert_eq!(timers.pop(now), Some((20, id(1))));
        assert_eq!(timers.pop(now), None);
    }

    #[test]
    fn stale_entries_do_not_pile_up() {
        let mut timers = Timers::default();
        for wake in 0..10_000 {
            timers.push(wake, id(1));
            timers.compact(1, |wake_ms, _| wake_ms == wake);
            assert!(timers.heap.len() <= COMPACT_FROM + 2);
        }
    }

    #[test]
    fn a_timer_never_fires_early() {
        assert_eq!(ceil_millis(Duration::from_micros(1001)), 2);
        assert_eq!(ceil_millis(Duration::from_millis(7)), 7);
        assert_eq!(ceil_millis(Duration::MAX), NEVER);
    }
}
