//! Bytes become rows: the CSV format (RFC 4180) as spreadsheets and scripts really write it.
//!
//! A byte-order mark, CRLF or LF or CR, blank rows, quoted fields with line ends in them, and `;`
//! or a tab for `,` are all fine. A row has a limit, so an open quote does not take a whole file
//! into memory.

use std::io::{self, BufRead, Chain, Cursor, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The longest row, in bytes without its quotes.
pub const MAX_ROW: usize = 1 << 20;

/// How much is kept for a row until one is longer, in bytes.
const USUAL_ROW: usize = 4 << 10;

/// The most columns.
pub const MAX_COLUMNS: usize = 256;

/// In how many bytes the first line that is not blank has to end, so that all of it is looked at.
const MAX_HEAD: u64 = 64 << 10;

/// The byte-order mark that spreadsheets put before UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The byte-order marks of UTF-16, which is not for reading here.
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// What may stand between two fields, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A row: its fields, and where it begins.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The line of the file at which it begins, from 1.
    pub line: u64,
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Row<'a> {
    /// A field, without its quotes.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.bytes.get(start..end)
    }

    /// How many fields it has.
    pub fn count(&self) -> usize {
        self.ends.len()
    }
}

/// Why bytes are no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is longer than [`MAX_ROW`], or has more than [`MAX_COLUMNS`].
    TooLong,
    /// The file is UTF-16.
    Utf16,
}

/// The rows of a file.
pub struct Rows<'a> {
    /// What was looked at, and the rest.
    input: Chain<Cursor<Vec<u8>>, &'a mut dyn BufRead>,
    core: Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The line at which the next row begins.
    line: u64,
    /// The last byte was a CR: with an LF behind it, it is one line end.
    after_cr: bool,
    /// How many bytes were read.
    position: u64,
    is_utf16: bool,
}

impl<'a> Rows<'a> {
    /// Looks at the first line to find what stands between its fields.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub fn new(input: &'a mut dyn BufRead) -> io::Result<Self> {
        let head = head(input)?;
        let is_utf16 = UTF_16.iter().any(|mark| head.starts_with(mark));
        let skip = if head.starts_with(BOM) { BOM.len() } else { 0 };
        let delimiter = delimiter(&head[skip..]);
        let mut input = Cursor::new(head).chain(input);
        input.consume(skip);
        Ok(Self {
            input,
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            bytes: vec![0; USUAL_ROW],
            ends: vec![0; MAX_COLUMNS],
            line: 1,
            after_cr: false,
            position: skip as u64,
            is_utf16,
        })
    }

    /// How many bytes were read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next row that is not blank, or the line at which there is something that is no row.
    ///
    /// # Errors
    ///
    /// When the input cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<Result<Row<'_>, (u64, Unreadable)>>> {
        if self.is_utf16 {
            return Ok(Some(Err((1, Unreadable::Utf16))));
        }
        loop {
            self.skip_line_ends()?;
            let line = self.line;
            let Some((length, fields)) = self.read()? else { return Ok(None) };
            let Some((bytes, ends)) = self.bytes.get(..length).zip(self.ends.get(..fields)) else {
                return Ok(Some(Err((line, Unreadable::TooLong))));
            };
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                // Borrowed anew: the borrow checker does not see that the loop ends here.
                let (bytes, ends) = (&self.bytes[..length], &self.ends[..ends.len()]);
                return Ok(Some(Ok(Row { line, bytes, ends })));
            }
        }
    }

    /// Goes on to the next byte that is no line end, so that the line of a row is known.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let input = self.input.fill_buf()?;
            let ends = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let was_all = ends > 0 && ends == input.len();
            self.advance(ends)?;
            if !was_all {
                return Ok(());
            }
        }
    }

    /// Reads one record into the buffers and tells the length of its bytes and the number of its
    /// fields; a length beyond the buffer when it did not fit; `None` at the end.
    fn read(&mut self) -> io::Result<Option<(usize, usize)>> {
        let (mut length, mut fields, mut fits) = (0, 0, true);
        loop {
            let input = self.input.fill_buf()?;
            let (result, taken, written, ended) =
                self.core.read_record(input, &mut self.bytes[length..], &mut self.ends[fields..]);
            self.advance(taken)?;
            (length, fields) = (length + written, fields + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() < MAX_ROW => {
                    self.bytes.resize(2 * self.bytes.len(), 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    (length, fields, fits) = (0, 0, false);
                }
                ReadRecordResult::Record if fits => return Ok(Some((length, fields))),
                ReadRecordResult::Record => return Ok(Some((usize::MAX, 0))),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn advance(&mut self, bytes: usize) -> io::Result<()> {
        let taken = &self.input.fill_buf()?[..bytes];
        for place in memchr::memchr2_iter(b'\r', b'\n', taken) {
            let is_second = match place.checked_sub(1) {
                Some(before) => taken[before] == b'\r',
                None => self.after_cr,
            };
            self.line += u64::from(taken[place] == b'\r' || !is_second);
        }
        self.after_cr = taken.last().map_or(self.after_cr, |last| *last == b'\r');
        self.position += bytes as u64;
        self.input.consume(bytes);
        Ok(())
    }
}

/// The start of the input, with all of the first line that is not blank.
fn head(input: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut input = input.take(MAX_HEAD);
    while head.trim_ascii().is_empty() && input.read_until(b'\n', &mut head)? > 0 {}
    Ok(head)
}

/// What stands between the fields of the first line: whatever there is most of.
fn delimiter(start: &[u8]) -> u8 {
    let line = start
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .find(|line| !line.trim_ascii().is_empty());
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line.unwrap_or_default()).count();
    // The last of equals wins `max_by_key`, hence the reversal.
    DELIMITERS.into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn any_line_end_ends_a_line_however_the_bytes_come() {
        let table = b"\xef\xbb\xbf\rmessage;time\rone, two;1\r\n\r\n\"a\r\nb\";2\nthree;3";
        for capacity in [1, 2, 7, 100] {
            let mut input = BufReader::with_capacity(capacity, &table[..]);
            let mut rows = Rows::new(&mut input).unwrap();
            let mut found = Vec::new();
            while let Some(row) = rows.next_row().unwrap() {
                let row = row.unwrap();
                found.push((row.line, String::from_utf8_lossy(row.get(0).unwrap()).into_owned()));
            }
            let want = [(2, "message"), (3, "one, two"), (5, "a\r\nb"), (7, "three")];
            assert_eq!(found, want.map(|(line, text)| (line, text.to_owned())), "{capacity}");
        }
    }
}
