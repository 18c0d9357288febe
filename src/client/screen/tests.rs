use proptest::prelude::*;

use super::*;

const WIDE: Screen = Screen { width: 80, colours: Colours::None, wide: false };
const COLOURED: Screen = Screen { width: 80, colours: Colours::Few, wide: false };

/// The rows without their marks, and without the escapes of the wrapping.
fn rows(shown: &str) -> Vec<&str> {
    let shown = shown.strip_prefix(WRAP_OFF).unwrap();
    let shown = shown.strip_suffix(&format!("{WRAP_ON}\n")).unwrap();
    shown.lines().map(|row| row.strip_prefix(LEFT_TO_RIGHT).unwrap()).collect()
}

#[test]
fn each_kind_of_line_has_its_look() {
    let name = |name| Colours::Few.of_name(name);
    let bob = format!("\x1b[{}mBob\x1b[0m", name("Bob"));
    for (line, want) in [
        ("[SERVER] Bob has joined the chat!", "\x1b[36m[SERVER] Bob has joined the chat!\x1b[0m"),
        ("[SERVER] news of a later version", "\x1b[36m[SERVER] news of a later version\x1b[0m"),
        ("[Bob]: hi", &format!("[{bob}]: hi")),
        ("[Alice]: I said this", &format!("[\x1b[{}mAlice\x1b[0m]: I said this", name("Alice"))),
        (
            "[From Bob]: psst",
            &format!(
                "\x1b[1;35m[From \x1b[0m\x1b[1;{}mBob\x1b[0m\x1b[1;35m]: psst\x1b[0m",
                name("Bob")
            ),
        ),
        (
            "[Bob]: hi, ALICE!",
            &format!(
                "\x1b[1m[\x1b[0m\x1b[1;7;{}mBob\x1b[0m\x1b[1m]: hi, ALICE!\x1b[0m",
                name("Bob")
            ),
        ),
    ] {
        assert_eq!(rows(&COLOURED.line(line, "Alice", "")), [want]);
    }
    let shown = COLOURED.line("[From F]: psst", "Alice", "");
    assert!(shown.contains(&format!("[From \x1b[0m\x1b[1;{}mF", name("F"))), "{shown:?}");
    assert_eq!(rows(&COLOURED.word("lost", "")), ["\x1b[33m* lost\x1b[0m"]);
    let sent = format!("\x1b[35m[To \x1b[0m{bob}\x1b[35m]: psst\x1b[0m");
    assert_eq!(rows(&COLOURED.sent("Bob", "psst", "")), [sent]);
}

#[test]
fn without_colours_what_matters_is_still_bold() {
    for line in ["[SERVER] Bob has joined the chat!", "[Bob]: hi", "[Alice]: I said this"] {
        assert_eq!(rows(&WIDE.line(line, "Alice", "")), [line]);
    }
    assert_eq!(rows(&WIDE.word("lost", "")), ["* lost"]);
    assert_eq!(rows(&WIDE.sent("Bob", "psst", "")), ["[To Bob]: psst"]);
    for line in ["[From Bob]: psst", "[Bob]: hi Alice"] {
        let shown = WIDE.line(line, "Alice", "");
        let looks = shown.split("\x1b[").skip(1).filter_map(|rest| Some(rest.split_once('m')?.0));
        let looks: Vec<_> = looks.filter(|look| !look.starts_with('?')).collect();
        assert!(looks.contains(&"1") && looks.iter().all(|l| ["0", "1", "1;7"].contains(l)));
    }
}

#[test]
fn a_time_stands_before_the_first_row_where_there_is_room() {
    assert_eq!(rows(&WIDE.line("[Bob]: hi", "Alice", "12:34")), ["12:34 [Bob]: hi"]);
    let narrow = Screen { width: 30, ..WIDE };
    let shown = narrow.line("[Bob]: one two three four five six", "Alice", "12:34");
    assert_eq!(rows(&shown), ["12:34 [Bob]: one two three ", "        four five six"]);
    let tiny = Screen { width: 20, ..WIDE };
    assert_eq!(rows(&tiny.line("[Bob]: hi", "Alice", "12:34")), ["[Bob]: hi"]);
}

#[test]
fn a_server_cannot_steer_the_terminal() {
    let shown = WIDE.line("[Bob]: \x1b[2J\x07\u{9b}1m\r\u{202e}x", "Alice", "");
    assert_eq!(rows(&shown), ["[Bob]: ?[2J??1m?\u{fffd}x"]);
    assert_eq!(plain("a\x1b\tb\n"), "a?\tb?\n");
}

