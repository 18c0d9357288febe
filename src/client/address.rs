//! Where the server is: `HOST`, `HOST:PORT` or `[V6]:PORT`.

use std::fmt;

use thiserror::Error;

use crate::wire::text::quote;

/// The port of a server that was not told otherwise.
pub(super) const DEFAULT_PORT: u16 = 12345;

/// A host to be resolved, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// A host name or an address, without brackets.
    pub(super) host: String,
    /// Never 0.
    pub(super) port: u16,
}

/// Why a text says no server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Nothing, or nothing before the colon.
    #[error("no host is named: write HOST, HOST:PORT or [IPv6]:PORT")]
    NoHost,
    /// A character that no host name holds.
    #[error("the host holds a space or a control character")]
    Host,
    /// What follows the colon is no port.
    #[error("'{0}' is no port: it must be a number from 1 to 65535")]
    Port(String),
    /// A bracket that is not closed, or is followed by something else than a port.
    #[error("an IPv6 address is written [ADDRESS] or [ADDRESS]:PORT")]
    Bracket,
}

impl Server {
    /// Reads what somebody typed. An IPv6 address may stand without brackets when no port follows.
    pub(super) fn parse(typed: &str) -> Result<Self, AddressError> {
        let (host, port) = split(typed)?;
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::Host);
        }
        if host.contains(['[', ']']) {
            return Err(AddressError::Bracket);
        }
        Ok(Self { host: host.to_owned(), port: port.map_or(Ok(DEFAULT_PORT), parse_port)? })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

fn split(typed: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(rest) = typed.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(AddressError::Bracket)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(AddressError::Bracket),
        };
    }
    match typed.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Ok((typed, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((typed, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|&port| digits && port > 0);
    port.ok_or_else(|| AddressError::Port(quote(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(host: &str, port: u16) -> Server {
        Server { host: host.to_owned(), port }
    }

    #[test]
    fn every_form_is_understood() {
        assert_eq!(Server::parse("localhost"), Ok(server("localhost", 12345)));
        assert_eq!(Server::parse("chat.example:99"), Ok(server("chat.example", 99)));
        assert_eq!(Server::parse("::1"), Ok(server("::1", 12345)));
        assert_eq!(Server::parse("[::1]"), Ok(server("::1", 12345)));
        assert_eq!(Server::parse("[fe80::1%eth0]:65535"), Ok(server("fe80::1%eth0", 65535)));
    }

    #[test]
    fn what_names_no_server_is_told_so() {
        for text in ["", ":1", "[]:1", "[]"] {
            assert_eq!(Server::parse(text), Err(AddressError::NoHost), "{text:?}");
        }
        for port in ["", "0", "x", "+1", "65536", " 1"] {
            let want = Err(AddressError::Port(port.to_owned()));
            assert_eq!(Server::parse(&format!("host:{port}")), want);
            assert_eq!(Server::parse(&format!("[::1]:{port}")), want);
        }
        for text in ["[::1", "[::1]x", "[::1]1:2", ":]:", "[[::1]]", "a]"] {
            assert_eq!(Server::parse(text), Err(AddressError::Bracket), "{text:?}");
        }
        for text in ["a b", "a\n", "\u{1b}[2J:1"] {
            assert_eq!(Server::parse(text), Err(AddressError::Host), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(text in "[a-z0-9.:\\[\\]-]{0,20}") {
            if let Ok(server) = Server::parse(&text) {
                prop_assert_eq!(Server::parse(&server.to_string()), Ok(server));
            }
        }
    }
}
