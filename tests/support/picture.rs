//! The picture that a terminal of some width makes of what a program writes to it: wrapping, and a
//! cursor that goes up and down. A character that is not a mark takes a column here.

use vte::{Params, Parser, Perform};

#[derive(Default)]
struct Picture {
    width: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    /// One past the last column when that was written: only the next character wraps.
    column: usize,
}

/// Every row, from the first one that was written to the one of the cursor or below, and where
/// the cursor is: row and column.
pub(crate) fn picture(written: &str, width: usize) -> (Vec<String>, (usize, usize)) {
    let mut picture = Picture { width, rows: vec![Vec::new()], ..Picture::default() };
    Parser::new().advance(&mut picture, written.as_bytes());
    let rows = picture.rows.iter().map(|row| row.iter().collect()).collect();
    (rows, (picture.row, picture.column))
}

impl Picture {
    fn down(&mut self) {
        self.row += 1;
        if self.row == self.rows.len() {
            self.rows.push(Vec::new());
        }
    }
}

impl Perform for Picture {
    fn print(&mut self, c: char) {
        if c == '\u{200e}' {
            return;
        }
        if self.column == self.width {
            self.column = 0;
            self.down();
        }
        let row = &mut self.rows[self.row];
        row.resize(row.len().max(self.column + 1), ' ');
        row[self.column] = c;
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.column = 0,
            b'\n' => self.down(),
            b'\x07' => {}
            _ => panic!("control byte {byte:#04x}"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let count = params.iter().flatten().next().map_or(1, |&count| usize::from(count.max(1)));
        match action {
            'A' => self.row = self.row.saturating_sub(count),
            'B' => self.row = (self.row + count).min(self.rows.len() - 1),
            'C' => self.column = (self.column + count).min(self.width - 1),
            'D' => self.column = self.column.min(self.width - 1).saturating_sub(count),
            'K' => self.rows[self.row].truncate(self.column),
            'J' => {
                self.rows[self.row].truncate(self.column);
                self.rows.truncate(self.row + 1);
            }
            'm' | 'h' | 'l' => {}
            _ => panic!("an escape that nobody expects: {action:?}"),
        }
    }
}

#[test]
fn a_row_that_is_full_wraps_with_the_next_character() {
    let (rows, cursor) = picture("abcd\r\nabcde\x1b[A\x1b[KX\r\x1b[2CY", 4);
    assert_eq!(rows, ["abcd", "aXY", "e"]);
    assert_eq!(cursor, (1, 3));
}