#[test]
fn what_does_not_show_goes_and_what_people_need_stays() {
    let shown = WIDE.line("[Eve]: a\u{3164}b\u{ffa0}\u{115f}\u{2060}c", "Alice", "");
    assert_eq!(rows(&shown), ["[Eve]: a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}c"]);
    for text in [
        "می\u{200c}خواهم",
        "\u{200f}(באמת!)\u{200e}",
        "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} 👋🏿",
        "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}!",
        "葛\u{e0100}",
    ] {
        assert_eq!(rows(&WIDE.line(text, "Alice", "")), [text]);
    }
}

#[test]
fn rows_after_the_first_are_indented_and_break_behind_spaces() {
    let narrow = Screen { width: 17, ..WIDE };
    let shown = narrow.line("[Bob]: one two three four", "Alice", "");
    assert_eq!(rows(&shown), ["[Bob]: one two ", "  three four"]);
    let shown = narrow.line(&format!("[Bob]: {}[SERVER] hi", "x".repeat(9)), "Alice", "");
    assert_eq!(rows(&shown), ["[Bob]: xxxxxxxxx", "  [SERVER] hi"]);
}

#[test]
fn wide_characters_and_tabs_are_counted() {
    assert_eq!(WIDE.wrap("日本語日本語", 8, 6), ["日本語日", "本語"]);
    assert_eq!(rows(&WIDE.line("a\tb\t\tc", "", "")), [format!("a{:7}b{:15}c", "", "")]);
    assert_eq!(rows(&WIDE.line("日\tb", "", "")), [format!("日{:6}b", "")]);
    assert_eq!(WIDE.wrap("", 80, 78), [""]);
    let asian = Screen { wide: true, ..WIDE };
    assert_eq!(asian.wrap("приветпривет", 12, 12), ["привет", "привет"]);
}

/// Text of the kinds that make trouble, at any length.
fn text() -> impl Strategy<Value = String> {
    let troubles = "(.|[a ]|\t|\x1b\\[31m|\u{9b}|日|👩\u{200d}|\u{fe0f}|ש|\u{202e}|\u{301}|\u{3164}\
                    |\u{ad}|\u{e0041}|Bob){0,200}";
    prop_oneof![any::<String>(), troubles, "\\[SERVER\\] .{0,100}", "\\[Eve\\]: .{0,100}"]
}

fn screens() -> impl Strategy<Value = Screen> {
    let colours = prop_oneof![Just(Colours::None), Just(Colours::Few), Just(Colours::Many)];
    (0..120usize, colours, any::<bool>()).prop_map(|(width, colours, wide)| Screen {
        width,
        colours,
        wide,
    })
}

/// What is left without the colours of this module.
fn without_looks(shown: &str) -> String {
    let mut out = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        let (parameters, after) = after.split_once('m').unwrap();
        assert!(parameters.chars().all(|c| c.is_ascii_digit() || c == ';'), "{parameters:?}");
        rest = after;
    }
    out + rest
}

proptest! {
    #[test]
    fn nothing_but_our_own_codes_steers(line in text(), screen in screens(), time in "|12:34") {
        for shown in [
            screen.line(&line, "Bob", &time),
            screen.sent(&line, &line, &time),
            screen.word(&line, &time),
        ] {
            let shown = without_looks(&rows(&shown).join("\n"));
            prop_assert!(!shown.contains(|c: char| c != '\n' && c.is_control()), "{shown:?}");
        }
    }

    #[test]
    fn rows_fit_and_only_the_first_begins_at_the_edge(
        line in text(), screen in screens(), time in "|12:34",
    ) {
        let shown = screen.line(&line, "Bob", &time);
        for (i, row) in rows(&shown).into_iter().enumerate() {
            prop_assert!(i == 0 || row.starts_with("  "), "{row:?}");
            let row = without_looks(row);
            prop_assert!(screen.columns_of(&row) < screen.width.max(MIN_WIDTH), "{row:?}");
        }
    }

    #[test]
    fn breaking_keeps_the_text(text in text(), screen in screens()) {
        let rows = screen.wrap(&text, screen.width.max(3), screen.width.max(3) - 1);
        prop_assert_eq!(rows.concat(), text.as_str());
        prop_assert!(rows.iter().skip(1).all(|row| !row.is_empty()));
    }

    #[test]
    fn painting_keeps_the_text(line in text(), screen in screens()) {
        let shown = screen.line(&line, "Bob", "");
        let shown: String = rows(&shown).into_iter().enumerate().map(|(i, row)| {
            let row = without_looks(row);
            if i == 0 { row } else { row.trim_start_matches(' ').to_owned() }
        }).collect();
        let squeeze = |text: &str| text.replace([' ', '\t'], "");
        prop_assert_eq!(squeeze(&shown), squeeze(&clean(&line)));
    }

    #[test]
    fn a_program_gets_one_line(line in text()) {
        let shown = plain(&line);
        let (end, rest) = shown.split_at(shown.len() - 1);
        prop_assert_eq!(rest, "\n");
        prop_assert!(!end.contains(|c: char| c != '\t' && c.is_control()));
    }
}
