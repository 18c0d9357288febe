//! A colour for each name: the same in every session and every client. Pure.

use std::env;

use crate::name::Folded;

/// Colours of the 256-colour palette that are readable on white and on black: the contrast is at
/// least 3.3 to 1 with either (WCAG 2.2 asks for 3 to 1 for large text).
const OF_256: [u8; 30] = [
    26, 28, 29, 30, 31, 33, 61, 63, 64, 67, 93, 94, 97, 98, 100, 128, 130, 131, 132, 133, 134, 135,
    136, 160, 161, 162, 163, 166, 167, 169,
];

/// Colours of the first eight that most terminals draw readable on light and on dark: red, green,
/// magenta and cyan.
const OF_8: [u8; 4] = [31, 32, 35, 36];

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// None, or none is wanted.
    None,
    /// 8 or 16.
    Few,
    /// 256 or more.
    Many,
}

impl Colours {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub(super) fn of_environment() -> Self {
        let text = |name| env::var_os(name).unwrap_or_default().to_string_lossy().into_owned();
        Self::of(&text("NO_COLOR"), &text("COLORTERM"), &text("TERM"))
    }

    fn of(no_color: &str, colorterm: &str, term: &str) -> Self {
        if !no_color.is_empty() || term == "dumb" || term.ends_with("-m") || term == "vt100" {
            return Self::None;
        }
        let many = ["256", "direct", "truecolor", "24bit"];
        if many.iter().any(|word| colorterm.contains(word) || term.contains(word))
            || ["xterm-kitty", "alacritty", "foot", "wezterm", "xterm-ghostty"].contains(&term)
        {
            return Self::Many;
        }
        Self::Few
    }

    /// The colour of a name, as parameters of SGR (ECMA-48, 8.3.117); empty for none.
    pub(super) fn of_name(self, name: &str) -> String {
        let hash = hash(Folded::of(name).as_str());
        match self {
            Self::None => String::new(),
            Self::Few => OF_8[hash % OF_8.len()].to_string(),
            Self::Many => format!("38;5;{}", OF_256[hash % OF_256.len()]),
        }
    }
}

/// FNV-1a, 32 bits: it must never change, unlike the standard library's hash.
fn hash(text: &str) -> usize {
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // The lower bits of FNV are its weakest.
    (hash ^ hash >> 16) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of a colour of the palette's cube (WCAG 2.2).
    fn luminance(index: u8) -> f64 {
        let level = |step: u8| f64::from([0, 95, 135, 175, 215, 255_u8][usize::from(step)]) / 255.0;
        let linear =
            |v: f64| if v <= 0.039_28 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        let cube = index - 16;
        let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(|s| linear(level(s)));
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn every_colour_is_readable_on_light_and_on_dark() {
        for index in OF_256 {
            let light = luminance(index) + 0.05;
            assert!(1.05 / light >= 3.3 && light / 0.05 >= 3.3, "{index}");
        }
    }

    #[test]
    fn a_name_keeps_its_colour_in_any_case_and_for_ever() {
        assert_eq!(Colours::Many.of_name("ALICE"), Colours::Many.of_name("alice"));
        assert_eq!(Colours::None.of_name("Alice"), "");
        let kept = ["Alice", "Bob", "Carol", "שרה", "李雷"].map(|name| Colours::Many.of_name(name));
        let kept = kept.map(|colour| colour.replace("38;5;", ""));
        assert_eq!(kept, ["133", "167", "161", "26", "100"]);
    }

    #[test]
    fn names_are_spread_over_the_colours() {
        let mut seen = std::collections::BTreeSet::new();
        (0..300).for_each(|number| {
            seen.insert(Colours::Many.of_name(&format!("user{number}")));
        });
        assert_eq!(seen.len(), OF_256.len());
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        assert_eq!(Colours::of("", "", "xterm"), Colours::Few);
        assert_eq!(Colours::of("", "", "linux"), Colours::Few);
        assert_eq!(Colours::of("", "", "xterm-256color"), Colours::Many);
        assert_eq!(Colours::of("", "truecolor", "xterm"), Colours::Many);
        assert_eq!(Colours::of("", "", "xterm-kitty"), Colours::Many);
        for (no_color, term) in [("1", "xterm-256color"), ("", "dumb"), ("", "vt100")] {
            assert_eq!(Colours::of(no_color, "", term), Colours::None);
        }
    }
}
