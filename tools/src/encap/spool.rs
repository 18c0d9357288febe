//! Messages in the order of their times, however many there are and in whatever order they came.
//!
//! They are collected in memory. What does not fit is sorted and written to a temporary file, one
//! run after the other; in the end the runs are merged. Rows that are in order already, as they
//! nearly always are, make one run however many there are. So memory does not grow with the file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use super::plan::{Place, TalkId};

/// How much is collected in memory, in bytes.
pub const MAX_COLLECTED: usize = 16 << 20;

/// How much of each run is read at once, in bytes.
const READ: usize = 64 << 10;

/// The most runs that are merged: they take 64 MiB, and more for rows that are longer than
/// [`READ`]. They hold 16 GiB of rows in the worst order.
const MAX_RUNS: usize = 1_024;

/// What stands before the text of a message.
const HEADER: usize = 8 + 8 + 4 + 1 + 1 + 4;

/// A message that waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spooled<'a> {
    /// When it was said, in nanoseconds.
    pub time_ns: u64,
    /// The line of the file; no two have the same.
    pub line: u64,
    /// Who said it, and where.
    pub place: Place,
    /// What was said.
    pub text: &'a [u8],
    /// How many bytes were said, where nobody knows which; then there is no text.
    pub filler: Option<u32>,
}

impl Spooled<'_> {
    fn key(&self) -> (u64, u64) {
        (self.time_ns, self.line)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let (length, is_filler) = match self.filler {
            None => (u32::try_from(self.text.len()).unwrap_or(u32::MAX), 0),
            Some(filler) => (filler, 1),
        };
        out.extend_from_slice(&self.time_ns.to_le_bytes());
        out.extend_from_slice(&self.line.to_le_bytes());
        out.extend_from_slice(&self.place.talk.to_le_bytes());
        out.push(u8::from(self.place.end != 0));
        out.push(is_filler);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(self.text);
    }
}

/// Reads the header of a message: the message without its text, and how long that is.
fn decode(header: &[u8; HEADER]) -> (Spooled<'static>, usize) {
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&header[at..at + length]);
        u64::from_le_bytes(bytes)
    };
    let short = |at| u32::try_from(number(at, 4)).unwrap_or_default();
    let talk: TalkId = short(16);
    let is_filler = header[21] != 0;
    let length = short(22);
    let spooled = Spooled {
        time_ns: number(0, 8),
        line: number(8, 8),
        place: Place { talk, end: usize::from(header[20]) },
        text: &[],
        filler: is_filler.then_some(length),
    };
    (spooled, if is_filler { 0 } else { length as usize })
}

/// A whole message.
fn parse(bytes: &[u8]) -> Option<Spooled<'_>> {
    let (header, text) = bytes.split_first_chunk()?;
    let (message, length) = decode(header);
    Some(Spooled { text: text.get(..length)?, ..message })
}

/// Where a message is that was collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: (u64, u64),
    start: usize,
    end: usize,
}

/// A part of the file in which everything is in order.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    end: u64,
    last: (u64, u64),
}

/// Messages as they come.
#[derive(Debug)]
pub struct Spool {
    limit: usize,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    is_sorted: bool,
    file: Option<File>,
    runs: Vec<Run>,
}

impl Spool {
    /// An empty one that keeps `limit` bytes in memory.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
            entries: Vec::new(),
            is_sorted: true,
            file: None,
            runs: Vec::new(),
        }
    }

    /// Takes a message.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written, or would hold too many runs.
    pub fn push(&mut self, message: &Spooled<'_>) -> io::Result<()> {
        let taken = self.bytes.len() + self.entries.len() * size_of::<Entry>();
        if taken + HEADER + message.text.len() > self.limit && !self.entries.is_empty() {
            self.flush()?;
        }
        let (key, start) = (message.key(), self.bytes.len());
        self.is_sorted &= self.entries.last().is_none_or(|last| last.key <= key);
        message.encode(&mut self.bytes);
        self.entries.push(Entry { key, start, end: self.bytes.len() });
        Ok(())
    }

    /// All of them, the earliest first; those of one time in the order in which they came.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written or read.
    pub fn into_sorted(mut self) -> io::Result<Sorted> {
        if self.file.is_none() {
            self.sort();
            let entries = self.entries.into_iter();
            return Ok(Sorted(Source::Memory { bytes: self.bytes, entries }));
        }
        self.flush()?;
        let Some(file) = self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let cursors: Vec<Cursor> = self.runs.into_iter().map(Cursor::new).collect();
        let mut merge = Merge { file, cursors, heads: BinaryHeap::new(), given: None };
        for index in 0..merge.cursors.len() {
            merge.push_head(index)?;
        }
        Ok(Sorted(Source::Runs(merge)))
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            self.entries.sort_unstable();
        }
        self.is_sorted = true;
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sort();
        let [Some(first), Some(last)] = [self.entries.first(), self.entries.last()] else {
            return Ok(());
        };
        let (first, last) = (first.key, last.key);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        let mut out = io::BufWriter::with_capacity(READ, file);
        for entry in &self.entries {
            out.write_all(&self.bytes[entry.start..entry.end])?;
        }
        out.flush()?;
        let written = self.bytes.len() as u64;
        let before = self.runs.last().copied();
        match self.runs.last_mut() {
            Some(run) if run.last <= first => (run.end, run.last) = (run.end + written, last),
            _ => {
                let start = before.map_or(0, |run| run.end);
                self.runs.push(Run { start, end: start + written, last });
            }
        }
        if self.runs.len() > MAX_RUNS {
            let why = "the rows are too many, and too far from the order of their times";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        self.bytes.clear();
        self.entries.clear();
        Ok(())
    }
}

