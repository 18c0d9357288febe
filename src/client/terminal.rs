//! A session in a terminal: the name, the threads, the goodbye.
//!
//! The main thread reads the keyboard with rustyline, which lets another thread print above the
//! line that is being typed. That printing can wait for the keyboard, so it has a thread of its
//! own: the listener fills a bounded channel, and when that is full, waits, and with it the server.

use std::env;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::connection::{Connection, Heard, Login};
use super::echo::Echoes;
use super::gate::Gate;
use super::history::History;
use super::keyboard::{Assistant, Keyboard, LineEditor, editor};
use super::link::Link;
use super::listener::{Listener, Patience, Shown, learn, lost_words};
use super::look::{Look, print_now};
use super::names::Names;
use super::printer::Printer;
use super::{ClientError, LOGIN_PATIENCE, Options, Outcome, check_name, closed_early, connect};
use crate::config::Server;
use crate::name::Name;
use crate::wire::{Notice, Reply};

/// What a newcomer has to know.
const HINT: &str = "Text goes to everyone, @Name text to Name alone. /help tells more.";

/// How many lines wait for the screen; then the listener waits.
const SHOWN_QUEUE: usize = 256;

/// How long the server has to say goodbye. With the time below this is less than a second:
/// whoever leaves has the prompt of the shell back at once, whatever the server does.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long what was said last has to reach the screen.
const LAST_PRINT: Duration = Duration::from_millis(250);

/// How often the keyboard is called away until it answers.
const CALL_INTERVAL: Duration = Duration::from_millis(50);

/// The environment's names of the user, the first before the second.
const USER: [&str; 2] = ["USER", "LOGNAME"];

/// A terminal that can do what is needed of it.
pub(super) struct Terminal {
    editor: LineEditor,
    output: Box<dyn ExternalPrinter + Send>,
    names: Arc<Mutex<Names>>,
    look: Look,
    /// Set when the user is to leave at once.
    interrupted: Arc<AtomicBool>,
}

/// The threads of a session, as the keyboard sees them.
struct Session {
    link: Arc<Link>,
    gate: Arc<Gate>,
    /// How the listener came to its end.
    verdict: Receiver<Result<(), ClientError>>,
    /// Hung up when everything is printed.
    printed: Receiver<()>,
    /// To be hung up when the user leaves.
    stay: Sender<()>,
}

/// What came of the log-in.
enum Entry {
    /// Logged in, under the name as the server writes it, over this connection.
    In(String, Connection),
    /// The server has no room now, and has said so.
    Refused,
    /// The user gave up.
    Left,
}

impl Terminal {
    /// Takes the terminal; `None` when it is too dumb a one to edit lines on.
    pub(super) fn open(options: &Options) -> Result<Option<Self>, ClientError> {
        let mut editor = editor()?;
        let Ok(output) = editor.create_external_printer() else { return Ok(None) };
        Ok(Some(Self {
            editor,
            output: Box::new(output),
            names: Arc::default(),
            look: Look::new(options),
            interrupted: Arc::default(),
        }))
    }

    /// A session, from the first connection to the goodbye.
    pub(super) fn run(mut self, options: &Options) -> Result<Outcome, ClientError> {
        let server = &options.server;
        let (me, connection) = match self.enter(options)? {
            Entry::In(me, connection) => (me, connection),
            Entry::Refused => return Ok(Outcome::Refused),
            Entry::Left => return Ok(Outcome::Done),
        };
        signal_hook::flag::register(SIGINT, Arc::clone(&self.interrupted))
            .map_err(ClientError::Start)?;
        let Self { mut editor, output, names, look, interrupted } = self;
        let (gate, echoes) = (Arc::<Gate>::default(), Arc::<Mutex<Echoes>>::default());
        let assistant = Assistant { names: Arc::clone(&names), gate: Arc::clone(&gate) };
        editor.set_helper(Some(assistant));
        let (shown, to_show) = sync_channel(SHOWN_QUEUE);
        let output = Printer {
            output,
            gate: Arc::clone(&gate),
            look: look.clone(),
            echoes: Arc::clone(&echoes),
            me: me.clone(),
        };
        let printed = output.start(to_show)?;
        let link = Arc::new(Link::new(options.heartbeat));
        start_sender(Arc::clone(&link), shown.clone())?;
        let (stay, left) = channel();
        let listener = Listener {
            name: me.clone(),
            server: server.clone(),
            patience: Patience::default(),
            link: Arc::clone(&link),
            names: Arc::clone(&names),
            echoes: Arc::clone(&echoes),
            shown,
            left,
        };
        let verdict = start_listener(listener, connection)?;
        let session = Session { link, gate, verdict, printed, stay };
        let keyboard = Keyboard {
            me: &me,
            look: &look,
            link: &session.link,
            gate: &session.gate,
            names: &names,
            echoes: &echoes,
            history: options.history.then(History::of_user).flatten(),
            interrupted: &interrupted,
        };
        let quiet = Quiet::start();
        let typed = keyboard.run(&mut editor);
        drop(quiet);
        session.end(typed, editor, &look)
    }

