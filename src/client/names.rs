//! Names that were seen, and the completion of what is typed.

use std::collections::BTreeMap;

use crate::name::{Folded, Name};
use crate::wire::{Notice, Reply};

/// The most names that are remembered; then the one that was silent longest is forgotten.
const MAX_NAMES: usize = 1024;

/// The commands, as far as they can be completed.
const COMMANDS: [&str; 4] = ["all ", "help", "list", "quit"];

/// The names that are probably online.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<Folded, Seen>,
    /// Counts sightings: a clock that needs no time.
    sightings: u64,
}

#[derive(Debug)]
struct Seen {
    name: Name,
    sighting: u64,
}

impl Names {
    /// Learns from a line of the server who is here and who is not.
    pub(super) fn observe(&mut self, reply: &Reply<'_>) {
        match *reply {
            Reply::Broadcast { from, .. } | Reply::Private { from, .. } => self.add(from),
            Reply::Notice(notice) => match notice {
                Notice::Welcome(name) | Notice::Joined(name) => self.add(name),
                Notice::Online { names, .. } => {
                    names.split(", ").take(MAX_NAMES).for_each(|name| self.add(name));
                }
                Notice::Left(name) | Notice::NotFound(name) => self.remove(name),
                _ => {}
            },
        }
    }

    /// What could stand in place of the word before `cursor`, a byte offset, and where that word
    /// begins. Names complete after an `@` and as the prefix of `list`, commands as the first word.
    pub(super) fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = line.get(..cursor).unwrap_or(line);
        let start = before.rfind(' ').map_or(0, |space| space + 1);
        let (earlier, word) = before.split_at(start);
        let candidates = if let Some(prefix) = word.strip_prefix('@') {
            let end = if start == 0 { " " } else { "" };
            self.matching(prefix).map(|name| format!("@{name}{end}")).collect()
        } else if earlier.eq_ignore_ascii_case("list ") {
            self.matching(word).map(Name::to_string).collect()
        } else if start == 0 {
            let typed = word.to_ascii_lowercase();
            COMMANDS.iter().filter(|c| c.starts_with(&typed)).map(ToString::to_string).collect()
        } else {
            Vec::new()
        };
        (start, candidates)
    }

    fn matching(&self, prefix: &str) -> impl Iterator<Item = &Name> {
        let prefix = Folded::of(prefix);
        let names = self.seen.range(prefix.clone()..);
        names
            .take_while(move |(key, _)| key.as_str().starts_with(prefix.as_str()))
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
            names.observe(&Reply::parse(gone).unwrap());
        }
        assert_eq!(complete(&names, "@"), ["@Alice ", "@dave ", "@Erin ", "@Frank "]);
    }

    #[test]
    fn a_word_completes_to_what_fits_its_place() {
        let names = names(&["[Alice]: hi", "[ALBERT]: hi", "[שרה]: hi"]);
        assert_eq!(complete(&names, "@al"), ["@ALBERT ", "@Alice "]);
        assert_eq!(complete(&names, "@ש"), ["@שרה "]);
        assert_eq!(names.complete("all hi @ali", 11), (7, vec!["@Alice".to_owned()]));
        assert_eq!(names.complete("LIST ali", 8), (5, vec!["Alice".to_owned()]));
        assert_eq!(names.complete("@al there", 3).0, 0);
        assert_eq!(complete(&names, "A"), ["all "]);
        assert_eq!(complete(&names, ""), COMMANDS);
        for line in ["all hi", "xyz", "@zoe", "all al"] {
            assert!(complete(&names, line).is_empty(), "{line:?}");
        }
    }

    #[test]
    fn a_server_cannot_plant_what_is_no_name() {
        let names = names(&["[SERVER] Welcome two words! Commands: @Name text, all text, \
                             list, help, quit"]);
        assert!(names.seen.is_empty());
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
