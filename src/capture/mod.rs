//! Packets: application bytes go in, frames come out, and the other way round.
//!
//! * [`path`]: between whom: two endpoints, one of which opened.
//! * [`segment`]: a TCP segment, and the arithmetic of sequence numbers.
//! * [`frame`]: Ethernet II, 802.1Q, IPv4 or IPv6, TCP or UDP: written and read back.
//! * [`layers`]: what is in a frame of anybody's capture, layer by layer.
//! * [`conversation`]: a TCP connection from handshake to close, step by step.
//! * [`exchange`]: the same for datagrams.
//! * [`frames`]: what the two of them yield.
//! * [`timeline`]: conversations at the same time become one sequence in strict order of time.
//! * [`recording`]: what a server sees of its own connections becomes frames, as it happens.
//! * [`missed`]: what happened while nobody could write it down.
//! * [`writer`], [`pcap`], [`pcapng`]: the two file formats, over anything that can be written to.
//! * [`reassembly`]: segments in any order become the stream that they were.
//!
//! Guarantees, each a test: a frame that was emitted parses back to what it was made of; checksums
//! and lengths are right; everything that is said is acknowledged, and no acknowledgement is for
//! more than was said; no payload exceeds the MSS; times grow strictly within a conversation and
//! within a file; what one side says, its segments give back in any order, however often repeated.
//!
//! Times are integer nanoseconds since 1970-01-01 UTC, and always arguments. So are the numbers
//! that a real stack would draw at random. Equal arguments give equal bytes.

pub mod conversation;
pub mod exchange;
pub mod frame;
pub mod frames;
pub mod layers;
pub mod missed;
pub mod path;
pub mod pcap;
pub mod pcapng;
pub mod reassembly;
pub mod recording;
pub mod segment;
pub mod timeline;
pub mod writer;

pub use conversation::{Conversation, Numbers};
pub use exchange::Exchange;
pub use frame::{Packet, Payload};
pub use frames::{Frame, Frames};
pub use layers::{Layers, Link};
pub use missed::Missed;
pub use path::{Endpoint, MacAddress, Path, PathError, Side, Vlan};
pub use pcapng::About;
pub use reassembly::Reassembler;
pub use recording::{Happening, Recording};
pub use segment::{Flags, Mss, Segment};
pub use timeline::Timeline;
pub use writer::{Format, WriteError, Writer};

/// How far apart frames are that answer each other at once, in nanoseconds: 10 µs, as on a quiet
/// local network.
pub const STEP_NS: u64 = 10_000;

#[cfg(test)]
mod tests;
