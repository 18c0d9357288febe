//! Framing: a stream of bytes becomes lines.

use memchr::memchr;

use super::foreign::Foreign;

/// The byte-order mark that some shells put before what they pipe, in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What stands at the front of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A line without its terminator.
    Line(&'a [u8]),
    /// A line over the limit. It is told once and dropped up to its newline.
    TooLong,
    /// Another protocol, which need not hold a newline: it is told by the first bytes of a stream.
    Foreign(Foreign),
}

/// Finds the frames of one stream. It keeps no bytes: what is not yet a frame stays with the
/// caller, who offers it again with more behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framer {
    /// Nothing was framed yet.
    #[default]
    Start,
    /// At the start of a line.
    Line,
    /// Within a line that was too long.
    Skipping,
}

impl Framer {
    /// Takes the next frame off the front of `input`; `None` when it needs more than is there.
    ///
    /// After `None`, fewer than `max_line` bytes are left in `input`. `max_line` counts the
    /// terminator.
    pub fn next<'a>(&mut self, input: &mut &'a [u8], max_line: usize) -> Option<Frame<'a>> {
        if *self == Self::Start
            && let Some(foreign) = Foreign::of_start(input)
        {
            *input = &[];
            return Some(Frame::Foreign(foreign));
        }
        if *self == Self::Skipping {
            let Some(end) = memchr(b'\n', input) else {
                *input = last_cr(input);
                return None;
            };
            *input = &input[end + 1..];
            *self = Self::Line;
        }
        match memchr(b'\n', input) {
            Some(end) => {
                let line = &input[..end];
                *input = &input[end + 1..];
                Some(self.line(line, end < max_line))
            }
            None if input.len() >= max_line => {
                *input = last_cr(input);
                *self = Self::Skipping;
                Some(Frame::TooLong)
            }
            None => None,
        }
    }

    /// Takes the last frame of a stream that has ended: a line needs no newline there. Call it when
    /// [`next`](Self::next) has said `None`.
    pub fn finish<'a>(&mut self, input: &mut &'a [u8]) -> Option<Frame<'a>> {
        let rest = std::mem::take(input);
        (!rest.is_empty() && *self != Self::Skipping).then(|| self.line(rest, true))
    }

    fn line<'a>(&mut self, line: &'a [u8], fits: bool) -> Frame<'a> {
        let first = std::mem::replace(self, Self::Line) == Self::Start;
        if !fits {
            return Frame::TooLong;
        }
        let line = if first { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        Frame::Line(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// What is kept of a part of a line that is dropped: a CR at its end, so that whoever takes CR NUL
/// for a line end finds it when the NUL comes.
fn last_cr(dropped: &[u8]) -> &[u8] {
    let len = usize::from(dropped.last() == Some(&b'\r'));
    &dropped[dropped.len() - len..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `chunks` as reads and returns the frames; also checks what is kept between reads.
    fn frames(chunks: &[&[u8]], max_line: usize) -> Vec<Option<Vec<u8>>> {
        let mut framer = Framer::default();
        let (mut kept, mut out) = (Vec::new(), Vec::new());
        let mut push = |frame: Frame<'_>| {
            out.push(match frame {
                Frame::Line(line) => Some(line.to_vec()),
                Frame::TooLong | Frame::Foreign(_) => None,
            });
        };
        for chunk in chunks {
            kept.extend_from_slice(chunk);
            let mut input = kept.as_slice();
            while let Some(frame) = framer.next(&mut input, max_line) {
                push(frame);
            }
            kept = input.to_vec();
            assert!(kept.len() < max_line, "{} bytes are kept", kept.len());
        }
        let mut input = kept.as_slice();
        if let Some(frame) = framer.finish(&mut input) {
            push(frame);
        }
        out
    }

    fn lines(text: &str) -> Vec<Option<Vec<u8>>> {
        frames(&[text.as_bytes()], 16)
    }

    fn some(lines: &[&str]) -> Vec<Option<Vec<u8>>> {
        lines.iter().map(|line| Some(line.as_bytes().to_vec())).collect()
    }

    #[test]
    fn lines_end_by_lf_or_crlf_or_the_end() {
        assert_eq!(lines("one\ntwo\r\n\nthree"), some(&["one", "two", "", "three"]));
        assert_eq!(lines("a\rb\r\r\n"), some(&["a\rb\r"]));
    }

    #[test]
    fn one_byte_order_mark_is_dropped_at_the_start_only() {
        assert_eq!(lines("\u{feff}a\n\u{feff}b\n"), some(&["a", "\u{feff}b"]));
        assert_eq!(lines("\u{feff}\u{feff}a\n"), some(&["\u{feff}a"]));
    }

    #[test]
    fn the_limit_counts_the_terminator() {
        assert_eq!(lines("123456789012345\n"), some(&["123456789012345"]));
        assert_eq!(lines("1234567890123456\n"), [None]);
        assert_eq!(lines("12345678901234\r\n"), some(&["12345678901234"]));
        assert_eq!(lines("123456789012345\r\n"), [None]);
    }

    #[test]
    fn an_oversized_line_is_told_once_and_skipped_to_its_newline() {
        let mut want = vec![None];
        want.extend(some(&["ok"]));
        assert_eq!(lines(&format!("{}\nok\n", "x".repeat(100))), want);
        assert_eq!(lines(&"x".repeat(100)), [None]);
        assert_eq!(lines(&format!("{}\r", "x".repeat(100))), [None]);
        let (mut framer, mut input) = (Framer::Skipping, b"xyz\r".as_slice());
        assert_eq!((framer.next(&mut input, 16), input), (None, b"\r".as_slice()));
    }

    #[test]
    fn a_tls_hello_is_told_at_once() {
        let tls = Some(Frame::Foreign(Foreign::Tls));
        assert_eq!(Framer::default().next(&mut &b"\x16"[..], 16), tls);
        assert_eq!(lines("a\n\x16\n"), some(&["a", "\x16"]));
    }

    /// Those that mean something to a framer, and two that do not.
    const BYTES: &[u8] = b"ab\r\n\xef\xbb\xbf\x17";

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            stream in prop::collection::vec(prop::sample::select(BYTES), 0..80),
            cuts in prop::collection::vec(0..80usize, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            prop_assert_eq!(frames(&chunks, 8), frames(&[&stream], 8));
        }
    }
}