/// Messages in order.
#[derive(Debug)]
pub struct Sorted(Source);

#[derive(Debug)]
enum Source {
    Memory { bytes: Vec<u8>, entries: std::vec::IntoIter<Entry> },
    Runs(Merge),
}

#[derive(Debug)]
struct Merge {
    file: File,
    cursors: Vec<Cursor>,
    /// The next message of each run, but for the one that was given out last.
    heads: BinaryHeap<Reverse<((u64, u64), usize)>>,
    given: Option<usize>,
}

impl Sorted {
    /// The next message.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be read.
    pub fn next_message(&mut self) -> io::Result<Option<Spooled<'_>>> {
        match &mut self.0 {
            Source::Memory { bytes, entries } => {
                let Some(entry) = entries.next() else { return Ok(None) };
                Ok(parse(&bytes[entry.start..entry.end]))
            }
            Source::Runs(merge) => merge.next_message(),
        }
    }
}

impl Merge {
    fn next_message(&mut self) -> io::Result<Option<Spooled<'_>>> {
        if let Some(index) = self.given.take() {
            self.push_head(index)?;
        }
        let Some(Reverse((_, index))) = self.heads.pop() else { return Ok(None) };
        self.given = Some(index);
        Ok(parse(self.cursors[index].take(&self.file)?))
    }

    fn push_head(&mut self, index: usize) -> io::Result<()> {
        if let Some(key) = self.cursors[index].peek(&self.file)? {
            self.heads.push(Reverse((key, index)));
        }
        Ok(())
    }
}

/// Where a run is read.
#[derive(Debug)]
struct Cursor {
    /// What of the file is still to be read.
    unread: std::ops::Range<u64>,
    buffer: Vec<u8>,
    start: usize,
}

impl Cursor {
    fn new(run: Run) -> Self {
        Self { unread: run.start..run.end, buffer: Vec::new(), start: 0 }
    }

    /// The key of the next message; `None` at the end of the run.
    fn peek(&mut self, file: &File) -> io::Result<Option<(u64, u64)>> {
        if self.start == self.buffer.len() && self.unread.is_empty() {
            return Ok(None);
        }
        let header = self.need(file, HEADER)?;
        Ok(header.first_chunk().map(|header| decode(header).0.key()))
    }

    /// The bytes of the next message.
    fn take(&mut self, file: &File) -> io::Result<&[u8]> {
        let header = self.need(file, HEADER)?;
        let length = header.first_chunk().map_or(HEADER, |header| HEADER + decode(header).1);
        self.need(file, length)?;
        let start = self.start;
        self.start += length;
        Ok(&self.buffer[start..self.start])
    }

    /// At least so many bytes from the next on.
    fn need(&mut self, file: &File, bytes: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.start < bytes {
            self.buffer.drain(..self.start);
            self.start = 0;
            let kept = self.buffer.len();
            let unread = usize::try_from(self.unread.end - self.unread.start).unwrap_or(usize::MAX);
            let more = unread.min(READ.max(bytes - kept));
            self.buffer.resize(kept + more, 0);
            file.read_exact_at(&mut self.buffer[kept..], self.unread.start)?;
            self.unread.start += more as u64;
        }
        self.buffer.get(self.start..self.start + bytes).ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_come_out_in_order_whatever_fits_into_memory(
            rows in prop::collection::vec((0..20u64, 0..40usize, any::<bool>()), 0..200),
            limit in 1..4_000usize,
        ) {
            let mut spool = Spool::new(limit);
            let mut want = Vec::new();
            for (line, (time_ns, length, is_filler)) in (1..).zip(rows) {
                let text = if is_filler { Vec::new() } else { vec![b'x'; length] };
                let filler = is_filler.then_some(7);
                let place = Place { talk: 3, end: usize::from(is_filler) };
                spool.push(&Spooled { time_ns, line, place, text: &text, filler }).unwrap();
                want.push((time_ns, line, place, text, filler));
            }
            want.sort_by_key(|(time_ns, line, ..)| (*time_ns, *line));
            let mut sorted = spool.into_sorted().unwrap();
            let mut got = Vec::new();
            while let Some(it) = sorted.next_message().unwrap() {
                got.push((it.time_ns, it.line, it.place, it.text.to_vec(), it.filler));
            }
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn rows_in_order_make_one_run() {
        let mut spool = Spool::new(1_000);
        for line in 0..10_000 {
            let place = Place { talk: 0, end: 0 };
            spool.push(&Spooled { time_ns: line, line, place, text: b"hi", filler: None }).unwrap();
            assert!(spool.bytes.len() <= 1_000);
        }
        assert_eq!(spool.runs.len(), 1);
    }
}
