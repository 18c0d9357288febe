//! Bytes that are read piece by piece, and looked at through a window that grows as far as one
//! record may be long.

use std::io::{self, ErrorKind, Read};

/// The longest packet or block that is read, in bytes. Wireshark's longest packet is an eighth of
/// this.
pub(super) const MAX_RECORD: usize = 2 << 20;

/// How much is read at once, in bytes.
const READ: usize = 256 << 10;

/// A reader, and what was read from it and not yet used.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that were used.
    position: u64,
}

/// How a look at the window ended.
#[derive(Debug)]
pub(super) enum Look<T> {
    /// Something was found; this many bytes of the window are used.
    Found(T, usize),
    /// It needs a window of this length.
    Needs(usize),
}

/// Why nothing more can be found.
#[derive(Debug)]
pub(super) enum End {
    /// Everything was used.
    Over,
    /// The last record is not whole.
    Cut,
    /// A record says that it is this long.
    TooLong(usize),
    /// It cannot be read.
    Io(io::Error),
}

impl<R: Read> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; READ], start: 0, end: 0, position: 0 }
    }

    /// Offers `look` a window that grows until it finds something. What is found tells its place by
    /// an offset in the window, and is then at [`bytes`](Self::bytes).
    pub(super) fn find<T, E: From<End>>(
        &mut self,
        mut look: impl FnMut(&[u8]) -> Result<Look<T>, E>,
    ) -> Result<(T, usize), E> {
        loop {
            let window = self.start..self.end;
            let needs = match look(self.buffer.get(window).unwrap_or_default())? {
                Look::Found(found, used) => {
                    let at = self.start;
                    self.start = (self.start + used).min(self.end);
                    self.position += used as u64;
                    return Ok((found, at));
                }
                Look::Needs(length) => length.max(self.end - self.start + 1),
            };
            if needs > MAX_RECORD {
                return Err(End::TooLong(needs).into());
            }
            if !self.fill(needs).map_err(End::Io)? {
                let is_empty = self.start == self.end;
                return Err(if is_empty { End::Over } else { End::Cut }.into());
            }
        }
    }

    /// Bytes of what was found last.
    pub(super) fn bytes(&self, at: usize, length: usize) -> &[u8] {
        self.buffer.get(at..at + length).unwrap_or_default()
    }

    /// How many bytes were used.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Reads until the window has a length, or says that there is no more.
    fn fill(&mut self, needs: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.buffer.len() < needs {
            self.buffer.resize(needs.next_power_of_two(), 0);
        }
        while self.end < needs {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
