//! The house rules that no compiler knows: who may import whom, and how large a room may be.

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines.
const MAX_LINES: usize = 500;

/// The longest line, in characters.
const MAX_COLUMNS: usize = 100;

/// Every floor with the floors that it may know.
const FLOORS: [(&str, &[&str]); 11] = [
    ("main", &["net", "client", "config"]),
    ("tools", &["net", "capture", "wire", "name", "config"]),
    ("net", &["chat", "outbound", "wire", "name", "capture", "config", "metrics"]),
    ("client", &["wire", "name", "config"]),
    ("chat", &["outbound", "wire", "name", "metrics"]),
    ("wire", &["name"]),
    ("outbound", &[]),
    ("capture", &[]),
    ("name", &[]),
    ("config", &[]),
    ("metrics", &[]),
];

/// Words of the world outside, and the only floors that may say them.
const WORLD: [(&str, &[&str]); 8] = [
    ("mio::", &["net"]),
    ("socket2::", &["net", "client"]),
    ("rustix::", &["net", "client"]),
    ("tracing::", &["net"]),
    ("TcpStream", &["net", "client"]),
    ("Instant", &["net", "client"]),
    ("SystemTime", &["net", "client"]),
    ("std::thread", &["net", "client"]),
];

/// A source file of the project.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The floor that the file stands on: the first step below `src`.
    fn floor(&self) -> String {
        let relative = self.path.strip_prefix(root()).unwrap();
        if relative.starts_with("tools") {
            return "tools".to_owned();
        }
        let first = relative.strip_prefix("src").unwrap().components().next().unwrap();
        Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
    }

    /// Where the file is, for people.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    /// The lines that are code, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().unwrap() != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no code");
    found
}

/// The floors that a line of code names, as `crate::floor` or `hubbub::floor`. The tools are a
/// crate of their own, whose rooms are no floors.
fn named<'a>(line: &'a str, floor: &str) -> impl Iterator<Item = &'a str> {
    let houses: &[&str] = if floor == "tools" { &["hubbub::"] } else { &["crate::", "hubbub::"] };
    houses.iter().flat_map(move |house| {
        line.match_indices(house).map(move |(at, _)| {
            let rest = &line[at + house.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
    })
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn every_floor_knows_only_those_it_may() {
    let mut broken = Vec::new();
    for source in sources("src").into_iter().chain(sources("tools/src")) {
        let floor = source.floor();
        if floor == "lib" {
            continue;
        }
        let rule = FLOORS.iter().find(|(name, _)| *name == floor);
        let (_, allowed) = rule.unwrap_or_else(|| panic!("{floor} is no floor of the house"));
        for (number, line) in source.code() {
            for name in named(line, &floor) {
                if name != floor && !allowed.contains(&name) {
                    let path = source.name();
                    broken.push(format!("{path}:{number}: {floor} may not know {name}: {line}"));
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn a_grouped_import_hides_nothing() {
    let grouped =
        |line: &&str| line.contains("crate::{") || line.contains("use super::super::super");
    for source in sources("src") {
        let found: Vec<&str> = source.text.lines().filter(grouped).collect();
        assert!(found.is_empty(), "{}: {found:?}", source.name());
    }
}

#[test]
fn sockets_clocks_and_threads_stay_on_their_floors() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let floor = source.floor();
        for (number, line) in source.code() {
            for (word, allowed) in WORLD {
                if line.contains(word) && !allowed.contains(&floor.as_str()) {
                    let path = source.name();
                    broken.push(format!("{path}:{number}: {word} on the floor {floor}"));
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_room_fits_on_a_few_screens() {
    let mut broken = Vec::new();
    for folder in ["src", "tests", "tools", "fuzz"] {
        for source in sources(folder) {
            let path = source.name();
            let lines = source.text.lines().count();
            if lines > MAX_LINES {
                broken.push(format!("{path}: {lines} lines, at most {MAX_LINES}"));
            }
            for (number, line) in source.text.lines().enumerate() {
                if line.chars().count() > MAX_COLUMNS {
                    broken.push(format!("{path}:{}: over {MAX_COLUMNS} columns", number + 1));
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn every_room_says_what_it_is_for() {
    for source in sources("src") {
        let is_test = source.path.ends_with("tests.rs");
        let says = source.text.starts_with("//!");
        assert!(says || is_test, "{} has no first line of docs", source.name());
    }
}

#[test]
fn no_test_is_ignored_without_a_reason() {
    for source in sources("src").into_iter().chain(sources("tests")) {
        for (number, line) in source.code() {
            let ignored = line.trim() == concat!("#[", "ignore]");
            assert!(!ignored, "{}:{number}: ignored, and why?", source.name());
        }
    }
}

/// The documents.
const DOCUMENTS: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "PROTOCOL.md",
    "README.md",
    "WIRESHARK.md",
    "fuzz/README.md",
    "proptest-regressions/README.md",
];

/// Programs that every Unix has. The others are asked for in the file that starts them, or in the
/// `mod.rs` of their topic.
const EVERYWHERE: [&str; 1] = ["sh"];

#[test]
fn no_test_starts_a_program_without_asking_whether_it_is_there() {
    let mut broken = Vec::new();
    for source in sources("tests").into_iter().chain(sources("tools/tests")) {
        for (number, line) in source.code() {
            let Some((_, start)) = line.split_once("Command::new(\"") else { continue };
            let program = start.split('"').next().unwrap();
            let topic = fs::read_to_string(source.path.with_file_name("mod.rs"));
            let text = source.text.clone() + &topic.unwrap_or_default();
            let asks = text.contains(&format!("lacks(\"{program}\")"))
                || text.contains(&format!("{program}::is_there()"));
            if !asks && !EVERYWHERE.contains(&program) {
                broken.push(format!("{}:{number}: {program}", source.name()));
            }
        }
    }
    assert_none(&broken);
}

/// What the headings of a document are called in links to them.
fn anchors(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for document in DOCUMENTS.map(|name| root().join(name)) {
        let text = fs::read_to_string(&document).unwrap();
        for (number, line) in text.lines().enumerate() {
            let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            for (link, _) in links.filter(|(link, _)| !link.contains("://")) {
                let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
                let target = match path {
                    "" => document.clone(),
                    path => document.with_file_name(path),
                };
                let is_there = target.exists()
                    && (anchor.is_empty() || anchors(&target).iter().any(|known| known == anchor));
                if !is_there {
                    broken.push(format!("{}:{}: {link}", document.display(), number + 1));
                }
                count += 1;
            }
        }
    }
    assert!(count > 100, "only {count} links were found");
    assert_none(&broken);
}
