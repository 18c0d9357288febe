//! What a terminal shows of what a program writes to it: as much of one as the client needs.

/// Keeps what is to the right of it at the left; the client puts it before every row.
const MARK: char = '\u{200e}';

/// A terminal so wide that nothing wraps.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// Everything that was written, as it was.
    raw: Vec<u8>,
    /// The rows that are left behind.
    rows: Vec<String>,
    /// The rows that were removed: what was typed and taken.
    taken: Vec<String>,
    /// How far up the cursor went last.
    up: usize,
    /// How often the bell rang.
    bells: usize,
    /// The row of the cursor.
    row: Vec<u8>,
    /// The escape sequence that is not complete yet.
    escape: Option<Vec<u8>>,
    /// The cursor is in the first column, so that what comes next overwrites the row.
    at_start: bool,
    /// The program has said that it is in the middle of drawing.
    drawing: bool,
    ended: bool,
}

impl Screen {
    /// The program writes.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.raw.extend(bytes);
        for &byte in bytes {
            match (self.escape.take(), byte) {
                (Some(mut sequence), _) => {
                    sequence.push(byte);
                    let complete = sequence.len() > 1 && (b'@'..=b'~').contains(&byte);
                    if complete { self.obey(&sequence) } else { self.escape = Some(sequence) }
                }
                (None, b'\x1b') => self.escape = Some(Vec::new()),
                // The editor rings where there is nothing to complete, or more than one thing.
                (None, b'\x07') => self.bells += 1,
                (None, b'\r') => self.at_start = true,
                (None, b'\n') => {
                    self.rows.push(String::from_utf8_lossy(&self.row).into_owned());
                    self.row.clear();
                    self.at_start = true;
                }
                (None, _) => {
                    if std::mem::take(&mut self.at_start) {
                        self.row.clear();
                    }
                    self.row.push(byte);
                }
            }
        }
    }

    /// Colours (m) and modes (h, l) do not change what is where. The cursor goes up and down (A, B)
    /// only where a line is taken, or is longer than the screen is wide: that takes a `picture`.
    fn obey(&mut self, sequence: &[u8]) {
        match sequence {
            [b'[', b'K'] => self.row.clear(),
            [b'[', up @ .., b'A'] => {
                self.up = std::str::from_utf8(up).ok().and_then(|up| up.parse().ok()).unwrap_or(1);
            }
            // What was typed is removed, with the cursor in its first row.
            [b'[', b'J'] => {
                self.taken.extend(self.rows.drain(self.rows.len().saturating_sub(self.up)..));
                self.row.clear();
            }
            [b'[', .., b'C' | b'D'] => self.at_start = false,
            b"[?2026h" => self.drawing = true,
            b"[?2026l" => self.drawing = false,
            [b'[', .., b'B' | b'm' | b'h' | b'l'] => {}
            other => panic!("an escape that nobody expects: {:?}", String::from_utf8_lossy(other)),
        }
    }

    /// The program has ended.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Everything that was written, escapes and all.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// Whether this is the row of the cursor, and it is drawn completely.
    pub(crate) fn shows(&self, row: &str) -> bool {
        !self.drawing && self.row == format!("{MARK}{row}").as_bytes()
    }

    /// The same for a row without a mark: nothing of others is in it.
    pub(crate) fn shows_bare(&self, row: &str) -> bool {
        !self.drawing && self.row == row.as_bytes()
    }

    /// Every row that is left behind, without its mark; a row without one keeps a blame instead.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.rows.iter().map(|row| unmark(row)).collect()
    }

    /// How often the bell rang.
    pub(crate) fn bells(&self) -> usize {
        self.bells
    }

    /// What was typed, line by line: rows with a prompt, those that were removed first.
    pub(crate) fn typed(&self, name: &str) -> Vec<String> {
        let prompt = format!("{name}> ");
        let typed = |row: &String| unmark(row).strip_prefix(&prompt).map(str::to_owned);
        self.taken.iter().chain(&self.rows).filter_map(typed).collect()
    }

    /// The other rows: what the server and the client said.
    pub(crate) fn said(&self, name: &str) -> Vec<String> {
        let prompt = format!("{name}> ");
        self.rows().into_iter().filter(|row| !row.starts_with(&prompt)).collect()
    }
}

fn unmark(row: &str) -> String {
    row.strip_prefix(MARK).map_or_else(|| format!("(without a mark) {row}"), str::to_owned)
}

#[test]
fn a_row_is_what_is_left_when_it_has_been_redrawn() {
    let mut screen = Screen::default();
    screen.write(b"\r\x1b[K\xe2\x80\x8eA> hal");
    assert!(screen.shows("A> hal"));
    screen.write(b"\x1b[?2026h\r\x1b[K\xe2\x80\x8e\x1b[36m[B]: hi\x1b[0m\r\n\xe2\x80\x8eA> hal");
    assert!(!screen.shows("A> hal"), "it is still drawing");
    screen.write(b"\r\x1b[7C\x1b[?2026lf\r\nbare\n");
    assert_eq!(screen.rows(), ["[B]: hi", "A> half", "(without a mark) bare"]);
    assert_eq!(screen.typed("A"), ["half"]);
    assert_eq!(screen.said("A"), ["[B]: hi", "(without a mark) bare"]);
    screen.write(b"\r\x1b[K\xe2\x80\x8eA> gone\n\x1b[1A\r\x1b[J\xe2\x80\x8e[A]: here\n");
    assert_eq!(screen.typed("A"), ["gone", "half"]);
    assert_eq!(screen.said("A"), ["[B]: hi", "(without a mark) bare", "[A]: here"]);
}
