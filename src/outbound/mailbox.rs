//! The mailbox: lines for one client only, each due at an offset of the log.

use std::collections::VecDeque;

/// What a box may keep allocated for what will come, in bytes.
const SPARE: usize = 4096;

/// The least that is allocated at once, in entries of a queue.
const LEAST: usize = 4;

/// Letters in the order in which they were mailed. Letters that are due at the same offset are
/// one: a long answer costs no more than a short one.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    bytes: VecDeque<u8>,
    letters: VecDeque<Letter>,
}

/// Bytes that wait for their place in the order of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// The client reads the log up to this offset first.
    pub(super) due: u64,
    /// How much of the letter is not yet written, in bytes.
    pub(super) len: usize,
}

impl Mailbox {
    /// What waits takes so many bytes, the note of each letter included.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.letters.len() * size_of::<Letter>()
    }

    /// What is allocated for it, in bytes, itself included.
    pub(super) fn allocated(&self) -> usize {
        let letters = self.letters.capacity() * size_of::<Letter>();
        size_of::<Self>() + self.bytes.capacity() + letters
    }

    /// The same when `len` more bytes have been pushed, due at `due`.
    pub(super) fn allocated_with(&self, due: u64, len: usize) -> usize {
        let new = usize::from(self.letters.back().is_none_or(|last| last.due != due));
        let letters = grown(&self.letters, new) * size_of::<Letter>();
        size_of::<Self>() + grown(&self.bytes, len) + letters
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes one line, given in pieces. `due` never goes back.
    pub(super) fn push(&mut self, due: u64, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        grow(&mut self.bytes, len);
        for part in parts {
            self.bytes.extend(*part);
        }
        match self.letters.back_mut() {
            Some(last) if last.due == due => last.len += len,
            _ => {
                grow(&mut self.letters, 1);
                self.letters.push_back(Letter { due, len });
            }
        }
    }

    /// The letter that goes out next.
    pub(super) fn head(&self) -> Option<Letter> {
        self.letters.front().copied()
    }

    /// Every letter with its bytes, in the two pieces that a ring has.
    pub(super) fn letters(&self) -> impl Iterator<Item = (Letter, [&[u8]; 2])> {
        let (front, back) = self.bytes.as_slices();
        let mut start = 0;
        self.letters.iter().map(move |letter| {
            let end = start + letter.len;
            let cut = |slice: &'_ [u8], offset: usize| {
                let clamp = |at: usize| at.saturating_sub(offset).min(slice.len());
                clamp(start)..clamp(end)
            };
            let pieces = [&front[cut(front, 0)], &back[cut(back, front.len())]];
            start = end;
            (*letter, pieces)
        })
    }

    /// A box that was full does not keep its memory while it is read.
    fn give_back(&mut self) {
        shrink(&mut self.bytes);
        shrink(&mut self.letters);
    }

    /// Drops what was written of the head letter: at most `count` bytes, never more than the
    /// letter has. Says how many.
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let Some(head) = self.letters.front_mut() else { return 0 };
        let taken = count.min(head.len);
        head.len -= taken;
        if head.len == 0 {
            self.letters.pop_front();
        }
        self.bytes.drain(..taken);
        self.give_back();
        taken
    }
}

/// What a queue has room for when it has been grown for so many more entries: half as much again as
/// before, so that growing costs O(1) for each entry, and no more, because it is counted.
fn grown<T>(queue: &VecDeque<T>, more: usize) -> usize {
    let (capacity, needed) = (queue.capacity(), queue.len() + more);
    if needed <= capacity { capacity } else { needed.max(capacity + capacity / 2).max(LEAST) }
}

/// Makes room for so many more entries, and for no more than [`grown`] says.
fn grow<T>(queue: &mut VecDeque<T>, more: usize) {
    let room = grown(queue, more);
    if room > queue.capacity() {
        queue.reserve_exact(room - queue.len());
    }
}

/// Gives memory back when less than a quarter of what is allocated is in use.
fn shrink<T>(queue: &mut VecDeque<T>) {
    let spare = SPARE / size_of::<T>();
    if queue.capacity() > spare && queue.len() < queue.capacity() / 4 {
        queue.shrink_to(2 * queue.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(mailbox: &Mailbox) -> Vec<(u64, String)> {
        let string = |pieces: [&[u8]; 2]| String::from_utf8(pieces.concat()).unwrap();
        mailbox.letters().map(|(letter, pieces)| (letter.due, string(pieces))).collect()
    }

    #[test]
    fn letters_of_one_offset_are_one() {
        let mut mailbox = Mailbox::default();
        mailbox.push(5, &[b"one", b"\n"]);
        mailbox.push(5, &[b"two\n"]);
        mailbox.push(9, &[b"three\n"]);
        assert_eq!(text(&mailbox), [(5, "one\ntwo\n".to_owned()), (9, "three\n".to_owned())]);
    }

    #[test]
    fn the_head_remembers_how_much_of_it_is_written() {
        let mut mailbox = Mailbox::default();
        mailbox.push(1, &[b"abc"]);
        mailbox.push(2, &[b"de"]);
        assert_eq!(mailbox.consume(2), 2);
        assert_eq!(text(&mailbox), [(1, "c".to_owned()), (2, "de".to_owned())]);
        assert_eq!(mailbox.consume(9), 1, "a letter ends where it ends");
        assert_eq!(mailbox.head(), Some(Letter { due: 2, len: 2 }));
        assert_eq!((mailbox.consume(9), mailbox.consume(9)), (2, 0));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn a_box_that_was_full_gives_its_memory_back() {
        let mut mailbox = Mailbox::default();
        for due in 0..10_000 {
            mailbox.push(due, &[&[b'x'; 100]]);
        }
        while mailbox.size() > 1_000 {
            mailbox.consume(100);
        }
        assert!(mailbox.allocated() <= 4 * SPARE, "{} bytes", mailbox.allocated());
    }

    proptest! {
        #[test]
        fn what_a_letter_allocates_is_known_before(
            letters in prop::collection::vec((0_u64..3, 0_usize..600, 0_usize..900), 1..60),
        ) {
            let (mut mailbox, mut due) = (Mailbox::default(), 0);
            for (later, len, read) in letters {
                due += later;
                let told = mailbox.allocated_with(due, len);
                mailbox.push(due, &[&vec![b'x'; len]]);
                prop_assert_eq!(mailbox.allocated(), told);
                prop_assert!(told <= 2 * mailbox.size() + 2 * SPARE);
                mailbox.consume(read);
            }
        }
    }

    #[test]
    fn pieces_are_right_when_the_ring_has_wrapped() {
        let mut mailbox = Mailbox::default();
        for round in 0..100_u64 {
            mailbox.push(round, &[format!("{round:03}|").as_bytes()]);
            mailbox.push(round, &[b"-"]);
            if round >= 3 {
                let head = text(&mailbox).remove(0);
                assert_eq!(head, (round - 3, format!("{:03}|-", round - 3)));
                assert_eq!(mailbox.consume(5), 5);
            }
        }
    }
}
