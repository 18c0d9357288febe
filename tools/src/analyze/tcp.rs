//! What a connection of TCP went through, in the words of Wireshark's analysis.
//!
//! | fact | ours |
//! | --- | --- |
//! | completeness | as `tcp.completeness`: which of SYN, SYN-ACK, ACK, data, FIN, RST were seen |
//! | handshake RTT | as `tcp.analysis.initial_rtt`: from the last SYN to the ACK of the SYN-ACK |
//! | ACK RTT | as `tcp.analysis.ack_rtt`: from a segment to the ACK that names its very end |
//! | retransmission | one that begins before what was expected, and is neither of the next two |
//! | keep-alive | no byte, or one, right before what was expected |
//! | out of order | one that begins before what was expected, soon behind the furthest one, new |
//! | gap | a segment that begins behind what was expected: something was not captured |
//! | duplicate ACK | an empty segment that says again exactly what was said last |
//!
//! "Soon" is within the handshake RTT, or 3 ms where that is not known.

use std::collections::VecDeque;

use hubbub::capture::segment::distance;
use hubbub::capture::{Flags, Segment};

use super::ends::{End, Pair};

/// Segments of one direction that wait for their ACK.
const MAX_UNACKED: usize = 1_024;

/// How close behind another segment one may come and be late rather than sent again, where no
/// handshake says better: what Wireshark takes.
const SOON_NS: u64 = 3_000_000;

/// How close behind the third duplicate ACK a retransmission is one that those asked for.
const FAST_NS: u64 = 20_000_000;

/// Which parts of a connection were seen, as bits.
pub mod seen {
    /// The first SYN.
    pub const SYN: u8 = 1;
    /// Its answer.
    pub const SYN_ACK: u8 = 2;
    /// The end of the handshake.
    pub const ACK: u8 = 4;
    /// A byte of data.
    pub const DATA: u8 = 8;
    /// An end.
    pub const FIN: u8 = 16;
    /// A reset.
    pub const RST: u8 = 32;
}

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// All together.
    pub sum_ns: u128,
    /// The shortest.
    pub min_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Times {
    fn add(&mut self, time_ns: u64) {
        self.min_ns = if self.count == 0 { time_ns } else { self.min_ns.min(time_ns) };
        self.max_ns = self.max_ns.max(time_ns);
        self.sum_ns += u128::from(time_ns);
        self.count += 1;
    }

    /// The mean, rounded down; zero of none.
    pub fn mean_ns(&self) -> u64 {
        let mean = self.sum_ns.checked_div(u128::from(self.count)).unwrap_or(0);
        u64::try_from(mean).unwrap_or(u64::MAX)
    }
}

/// What went wrong in one direction, in segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Came again.
    pub retransmissions: u64,
    /// Came late.
    pub out_of_order: u64,
    /// Came behind something that was not captured.
    pub gaps: u64,
    /// Said the same again.
    pub duplicate_acks: u64,
    /// Asked whether somebody is there.
    pub keep_alives: u64,
    /// Had no room for more.
    pub zero_windows: u64,
}

/// A segment that waits for its ACK.
#[derive(Clone, Copy, Debug)]
struct Unacked {
    start: u32,
    end: u32,
    time_ns: u64,
}

/// One direction.
#[derive(Debug, Default)]
struct Half {
    /// Its first sequence number: that of its SYN, or the best that was seen.
    base: Option<u32>,
    /// What is expected next, and when the segment came that made it so.
    next: Option<u32>,
    next_ns: u64,
    /// What it said last.
    last_ack: Option<u32>,
    last_ack_ns: u64,
    window: u16,
    /// Duplicate ACKs in a row.
    repeats: u32,
    /// Whether its last segment was a keep-alive: the answer to that says nothing new, and should.
    is_asking: bool,
    unacked: VecDeque<Unacked>,
    trouble: Trouble,
    ack_rtt: Times,
}

/// How many segments of all connections may still be kept until their ACK comes.
#[derive(Debug)]
pub struct Room(pub usize);

/// Both directions.
#[derive(Debug, Default)]
pub struct Connection {
    halves: Pair<Half>,
    seen: u8,
    syn_ns: Option<u64>,
    handshake_ns: Option<u64>,
    /// Segments whose ACK could not be waited for.
    unwatched: u64,
    /// The direction that sent the first FIN or RST, and whether it was an RST.
    end: Option<(End, bool)>,
}

