//! What the chat knows of one client.

use std::time::Duration;

use super::flood::Bucket;
use crate::name::Name;

/// A client, as the chat sees it.
#[derive(Debug)]
pub(super) enum Member {
    /// Connected, without a name.
    Newcomer {
        /// Until when it needs a name.
        deadline: Duration,
        /// How many names were refused.
        tries: u8,
        /// Whether it has sent a line yet, an empty one aside.
        spoken: bool,
        /// How fast it may send empty lines.
        bucket: Bucket,
    },
    /// One of those who are here.
    Present(Present),
    /// It has left; what was said before is still written to it.
    Departed,
}

/// Somebody with a name.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) name: Name,
    pub(super) bucket: Bucket,
    /// Before this time it is not told again that others want its name, in milliseconds.
    pub(super) told_wanted_until_ms: u64,
}

impl Member {
    pub(super) fn newcomer(deadline: Duration) -> Self {
        Self::Newcomer { deadline, tries: 0, spoken: false, bucket: Bucket::default() }
    }

    /// Makes its clocks stand still for a time in which it was held by others.
    pub(super) fn shift(&mut self, held: Duration) {
        match self {
            Self::Newcomer { deadline, bucket, .. } => {
                *deadline += held;
                bucket.shift(held);
            }
            Self::Present(present) => present.bucket.shift(held),
            Self::Departed => {}
        }
    }
}

impl Present {
    pub(super) fn new(name: Name) -> Self {
        Self { name, bucket: Bucket::default(), told_wanted_until_ms: 0 }
    }
}
