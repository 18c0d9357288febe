//! The directory: who is here, by name.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::sorted::{Entry, Sorted};
use crate::name::{Folded, MAX_SCALARS, Name};
use crate::outbound::{ClientId, NoMemory};

/// The longest text of ASCII that can be a folded name, in bytes: no letter folds to more than two.
const MAX_ASCII: usize = 2 * MAX_SCALARS;

/// Finds clients by name. No two of them have names that fold alike, or are confusable.
///
/// Of what a name looks like only a hash is kept, with a key of its own in each process. It is
/// computed once, when the name is entered. Two names that are not confusable have one hash with a
/// probability of one in 2⁶⁴; then the second one is taken while the first is here.
#[derive(Debug, Default)]
pub(super) struct Directory {
    by_folded: Sorted,
    by_look: HashMap<u64, ClientId>,
}

impl Directory {
    /// How many are here.
    pub(super) fn len(&self) -> usize {
        self.by_folded.len()
    }

    /// Makes room for so many more names.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub(super) fn reserve(&mut self, names: usize) -> Result<(), NoMemory> {
        self.by_look.try_reserve(names).or(Err(NoMemory))
    }

    /// Enters a name.
    ///
    /// # Errors
    ///
    /// The one who has this name, or one too like it.
    pub(super) fn enter(&mut self, name: &Name, id: ClientId) -> Result<(), ClientId> {
        let folded = name.folded();
        if let Some(holder) = self.by_folded.get(folded.as_str().as_bytes()) {
            return Err(holder.id);
        }
        let look = self.by_look.hasher().hash_one(name.look_alike());
        if let Some(&holder) = self.by_look.get(&look) {
            return Err(holder);
        }
        self.by_look.insert(look, id);
        self.by_folded.insert(Entry { folded, id, look });
        Ok(())
    }

    /// Strikes a name out.
    pub(super) fn leave(&mut self, name: &Name) {
        if let Some(entry) = self.by_folded.remove(name.folded().as_str().as_bytes()) {
            self.by_look.remove(&entry.look);
        }
    }

    /// Whom a client means by what it typed. Names that fold alike cannot both be here, so this is
    /// the one who has exactly this name, or else the one whose name differs from it in case only.
    pub(super) fn find(&self, typed: &str) -> Option<ClientId> {
        with_folded(typed, |folded| self.by_folded.get(folded).map(|entry| entry.id))?
    }

    /// Whose names begin like `prefix`, whatever the case: how many, and who, sorted.
    pub(super) fn beginning_with<'a>(
        &'a self,
        prefix: &str,
    ) -> (usize, impl Iterator<Item = ClientId> + use<'a>) {
        let (count, ids) =
            with_folded(prefix, |folded| self.by_folded.beginning_with(folded)).unzip();
        (count.unwrap_or(0), ids.into_iter().flatten())
    }
}

/// Folds what a client typed, unless it is longer than any name. ASCII is folded on the stack:
/// nearly every private line is addressed in it.
fn with_folded<T>(typed: &str, use_it: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if typed.is_ascii() {
        let mut buffer = [0; MAX_ASCII];
        let folded = buffer.get_mut(..typed.len())?;
        folded.copy_from_slice(typed.as_bytes());
        folded.make_ascii_lowercase();
        return Some(use_it(folded));
    }
    Folded::of_typed(typed).map(|folded| use_it(folded.as_str().as_bytes()))
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
        let (count, ids) = directory.beginning_with(prefix);
        let keys: Vec<u32> = ids.map(|id| id.key).collect();
        assert_eq!(count, keys.len());
        keys
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
        for typed in [format!("{typed}{typed}"), "\u{390}".repeat(2000), "a".repeat(65)] {
            assert_eq!(with_folded(&typed, |_| ()), None);
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