    /// Logs in: under the name that was given, or one that is asked for, until one is accepted.
    fn enter(&mut self, options: &Options) -> Result<Entry, ClientError> {
        let server = &options.server;
        // Before anyone is asked for a name: they may be asked in vain.
        let look = self.look.clone();
        let mut tell = |word: String| print_now(&look.word(&word));
        let mut connection = connect(server, &mut tell)?;
        leave_when_told(Arc::clone(&self.interrupted))?;
        let mut name = match options.name.clone() {
            Some(name) => name,
            None => match self.ask_name(&proposal())? {
                Some(name) => name,
                None => return Ok(Entry::Left),
            },
        };
        let mut asked = options.name.is_none();
        loop {
            let (login, is_spent) = self.log_in(&mut connection, &name, asked);
            match login {
                Ok(Login::Welcome(me)) => {
                    // The server is not trusted with the prompt.
                    let me = Name::parse(&me).map_or(name, |_| me);
                    self.names.lock().unwrap_or_else(PoisonError::into_inner).set_me(&me);
                    print_now(&self.look.word(HINT));
                    return Ok(Entry::In(me, connection));
                }
                // Somebody took a long time, or has no more tries: a new connection has more.
                _ if is_spent && asked => {
                    connection = connect(server, &mut tell)?;
                    asked = false;
                    continue;
                }
                Ok(Login::NameTaken | Login::NameRefused) => {}
                Ok(Login::Busy) => return Ok(Entry::Refused),
                Ok(Login::Closed) => return Err(login_failed(server, closed_early())),
                Err(source) => return Err(login_failed(server, source)),
            }
            print_now(&self.look.word("Type another name, or press Ctrl-D to leave."));
            match self.ask_name(&name)? {
                Some(another) => name = another,
                None => return Ok(Entry::Left),
            }
            asked = true;
        }
    }

    /// Offers a name, and shows what the server says to it; also whether the connection can be used
    /// no more, because it had its tries or its time. Where somebody was `asked` meanwhile, that is
    /// not told: another connection is made for them.
    fn log_in(
        &self,
        connection: &mut Connection,
        name: &str,
        asked: bool,
    ) -> (io::Result<Login>, bool) {
        let mut is_spent = false;
        let show = |heard: &Heard| {
            let Heard::Line(line) = heard else { return };
            let ends = matches!(
                Reply::parse(line),
                Some(Reply::Notice(Notice::TooManyTries | Notice::LoginTimeout))
            );
            is_spent |= ends;
            if let Some(line) = learn(&self.names, line).filter(|_| !(ends && asked)) {
                print_now(&self.look.line(&line, name));
            }
        };
        let login = connection.login(name, LOGIN_PATIENCE, show);
        let is_spent = is_spent || matches!(login, Ok(Login::Closed) | Err(_));
        (login, is_spent)
    }

