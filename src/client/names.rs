//! Who is here, and the completion of what is typed. Pure.
//!
//! It is learned from what the server says, in its order: the answer to `list`, joins, leaves, and
//! who speaks. Where many come and go the server only sums up; then the names are stale, and `list`
//! is to be asked again, but rarely. Answers that nobody at the keyboard asked for are not shown.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::input::{SLASH, Slash};
use crate::name::{Folded, Name};
use crate::wire::{Notice, Reply};

/// The most names that are remembered; then the one that was silent longest is forgotten. The
/// default answer to `list` holds fewer.
const MAX_NAMES: usize = 16 * 1024;

/// The most questions whose answers are waited for; then the oldest is forgotten.
const MAX_QUESTIONS: usize = 256;

/// The most names that are shown where nobody has asked for them.
const MAX_BRIEF: usize = 40;

/// How long after one `list` the client does not send another by itself.
const ASK_INTERVAL: Duration = Duration::from_secs(60);

/// What can be typed without a slash, besides names.
const WORDS: [&str; 4] = ["all ", "help", "list", "quit"];

/// The names that are probably online.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Never completed.
    me: Option<Folded>,
    seen: BTreeMap<Folded, Seen>,
    /// Counts sightings: a clock that needs no time.
    sightings: u64,
    /// Who was written to, or wrote, in private last.
    partner: Option<Name>,
    /// The `list`s that are not answered yet, the oldest first.
    questions: VecDeque<Question>,
    /// Some came or went without being named.
    stale: bool,
    /// When the client asked by itself last.
    asked: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    name: Name,
    sighting: u64,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    /// It is about everyone, not about a prefix.
    whole: bool,
    shown: Shown,
}

/// How much of an answer, or of any other line, is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    All,
    /// Nobody has asked for it, but everyone wants to see it: the first [`MAX_BRIEF`] names.
    Brief,
    /// Only the client wants to know.
    Nothing,
}

impl Names {
    /// Learns under which name one is here.
    pub(super) fn set_me(&mut self, me: &str) {
        self.me = Some(Folded::of(me));
    }

    /// `list` is sent as the first line of a connection: what was asked over the last one is not
    /// answered any more.
    pub(super) fn ask_at_first(&mut self) {
        self.questions.clear();
        self.push(Question { whole: true, shown: Shown::Brief });
    }

    /// Somebody at the keyboard sends `list` with this prefix.
    pub(super) fn ask(&mut self, prefix: &str) {
        self.push(Question { whole: prefix.is_empty(), shown: Shown::All });
    }

    /// Whether the client is to send `list` by itself now; then its answer will not be shown.
    pub(super) fn ask_quietly(&mut self, now: Instant) -> bool {
        let lately = self.asked.is_some_and(|asked| now.duration_since(asked) < ASK_INTERVAL);
        let wanted = self.stale && !lately && !self.questions.iter().any(|asked| asked.whole);
        if wanted {
            self.asked = Some(now);
            self.push(Question { whole: true, shown: Shown::Nothing });
        }
        wanted
    }

    fn push(&mut self, question: Question) {
        if self.questions.len() == MAX_QUESTIONS {
            self.questions.pop_front();
        }
        self.questions.push_back(question);
    }

    /// A private line is sent to this name. Returns the name as its owner writes it, if it is
    /// known, or as it was typed, if it can be one.
    pub(super) fn write_to(&mut self, to: &str) -> Option<String> {
        let known = self.seen.get(&Folded::of(to)).map(|seen| seen.name.clone());
        let name = known.or_else(|| Name::parse(to).ok())?;
        let written = name.to_string();
        self.partner = Some(name);
        Some(written)
    }

    /// Learns from a line of the server who is here and who is not. Returns how much of the line is
    /// to be shown.
    pub(super) fn observe(&mut self, reply: &Reply<'_>) -> Shown {
        match *reply {
            Reply::Broadcast { from, .. } => self.add(from),
            Reply::Private { from, .. } => {
                self.add(from);
                self.partner = Name::parse(from).ok().or(self.partner.take());
            }
            Reply::Notice(notice) => match notice {
                Notice::Welcome(name) | Notice::Joined(name) => self.add(name),
                Notice::Online { names, more, .. } => return self.answer(names, more),
                // A prefix that nobody has; where nobody is here at all, there is nobody to ask.
                Notice::NoMatch(_) => return self.answer("", 0),
                Notice::Left(name) | Notice::NotFound(name) => self.remove(name),
                Notice::Crowd { .. } => self.stale = true,
                _ => {}
            },
        }
        Shown::All
    }

