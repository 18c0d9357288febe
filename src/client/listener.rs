//! The thread that listens: it hands on what the server says, and when the server goes away, it
//! connects again and takes the name again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::connection::{Connection, Heard, Login, now};
use super::echo::Echoes;
use super::link::Link;
use super::names::{self, Names, brief};
use super::unconfirmed::{MAX_NAMED, Unsure};
use super::{ClientError, LOGIN_PATIENCE};
use crate::config::Server;
use crate::wire::{Notice, Reply};

/// How patient the client is after it lost the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The longest that the first wait can be.
    pub(super) first_wait: Duration,
    /// The longest that any wait can be.
    pub(super) longest_wait: Duration,
    /// How long the name may stay taken: its holder may be the connection that was lost.
    pub(super) name_taken: Duration,
    /// How long the server may take to answer a name.
    pub(super) login: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(30),
            name_taken: Duration::from_secs(120),
            login: LOGIN_PATIENCE,
        }
    }
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// A line of the server, not sanitised yet.
    Line(String),
    /// A word of the client itself.
    Word(String),
}

/// What the listening thread knows.
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) server: Server,
    pub(super) patience: Patience,
    pub(super) link: Arc<Link>,
    pub(super) names: Arc<Mutex<Names>>,
    pub(super) echoes: Arc<Mutex<Echoes>>,
    /// Where lines go. Its being full holds the server back.
    pub(super) shown: SyncSender<Shown>,
    /// Nothing comes through it; it is hung up when the user leaves.
    pub(super) left: Receiver<()>,
}

/// What came of one try to connect again.
enum Try {
    Connected(Connection),
    /// Try again.
    Failed,
    /// Try again: the name is taken.
    NameTaken,
    /// There is no use in trying.
    NameRefused,
}

impl Listener {
    /// Listens until the user leaves, or the name is lost. `connection` is logged in and adopted.
    pub(super) fn run(&self, mut connection: Connection) -> Result<(), ClientError> {
        let mut backoff = Backoff::new(self.patience.first_wait, self.patience.longest_wait);
        loop {
            self.hear_out(&mut connection);
            let lost = self.link.down();
            connection.close();
            self.echoes.lock().unwrap_or_else(PoisonError::into_inner).forget();
            let Ok(unsure) = lost else { return Ok(()) };
            match self.connect_again(&mut backoff, unsure.as_ref())? {
                Some(again) => connection = again,
                None => return Ok(()),
            }
            self.adopt(&connection);
        }
    }

    /// Lets the keyboard send over a connection, or closes it when nobody wants to. The first one
    /// is adopted before there is a prompt: what is typed at once is not to be told "Not
    /// connected" because this thread has not run yet.
    pub(super) fn adopt(&self, connection: &Connection) {
        let writer = connection.writer();
        if !writer.is_ok_and(|writer| self.link.up(writer, connection.me())) {
            connection.close();
        }
        self.names().ask_at_first();
        self.link.ask("list");
    }

