//! Listeners that the process was started with, as systemd does for a socket unit
//! (`sd_listen_fds(3)`), and what the service manager is told (`sd_notify(3)`).

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::{env, process};

use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::SockRef;
use tracing::warn;

use super::listen::ListenError;
use super::system::MAX_LISTENERS;

/// The listeners of `LISTEN_FDS`, if they are for this process. Call it before anything else opens
/// a descriptor: the variable is believed.
///
/// # Errors
///
/// [`ListenError::Inherited`]: the number makes no sense, or a descriptor is no TCP listener.
pub(super) fn listeners() -> Result<Vec<TcpListener>, ListenError> {
    let Some(count) = env::var_os("LISTEN_FDS").filter(|count| !count.is_empty()) else {
        return Ok(Vec::new());
    };
    let pid = env::var("LISTEN_PID").unwrap_or_default();
    if !pid.is_empty() && pid.parse() != Ok(process::id()) {
        return Ok(Vec::new());
    }
    let number = count.to_str().and_then(|count| count.parse::<usize>().ok());
    if number.is_none_or(|number| number > MAX_LISTENERS) {
        let count = count.to_string_lossy();
        let count = count.escape_debug();
        let what = format!("`{count}` is no number of sockets; 0 to {MAX_LISTENERS} would work");
        return Err(ListenError::Inherited(io::Error::new(ErrorKind::InvalidInput, what)));
    }
    let mut given = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..given.len() {
        let wrong = |what: &dyn std::fmt::Display| {
            let what = format!("{what}; a TCP socket that listens (ListenStream=PORT) would work");
            ListenError::Inherited(io::Error::new(ErrorKind::InvalidInput, what))
        };
        let taken = given.take_tcp_listener(index).map_err(|error| wrong(&error))?;
        let Some(listener) = taken else { continue };
        if !SockRef::from(&listener).is_listener().unwrap_or(true) {
            return Err(wrong(&format!("socket {} of {} does not listen", index + 1, given.len())));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Tells the service manager that the server is ready, if there is one that wants to know.
pub(super) fn tell_ready() {
    tell(NotifyState::Ready);
}

/// Tells it that the server stops.
pub(super) fn tell_stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "the service manager (NOTIFY_SOCKET) cannot be told");
    }
}
