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
    let people = "Alice al-ice_99 GET x O'Neil Ali List2 Fromm Erna José Zoë Łukasz Michał Ștefan \
        Şeyma Çağrı İbrahim Işıl Þór Ægir Ángel Ñuñez Søren Åsa Jürgen Groß Dvořák Đorđe Ħal \
        Ġorġ Ķirsis Thạnh Ngọc Nguyễn Hạnh Phượng Ẹniọlá Ṣadé Gọzie Māori Kealiʻi N'Golo Dŵr \
        Дмитрий Сергій Љубиша Ќиро Ғани Өмірбек Әлия Ўткир Цэцэг Ελένη Γιώργος Ἀχιλλεύς \
        Արմեն Գայանե გიორგი ნინო שרה משה מֹשֶׁה יוסף בן-גוריון علي محمد مُحَمَّد إبراهيم \
        فاطمة هدى شهرزاد ژاله گلناز ٹیپو ܝܘܚܢܢ ދިވެހި አበበ ሰላም हिंदी अनिल ज़रा फ़रहान সুমিত \
        অরূপ ਸਿਮਰਨ ਸ਼ੇਰ જયેશ ଅନିଲ தமிழ் அரவிந்த் తెలుగు శ్రీను ಕನ್ನಡ ಸುರೇಶ್ മലയാളം സുനിൽ \
        සුනිල් สมชาย ประเสริฐ ลาว ສົມພອນ བཀྲ་ཤིས မောင် သန္တာ ដារា 李雷 韩梅梅 王小明 林佳蓉 佐々木 さくら タケシ \
        ミッキー 김민수 이서연 𐐔𐐯𐑅𐐨𐑉𐐯𐐻";
    let many = people.split_whitespace();
    assert!(many.clone().count() > 100);
    for text in many {
        assert_eq!(name(text).as_str(), text);
    }
}

#[test]
fn spaces_around_a_name_are_not_part_of_it() {
    for text in [" Alice", "Alice  ", "\tAlice \t", "\u{3000}Alice\u{a0}", "\u{2003}Alice\u{202f}"]
    {
        assert_eq!(name(text).as_str(), "Alice", "{text:?}");
    }
    for text in ["Al ice", "Al\u{a0}ice", "Al\u{3000}ice", "Al\tice"] {
        let inside = text.chars().nth(2).unwrap();
        assert_eq!(error(text), NameError::Character(inside), "{text:?}");
    }
    // Neither is a space, and what does not show is never left out without a word.
    for text in ["Alice\u{200b}", "Alice\r", "\u{2028}Alice", "Alice\u{feff}"] {
        assert!(matches!(error(text), NameError::Character(_)), "{text:?}");
    }
    for blank in ["", " ", " \t\u{3000}\u{a0}"] {
        assert!(is_blank(blank.as_bytes()));
        assert_eq!(error(blank), NameError::Empty);
    }
    assert!(!is_blank(b" x ") && !is_blank(b" \xff") && !is_blank(b"\r"));
}

#[test]
fn a_name_is_normalised() {
    assert_eq!(name("Jose\u{301}").as_str(), "José");
    assert_eq!(name("Ａｌｉｃｅ").as_str(), "Alice");
    assert_eq!(name(&"ｶ\u{ff9e}".repeat(32)).as_str(), "ガ".repeat(32), "mark by mark, too");
    assert_eq!(name("\u{1100}\u{1161}\u{11a8}").as_str(), "각", "as some systems write it");
    assert_eq!(name("\u{3b1}\u{301}").as_str(), name("\u{1f71}").as_str());
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
    assert_eq!(error("a\u{200d}b"), NameError::Context('\u{200d}'));
    assert_eq!(error("a·b"), NameError::Context('·'));
    assert_eq!(error("שרהabc"), NameError::Direction(BidiError::Letters));
    assert_eq!(error("1علي"), NameError::Direction(BidiError::Start));
    assert_eq!(error("\u{301}abc"), NameError::LeadingMark);
    assert_eq!(error("x\u{301}\u{302}\u{303}b"), NameError::Marks);
}

