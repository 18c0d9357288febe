//! The connection as those see it who send: the keyboard or a pipe's input, and the heartbeat.
//!
//! Nothing here waits in a write. What the keyboard sends and the system has no room for waits in a
//! bounded backlog, which a thread of its own sends; a pipe waits itself. The lock is free
//! meanwhile: the thread that reads must go on, or the server, which waits for its answers to be
//! read, would wait for ever.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use super::outgoing::{Outgoing, await_room};
use super::unconfirmed::Unsure;

/// How often a connection is looked after.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked after at most, for a heartbeat of a fraction of a second.
const SHORTEST_TICK: Duration = Duration::from_millis(10);

/// The connection of now, if there is one.
#[derive(Debug, Default)]
pub(super) struct Link {
    state: Mutex<LinkState>,
    /// Told when there is a backlog, and when the user leaves.
    changed: Condvar,
    /// After how long without a line an empty one is sent.
    heartbeat: Option<Duration>,
}

#[derive(Debug, Default)]
enum LinkState {
    /// There is none now.
    #[default]
    Down,
    Up(Outgoing),
    /// The user leaves: there will be no other.
    Leaving(Option<Outgoing>),
}

/// Why a line was not sent.
#[derive(Debug)]
pub(super) enum NotSent {
    NotConnected,
    /// It was sent in part at most, and the connection is closed.
    Failed(io::Error),
    /// The server takes too little, and more than this may not wait for it.
    Full,
}

impl Link {
    /// One that sends an empty line when nothing was sent for so long.
    pub(super) fn new(heartbeat: Option<Duration>) -> Self {
        Self { heartbeat, ..Self::default() }
    }

