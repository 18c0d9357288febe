//! Names that the protocol keeps for itself.

use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::confusable::push_prototype;
use super::keys::Folded;
use super::{NameError, RESERVED};

/// What `SERVER` and `From` look like: the prototypes of their letters.
const SERVER: &str = "server";
const FROM: &str = "frorn";

/// No reserved word has more scalars.
const LONGEST_WORD: usize = 6;

/// Letters that read as a sign between or behind others: a stroke of Han or Kana.
const STROKES: [char; 10] = ['一', 'ー', '丨', '丶', '丿', '乀', '乁', '亅', 'ㄧ', 'ㆍ'];

/// Checks that a name is no reserved word, does not look like `SERVER`, and does not begin like the
/// `From` of a private message.
pub(super) fn check(name: &str) -> Result<(), NameError> {
    if name.chars().nth(LONGEST_WORD).is_none() {
        let folded = Folded::of(name);
        if let Some(word) = RESERVED.into_iter().find(|word| Folded::of(word) == folded) {
            return Err(NameError::Reserved(word));
        }
    }
    check_looks(name)
}

/// Compares what the letters of a name look like, whatever stands between them, and looks no
/// farther than to the first letter that is another.
///
/// A name begins like `From` if `[name]: ` could be read as `[From Somebody]: `: behind these four
/// letters it ends, or goes on with something that begins a new word. So Fromm and Fromage are
/// names, `From-Alice`, `FromAlice` and `From1` are not.
fn check_looks(name: &str) -> Result<(), NameError> {
    let (mut server, mut from) = (Some(SERVER), Some(FROM));
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        let letters = letters(c);
        server = server.and_then(|rest| rest.strip_prefix(letters.as_str()));
        from = from.and_then(|rest| rest.strip_prefix(letters.as_str()));
        match (server, from) {
            (_, Some("")) if begins_word(c, chars.clone().find(|&c| !is_combining_mark(c))) => {
                return Err(NameError::BeginsLikeFrom);
            }
            (None, None) | (_, Some("")) => return Ok(()),
            _ => {}
        }
    }
    if server == Some("") { Err(NameError::LooksLikeServer) } else { Ok(()) }
}

/// Whether a reader who has read a word up to `last` sees a new one begin with `next`.
fn begins_word(last: char, next: Option<char>) -> bool {
    match next {
        Some(next) if next.is_lowercase() => last.is_uppercase(),
        Some(next) if next.is_uppercase() => last.is_lowercase(),
        _ => true,
    }
}

/// The letters and digits that a character looks like: nothing where it is a mark or a sign.
fn letters(c: char) -> CompactString {
    let mut letters = CompactString::default();
    c.nfd().for_each(|part| push_prototype(part, &mut letters));
    letters.retain(|c| c.is_alphanumeric() && !is_sign(c) && !is_combining_mark(c));
    letters
}

/// Whether a letter of Unicode is a sign to a reader: a modifier, or a mere stroke.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{2b0}'..='\u{2ff}' | '\u{a700}'..='\u{a71f}') || STROKES.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_compared_by_case_fold_only() {
        for (name, word) in
            [("all", "all"), ("LiSt", "list"), ("liſt", "list"), ("Server", "SERVER")]
        {
            assert_eq!(check(name), Err(NameError::Reserved(word)), "{name:?}");
        }
        for name in ["Ali", "aII", "al1", "He1p", "Iist", "Quít", "quit1", "_all"] {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn nothing_is_server_once_marks_and_signs_are_gone() {
        let names = [
            "SERVER.",
            "S.E.R.V.E.R",
            "_SERVER_",
            "-server",
            "ṢERVER",
            "S\u{301}erver",
            "ЅERVER",
            "SΕRVER",
            "Ѕ̣ЕRVЕR!",
            "SERVER一",
            "SERVERー",
            "SERVERʼ",
            "SERVERˑ",
            "SERVE\u{335}R",
            "ᏚᎬᎡᏙᎬᎡ",
            "(SERVER)",
            "SERVER~",
            "SERVER·",
        ];
        for name in names {
            assert_eq!(check(name), Err(NameError::LooksLikeServer), "{name:?}");
        }
        for name in
            ["Servera", "Verser", "Serve", "SERVER1", "Observer", "5ERVER", "...", "サーバー"]
        {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn nothing_begins_like_the_from_of_a_private_message() {
        let names = [
            "From",
            "from",
            "FROM",
            "From-Alice",
            "From.Alice",
            "From_Alice",
            "from-alice",
            "FROM-ALICE",
            "FromAlice",
            "FROMalice",
            "From1",
            "ҒromAlice",
            "Ғrom_Alice",
            "Fr0m-Alice",
            "Frorn-Alice",
            "F̣rom-Alice",
            "F.r.o.m.Alice",
            "_From_Alice",
            "Ϝrom-Alice",
            "Frоm-Alice",
            "From李雷",
            "Fromʼx",
            "From\u{301}Alice",
        ];
        for name in names {
            assert_eq!(check(name), Err(NameError::BeginsLikeFrom), "{name:?}");
        }
        for name in
            ["Fromm", "Fromage", "Frommer", "FROMMER", "Fromentin", "Fron", "Afrom", "Fr", "Frоmm"]
        {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
    }
}
