//! The thread that listens: it hands on what the server says, and when the server goes away, it
//! connects again and takes the name again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::connection::{Connection, Heard, Login, now};
use super::names::Names;
use super::{ClientError, LOGIN_PATIENCE};
use crate::config::Server;
use crate::wire::{Notice, Reply};

/// How long a typed line may wait for a server that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

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

/// The connection as the keyboard sees it.
#[derive(Debug, Default)]
pub(super) struct Link(Mutex<LinkState>);

#[derive(Debug, Default)]
enum LinkState {
    /// There is none now.
    #[default]
    Down,
    Up(TcpStream),
    /// The user leaves: there will be no other.
    Leaving(Option<TcpStream>),
}

/// Why a line was not sent.
#[derive(Debug)]
pub(super) enum NotSent {
    NotConnected,
    /// It was sent in part at most, and the connection is closed.
    Failed(io::Error),
}

impl Link {
    /// Sends a line; its terminator is added.
    pub(super) fn send(&self, line: &str) -> Result<(), NotSent> {
        let state = self.lock();
        let LinkState::Up(stream) = &*state else { return Err(NotSent::NotConnected) };
        write_line(stream, line).map_err(NotSent::Failed)
    }

    /// Says goodbye. From now on the end of the stream is not a loss: the listener, who sees it,
    /// has to wait until that is written down.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        *state = match std::mem::take(&mut *state) {
            LinkState::Up(stream) => {
                // If it cannot be sent, the server is gone, and closing follows anyway.
                let _ = write_line(&stream, "quit");
                LinkState::Leaving(Some(stream))
            }
            LinkState::Leaving(stream) => LinkState::Leaving(stream),
            LinkState::Down => LinkState::Leaving(None),
        };
    }

    /// Ends the connection of a user who leaves, whatever the server still has to say.
    pub(super) fn close(&self) {
        if let LinkState::Leaving(Some(stream)) = &*self.lock() {
            // It fails when the connection is gone, which is what was wanted.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// There is a connection; `false` when the user has left.
    pub(super) fn up(&self, stream: TcpStream) -> bool {
        let mut state = self.lock();
        let wanted = !matches!(*state, LinkState::Leaving(_));
        if wanted {
            *state = LinkState::Up(stream);
        }
        wanted
    }

    /// The connection is gone; `false` when the user has left.
    fn down(&self) -> bool {
        let mut state = self.lock();
        let wanted = !matches!(*state, LinkState::Leaving(_));
        if wanted {
            *state = LinkState::Down;
        }
        wanted
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a line, or ends the connection.
fn write_line(mut stream: &TcpStream, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes()).inspect_err(|_| {
        // Half a line may be out: the listener sees the end and connects anew. If this fails, the
        // connection is gone already.
        let _ = stream.shutdown(Shutdown::Both);
    })
}

/// What the listening thread knows.
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) server: Server,
    pub(super) patience: Patience,
    pub(super) link: Arc<Link>,
    pub(super) names: Arc<Mutex<Names>>,
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
            connection.close();
            if !self.link.down() {
                return Ok(());
            }
            match self.connect_again(&mut backoff)? {
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
        let ready = writer.and_then(|w| w.set_write_timeout(Some(WRITE_TIMEOUT)).map(|()| w));
        if !ready.is_ok_and(|writer| self.link.up(writer)) {
            connection.close();
        }
    }

    /// Hands on what the server says until it has no more to say.
    fn hear_out(&self, connection: &mut Connection) {
        // Why a connection broke helps nobody at a chat; that it broke is told.
        while let Ok(Some(heard)) = connection.hear() {
            self.show(&heard);
        }
    }

    /// Waits and tries until the name is taken again; `None` when the user has left.
    fn connect_again(&self, backoff: &mut Backoff) -> Result<Option<Connection>, ClientError> {
        let Self { name, server, .. } = self;
        let mut trouble = format!("Connection to {server} lost.");
        let mut give_up: Option<Instant> = None;
        loop {
            let left = give_up.map(|end| end.saturating_duration_since(now()));
            let wait = backoff.next(random()).min(left.unwrap_or(Duration::MAX));
            self.say(format!("{trouble} Trying again in {} s ...", seconds(wait)));
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
        let Ok(mut connection) = Connection::open(&self.server) else { return Try::Failed };
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
        if learn(&self.names, line) {
            self.hand_on(Shown::Line(line.clone()));
        }
    }

    fn say(&self, word: String) {
        self.hand_on(Shown::Word(word));
    }

    fn hand_on(&self, shown: Shown) {
        // Nobody takes it when the user has left.
        let _ = self.shown.send(shown);
    }
}

/// Learns names from a line; `false` when it need not be shown, because the client does what the
/// line asks of a person.
pub(super) fn learn(names: &Mutex<Names>, line: &str) -> bool {
    let Some(reply) = Reply::parse(line) else { return true };
    names.lock().unwrap_or_else(PoisonError::into_inner).observe(&reply);
    reply != Reply::Notice(Notice::EnterName)
}

fn is_name_taken(heard: &Heard) -> bool {
    let Heard::Line(line) = heard else { return false };
    matches!(Reply::parse(line), Some(Reply::Notice(Notice::NameTaken(_))))
}

/// Seconds as people read them: never none.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

/// A number that differs between clients: the standard library seeds each hasher anew.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
