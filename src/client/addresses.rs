//! The addresses of a server, in the order in which they are tried. Pure.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// The most addresses of a host that are tried.
pub(super) const MAX_ADDRESSES: usize = 16;

/// The two kinds of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V6,
    V4,
}

impl Family {
    fn of(address: &SocketAddr) -> Self {
        if address.is_ipv6() { Self::V6 } else { Self::V4 }
    }

    fn other(self) -> Self {
        match self {
            Self::V6 => Self::V4,
            Self::V4 => Self::V6,
        }
    }
}

/// Addresses that are not tried yet. The families take turns, IPv6 first, and within a family the
/// order is the resolver's (RFC 8305, section 4). The answers for the two families may come at
/// different times.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    v6: VecDeque<SocketAddr>,
    v4: VecDeque<SocketAddr>,
    /// Every address so far, so that none is tried twice.
    known: Vec<SocketAddr>,
    last: Option<Family>,
}

impl Addresses {
    /// Takes what the resolver found, up to [`MAX_ADDRESSES`] in all.
    pub(super) fn extend(&mut self, found: impl IntoIterator<Item = SocketAddr>) {
        for address in found {
            if self.known.len() < MAX_ADDRESSES && !self.known.contains(&address) {
                self.known.push(address);
                self.of(Family::of(&address)).push_back(address);
            }
        }
    }

    /// The next to be tried.
    pub(super) fn next(&mut self) -> Option<SocketAddr> {
        let first = self.last.map_or(Family::V6, Family::other);
        let address = self.of(first).pop_front().or_else(|| self.of(first.other()).pop_front())?;
        self.last = Some(Family::of(&address));
        Some(address)
    }

    /// Whether there is none to be tried.
    pub(super) fn is_empty(&self) -> bool {
        self.v6.is_empty() && self.v4.is_empty()
    }

    /// Whether there is none of this family to be tried.
    pub(super) fn lacks(&self, family: Family) -> bool {
        match family {
            Family::V6 => self.v6.is_empty(),
            Family::V4 => self.v4.is_empty(),
        }
    }

    fn of(&mut self, family: Family) -> &mut VecDeque<SocketAddr> {
        match family {
            Family::V6 => &mut self.v6,
            Family::V4 => &mut self.v4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| format!("{text}:1").parse().unwrap()).collect()
    }

    fn drain(addresses: &mut Addresses) -> Vec<SocketAddr> {
        std::iter::from_fn(|| addresses.next()).collect()
    }

    #[test]
    fn families_take_turns_and_ipv6_is_first() {
        let mut order = Addresses::default();
        let v4 = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
        order.extend(addresses(&v4));
        order.extend(addresses(&["[fd00::1]", "[fd00::2]", "[fd00::1]"]));
        let want = ["[fd00::1]", "10.0.0.1", "[fd00::2]", "10.0.0.2", "10.0.0.3"];
        assert_eq!(drain(&mut order), addresses(&want));
        assert!(order.is_empty());
    }

    #[test]
    fn a_family_that_is_known_late_is_next() {
        let mut order = Addresses::default();
        order.extend(addresses(&["10.0.0.1", "10.0.0.2"]));
        assert!(order.lacks(Family::V6) && !order.lacks(Family::V4));
        assert_eq!(order.next(), Some(addresses(&["10.0.0.1"])[0]));
        order.extend(addresses(&["[fd00::1]"]));
        assert_eq!(drain(&mut order), addresses(&["[fd00::1]", "10.0.0.2"]));
    }

    #[test]
    fn a_host_of_many_addresses_is_tried_at_some() {
        let mut order = Addresses::default();
        order.extend((0..100).map(|last| SocketAddr::from(([10, 0, 0, last], 1))));
        order.extend(addresses(&["[fd00::1]"]));
        assert_eq!(drain(&mut order).len(), MAX_ADDRESSES);
    }
}
