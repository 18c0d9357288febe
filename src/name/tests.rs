use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap_or_else(|e| panic!("{text:?} is refused: {e}"))
}

fn error(text: &str) -> NameError {
    match Name::parse(text) {
        Err(error) => error,
        Ok(name) => panic!("{text:?} is accepted as {name:?}"),
    }
}

#[test]
fn a_name_that_would_not_parse_to_itself_is_none() {
    // The marks change places, and the joiner no longer follows a virama.
    assert!(Name::parse("\u{652}\u{94d}\u{200c}A").is_err());
}

#[test]
fn people_of_many_scripts_keep_their_names() {
    for text in
        ["Alice", "al-ice_99", "שרה", "علي", "Дмитрий", "José", "李雷", "GET", "x", "O'Neil"]
    {
        assert_eq!(name(text).as_str(), text);
    }
}

#[test]
fn a_name_is_normalised() {
    assert_eq!(name("Jose\u{301}").as_str(), "José");
    assert_eq!(name("Ａｌｉｃｅ").as_str(), "Alice");
}

#[test]
fn a_refusal_names_the_rule() {
    assert_eq!(error(""), NameError::Empty);
    assert_eq!(error(&"a".repeat(33)), NameError::TooLong);
    assert_eq!(error(&"a".repeat(1000)), NameError::TooLong);
    assert_eq!(name(&"a\u{300}".repeat(32)).as_str(), "à".repeat(32), "typed mark by mark");
    assert_eq!(error(&"a\u{300}".repeat(33)), NameError::TooLong);
    assert_eq!(error("two words"), NameError::Character(' '));
    assert_eq!(error("[Bob]"), NameError::Character('['));
    assert_eq!(error("a\nb"), NameError::Character('\n'));
    assert_eq!(error("a\u{1b}[31m"), NameError::Character('['));
    assert_eq!(error("a\u{1b}b"), NameError::Character('\u{1b}'));
    assert_eq!(error("a\u{202e}b"), NameError::Character('\u{202e}'));
    assert_eq!(error("🎉"), NameError::Character('🎉'));
    assert_eq!(error("O’Neil"), NameError::Character('’'));
    assert_eq!(error("＠bob"), NameError::Character('@'));
    assert_eq!(error("שרהabc"), NameError::Direction);
    assert_eq!(error("x\u{301}\u{302}\u{303}b"), NameError::Marks);
}

#[test]
fn a_reserved_word_and_its_look_alikes_are_refused() {
    for text in
        ["SERVER", "server", "Server", "ЅERVER", "SΕRVER", "all", "aII", "LIST", "quit", "help"]
    {
        assert_eq!(error(text), NameError::Reserved, "{text:?}");
    }
}

#[test]
fn case_does_not_matter_when_a_name_is_addressed() {
    assert_eq!(Folded::of("ALICE"), name("Alice").folded());
    assert_eq!(Folded::of("STRASSE"), name("straße").folded());
    assert_eq!(Folded::of("jose\u{301}"), name("José").folded());
    assert_ne!(Folded::of("AIice"), name("Alice").folded());
}

#[test]
fn names_that_look_alike_have_one_key() {
    let pairs =
        [("Alice", "AIice"), ("Bob", "B0b"), ("paypal", "раураl"), ("Ian", "lan"), ("m", "rn")];
    for (one, other) in pairs {
        assert_eq!(LookAlike::of(one), LookAlike::of(other), "{one} and {other}");
    }
    assert_ne!(LookAlike::of("Alice"), LookAlike::of("Bob"));
}

proptest! {
    #[test]
    fn a_name_parses_to_itself(text in "\\PC{1,32}") {
        if let Ok(name) = Name::parse(&text) {
            prop_assert_eq!(Name::parse(name.as_str()), Ok(name));
        }
    }

    #[test]
    fn a_name_holds_nothing_that_the_protocol_writes_around_it(text in ".{1,32}") {
        if let Ok(name) = Name::parse(&text) {
            let bad = |c: char| c == ' ' || c.is_control() || DELIMITERS.contains(&c);
            prop_assert!(!name.as_str().chars().any(bad));
            prop_assert!((1..=MAX_SCALARS).contains(&name.as_str().chars().count()));
        }
    }

    #[test]
    fn both_keys_are_idempotent(text in "\\PC{0,32}") {
        let folded = Folded::of(&text);
        prop_assert_eq!(Folded::of(folded.as_str()), folded);
        let key = LookAlike::of(&text);
        prop_assert_eq!(LookAlike::of(key.as_str()), key);
    }

    #[test]
    fn whatever_folds_to_a_reserved_word_is_refused(
        word in prop::sample::select(RESERVED.to_vec()),
        capitals in any::<u8>(),
    ) {
        let recase = |(i, c): (usize, char)| match capitals >> i & 1 {
            1 => c.to_ascii_uppercase(),
            _ => c.to_ascii_lowercase(),
        };
        let text: String = word.chars().enumerate().map(recase).collect();
        prop_assert_eq!(Name::parse(&text), Err(NameError::Reserved));
    }
}