impl Connection {
    /// Whether a segment belongs to another connection between the same two: a SYN with another
    /// number than the one before.
    pub fn is_another(&self, from: End, segment: &Segment<'_>) -> bool {
        let is_syn = segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK);
        is_syn && self.halves[from].base.is_some_and(|base| base != segment.sequence)
    }

    /// Takes a segment. `payload` is how many bytes it had on the wire.
    pub fn handle(
        &mut self,
        from: End,
        time_ns: u64,
        segment: &Segment<'_>,
        payload: u32,
        room: &mut Room,
    ) {
        let flags = segment.flags;
        let marks = u32::from(flags.has(Flags::SYN)) + u32::from(flags.has(Flags::FIN));
        let length = payload.saturating_add(marks);
        // Without a SYN, what comes first counts as the byte behind one.
        let before = u32::from(!flags.has(Flags::SYN));
        let base = segment.sequence.wrapping_sub(before);
        self.halves[from].base.get_or_insert(base);
        self.note_progress(from, time_ns, segment, payload);
        let kind = self.judge(from, time_ns, segment, payload, length);
        let half = &mut self.halves[from];
        half.count(kind);
        half.is_asking = kind == Kind::KeepAlive;
        let end = segment.sequence.wrapping_add(length);
        if half.next.is_none_or(|next| distance(next, end) > 0) {
            half.next = Some(end);
            half.next_ns = time_ns;
        }
        if length > 0 {
            if half.unacked.len() < MAX_UNACKED && room.0 > 0 {
                room.0 -= 1;
                half.unacked.push_back(Unacked { start: segment.sequence, end, time_ns });
            } else {
                self.unwatched += 1;
            }
        }
        let half = &mut self.halves[from];
        half.window = segment.window;
        if segment.window == 0 && !is_mark(flags) {
            half.trouble.zero_windows += 1;
        }
        if flags.has(Flags::ACK) {
            if kind != Kind::DuplicateAck {
                half.repeats = 0;
            }
            half.last_ack = Some(segment.acknowledgment);
            half.last_ack_ns = time_ns;
            self.acknowledge(from, time_ns, segment.acknowledgment, room);
        }
    }

    /// Gives the room back that is still taken.
    pub fn forget(&mut self, room: &mut Room) {
        for end in End::BOTH {
            let half = &mut self.halves[end];
            room.0 += half.unacked.len();
            half.unacked = VecDeque::new();
        }
    }

    /// The bits of [`seen`].
    pub fn completeness(&self) -> u8 {
        self.seen
    }

    /// From SYN to ACK.
    pub fn handshake_ns(&self) -> Option<u64> {
        self.handshake_ns
    }

    /// What went wrong in one direction.
    pub fn trouble(&self, from: End) -> Trouble {
        self.halves[from].trouble
    }

    /// How long the ACKs that one direction sent were behind what they acknowledge.
    pub fn ack_rtt(&self, from: End) -> Times {
        self.halves[from].ack_rtt
    }

    /// The direction that ended it, and whether by a reset.
    pub fn end(&self) -> Option<(End, bool)> {
        self.end
    }

    /// Segments whose ACK could not be waited for.
    pub fn unwatched(&self) -> u64 {
        self.unwatched
    }

    /// Numbers as from zero, as far as the start of each direction is known.
    pub fn relative(&self, from: End, segment: &Segment<'_>) -> [u32; 2] {
        let base = self.halves[from].base.unwrap_or_default();
        let other = self.halves[from.other()].base.unwrap_or_default();
        let has_ack = segment.flags.has(Flags::ACK);
        let ack = if has_ack { segment.acknowledgment.wrapping_sub(other) } else { 0 };
        [segment.sequence.wrapping_sub(base), ack]
    }

    fn note_progress(&mut self, from: End, time_ns: u64, segment: &Segment<'_>, payload: u32) {
        let flags = segment.flags;
        let (syn, ack) = (flags.has(Flags::SYN), flags.has(Flags::ACK));
        match (syn, ack) {
            (true, false) => {
                self.seen |= seen::SYN;
                self.syn_ns = Some(time_ns);
            }
            (true, true) => self.seen |= seen::SYN_ACK,
            (false, true) if !flags.has(Flags::RST) => {
                let is_first = self.halves[from].base.is_some_and(|base| {
                    segment.sequence == base.wrapping_add(1) && self.seen & seen::ACK == 0
                });
                if is_first {
                    self.seen |= seen::ACK;
                    if self.seen & seen::SYN_ACK != 0 {
                        let since = self.syn_ns.map(|syn| time_ns.saturating_sub(syn));
                        self.handshake_ns = self.handshake_ns.or(since);
                    }
                }
            }
            _ => {}
        }
        if payload > 0 {
            self.seen |= seen::DATA;
        }
        for (flag, bit) in [(Flags::FIN, seen::FIN), (Flags::RST, seen::RST)] {
            if flags.has(flag) {
                self.seen |= bit;
                self.end = self.end.or(Some((from, bit == seen::RST)));
            }
        }
    }

    fn judge(
        &self,
        from: End,
        time_ns: u64,
        segment: &Segment<'_>,
        payload: u32,
        length: u32,
    ) -> Kind {
        let (half, back) = (&self.halves[from], &self.halves[from.other()]);
        let flags = segment.flags;
        let is_mark = is_mark(flags);
        let Some(next) = half.next else { return Kind::New };
        let ahead = distance(next, segment.sequence);
        if ahead > 0 && !flags.has(Flags::RST) {
            return Kind::BehindGap;
        }
        if ahead == -1 && payload <= 1 && !is_mark {
            return Kind::KeepAlive;
        }
        if length == 0 {
            let same = segment.window == half.window
                && segment.window != 0
                && half.last_ack == Some(segment.acknowledgment);
            let is_duplicate = ahead == 0 && same && !is_mark && !back.is_asking;
            return if is_duplicate { Kind::DuplicateAck } else { Kind::New };
        }
        if ahead >= 0 || (ahead == -1 && payload > 1) {
            return Kind::New;
        }
        let end = segment.sequence.wrapping_add(length);
        if back.last_ack.is_some_and(|ack| distance(end, ack) >= 0) {
            return Kind::Retransmission;
        }
        let was_asked_for = back.repeats >= 2
            && back.last_ack == Some(segment.sequence)
            && time_ns.saturating_sub(back.last_ack_ns) < FAST_NS;
        let is_known = half.unacked.iter().any(|old| {
            distance(old.start, segment.sequence) >= 0 && distance(segment.sequence, old.end) > 0
        });
        let is_soon = time_ns.saturating_sub(half.next_ns) < self.handshake_ns.unwrap_or(SOON_NS);
        if !was_asked_for && is_soon && !is_known && end != next {
            return Kind::OutOfOrder;
        }
        Kind::Retransmission
    }

    /// One direction acknowledges what the other sent.
    fn acknowledge(&mut self, from: End, time_ns: u64, ack: u32, room: &mut Room) {
        let back = &mut self.halves[from.other()];
        let kept = back.unacked.len();
        let mut sent_ns = None;
        back.unacked.retain_mut(|old| {
            if distance(old.end, ack) < 0 {
                if distance(old.start, ack) > 0 {
                    old.start = ack;
                }
                return true;
            }
            // Of several that end here, the first was sent first.
            if old.end == ack {
                sent_ns = sent_ns.or(Some(old.time_ns));
            }
            false
        });
        room.0 += kept - back.unacked.len();
        if let Some(sent_ns) = sent_ns {
            self.halves[from].ack_rtt.add(time_ns.saturating_sub(sent_ns));
        }
    }
}

