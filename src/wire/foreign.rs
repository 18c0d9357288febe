//! Other protocols that knock at this port, so that they are told instead of talked to.
//!
//! Only what is unmistakable is told apart: a name that somebody could have is never taken for a
//! protocol, with the exceptions of `SSH-2.0-...` and of an asterisk before a number.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::{eof, value};
use nom::{IResult, Parser};

/// How many bytes of a stream can decide, at most.
const MAX_START: usize = 16;

/// A protocol that this server does not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A request line (RFC 9112, section 3).
    Http,
    /// A handshake (RFC 8446, section 5.1).
    Tls,
    /// An identification string (RFC 4253, section 4.2).
    Ssh,
    /// Registration (RFC 2812, section 3.1) or capability negotiation.
    Irc,
    /// A greeting of SMTP (RFC 5321, section 4.1.1.1) or LMTP (RFC 2033).
    Smtp,
    /// An array of RESP.
    Redis,
    /// The header that `HAProxy` and others put before a connection, of version 1 or 2.
    Proxy,
    /// CONNECT of MQTT.
    Mqtt,
    /// SMB over TCP.
    Smb,
    /// TPKT (RFC 1006), in which RDP travels.
    Rdp,
    /// The protocol version of RFB (RFC 6143, section 7.1.1).
    Vnc,
    /// CONNECT of NATS.
    Nats,
    /// The stream header of XMPP (RFC 6120, section 4.2).
    Xmpp,
    /// A request of SOCKS 4 or the methods of SOCKS 5 (RFC 1928, section 3).
    Socks,
    /// A startup packet, or a request for encryption before it.
    Postgres,
    /// A request line (RFC 7826).
    Rtsp,
    /// A request line (RFC 3261).
    Sip,
}

impl Foreign {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Http,
        Self::Tls,
        Self::Ssh,
        Self::Irc,
        Self::Smtp,
        Self::Redis,
        Self::Proxy,
        Self::Mqtt,
        Self::Smb,
        Self::Rdp,
        Self::Vnc,
        Self::Nats,
        Self::Xmpp,
        Self::Socks,
        Self::Postgres,
        Self::Rtsp,
        Self::Sip,
    ];

    /// What whoever speaks it is told.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Http => "This is not an HTTP server.",
            Self::Tls => "This is not a TLS server.",
            Self::Ssh => "This is not an SSH server.",
            Self::Irc => "This is not an IRC server.",
            Self::Smtp => "This is not an SMTP server.",
            Self::Redis => "This is not a Redis server.",
            Self::Proxy => "This server does not take the PROXY protocol.",
            Self::Mqtt => "This is not an MQTT server.",
            Self::Smb => "This is not an SMB server.",
            Self::Rdp => "This is not an RDP server.",
            Self::Vnc => "This is not a VNC server.",
            Self::Nats => "This is not a NATS server.",
            Self::Xmpp => "This is not an XMPP server.",
            Self::Socks => "This is not a SOCKS server.",
            Self::Postgres => "This is not a PostgreSQL server.",
            Self::Rtsp => "This is not an RTSP server.",
            Self::Sip => "This is not a SIP server.",
        }
    }

    /// Tells by the very first bytes of a stream, for protocols that need not send a newline. More
    /// bytes never change what was told. No newline is among the bytes that decide, so it does not
    /// matter whether lines were looked for before.
    #[inline]
    pub fn of_start(stream: &[u8]) -> Option<Self> {
        match stream.first() {
            Some(0..=0x1f | b'<') => of_binary(stream),
            _ => None,
        }
    }

    /// Tells by the first line of a stream that is not empty, without its terminator. A browser
    /// tricked into posting here must not speak in anyone's name.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        match line {
            // The signature of version 2 is CR LF CR LF NUL CR LF QUIT LF: two lines are empty.
            [0] => Some(Self::Proxy),
            [b'S', b'S', b'H', b'-', b'1' | b'2', b'.', ..] => Some(Self::Ssh),
            [b'*', count @ ..] if !count.is_empty() && count.iter().all(u8::is_ascii_digit) => {
                Some(Self::Redis)
            }
            [b'R', b'F', b'B', b' ', b'0', b'0', ..] => Some(Self::Vnc),
            [b'C', b'O', b'N', b'N', b'E', b'C', b'T', b' ', b'{', ..] => Some(Self::Nats),
            _ => request_line(line).or_else(|_| command(line)).ok().map(|(_, foreign)| foreign),
        }
    }
}

