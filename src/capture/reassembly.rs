//! Segments of one direction, in whatever order they come, become the stream that they were.
//!
//! What was there first stays: bytes that come again, the same or others, are dropped and counted.
//! What comes ahead of its turn waits, within two limits, in bytes and in pieces; what does not fit
//! is dropped and counted, as a receiver drops what is beyond its window. So whoever sends whatever
//! they like makes this keep a bounded amount, and work in proportion to it.

use std::collections::BTreeMap;

use super::segment::distance;
use super::{Flags, Segment};

/// How much one direction may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that came ahead of their turn; also how far ahead they may be. At most 2^30.
    pub bytes: usize,
    /// Pieces that they are in.
    pub pieces: usize,
}

impl Default for Limits {
    /// 1 MiB in 1,024 pieces: some sixteen windows without scaling.
    fn default() -> Self {
        Self { bytes: 1 << 20, pieces: 1_024 }
    }
}

/// What was not as it would be without loss, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// They came before, and were dropped.
    pub again: u64,
    /// They came before their turn, and waited.
    pub early: u64,
    /// They were too far ahead, too many, behind the end, or before the start was known.
    pub dropped: u64,
    /// They never came, and were skipped.
    pub missing: u64,
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Reassembler {
    limits: Limits,
    /// The sequence number of the next byte in order, and how many bytes were before it; none
    /// while nothing came.
    next: Option<u32>,
    passed: u64,
    /// Pieces that wait, by their place in the stream. They neither touch the bytes that passed nor
    /// overlap each other.
    pieces: BTreeMap<u64, Vec<u8>>,
    waiting_bytes: usize,
    /// Where the stream ends, once its FIN has come.
    end: Option<u64>,
    oddities: Oddities,
}

