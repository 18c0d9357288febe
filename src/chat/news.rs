//! News: who came and who went, one by one in a small room, summed up in a big one.

use std::time::Duration;

/// How long comings and goings are summed up before they are told, at least.
const SUMMARY_EVERY: Duration = Duration::from_secs(1);

/// The same, for each who is told: a summary is a write to everyone. So news costs 10,000 writes a
/// second at most, and a crowd that comes in costs O(n), however large it grows.
const SUMMARY_EVERY_OF_EACH: Duration = Duration::from_micros(100);

/// What is still to be told. Each event is told exactly once; how is decided when it happens.
#[derive(Debug, Default)]
pub(super) struct News {
    joined: u64,
    left: u64,
    due: Option<Duration>,
}

impl News {
    /// Somebody came into a room too big to name each.
    pub(super) fn joined(&mut self, now: Duration, online: usize) {
        self.joined += 1;
        self.begin(now, online);
    }

    /// Somebody went from a room too big to name each.
    pub(super) fn left(&mut self, now: Duration, online: usize) {
        self.left += 1;
        self.begin(now, online);
    }

    /// When the next summary is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.due
    }

    /// Takes the summary, as (joined, left), if it is due.
    pub(super) fn take(&mut self, now: Duration) -> Option<(u64, u64)> {
        if self.due? > now {
            return None;
        }
        let Self { joined, left, .. } = std::mem::take(self);
        Some((joined, left))
    }

    fn begin(&mut self, now: Duration, online: usize) {
        let online = u32::try_from(online).unwrap_or(u32::MAX);
        let summed_up = SUMMARY_EVERY.max(SUMMARY_EVERY_OF_EACH * online);
        self.due.get_or_insert(now + summed_up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_summed_up_and_told_once() {
        let start = Duration::from_secs(7);
        let mut news = News::default();
        assert_eq!(news.deadline(), None);
        news.joined(start, 10_000);
        news.left(start + Duration::from_millis(900), 9_999);
        news.joined(start + Duration::from_millis(999), 20_000);
        assert_eq!(news.take(start + Duration::from_millis(999)), None);
        assert_eq!(news.deadline(), Some(start + SUMMARY_EVERY));
        assert_eq!(news.take(start + SUMMARY_EVERY), Some((2, 1)));
        assert_eq!((news.take(start + SUMMARY_EVERY * 9), news.deadline()), (None, None));
        news.left(start, 101);
        assert_eq!(news.deadline(), Some(start + SUMMARY_EVERY), "whoever begins it");
    }

    #[test]
    fn the_more_there_are_the_less_often_they_are_told() {
        let mut news = News::default();
        news.joined(Duration::ZERO, 10_010);
        assert_eq!(news.deadline(), Some(Duration::from_millis(1001)));
        let mut news = News::default();
        news.left(Duration::ZERO, 1_000_000);
        assert_eq!(news.deadline(), Some(Duration::from_secs(100)));
    }
}
