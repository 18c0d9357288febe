//! The chat in forty lines, from its description alone: who has to read what.

use std::collections::BTreeMap;

use crate::support::ENTER_NAME;

/// The longest line, with its terminator.
const MAX_LINE: usize = 4096;

const COMMANDS: &str = "@Name text, all text, list, help, quit";
const HELP: &str =
    "Commands: @Name text (to one), all text (to everyone), list [prefix], help, quit";
const WANTED: &str = "Somebody else asked for your name. It stays yours.";

/// What `hubbub chat` answers to `help`.
const SCREEN_HELP: [&str; 7] = [
    "What you type goes to everyone. Commands:",
    "  @Name text         sends text to Name alone",
    "  /help              shows this",
    "  /list [prefix]     shows who is here, or whose names begin so",
    "  /msg Name text     sends text to Name alone",
    "  /quit              leaves the chat",
    "To begin a text with /, type // in its place. Tab completes names.",
];
const SCREEN_PRIVATE: &str = "The line was not sent: a private line is @Name text. \
                              To begin a text to everyone with @, type all @...";

/// Who is here, and what everyone has read.
#[derive(Default)]
pub(super) struct Model {
    /// Names by what they fold to, and so in the order of `list`.
    here: BTreeMap<String, String>,
    heard: BTreeMap<String, Vec<String>>,
}

impl Model {
    /// Somebody offers names; the last is accepted, and returned.
    pub(super) fn join(&mut self, names: &[String]) -> String {
        let (name, refused) = names.split_last().expect("a name");
        self.heard.insert(name.clone(), vec![ENTER_NAME.to_owned()]);
        for wanted in refused {
            let holder = self.here.get(&fold(wanted)).expect("only taken names").clone();
            self.notice(name, &format!("Name already taken. {holder} is online."));
            self.tell(name, ENTER_NAME);
            self.notice(&holder, WANTED);
        }
        self.everyone(&format!("[SERVER] {name} has joined the chat!"));
        self.notice(name, &format!("Welcome {name}! Commands: {COMMANDS}"));
        self.here.insert(fold(name), name.clone());
        name.clone()
    }

    /// Somebody who is here sends a line.
    pub(super) fn line(&mut self, who: &str, line: &str) {
        if line.len() >= MAX_LINE {
            return self.notice(who, "Line dropped: it is longer than 4,096 bytes.");
        }
        let line = &edited(line.strip_suffix('\r').unwrap_or(line));
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is_blank = |text: &str| text.trim_matches([' ', '\t']).is_empty();
        if is_blank(line) {
            return;
        }
        let blank = is_blank(rest);
        match word.to_ascii_lowercase().as_str() {
            "all" if blank => self.notice(who, "Message format error. Use: all Message"),
            "all" => self.everyone(&format!("[{who}]: {}", clean(rest))),
            "list" => self.list(who, rest.trim_end_matches(' ')),
            "help" => self.notice(who, HELP),
            "quit" if rest.trim_matches(' ').is_empty() => self.leave(who),
            "quit" => self.notice(who, "To leave, send the word quit alone on a line."),
            "@" => self.notice(who, "Message format error. Use: @Name Message"),
            at if at.starts_with('@') && blank => {
                self.notice(who, "Message format error. Use: @Name Message");
            }
            at if at.starts_with('@') => {
                let to = word[1..].trim_end_matches([':', ',']);
                match self.here.get(&fold(to)).cloned() {
                    Some(to) => self.tell(&to, &format!("[From {who}]: {}", clean(rest))),
                    None => self.notice(who, &format!("User '{}' not found.", clean(to))),
                }
            }
            _ => {
                self.notice(who, &format!("Unknown command '{}'. Use: {COMMANDS}", clean(line)));
            }
        }
    }

    /// The same, typed into `hubbub chat`: what is no command there goes to everyone.
    pub(super) fn line_on_screen(&mut self, who: &str, line: &str) {
        let word = line.trim_end_matches(' ');
        let is_said = line.strip_prefix("all ").is_some_and(|text| !text.trim().is_empty());
        if word == "help" {
            for line in SCREEN_HELP {
                self.tell(who, &format!("* {line}"));
            }
        } else if let Some(private) = line.strip_prefix('@') {
            let Some((to, text)) = private.split_once(' ').filter(|(to, _)| !to.is_empty()) else {
                return self.tell(who, &format!("* {SCREEN_PRIVATE}"));
            };
            let name = self.here.get(&fold(to)).map_or(to, String::as_str).to_owned();
            self.tell(who, &format!("[To {name}]: {}", clean(text)));
            self.line(who, line);
        } else if let Some(command) = line.strip_prefix('/') {
            self.line(who, command);
        } else if is_said || ["", "list", "quit"].contains(&word) {
            self.line(who, line);
        } else {
            self.line(who, &format!("all {line}"));
        }
    }

    /// Somebody is gone.
    pub(super) fn leave(&mut self, who: &str) {
        if self.here.remove(&fold(who)).is_some() {
            self.everyone(&format!("[SERVER] {who} has left the chat."));
        }
    }

    /// The server says goodbye, and then nothing more.
    pub(super) fn shut_down(&mut self) {
        self.everyone("[SERVER] Server is shutting down.");
        self.here.clear();
    }

    pub(super) fn is_here(&self, name: &str) -> bool {
        self.here.contains_key(&fold(name))
    }

    /// Everything that this one has to have read by now.
    pub(super) fn heard(&self, name: &str) -> &[String] {
        &self.heard[name]
    }

    fn list(&mut self, who: &str, prefix: &str) {
        let typed = prefix;
        let prefix = fold(prefix);
        let fits = self.here.iter().filter(|(folded, _)| folded.starts_with(&prefix));
        let names: Vec<&str> = fits.map(|(_, name)| name.as_str()).collect();
        let answer = if names.is_empty() {
            format!("Nobody online has a name that begins with '{typed}'.")
        } else {
            format!("Online users ({}): {}", names.len(), names.join(", "))
        };
        self.notice(who, &answer);
    }

    fn notice(&mut self, who: &str, text: &str) {
        self.tell(who, &format!("[SERVER] {text}"));
    }

    fn everyone(&mut self, line: &str) {
        for name in self.here.values() {
            self.heard.entry(name.clone()).or_default().push(line.to_owned());
        }
    }

    fn tell(&mut self, name: &str, line: &str) {
        self.heard.entry(name.to_owned()).or_default().push(line.to_owned());
    }
}

/// BS and DEL take the character before them away.
fn edited(line: &str) -> String {
    let mut edited = String::new();
    for c in line.chars() {
        match c {
            '\u{8}' | '\u{7f}' => {
                edited.pop();
            }
            c => edited.push(c),
        }
    }
    edited
}

fn fold(name: &str) -> String {
    caseless::default_case_fold_str(name)
}

/// What could steer a terminal does not get through, and nothing becomes longer.
fn clean(text: &str) -> String {
    let steers = |c: char| {
        c != '\t' && c.is_control()
            || matches!(c as u32, 0xad | 0x2028 | 0x2029 | 0x202a..=0x202e | 0x2060..=0x206f)
    };
    let replace = |c: char| match c {
        '\u{200b}' => ' ',
        c if steers(c) && c.len_utf8() < 3 => '?',
        c if steers(c) || "\u{115f}\u{3164}\u{feff}\u{ffa0}".contains(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(replace).collect()
}
