//! Whole sessions against servers that keep to a script, on a real socket.

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use super::connection::{Connection, Heard, Login, MAX_LINE};
use super::link::{Link, NotSent};
use super::listener::{Listener, Patience, Shown};
use super::pipe::{Printer, exchange};
use super::{ClientError, Options, Outcome, run};
use crate::config::Server;
use crate::wire::{Notice, Reply};

/// Far longer than any test takes; a test that hangs fails by it.
const DEADLINE: Duration = Duration::from_secs(20);

/// One accepted connection, as the script of a server sees it.
struct Peer(BufReader<TcpStream>);

impl Peer {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    /// Reads to the end of the stream.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn notice(&mut self, notice: Notice<'_>) {
        self.say(&said(notice));
    }

    /// Lets `name` in.
    fn welcome(&mut self, name: &str) {
        self.notice(Notice::EnterName);
        assert_eq!(self.line(), format!("{name}\n"));
        self.notice(Notice::Welcome(name));
    }

    fn reset(self) {
        SockRef::from(self.0.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

fn said(notice: Notice<'_>) -> String {
    format!("{}\n", Reply::Notice(notice))
}

fn accept(listener: &TcpListener) -> Peer {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    Peer(BufReader::new(stream))
}

/// A server on a port of its own that plays `script`.
fn play<T: Send + 'static>(
    script: impl FnOnce(TcpListener) -> T + Send + 'static,
) -> (Server, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string().parse().unwrap();
    (server, thread::spawn(move || script(listener)))
}

fn options(name: &str, server: &Server) -> Options {
    Options::plain(name, server.clone())
}

/// One session of the pipe mode: its end, what it printed, and its words.
fn pipe(
    server: &Server,
    input: impl Read + Send + 'static,
) -> (Result<Outcome, ClientError>, String, String) {
    let (mut output, mut words) = (Vec::new(), Vec::new());
    let printer = Printer::new(&mut output, &mut words, || false);
    let end = exchange(&options("bot", server), input, printer);
    (end, String::from_utf8(output).unwrap(), String::from_utf8(words).unwrap())
}

/// An input that stays open and silent as long as its other end lives.
fn silence() -> (io::PipeReader, io::PipeWriter) {
    io::pipe().unwrap()
}

#[test]
fn a_pipe_sends_its_input_and_prints_what_comes() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        let sent = peer.rest();
        peer.say("[bot]: deploy done\n");
        sent
    });
    let (end, output, words) = pipe(&server, &b"\xef\xbb\xbfall deploy done\r\n\nall \t2"[..]);
    assert_eq!(end.unwrap(), Outcome::Done);
    assert_eq!(script.join().unwrap(), "all deploy done\r\n\nall \t2\n");
    let want = [said(Notice::EnterName), said(Notice::Welcome("bot"))].concat();
    assert_eq!(output, format!("{want}[bot]: deploy done\n"));
    assert_eq!(words, "");
}

#[test]
fn a_pipe_whose_server_shuts_down_has_failed_even_when_all_was_sent() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        let sent = peer.rest();
        peer.notice(Notice::ShuttingDown);
        sent
    });
    let (end, output, _) = pipe(&server, &b"all hi\n"[..]);
    assert!(matches!(end, Err(ClientError::ShutDown)), "{end:?}");
    assert_eq!(script.join().unwrap(), "all hi\n");
    assert!(output.ends_with(&said(Notice::ShuttingDown)), "{output:?}");
}

#[test]
fn a_pipe_whose_name_is_refused_sends_nothing() {
    let refusals = [Notice::NameTaken("bot"), Notice::NameRefused(crate::name::NameError::Marks)];
    for refusal in refusals {
        let (server, script) = play(move |listener| {
            let mut peer = accept(&listener);
            peer.notice(refusal);
            peer.rest()
        });
        let (end, output, _) = pipe(&server, &b"all secret\n"[..]);
        assert_eq!(end.unwrap(), Outcome::Refused);
        assert_eq!(script.join().unwrap(), "bot\n");
        assert_eq!(output, said(refusal));
    }
}

#[test]
fn a_server_without_room_is_a_refusal() {
    let (server, _) = play(|listener| {
        let mut peer = accept(&listener);
        peer.notice(Notice::Full);
        peer.line();
    });
    let (end, output, _) = pipe(&server, io::empty());
    assert_eq!((end.unwrap(), output), (Outcome::Refused, said(Notice::Full)));
}

#[test]
fn a_refused_line_is_told_by_the_outcome() {
    let (server, _) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        peer.rest();
        peer.notice(Notice::NotFound("Bob"));
        peer.say("[Bob]: [SERVER] Server is full.\n");
    });
    assert_eq!(pipe(&server, &b"@Bob hi"[..]).0.unwrap(), Outcome::Refused);
}

