//! What one write hands to the system.

use std::io::IoSlice;

/// The most pieces in one vectored write.
pub const MAX_SLICES: usize = 16;

/// The next bytes for one client: slices of the log and of its mailbox, none of them copied.
#[derive(Debug)]
pub struct Batch<'a> {
    slices: [IoSlice<'a>; MAX_SLICES],
    count: usize,
    budget: usize,
    len: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new(budget: usize) -> Self {
        Self { slices: [IoSlice::new(&[]); MAX_SLICES], count: 0, budget, len: 0 }
    }

    /// The slices to write.
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }

    /// How many bytes they have.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is due.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes as much of the pieces as there is room for. Says whether that was all of them: after
    /// a `false` nothing may follow.
    pub(super) fn push(&mut self, pieces: [&'a [u8]; 2]) -> bool {
        pieces.into_iter().all(|piece| self.push_one(piece))
    }

    fn push_one(&mut self, piece: &'a [u8]) -> bool {
        if piece.is_empty() {
            return true;
        }
        let room = self.budget - self.len;
        if self.count == MAX_SLICES || room == 0 {
            return false;
        }
        let taken = &piece[..piece.len().min(room)];
        self.slices[self.count] = IoSlice::new(taken);
        self.count += 1;
        self.len += taken.len();
        taken.len() == piece.len()
    }
}
