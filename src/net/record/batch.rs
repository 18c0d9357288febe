//! A batch: what happened on the loop, on its way to the thread that writes it.

use crate::capture::Happening;

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

/// Notes in the order in which things happened, and the bytes that were said: never more than
/// [`BATCH_BYTES`]. It is emptied and used again.
#[derive(Debug, Default)]
pub struct Batch {
    notes: Vec<Note>,
    bytes: Vec<u8>,
    /// Connections of which something was lost before anything here happened; nothing more is told
    /// of them. They are on top of [`BATCH_BYTES`], and each that the writer knows is told once.
    pub lost: Vec<u64>,
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
        self.notes.is_empty()
    }

    /// How many connections were closed.
    pub(super) fn closed(&self) -> u64 {
        self.notes.iter().filter(|note| note.what == Happening::Closed).count() as u64
    }

    /// When the first thing happened, in nanoseconds since 1970.
    pub(super) fn begin_ns(&self) -> Option<u64> {
        self.notes.first().map(|note| note.time_ns)
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
        self.lost.clear();
    }
}