    /// Sends a line, or lets it wait until there is room for it; its terminator is added.
    pub(super) fn send(&self, line: &str) -> Result<(), NotSent> {
        let mut state = self.lock();
        let LinkState::Up(out) = &mut *state else { return Err(NotSent::NotConnected) };
        let is_first = out.backlog.is_empty();
        out.queue(line)?;
        if is_first {
            out.send_backlog().map_err(NotSent::Failed)?;
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Sends a line that the client needs by itself: nobody has to be told when it is lost.
    pub(super) fn ask(&self, line: &str) {
        if let LinkState::Up(out) = &mut *self.lock()
            && out.queue_unseen(line).is_ok()
        {
            // An error is told to the one who reads.
            let _ = out.send_backlog();
        }
        self.changed.notify_all();
    }

    /// Sends what waits for room, until the user has left. `tell` is called once whenever the
    /// server has taken nothing for a second.
    pub(super) fn send_backlog(&self, tell: impl Fn()) {
        loop {
            let has_work = |state: &mut LinkState| match state {
                LinkState::Up(out) | LinkState::Leaving(Some(out)) => !out.backlog.is_empty(),
                LinkState::Leaving(None) => true,
                LinkState::Down => false,
            };
            let waited = self.changed.wait_while(self.lock(), |state| !has_work(state));
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            let (LinkState::Up(out) | LinkState::Leaving(Some(out))) = &mut *state else { return };
            // An error is told to the one who reads, and what waits is not confirmed.
            let failed = out.send_backlog().is_err();
            if failed {
                out.backlog.clear();
            }
            if out.is_stuck() {
                tell();
            }
            let stream = Arc::clone(&out.stream);
            drop(state);
            await_room(&stream);
        }
    }

    /// Sends bytes as they are, lines or parts of lines, however long that takes.
    pub(super) fn send_bytes(&self, mut bytes: &[u8]) -> Result<(), NotSent> {
        while !bytes.is_empty() {
            let mut state = self.lock();
            let LinkState::Up(out) = &mut *state else { return Err(NotSent::NotConnected) };
            let sent = out.send(bytes).map_err(NotSent::Failed)?;
            out.record(&bytes[..sent]);
            bytes = &bytes[sent..];
            let stream = Arc::clone(&out.stream);
            drop(state);
            if !bytes.is_empty() {
                await_room(&stream);
            }
        }
        Ok(())
    }

    /// Looks after the connection: learns what has arrived, and sends a heartbeat when it is due.
    /// `false` when nothing of what was sent was answered for
    /// [`DEAD_AFTER`](super::outgoing::DEAD_AFTER).
    pub(super) fn tick(&self) -> bool {
        let mut state = self.lock();
        match &mut *state {
            LinkState::Up(out) => {
                if let Some(idle) = self.heartbeat {
                    out.beat(idle);
                }
                out.is_answered()
            }
            LinkState::Leaving(Some(out)) => out.is_answered(),
            LinkState::Leaving(None) | LinkState::Down => true,
        }
    }

    /// How often [`tick`](Self::tick) is to be called.
    pub(super) fn tick_every(&self) -> Duration {
        let beat = self.heartbeat.map_or(TICK, |idle| idle / 4);
        beat.clamp(SHORTEST_TICK, TICK)
    }

    /// Somebody's broadcast came; if it is one's own, the server has taken it, and all before it.
    pub(super) fn heard(&self, from: &str, text: &str) {
        if let LinkState::Up(out) | LinkState::Leaving(Some(out)) = &mut *self.lock()
            && out.me == from
        {
            out.unconfirmed.echoed(text);
        }
    }

    /// Says goodbye. From now on the end of the stream is not a loss: the listener, who sees it,
    /// has to wait until that is written down.
    pub(super) fn leave(&self) {
        self.finish(|out| {
            out.backlog.extend(b"quit\n");
            out.unconfirmed.sent_part(b"quit\n".len());
            // If it cannot be sent, the server is gone: closing follows.
            let _ = out.send_backlog();
        });
    }

    /// Says that there is no more to come.
    pub(super) fn end(&self) {
        // It fails only when the connection is gone.
        self.finish(|out| drop(out.stream.shutdown(Shutdown::Write)));
    }

    fn finish(&self, say: impl FnOnce(&mut Outgoing)) {
        let mut state = self.lock();
        *state = match std::mem::take(&mut *state) {
            LinkState::Up(mut out) => {
                say(&mut out);
                LinkState::Leaving(Some(out))
            }
            LinkState::Leaving(out) => LinkState::Leaving(out),
            LinkState::Down => LinkState::Leaving(None),
        };
        self.changed.notify_all();
    }

    /// The server has ended its stream in order, behind everything that was sent: it has taken it
    /// all if all of it was sent.
    pub(super) fn ended_in_order(&self) {
        if let LinkState::Leaving(Some(out)) = &mut *self.lock()
            && out.backlog.is_empty()
        {
            out.unconfirmed.confirm_all();
        }
    }

    /// What the server has not confirmed by now.
    pub(super) fn unsure(&self) -> Option<Unsure> {
        match &mut *self.lock() {
            LinkState::Up(out) | LinkState::Leaving(Some(out)) => out.unsure(),
            LinkState::Leaving(None) | LinkState::Down => None,
        }
    }

    /// Ends the connection of a user who leaves, whatever the server still has to say. When the
    /// other side's system has not acknowledged everything, this is what the server has not
    /// confirmed, and what is not sent by now is not sent any more: it would arrive although it is
    /// said to be lost.
    pub(super) fn close(&self) -> Option<Unsure> {
        let mut state = self.lock();
        let LinkState::Leaving(left) = &mut *state else { return None };
        let mut out = left.take()?;
        self.changed.notify_all();
        let unsure = out.unsure().filter(|_| out.unconfirmed.is_under_way());
        if unsure.is_some() || !out.backlog.is_empty() {
            // Half a line that is followed by the end of the stream would count as a line.
            let _ = SockRef::from(&*out.stream).set_linger(Some(Duration::ZERO));
        }
        // It fails when the connection is gone, which is what was wanted.
        let _ = out.stream.shutdown(Shutdown::Both);
        unsure
    }

    /// Ends both directions: whoever reads comes back.
    pub(super) fn hang_up(&self) {
        if let LinkState::Up(out) | LinkState::Leaving(Some(out)) = &*self.lock() {
            // It fails when the connection is gone, which is what was wanted.
            let _ = out.stream.shutdown(Shutdown::Both);
        }
    }

    /// There is a connection, under this name; `false` when the user has left.
    pub(super) fn up(&self, stream: TcpStream, me: &str) -> bool {
        let mut state = self.lock();
        let wanted = !matches!(*state, LinkState::Leaving(_));
        if wanted {
            *state = LinkState::Up(Outgoing::new(stream, me));
        }
        wanted
    }

    /// The connection is gone; `Err` when the user has left, otherwise what the server has not
    /// confirmed.
    pub(super) fn down(&self) -> Result<Option<Unsure>, Left> {
        let mut state = self.lock();
        match &mut *state {
            LinkState::Leaving(_) => Err(Left),
            LinkState::Down => Ok(None),
            LinkState::Up(out) => {
                let unsure = out.unsure();
                *state = LinkState::Down;
                Ok(unsure)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user has left.
#[derive(Debug)]
pub(super) struct Left;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A link that is up, and the server's end of it, which has little room.
    fn connected(heartbeat: Option<Duration>) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        SockRef::from(&stream).set_send_buffer_size(4096).unwrap();
        let link = Link::new(heartbeat);
        assert!(link.up(stream, "Alice"));
        (link, listener.accept().unwrap().0)
    }

    fn fill(link: &Link) -> usize {
        let long = format!("all {}", "x".repeat(2000));
        (0..10_000).take_while(|_| link.send(&long).is_ok()).count()
    }

    #[test]
    fn nothing_waits_for_a_server_that_does_not_read_and_all_of_it_is_named() {
        let (link, mut server) = connected(None);
        link.send("all first").unwrap();
        let sent = fill(&link);
        assert!(sent > 100, "{sent}");
        assert!(matches!(link.send(&"x".repeat(4000)), Err(NotSent::Full)));
        link.leave();
        let unsure = link.close().unwrap();
        assert_eq!((unsure.first, unsure.count), (1, sent as u64 + 1));
        drop(link);
        // What is said to be lost does not arrive after all, and half a line never ends.
        let mut read = Vec::new();
        assert!(server.read_to_end(&mut read).is_err(), "a reset");
    }

    #[test]
    fn what_waited_is_sent_in_order_when_the_server_reads_again() {
        let (link, mut server) = connected(None);
        let link = Arc::new(link);
        let sent = fill(&link);
        let sender = thread::spawn({
            let link = Arc::clone(&link);
            move || link.send_backlog(|| ())
        });
        link.leave();
        let mut text = String::new();
        let mut buffer = [0; 8192];
        while !text.ends_with("quit\n") {
            let count = server.read(&mut buffer).unwrap();
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        assert_eq!(text.matches("all x").count(), sent);
        link.ended_in_order();
        assert_eq!(link.close(), None);
        sender.join().unwrap();
    }

    #[test]
    fn an_echo_confirms_and_other_lines_do_not() {
        let (link, _server) = connected(None);
        link.send("all hi").unwrap();
        link.heard("Bob", "hi");
        link.heard("Alice", "hello");
        link.send("all there").unwrap();
        link.heard("Alice", "hi");
        let unsure = link.down().unwrap().unwrap();
        assert_eq!((unsure.count, unsure.texts), (1, vec!["all there".to_owned()]));
        assert!(matches!(link.send("all late"), Err(NotSent::NotConnected)));
    }

    #[test]
    fn a_quiet_link_sends_empty_lines_but_none_within_a_line() {
        let (link, mut server) = connected(Some(Duration::from_millis(1)));
        assert_eq!(link.tick_every(), SHORTEST_TICK);
        let mut byte = [0];
        server.set_nonblocking(true).unwrap();
        while server.read(&mut byte).is_err() {
            assert!(link.tick());
        }
        assert_eq!(&byte, b"\n");
        server.set_nonblocking(false).unwrap();
        link.send_bytes(b"all ha").unwrap();
        thread::sleep(Duration::from_millis(3));
        assert!(link.tick());
        link.send_bytes(b"lf\n").unwrap();
        link.leave();
        assert!(link.tick());
        link.ended_in_order();
        assert_eq!(link.close(), None);
        let mut rest = String::new();
        let _ = server.read_to_string(&mut rest);
        assert!(rest.trim_start_matches('\n').starts_with("all half\n"), "{rest:?}");
    }
}
