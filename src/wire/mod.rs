//! The wire: bytes on one side, meaning on the other. Nothing here knows a socket.
//!
//! * [`frame`]: a byte stream becomes lines, however it was cut into reads.
//! * [`telnet`]: commands of Telnet leave the stream, and its keys edit a line.
//! * [`command`]: a line of a client becomes a [`Command`].
//! * [`text`]: what a client wrote becomes what others may see.
//! * [`reply`] and [`notice`]: what the server says, encoded and parsed.
//! * [`foreign`]: other protocols that knock at this port by mistake.
//!
//! Guarantees, each a property test: any split of a stream gives the same frames; commands and
//! replies parse back to what was printed; no text of a client can make a line that reads as a
//! notice.

pub mod command;
pub mod foreign;
pub mod frame;
pub mod notice;
pub mod reply;
pub mod telnet;
pub mod text;

pub use command::{Command, Malformed};
pub use foreign::Foreign;
pub use frame::{Frame, Framer};
pub use notice::Notice;
pub use reply::Reply;
pub use telnet::Telnet;

/// The longest line that a client may send unless the server is told otherwise, in bytes, its
/// terminator included.
pub const DEFAULT_MAX_LINE: usize = 4096;

/// The longest line that a server sends for clients of `max_line`, `list` answers aside, in bytes:
/// a text never grows when it is cleaned, and a sender's name or a notice's words go before it.
pub const fn max_server_line(max_line: usize) -> usize {
    max_line + 256
}

#[cfg(test)]
mod tests {
    use super::text::clean;
    use super::*;
    use crate::name::MAX_SCALARS;

    #[test]
    fn the_longest_line_fits_and_leaves_little_over() {
        for max_line in [64, DEFAULT_MAX_LINE] {
            let (from, text) = ("𐐷".repeat(MAX_SCALARS), "\u{1}".repeat(max_line - "@x \n".len()));
            let private = Reply::Private { from: &from, text: &clean(&text) };
            let len = private.parts(&mut String::new()).concat().len();
            let most = max_server_line(max_line);
            assert!(len <= most && most < len + 256, "{len} bytes of {most}");
        }
    }
}
