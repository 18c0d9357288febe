//! News: who came and who went. Told one by one in a small room, while that happens rarely; summed
//! up otherwise.

use std::time::Duration;

use super::flood::{Bucket, FloodLimit, Rate};

/// How long comings and goings are summed up before they are told, at least.
const SUMMARY_EVERY: Duration = Duration::from_secs(1);

/// The same, for each who is told: a summary is a write to everyone. So news costs 10,000 writes a
/// second at most, and a crowd that comes in costs O(n), however large it grows.
const SUMMARY_EVERY_OF_EACH: Duration = Duration::from_micros(100);

/// What is still to be told. Each event is told exactly once; how is decided when it happens.
#[derive(Debug)]
pub(super) struct News {
    joined: u64,
    left: u64,
    due: Option<Duration>,
    /// Every event takes a token while there is one. So as long as there are too many, next to none
    /// is told by name.
    by_name: Bucket,
    rate: Rate,
}

impl News {
    /// Nothing has happened. So many comings and goings are told by name.
    pub(super) fn new(by_name: FloodLimit) -> Self {
        let rate = by_name.into();
        Self { joined: 0, left: 0, due: None, by_name: Bucket::default(), rate }
    }

    /// Whether there are so few events that the next one can be told by name. While a summary is
    /// due, it waits for that: nobody is told of a going before the coming.
    pub(super) fn is_rare(&self, now: Duration) -> bool {
        self.due.is_none() && self.has_token(now)
    }

    /// Somebody came, and that was told by name or is to be summed up.
    pub(super) fn joined(&mut self, now: Duration, online: usize, by_name: bool) {
        self.take_token(now);
        if !by_name {
            self.joined += 1;
            self.begin(now, online);
        }
    }

    /// Somebody went, and that was told by name or is to be summed up.
    pub(super) fn left(&mut self, now: Duration, online: usize, by_name: bool) {
        self.take_token(now);
        if !by_name {
            self.left += 1;
            self.begin(now, online);
        }
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
        self.due = None;
        Some((std::mem::take(&mut self.joined), std::mem::take(&mut self.left)))
    }

    fn has_token(&self, now: Duration) -> bool {
        self.by_name.check(self.rate, now).is_ok()
    }

    fn take_token(&mut self, now: Duration) {
        if self.has_token(now) {
            self.by_name.charge(1, self.rate, now);
        }
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

    const BY_NAME: FloodLimit = FloodLimit { rate: 5, burst: 20 };

    #[test]
    fn a_second_is_summed_up_and_told_once() {
        let start = Duration::from_secs(7);
        let mut news = News::new(BY_NAME);
        assert_eq!(news.deadline(), None);
        news.joined(start, 10_000, false);
        news.left(start + Duration::from_millis(900), 9_999, false);
        news.joined(start + Duration::from_millis(999), 20_000, false);
        assert_eq!(news.take(start + Duration::from_millis(999)), None);
        assert_eq!(news.deadline(), Some(start + SUMMARY_EVERY));
        assert_eq!(news.take(start + SUMMARY_EVERY), Some((2, 1)));
        assert_eq!((news.take(start + SUMMARY_EVERY * 9), news.deadline()), (None, None));
        news.left(start, 101, false);
        assert_eq!(news.deadline(), Some(start + SUMMARY_EVERY), "whoever begins it");
    }

    #[test]
    fn the_more_there_are_the_less_often_they_are_told() {
        let mut news = News::new(BY_NAME);
        news.joined(Duration::ZERO, 10_010, false);
        assert_eq!(news.deadline(), Some(Duration::from_millis(1001)));
        let mut news = News::new(BY_NAME);
        news.left(Duration::ZERO, 1_000_000, false);
        assert_eq!(news.deadline(), Some(Duration::from_secs(100)));
    }

    #[test]
    fn while_there_are_too_many_events_next_to_none_is_told_by_name() {
        let (mut news, start) = (News::new(BY_NAME), Duration::from_secs(7));
        let (mut by_name, mut summaries, mut summed_up) = (0_u64, 0_u64, 0_u64);
        // A hundred a second for a minute.
        for step in 0..6000 {
            let now = start + Duration::from_millis(10) * step;
            if let Some((joined, left)) = news.take(now) {
                summaries += 1;
                summed_up += joined + left;
            }
            let is_rare = news.is_rare(now);
            by_name += u64::from(is_rare);
            if step % 2 == 0 { news.joined(now, 9, is_rare) } else { news.left(now, 9, is_rare) }
        }
        summed_up += news.joined + news.left;
        assert_eq!(by_name + summed_up, 6000, "each is told once");
        assert!(summaries <= 60 && by_name <= 20 + 60, "{summaries} {by_name}");
        let quiet = start + Duration::from_secs(60);
        let _ = news.take(quiet + SUMMARY_EVERY);
        let told = (0..30).filter(|_| {
            let is_rare = news.is_rare(quiet * 2);
            news.joined(quiet * 2, 9, is_rare);
            is_rare
        });
        assert_eq!(told.count(), 20, "and all is as it was when it is quiet again");
    }

    #[test]
    fn a_class_that_arrives_within_a_minute_is_told_by_name() {
        let mut news = News::new(BY_NAME);
        for pupil in 0..30 {
            let now = Duration::from_secs(2) * pupil;
            assert!(news.is_rare(now));
            news.joined(now, 30, true);
        }
        assert_eq!(news.deadline(), None);
    }
}
