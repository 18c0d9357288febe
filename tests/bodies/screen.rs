//! The screen: what the client prints of any line, seen by a terminal's own parser, prints
//! characters, goes to the next row, and sets the client's own colours. Nothing else.

use hubbub::client::screen::{Screen, plain};
use vte::{Params, Parser, Perform};

/// The first byte says how the screen is; the rest is a line of the server.
pub fn run(data: &[u8]) {
    let Some((&kind, line)) = data.split_first() else { return };
    let line = String::from_utf8_lossy(line);
    let screen = Screen { width: usize::from(kind >> 1), colour: kind & 1 == 1 };
    let mut terminal = Terminal { colour: screen.colour, rows: 0 };
    let mut parser = Parser::new();
    let shown = screen.line(&line, "Eve") + &screen.word(&line);
    parser.advance(&mut terminal, shown.as_bytes());
    assert_eq!(terminal.rows, shown.lines().count(), "{shown:?}");

    let mut terminal = Terminal { colour: false, rows: 0 };
    parser.advance(&mut terminal, plain(&line).as_bytes());
    assert_eq!(terminal.rows, 1, "a program gets one line");
}

/// Panics at whatever steers it.
struct Terminal {
    colour: bool,
    rows: usize,
}

impl Perform for Terminal {
    fn print(&mut self, c: char) {
        assert!(!c.is_control(), "{c:?}");
        let steers = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}');
        assert!(!steers, "{c:?}");
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => self.rows += 1,
            b'\t' => {}
            _ => panic!("control byte {byte:#04x}"),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        let code: Vec<u16> = params.iter().flatten().copied().collect();
        let own = matches!(code.as_slice(), [0 | 32 | 33 | 35 | 36]);
        let colour = action == 'm' && own && intermediates.is_empty() && !ignore;
        assert!(self.colour && colour, "CSI {code:?} {action:?}");
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
