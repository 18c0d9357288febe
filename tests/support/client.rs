//! A client that knows nothing: bytes out, lines in.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::{DEADLINE, ENTER_NAME};

/// What a failure shows of what was read.
const SHOWN_LINES: usize = 10;
const SHOWN_COLUMNS: usize = 100;

/// A connection to the server.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    /// The beginning of a line whose end is not there yet.
    partial: Vec<u8>,
    /// The last lines taken, for the one who reads of a failure.
    taken: Vec<String>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An orderly end of stream.
    Closed,
    /// A reset.
    Reset,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server listens");
        Self::over(stream)
    }

    /// Speaks over a connection that is already there.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a TCP socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a TCP socket");
        Self { stream: BufReader::new(stream), partial: Vec::new(), taken: Vec::new() }
    }

    /// Gives a name and waits to be welcomed.
    #[track_caller]
    pub(crate) fn login(&mut self, name: &str) {
        self.send(name);
        self.expect(ENTER_NAME);
        let welcome = self.line();
        assert!(welcome.starts_with(&format!("[SERVER] Welcome {name}! ")), "{welcome:?}");
    }

    /// Sends one line, or several.
    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        if let Err(error) = self.socket().write_all(bytes) {
            panic!("cannot send: {error}; {}", self.story());
        }
    }

    /// Sends as much of this as the server takes: it may close meanwhile.
    pub(crate) fn send_what_goes(&mut self, bytes: &[u8]) {
        let _ = self.socket().write_all(bytes);
    }

    /// Ends the stream towards the server, and goes on reading.
    pub(crate) fn end(&mut self) {
        self.socket().shutdown(Shutdown::Write).expect("a connection");
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        SockRef::from(self.socket()).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket().local_addr().expect("a connection")
    }

    /// The next line, without its terminator.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        match self.line_or_end() {
            Ok(line) => line,
            Err(end) => panic!("{end:?} instead of a line; {}", self.story()),
        }
    }

    /// Takes this line, and no other.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        let got = self.line();
        assert_eq!(got, line, "{}", self.story());
    }

    /// The lines up to and including this one.
    #[track_caller]
    pub(crate) fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line());
            if lines.last().is_some_and(|line| line == last) {
                return lines;
            }
        }
    }

    /// The stream ends here, without another line and without a reset.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        match self.line_or_end() {
            Ok(line) => panic!("{line:?} instead of the end"),
            Err(end) => assert_eq!(end, End::Closed, "{}", self.story()),
        }
    }

    /// Reads to the end, however it comes.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> (Vec<String>, End) {
        let mut lines = Vec::new();
        loop {
            match self.line_or_end() {
                Ok(line) => lines.push(line),
                Err(end) => return (lines, end),
            }
        }
    }

    /// The next line is the answer to a `list` sent now. So there was nothing else to read, and
    /// whatever anyone sent before now was read by the server.
    #[track_caller]
    pub(crate) fn reads_nothing(&mut self) {
        self.send("list");
        let line = self.line();
        assert!(line.starts_with("[SERVER] Online users ("), "{line:?} out of nowhere");
    }

    /// What there is to read now, without taking it.
    pub(crate) fn waiting(&mut self) -> String {
        self.socket().set_nonblocking(true).expect("a socket");
        let text = self.stream.fill_buf().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        self.socket().set_nonblocking(false).expect("a socket");
        text.unwrap_or_default()
    }

    /// The next line, or how the connection ended.
    #[track_caller]
    pub(crate) fn line_or_end(&mut self) -> Result<String, End> {
        match self.stream.read_until(b'\n', &mut self.partial) {
            Ok(_) => self.take_line().ok_or_else(|| {
                assert!(self.partial.is_empty(), "the end within a line; {}", self.story());
                End::Closed
            }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(End::Reset),
            Err(error) => panic!("{error} instead of a line; {}", self.story()),
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.partial.strip_suffix(b"\n")?.len();
        self.partial.truncate(end);
        let line = String::from_utf8(std::mem::take(&mut self.partial));
        let line = line.expect("the server speaks UTF-8");
        if self.taken.len() == SHOWN_LINES {
            self.taken.remove(0);
        }
        self.taken.push(line.chars().take(SHOWN_COLUMNS).collect());
        Some(line)
    }

    fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    fn story(&self) -> String {
        let partial = String::from_utf8_lossy(&self.partial);
        format!("the last lines: {:#?}, then {partial:?}", self.taken)
    }
}
