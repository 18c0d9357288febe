//! Peers by address: how many connections each has, and how many of them have no name yet.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::outbound::{ClientId, NoMemory};

/// Connections per address that is not this machine's own, unless the settings say otherwise.
const DEFAULT_MAX_PER_ADDRESS: u32 = 128;

/// What counts as one peer: an IPv4 address, or the /64 network of an IPv6 address, which is what
/// one subscriber has (RFC 6177). An IPv4-mapped address (RFC 4291, section 2.5.5.2) is the former.
///
/// The upper half of the IPv6 address, or an IPv4 address behind [`V4`](Self::V4): every connection
/// holds one, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AddressKey(u64);

/// How many connections an address has.
#[derive(Debug, Default)]
struct Count {
    open: u32,
    pending: u32,
}

/// Counts connections by address.
#[derive(Debug)]
pub(super) struct Addresses {
    counts: HashMap<AddressKey, Count>,
    /// Those without a name, oldest first; some have got one since.
    pending: VecDeque<(ClientId, AddressKey)>,
    pending_count: usize,
    max_per_address: Option<u32>,
    max_pending: usize,
}

impl AddressKey {
    /// Marks an IPv4 address. No peer has an IPv6 address that begins so: it is a multicast one
    /// (RFC 4291, section 2.7).
    const V4: u64 = 0xffff_ffff << 32;

    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(Self::V4 | u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments().map(u64::from);
                Self(a << 48 | b << 32 | c << 16 | d)
            }
        }
    }

    /// The same number for one peer, and another for each other.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// Whether this is the machine itself. In its network, `::1` is the only address that a peer
    /// can have.
    fn is_loopback(self) -> bool {
        self.0 >> 24 == Self::V4 >> 24 | 127 || self.0 == 0
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 & Self::V4 == Self::V4 {
            #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
            return Ipv4Addr::from_bits(self.0 as u32).fmt(f);
        }
        write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(self.0) << 64))
    }
}

impl Addresses {
    /// `max_per_address`: `None` for the default, `Some(0)` for no limit.
    pub(super) fn new(max_per_address: Option<u32>, max_pending: usize) -> Self {
        Self {
            counts: HashMap::new(),
            pending: VecDeque::new(),
            pending_count: 0,
            max_per_address,
            max_pending,
        }
    }

    /// Whether this address has as many connections as one may have.
    pub(super) fn is_full(&self, key: AddressKey) -> bool {
        let limit = match self.max_per_address {
            None if key.is_loopback() => return false,
            None => DEFAULT_MAX_PER_ADDRESS,
            Some(0) => return false,
            Some(limit) => limit,
        };
        self.counts.get(&key).is_some_and(|count| count.open >= limit)
    }

    /// How many connections have no name.
    pub(super) fn pending(&self) -> usize {
        self.pending_count
    }

    /// Makes room for one more address, and one more without a name.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system gives none.
    pub(super) fn reserve(&mut self) -> Result<(), NoMemory> {
        self.counts.try_reserve(1).or(Err(NoMemory))?;
        self.pending.try_reserve(1).or(Err(NoMemory))
    }

    /// A connection without a name.
    pub(super) fn enter(&mut self, key: AddressKey, id: ClientId) {
        let count = self.counts.entry(key).or_default();
        count.open += 1;
        count.pending += 1;
        self.pending.push_back((id, key));
        self.pending_count += 1;
    }

    /// A connection has got its name, or will never have one.
    pub(super) fn settle(&mut self, key: AddressKey) {
        if let Some(count) = self.counts.get_mut(&key) {
            count.pending = count.pending.saturating_sub(1);
            self.pending_count = self.pending_count.saturating_sub(1);
        }
    }

    /// A connection, settled before, has gone.
    pub(super) fn leave(&mut self, key: AddressKey) {
        if let Some(count) = self.counts.get_mut(&key) {
            count.open = count.open.saturating_sub(1);
            if count.open == 0 {
                self.counts.remove(&key);
            }
        }
    }

    /// When too many have no name: the oldest of them from the address that has the most.
    /// Costs O(pending), and only then.
    pub(super) fn too_many(&mut self, is_pending: impl Fn(ClientId) -> bool) -> Option<ClientId> {
        while self.pending.front().is_some_and(|&(id, _)| !is_pending(id)) {
            self.pending.pop_front();
        }
        if self.pending.len() > 2 * self.max_pending {
            self.pending.retain(|&(id, _)| is_pending(id));
        }
        if self.pending_count <= self.max_pending {
            return None;
        }
        let of = |key: &AddressKey| self.counts.get(key).map_or(0, |count| count.pending);
        let mut oldest_first = self.pending.iter().filter(|&&(id, _)| is_pending(id));
        let most = oldest_first.clone().map(|(_, key)| of(key)).max()?;
        oldest_first.find(|(_, key)| of(key) == most).map(|&(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> AddressKey {
        AddressKey::of(text.parse().unwrap())
    }

    fn id(key: u32) -> ClientId {
        ClientId { key, generation: 0 }
    }

    #[test]
    fn what_counts_as_one_peer() {
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert!(key("127.3.2.1").is_loopback() && key("::1").is_loopback());
        assert_eq!(key("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(key("2001:db8::1").to_string(), "2001:db8::/64");
        assert!(!key("192.0.2.1").is_loopback() && !key("2001:db8::1").is_loopback());
    }

    #[test]
    fn this_machine_has_no_limit_unless_one_is_set() {
        let (local, remote) = (key("127.0.0.1"), key("192.0.2.1"));
        for (limit, local_full, remote_full) in
            [(None, false, true), (Some(0), false, false), (Some(128), true, true)]
        {
            let mut addresses = Addresses::new(limit, 9999);
            for n in 0..128 {
                assert!(!addresses.is_full(local) && !addresses.is_full(remote));
                addresses.enter(local, id(n));
                addresses.enter(remote, id(n + 1000));
            }
            assert_eq!(
                (addresses.is_full(local), addresses.is_full(remote)),
                (local_full, remote_full)
            );
            addresses.settle(remote);
            addresses.leave(remote);
            assert!(!addresses.is_full(remote));
        }
    }

    #[test]
    fn of_too_many_without_a_name_the_address_with_most_loses_its_oldest() {
        let mut addresses = Addresses::new(None, 4);
        for (n, from) in ["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"].iter().enumerate() {
            addresses.enter(key(from), id(u32::try_from(n).unwrap()));
        }
        assert_eq!(addresses.too_many(|_| true), None);
        addresses.enter(key("192.0.2.3"), id(4));
        assert_eq!(addresses.too_many(|_| true), Some(id(1)));
        addresses.settle(key("192.0.2.2"));
        assert_eq!(addresses.too_many(|other| other != id(1)), None);
        addresses.enter(key("192.0.2.1"), id(5));
        assert_eq!(addresses.too_many(|other| other != id(1)), Some(id(0)));
    }

    #[test]
    fn those_who_have_gone_leave_nothing_behind() {
        let mut addresses = Addresses::new(None, 4);
        for n in 0..1000 {
            addresses.enter(key("192.0.2.1"), id(n));
            assert_eq!(addresses.too_many(|other| other == id(n)), None);
            addresses.settle(key("192.0.2.1"));
            addresses.leave(key("192.0.2.1"));
        }
        assert!(addresses.counts.is_empty() && addresses.pending.len() <= 1);
    }
}
