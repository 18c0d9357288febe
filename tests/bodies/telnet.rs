//! Telnet: a stream cut into any reads gives the same lines and the same answers, and they are what
//! a plain reference says.

use std::collections::HashSet;

use hubbub::wire::telnet::{self, MAX_SUBNEGOTIATION, Telnet};
use hubbub::wire::{Frame, Framer};

use super::cut;

/// Short, so that streams of a fuzzer's size exceed it.
const MAX_LINE: usize = 16;

/// The first bytes say how the stream is cut; the rest is the stream.
pub fn run(data: &[u8]) {
    let Some((reads, stream)) = cut(data) else { return };
    let (lines, answers) = serve(&reads);
    let mut reference = Reference::default();
    reference.push(stream);
    let reason = stream.escape_ascii();
    assert_eq!(answers, reference.answers, "{reason}");
    assert!(answers.len() <= stream.len(), "{reason}");
    assert_eq!(lines, framed(&reference.text), "{reason}");
}

/// What the server does with what it reads: the lines, `None` for one that it refuses, and the
/// answers.
fn serve(reads: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, Vec<u8>) {
    let (mut telnet, mut framer) = (None::<Telnet>, Framer::Line);
    let (mut kept, mut lines, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for read in reads {
        let end = kept.len();
        kept.resize(end + telnet.as_ref().map_or(0, Telnet::room), 0);
        let start = kept.len();
        kept.extend_from_slice(read);
        if telnet.is_some() || telnet::concerns(read) {
            let telnet = telnet.get_or_insert_default();
            let end = telnet.filter(&mut kept, end, start, &mut answers);
            kept.truncate(end);
        }
        let mut input = kept.as_slice();
        while let Some(frame) = framer.next(&mut input, MAX_LINE) {
            lines.push(line(frame));
        }
        kept = input.to_vec();
        assert!(kept.len() < MAX_LINE, "{} bytes are kept", kept.len());
    }
    let mut input = kept.as_slice();
    lines.extend(framer.finish(&mut input).map(line));
    (lines, answers)
}

fn line(frame: Frame<'_>) -> Option<Vec<u8>> {
    match frame {
        Frame::Line(line) => Some(telnet::edit(line).into_owned()),
        Frame::TooLong | Frame::Foreign(_) => None,
    }
}

/// The lines of a text without commands.
fn framed(text: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let mut edited: Vec<_> = lines
        .iter()
        .map(|line| {
            (line.len() < MAX_LINE).then(|| edited(line.strip_suffix(b"\r").unwrap_or(line)))
        })
        .collect();
    if !last.is_empty() {
        let fits = last.len() < MAX_LINE;
        edited.push(fits.then(|| self::edited(last.strip_suffix(b"\r").unwrap_or(last))));
    }
    edited
}

/// A line, a character at a time, where a byte that belongs to none is one. Bytes that stand
/// together only after something between them was erased can be a character, too.
pub fn edited(line: &[u8]) -> Vec<u8> {
    let mut seen = Vec::new();
    for &byte in line {
        if matches!(byte, 0x08 | 0x7f) {
            let mut characters = characters(&seen);
            erase(&mut characters);
            seen = characters.concat();
        } else {
            seen.push(byte);
        }
    }
    seen
}

fn characters(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut characters = Vec::new();
    while !rest.is_empty() {
        let valid = |len: &usize| rest.get(..*len).is_some_and(|c| std::str::from_utf8(c).is_ok());
        let (one, behind) = rest.split_at((1..=4).find(valid).unwrap_or(1));
        characters.push(one.to_vec());
        rest = behind;
    }
    characters
}

fn erase(seen: &mut Vec<Vec<u8>>) {
    const JOINER: &str = "\u{200d}";
    while let Some(last) = seen.pop() {
        let last = std::str::from_utf8(&last).unwrap_or_default();
        let extends = last == JOINER
            || last.chars().any(|c| {
                unicode_normalization::char::is_combining_mark(c)
                    || ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
            });
        if !extends && seen.last().is_none_or(|before| before != JOINER.as_bytes()) {
            return;
        }
    }
}

/// What is left of a stream, and what is answered: one piece after another is taken off the front
/// of what has come.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    pending: Vec<u8>,
    pub text: Vec<u8>,
    pub answers: Vec<u8>,
    refused: HashSet<(u8, u8)>,
}

impl Reference {
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend(bytes);
        while let Some(len) = self.take() {
            self.pending.drain(..len);
        }
    }

    /// The length of the piece at the front; `None` when it is not all there.
    fn take(&mut self) -> Option<usize> {
        match *self.pending.as_slice() {
            [] | [255] | [255, 251..=254] => None,
            [255, 255, ..] => {
                self.text.push(255);
                Some(2)
            }
            [255, verb @ (251 | 253), option, ..] => {
                let is_first = self.refused.insert((verb, option));
                if is_first || (verb, option) == (253, 6) {
                    self.answers.extend([255, if verb == 251 { 254 } else { 252 }, option]);
                }
                Some(3)
            }
            [255, 252 | 254, _, ..] => Some(3),
            [255, 250, ref rest @ ..] => Some(2 + subnegotiation(rest)?),
            [255, 236..=249, ..] => {
                if self.pending[1] == 247 {
                    self.text.push(0x08);
                }
                Some(2)
            }
            [0, ..] if self.text.last() == Some(&b'\r') => {
                self.text.push(b'\n');
                Some(1)
            }
            [byte, ..] => {
                self.text.push(byte);
                Some(1)
            }
        }
    }
}

/// How long it is: to IAC SE, or to the limit.
fn subnegotiation(rest: &[u8]) -> Option<usize> {
    let limit = usize::from(MAX_SUBNEGOTIATION);
    let mut at = 0;
    while at + 1 < limit {
        match rest.get(at..)? {
            [255, 240, ..] => return Some(at + 2),
            [255, _, ..] => at += 2,
            [255] | [] => return None,
            _ => at += 1,
        }
    }
    (rest.len() >= limit).then_some(limit)
}
