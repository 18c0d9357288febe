//! Where a client finds the server, and where a server listens: `HOST`, `HOST:PORT` or
//! `[V6]:PORT`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use super::DEFAULT_PORT;
use super::value::quote;

/// A host to be resolved, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A host name, or an address without brackets; an IPv6 address may have a zone (RFC 4007,
    /// section 11), as in `fe80::1%eth0`.
    pub host: String,
    /// 1 to 65,535; where a server listens also 0, for a free one.
    pub port: u16,
}

/// Why a text says no server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServerError {
    /// Nothing, or nothing before the colon.
    #[error("no host is named: write HOST, HOST:PORT or [IPv6]:PORT")]
    NoHost,
    /// A character that no host name holds.
    #[error("the host holds a space or a control character")]
    Host,
    /// What follows the colon is no port.
    #[error("{0} is no port: it must be a number from 1 to 65535")]
    Port(String),
    /// Several colons or brackets around what is no address.
    #[error("{0} is no IPv6 address")]
    Address(String),
    /// A bracket that is not closed, or is followed by something else than a port.
    #[error("an IPv6 address is written [ADDRESS] or [ADDRESS]:PORT")]
    Bracket,
}

impl FromStr for Server {
    type Err = ServerError;

    /// Reads what somebody typed. An IPv6 address may stand without brackets when no port follows.
    fn from_str(typed: &str) -> Result<Self, ServerError> {
        Self::read(typed, 1)
    }
}

impl Server {
    /// Reads what somebody typed, with a port from `least` to 65,535. An address is written as
    /// everybody writes it, so that one that is named twice is the same twice.
    pub(super) fn read(typed: &str, least: u16) -> Result<Self, ServerError> {
        let (host, port) = split(typed)?;
        if host.is_empty() {
            return Err(ServerError::NoHost);
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(ServerError::Host);
        }
        if host.contains(['[', ']']) {
            return Err(ServerError::Bracket);
        }
        if (host.contains(':') || typed.starts_with('[')) && !is_v6(host) {
            return Err(ServerError::Address(quote(host)));
        }
        let port = port.map_or(Ok(DEFAULT_PORT), |text| parse_port(text, least))?;
        let host = host.parse::<IpAddr>().map_or_else(|_| host.to_owned(), |ip| ip.to_string());
        Ok(Self { host, port })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

fn split(typed: &str) -> Result<(&str, Option<&str>), ServerError> {
    if let Some(rest) = typed.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(ServerError::Bracket)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(ServerError::Bracket),
        };
    }
    match typed.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Ok((typed, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((typed, None)),
    }
}

/// An address without its zone; what is a zone is for the system to say.
fn is_v6(host: &str) -> bool {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

fn parse_port(text: &str, least: u16) -> Result<u16, ServerError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|&port| digits && port >= least);
    port.ok_or_else(|| ServerError::Port(quote(text)))
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
        assert_eq!("localhost".parse(), Ok(server("localhost", 12345)));
        assert_eq!("chat.example:99".parse(), Ok(server("chat.example", 99)));
        assert_eq!("::1".parse(), Ok(server("::1", 12345)));
        assert_eq!("[::1]".parse(), Ok(server("::1", 12345)));
        assert_eq!("fe80::1%eth0".parse(), Ok(server("fe80::1%eth0", 12345)));
        assert_eq!("[fe80::1%eth0]:65535".parse(), Ok(server("fe80::1%eth0", 65535)));
        assert_eq!("[0:0::0001]".parse(), Ok(server("::1", 12345)));
        assert_eq!(Server::read("[::]:0", 0), Ok(server("::", 0)));
    }

    #[test]
    fn what_names_no_server_is_told_so() {
        for text in ["", ":1", "[]:1", "[]"] {
            assert_eq!(text.parse::<Server>(), Err(ServerError::NoHost), "{text:?}");
        }
        for port in ["", "0", "x", "+1", "65536", " 1"] {
            let want = Err(ServerError::Port(format!("`{port}`")));
            assert_eq!(format!("host:{port}").parse::<Server>(), want);
            assert_eq!(format!("[::1]:{port}").parse::<Server>(), want);
        }
        for text in ["[::1", "[::1]x", "[::1]1:2", ":]:", "[[::1]]", "a]"] {
            assert_eq!(text.parse::<Server>(), Err(ServerError::Bracket), "{text:?}");
        }
        for text in ["a b", "a\n", "\u{1b}[2J:1"] {
            assert_eq!(text.parse::<Server>(), Err(ServerError::Host), "{text:?}");
        }
        for (text, host) in
            [("::g", "::g"), ("[host]:1", "host"), ("a:1:2", "a:1:2"), ("[%0]", "%0")]
        {
            let want = Err(ServerError::Address(format!("`{host}`")));
            assert_eq!(text.parse::<Server>(), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(text in "[a-f0-9.:%\\[\\]-]{0,20}") {
            if let Ok(server) = text.parse::<Server>() {
                prop_assert_eq!(server.to_string().parse(), Ok(server));
            }
        }
    }
}
