//! A reply: what parses prints as itself, and nothing that a client sends reads as a notice.

use hubbub::wire::text::{clean, is_unsafe, quote};
use hubbub::wire::{Notice, Reply};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(reply) = Reply::parse(text) {
        assert_eq!(reply.to_string(), text);
        assert_eq!(Reply::parse(&reply.to_string()), Some(reply));
    }
    let (said, quoted) = (clean(text), quote(text));
    assert_eq!(said, reference(text));
    assert!(said.len() <= text.len());
    for reply in [
        Reply::Broadcast { from: "Eve", text: &said },
        Reply::Private { from: "Eve", text: &said },
        Reply::Notice(Notice::Unknown(&quoted)),
        Reply::Notice(Notice::NotFound(&quoted)),
    ] {
        let mut scratch = String::new();
        let line = reply.parts(&mut scratch).concat();
        let line = std::str::from_utf8(&line).expect("UTF-8 goes in");
        let line = line.strip_suffix('\n').expect("a line has its end");
        assert_eq!(clean(line), line, "what is clean stays so");
        assert_eq!(Reply::parse(line), Some(reply));
    }
}

/// The same, a character at a time: only in a flag do tag characters stay.
fn reference(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut safe, mut at) = (String::new(), 0);
    while let Some(&c) = chars.get(at) {
        let flag = if at > 0 && chars[at - 1] == '\u{1f3f4}' { flag(&chars[at..]) } else { 0 };
        safe.extend(&chars[at..at + flag]);
        at += flag;
        if flag == 0 {
            at += 1;
            safe.push(match c {
                '\u{200b}' => ' ',
                c if is_unsafe(c) && c.len_utf8() <= 2 => '?',
                c if is_unsafe(c) => '\u{fffd}',
                c => c,
            });
        }
    }
    safe
}

/// How many of these are the tags of a flag.
fn flag(chars: &[char]) -> usize {
    let is_region =
        |c: &char| ('0'..='9').chain('a'..='z').any(|a| *c as u32 == a as u32 + 0xe0000);
    let region = chars.iter().take_while(|c| is_region(c)).count();
    let ends = chars.get(region) == Some(&'\u{e007f}');
    if (1..=6).contains(&region) && ends { region + 1 } else { 0 }
}
