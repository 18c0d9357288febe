//! The server as a process: where it listens, what it logs, what it costs.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ExitStatus};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Client, DEADLINE, Launch, Stderr, eventually, now};

/// Ticks of `/proc/PID/stat` a second: the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    addresses: Vec<SocketAddr>,
    max_clients: usize,
    logs: Arc<Mutex<Vec<u8>>>,
    /// Kept open, so that writing to it blocks instead of failing.
    _unread: Option<ChildStderr>,
}

impl Server {
    /// One with these flags.
    #[track_caller]
    pub(crate) fn start(flags: &str) -> Self {
        Launch::new(flags).start()
    }

    #[track_caller]
    pub(super) fn launch(launch: &Launch) -> Self {
        let mut child = launch.command().spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let mut stderr = child.stderr.take();
        let logs = Arc::default();
        if matches!(launch.stderr, Stderr::Captured)
            && let Some(pipe) = stderr.take()
        {
            capture(pipe, Arc::clone(&logs));
        }
        let mut server =
            Self { child, addresses: Vec::new(), max_clients: 0, logs, _unread: stderr };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        for _ in 0..launch.listeners() {
            match lines.recv_timeout(DEADLINE) {
                Ok(line) => {
                    let (address, max_clients) = parse_ready(&line).expect(&line);
                    server.addresses.push(address);
                    server.max_clients = max_clients;
                }
                Err(error) => panic!("it does not listen ({error}): {}", server.logs()),
            }
        }
        server
    }

    /// Where it listens first.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Everywhere it listens, in the order of its flags.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many connections it has room for, by its own account.
    pub(crate) fn max_clients(&self) -> usize {
        self.max_clients
    }

    /// A connection that has said and read nothing yet.
    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Somebody who has just been welcomed.
    #[track_caller]
    pub(crate) fn login(&self, name: &str) -> Client {
        let mut client = self.connect();
        client.login(name);
        client
    }

    /// Several, one after the other, who have read of each other's joining.
    #[track_caller]
    pub(crate) fn room<const N: usize>(&self, names: [&str; N]) -> [Client; N] {
        let mut room: Vec<Client> = Vec::new();
        for name in names {
            let client = self.login(name);
            for earlier in &mut room {
                earlier.expect(&format!("[SERVER] {name} has joined the chat!"));
            }
            room.push(client);
        }
        room.try_into().unwrap_or_else(|_| unreachable!("one client for each name"))
    }

    /// Everything on stderr so far.
    pub(crate) fn logs(&self) -> String {
        let logs = self.logs.lock().expect("the reader of stderr has not failed");
        String::from_utf8_lossy(&logs).into_owned()
    }

    /// Waits until stderr holds this, and returns all of it.
    #[track_caller]
    pub(crate) fn await_log(&self, text: &str) -> String {
        eventually(&format!("{text:?} on stderr"), || {
            Some(self.logs()).filter(|logs| logs.contains(text))
        })
    }

    /// The value of a counter, as SIGUSR1 tells it.
    #[track_caller]
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let before = self.logs().len();
        self.signal(Signal::USR1);
        let report = eventually("a report of the counters", || {
            let logs = self.logs();
            let line = logs[before..].lines().find(|line| line.contains(" counters online="))?;
            logs.ends_with('\n').then(|| line.to_owned())
        });
        let value =
            report.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|digits| digits.parse().ok()).expect("a counter of this name")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server runs");
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn await_exit(&mut self) -> ExitStatus {
        eventually("the end of the server", || self.child.try_wait().expect("it is our child"))
    }

    /// Its exit code, if it has ended by itself.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().expect("it is our child")?.code()
    }

    /// Kills it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("it is our child");
    }

    /// The memory that it has in user space, in bytes (its resident set).
    pub(crate) fn memory(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|text| text.trim().strip_suffix(" kB")).expect("it has memory");
        kib.parse::<u64>().expect("a number") * 1024
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the server runs").count()
    }

    /// Watches it for so long, and says which share of one processor it took.
    pub(crate) fn processor_share(&self, window: Duration) -> f64 {
        let (start, before) = (now(), self.processor_seconds());
        thread::sleep(window);
        (self.processor_seconds() - before) / (now() - start).as_secs_f64()
    }

    fn processor_seconds(&self) -> f64 {
        let stat = self.proc("stat");
        // The second field is the name in parentheses, which may hold spaces; then user time and
        // system time are the 14th and the 15th (proc_pid_stat(5)).
        let (_, fields) = stat.rsplit_once(')').expect("proc_pid_stat(5)");
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks.map(|text| text.parse::<f64>().expect("a number")).sum::<f64>() / TICKS_PER_SECOND
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("the server runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!("the server's stderr:\n{}", self.logs());
        }
    }
}

/// Reads a pipe to its end.
fn capture(mut pipe: ChildStderr, logs: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            logs.lock().expect("nobody fails with this lock").extend(&buffer[..count]);
        }
    });
}

/// `Listening on ADDRESS, room for NUMBER connections. ...`
fn parse_ready(line: &str) -> Option<(SocketAddr, usize)> {
    let (address, rest) = line.strip_prefix("Listening on ")?.split_once(", room for ")?;
    let (room, _) = rest.split_once(" connections. Try: nc ")?;
    Some((address.parse().ok()?, room.parse().ok()?))
}