/// The first line tells more than its first bytes, so nothing behind a newline counts here.
fn of_binary(stream: &[u8]) -> Option<Foreign> {
    let start = &stream[..stream.len().min(MAX_START)];
    match start.split(|&byte| byte == b'\n').next()? {
        [0x16, ..] => Some(Foreign::Tls),
        [3, 0, ..] => Some(Foreign::Rdp),
        [4, 1..=2, ..] | [5, 1..=9, ..] => Some(Foreign::Socks),
        [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2e..=0x30, ..] | [0, 0, _, _, 0, 3, 0, 0..=9, ..] => {
            Some(Foreign::Postgres)
        }
        [0, 0, _, _, 0xfe | 0xff, b'S', b'M', b'B', ..] => Some(Foreign::Smb),
        [0x10, _, 0, 4 | 6, b'M', b'Q', ..] | [0x10, _, _, 0, 4 | 6, b'M', b'Q', ..] => {
            Some(Foreign::Mqtt)
        }
        line if line.starts_with(b"<?xml") || line.starts_with(b"<stream:stream") => {
            Some(Foreign::Xmpp)
        }
        _ => None,
    }
}

fn request_line(line: &[u8]) -> IResult<&[u8], Foreign> {
    let method = take_while1(|b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let target = take_while1(|b: u8| b != b' ');
    let mut version = alt((
        value(Foreign::Http, alt((tag("HTTP/"), tag("http/")))),
        value(Foreign::Rtsp, tag("RTSP/")),
        value(Foreign::Sip, tag("SIP/")),
    ));
    let (line, _) = (method, char(' '), target, char(' ')).parse(line)?;
    version.parse(line)
}

/// A command with an argument: the words alone are names. People write no capitals, so IRC is told
/// by them; nobody but a mailer, or somebody who plays one, says EHLO.
fn command(line: &[u8]) -> IResult<&[u8], Foreign> {
    use nom::bytes::complete::tag_no_case;
    let argument = || (char(' '), take_while1(|b: u8| !b.is_ascii_whitespace()));
    let registration = (alt((tag("NICK"), tag("USER"), tag("PASS"))), argument());
    let capability = (tag("CAP "), alt((tag("LS"), tag("REQ"), tag("LIST"), tag("END"))));
    let greeting = alt((tag_no_case("EHLO"), tag_no_case("HELO"), tag_no_case("LHLO")));
    let proxied = (tag("PROXY "), alt((tag("TCP4 "), tag("TCP6 "), tag("UNKNOWN"))));
    alt((
        value(Foreign::Irc, registration),
        value(Foreign::Irc, (capability, alt((tag(" "), eof)))),
        value(Foreign::Smtp, (greeting, argument())),
        value(Foreign::Proxy, proxied),
    ))
    .parse(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What clients send first: those of a line without its end, and those of bytes.
    const LINES: &[(Foreign, &[u8])] = &[
        (Foreign::Http, b"GET / HTTP/1.1"),
        (Foreign::Http, b"POST /x?y=1 HTTP/1.0"),
        (Foreign::Http, b"PRI * HTTP/2.0"),
        (Foreign::Http, b"CONNECT example.org:443 HTTP/1.1"),
        (Foreign::Ssh, b"SSH-2.0-OpenSSH_9.2p1 Debian-2"),
        (Foreign::Ssh, b"SSH-1.99-x"),
        (Foreign::Irc, b"CAP LS"),
        (Foreign::Irc, b"CAP LS 302"),
        (Foreign::Irc, b"NICK guest"),
        (Foreign::Irc, b"USER guest 0 * :Ronnie Reagan"),
        (Foreign::Irc, b"PASS secret"),
        (Foreign::Smtp, b"EHLO mail.example.org"),
        (Foreign::Smtp, b"helo x"),
        (Foreign::Smtp, b"LHLO x"),
        (Foreign::Redis, b"*1"),
        (Foreign::Redis, b"*12"),
        (Foreign::Proxy, b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443"),
        (Foreign::Proxy, b"PROXY TCP6 ::1 ::1 56324 443"),
        (Foreign::Proxy, b"PROXY UNKNOWN"),
        (Foreign::Proxy, b"\0"),
        (Foreign::Vnc, b"RFB 003.008"),
        (Foreign::Nats, b"CONNECT {\"verbose\":false}"),
        (Foreign::Rtsp, b"OPTIONS rtsp://example.org RTSP/1.0"),
        (Foreign::Sip, b"OPTIONS sip:nm SIP/2.0"),
    ];
    const STARTS: &[(Foreign, &[u8])] = &[
        (Foreign::Tls, b"\x16\x03\x01"),
        (Foreign::Tls, b"\x16"),
        (Foreign::Rdp, b"\x03\0\0\x13\x0e\xe0"),
        (Foreign::Socks, b"\x04\x01\0\x50\x7f\0\0\x01\0"),
        (Foreign::Socks, b"\x05\x01\0"),
        (Foreign::Socks, b"\x05\x03\0\x01\x02"),
        (Foreign::Postgres, b"\0\0\0\x08\x04\xd2\x16\x2f"),
        (Foreign::Postgres, b"\0\0\0\x54\0\x03\0\0user\0"),
        (Foreign::Smb, b"\0\0\0\x85\xffSMBr"),
        (Foreign::Smb, b"\0\0\x01\x18\xfeSMB@"),
        (Foreign::Mqtt, b"\x10\x18\0\x04MQTT\x04"),
        (Foreign::Mqtt, b"\x10\x8e\x02\0\x06MQIsdp\x03"),
        (Foreign::Xmpp, b"<?xml version='1.0'?><stream:stream>"),
        (Foreign::Xmpp, b"<stream:stream to='example.org'>"),
    ];

    #[test]
    fn strangers_are_told_apart() {
        for (foreign, line) in LINES {
            let text = line.escape_ascii();
            assert_eq!(Foreign::of_line(line), Some(*foreign), "{text}");
            assert_eq!(Foreign::of_start(line), None, "{text}");
        }
        for (foreign, bytes) in STARTS {
            assert_eq!(Foreign::of_start(bytes), Some(*foreign), "{}", bytes.escape_ascii());
        }
        for foreign in Foreign::ALL {
            let is_tested = LINES.iter().chain(STARTS).any(|(tested, _)| *tested == foreign);
            assert!(is_tested, "{foreign:?}");
        }
    }

    #[test]
    fn people_and_their_mistakes_are_not() {
        let lines = [
            "",
            "GET",
            "GET /",
            "GET / ",
            "GET HTTP/1.1",
            " GET / HTTP/1.1",
            "a b c",
            "NICK",
            "CAP",
            "PASS",
            "USER",
            "HELO",
            "EHLO",
            "PROXY",
            "NICK ",
            "nick bob",
            "pass the salt",
            "CAP LSD",
            "CONNECT",
            "SSH",
            "SSH-2",
            "*",
            "*x",
            "*1x",
            "RFB",
            "<xml>",
            "<3",
            "Hello there",
            "user x",
        ];
        for line in lines {
            assert_eq!(Foreign::of_line(line.as_bytes()), None, "{line:?}");
            assert_eq!(Foreign::of_start(line.as_bytes()), None, "{line:?}");
        }
        for start in ["\t", "\x08", "\r\n", "\x04", "\x05", "\0", "\x03x", "\x10abc", "\x1b[A"] {
            assert_eq!(Foreign::of_start(start.as_bytes()), None, "{start:?}");
        }
    }

    #[test]
    fn what_decides_holds_no_newline() {
        for (_, bytes) in STARTS {
            let decided = (0..=bytes.len()).find(|&n| Foreign::of_start(&bytes[..n]).is_some());
            assert!(!bytes[..decided.unwrap()].contains(&b'\n'), "{}", bytes.escape_ascii());
        }
    }
}