impl Reassembler {
    /// One that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: None,
            passed: 0,
            pieces: BTreeMap::new(),
            waiting_bytes: 0,
            end: None,
            oddities: Oddities::default(),
        }
    }

    /// Takes a segment, and writes what is in order now behind what is in `out`. The stream begins
    /// at its SYN; without one, where the first segment begins.
    pub fn push(&mut self, segment: &Segment<'_>, out: &mut Vec<u8>) {
        let is_syn = segment.flags.has(Flags::SYN);
        let first = segment.sequence.wrapping_add(u32::from(is_syn));
        let next = *self.next.get_or_insert(first);
        let ahead = i64::from(distance(next, first));
        // What is before the start of a capture that began in the middle has no place.
        let (start, cut) = match self.passed.checked_add_signed(ahead) {
            Some(start) => (start, 0),
            None => (0, ahead.unsigned_abs() - self.passed),
        };
        let cut = cut.min(segment.payload.len() as u64);
        self.oddities.dropped += cut;
        let payload = segment.payload.get(index(cut)..).unwrap_or_default();
        let end = start + payload.len() as u64;
        if segment.flags.has(Flags::FIN) && self.end.is_none() && self.is_within(end) {
            self.end = Some(end);
            self.drop_behind(end);
        }
        self.insert(start, payload, out);
    }

    /// Whether everything came, to the end.
    pub fn is_finished(&self) -> bool {
        self.end == Some(self.passed)
    }

    /// How many bytes came in order.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// How many bytes wait for what is before them.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// How many bytes are missing before the first that waits, or before the end; zero when
    /// nothing waits.
    pub fn gap(&self) -> u64 {
        let first = self.pieces.keys().next().or(self.end.as_ref());
        first.map_or(0, |place| place - self.passed)
    }

    /// What was not as it would be without loss.
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// Gives up what is missing before what waits, and goes on behind it: for a capture that lost
    /// packets. It says how many bytes that were.
    pub fn skip_gap(&mut self, out: &mut Vec<u8>) -> u64 {
        let gap = self.gap();
        self.oddities.missing += gap;
        self.advance(gap);
        self.release(out);
        gap
    }

    /// Whether a place in the stream is near enough to be believed.
    fn is_within(&self, place: u64) -> bool {
        place >= self.passed && place - self.passed <= self.limits.bytes as u64
    }

    /// Drops what waits behind the end: the first word on where it is stands.
    fn drop_behind(&mut self, end: u64) {
        let mut dropped: usize = self.pieces.split_off(&end).values().map(Vec::len).sum();
        if let Some((&start, piece)) = self.pieces.iter_mut().next_back() {
            let keep = index(end - start).min(piece.len());
            dropped += piece.len() - keep;
            piece.truncate(keep);
        }
        self.waiting_bytes -= dropped;
        self.oddities.dropped += dropped as u64;
    }

    fn insert(&mut self, start: u64, payload: &[u8], out: &mut Vec<u8>) {
        let (start, payload) = self.without_passed(start, payload);
        let payload = self.without_beyond(start, payload);
        if payload.is_empty() {
            return;
        }
        if start == self.passed && self.pieces.is_empty() {
            // The common case: in order, and nothing waits.
            out.extend_from_slice(payload);
            self.advance(payload.len() as u64);
            return;
        }
        self.keep(start, payload);
        self.release(out);
    }

    /// Cuts off what has passed already.
    fn without_passed<'a>(&mut self, start: u64, payload: &'a [u8]) -> (u64, &'a [u8]) {
        let behind = self.passed.saturating_sub(start).min(payload.len() as u64);
        self.oddities.again += behind;
        (start + behind, payload.get(index(behind)..).unwrap_or_default())
    }

    /// Cuts off what is too far ahead, or behind the end.
    fn without_beyond<'a>(&mut self, start: u64, payload: &'a [u8]) -> &'a [u8] {
        let window = self.passed + self.limits.bytes as u64;
        let limit = self.end.map_or(window, |end| end.min(window));
        let room = limit.saturating_sub(start).min(payload.len() as u64);
        self.oddities.dropped += payload.len() as u64 - room;
        payload.get(..index(room)).unwrap_or_default()
    }

    /// Keeps what no piece holds yet.
    fn keep(&mut self, start: u64, payload: &[u8]) {
        let (mut start, mut payload) = (start, payload);
        if let Some((&before, piece)) = self.pieces.range(..=start).next_back() {
            let covered = (before + piece.len() as u64).saturating_sub(start);
            (start, payload) = self.skip(start, payload, covered);
        }
        while !payload.is_empty() {
            let after = self.pieces.range(start..).next();
            let (room, covered) = after.map_or((payload.len(), 0), |(&after, piece)| {
                (index(after - start).min(payload.len()), piece.len() as u64)
            });
            let (free, rest) = payload.split_at(room);
            self.keep_piece(start, free);
            (start, payload) = self.skip(start + room as u64, rest, covered);
        }
    }

    /// Goes on behind bytes that are there already.
    fn skip<'a>(&mut self, start: u64, payload: &'a [u8], covered: u64) -> (u64, &'a [u8]) {
        let again = covered.min(payload.len() as u64);
        self.oddities.again += again;
        (start + again, payload.get(index(again)..).unwrap_or_default())
    }

    fn keep_piece(&mut self, start: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        // What is in order leaves at once, and so makes room.
        let is_early = start > self.passed;
        let fits = self.pieces.len() < self.limits.pieces
            && self.waiting_bytes + bytes.len() <= self.limits.bytes;
        if is_early && !fits {
            self.oddities.dropped += bytes.len() as u64;
            return;
        }
        if is_early {
            self.oddities.early += bytes.len() as u64;
        }
        self.waiting_bytes += bytes.len();
        self.pieces.insert(start, bytes.to_vec());
    }

    /// Writes the pieces whose turn it is.
    fn release(&mut self, out: &mut Vec<u8>) {
        while let Some(piece) = self.pieces.first_entry() {
            if *piece.key() != self.passed {
                break;
            }
            let bytes = piece.remove();
            self.waiting_bytes -= bytes.len();
            self.advance(bytes.len() as u64);
            out.extend_from_slice(&bytes);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
    fn advance(&mut self, bytes: u64) {
        self.passed += bytes;
        self.next = self.next.map(|next| next.wrapping_add(bytes as u32));
    }
}

/// A place within a payload.
fn index(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
