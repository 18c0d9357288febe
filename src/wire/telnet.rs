//! Telnet: its commands are taken out of a stream, and its keys edit a line (RFC 854, RFC 855).
//!
//! A Telnet program puts commands between the bytes that somebody types. Each begins with IAC, a
//! byte of 0xFF, which no UTF-8 text holds. This server has no options, so it refuses each that it
//! is asked for, once. Two keys reach it where the program does not edit lines itself: backspace,
//! and Enter as CR NUL.
//!
//! Nothing here is reached by a stream without the bytes that [`concerns`] looks for.

use std::borrow::Cow;

use memchr::memchr2;
use unicode_normalization::char::is_combining_mark;

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// A subnegotiation begins; it ends with IAC SE.
const SB: u8 = 250;
const ERASE_CHARACTER: u8 = 247;
const SE: u8 = 240;
/// The lowest command: end of file (RFC 1184). IAC before anything lower is no command.
const FIRST_COMMAND: u8 = 236;

/// The option that a Telnet program asks for after an interrupt, and then shows nothing until it
/// is answered (RFC 860). It is asked for anew each time.
const TIMING_MARK: u8 = 6;

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;

/// The longest subnegotiation, in bytes behind SB. No option is ever agreed on, so there is no
/// reason for one; without a limit, one that does not end would hide all that is said after it.
pub const MAX_SUBNEGOTIATION: u16 = 256;

/// What is known of one Telnet stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telnet {
    state: State,
    /// The options that were refused: those that the peer asked for, and those that it offered.
    refused: [[u64; 4]; 2],
}

/// Where in a command the stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between commands.
    #[default]
    Text,
    /// Behind IAC.
    Command,
    /// Behind WILL, WONT, DO or DONT.
    Option(u8),
    /// In a subnegotiation, of which so many bytes may follow.
    Sub(u16),
    /// Behind IAC in one.
    SubCommand(u16),
}

/// Whether there can be anything in these bytes that concerns Telnet: IAC, NUL, or a key that
/// edits. No branch, so that the compiler looks at sixteen bytes at a time; 0x01 to 0x07 are found
/// too, because that is one comparison less.
#[expect(clippy::needless_bitwise_bool, reason = "a branch for each byte is what this avoids")]
pub fn concerns(bytes: &[u8]) -> bool {
    let is_suspect = |byte: u8| (byte.wrapping_sub(9) >= IAC - 9) | (byte == DELETE);
    bytes.iter().fold(false, |found, &byte| found | is_suspect(byte))
}

impl Telnet {
    /// How much room [`filter`](Self::filter) needs before the next bytes: one byte where the last
    /// ones ended with an IAC, which may turn out to belong to the text.
    pub fn room(&self) -> usize {
        usize::from(self.state == State::Command)
    }

    /// Takes the commands out of the bytes from `start` on, in place, and moves the text to `end`,
    /// where the text before them ends. Returns where the text ends now. What is to be written to
    /// the peer is put behind `answers`: three bytes at most for three that were taken out.
    ///
    /// CR NUL becomes CR LF, and the command to erase a character a backspace.
    pub fn filter(
        &mut self,
        buffer: &mut [u8],
        mut end: usize,
        start: usize,
        answers: &mut Vec<u8>,
    ) -> usize {
        for at in start..buffer.len() {
            let byte = buffer[at];
            let text = match self.state {
                State::Text if byte == IAC => {
                    self.state = State::Command;
                    None
                }
                State::Text => Some(byte),
                State::Command if byte == IAC || byte < FIRST_COMMAND => {
                    self.state = State::Text;
                    // The room of the IAC is free: it was not kept.
                    buffer[end] = IAC;
                    end += 1;
                    (byte != IAC).then_some(byte)
                }
                State::Command => self.command(byte),
                State::Option(verb) => {
                    self.state = State::Text;
                    self.refuse(verb, byte, answers);
                    None
                }
                State::Sub(left) | State::SubCommand(left) => {
                    self.subnegotiate(byte, left);
                    None
                }
            };
            if let Some(byte) = text {
                let ends_line = byte == 0 && end > 0 && buffer[end - 1] == b'\r';
                buffer[end] = if ends_line { b'\n' } else { byte };
                end += 1;
            }
        }
        end
    }

