//! A TCP connection, as the two who talk see it: opened, spoken on, closed or reset.
//!
//! Nothing is ever lost here: what one side sends the other acknowledges at once, after every
//! second segment and at the end of what was said (RFC 5681, section 4.2). So nothing has to be
//! kept for a retransmission, and a conversation takes the same few bytes however long it lasts.

use thiserror::Error;

use super::frame::{self, TooLong};
use super::{Flags, Frames, Mss, Path, STEP_NS, Segment, Side};

/// How much each side always says it would take, in bytes: what fits without window scaling.
const WINDOW: u16 = u16::MAX;

/// Segments that are sent before one acknowledgement.
const SEGMENTS_PER_ACK: usize = 2;

/// How long the handshake takes, in nanoseconds: whoever opens this much before the first word has
/// it on the wire at its own time.
pub const OPENING_NS: u64 = 3 * STEP_NS;

/// The numbers that a real stack draws at random, the client's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Where each side's sequence numbers begin.
    pub sequence: [u32; 2],
    /// Where the identifications of each side's IPv4 headers begin.
    pub id: [u16; 2],
}

/// It is not the time for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Misuse {
    /// The handshake is still to come.
    #[error("the conversation is not open yet")]
    NotOpen,
    /// The handshake was.
    #[error("the conversation is open already")]
    AlreadyOpen,
    /// This side has said its last word.
    #[error("this side has closed")]
    Closed,
    /// The payload does not fit; with an MSS of this house this does not happen.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Open,
    Over,
}

/// What is known of one side.
#[derive(Clone, Copy, Debug)]
struct Half {
    /// The number of the next byte that it sends.
    next: u32,
    /// The identification of its next packet.
    id: u16,
    /// Whether it has sent its FIN.
    closed: bool,
}

/// A connection from its handshake to its end.
///
/// Every method takes the time at which its first frame should be on the wire, in nanoseconds since
/// 1970; those that follow come a step apart, [`STEP_NS`] unless said otherwise. No frame is as
/// early as the one before it: what would be is moved to the nanosecond after.
#[derive(Clone, Debug)]
pub struct Conversation {
    path: Path,
    mss: Mss,
    state: State,
    halves: [Half; 2],
    step_ns: u64,
    /// When the last frame was.
    last_ns: Option<u64>,
}

impl Conversation {
    /// A connection that is still to be opened.
    pub fn new(path: Path, numbers: Numbers, mss: Mss) -> Self {
        let half = |side: usize| Half {
            next: numbers.sequence[side],
            id: numbers.id[side],
            closed: false,
        };
        let halves = [half(0), half(1)];
        Self { path, mss, state: State::New, halves, step_ns: STEP_NS, last_ns: None }
    }

    /// With frames that answer each other this far apart, in nanoseconds. Where each step's time is
    /// known it should be short, or a side that never pauses gets ahead of the clock.
    #[must_use]
    pub fn with_step(mut self, step_ns: u64) -> Self {
        self.step_ns = step_ns;
        self
    }

    /// Between whom it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether either side may still say something.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether this side may still say something.
    pub fn may_say(&self, side: Side) -> bool {
        self.is_open() && !self.halves[side.index()].closed
    }

    /// The handshake: three frames.
    ///
    /// # Errors
    ///
    /// When it was opened before.
    pub fn open(&mut self, time_ns: u64, out: &mut Frames) -> Result<(), Misuse> {
        if self.state != State::New {
            return Err(Misuse::AlreadyOpen);
        }
        self.state = State::Open;
        self.emit(Side::Client, Flags::SYN, b"", time_ns, out)?;
        self.emit(Side::Server, Flags::SYN | Flags::ACK, b"", self.soon(time_ns), out)?;
        self.emit(Side::Client, Flags::ACK, b"", self.soon(time_ns), out)
    }

    /// One side says something: its segments, and the other side's acknowledgements. Nothing said
    /// is no frame.
    ///
    /// # Errors
    ///
    /// When the conversation is not open, or this side has closed.
    pub fn say(
        &mut self,
        side: Side,
        bytes: &[u8],
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        self.check(side)?;
        let mss = usize::from(self.mss.get());
        let mut time_ns = time_ns;
        let mut segments = bytes.chunks(mss).enumerate().peekable();
        while let Some((index, payload)) = segments.next() {
            let is_last = segments.peek().is_none();
            let push = if is_last { Flags::PSH } else { Flags::default() };
            self.emit(side, Flags::ACK | push, payload, time_ns, out)?;
            time_ns = self.soon(time_ns);
            if is_last || (index + 1).is_multiple_of(SEGMENTS_PER_ACK) {
                self.emit(side.other(), Flags::ACK, b"", time_ns, out)?;
                time_ns = self.soon(time_ns);
            }
        }
        Ok(())
    }

