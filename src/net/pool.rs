//! The input pool: how much unread input all connections may keep together.

use std::collections::VecDeque;

use crate::outbound::ClientId;

/// The queue of those who wait is looked through when it has more than twice as many entries as
/// there are clients, and this many.
const COMPACT_FROM: usize = 64;

/// Counts what is kept. Half of it is for whoever comes first, half is shared out equally: those
/// who keep much cannot silence those who keep little.
#[derive(Debug)]
pub(super) struct InputPool {
    kept: usize,
    common: usize,
    share: usize,
    /// Who waits for room, in the order of their coming.
    pub(super) waiters: VecDeque<ClientId>,
}

impl InputPool {
    /// A pool of `limit` bytes for at most `max_clients`.
    pub(super) fn new(limit: usize, max_clients: usize) -> Self {
        let common = limit / 2;
        Self { kept: 0, common, share: common / max_clients.max(1), waiters: VecDeque::new() }
    }

    /// How much a connection may read that has `own` bytes on its hands and would like `want`.
    pub(super) fn allowance(&self, own: usize, want: usize) -> usize {
        let common = self.common.saturating_sub(self.kept + own);
        common.max(self.share.saturating_sub(own)).min(want)
    }

    /// A connection keeps this much.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.kept += bytes;
    }

    /// A connection no longer keeps this much.
    pub(super) fn release(&mut self, bytes: usize) {
        self.kept -= bytes;
    }

    /// Throws out those who have gone when they are the most.
    pub(super) fn compact(&mut self, clients: usize, is_live: impl Fn(ClientId) -> bool) {
        if self.waiters.len() > 2 * clients + COMPACT_FROM {
            self.waiters.retain(|&id| is_live(id));
        }
    }

    /// Whether somebody waits and need not.
    pub(super) fn can_wake(&self) -> bool {
        !self.waiters.is_empty() && self.kept < self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hogs_leave_a_share_to_the_others() {
        let mut pool = InputPool::new(1000, 5);
        assert_eq!(pool.allowance(0, 10_000), 500);
        pool.keep(450);
        assert_eq!(pool.allowance(0, 10_000), 100);
        assert_eq!(pool.allowance(40, 10_000), 60);
        assert_eq!(pool.allowance(100, 10_000), 0, "it has its share");
        assert_eq!(pool.allowance(0, 7), 7);
        pool.keep(50);
        pool.waiters.push_back(ClientId { key: 0, generation: 0 });
        assert!(!pool.can_wake());
        pool.release(1);
        assert!(pool.can_wake());
    }
}
