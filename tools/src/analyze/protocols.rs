//! Which protocols were in the packets, as a tree, and what their headers cost.

use hubbub::capture::Layers;
use hubbub::capture::layers::{MAX_LAYERS, Protocol, Share};

use super::traffic::Count;

/// Paths through the tree that are told apart.
pub const MAX_PATHS: usize = 512;

/// The layers of a packet, from the outermost on.
type Path = [Option<Protocol>; MAX_LAYERS];

/// The tree.
#[derive(Debug, Default)]
pub struct Protocols {
    /// Whole paths, by how often they came first in the file; the tree is made of them at the end.
    paths: Vec<(Path, Count)>,
    /// The one that came last, which most packets have again.
    recent: usize,
    /// Packets whose path had no room.
    untold: Count,
    overhead: Overhead,
}

/// Bytes by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// Headers below IP.
    pub link_bytes: u64,
    /// Headers of IP.
    pub network_bytes: u64,
    /// Headers of TCP and UDP.
    pub transport_bytes: u64,
    /// What TCP and UDP carried.
    pub payload_bytes: u64,
    /// Padding, and what is not TCP or UDP.
    pub other_bytes: u64,
}

/// A branch of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// From the root on.
    pub path: Vec<Protocol>,
    /// Packets that go through here.
    pub count: Count,
}

impl Protocols {
    /// Counts a packet.
    pub fn add(&mut self, layers: &Layers<'_>, wire_bytes: u32) {
        self.overhead.add(layers.share, wire_bytes);
        let mut path = Path::default();
        for (place, protocol) in path.iter_mut().zip(layers.protocols()) {
            *place = Some(protocol);
        }
        self.place(path).add_packet(wire_bytes);
    }

    fn place(&mut self, path: Path) -> &mut Count {
        let is_recent = self.paths.get(self.recent).is_some_and(|(known, _)| *known == path);
        if !is_recent {
            match self.paths.iter().position(|(known, _)| *known == path) {
                Some(known) => self.recent = known,
                None if self.paths.len() < MAX_PATHS => {
                    self.recent = self.paths.len();
                    self.paths.push((path, Count::default()));
                }
                None => return &mut self.untold,
            }
        }
        self.paths.get_mut(self.recent).map_or(&mut self.untold, |(_, count)| count)
    }

    /// What the bytes were for.
    pub fn overhead(&self) -> Overhead {
        self.overhead
    }

    /// Packets that the tree has no room for.
    pub fn untold(&self) -> Count {
        self.untold
    }

    /// The tree, every branch before what grows on it, the largest of a fork first.
    pub fn tree(&self) -> Vec<Branch> {
        let mut tree = Vec::new();
        let paths: Vec<_> = self.paths.iter().collect();
        grow(&paths, &mut Vec::new(), &mut tree);
        tree
    }
}

/// What grows from one place: a protocol, all that goes through it, and where it goes on.
type Fork<'a> = (Protocol, Count, Vec<&'a (Path, Count)>);

/// Adds the branches that begin like `stem`.
fn grow(paths: &[&(Path, Count)], stem: &mut Vec<Protocol>, tree: &mut Vec<Branch>) {
    let mut forks: Vec<Fork<'_>> = Vec::new();
    for entry @ (path, count) in paths {
        let Some(next) = path.get(stem.len()).copied().flatten() else { continue };
        let known = forks.iter().position(|(protocol, ..)| *protocol == next);
        let place = known.unwrap_or(forks.len());
        if known.is_none() {
            forks.push((next, Count::default(), Vec::new()));
        }
        if let Some((_, sum, members)) = forks.get_mut(place) {
            sum.add(*count);
            members.push(entry);
        }
    }
    forks.sort_by_key(|(protocol, count, _)| (std::cmp::Reverse(count.packets), *protocol));
    for (protocol, count, members) in forks {
        stem.push(protocol);
        tree.push(Branch { path: stem.clone(), count });
        grow(&members, stem, tree);
        stem.pop();
    }
}

impl Overhead {
    fn add(&mut self, share: Share, wire_bytes: u32) {
        let Share { link, network, transport, payload } = share;
        let parts = [link, network, transport, payload].map(u64::from);
        let [link, network, transport, payload] = parts;
        let other = u64::from(wire_bytes).saturating_sub(parts.iter().sum());
        for (all, bytes) in [
            (&mut self.link_bytes, link),
            (&mut self.network_bytes, network),
            (&mut self.transport_bytes, transport),
            (&mut self.payload_bytes, payload),
            (&mut self.other_bytes, other),
        ] {
            *all = all.saturating_add(bytes);
        }
    }
}