    /// One side has said its last word; the other may go on (RFC 9293, section 3.6). When both
    /// have, the conversation is over.
    ///
    /// # Errors
    ///
    /// When the conversation is not open, or this side has closed.
    pub fn close(&mut self, side: Side, time_ns: u64, out: &mut Frames) -> Result<(), Misuse> {
        self.check(side)?;
        self.emit(side, Flags::FIN | Flags::ACK, b"", time_ns, out)?;
        self.emit(side.other(), Flags::ACK, b"", self.soon(time_ns), out)?;
        self.halves[side.index()].closed = true;
        if self.halves.iter().all(|half| half.closed) {
            self.state = State::Over;
        }
        Ok(())
    }

    /// The two have said so many bytes, the client's first, that nobody saw. The sequence numbers
    /// leave them out, as those of packets that were not captured do, and the next frame says so.
    ///
    /// # Errors
    ///
    /// When the conversation is not open.
    pub fn miss(&mut self, bytes: [u64; 2], out: &mut Frames) -> Result<(), Misuse> {
        if !self.is_open() {
            return Err(Misuse::NotOpen);
        }
        for (half, bytes) in self.halves.iter_mut().zip(bytes) {
            // As the numbers themselves, it counts modulo 2^32.
            let [.., a, b, c, d] = bytes.to_be_bytes();
            half.next = half.next.wrapping_add(u32::from_be_bytes([a, b, c, d]));
        }
        out.miss(bytes);
        Ok(())
    }

    /// Whoever has not closed does so, `first` before the other. It does nothing when the
    /// conversation was never open, or is over.
    ///
    /// # Errors
    ///
    /// None that can happen; see [`Misuse::TooLong`].
    pub fn finish(&mut self, first: Side, time_ns: u64, out: &mut Frames) -> Result<(), Misuse> {
        let mut time_ns = time_ns;
        for side in [first, first.other()] {
            if self.may_say(side) {
                self.close(side, time_ns, out)?;
                time_ns = self.soon(time_ns);
            }
        }
        Ok(())
    }

    /// One side breaks it off (RFC 9293, section 3.5.2): one frame, and it is over.
    ///
    /// # Errors
    ///
    /// When the conversation is not open.
    pub fn reset(&mut self, side: Side, time_ns: u64, out: &mut Frames) -> Result<(), Misuse> {
        match self.state {
            State::New => return Err(Misuse::NotOpen),
            State::Over => return Err(Misuse::Closed),
            State::Open => self.state = State::Over,
        }
        self.emit(side, Flags::RST | Flags::ACK, b"", time_ns, out)
    }

    fn check(&self, side: Side) -> Result<(), Misuse> {
        match self.state {
            State::New => Err(Misuse::NotOpen),
            State::Open if !self.halves[side.index()].closed => Ok(()),
            State::Open | State::Over => Err(Misuse::Closed),
        }
    }

    /// A step after the last frame; `time_ns` when there was none.
    fn soon(&self, time_ns: u64) -> u64 {
        self.last_ns.map_or(time_ns, |last| last.saturating_add(self.step_ns))
    }

    fn emit(
        &mut self,
        from: Side,
        flags: Flags,
        payload: &[u8],
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        let time_ns = self.last_ns.map_or(time_ns, |last| time_ns.max(last.saturating_add(1)));
        self.last_ns = Some(time_ns);
        let acknowledged = self.halves[from.other().index()].next;
        let half = &mut self.halves[from.index()];
        let segment = Segment {
            sequence: half.next,
            acknowledgment: if flags.has(Flags::ACK) { acknowledged } else { 0 },
            flags,
            // A reset takes nothing any more.
            window: if flags.has(Flags::RST) { 0 } else { WINDOW },
            mss: flags.has(Flags::SYN).then(|| self.mss.get()),
            payload,
        };
        let id = half.id;
        half.next = half.next.wrapping_add(segment.length());
        half.id = id.wrapping_add(1);
        let path = &self.path;
        out.try_push(time_ns, from, !payload.is_empty(), |bytes| {
            frame::emit_tcp(path, from, id, &segment, bytes)
        })?;
        Ok(())
    }
}
