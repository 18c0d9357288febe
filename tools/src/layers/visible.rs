//! Text that somebody else wrote, as it can be shown.

/// Text of bytes, with nothing in it that steers a terminal or turns the text around: control
/// characters are written as in a program (`\n`, `\x1b`), what reverses text and what is no text
/// becomes U+FFFD.
/// Beyond `most` characters it is cut.
pub fn text(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for c in text.chars().take(most) {
        match c {
            c if c.is_ascii_control() => shown.push_str(&escaped(c)),
            c if c.is_control() || is_steering(c) => shown.push(char::REPLACEMENT_CHARACTER),
            c => shown.push(c),
        }
    }
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

fn escaped(c: char) -> String {
    match c {
        '\r' => "\\r".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        c => format!("\\x{:02x}", u32::from(c)),
    }
}

/// Line separators, and the embeddings, overrides and isolates of bidirectional text.
fn is_steering(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A character by itself, in the column of a dump; `None` when it has no width of its own.
pub fn glyph(c: char) -> Option<char> {
    let is_plain = !c.is_control() && !is_steering(c);
    let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
    (is_plain && width > 0).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_and_everything_else_stays() {
        let hostile = "\x1b[2Jx\u{202e}y\u{9b}z\u{2028}\r\n";
        assert_eq!(text(hostile.as_bytes(), 99), "\\x1b[2Jx\u{fffd}y\u{fffd}z\u{fffd}\\r\\n");
        assert_eq!(text("שלום 🫖".as_bytes(), 99), "שלום 🫖");
        assert_eq!(text(b"abc", 2), "ab…");
        assert_eq!(text(b"ab\xff", 3), "ab\u{fffd}");
    }
}