    /// Hands on what the server says until it has no more to say.
    fn hear_out(&self, connection: &mut Connection) {
        let mut stops = false;
        loop {
            match connection.hear(&self.link) {
                Ok(Some(heard)) => {
                    stops |= heard.notice() == Some(Notice::ShuttingDown);
                    self.show(&heard);
                }
                // A server that shuts down may have left lines unread.
                Ok(None) if !stops => return self.link.ended_in_order(),
                // Why a connection broke helps nobody at a chat; that it broke is told.
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Waits and tries until the name is taken again; `None` when the user has left.
    fn connect_again(
        &self,
        backoff: &mut Backoff,
        unsure: Option<&Unsure>,
    ) -> Result<Option<Connection>, ClientError> {
        let Self { name, server, .. } = self;
        let mut trouble = format!("Connection to {server} lost.");
        let mut lost = unsure.map(lost_words).unwrap_or_default();
        let mut give_up: Option<Instant> = None;
        loop {
            let left = give_up.map(|end| end.saturating_duration_since(now()));
            let wait = backoff.next(random()).min(left.unwrap_or(Duration::MAX));
            self.say(format!("{trouble} Trying again in {} s ...", seconds(wait)));
            lost.drain(..).for_each(|word| self.say(word));
            if self.left.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return Ok(None);
            }
            match self.try_once() {
                Try::Connected(connection) => {
                    backoff.reset();
                    self.say(format!("Connected to {server} again."));
                    return Ok(Some(connection));
                }
                Try::Failed => {
                    // A server that went away in between has other ghosts.
                    give_up = None;
                    trouble = format!("Still no connection to {server}.");
                }
                Try::NameTaken => {
                    let end = *give_up.get_or_insert_with(|| now() + self.patience.name_taken);
                    if now() >= end {
                        return Err(ClientError::NameHeld {
                            name: name.clone(),
                            server: server.to_string(),
                        });
                    }
                    trouble = format!("The name {name} is still taken at {server}.");
                }
                Try::NameRefused => {
                    return Err(ClientError::NameRefused {
                        name: name.clone(),
                        server: server.to_string(),
                    });
                }
            }
        }
    }

    /// One try: one connection, and one offer of the name.
    fn try_once(&self) -> Try {
        let Ok(mut connection) = Connection::open(&self.server, &mut |word| self.say(word)) else {
            return Try::Failed;
        };
        let login = connection.login(&self.name, self.patience.login, |heard| {
            // That a name is taken is told in our own words, each time.
            if !is_name_taken(heard) {
                self.show(heard);
            }
        });
        match login {
            Ok(Login::Welcome(_)) => Try::Connected(connection),
            Ok(Login::NameTaken) => Try::NameTaken,
            Ok(Login::NameRefused) => Try::NameRefused,
            Ok(Login::Busy | Login::Closed) | Err(_) => Try::Failed,
        }
    }

    /// Shows a line, and learns from it.
    fn show(&self, heard: &Heard) {
        let Heard::Line(line) = heard else {
            self.say("A line of the server was too long and is left out.".to_owned());
            return;
        };
        if let Some(Reply::Broadcast { from, text }) = Reply::parse(line) {
            self.link.heard(from, text);
        }
        if let Some(line) = learn(&self.names, line) {
            self.hand_on(Shown::Line(line));
        }
        if self.names().ask_quietly(now()) {
            self.link.ask("list");
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, word: String) {
        self.hand_on(Shown::Word(word));
    }

    fn hand_on(&self, shown: Shown) {
        // Nobody takes it when the user has left.
        let _ = self.shown.send(shown);
    }
}

/// Learns names from a line. Returns what of it is to be shown: not what the client does for a
/// person, nor what only the client wants to know, nor the commands of the protocol, which are
/// others than those of the client.
pub(super) fn learn(names: &Mutex<Names>, line: &str) -> Option<String> {
    let Some(reply) = Reply::parse(line) else { return Some(line.to_owned()) };
    let shown = names.lock().unwrap_or_else(PoisonError::into_inner).observe(&reply);
    match (shown, reply) {
        (names::Shown::Nothing, _) | (_, Reply::Notice(Notice::EnterName)) => None,
        (_, Reply::Notice(Notice::Welcome(name))) => Some(format!("[SERVER] Welcome {name}!")),
        (names::Shown::Brief, _) => Some(brief(&reply).unwrap_or_else(|| line.to_owned())),
        (names::Shown::All, _) => Some(line.to_owned()),
    }
}

fn is_name_taken(heard: &Heard) -> bool {
    matches!(heard.notice(), Some(Notice::NameTaken(_)))
}

/// What is said of lines that the server has not confirmed, so that they can be sent again.
pub(super) fn lost_words(unsure: &Unsure) -> Vec<String> {
    let Unsure { count, texts, .. } = unsure;
    if let (1, [text]) = (count, texts.as_slice()) {
        return vec![format!("Not confirmed by the server, so it is probably lost: {text}")];
    }
    let named = texts.len().min(MAX_NAMED);
    let what = "lines were not confirmed by the server and are probably lost";
    let first = match (named, u64::try_from(named) == Ok(*count)) {
        (0, _) => format!("{count} {what}."),
        (_, true) => format!("{count} {what}:"),
        _ => format!("{count} {what}; {named} of them:"),
    };
    let rows = texts.iter().take(named).map(|text| format!("    {text}"));
    [first].into_iter().chain(rows).collect()
}

/// Seconds as people read them: never none.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

/// A number that differs between clients: the standard library seeds each hasher anew.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
