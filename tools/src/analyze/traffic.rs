//! Traffic over time, in buckets that become coarser as there are more of them.
//!
//! Only buckets that hold something are kept, so a gap of years costs nothing. When there are too
//! many, all become twice as wide, and neighbours merge.

use std::collections::BTreeMap;

/// How many buckets are kept.
pub const MAX_BUCKETS: usize = 512;

/// Pauses that are cut out of a drawing.
pub const MAX_CUTS: usize = 6;

/// How wide a bucket is at first: 1 µs.
const FIRST_NS: u64 = 1_000;

/// What came in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Count {
    /// Adds what came besides. A file may claim more bytes than can be counted: then there are as
    /// many as can.
    pub fn add(&mut self, more: Count) {
        self.packets = self.packets.saturating_add(more.packets);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    /// Adds one packet of so many bytes.
    pub fn add_packet(&mut self, bytes: u32) {
        self.add(Count { packets: 1, bytes: bytes.into() });
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Count) -> Count {
        self.add(other);
        self
    }
}

/// All buckets.
#[derive(Debug)]
pub struct Traffic {
    width_ns: u64,
    buckets: BTreeMap<u64, Count>,
    /// The bucket that was used last, which most packets use again.
    recent: (u64, Count),
}

impl Default for Traffic {
    fn default() -> Self {
        Self { width_ns: FIRST_NS, buckets: BTreeMap::new(), recent: (0, Count::default()) }
    }
}

/// Buckets side by side, and where time was cut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// When its first bucket begins, in nanoseconds since 1970.
    pub start_ns: u64,
    /// One bucket behind the other, empty ones too.
    pub buckets: Vec<Count>,
}

impl Traffic {
    /// Counts a packet.
    pub fn add(&mut self, time_ns: u64, bytes: u32) {
        self.add_count(time_ns, Count { packets: 1, bytes: u64::from(bytes) });
    }

    /// Counts packets that came at one time.
    pub fn add_count(&mut self, time_ns: u64, count: Count) {
        let place = time_ns / self.width_ns;
        if place != self.recent.0 {
            self.settle();
            self.recent = (place, Count::default());
            while self.buckets.len() >= MAX_BUCKETS {
                self.widen();
            }
        }
        self.recent.1.add(count);
    }

    /// How wide a bucket is.
    pub fn width_ns(&self) -> u64 {
        self.width_ns
    }

    /// Every bucket that holds something, oldest first, by when it begins.
    pub fn buckets(&mut self) -> impl Iterator<Item = (u64, Count)> {
        self.settle();
        self.buckets.iter().map(|(place, count)| (place * self.width_ns, *count))
    }

    /// What can be drawn: at most `most` buckets, in stretches. A pause of more than half of all
    /// the time that is drawn is cut out, the longest first. It may make the buckets wider.
    pub fn stretches(&mut self, most: usize) -> Vec<Stretch> {
        self.settle();
        let most = most.max(MAX_CUTS + 1);
        let cuts = self.long_pauses();
        loop {
            let stretches = self.cut(&cuts, most);
            let buckets: usize = stretches.iter().map(|stretch| stretch.buckets.len()).sum();
            if buckets <= most {
                return stretches;
            }
            self.widen();
        }
    }

    /// When what follows a long pause begins.
    fn long_pauses(&self) -> Vec<u64> {
        let starts: Vec<u64> = self.buckets.keys().map(|place| place * self.width_ns).collect();
        let pauses = starts.windows(2).map(|pair| (pair[1] - pair[0], pair[1]));
        let mut pauses: Vec<(u64, u64)> = pauses.collect();
        pauses.sort_unstable_by_key(|(pause, _)| std::cmp::Reverse(*pause));
        let mut drawn: u64 = pauses.iter().map(|(pause, _)| pause).sum();
        let mut cuts = Vec::new();
        for (pause, start) in pauses.into_iter().take(MAX_CUTS) {
            if pause <= drawn / 2 {
                break;
            }
            drawn -= pause;
            cuts.push(start);
        }
        cuts
    }

    /// Buckets side by side, with empty ones where nothing came; few more than `most`.
    fn cut(&self, cuts: &[u64], most: usize) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut last, mut count) = (0, 0);
        for (&place, &bucket) in &self.buckets {
            let is_cut = cuts.iter().any(|start| start / self.width_ns == place);
            let empty = if stretches.is_empty() { 0 } else { place - last - 1 };
            last = place;
            if stretches.is_empty() || is_cut && empty > 0 {
                let start_ns = place * self.width_ns;
                stretches.push(Stretch { start_ns, buckets: Vec::new() });
            } else if let Some(stretch) = stretches.last_mut() {
                let empty = usize::try_from(empty).unwrap_or(usize::MAX).min(most + 1);
                stretch.buckets.resize(stretch.buckets.len() + empty, Count::default());
                count += empty;
            }
            if let Some(stretch) = stretches.last_mut() {
                stretch.buckets.push(bucket);
                count += 1;
            }
            if count > most {
                break;
            }
        }
        stretches
    }

    /// Puts the recent bucket to the others.
    fn settle(&mut self) {
        let (place, count) = self.recent;
        if count.packets > 0 {
            self.buckets.entry(place).or_default().add(count);
            self.recent.1 = Count::default();
        }
    }

    fn widen(&mut self) {
        self.width_ns = self.width_ns.saturating_mul(2);
        self.recent.0 /= 2;
        let old = std::mem::take(&mut self.buckets);
        for (place, count) in old {
            self.buckets.entry(place / 2).or_default().add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YEAR_NS: u64 = 365 * 24 * 3_600 * 1_000_000_000;

    #[test]
    fn a_gap_of_years_costs_nothing_and_is_cut_out() {
        let mut traffic = Traffic::default();
        for ms in 0..100 {
            traffic.add(ms * 1_000_000, 10);
            traffic.add(30 * YEAR_NS + ms * 1_000_000, 10);
        }
        assert_eq!(traffic.buckets().count(), 200);
        assert_eq!(traffic.width_ns(), FIRST_NS);
        let stretches = traffic.stretches(240);
        assert_eq!(stretches.len(), 2);
        assert!(stretches.iter().all(|stretch| stretch.buckets.len() > 90), "{stretches:?}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_little_is_kept(
            times in prop::collection::vec(prop_oneof![any::<u64>(), 0..10_000_000u64], 1..2_000),
            most in 1..500usize,
        ) {
            let mut traffic = Traffic::default();
            for time in &times {
                traffic.add(*time, 3);
                prop_assert!(traffic.buckets.len() <= MAX_BUCKETS);
            }
            let packets: u64 = traffic.buckets().map(|(_, count)| count.packets).sum();
            prop_assert_eq!(packets, times.len() as u64);
            let stretches = traffic.stretches(most);
            let counts = stretches.iter().flat_map(|stretch| &stretch.buckets);
            prop_assert!(counts.clone().count() <= most.max(MAX_CUTS + 1));
            prop_assert_eq!(counts.map(|count| count.bytes).sum::<u64>(), times.len() as u64 * 3);
        }
    }
}
