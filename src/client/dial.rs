//! Connecting (Happy Eyeballs, RFC 8305): the addresses of a host are tried one after another, a
//! quarter of a second apart, and the first that answers wins. A dead address costs this quarter
//! of a second instead of a time-out, and a slow lookup of one family does not hold up the other.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use dns_lookup::{AddrFamily, AddrInfoHints, SockType, getaddrinfo};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::addresses::{Addresses, Family, MAX_ADDRESSES};
use super::connection::now;
use crate::config::Server;

/// How long a lookup of IPv6 addresses may be late before IPv4 is tried: RFC 8305, section 3.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How long after one attempt the next begins: RFC 8305, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How long one address may take to answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long all of it may take, the lookup included.
const LIMIT: Duration = Duration::from_secs(20);

/// After how long it is told what is tried.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// The most lookups at a time, those included that nobody waits for any more: the system's
/// resolver cannot be called off.
const MAX_LOOKUPS: usize = 8;

/// How many lookups run.
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// Why there is no connection.
#[derive(Debug)]
pub struct DialError {
    /// Every address that was tried, in order, and why it did not do.
    attempts: Vec<(SocketAddr, io::Error)>,
    /// Why there are not more addresses.
    lookup: Option<io::Error>,
}

impl DialError {
    /// A connection that could not be used.
    pub(super) fn of(address: Option<SocketAddr>, error: io::Error) -> Self {
        match address {
            Some(address) => Self { attempts: vec![(address, error)], lookup: None },
            None => Self { attempts: Vec::new(), lookup: Some(error) },
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.attempts.as_slice(), &self.lookup) {
            ([], Some(lookup)) => write!(f, "{lookup}"),
            ([], None) => f.write_str("the host has no address"),
            ([(_, error)], None) => write!(f, "{error}"),
            (attempts, lookup) => {
                for (i, (address, error)) in attempts.iter().enumerate() {
                    write!(f, "{}{address}: {error}", if i == 0 { "" } else { "; " })?;
                }
                lookup.as_ref().map_or(Ok(()), |lookup| write!(f, "; {lookup}"))
            }
        }
    }
}

impl std::error::Error for DialError {}

/// Connects to a server. After a second, `tell` is told what is tried.
pub(super) fn dial(server: &Server, tell: &mut dyn FnMut(String)) -> Result<TcpStream, DialError> {
    let mut race = Race::start(server);
    loop {
        race.take_addresses();
        let end = race.start_attempts().or_else(|| race.look_at_attempts());
        if let Some(stream) = end {
            return Ok(stream);
        }
        if race.is_over() {
            return Err(race.failed());
        }
        race.tell(server, tell);
        race.wait();
    }
}

/// One attempt to connect.
struct Attempt {
    /// The first is 1.
    number: usize,
    socket: Socket,
    address: SocketAddr,
    started: Instant,
}

/// Addresses of one family, or why there are none.
type Found = (Family, io::Result<Vec<SocketAddr>>);

/// All attempts to reach one server.
struct Race {
    started: Instant,
    addresses: Addresses,
    attempts: Vec<Attempt>,
    failed: Vec<(SocketAddr, io::Error)>,
    /// When the last attempt began; `None` when the next may begin at once.
    last_start: Option<Instant>,
    lookups: Option<Lookups>,
    lookup_error: Option<io::Error>,
    /// Up to which attempt it was told, if anything was.
    told: Option<usize>,
    /// How many attempts began.
    begun: usize,
}

/// Lookups that are under way.
struct Lookups {
    left: usize,
    found: Receiver<Found>,
    /// Has a byte for each that has ended.
    wake: io::PipeReader,
    /// When the first one ended that found addresses.
    first: Option<Instant>,
}

impl Race {
    fn start(server: &Server) -> Self {
        let mut race = Self {
            started: now(),
            addresses: Addresses::default(),
            attempts: Vec::new(),
            failed: Vec::new(),
            last_start: None,
            lookups: None,
            lookup_error: None,
            told: None,
            begun: 0,
        };
        if let Ok(ip) = server.host.parse::<IpAddr>() {
            race.addresses.extend([SocketAddr::new(ip, server.port)]);
        } else {
            match Lookups::start(server) {
                Ok(lookups) => race.lookups = Some(lookups),
                Err(error) => race.lookup_error = Some(error),
            }
        }
        race
    }

    /// Takes what the lookups have found.
    fn take_addresses(&mut self) {
        let Some(lookups) = &mut self.lookups else { return };
        while let Ok((family, found)) = lookups.found.try_recv() {
            // There is a byte for each, so this does not wait.
            let _ = lookups.wake.read(&mut [0]);
            lookups.left -= 1;
            match found {
                Ok(found) => {
                    lookups.first.get_or_insert_with(now);
                    self.addresses.extend(found);
                }
                // Of two reasons, the one of IPv4 is told: it is the one that people look for.
                Err(error) if family == Family::V4 || self.lookup_error.is_none() => {
                    self.lookup_error = Some(error);
                }
                Err(_) => {}
            }
        }
        if lookups.left == 0 {
            self.lookups = None;
        }
    }

