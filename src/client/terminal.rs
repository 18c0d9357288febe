//! The keyboard and the screen, when both are a terminal.
//!
//! The main thread reads the keyboard with rustyline, which lets another thread print above the
//! line that is being typed. That printing can wait for the keyboard, so it has a thread of its
//! own: the listener fills a bounded channel, and when that is full, waits, and with it the server.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::config::Config;
use rustyline::error::ReadlineError;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Context, Editor, ExternalPrinter, Helper, Highlighter};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::connection::{Connection, Heard, Login};
use super::gate::Gate;
use super::link::{Link, NotSent};
use super::listener::{Listener, Patience, Shown, learn, lost_words};
use super::names::Names;
use super::screen::Screen;
use super::{ClientError, LOGIN_PATIENCE, Options, Outcome, closed_early, connect};
use crate::config::Server;
use crate::name::Name;
use crate::wire::{Command, DEFAULT_MAX_LINE};

/// How many lines wait for the screen; then the listener waits.
const SHOWN_QUEUE: usize = 256;

/// How much is printed at once, in bytes, when much waits: each print draws the prompt anew.
const MAX_BATCH: usize = 16 * 1024;

/// How many lines one can go back to.
const HISTORY: usize = 500;

/// How long the server has to say goodbye. With the time below this is less than a second:
/// whoever leaves has the prompt of the shell back at once, whatever the server does.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long what was said last has to reach the screen.
const LAST_PRINT: Duration = Duration::from_millis(250);

/// How often the keyboard is called away until it answers.
const CALL_INTERVAL: Duration = Duration::from_millis(50);

type LineEditor = Editor<Assistant, DefaultHistory>;

/// A terminal that can do what is needed of it.
pub(super) struct Terminal {
    editor: LineEditor,
    printer: Box<dyn ExternalPrinter + Send>,
    names: Arc<Mutex<Names>>,
    gate: Arc<Gate>,
    colour: bool,
}

/// What the editor calls while it edits: it completes, and it hands over the screen.
#[derive(Helper, Highlighter)]
struct Assistant {
    names: Arc<Mutex<Names>>,
    gate: Arc<Gate>,
}

/// The editor asks for a hint when it has the terminal and is about to draw the line.
impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, _: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.gate.open();
        None
    }
}

/// The editor asks for a judgement before it takes the line and gives the terminal back.
impl Validator for Assistant {
    fn validate(&self, _: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        self.gate.close();
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.names.lock().unwrap_or_else(PoisonError::into_inner).complete(line, cursor))
    }
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

impl Terminal {
    /// Takes the terminal; `None` when it is too dumb a one to edit lines on.
    pub(super) fn open() -> Result<Option<Self>, ClientError> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY)?
            .history_ignore_dups(true)?
            .build();
        let mut editor = LineEditor::with_config(config)?;
        let Ok(printer) = editor.create_external_printer() else { return Ok(None) };
        let names = Arc::new(Mutex::new(Names::default()));
        let gate = Arc::new(Gate::default());
        let assistant = Assistant { names: Arc::clone(&names), gate: Arc::clone(&gate) };
        editor.set_helper(Some(assistant));
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Some(Self { editor, printer: Box::new(printer), names, gate, colour: !no_colour }))
    }

    /// A session, from the first connection to the goodbye.
    pub(super) fn run(self, options: &Options) -> Result<Outcome, ClientError> {
        let Options { name, server, heartbeat } = options;
        let mut tell = |word: String| print_now(&screen(self.colour).word(&word));
        let mut connection = connect(server, &mut tell)?;
        let Some(me) = self.log_in(&mut connection, name, server)? else {
            return Ok(Outcome::Refused);
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupted))
            .map_err(ClientError::Start)?;
        leave_when_told(Arc::clone(&interrupted))?;
        let Self { mut editor, printer, names, gate, colour } = self;
        let (shown, to_show) = sync_channel(SHOWN_QUEUE);
        let printed = start_printer(
            Paper { printer, gate: Arc::clone(&gate), colour, me: me.clone() },
            to_show,
        )?;
        let link = Arc::new(Link::new(*heartbeat));
        start_sender(Arc::clone(&link), shown.clone())?;
        let (stay, left) = channel();
        let listener = Listener {
            name: name.to_owned(),
            server: server.clone(),
            patience: Patience::default(),
            link: Arc::clone(&link),
            names,
            shown,
            left,
        };
        let verdict = start_listener(listener, connection)?;
        let session = Session { link, gate, verdict, printed, stay };
        let typed = read_keyboard(&mut editor, &me, colour, &session, &interrupted);
        session.end(typed, editor, colour)
    }

    /// Takes the name and returns it as the server writes it; `None` when it is refused.
    fn log_in(
        &self,
        connection: &mut Connection,
        name: &str,
        server: &Server,
    ) -> Result<Option<String>, ClientError> {
        let failed = |source| ClientError::Login { server: server.to_string(), source };
        let show = |heard: &Heard| {
            if let Heard::Line(line) = heard
                && learn(&self.names, line)
            {
                print_now(&screen(self.colour).line(line, name));
            }
        };
        match connection.login(name, LOGIN_PATIENCE, show).map_err(failed)? {
            // The server is not trusted with the prompt.
            Login::Welcome(me) => Ok(Some(Name::parse(&me).map_or(name.to_owned(), |_| me))),
            Login::NameTaken | Login::NameRefused | Login::Busy => Ok(None),
            Login::Closed => Err(failed(closed_early())),
        }
    }
}