#[test]
fn a_reserved_word_is_refused_and_named() {
    for (text, word) in
        [("server", "SERVER"), ("all", "all"), ("LIST", "list"), ("ｈｅｌｐ", "help")]
    {
        assert_eq!(error(text), NameError::Reserved(word), "{text:?}");
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
    let pairs = [
        ("Alice", "AIice"),
        ("Bob", "B0b"),
        ("paypal", "раураl"),
        ("Ian", "lan"),
        ("m", "rn"),
        ("Will", "VVill"),
        ("willow", "vvillovv"),
        ("WILL", "ѡill"),
        ("Ꝺan", "ꝺan"),
    ];
    for (one, other) in pairs {
        assert_eq!(LookAlike::of(one), LookAlike::of(other), "{one} and {other}");
    }
    assert_ne!(LookAlike::of("Alice"), LookAlike::of("Bob"));
}

#[test]
fn a_dot_that_is_there_already_makes_no_other_name() {
    for dotted in [
        "Ali\u{307}ce",
        "Al\u{307}ice",
        "Aİice",
        "Alı\u{307}ce",
        "Alı\u{323}\u{307}ce",
        "Alі\u{307}ce",
        "A1\u{307}ice",
        "Ali\u{307}\u{307}ce",
        "Alıce",
    ] {
        assert_eq!(LookAlike::of(dotted), LookAlike::of("Alice"), "{dotted}");
    }
    for dotted in ["j\u{307}im", "ȷ\u{307}im", "J\u{307}im", "ј\u{307}im", "j\u{323}\u{307}im"] {
        assert_eq!(LookAlike::of(dotted), LookAlike::of("Jim"), "{dotted}");
    }
    assert_ne!(LookAlike::of("Ċyril"), LookAlike::of("Cyril"), "a dot that shows");
    assert_ne!(LookAlike::of("Zoi\u{308}"), LookAlike::of("Zoi"));
}

#[test]
fn marks_below_letters_make_no_other_name_and_marks_above_do() {
    let below = [
        ("Ạlice", "Alice"),
        ("A\u{332}lice", "Alice"),
        ("ᾳlice", "Alice"),
        ("Ngọc", "Ngoc"),
        ("Çelik", "Celik"),
        ("Ștefan", "Stefan"),
        ("Bąk", "Bak"),
        ("ज़रा", "जरा"),
        ("إبراهيم", "ابراهيم"),
        ("שָׂרָה", "שׂרה"),
    ];
    for (one, other) in below {
        assert_eq!(name(one).look_alike(), name(other).look_alike(), "{one} and {other}");
    }
    for (one, other) in
        [("José", "Jose"), ("Zoë", "Zoe"), ("Łukasz", "Lukasz"), ("สุ", "ส"), ("สุ", "สู")]
    {
        assert_ne!(name(one).look_alike(), name(other).look_alike(), "{one} and {other}");
    }
}

#[test]
fn a_text_that_is_longer_than_any_name_is_not_folded() {
    for typed in ["Alice", "STRASSE", "\u{1f83}", "\u{3b9}\u{308}\u{301}", "각"] {
        assert_eq!(Folded::of_typed(typed), Some(Folded::of(typed)));
    }
    let longest = "\u{1f83}".repeat(MAX_SCALARS);
    assert_eq!(Folded::of_typed(&longest), Some(name(&longest).folded()));
    assert_eq!(Folded::of_typed(&"ß".repeat(MAX_SCALARS)), Some(Folded::of(&"s".repeat(64))));
    for typed in
        ["\u{1f83}".repeat(33), "a".repeat(129), "\u{caa5}".repeat(1365), "\u{301}".repeat(129)]
    {
        assert_eq!(Folded::of_typed(&typed), None);
    }
}

#[test]
fn no_scalar_of_a_name_becomes_more_than_four() {
    use caseless::Caseless;
    let most = |c: &char| std::iter::once(*c).nfd().default_case_fold().nfd().count();
    assert_eq!(('\0'..'\u{20000}').map(|c| most(&c)).max(), Some(4));
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
    fn every_reason_parses_back(text in "\\PC{0,40}") {
        if let Err(error) = Name::parse(&text) {
            prop_assert_eq!(NameError::parse(&error.to_string()), Some(error));
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
        prop_assert_eq!(Name::parse(&text), Err(NameError::Reserved(word)));
    }
}