    /// The byte behind IAC.
    fn command(&mut self, byte: u8) -> Option<u8> {
        self.state = match byte {
            WILL | WONT | DO | DONT => State::Option(byte),
            SB => State::Sub(MAX_SUBNEGOTIATION),
            _ => State::Text,
        };
        (byte == ERASE_CHARACTER).then_some(BACKSPACE)
    }

    fn subnegotiate(&mut self, byte: u8, left: u16) {
        let is_over = byte == SE && matches!(self.state, State::SubCommand(_));
        self.state = match self.state {
            _ if is_over || left <= 1 => State::Text,
            State::Sub(_) if byte == IAC => State::SubCommand(left - 1),
            _ => State::Sub(left - 1),
        };
    }

    /// Answers DO with WONT and WILL with DONT, once for each option. WONT and DONT need no answer,
    /// and without one there is no loop (RFC 854, "option negotiation").
    fn refuse(&mut self, verb: u8, option: u8, answers: &mut Vec<u8>) {
        let (side, refusal) = match verb {
            DO => (0, WONT),
            WILL => (1, DONT),
            _ => return,
        };
        let refused = &mut self.refused[side][usize::from(option / 64)];
        let bit = 1 << (option % 64);
        if *refused & bit == 0 || (verb, option) == (DO, TIMING_MARK) {
            answers.extend([IAC, refusal, option]);
        }
        *refused |= bit;
    }
}

