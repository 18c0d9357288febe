//! What the chat knows of one client.

use std::time::Duration;

use super::flood::Bucket;
use super::sources::SourceId;
use crate::name::Name;

/// A client, as the chat sees it.
#[derive(Debug)]
pub(super) enum Member {
    /// Connected, without a name. Boxed, because few are: the others need not be as large.
    Newcomer(Box<Newcomer>),
    /// One of those who are here.
    Present(Present),
    /// It has left, and had this name; what was said before is still written to it.
    Departed(Option<Name>),
}

/// Somebody without a name.
#[derive(Debug)]
pub(super) struct Newcomer {
    /// Until when it needs a name.
    pub(super) deadline: Duration,
    /// When it may try the name that it has sent; `None` if it has not asked for a turn.
    pub(super) turn: Option<Duration>,
    /// How fast it may send lines.
    pub(super) bucket: Bucket,
    /// Where it comes from.
    pub(super) source: SourceId,
    /// How many names were refused.
    pub(super) tries: u8,
    /// Whether it has sent a line yet, an empty one aside.
    pub(super) spoken: bool,
}

/// Somebody with a name.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) name: Name,
    /// How fast it may talk.
    pub(super) bucket: Bucket,
    /// Where it comes from.
    pub(super) source: SourceId,
    /// Before this time it is not told again that others want its name.
    told_wanted_until: Tick,
}

/// A time in steps of 1/64 s, rounded up: a small number for a time that need not be exact. It
/// reaches two years, and stands still then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Tick(u32);

// There are as many of these as connections.
const _: () = assert!(size_of::<Member>() <= 40);

impl Member {
    /// Makes its clocks stand still for a time in which it was held by others.
    pub(super) fn shift(&mut self, held: Duration) {
        match self {
            Self::Newcomer(newcomer) => {
                newcomer.deadline += held;
                newcomer.bucket.shift(held);
            }
            Self::Present(present) => present.bucket.shift(held),
            Self::Departed(_) => {}
        }
    }
}

impl Newcomer {
    pub(super) fn new(source: SourceId, bucket: Bucket, deadline: Duration) -> Self {
        Self { deadline, turn: None, bucket, source, tries: 0, spoken: false }
    }
}

impl Present {
    /// What became of a newcomer: what it has spent is spent.
    pub(super) fn new(name: Name, newcomer: &Newcomer) -> Self {
        let Newcomer { bucket, source, .. } = *newcomer;
        Self { name, bucket, source, told_wanted_until: Tick::default() }
    }

    /// Whether it is told now that others want its name; it is not told again for so long.
    pub(super) fn is_told_wanted(&mut self, now: Duration, again_after: Duration) -> bool {
        let is_told = Tick::of(now) >= self.told_wanted_until;
        if is_told {
            self.told_wanted_until = Tick::of(now + again_after);
        }
        is_told
    }
}

impl Tick {
    fn of(time: Duration) -> Self {
        let ticks = (time.as_millis() * 64).div_ceil(1000);
        Self(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}