    /// Learns from the answer to `list`.
    fn answer(&mut self, names: &str, more: u64) -> Shown {
        let question = self.questions.pop_front();
        let names: Vec<&str> =
            names.split(", ").filter(|name| !name.is_empty()).take(MAX_NAMES).collect();
        if question.is_some_and(|question| question.whole) {
            self.stale = false;
            match names.last().map(|last| Folded::of(last)) {
                // The names come in order, and those behind the last are not told.
                Some(last) if more > 0 => self.seen.retain(|key, _| *key > last),
                _ => self.seen.clear(),
            }
        }
        for name in names {
            self.add(name);
        }
        question.map_or(Shown::All, |question| question.shown)
    }

    /// What could stand in place of the word before `cursor`, a byte offset, and where that word
    /// begins.
    pub(super) fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = line.get(..cursor).unwrap_or(line);
        if line.is_empty() {
            return (0, self.complete_nothing());
        }
        let start = before.rfind([' ', '\t', '\n']).map_or(0, |space| space + 1);
        let (earlier, word) = before.split_at(start);
        let candidates = if let Some(prefix) = word.strip_prefix('@') {
            let end = if start == 0 { " " } else { "" };
            self.matching(prefix).map(|name| format!("@{name}{end}")).collect()
        } else if earlier.eq_ignore_ascii_case("/msg ") {
            self.matching(word).map(|name| format!("{name} ")).collect()
        } else if start > 0 {
            self.matching(word).map(Name::to_string).collect()
        } else if word.starts_with('/') {
            complete_slash(word)
        } else {
            let typed = word.to_ascii_lowercase();
            let words = WORDS.iter().filter(|known| known.starts_with(&typed));
            let names = self.matching(word).map(|name| format!("{name}: "));
            names.chain(words.map(ToString::to_string)).collect()
        };
        (start, candidates)
    }

    /// What an empty line can begin with: the last private partner, or anyone, or a command.
    fn complete_nothing(&self) -> Vec<String> {
        if let Some(partner) = &self.partner {
            return vec![format!("@{partner} ")];
        }
        let names: Vec<String> = self.matching("").map(|name| format!("@{name} ")).collect();
        if names.is_empty() { complete_slash("/") } else { names }
    }

    fn matching(&self, prefix: &str) -> impl Iterator<Item = &Name> {
        let prefix = Folded::of(prefix);
        let names = self.seen.range(prefix.clone()..);
        names
            .take_while(move |(key, _)| key.as_str().starts_with(prefix.as_str()))
            .filter(|(key, _)| self.me.as_ref() != Some(key))
            .map(|(_, seen)| &seen.name)
    }

    /// Remembers a name. What is no valid name is not: the server is not trusted with the prompt.
    fn add(&mut self, name: &str) {
        self.sightings += 1;
        let sighting = self.sightings;
        if let Some(seen) = self.seen.get_mut(&Folded::of(name)) {
            seen.sighting = sighting;
            return;
        }
        let Ok(name) = Name::parse(name) else { return };
        if self.seen.len() >= MAX_NAMES {
            self.forget_one();
        }
        self.seen.insert(name.folded(), Seen { name, sighting });
    }

    fn remove(&mut self, name: &str) {
        self.seen.remove(&Folded::of(name));
    }

    fn forget_one(&mut self) {
        let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.sighting);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.seen.remove(&key);
        }
    }
}

/// The answer to `list`, cut to the first names.
pub(super) fn brief(reply: &Reply<'_>) -> Option<String> {
    let Reply::Notice(Notice::Online { count, names, .. }) = *reply else { return None };
    let (end, _) = names.match_indices(", ").nth(MAX_BRIEF - 1)?;
    let more = count.saturating_sub(MAX_BRIEF as u64);
    Some(Reply::Notice(Notice::Online { count, names: &names[..end], more }).to_string())
}