/// What a segment is to its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    New,
    BehindGap,
    KeepAlive,
    DuplicateAck,
    OutOfOrder,
    Retransmission,
}

impl Half {
    fn count(&mut self, kind: Kind) {
        let trouble = &mut self.trouble;
        match kind {
            Kind::New => {}
            Kind::BehindGap => trouble.gaps += 1,
            Kind::KeepAlive => trouble.keep_alives += 1,
            Kind::DuplicateAck => {
                trouble.duplicate_acks += 1;
                self.repeats += 1;
            }
            Kind::OutOfOrder => trouble.out_of_order += 1,
            Kind::Retransmission => trouble.retransmissions += 1,
        }
    }
}

/// Whether it opens or ends a stream, rather than go on with it.
fn is_mark(flags: Flags) -> bool {
    [Flags::SYN, Flags::FIN, Flags::RST].into_iter().any(|mark| flags.has(mark))
}

/// What a connection's completeness is called.
pub fn completeness_name(bits: u8) -> &'static str {
    use seen::{ACK, DATA, FIN, RST, SYN, SYN_ACK};
    let (open, ended) = (bits & (SYN | SYN_ACK | ACK), bits & (FIN | RST) != 0);
    match (open, bits & DATA != 0) {
        (7, true) if ended => "complete",
        (7, false) if ended => "complete, no data",
        (7, true) => "not ended",
        (7, false) => "not ended, no data",
        (SYN, false) if ended => "refused",
        (SYN, false) => "no answer",
        (3, false) if ended => "not opened",
        (0, _) => "begun before",
        _ => "in part",
    }
}
