//! What the load is put on: a server or the floor in a process of its own, and what it takes.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, anyhow, bail};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::dialect::Dialect;
use super::plan::{Plan, Scenario};

/// What the load is put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A server that is started for it, the one that is built in unless said.
    Server { program: Option<PathBuf>, flags: Vec<String> },
    /// The floor.
    Floor,
    /// A server that runs already.
    Running { address: SocketAddr, pid: Option<u32>, dialect: Dialect },
}

/// A process that is ready for the load. It is killed when this is dropped, if it was started.
#[derive(Debug)]
pub(super) struct Process {
    child: Option<Child>,
    pid: Option<u32>,
    pub(super) address: SocketAddr,
    pub(super) dialect: Dialect,
}

/// What a process has taken so far, as far as the system tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Processor time of all its threads, in nanoseconds.
    pub(super) processor_ns: Option<u64>,
    /// Writes of all its threads, vectored ones included (`syscw` in `/proc/PID/io`).
    pub(super) writes: Option<u64>,
    /// Its resident set, in bytes.
    pub(super) resident: Option<u64>,
    /// Open descriptors.
    pub(super) descriptors: Option<u64>,
}

impl Target {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It does not start, or has no room for all clients of the plan.
    pub(super) fn start(&self, plan: &Plan) -> anyhow::Result<Process> {
        let mut command = match self {
            &Self::Running { address, pid, dialect } => {
                return Ok(Process { child: None, pid, address, dialect });
            }
            Self::Server { program, flags } => server(program.as_ref(), flags)?,
            Self::Floor => floor(plan)?,
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {self}"))?;
        let stdout = child.stdout.take();
        let pid = Some(child.id());
        let dialect = if *self == Self::Floor { Dialect::Bare } else { Dialect::Hubbub };
        // From here on the child is killed whatever happens.
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Process { child: Some(child), pid, address, dialect };
        let mut line = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut line).context("reading where it listens")?;
        }
        let (address, room) = parse_ready(line.trim_end())
            .ok_or_else(|| anyhow!("{self} did not say where it listens"))?;
        if u64::from(plan.clients()) > room {
            bail!("{} clients are too many for {self}: it has room for {room}", plan.clients());
        }
        process.address = address;
        Ok(process)
    }
}

impl fmt::Display for Target {
    /// As one would start it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { program, flags } => {
                match program {
                    Some(program) => program.display().fmt(f)?,
                    None => f.write_str("hubbub")?,
                }
                flags.iter().try_for_each(|flag| write!(f, " {flag}"))
            }
            Self::Floor => f.write_str("the floor"),
            Self::Running { address, dialect, .. } => {
                let what = if dialect.is_own() { "the server" } else { dialect.name() };
                write!(f, "{what} on {address}")
            }
        }
    }
}

impl Process {
    /// What it has taken up to now.
    pub(super) fn usage(&self) -> Usage {
        self.pid.map(usage).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends this process when the one that started it does, however that comes about.
pub(crate) fn follow_parent() {
    // Elsewhere it is stopped when a load ends, as here, but outlives one that is killed.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::SIGKILL);
}

/// What this process itself has taken up to now.
pub(super) fn own_usage() -> Usage {
    usage(std::process::id())
}

fn server(program: Option<&PathBuf>, flags: &[String]) -> anyhow::Result<Command> {
    let mut command = match program {
        Some(program) => Command::new(program),
        None => Command::new(std::env::current_exe().context("this very program")?),
    };
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn");
    }
    Ok(command)
}

fn floor(plan: &Plan) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this very program")?);
    command.arg("relay");
    if plan.pairs > 0 {
        command.arg("--pairs");
    }
    if plan.scenario == Scenario::Churn {
        command.arg("--mute");
    }
    Ok(command)
}

/// `Listening on ADDRESS, room for NUMBER connections. ...`
fn parse_ready(line: &str) -> Option<(SocketAddr, u64)> {
    let (address, rest) = line.strip_prefix("Listening on ")?.split_once(", room for ")?;
    let (room, _) = rest.split_once(' ')?;
    Some((address.parse().ok()?, room.parse().ok()?))
}

fn usage(pid: u32) -> Usage {
    Usage {
        processor_ns: processor_ns(pid),
        writes: field(pid, "io", "syscw:").and_then(|count| count.parse().ok()),
        resident: resident(pid),
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok().map(|found| found.count() as u64),
    }
}

/// The processor clock of a process (`clock_getcpuclockid`): exact to the nanosecond, where
/// `/proc/PID/stat` counts hundredths of a second.
fn processor_ns(pid: u32) -> Option<u64> {
    let clock: ClockId = clock_getcpuclockid(Pid::from_raw(pid.try_into().ok()?)).ok()?;
    let time = clock_gettime(clock).ok()?;
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    Some(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
}

fn resident(pid: u32) -> Option<u64> {
    let kib: u64 = field(pid, "status", "VmRSS:")?.strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// What stands behind a name in one of the files that the system has of a process (see `proc(5)`).
fn field(pid: u32, file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_listens_and_how_many_have_room() {
        let line =
            "Listening on 127.0.0.1:4711, room for 19968 connections. Try: nc 127.0.0.1 4711";
        assert_eq!(parse_ready(line), Some(("127.0.0.1:4711".parse().unwrap(), 19968)));
        assert_eq!(parse_ready("Listening on it"), None);
    }

    #[test]
    fn this_process_takes_something() {
        let usage = own_usage();
        assert!(usage.processor_ns.is_some_and(|ns| ns > 0));
        assert!(usage.resident.is_some_and(|bytes| bytes > 0));
        assert!(usage.descriptors.is_some_and(|count| count > 2));
    }
}
