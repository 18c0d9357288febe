//! A batch: what happened on the loop, on its way to the thread that writes it.

use std::collections::BTreeMap;

use crate::capture::{Happening, Missed};

/// The most that a batch holds, notes and bytes together, in bytes.
pub const BATCH_BYTES: usize = 256 * 1024;

/// Something that happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which connection; no two at the same time have one number.
    pub number: u64,
    /// When, in nanoseconds since 1970.
    pub time_ns: u64,
    /// What.
    pub what: Happening,
    /// Where its bytes end in the batch.
    end: usize,
}

/// What the writer was not told, because it was too far behind.
#[derive(Debug, Default)]
pub struct Gap {
    /// When it ended, in nanoseconds since 1970.
    pub end_ns: u64,
    /// How many notes it has swallowed.
    pub notes: u64,
    /// By connection. Each that is open stands here at most once, and each that the writer knows;
    /// those that came and went are only counted.
    pub missed: BTreeMap<u64, Missed>,
}

impl Gap {
    /// Something happened, and so many bytes came along.
    pub(super) fn add(&mut self, number: u64, what: Happening, bytes: usize) {
        self.notes += 1;
        let missed = self.missed.entry(number).or_default();
        missed.add(what, bytes);
        if missed.closed && missed.opened.is_some() {
            self.missed.remove(&number);
        }
    }

    /// How many connections were closed of which the writer has every byte.
    fn closed(&self) -> u64 {
        let is_whole = |missed: &&Missed| missed.closed && missed.bytes == [0; 2];
        self.missed.values().filter(is_whole).count() as u64
    }
}

/// Notes in the order in which things happened, and the bytes that were said: never more than
/// [`BATCH_BYTES`]. It is emptied and used again.
#[derive(Debug, Default)]
pub struct Batch {
    notes: Vec<Note>,
    bytes: Vec<u8>,
    /// The gap that ended before anything here happened, if there was one.
    pub gap: Option<Gap>,
    /// Another file begins before anything here happened: the clock was set back.
    pub begins_page: bool,
    /// How many connections were closed of which nothing is missing.
    closed: u64,
    /// The platform is gone: nothing comes after it.
    pub is_last: bool,
}

impl Batch {
    /// The notes, oldest first, each with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Note, &[u8])> {
        let mut start = 0;
        self.notes.iter().map(move |note| {
            let bytes = &self.bytes[start..note.end];
            start = note.end;
            (note, bytes)
        })
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.gap.is_none()
    }

    /// How many connections were closed of which nothing is missing so far.
    pub(super) fn closed(&self) -> u64 {
        self.closed + self.gap.as_ref().map_or(0, Gap::closed)
    }

    /// One more was closed, and nothing of it is missing.
    pub(super) fn count_closed(&mut self) {
        self.closed += 1;
    }

    /// When the first thing happened, in nanoseconds since 1970.
    pub fn begin_ns(&self) -> Option<u64> {
        let first = || self.notes.first().map(|note| note.time_ns);
        self.gap.as_ref().map(|gap| gap.end_ns).or_else(first)
    }

    /// How many bytes one more note may bring; none when there is no room for a note.
    pub(super) fn room(&self) -> Option<usize> {
        let taken = self.bytes.len() + (self.notes.len() + 1) * size_of::<Note>();
        BATCH_BYTES.checked_sub(taken)
    }

    /// Adds a note, whose bytes fit the room. What one side says at one time is one note: it was
    /// one write, of several slices.
    pub(super) fn push(&mut self, number: u64, time_ns: u64, what: Happening, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let note = Note { number, time_ns, what, end: self.bytes.len() };
        match self.notes.last_mut() {
            Some(last) if Note { end: note.end, ..*last } == note => *last = note,
            _ => self.notes.push(note),
        }
    }

    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.notes.clear();
        self.bytes.clear();
        self.gap = None;
        self.begins_page = false;
        self.closed = 0;
    }
}
