//! A name: what is accepted keeps every promise, both keys are idempotent, nobody is a reserved
//! word or looks like `SERVER` or `From`, two names with one key never coexist, and `@x` reaches
//! nobody but an x.

use std::time::Duration;

use caseless::canonical_caseless_match_str;
use hubbub::chat::{Chat, FloodLimit, FloodLimits, Limits, Step};
use hubbub::name::{Folded, LookAlike, MAX_SCALARS, Name, RESERVED, trim};
use hubbub::outbound::{self, ClientId, Outbound};
use hubbub::wire::{Frame, Notice};
use unicode_normalization::char::is_combining_mark;

const MAX_PEOPLE: u32 = 6;
const NOON: Duration = Duration::from_secs(12 * 60 * 60);

/// Every line is a text of its own; those that are names come together in one chat.
pub fn run(data: &[u8]) {
    let Ok(texts) = std::str::from_utf8(data) else { return };
    texts.lines().for_each(keeps_its_promises);
    let mut room = Room::new();
    for (key, text) in (0..MAX_PEOPLE).zip(texts.lines()) {
        room.enter(ClientId { key, generation: 1 }, text);
    }
    for text in texts.lines().take(MAX_PEOPLE as usize) {
        room.whisper(text);
    }
}

fn keeps_its_promises(text: &str) {
    if text.chars().count() <= 2 * MAX_SCALARS {
        let folded = Folded::of(text);
        assert_eq!(Folded::of(folded.as_str()), folded, "{text:?}");
        let look = LookAlike::of(text);
        assert_eq!(LookAlike::of(look.as_str()), look, "{text:?}");
    }
    let name = match Name::parse(text) {
        Ok(name) => name,
        Err(error) => {
            let notice = Notice::NameRefused(error);
            return assert_eq!(Notice::parse(&notice.to_string()), Some(notice), "{text:?}");
        }
    };
    assert_eq!(Folded::of_typed(trim(text)), Some(Folded::of(trim(text))), "{text:?}");
    assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
    assert!((1..=MAX_SCALARS).contains(&name.as_str().chars().count()));
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "[]:@,".contains(c);
    assert!(!name.as_str().contains(forbidden), "{name:?}");
    for word in RESERVED {
        assert_ne!(name.folded(), Folded::of(word), "{name:?}");
    }
    let has_letters =
        |c: char| LookAlike::of(&c.to_string()).as_str().contains(char::is_alphanumeric);
    let letters = name.as_str().replace(|c: char| !c.is_alphanumeric() && !has_letters(c), "");
    assert_ne!(LookAlike::of(&letters), LookAlike::of("SERVER"), "{name:?}");
    if let Some(rest) = name.folded().as_str().strip_prefix("from") {
        let next = rest.chars().find(|&c| !is_combining_mark(c));
        assert!(next.is_some_and(char::is_alphabetic), "{name:?}");
    }
}

/// A chat, and who got in.
struct Room {
    chat: Chat,
    present: Vec<(ClientId, Name)>,
}

impl Room {
    fn new() -> Self {
        let outbound = Outbound::new(outbound::Limits {
            log_bytes: 1 << 14,
            mailbox_bytes: 1 << 14,
            mailbox_total: 1 << 17,
            out_budget: 4096,
            flush_slice: 0,
            stall_timeout: Duration::from_secs(90),
            min_rate: 64 << 10,
        })
        .expect("memory for a log");
        let limits = Limits {
            max_line: 256,
            list_bytes: 1024,
            login_timeout: Duration::from_secs(30),
            flood: FloodLimits::OFF,
            announce_up_to: 0,
            announce: FloodLimit::OFF,
        };
        Self { chat: Chat::new(limits, outbound), present: Vec::new() }
    }

    fn enter(&mut self, id: ClientId, text: &str) {
        self.chat.handle_connect(id, 0, NOON);
        let _ = self.chat.handle_frame(id, Frame::Line(text.as_bytes()), NOON);
        if !self.read(id).contains("Welcome ") {
            return;
        }
        let name = Name::parse(text).expect("only a name gets in");
        for (_, other) in &self.present {
            let same = canonical_caseless_match_str(name.as_str(), other.as_str());
            assert!(!same, "{name:?} beside {other:?}");
            assert_ne!(name.folded(), other.folded(), "{name:?} beside {other:?}");
            assert_ne!(name.look_alike(), other.look_alike(), "{name:?} beside {other:?}");
        }
        self.present.push((id, name));
    }

    /// The first of those present addresses whoever `text` names.
    fn whisper(&mut self, text: &str) {
        let Some(&(sender, _)) = self.present.first() else { return };
        if text.contains(' ') || text.is_empty() || text.len() > 200 {
            return;
        }
        let line = format!("@{text} psst");
        let step = self.chat.handle_frame(sender, Frame::Line(line.as_bytes()), NOON);
        assert_eq!(step, Step::Next);
        for (id, name) in self.present.clone() {
            let reached = self.read(id).contains("]: psst");
            // What people write behind a name that they address is no part of it.
            let addressed = text.trim_end_matches([':', ',']);
            let named = canonical_caseless_match_str(addressed, name.as_str());
            assert_eq!(reached, named, "@{text} and {name:?}");
        }
    }

    /// What is due to somebody now.
    fn read(&mut self, id: ClientId) -> String {
        let batch = self.chat.outbound.batch(id, 4096).expect("nobody is lapped");
        let bytes: Vec<u8> = batch.slices().iter().flat_map(|slice| slice.to_vec()).collect();
        self.chat.outbound.handle_written(id, bytes.len());
        String::from_utf8(bytes).expect("the server speaks UTF-8")
    }
}
