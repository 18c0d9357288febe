//! What the other side understands: Hubbub's protocol, the floor's, or that of another server, so
//! that the same load can be put on what people use today.
//!
//! Whatever the dialect, a broadcast carries the same text: `[cSENDER]: MESSAGE`.

use clap::ValueEnum;
use memchr::memchr;

/// What everyone listens to, where there is more than one room.
const CHANNEL: &str = "chat";

/// What stands before the length of a message that Redis pushes to a subscriber.
const REDIS_PUSH: &[u8] = b">3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$";

/// The same of NATS, to the first subscription of its client.
const NATS_PUSH: &[u8] = b"MSG chat 1 ";

/// What Redis is asked to echo, so that its last answer to a login is known.
const REDIS_ECHO: &str = "subscribed";

/// What the other side understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dialect {
    /// The protocol of Hubbub
    Hubbub,
    /// Whatever is sent is delivered as it is; see [`Relay`](super::relay::Relay).
    #[value(skip)]
    Bare,
    /// Redis: everyone subscribes to one channel, by RESP3
    Redis,
    /// NATS: everyone subscribes to one subject
    Nats,
}

/// What stands around a message that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) before: String,
    pub(super) behind: &'static str,
}

/// One thing that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit<'a> {
    /// How long it is, with everything around it.
    pub(super) length: usize,
    /// What it says, without a line end; `None` for what is between the two machines.
    pub(super) text: Option<&'a [u8]>,
}

impl Dialect {
    /// Whether it is that of Hubbub, or of the floor, which stands in for it.
    pub(super) fn is_own(self) -> bool {
        matches!(self, Self::Hubbub | Self::Bare)
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hubbub => "hubbub",
            Self::Bare => "floor",
            Self::Redis => "redis",
            Self::Nats => "nats",
        }
    }

    /// What a client says first.
    pub(super) fn login(self, name: u32) -> String {
        match self {
            Self::Hubbub => format!("c{name}\n"),
            Self::Bare => String::new(),
            Self::Redis => format!("HELLO 3\r\nSUBSCRIBE {CHANNEL}\r\nPING {REDIS_ECHO}\r\n"),
            Self::Nats => {
                format!("CONNECT {{\"verbose\":false}}\r\nSUB {CHANNEL} 1\r\nPING\r\n")
            }
        }
    }

    /// Whether another server's line is its last answer to a login.
    pub(super) fn is_last_of_login(self, line: &[u8]) -> bool {
        match self {
            Self::Hubbub | Self::Bare => false,
            Self::Redis => line == REDIS_ECHO.as_bytes(),
            Self::Nats => line == b"PONG",
        }
    }

    /// What stands around the messages of `size` bytes that a client sends, to everyone or to its
    /// partner.
    pub(super) fn envelope(self, index: u32, partner: Option<u32>, size: usize) -> Envelope {
        let from = format!("[c{index}]: ");
        let length = from.len() + size;
        let before = match (self, partner) {
            (Self::Hubbub, None) => "all ".to_owned(),
            (Self::Hubbub, Some(partner)) => format!("@c{partner} "),
            (Self::Bare, Some(_)) => format!("[From c{index}]: "),
            (Self::Bare, None) => from,
            (Self::Redis, _) => {
                format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\n{CHANNEL}\r\n${length}\r\n{from}")
            }
            (Self::Nats, _) => format!("PUB {CHANNEL} {length}\r\n{from}"),
        };
        Envelope { before, behind: if self.is_own() { "\n" } else { "\r\n" } }
    }

    /// The first thing in `input`, if it is there as a whole.
    pub(super) fn first(self, input: &[u8]) -> Option<Unit<'_>> {
        let push = match self {
            Self::Hubbub | Self::Bare => {
                let end = memchr(b'\n', input)?;
                return Some(Unit { length: end + 1, text: Some(&input[..end]) });
            }
            Self::Redis => REDIS_PUSH,
            Self::Nats => NATS_PUSH,
        };
        if let Some(rest) = input.strip_prefix(push) {
            let end = memchr(b'\n', rest)?;
            let length =
                str::from_utf8(&rest[..end]).ok().and_then(|text| text.trim_end().parse().ok());
            if let Some(length) = length {
                let text: &[u8] = rest.get(end + 1..)?.get(..length)?;
                let length = push.len() + end + 1 + length + "\r\n".len();
                return (length <= input.len()).then_some(Unit { length, text: Some(text) });
            }
        } else if push.starts_with(input) {
            return None;
        }
        let end = memchr(b'\n', input)?;
        let line = input[..end].trim_ascii_end();
        let text = Some(line).filter(|line| !self.is_between_machines(line));
        Some(Unit { length: end + 1, text })
    }

    /// Whether a line of another server is no concern of those who talk: how many got a message,
    /// or whether this client is still there.
    fn is_between_machines(self, line: &[u8]) -> bool {
        match self {
            Self::Hubbub | Self::Bare => false,
            Self::Redis => line.starts_with(b":"),
            Self::Nats => line == b"PING" || line == b"PONG" || line.starts_with(b"INFO "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_delivered_comes_out_however_it_was_cut() {
        let redis = b":7\r\n>3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$9\r\n[c1]: hi!\r\n-ERR no\r\n";
        let nats = b"PING\r\nMSG chat 1 9\r\n[c1]: hi!\r\n-ERR no\r\n";
        let own = b"[c1]: hi!\n-ERR no\n";
        let streams: [(Dialect, &[u8]); 3] =
            [(Dialect::Redis, redis), (Dialect::Nats, nats), (Dialect::Hubbub, own)];
        for (dialect, stream) in streams {
            let (mut texts, mut at) = (Vec::new(), 0);
            for end in 0..=stream.len() {
                while let Some(unit) = dialect.first(&stream[at..end]) {
                    texts.extend(unit.text);
                    at += unit.length;
                    assert!(at <= end, "{dialect:?} takes what is not there");
                }
            }
            assert_eq!((texts, at), (vec![&b"[c1]: hi!"[..], b"-ERR no"], stream.len()));
        }
    }

    #[test]
    fn a_length_that_is_none_is_a_line_like_any_other() {
        for (dialect, line) in [
            (Dialect::Redis, &b">3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$x\r\n"[..]),
            (Dialect::Nats, b"MSG chat 1 chat.reply 9\r\n"),
        ] {
            let unit = dialect.first(line).unwrap();
            assert!(unit.text.is_some_and(|text| line.starts_with(text)), "{unit:?}");
        }
    }

    #[test]
    fn the_length_that_is_sent_is_the_length_of_the_text() {
        let envelope = Dialect::Nats.envelope(12, None, 64);
        assert_eq!(envelope.before, "PUB chat 71\r\n[c12]: ");
        let envelope = Dialect::Redis.envelope(1, None, 64);
        assert_eq!(envelope.before, "*3\r\n$7\r\nPUBLISH\r\n$4\r\nchat\r\n$70\r\n[c1]: ");
    }
}