    /// When the next attempt begins; `None` when there is no address for one.
    fn next_start(&self) -> Option<Instant> {
        if self.addresses.is_empty() {
            return None;
        }
        let spaced = self.last_start.map_or(self.started, |last| last + ATTEMPT_DELAY);
        let waits_for_v6 = self.begun == 0 && self.addresses.lacks(Family::V6);
        match self.lookups.as_ref().and_then(|lookups| lookups.first) {
            Some(first) if waits_for_v6 => Some(first + RESOLUTION_DELAY),
            _ => Some(spaced),
        }
    }

    /// Begins the attempts that are due. An attempt can succeed or fail at once.
    fn start_attempts(&mut self) -> Option<TcpStream> {
        while self.next_start().is_some_and(|start| start <= now()) {
            let address = self.addresses.next()?;
            self.begun += 1;
            self.last_start = Some(now());
            match Attempt::start(self.begun, address) {
                Ok(attempt) => self.attempts.push(attempt),
                Err(error) => self.fail(address, error),
            }
        }
        None
    }

    /// The first attempt that has succeeded; those that have failed make room for the next.
    fn look_at_attempts(&mut self) -> Option<TcpStream> {
        for attempt in std::mem::take(&mut self.attempts) {
            match attempt.outcome() {
                Ok(true) => match attempt.connected() {
                    Ok(stream) => return Some(stream),
                    Err((address, error)) => self.fail(address, error),
                },
                Ok(false) => self.attempts.push(attempt),
                Err(error) => self.fail(attempt.address, error),
            }
        }
        None
    }

    fn fail(&mut self, address: SocketAddr, error: io::Error) {
        self.failed.push((address, error));
        self.last_start = None;
    }

    /// Whether nothing more can come of it.
    fn is_over(&self) -> bool {
        let is_late = now().saturating_duration_since(self.started) >= LIMIT;
        is_late || (self.attempts.is_empty() && self.addresses.is_empty() && self.lookups.is_none())
    }

    /// What became of it, when nothing came of it.
    fn failed(mut self) -> DialError {
        let left = self.attempts.drain(..).map(|attempt| attempt.address);
        self.failed.extend(left.map(|address| (address, timed_out())));
        // That one family has no address is no news where the other has.
        let lookup = match self.lookups {
            Some(_) => Some(io::Error::new(ErrorKind::TimedOut, "the name lookup takes too long")),
            None => self.lookup_error.filter(|_| self.failed.is_empty()),
        };
        DialError { attempts: self.failed, lookup }
    }

    /// Tells what is tried, once it takes long.
    fn tell(&mut self, server: &Server, tell: &mut dyn FnMut(String)) {
        let is_early = now().saturating_duration_since(self.started) < TELL_AFTER;
        if is_early || self.told == Some(self.begun) {
            return;
        }
        let told = self.told.unwrap_or(0);
        let new = self.attempts.iter().filter(|attempt| attempt.number > told);
        let names: Vec<String> = new.map(|attempt| attempt.address.to_string()).collect();
        if !names.is_empty() {
            tell(format!("Trying {} ...", names.join(", ")));
        } else if self.told.is_none() && self.begun == 0 {
            tell(format!("Looking up {} ...", server.host));
        }
        self.told = Some(self.begun);
    }

