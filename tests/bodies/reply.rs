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
        assert!(!line.contains(is_unsafe), "{line:?}");
        assert_eq!(Reply::parse(line), Some(reply));
    }
}