impl Session {
    /// Leaves, and lets what was said last reach the screen.
    fn end(
        self,
        typed: Result<(), ClientError>,
        editor: LineEditor,
        colour: bool,
    ) -> Result<Outcome, ClientError> {
        let Self { link, gate, verdict, printed, stay } = self;
        link.leave();
        drop(stay);
        let last = verdict.recv_timeout(GOODBYE);
        let unsure = link.close();
        // A print that waits for the keyboard comes back when there is none any more.
        drop(editor);
        gate.open();
        // Nothing is ever sent here: it ends by the hanging up, or by the time.
        let _ = printed.recv_timeout(LAST_PRINT);
        for word in unsure.iter().flat_map(lost_words) {
            print_now(&screen(colour).word(&word));
        }
        typed?;
        match last {
            Ok(verdict) => verdict.map(|()| Outcome::Done),
            Err(_) => Ok(Outcome::Done),
        }
    }
}

/// Reads lines and sends them, until the user or the listener has enough.
fn read_keyboard(
    editor: &mut LineEditor,
    me: &str,
    colour: bool,
    session: &Session,
    interrupted: &AtomicBool,
) -> Result<(), ClientError> {
    // The mark keeps the prompt at the left when the name is Hebrew or Arabic.
    let prompt = format!("\u{200e}{me}> ");
    loop {
        if interrupted.load(Ordering::SeqCst) {
            return Ok(());
        }
        let typed = editor.readline(&prompt);
        session.gate.close();
        match typed {
            // Pasted text can hold several lines.
            Ok(text) => {
                let mut lines = text.lines();
                while let Some(line) = lines.next() {
                    editor.add_history_entry(line)?;
                    if Command::parse(line.as_bytes()) == Ok(Command::Quit) {
                        return Ok(());
                    }
                    let Some(word) = send(&session.link, line) else { continue };
                    // What stands behind a line that was not sent is not sent either.
                    let word = match lines.by_ref().count() {
                        0 => word,
                        behind => format!("{word} Nor were the {behind} lines behind it."),
                    };
                    print_now(&screen(colour).word(&word));
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(ReadlineError::Io(e)) if e.kind() == io::ErrorKind::InvalidData => {
                print_now(&screen(colour).word("That is not UTF-8 text: the line was not sent."));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends a line; what is to be said when it was not sent.
fn send(link: &Link, typed: &str) -> Option<String> {
    if typed.is_empty() {
        return None;
    }
    if typed.len() >= DEFAULT_MAX_LINE {
        let most = DEFAULT_MAX_LINE - 1;
        return Some(format!("Longer than {most} bytes: the line was not sent."));
    }
    match link.send(typed) {
        Ok(()) => None,
        Err(NotSent::NotConnected) => Some("Not connected: the line was not sent.".to_owned()),
        Err(NotSent::Failed(error)) => Some(format!("The line was not sent: {error}.")),
        Err(NotSent::Full) => {
            let what = "the server does not take the lines that wait already";
            Some(format!("The line was not sent: {what}."))
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

/// Where the printer prints.
struct Paper {
    printer: Box<dyn ExternalPrinter + Send>,
    gate: Arc<Gate>,
    colour: bool,
    me: String,
}

/// Starts the thread that prints; what it returns is hung up when everything is printed.
fn start_printer(mut paper: Paper, to_show: Receiver<Shown>) -> Result<Receiver<()>, ClientError> {
    let (done, printed): (SyncSender<()>, _) = sync_channel(1);
    let print = move || {
        let _hung_up_at_the_end = done;
        while let Ok(first) = to_show.recv() {
            paper.gate.pass();
            let batch = paper.lay_out(&first, &to_show);
            paper.print(&batch);
        }
    };
    thread::Builder::new().name("printer".into()).spawn(print).map_err(ClientError::Start)?;
    Ok(printed)
}

impl Paper {
    /// Lays out a line and, within bounds, those that wait behind it, for the screen of now.
    fn lay_out(&self, first: &Shown, to_show: &Receiver<Shown>) -> String {
        let screen = screen(self.colour);
        let lay_out = |shown: &Shown| match shown {
            Shown::Line(line) => screen.line(line, &self.me),
            Shown::Word(word) => screen.word(word),
        };
        let mut batch = lay_out(first);
        while batch.len() < MAX_BATCH
            && let Ok(next) = to_show.try_recv()
        {
            batch.push_str(&lay_out(&next));
        }
        batch
    }

    fn print(&mut self, batch: &str) {
        // The editor refuses when it is gone while the print waits for it.
        if self.printer.print(batch.to_owned()).is_err() {
            print_now(batch);
        }
    }
}

/// Prints where no line is being typed.
fn print_now(text: &str) {
    let mut output = io::stdout().lock();
    // A screen that is gone is noticed at the keyboard.
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// The screen as wide as it is now.
fn screen(colour: bool) -> Screen {
    let width = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    Screen { width: if width == 0 { 80 } else { width.into() }, colour }
}
