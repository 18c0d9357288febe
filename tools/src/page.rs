//! What the pages share that tools write: one file of HTML each, with everything in it.
//!
//! A page is a template of its own that extends `templates/page.html`: blocks `title`, `style`,
//! `header`, `content` and `footer`. It needs no network and has no script but one that it names by
//! its hash (block `policy`), and says so to the browser by a content security policy. What comes
//! from outside is escaped by askama; text that may run from right to left stands in a `<bdi>`.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use askama::Template;

use crate::files;
use crate::files::output::Output;

/// The version that a page says it was made by.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes a page to a file, which is whole or not there, or to standard output for `-`.
///
/// # Errors
///
/// When nothing can be written there. Whoever reads a page from standard output may stop: that is
/// none.
pub fn write(page: &impl Template, path: &Path) -> anyhow::Result<()> {
    let write = || {
        let mut out = Output::create(path)?;
        Template::write_into(page, &mut out)?;
        Output::commit(out)
    };
    match write() {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        told => told.with_context(|| format!("cannot write {}", files::output_name(path))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    /// The smallest contrast of text to its background (WCAG 2.2, success criterion 1.4.3).
    const MIN_CONTRAST: f64 = 4.5;

    const STYLE: &str = include_str!("../templates/page.css");

    /// The light colours, and the dark ones.
    fn palettes() -> [HashMap<&'static str, u32>; 2] {
        let (light, dark) = STYLE.split_once("prefers-color-scheme: dark").unwrap();
        [light, dark].map(|part| {
            let (block, _) = part.split_once('}').unwrap();
            let lines = block.lines().filter_map(|line| line.trim().split_once(": #"));
            let hex = |text: &str| u32::from_str_radix(text.trim_end_matches(';'), 16).unwrap();
            lines.map(|(name, colour)| (name, hex(colour))).collect()
        })
    }

    /// The relative luminance of a colour (WCAG 2.2).
    fn luminance(colour: u32) -> f64 {
        let [_, bytes @ ..] = colour.to_be_bytes();
        let linear = bytes.map(|byte| match f64::from(byte) / 255.0 {
            low if low <= 0.04045 => low / 12.92,
            high => ((high + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_in_the_light_and_in_the_dark() {
        let layers = ["wire", "link", "network", "transport", "application"];
        for palette in palettes() {
            let colour = |name: &str| palette[format!("--{name}").as_str()];
            let check = |ink: &str, ground: &str| {
                let contrast = contrast(colour(ink), colour(ground));
                assert!(contrast >= MIN_CONTRAST, "{ink} on {ground}: {contrast:.2}");
            };
            for ground in ["page", "paper"] {
                for ink in ["text", "quiet", "accent", "good", "bad"] {
                    check(ink, ground);
                }
                for layer in layers {
                    check(&format!("{layer}-ink"), ground);
                }
            }
            for layer in layers {
                check(&format!("{layer}-ink"), &format!("{layer}-tint"));
                check("text", &format!("{layer}-tint"));
            }
            check("text", "mark");
        }
    }
}
