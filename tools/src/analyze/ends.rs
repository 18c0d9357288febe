//! The two ends of a conversation, and what there is of each.

use std::ops::{Index, IndexMut};

/// One of the two. Which of them is the client may show later than their first packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// Whoever sent the first packet.
    #[default]
    First,
    /// The other one.
    Second,
}

impl End {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Something of each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair<T> {
    /// That of the first.
    pub first: T,
    /// That of the second.
    pub second: T,
}

impl<T> Index<End> for Pair<T> {
    type Output = T;

    fn index(&self, end: End) -> &T {
        match end {
            End::First => &self.first,
            End::Second => &self.second,
        }
    }
}

impl<T> IndexMut<End> for Pair<T> {
    fn index_mut(&mut self, end: End) -> &mut T {
        match end {
            End::First => &mut self.first,
            End::Second => &mut self.second,
        }
    }
}