fn complete_slash(word: &str) -> Vec<String> {
    let typed = word.to_ascii_lowercase();
    let fits = |completed: &String| completed.starts_with(&typed);
    SLASH.iter().map(Slash::completed).filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(lines: &[&str]) -> Names {
        let mut names = Names::default();
        for line in lines {
            names.observe(&Reply::parse(line).unwrap());
        }
        names
    }

    fn complete(names: &Names, line: &str) -> Vec<String> {
        names.complete(line, line.len()).1
    }

    fn observe(names: &mut Names, line: &str) -> Shown {
        names.observe(&Reply::parse(line).unwrap())
    }

    #[test]
    fn whoever_is_heard_of_is_known_until_they_leave() {
        let mut names = names(&[
            "[SERVER] Welcome Alice! Commands: @Name text, all text, list, help, quit",
            "[SERVER] Bob has joined the chat!",
            "[SERVER] Online users (4): Carol, dave ... and 2 more",
            "[Erin]: hi",
            "[From Frank]: psst",
        ]);
        let all = ["@Alice ", "@Bob ", "@Carol ", "@dave ", "@Erin ", "@Frank "];
        assert_eq!(complete(&names, "@"), all);
        for gone in ["[SERVER] Bob has left the chat.", "[SERVER] User 'carol' not found."] {
            observe(&mut names, gone);
        }
        assert_eq!(complete(&names, "@"), ["@Alice ", "@dave ", "@Erin ", "@Frank "]);
    }

    #[test]
    fn a_word_completes_to_what_fits_its_place() {
        let names = names(&["[Alice]: hi", "[ALBERT]: hi", "[שרה]: hi", "[李雷]: hi"]);
        assert_eq!(complete(&names, "@al"), ["@ALBERT ", "@Alice "]);
        assert_eq!(complete(&names, "@ש"), ["@שרה "]);
        assert_eq!(names.complete("hi @ali", 7), (3, vec!["@Alice".to_owned()]));
        assert_eq!(names.complete("hi ali", 6), (3, vec!["Alice".to_owned()]));
        assert_eq!(names.complete("hi ali there", 6), (3, vec!["Alice".to_owned()]));
        assert_eq!(names.complete("/LIST ali", 9), (6, vec!["Alice".to_owned()]));
        assert_eq!(names.complete("/msg ali", 8), (5, vec!["Alice ".to_owned()]));
        assert_eq!(names.complete("@al there", 3).0, 0);
        assert_eq!(complete(&names, "ali"), ["Alice: "]);
        assert_eq!(complete(&names, "李"), ["李雷: "]);
        assert_eq!(complete(&names, "h"), ["help"]);
        assert_eq!(complete(&names, "/"), ["/help", "/list ", "/msg ", "/quit"]);
        assert_eq!(complete(&names, "/M"), ["/msg "]);
        for line in ["xyz", "@zoe", "//", "hi /l"] {
            assert!(complete(&names, line).is_empty(), "{line:?}");
        }
    }

    #[test]
    fn oneself_is_never_completed() {
        let mut names = names(&["[Alice]: hi", "[Alfred]: hi"]);
        names.set_me("ALICE");
        assert_eq!(complete(&names, "@al"), ["@Alfred "]);
        assert_eq!(complete(&names, "hi al"), ["Alfred"]);
        assert_eq!(complete(&names, ""), ["@Alfred "]);
    }

    #[test]
    fn an_empty_line_begins_with_the_last_private_partner() {
        let mut names = names(&["[Alice]: hi", "[Bob]: hi"]);
        assert_eq!(complete(&names, ""), ["@Alice ", "@Bob "], "or with anyone");
        assert_eq!(names.write_to("BOB").as_deref(), Some("Bob"));
        assert_eq!(complete(&names, ""), ["@Bob "]);
        observe(&mut names, "[From Alice]: psst");
        assert_eq!(complete(&names, ""), ["@Alice "]);
        assert_eq!(names.write_to("carol").as_deref(), Some("carol"), "not known yet");
        assert_eq!(names.write_to("\u{1b}[2J"), None);
        assert_eq!(complete(&names, ""), ["@carol "]);
        assert_eq!(complete(&Names::default(), "")[0], "/help", "nobody is here");
    }

    #[test]
    fn the_answer_to_list_replaces_what_was_known() {
        let mut names = names(&["[Ghost]: hi", "[Zoe]: hi"]);
        names.ask("");
        let answer = "[SERVER] Online users (4): Alice, Bob ... and 2 more";
        assert_eq!(observe(&mut names, answer), Shown::All);
        assert_eq!(complete(&names, "@"), ["@Alice ", "@Bob ", "@Ghost ", "@Zoe "]);
        names.ask("");
        observe(&mut names, "[SERVER] Online users (1): Alice");
        assert_eq!(complete(&names, "@"), ["@Alice "]);
        names.ask("b");
        observe(&mut names, "[SERVER] Online users (1): Bob");
        assert_eq!(complete(&names, "@"), ["@Alice ", "@Bob "], "a part replaces nothing");
        names.ask("z");
        observe(&mut names, "[SERVER] Nobody online has a name that begins with 'z'.");
        assert_eq!(complete(&names, "@"), ["@Alice ", "@Bob "]);
    }

    #[test]
    fn summaries_make_the_client_ask_again_but_rarely_and_quietly() {
        #[expect(clippy::disallowed_methods, reason = "a beginning for the times of this test")]
        let start = Instant::now();
        let mut names = names(&["[Ghost]: hi"]);
        assert!(!names.ask_quietly(start), "nothing is stale");
        observe(&mut names, "[SERVER] 3 joined, 2 left (200 online)");
        assert!(names.ask_quietly(start));
        assert!(!names.ask_quietly(start), "it is not answered yet");
        names.ask("a");
        let answer = "[SERVER] Online users (1): Alice";
        assert_eq!(observe(&mut names, answer), Shown::Nothing, "nobody asked for it");
        assert_eq!(observe(&mut names, answer), Shown::All, "somebody did");
        assert_eq!(complete(&names, "@"), ["@Alice "]);
        observe(&mut names, "[SERVER] 3 joined, 2 left (200 online)");
        assert!(!names.ask_quietly(start + ASK_INTERVAL / 2));
        assert!(names.ask_quietly(start + ASK_INTERVAL));
    }

    #[test]
    fn who_joins_a_crowd_is_told_some_names_and_knows_all() {
        let mut names = Names::default();
        names.ask("");
        names.ask_at_first();
        let list: Vec<String> = (1000..1100).map(|number| format!("u{number}")).collect();
        let answer = format!("[SERVER] Online users (100): {}", list.join(", "));
        assert_eq!(observe(&mut names, &answer), Shown::Brief);
        assert_eq!(complete(&names, "@").len(), 100);
        let shown = brief(&Reply::parse(&answer).unwrap()).unwrap();
        assert!(shown.starts_with("[SERVER] Online users (100): u1000, "), "{shown}");
        assert!(shown.ends_with("u1039 ... and 60 more"), "{shown}");
        assert_eq!(brief(&Reply::parse("[SERVER] Online users (1): Al").unwrap()), None);
    }

    #[test]
    fn a_server_cannot_plant_what_is_no_name() {
        let names = names(&[
            "[SERVER] Welcome two words! Commands: @Name text, all text, list, help, quit",
            "[From \u{202e}x]: psst",
        ]);
        assert!(names.seen.is_empty());
        assert_eq!(names.partner, None);
    }

    #[test]
    fn the_most_silent_is_forgotten_when_there_are_too_many() {
        let mut names = Names::default();
        for i in 0..MAX_NAMES {
            names.add(&format!("u{i}"));
        }
        names.add("u0");
        names.add("newcomer");
        assert_eq!(names.seen.len(), MAX_NAMES);
        assert!(complete(&names, "@u0").contains(&"@u0 ".to_owned()));
        assert!(!complete(&names, "@u1").contains(&"@u1 ".to_owned()));
        assert_eq!(complete(&names, "@newc"), ["@newcomer "]);
    }

    proptest! {
        #[test]
        fn any_line_and_cursor_can_be_completed(line in any::<String>(), cursor in 0..80usize) {
            let (start, _) = names(&["[Alice]: hi"]).complete(&line, cursor);
            prop_assert!(line.is_char_boundary(start));
        }
    }
}
