//! The client of a script: lines in, lines out, an exit code.
//!
//! It logs in, sends its input as it is, says that there is no more, and prints what comes until
//! the server ends the stream. One thread sends; this one reads and prints, so that neither waits
//! for the other.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, Heard, Login};
use super::link::{Link, NotSent};
use super::screen::plain;
use super::unconfirmed::Unsure;
use super::{ClientError, LOGIN_PATIENCE, Options, Outcome, closed_early, connect};
use crate::config::Server;
use crate::wire::{Command, Notice, Reply};

/// The byte-order mark that some shells put before what they pipe, in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How much of the input is read at once, in bytes.
const READ_SIZE: usize = 16 * 1024;

/// The longest line that is looked at for being `quit`, in bytes.
const MAX_QUIT: usize = 64;

/// Runs over standard input and output.
pub(super) fn run(options: &Options) -> Result<Outcome, ClientError> {
    let (mut output, mut words) = (io::stdout(), io::stderr());
    exchange(options, io::stdin(), Printer::new(&mut output, &mut words, input_waits))
}

/// One session: `input` is sent, what comes is printed.
pub(super) fn exchange(
    options: &Options,
    input: impl Read + Send + 'static,
    mut printer: Printer<'_>,
) -> Result<Outcome, ClientError> {
    let Options { name, server, heartbeat, .. } = options;
    let name = name.as_deref().ok_or(ClientError::NoName)?;
    let broken = |source| ClientError::Broken { server: server.to_string(), source };
    let mut connection = connect(server, &mut |_| ())?;
    if log_in(&mut connection, name, server, &mut printer)? == Outcome::Refused {
        return printer.finish();
    }
    let finishing = Arc::new(AtomicBool::new(false));
    let link = Arc::new(Link::new(*heartbeat));
    link.up(connection.writer().map_err(broken)?, connection.me());
    let sender = start_sender(Arc::clone(&link), input, Arc::clone(&finishing))?;
    let end = print_all(&mut connection, &link, &mut printer, &finishing);
    let finished = finishing.load(Ordering::SeqCst);
    if matches!(end, Ok(End::Stream)) && finished && !printer.stopped {
        link.ended_in_order();
    }
    let lost = if matches!(end, Ok(End::Stream) | Err(_)) { link.unsure() } else { None };
    // Whatever is still being sent has nobody to go to.
    link.end();
    if let Some(unsure) = lost.or(link.close()) {
        printer.say(&unsure_words(&unsure));
    }
    connection.close();
    match (end.map_err(broken)?, finished) {
        _ if printer.stopped => return Err(ClientError::ShutDown),
        (End::NobodyReads, _) => return printer.finish(),
        (End::Stream, false) => return Err(ClientError::Closed),
        (End::Stream, true) => {}
    }
    match sender.join() {
        Ok(Err(SendError::Socket(source))) => Err(broken(source)),
        Ok(Err(SendError::Input(source))) => Err(ClientError::Input(source)),
        Ok(Ok(())) | Err(_) => printer.finish(),
    }
}

/// What is said of lines that the server has not confirmed, so that a script can go on with them.
fn unsure_words(unsure: &Unsure) -> String {
    let Unsure { first, count, texts } = unsure;
    let last = first + count - 1;
    let lines =
        if *count == 1 { format!("Line {first}") } else { format!("Lines {first} to {last}") };
    // Without room for all of them, the text is that of a later line.
    let text = texts.first().filter(|_| u64::try_from(texts.len()) == Ok(*count));
    let text = text.map(|text| format!("; line {first} is: {text}")).unwrap_or_default();
    format!("{lines} of the input may be lost: not confirmed by the server{text}")
}