/// A line as whoever typed it sees it: each backspace or delete has taken back the character before
/// it, with the marks on it.
pub fn edit(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(BACKSPACE, DELETE, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut edited = Vec::with_capacity(line.len());
    for &byte in line {
        match byte {
            BACKSPACE | DELETE => erase(&mut edited),
            _ => edited.push(byte),
        }
    }
    Cow::Owned(edited)
}

/// Takes back what a screen shows as one character: a letter with its marks, an emoji with its
/// modifiers and those joined to it. Each byte is looked at a few times at most, however a line
/// is made up.
fn erase(text: &mut Vec<u8>) {
    const JOINER: &[u8] = "\u{200d}".as_bytes();
    let extends =
        |c: char| is_combining_mark(c) || matches!(c, '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}');
    while let Some(last) = pop(text) {
        if !extends(last) && !text.ends_with(JOINER) {
            return;
        }
    }
}

/// Takes the last character off, or one byte of what is not UTF-8.
fn pop(text: &mut Vec<u8>) -> Option<char> {
    let tail = |len: usize| std::str::from_utf8(text.get(text.len().checked_sub(len)?..)?).ok();
    let Some(last) = (1..=4).find_map(|len| tail(len)?.chars().next()) else {
        return text.pop().map(|_| char::REPLACEMENT_CHARACTER);
    };
    text.truncate(text.len() - last.len_utf8());
    Some(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is left of a stream that comes in these reads, and what is answered.
    fn reads(reads: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut telnet, mut text, mut answers) = (Telnet::default(), Vec::new(), Vec::new());
        for read in reads {
            let end = text.len();
            text.resize(end + telnet.room(), 0);
            let start = text.len();
            text.extend_from_slice(read);
            let end = telnet.filter(&mut text, end, start, &mut answers);
            text.truncate(end);
        }
        (text, answers)
    }

    fn text(stream: &[u8]) -> Vec<u8> {
        reads(&[stream]).0
    }

    #[test]
    fn commands_are_taken_out() {
        assert_eq!(text(b"a\xff\xf4b\xff\xf1c\xff\xf9"), b"abc");
        assert_eq!(text(b"a\xff\xfb\x01b\xff\xfe\x0ac"), b"abc", "an option is no line end");
        assert_eq!(text(b"a\xff\xfa\x18\0xterm\n\xff\xff\xff\xf0b"), b"ab");
        assert_eq!(text(b"a\xff\xffb"), b"a\xffb", "a byte of the text");
        assert_eq!(text(b"ab\xff\xf7c"), b"ab\x08c");
        assert_eq!(text(b"a\r\0b\r\nc\0\r"), b"a\r\nb\r\nc\0\r");
    }

    #[test]
    fn what_is_no_command_belongs_to_the_text() {
        assert_eq!(text(b"Zo\xff said\n\xff\n"), b"Zo\xff said\n\xff\n");
        assert_eq!(reads(&[b"\xff", b"SMB"]).0, b"\xffSMB");
        assert_eq!(reads(&[b"\r\xff", b"\xf1", b"\0"]).0, b"\r\n");
    }

    #[test]
    fn each_option_is_refused_once_and_a_timing_mark_each_time() {
        let (_, answers) = reads(&[b"\xff\xfd\x01\xff\xfb\x1f", b"\xff\xfb\x1f\xff\xfd\x01"]);
        assert_eq!(answers, b"\xff\xfc\x01\xff\xfe\x1f");
        let (text, answers) = reads(&[b"\xff\xf4\xff\xfd\x06", b"\xff\xf2\xff\xf4\xff\xfd\x06"]);
        assert_eq!((text, answers), (vec![], b"\xff\xfc\x06\xff\xfc\x06".to_vec()));
        let (_, answers) = reads(&[b"\xff\xfe\x01\xff\xfc\x01"]);
        assert!(answers.is_empty(), "a refusal is not answered");
        let (_, answers) = reads(&[b"\xff\xfd\xff"]);
        assert_eq!(answers, b"\xff\xfc\xff");
    }

    #[test]
    fn a_subnegotiation_that_does_not_end_hides_no_more_than_its_limit() {
        let endless =
            [b"\xff\xfa".as_slice(), &[b'x'; MAX_SUBNEGOTIATION as usize], b"seen"].concat();
        assert_eq!(text(&endless), b"seen");
    }

    #[test]
    fn keys_take_back_whole_characters() {
        for (typed, seen) in [
            ("helo\x08lo", "hello"),
            ("ab\x7f\x7f\x7f\x08c", "c"),
            ("né\x08e", "ne"),
            ("ne\u{301}\x08x", "nx"),
            ("שִׁ\x08x", "x"),
            ("a👍🏽\x08b", "ab"),
            ("a👩\u{200d}👩\u{200d}👧\x08b", "ab"),
            ("a❤\u{fe0f}\x08b", "ab"),
            ("\u{301}\x08x", "x"),
        ] {
            assert_eq!(edit(typed.as_bytes()), seen.as_bytes(), "{typed:?}");
        }
        assert_eq!(edit(b"a\xe2\x82\x08b"), b"a\xe2b".as_slice(), "half a character is bytes");
        assert!(matches!(edit("nothing to do: é".as_bytes()), Cow::Borrowed(_)));
    }

    #[test]
    fn what_concerns_telnet_is_seen_and_people_do_not() {
        for byte in 0..=255_u8 {
            let must = matches!(byte, 0 | BACKSPACE | DELETE | IAC);
            assert!(!must || concerns(&[b'a', byte]), "{byte}");
        }
        for text in ["all hi\r\n\tthere", "né, שלום, 漢字, 👩\u{200d}👧", "\u{7ff}\u{ffff}"]
        {
            assert!(!concerns(text.as_bytes()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_goes_through_untouched(text in "[^\0\x08\x7f]{0,40}") {
            prop_assert_eq!(reads(&[text.as_bytes()]), (text.clone().into_bytes(), vec![]));
            prop_assert_eq!(edit(text.as_bytes()).into_owned(), text.into_bytes());
        }

        #[test]
        fn edited_text_is_text(text in "[a\u{301}é👩\u{200d}\x08]{0,40}") {
            let edited = edit(text.as_bytes()).into_owned();
            prop_assert!(!edited.contains(&BACKSPACE) && edited.len() <= text.len());
            prop_assert!(String::from_utf8(edited).is_ok());
        }
    }
}
