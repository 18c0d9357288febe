//! The TOML file: each key with its line, each bad one a problem of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::problem::Origin;
use super::setting::{self, Kind, Setting};

/// The largest file, in bytes; more is not a configuration.
const MAX_BYTES: u64 = 1 << 20;

/// How alike an unknown key and a known one are, from 0 to 1, when one is taken for the other.
const ALIKE: f64 = 0.6;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Every value of a known key that is of the right type, as text.
    pub(super) values: Vec<(&'static Setting, Origin, String)>,
    /// Every known key that is of the wrong type.
    pub(super) bad: Vec<&'static Setting>,
    /// What is wrong, without the name of the file.
    pub(super) problems: Vec<(Origin, String)>,
}

/// Reads a file as text.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// Takes a file's text apart.
pub(super) fn parse(text: &str) -> Contents {
    let mut contents = Contents::default();
    let line_of = |offset: usize| {
        let before = text.as_bytes().iter().take(offset);
        Origin::Line(1 + before.filter(|&&byte| byte == b'\n').count())
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    // What was recovered from a line that is not TOML is a guess, and guesses are not told.
    let mut broken = BTreeSet::new();
    for error in &errors {
        let origin = line_of(error.span().map_or(0, |span| span.start));
        if broken.insert(origin) {
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            contents.problems.push((origin, format!("not TOML: {what}")));
        }
    }
    for (key, value) in table.get_ref() {
        let origin = line_of(key.span().start);
        if broken.contains(&origin) {
            contents.bad.extend(Setting::of_key(key.get_ref()));
            continue;
        }
        match Setting::of_key(key.get_ref()) {
            Some(setting) => contents.take(setting, origin, value.get_ref(), &|offset| {
                Some(line_of(offset)).filter(|origin| !broken.contains(origin))
            }),
            None => contents.problems.push((origin, unknown(key.get_ref()))),
        }
    }
    contents
}

impl Contents {
    fn take(
        &mut self,
        setting: &'static Setting,
        origin: Origin,
        value: &DeValue<'_>,
        sound_line_of: &impl Fn(usize) -> Option<Origin>,
    ) {
        match value {
            DeValue::Array(array) if setting.kind == Kind::Addresses && !array.is_empty() => {
                for item in array {
                    if let Some(origin) = sound_line_of(item.span().start) {
                        self.take_scalar(setting, origin, item.get_ref());
                    }
                }
            }
            scalar => self.take_scalar(setting, origin, scalar),
        }
    }

    fn take_scalar(&mut self, setting: &'static Setting, origin: Origin, value: &DeValue<'_>) {
        if let Some(text) = scalar(setting.kind, value) {
            self.values.push((setting, origin, text));
        } else {
            let what = format!("{}: {}", setting.key(), wrong_type(setting, value));
            self.problems.push((origin, what));
            self.bad.push(setting);
        }
    }
}

/// The text of a value, if it is of a type that the setting takes.
fn scalar(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (
            Kind::Bytes(..)
            | Kind::BytesOrOff(..)
            | Kind::Count(..)
            | Kind::Seconds
            | Kind::WholeSeconds(..),
            DeValue::Integer(number),
        ) => Some(match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(decimal) => decimal.to_string(),
            Err(_) => number.to_string(),
        }),
        (Kind::Seconds, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        (
            Kind::Bytes(..) | Kind::BytesOrOff(..) | Kind::Addresses | Kind::Format | Kind::Capture,
            DeValue::String(text),
        ) => Some(text.to_string()),
        _ => None,
    }
}

fn wrong_type(setting: &Setting, value: &DeValue<'_>) -> String {
    let found = match value {
        DeValue::Array(array) if array.is_empty() => "an empty array",
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    let wanted = match setting.kind {
        Kind::Bytes(..) | Kind::BytesOrOff(..) => "an integer, or a string such as \"8MiB\",",
        Kind::Count(..) | Kind::WholeSeconds(..) => "an integer",
        Kind::Seconds => "a number of seconds such as 30 or 0.2",
        Kind::Addresses => "a string such as \"127.0.0.1:12345\", or an array of them,",
        Kind::Format => "\"text\" or \"json\"",
        Kind::Capture => "a string such as \"chat.pcapng\"",
    };
    format!("{found} does not do; {wanted} would work")
}

fn unknown(key: &str) -> String {
    let typed = key.to_ascii_lowercase().replace('-', "_");
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&typed, known);
    let best = setting::ALL
        .iter()
        .map(|setting| setting.key())
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))
        .filter(|known| alike(known) >= ALIKE);
    let key = key.escape_debug();
    match best {
        Some(known) => format!("{key}: unknown key; did you mean `{known}`?"),
        None => format!(
            "{key}: unknown key; `hubbub serve --help` has the flags, a key is a flag with _ for -"
        ),
    }
}