    /// Waits until something can have happened.
    fn wait(&self) {
        let attempt_ends = self.attempts.iter().map(|attempt| attempt.started + ATTEMPT_TIMEOUT);
        let tell = self.told.is_none().then_some(self.started + TELL_AFTER);
        let ends = attempt_ends.chain(self.next_start()).chain(tell);
        let end = ends.fold(self.started + LIMIT, Instant::min);
        let left = end.saturating_duration_since(now()) + Duration::from_millis(1);
        let mut waited = Vec::with_capacity(self.attempts.len() + 1);
        for attempt in &self.attempts {
            waited.push(PollFd::new(&attempt.socket, PollFlags::OUT));
        }
        if let Some(lookups) = &self.lookups {
            waited.push(PollFd::new(&lookups.wake, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        // It fails when a signal comes; then everything is looked at once more.
        let _ = poll(&mut waited, Some(&timeout));
    }
}

impl Attempt {
    fn start(number: usize, address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(Self { number, socket, address, started: now() })
    }

    /// Whether it has succeeded; an error when it has failed, or has taken too long.
    fn outcome(&self) -> io::Result<bool> {
        let mut ready = [PollFd::new(&self.socket, PollFlags::OUT)];
        let count = poll(&mut ready, Some(&Timespec::default())).unwrap_or(0);
        if count == 0 {
            let is_late = now().saturating_duration_since(self.started) >= ATTEMPT_TIMEOUT;
            return if is_late { Err(timed_out()) } else { Ok(false) };
        }
        self.socket.take_error()?.map_or(Ok(true), Err)
    }

    fn connected(self) -> Result<TcpStream, (SocketAddr, io::Error)> {
        let address = self.address;
        let stream = TcpStream::from(self.socket);
        let check = || {
            stream.set_nonblocking(false)?;
            // A port of this machine where nobody listens can happen to be the socket's own.
            if stream.local_addr()? == stream.peer_addr()? {
                return Err(ErrorKind::ConnectionRefused.into());
            }
            Ok(())
        };
        check().map(|()| stream).map_err(|error| (address, error))
    }
}

impl Lookups {
    /// Begins a lookup for each family.
    fn start(server: &Server) -> io::Result<Self> {
        let (send, found) = channel();
        let (wake, bell) = io::pipe()?;
        let mut left = 0;
        for family in [Family::V6, Family::V4] {
            start_lookup(server.clone(), family, send.clone(), bell.try_clone()?)?;
            left += 1;
        }
        Ok(Self { left, found, wake, first: None })
    }
}

/// Looks a host up on a thread of its own: the system's resolver waits.
fn start_lookup(
    server: Server,
    family: Family,
    found: Sender<Found>,
    mut bell: io::PipeWriter,
) -> io::Result<()> {
    if LOOKUPS.fetch_add(1, Ordering::SeqCst) >= MAX_LOOKUPS {
        LOOKUPS.fetch_sub(1, Ordering::SeqCst);
        return Err(io::Error::other("the name server does not answer"));
    }
    let run = move || {
        let result = lookup(&server, family);
        LOOKUPS.fetch_sub(1, Ordering::SeqCst);
        // Nobody may wait for it any more.
        let _ = found.send((family, result));
        let _ = bell.write_all(b"!");
    };
    let started = thread::Builder::new().name("lookup".into()).spawn(run);
    started.map(drop).inspect_err(|_| {
        LOOKUPS.fetch_sub(1, Ordering::SeqCst);
    })
}

fn lookup(server: &Server, family: Family) -> io::Result<Vec<SocketAddr>> {
    let address = match family {
        Family::V6 => AddrFamily::Inet6,
        Family::V4 => AddrFamily::Inet,
    };
    let hints = AddrInfoHints {
        address: address.into(),
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = getaddrinfo(Some(&server.host), None, Some(hints))?;
    let addresses = found.filter_map(|info| {
        let mut address = info.ok()?.sockaddr;
        address.set_port(server.port);
        Some(address)
    });
    Ok(addresses.take(MAX_ADDRESSES).collect())
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "no answer")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn server(text: &str) -> Server {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_whose_first_address_refuses_is_reached_at_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut told = Vec::new();
        let place = server(&format!("localhost:{port}"));
        let stream = dial(&place, &mut |word| told.push(word)).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    }

    #[test]
    fn every_address_that_was_tried_is_named_with_its_reason() {
        let refused = || io::Error::from(ErrorKind::ConnectionRefused);
        let attempt = |text: &str| (text.parse().unwrap(), refused());
        let mut error = DialError { attempts: vec![attempt("[::1]:7")], lookup: None };
        assert_eq!(error.to_string(), "connection refused");
        error.attempts.push(attempt("127.0.0.1:7"));
        assert_eq!(
            error.to_string(),
            "[::1]:7: connection refused; 127.0.0.1:7: connection refused"
        );
        error.lookup = Some(timed_out());
        assert!(error.to_string().ends_with("refused; no answer"));
    }

    #[test]
    fn a_name_that_nobody_has_is_told_so() {
        let error = dial(&server("no-such-host.invalid"), &mut |_| ()).unwrap_err();
        assert!(error.attempts.is_empty() && error.lookup.is_some(), "{error}");
    }

    /// Lookups that answer when the test says so.
    fn slow_lookups() -> (Race, Sender<Found>, io::PipeWriter) {
        let mut race = Race::start(&server("127.0.0.1:1"));
        race.addresses = Addresses::default();
        let (send, found) = channel();
        let (wake, bell) = io::pipe().unwrap();
        race.lookups = Some(Lookups { left: 2, found, wake, first: None });
        (race, send, bell)
    }

    #[test]
    fn a_slow_lookup_of_one_family_does_not_hold_up_the_other() {
        let (mut race, send, mut bell) = slow_lookups();
        race.take_addresses();
        assert_eq!(race.next_start(), None);
        assert!(!race.is_over());
        let v4 = "127.0.0.1:1".parse().unwrap();
        send.send((Family::V4, Ok(vec![v4]))).unwrap();
        bell.write_all(b"!").unwrap();
        race.take_addresses();
        // IPv6 may be late by a little, and by no more.
        let first = race.lookups.as_ref().and_then(|lookups| lookups.first).unwrap();
        assert_eq!(race.next_start(), Some(first + RESOLUTION_DELAY));
        send.send((Family::V6, Ok(vec!["[::1]:1".parse().unwrap()]))).unwrap();
        bell.write_all(b"!").unwrap();
        race.take_addresses();
        assert_eq!(race.next_start(), Some(race.started));
        // The next attempt waits until the last one has had its time, or has failed.
        race.last_start = Some(first);
        assert_eq!(race.next_start(), Some(first + ATTEMPT_DELAY));
        race.fail(v4, timed_out());
        assert_eq!(race.next_start(), Some(race.started));
    }
}