fn log_in(
    connection: &mut Connection,
    name: &str,
    server: &Server,
    printer: &mut Printer<'_>,
) -> Result<Outcome, ClientError> {
    let failed = |source| ClientError::Login { server: server.to_string(), source };
    match connection.login(name, LOGIN_PATIENCE, |heard| printer.print(heard)).map_err(failed)? {
        Login::Welcome(_) => Ok(Outcome::Done),
        Login::NameTaken | Login::NameRefused | Login::Busy => Ok(Outcome::Refused),
        Login::Closed => Err(failed(closed_early())),
    }
}

/// How the printing came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The server ended the stream.
    Stream,
    /// The output is closed, and the input has nothing to say either.
    NobodyReads,
}

fn print_all(
    connection: &mut Connection,
    link: &Link,
    printer: &mut Printer<'_>,
    finishing: &AtomicBool,
) -> io::Result<End> {
    loop {
        // Whoever closed the output still wants delivered what they put in.
        if printer.is_deaf() && !finishing.load(Ordering::SeqCst) && !(printer.input_waits)() {
            return Ok(End::NobodyReads);
        }
        match connection.hear(link)? {
            Some(heard) => {
                if let Heard::Line(line) = &heard
                    && let Some(Reply::Broadcast { from, text }) = Reply::parse(line)
                {
                    link.heard(from, text);
                }
                printer.print(&heard);
            }
            None => return Ok(End::Stream),
        }
    }
}

/// Prints what the server says, and remembers whether it was a refusal.
pub(super) struct Printer<'a> {
    output: &'a mut dyn Write,
    /// Where the client itself speaks.
    words: &'a mut dyn Write,
    /// Whether there is input, or its end, that nobody has read yet.
    input_waits: fn() -> bool,
    refused: bool,
    /// The server has said that it stops: what it had not taken by then is lost.
    stopped: bool,
    /// Why `output` can no longer be written.
    failure: Option<io::Error>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(
        output: &'a mut dyn Write,
        words: &'a mut dyn Write,
        input_waits: fn() -> bool,
    ) -> Self {
        Self { output, words, input_waits, refused: false, stopped: false, failure: None }
    }

    fn print(&mut self, heard: &Heard) {
        let Heard::Line(line) = heard else {
            self.say("A line of the server was too long and is left out.");
            return;
        };
        if let Some(Reply::Notice(notice)) = Reply::parse(line) {
            self.refused |= notice.is_refusal();
            self.stopped |= notice == Notice::ShuttingDown;
        }
        if self.failure.is_none() {
            let written = self.output.write_all(plain(line).as_bytes());
            self.failure = written.and_then(|()| self.output.flush()).err();
        }
    }

    /// The client itself speaks.
    fn say(&mut self, word: &str) {
        // Standard error may be closed; then nobody wants to know.
        let _ = self.words.write_all(plain(&format!("* {word}")).as_bytes());
    }

    fn is_deaf(&self) -> bool {
        self.failure.is_some()
    }

    /// The outcome. An output that was closed is no failure: `| head -1` has what it wants.
    fn finish(self) -> Result<Outcome, ClientError> {
        match self.failure {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(ClientError::Output(error)),
            _ if self.refused => Ok(Outcome::Refused),
            _ => Ok(Outcome::Done),
        }
    }
}

/// Why not everything was sent.
enum SendError {
    Input(io::Error),
    Socket(io::Error),
}

/// Sends the input on a thread of its own. `finishing` becomes true before the last write, so
/// that whoever sees the server close after it knows that nothing is missing.
fn start_sender(
    link: Arc<Link>,
    input: impl Read + Send + 'static,
    finishing: Arc<AtomicBool>,
) -> Result<JoinHandle<Result<(), SendError>>, ClientError> {
    let send = move || {
        let sent = send_all(&link, input, &finishing);
        finishing.store(true, Ordering::SeqCst);
        link.end();
        if sent.is_err() {
            // There is nothing to wait for.
            link.hang_up();
        }
        sent
    };
    thread::Builder::new().name("sender".into()).spawn(send).map_err(ClientError::Start)
}

