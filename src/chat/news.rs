//! News: who came and who went, one by one in a small room, summed up in a big one.

use std::time::Duration;

/// How long comings and goings are summed up before they are told.
const SUMMARY_EVERY: Duration = Duration::from_secs(1);

/// What is still to be told. Each event is told exactly once; how is decided when it happens.
#[derive(Debug, Default)]
pub(super) struct News {
    joined: u64,
    left: u64,
    due: Option<Duration>,
}

impl News {
    /// Somebody came into a room too big to name each.
    pub(super) fn joined(&mut self, now: Duration) {
        self.joined += 1;
        self.due.get_or_insert(now + SUMMARY_EVERY);
    }

    /// Somebody went from a room too big to name each.
    pub(super) fn left(&mut self, now: Duration) {
        self.left += 1;
        self.due.get_or_insert(now + SUMMARY_EVERY);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_summed_up_and_told_once() {
        let start = Duration::from_secs(7);
        let mut news = News::default();
        assert_eq!(news.deadline(), None);
        news.joined(start);
        news.left(start + Duration::from_millis(900));
        news.joined(start + Duration::from_millis(999));
        assert_eq!(news.take(start + Duration::from_millis(999)), None);
        assert_eq!(news.deadline(), Some(start + SUMMARY_EVERY));
        assert_eq!(news.take(start + SUMMARY_EVERY), Some((2, 1)));
        assert_eq!((news.take(start + SUMMARY_EVERY * 9), news.deadline()), (None, None));
        news.left(start);
        assert_eq!(news.deadline(), Some(start + SUMMARY_EVERY), "whoever begins it");
    }
}
