//! The directory: who is here, by name.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::name::{Folded, LookAlike, MAX_SCALARS, Name};
use crate::outbound::ClientId;

/// Finds clients by name. No two of them have names that fold alike, or look alike.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// In the order in which `list` tells them.
    by_folded: BTreeMap<Folded, ClientId>,
    by_look: HashMap<LookAlike, ClientId>,
}

impl Directory {
    /// How many are here.
    pub(super) fn len(&self) -> usize {
        self.by_folded.len()
    }

    /// Enters a name.
    ///
    /// # Errors
    ///
    /// The one who has this name, or one too like it.
    pub(super) fn enter(&mut self, name: &Name, id: ClientId) -> Result<(), ClientId> {
        let (folded, look) = (name.folded(), name.look_alike());
        if let Some(&holder) = self.by_folded.get(&folded).or_else(|| self.by_look.get(&look)) {
            return Err(holder);
        }
        self.by_folded.insert(folded, id);
        self.by_look.insert(look, id);
        Ok(())
    }

    /// Strikes a name out.
    pub(super) fn leave(&mut self, name: &Name) {
        self.by_folded.remove(&name.folded());
        self.by_look.remove(&name.look_alike());
    }

    /// Whom a client means by what it typed. Names that fold alike cannot both be here, so this is
    /// the one who has exactly this name, or else the one whose name differs from it in case only.
    pub(super) fn find(&self, typed: &str) -> Option<ClientId> {
        if is_too_long(typed) {
            return None;
        }
        self.by_folded.get(&Folded::of(typed)).copied()
    }

    /// Everyone whose name begins like `prefix`, whatever the case, sorted.
    pub(super) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = ClientId> {
        let nobody = is_too_long(prefix);
        let prefix = Folded::of(if nobody { "" } else { prefix });
        let from = Bound::Included(prefix.clone());
        self.by_folded
            .range((from, Bound::Unbounded))
            .take_while(move |(folded, _)| !nobody && folded.as_str().starts_with(prefix.as_str()))
            .map(|(_, &id)| id)
    }
}

/// Whether a text has more characters than any name, even one typed mark by mark: no character
/// decomposes canonically into more than four. Folding a whole line costs up to a millisecond, and
/// a client sends many.
fn is_too_long(typed: &str) -> bool {
    typed.chars().nth(4 * MAX_SCALARS).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(names: &[&str]) -> Directory {
        let mut directory = Directory::default();
        for (id, name) in ids().zip(names) {
            directory.enter(&Name::parse(name).unwrap(), id).unwrap();
        }
        directory
    }

    fn ids() -> impl Iterator<Item = ClientId> {
        (0..).map(|key| ClientId { key, generation: 0 })
    }

    fn keys(directory: &Directory, prefix: &str) -> Vec<u32> {
        directory.beginning_with(prefix).map(|id| id.key).collect()
    }

    #[test]
    fn a_name_is_found_in_any_case_and_never_by_a_look_alike() {
        let directory = directory(&["Alice", "שרה"]);
        for typed in ["Alice", "alice", "ALICE"] {
            assert_eq!(directory.find(typed).map(|id| id.key), Some(0), "{typed}");
        }
        assert_eq!(directory.find("שרה").map(|id| id.key), Some(1));
        for typed in ["AIice", "Alic", "", "Аlice"] {
            assert_eq!(directory.find(typed), None, "{typed}");
        }
    }

    #[test]
    fn what_is_longer_than_any_name_is_not_even_folded() {
        let (typed, whole) = ("\u{3b9}\u{308}\u{301}".repeat(32), "\u{390}".repeat(32));
        let directory = directory(&[&whole]);
        assert_eq!(directory.find(&typed).map(|id| id.key), Some(0), "mark by mark");
        assert_eq!(keys(&directory, &typed), [0]);
        for typed in [format!("{typed}{typed}"), "\u{390}".repeat(2000)] {
            assert!(is_too_long(&typed));
            assert_eq!((directory.find(&typed), keys(&directory, &typed)), (None, Vec::new()));
        }
    }

    #[test]
    fn a_name_is_taken_by_its_likes_until_it_leaves() {
        let mut directory = directory(&["Alice"]);
        let new = ids().nth(9).unwrap();
        for text in ["Alice", "aLICE", "AIice", "Аlice"] {
            let holder = directory.enter(&Name::parse(text).unwrap(), new);
            assert_eq!(holder.map_err(|id| id.key), Err(0), "{text}");
        }
        directory.leave(&Name::parse("Alice").unwrap());
        directory.enter(&Name::parse("AIice").unwrap(), new).unwrap();
        assert_eq!(directory.find("alice"), None);
        assert_eq!(directory.len(), 1);
    }

    #[test]
    fn a_list_is_sorted_whatever_the_case_and_can_be_narrowed() {
        let directory = directory(&["bob", "Alice", "alfred", "Zoe", "Élodie"]);
        assert_eq!(keys(&directory, ""), [2, 1, 0, 3, 4]);
        assert_eq!(keys(&directory, "AL"), [2, 1]);
        assert_eq!(keys(&directory, "él"), [4]);
        assert_eq!(keys(&directory, "x"), [0; 0]);
    }
}