    /// Asks for a name; `None` when the user leaves instead.
    fn ask_name(&mut self, proposal: &str) -> Result<Option<String>, ClientError> {
        loop {
            let typed = self.editor.readline_with_initial("Your name: ", (proposal, ""));
            match typed {
                Ok(name) if name.trim().is_empty() => {}
                Ok(name) => match check_name(name.trim()) {
                    Ok(()) => return Ok(Some(name.trim().to_owned())),
                    Err(error) => print_now(&self.look.word(&error.to_string())),
                },
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(None),
                Err(ReadlineError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => {
                    print_now(&self.look.word("That is not UTF-8 text."));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The name that the system has for the user, if it is one that a chat can have.
fn proposal() -> String {
    let names = USER.into_iter().filter_map(|variable| env::var(variable).ok());
    names.into_iter().find(|name| Name::parse(name).is_ok()).unwrap_or_default()
}

fn login_failed(server: &Server, source: io::Error) -> ClientError {
    ClientError::Login { server: server.to_string(), source }
}

/// Keeps the terminal from showing by itself what is typed while no line is edited: the next line
/// gets it, and shows it in its place.
struct Quiet(Option<Termios>);

impl Quiet {
    fn start() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO);
            // What cannot be had is not needed either.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &quiet);
        }
        Self(before)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone needs nothing back.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

impl Session {
    /// Leaves, and lets what was said last reach the screen.
    fn end(
        self,
        typed: Result<(), ClientError>,
        editor: LineEditor,
        look: &Look,
    ) -> Result<Outcome, ClientError> {
        let Self { link, gate, verdict, printed, stay } = self;
        link.leave();
        drop(stay);
        let last = verdict.recv_timeout(GOODBYE);
        let unsure = link.close();
        // A print that waits for the keyboard comes back when there is none any more.
        drop(editor);
        gate.finish();
        // Nothing is ever sent here: it ends by the hanging up, or by the time.
        let _ = printed.recv_timeout(LAST_PRINT);
        for word in unsure.iter().flat_map(lost_words) {
            print_now(&look.word(&word));
        }
        typed?;
        match last {
            Ok(verdict) => verdict.map(|()| Outcome::Done),
            Err(_) => Ok(Outcome::Done),
        }
    }
}

/// Starts the thread that sends what the system has no room for at once.
fn start_sender(link: Arc<Link>, shown: SyncSender<Shown>) -> Result<(), ClientError> {
    let tell = move || {
        // Where there is no room for it, there is enough to read.
        let _ = shown.try_send(Shown::Word("The server does not take what you send yet.".into()));
    };
    let send = move || link.send_backlog(tell);
    thread::Builder::new().name("sender".into()).spawn(send).map_err(ClientError::Start)?;
    Ok(())
}

/// Starts the thread that listens.
fn start_listener(
    listener: Listener,
    connection: Connection,
) -> Result<Receiver<Result<(), ClientError>>, ClientError> {
    let (tell, verdict) = sync_channel(1);
    listener.adopt(&connection);
    let listen = move || {
        let end = listener.run(connection);
        let gave_up = end.is_err();
        let Listener { left, shown, .. } = listener;
        // What is still to be printed must not wait for this thread.
        drop(shown);
        // There is room for one, and nobody else sends.
        let _ = tell.send(end);
        if gave_up {
            call_away(&left);
        }
    };
    thread::Builder::new().name("listener".into()).spawn(listen).map_err(ClientError::Start)?;
    Ok(verdict)
}

/// Leaves when the system asks for it: a client that just died would leave the terminal raw.
fn leave_when_told(interrupted: Arc<AtomicBool>) -> Result<(), ClientError> {
    let mut signals = Signals::new([SIGTERM, SIGHUP]).map_err(ClientError::Start)?;
    let wait = move || {
        if signals.forever().next().is_some() {
            interrupted.store(true, Ordering::SeqCst);
            // Nobody hangs up: this ends with the process.
            let (_stay, left) = channel();
            call_away(&left);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map_err(ClientError::Start)?;
    Ok(())
}

/// Calls the main thread away from the keyboard: rustyline can be interrupted by a signal only,
/// and one that comes between two lines is not heard, so it is sent until it is.
fn call_away(left: &Receiver<()>) {
    while left.recv_timeout(CALL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        // It fails for no signal that exists.
        let _ = signal_hook::low_level::raise(SIGINT);
    }
}
