//! The screen: what the client prints of any line, seen by a terminal's own parser, prints
//! characters, goes to the next row, and sets the client's own colours. Nothing else.

use hubbub::client::colour::Colours;
use hubbub::client::screen::{Screen, plain};
use vte::{Params, Parser, Perform};

/// The first byte says how the screen is; the rest is a line of the server.
pub fn run(data: &[u8]) {
    let Some((&kind, line)) = data.split_first() else { return };
    let line = String::from_utf8_lossy(line);
    let colours = if kind & 1 == 1 { Colours::Many } else { Colours::None };
    let screen = Screen { width: usize::from(kind >> 1), colours, wide: kind & 2 == 2 };
    let mut terminal = Terminal { looks: true, ..Terminal::default() };
    let mut parser = Parser::new();
    let time = if kind & 4 == 4 { "12:34" } else { "" };
    let shown = screen.line(&line, "Eve", time)
        + &screen.sent(&line, &line, time)
        + &screen.word(&line, time);
    parser.advance(&mut terminal, shown.as_bytes());
    assert_eq!(terminal.rows, shown.matches('\n').count(), "{shown:?}");
    assert!(!terminal.holds_rows, "wrapping is on again");

    let mut terminal = Terminal::default();
    parser.advance(&mut terminal, plain(&line).as_bytes());
    assert_eq!(terminal.rows, 1, "a program gets one line");
}

/// Panics at whatever steers it, and at what is drawn while it would wrap by itself.
#[derive(Default)]
struct Terminal {
    /// Colours and modes are set.
    looks: bool,
    /// It does not wrap by itself now.
    holds_rows: bool,
    rows: usize,
}

impl Perform for Terminal {
    fn print(&mut self, c: char) {
        assert!(!c.is_control(), "{c:?}");
        let steers = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}');
        assert!(!steers, "{c:?}");
        assert!(!self.looks || self.holds_rows, "{c:?} could wrap");
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => self.rows += 1,
            b'\t' => {}
            _ => panic!("control byte {byte:#04x}"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        let codes: Vec<u16> = params.iter().flatten().copied().collect();
        assert!(self.looks && !ignore, "CSI {codes:?} {action:?}");
        match (codes.as_slice(), intermediates, action) {
            ([7], b"?", 'h' | 'l') => self.holds_rows = action == 'l',
            (codes, [], 'm') => assert!(is_own(codes), "SGR {codes:?}"),
            _ => panic!("CSI {codes:?} {action:?}"),
        }
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
        panic!("escape {byte:#04x}");
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        panic!("operating system command {params:?}");
    }

    fn hook(&mut self, _: &Params, _: &[u8], _: bool, action: char) {
        panic!("device control string {action:?}");
    }
}

/// Whether a look is one of the client: bold and reverse, a colour of its own, one of a name.
fn is_own(codes: &[u16]) -> bool {
    let codes = codes.strip_prefix(&[1]).unwrap_or(codes);
    let codes = codes.strip_prefix(&[7]).unwrap_or(codes);
    matches!(codes, [] | [0 | 31..=36] | [38, 5, 16..=231])
}