#[test]
fn a_hostile_server_steers_nothing_and_fills_nothing() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        peer.say("\x1b]0;title\x07\x1b[2J\r\n");
        peer.0.get_mut().write_all(b"[Bob]: \xff\xfe\n").unwrap();
        for _ in 0..64 {
            peer.say(&"x".repeat(64 * 1024));
        }
        peer.say("\n[Bob]: still here\n[SERVER] User 'unterminated' not found.");
        peer.rest()
    });
    let (end, output, words) = pipe(&server, io::empty());
    assert_eq!(end.unwrap(), Outcome::Done);
    let tail: Vec<&str> = output.lines().skip(2).collect();
    assert_eq!(tail, ["?]0;title??[2J", "[Bob]: \u{fffd}\u{fffd}", "[Bob]: still here"]);
    assert_eq!(words.lines().count(), 1);
    script.join().unwrap();
}

#[test]
fn a_server_that_closes_early_ends_a_pipe_that_is_still_open() {
    let (server, _) = play(|listener| accept(&listener).welcome("bot"));
    let (input, _open) = silence();
    let end = pipe(&server, input).0;
    assert!(matches!(end, Err(ClientError::Closed)), "{end:?}");
}

#[test]
fn a_reset_is_told() {
    let (server, _) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        peer.line();
        peer.reset();
    });
    let (input, mut open) = silence();
    open.write_all(b"all hi\n").unwrap();
    let end = pipe(&server, input).0;
    assert!(matches!(end, Err(ClientError::Broken { .. })), "{end:?}");
}

#[test]
fn a_stream_that_ends_before_the_welcome_is_an_error() {
    let (server, _) = play(|listener| {
        let mut peer = accept(&listener);
        peer.line();
        peer.say("[SERVER] Welcome bot! Commands: @Name text, all text, list, help, quit");
    });
    let end = pipe(&server, io::empty()).0;
    assert!(matches!(end, Err(ClientError::Login { .. })), "{end:?}");
}

#[test]
fn quit_ends_a_pipe_that_is_still_open() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        [peer.line(), peer.line(), peer.rest()]
    });
    let (input, mut open) = silence();
    open.write_all(b"all bye\nquit\nall more\n").unwrap();
    assert_eq!(pipe(&server, input).0.unwrap(), Outcome::Done);
    assert_eq!(script.join().unwrap(), ["all bye\n", "quit\n", ""]);
}

#[test]
fn sending_and_printing_do_not_wait_for_each_other() {
    let (server, _) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        let mut back = peer.0.get_ref().try_clone().unwrap();
        io::copy(&mut peer.0, &mut back).unwrap();
    });
    let input = "all the same to me\n".repeat(400_000);
    let (end, output, _) = pipe(&server, Cursor::new(input.clone()));
    assert_eq!(end.unwrap(), Outcome::Done);
    assert!(output.ends_with(&input));
}

/// An output that nobody reads any more.
struct ClosedOutput;

impl Write for ClosedOutput {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_output_still_delivers_what_was_put_in() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        peer.rest()
    });
    let (mut output, mut words) = (ClosedOutput, io::sink());
    let printer = Printer::new(&mut output, &mut words, || true);
    let end = exchange(&options("bot", &server), &b"all hi\n"[..], printer);
    assert_eq!(end.unwrap(), Outcome::Done);
    assert_eq!(script.join().unwrap(), "all hi\n");
}

#[test]
fn a_closed_output_ends_a_pipe_that_has_nothing_to_say() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.welcome("bot");
        peer.rest()
    });
    let (input, _open) = silence();
    let (mut output, mut words) = (ClosedOutput, io::sink());
    let printer = Printer::new(&mut output, &mut words, || false);
    assert_eq!(exchange(&options("bot", &server), input, printer).unwrap(), Outcome::Done);
    assert_eq!(script.join().unwrap(), "");
}

#[test]
fn nobody_at_the_door_is_told_with_the_address() {
    let (server, closed) = play(drop);
    closed.join().unwrap();
    let error = pipe(&server, io::empty()).0.unwrap_err().to_string();
    assert!(error.contains(&server.to_string()) && error.contains("hubbub serve"), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn what_cannot_be_sent_as_a_name_is_refused_here() {
    for name in ["", "a\nall hi", "\u{1b}", &"x".repeat(1000)] {
        let nowhere = "127.0.0.1:1".parse().unwrap();
        assert!(matches!(run(&options(name, &nowhere)), Err(ClientError::Name)), "{name:?}");
    }
}

#[test]
fn a_silent_server_is_not_waited_for_without_end() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        // It trickles, too: the patience is for the whole answer.
        peer.say("[SERVER] Enter");
        peer.rest()
    });
    let mut connection = Connection::open(&server, &mut |_| ()).unwrap();
    let error = connection.login("bot", Duration::from_millis(20), |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(connection);
    script.join().unwrap();
}

#[test]
fn lines_are_whole_however_they_are_cut() {
    let (server, script) = play(|listener| {
        let mut peer = accept(&listener);
        peer.0.get_ref().set_nodelay(true).unwrap();
        let longest = "y".repeat(MAX_LINE - 1);
        for piece in ["a", "b\nש", "לום\r\n\n", &longest, "\n", &longest, "y", "z\nend\nrest"] {
            peer.say(piece);
        }
    });
    let mut connection = Connection::open(&server, &mut |_| ()).unwrap();
    let mut heard = Vec::new();
    while let Some(next) = connection.hear(&Link::default()).unwrap() {
        heard.push(next);
    }
    let line = |text: &str| Heard::Line(text.to_owned());
    let longest = line(&"y".repeat(MAX_LINE - 1));
    let want = [line("ab"), line("שלום"), line(""), longest, Heard::Dropped, line("end")];
    assert!(heard == want, "{} lines", heard.len());
    script.join().unwrap();
}