fn send_all(link: &Link, mut input: impl Read, finishing: &AtomicBool) -> Result<(), SendError> {
    let mut buffer = vec![0; READ_SIZE];
    let mut watch = LineWatch::default();
    let mut filled = read_start(&mut input, &mut buffer).map_err(SendError::Input)?;
    let mut chunk = buffer[..filled].strip_prefix(BOM).unwrap_or(&buffer[..filled]);
    while filled > 0 {
        let quit = watch.find_quit(chunk);
        if quit.is_some() {
            finishing.store(true, Ordering::SeqCst);
        }
        send(link, &chunk[..quit.unwrap_or(chunk.len())])?;
        if quit.is_some() {
            return Ok(());
        }
        filled = read_some(&mut input, &mut buffer).map_err(SendError::Input)?;
        chunk = &buffer[..filled];
    }
    finishing.store(true, Ordering::SeqCst);
    if watch.within_line {
        send(link, b"\n")?;
    }
    Ok(())
}

/// Sends, however long it takes: a long pipe is held back by the server. When the connection ends,
/// this does, too.
fn send(link: &Link, bytes: &[u8]) -> Result<(), SendError> {
    link.send_bytes(bytes).map_err(|error| {
        SendError::Socket(match error {
            NotSent::Failed(error) => error,
            NotSent::NotConnected | NotSent::Full => ErrorKind::NotConnected.into(),
        })
    })
}

/// Reads until it is clear whether there is a byte-order mark.
fn read_start(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < BOM.len() && buffer[..filled] == BOM[..filled] {
        match read_some(input, &mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Watches the lines that go by, however they are cut.
#[derive(Debug, Default)]
struct LineWatch {
    /// Whether the last line has no terminator yet.
    within_line: bool,
    /// The front of that line.
    line: Vec<u8>,
    /// Whether there is more in it than that, and than spaces.
    has_more: bool,
}

impl LineWatch {
    /// Where the first `quit` line ends in `chunk`: the server closes behind it, so it ends what
    /// there is to send.
    fn find_quit(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            at += piece.len();
            self.within_line = !piece.ends_with(b"\n");
            let room = MAX_QUIT - self.line.len();
            let (kept, more) = piece.split_at(piece.len().min(room));
            self.line.extend_from_slice(kept);
            self.has_more |= more.iter().any(|byte| !b" \r\n".contains(byte));
            if self.within_line {
                continue;
            }
            let Self { line, has_more, .. } = std::mem::take(self);
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if Command::parse(line) == Ok(Command::Quit) && !has_more {
                return Some(at);
            }
        }
        None
    }
}

/// Whether standard input has something to read, or has ended.
fn input_waits() -> bool {
    let input = io::stdin();
    let mut descriptors = [PollFd::new(&input, PollFlags::IN)];
    poll(&mut descriptors, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quit_is_found_on_a_line_of_its_own() {
        let found = |text: &str| LineWatch::default().find_quit(text.as_bytes());
        assert_eq!(found("all hi\nquit\nall there\n"), Some(12));
        assert_eq!(found("QUIT \r\n"), Some(7));
        assert_eq!(found(&format!("quit{}\r\n", " ".repeat(80))), Some(86));
        let late = format!("quit{}x\n", " ".repeat(80));
        for text in
            ["quit", "all quit\n", "quit now\n", "x\n quit\n", "quit\t\n", "quit\r\r\n", &late]
        {
            assert_eq!(found(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_cut_finds_the_same_quit(
            text in "(quit|QUIT| |\n|a{60}|\r){0,12}", cut in 0..80usize,
        ) {
            let whole = LineWatch::default().find_quit(text.as_bytes());
            let (front, back) = text.as_bytes().split_at(cut.min(text.len()));
            let mut watch = LineWatch::default();
            let cut = watch.find_quit(front).or_else(|| {
                watch.find_quit(back).map(|at| at + front.len())
            });
            prop_assert_eq!(cut, whole);
        }
    }
}
