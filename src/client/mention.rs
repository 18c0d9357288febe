//! Whether a text mentions a name: as a word of its own, in any case. Pure.

use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

use crate::name::Folded;

/// Whether `text` mentions `name`.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let (text, name) = (Folded::of(text), Folded::of(name));
    let (text, name) = (text.as_str(), name.as_str());
    let (Some(first), Some(last)) = (name.chars().next(), name.chars().next_back()) else {
        return false;
    };
    text.match_indices(name).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        before.is_none_or(|before| begins_between(before, first))
            && after.is_none_or(|after| ends_between(last, after))
    })
}

/// Whether a word can begin between these two.
fn begins_between(before: char, first: char) -> bool {
    !is_word(before) || !is_word(first) || is_unspaced(before) || is_unspaced(first)
}

/// Whether a word can end between these two. Korean puts particles right behind a name.
fn ends_between(last: char, after: char) -> bool {
    if is_combining_mark(after) {
        return false;
    }
    let ends = !is_word(last) || !is_word(after) || is_unspaced(last) || is_unspaced(after);
    ends || last.script() == Script::Hangul
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || c == '_'
}

/// Whether the script of a character is written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(
        c.script(),
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Bopomofo
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_mentioned_as_a_whole_word_in_any_case() {
        for text in ["Bob", "hi bob!", "BOB: look", "@Bob", "ask Bob's brother", "(bob)", "a,Bob,c"]
        {
            assert!(mentions(text, "Bob"), "{text:?}");
        }
        for text in ["Bobby", "kebob", "bo b", "bob1", "bob_", "", "b\u{301}ob", "bob\u{301}"] {
            assert!(!mentions(text, "Bob"), "{text:?}");
        }
        assert!(mentions("Bobby and bob", "Bob"), "the second one is whole");
    }

    #[test]
    fn names_of_other_scripts_are_words_too() {
        assert!(mentions("שלום שרה!", "שרה"));
        assert!(!mentions("לשרה", "שרה"), "with a prefix it is another word");
        assert!(mentions("يا علي", "علي"));
        assert!(!mentions("عليه", "علي"));
        assert!(mentions("привет, ДМИТРИЙ", "Дмитрий"));
        assert!(mentions("STRASSE hier", "Straße"));
        assert!(mentions("你好李雷在吗", "李雷"), "Chinese has no spaces");
        assert!(mentions("さくらさんへ", "さくら"));
        assert!(mentions("안녕 민수야", "민수"), "a particle follows");
        assert!(!mentions("김민수 안녕", "민수"));
        assert!(mentions("Jose\u{301} is here", "José"), "normalised");
    }

    #[test]
    fn a_name_of_signs_is_found_between_signs() {
        assert!(mentions("see c++ there", "c++"));
        assert!(mentions("al-ice_99?", "al-ice_99"));
    }

    proptest! {
        #[test]
        fn any_text_and_name_can_be_asked(text in any::<String>(), name in any::<String>()) {
            let _ = mentions(&text, &name);
        }

        #[test]
        fn between_spaces_it_is_always_a_mention(name in "[a-zא-ת李雷]{1,8}") {
            let text = format!("hi {} there", name.to_uppercase());
            prop_assert!(mentions(&text, &name));
        }
    }
}