/// A listener in its thread, and what the keyboard and the screen have of it.
struct Listening {
    link: Arc<Link>,
    shown: Receiver<Shown>,
    thread: JoinHandle<Result<(), ClientError>>,
}

impl Listening {
    /// Logs in and listens; nothing is waited for longer than a moment.
    fn start(server: &Server, name_taken: Duration) -> Self {
        let mut connection = Connection::open(server, &mut |_| ()).unwrap();
        let login = connection.login("Alice", DEADLINE, |_| ()).unwrap();
        assert_eq!(login, Login::Welcome("Alice".to_owned()));
        let (shown, to_show) = sync_channel(64);
        // The other end is kept by the thread: nobody hangs up before the end.
        let (stay, left) = channel();
        let link = Arc::new(Link::default());
        let moment = Duration::from_millis(1);
        let listener = Listener {
            name: "Alice".to_owned(),
            server: server.clone(),
            patience: Patience {
                first_wait: moment,
                longest_wait: moment,
                name_taken,
                login: DEADLINE,
            },
            link: Arc::clone(&link),
            names: Arc::default(),
            echoes: Arc::default(),
            shown,
            left,
        };
        listener.adopt(&connection);
        let thread = thread::spawn(move || {
            let end = listener.run(connection);
            drop(stay);
            end
        });
        Self { link, shown: to_show, thread }
    }

    fn next(&self) -> Shown {
        self.shown.recv_timeout(DEADLINE).unwrap()
    }

    /// Skips to the next line of the server.
    fn next_line(&self) -> String {
        loop {
            if let Shown::Line(line) = self.next() {
                return line;
            }
        }
    }

    fn next_word(&self) -> String {
        match self.next() {
            Shown::Word(word) => word,
            Shown::Line(line) => panic!("{line}"),
        }
    }
}

#[test]
fn a_lost_server_is_found_again_past_ones_own_ghost() {
    let (server, script) = play(|listener| {
        let mut first = accept(&listener);
        first.welcome("Alice");
        first.notice(Notice::ShuttingDown);
        drop(first);
        for _ in 0..2 {
            let mut ghost = accept(&listener);
            ghost.notice(Notice::EnterName);
            assert_eq!(ghost.line(), "Alice\n");
            ghost.notice(Notice::NameTaken("Alice"));
            assert_eq!(ghost.rest(), "", "one try a connection");
        }
        let mut again = accept(&listener);
        again.welcome("Alice");
        again.say("[Bob]: back?\n");
        again.rest()
    });
    let listening = Listening::start(&server, DEADLINE);
    assert_eq!(listening.next_line(), "[SERVER] Server is shutting down.");
    let lost = listening.next_word();
    assert!(lost.starts_with(&format!("Connection to {server} lost. Trying again in ")), "{lost}");
    for _ in 0..2 {
        let taken = listening.next_word();
        assert!(taken.starts_with(&format!("The name Alice is still taken at {server}. ")));
    }
    assert_eq!(listening.next_line(), "[SERVER] Welcome Alice!");
    assert_eq!(listening.next_word(), format!("Connected to {server} again."));
    assert_eq!(listening.next_line(), "[Bob]: back?");
    listening.link.send("all yes").unwrap();
    listening.link.leave();
    assert!(matches!(listening.link.send("all late"), Err(NotSent::NotConnected)));
    listening.link.close();
    listening.thread.join().unwrap().unwrap();
    assert_eq!(script.join().unwrap(), "list\nall yes\nquit\n", "who is here is asked anew");
}

#[test]
fn a_name_that_stays_taken_is_given_up() {
    let (server, script) = play(|listener| {
        accept(&listener).welcome("Alice");
        let mut other = accept(&listener);
        other.notice(Notice::NameTaken("Alice"));
        other.rest()
    });
    let listening = Listening::start(&server, Duration::ZERO);
    assert!(listening.next_word().starts_with("Connection to "));
    let end = listening.thread.join().unwrap();
    assert!(matches!(end, Err(ClientError::NameHeld { .. })), "{end:?}");
    assert_eq!(script.join().unwrap(), "Alice\n");
}

#[test]
fn a_name_that_is_not_accepted_any_more_is_given_up_at_once() {
    let (server, _) = play(|listener| {
        accept(&listener).welcome("Alice");
        let mut other = accept(&listener);
        other.notice(Notice::NameRefused(crate::name::NameError::Reserved("all")));
        other.rest()
    });
    let end = Listening::start(&server, DEADLINE).thread.join().unwrap();
    assert!(matches!(end, Err(ClientError::NameRefused { .. })), "{end:?}");
}

#[test]
fn a_line_without_a_connection_is_told() {
    assert!(matches!(Link::default().send("all hi"), Err(NotSent::NotConnected)));
}
