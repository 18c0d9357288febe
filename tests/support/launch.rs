//! How a server is started.

use std::ffi::OsString;
use std::fs::File;
use std::process::{Command, Stdio};

use super::Server;

/// A server that is about to start: on a port that the system chooses, without a flood limit.
pub(crate) struct Launch {
    wrapper: Vec<OsString>,
    listen: Vec<String>,
    flags: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    stdin: Option<File>,
    pub(super) stderr: Stderr,
}

/// What becomes of the server's stderr.
#[derive(Debug)]
pub(crate) enum Stderr {
    /// It is read all the time, for the test to look at.
    Captured,
    /// It is a pipe that nobody reads.
    Unread,
    /// It is this file.
    File(File),
}

impl Launch {
    /// With these flags, as one would type them.
    pub(crate) fn new(flags: &str) -> Self {
        Self {
            wrapper: Vec::new(),
            listen: vec!["127.0.0.1:0".to_owned()],
            flags: flags.split_whitespace().map(str::to_owned).collect(),
            environment: Vec::new(),
            stdin: None,
            stderr: Stderr::Captured,
        }
    }

    /// Listens on these addresses instead.
    pub(crate) fn listen(mut self, addresses: &[&str]) -> Self {
        self.listen = addresses.iter().map(ToString::to_string).collect();
        self
    }

    /// Starts it through a program that becomes the server by exec.
    pub(crate) fn through<S: Into<OsString>>(
        mut self,
        wrapper: impl IntoIterator<Item = S>,
    ) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Reads from this, a terminal say.
    pub(crate) fn stdin(mut self, stdin: File) -> Self {
        self.stdin = Some(stdin);
        self
    }

    /// Does this with its stderr.
    pub(crate) fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self
    }

    /// How many addresses it tells when it is ready.
    pub(super) fn listeners(&self) -> usize {
        self.listen.len()
    }

    /// Starts it, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        Server::launch(&self)
    }

    /// The command that starts it.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_hubbub").into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        for address in &self.listen {
            command.args(["--listen", address]);
        }
        if !self.flags.iter().any(|flag| flag == "--flood-rate") {
            command.args(["--flood-rate", "0"]);
        }
        command.args(&self.flags).env_remove("RUST_LOG");
        command.envs(self.environment.iter().copied());
        let stdin = self.stdin.as_ref().map(|file| file.try_clone().expect("a descriptor"));
        command.stdin(stdin.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::piped());
        command.stderr(match &self.stderr {
            Stderr::File(file) => file.try_clone().expect("a descriptor").into(),
            Stderr::Captured | Stderr::Unread => Stdio::piped(),
        });
        command
    }
}
