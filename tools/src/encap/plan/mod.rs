//! Which rows belong to one conversation, and what is derived for it: who opened it, ports,
//! addresses.
//!
//! Rows come in the order of the file; what they leave open is decided when all have been seen. So
//! a plan keeps something for each conversation and each name, and nothing for each row.

mod resolve;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::ops::RangeFrom;

use hubbub::capture::frame::MAX_DATAGRAM;
use hubbub::capture::{Path, Side, Vlan};

pub use self::resolve::NoPort;
use self::resolve::Resolver;
use super::message::{Body, Message, Party, Spoken, Transport};
use super::service::{MAX_OTHERS, Service};

/// The most conversations in one file; each takes some 300 bytes.
pub const MAX_TALKS: usize = 1 << 20;

/// The most names and addresses in one file.
pub const MAX_HOSTS: usize = 1 << 20;

/// From here on a port that stands alone in a row is the client's: Linux takes them from 32,768
/// on, others from 49,152 (RFC 6335, section 6).
const EPHEMERAL_PORTS: RangeFrom<u16> = 32_768..;

/// What a text may grow by in a datagram, in bytes, at the most. Messages of DNS are no texts any
/// more, and have a limit of their own.
pub const ROOM: usize = 4;

/// What a client and a server are called where nobody says.
const DEFAULT_NAMES: [&str; 2] = ["client", "server"];

/// A conversation of the plan, by its number.
pub type TalkId = u32;

/// Where a message belongs: its conversation, and which of the two ends said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The conversation.
    pub talk: TalkId,
    /// 0 or 1, in the order in which the plan has the ends.
    pub end: usize,
}

/// There is no place for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// [`MAX_TALKS`].
    Talks,
    /// [`MAX_HOSTS`].
    Hosts,
    /// [`MAX_OTHERS`].
    Services,
    /// [`MAX_DATAGRAM`], less [`ROOM`].
    Datagram,
}

/// One of the two ends; port 0 is one that is still to be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct End {
    host: u32,
    port: u16,
}

/// What makes rows one conversation. What is spoken belongs to it only while a port is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    transport: Transport,
    ends: [End; 2],
    service: Option<Service>,
}

#[derive(Debug)]
struct Talk {
    transport: Transport,
    service: Service,
    ends: [End; 2],
    /// The time and the line of its first row, and who spoke there.
    first: (u64, u64, usize),
    rows: u64,
    /// What they say together.
    bytes: u64,
    /// Whether a row has something to say, and whether one says an empty text.
    has_text: bool,
    has_empty: bool,
}

#[derive(Debug)]
struct Host {
    name: Option<String>,
    address: Option<IpAddr>,
}

/// A conversation with nothing left open.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Between whom.
    pub path: Path,
    /// How it travels.
    pub transport: Transport,
    /// What Wireshark will take it for.
    pub service: Service,
    /// Which end opened it.
    pub client: usize,
    /// How many rows it has.
    pub rows: u64,
    /// What they say together, in bytes, without what is added to it.
    pub bytes: u64,
    /// Whether anything is said in it.
    pub has_data: bool,
}

impl Route {
    /// The side of an end.
    pub fn side(&self, end: usize) -> Side {
        if end == self.client { Side::Client } else { Side::Server }
    }
}

/// Everything that was derived.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The conversations, by their number.
    pub routes: Vec<Route>,
    /// What addresses are called.
    pub names: Vec<(IpAddr, String)>,
    /// How many client ports were derived.
    pub client_ports: u64,
    /// How many addresses were derived.
    pub addresses: u64,
    /// Services whose port was derived.
    pub service_ports: Vec<(String, u16)>,
}

/// What the user says about all conversations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Everything in UDP.
    pub udp: bool,
    /// Everything in IPv6.
    pub ipv6: bool,
    /// Everything in this virtual LAN.
    pub vlan: Option<Vlan>,
    /// Nothing is added to a text.
    pub verbatim: bool,
}

/// Conversations as the rows come.
#[derive(Debug, Default)]
pub struct Plan {
    shape: Shape,
    talks: Vec<Talk>,
    by_key: HashMap<Key, TalkId>,
    hosts: Vec<Host>,
    by_name: HashMap<String, u32>,
    by_address: HashMap<IpAddr, u32>,
    /// Further names of hosts that are known by their address.
    names: HashSet<(u32, String)>,
    others: Vec<String>,
    derived_services: Vec<Service>,
}

impl Plan {
    /// An empty one.
    pub fn new(shape: Shape) -> Self {
        Self { shape, ..Self::default() }
    }

    /// Finds or makes the conversation of a message that was said at `time_ns`.
    ///
    /// # Errors
    ///
    /// When there are too many of something, or the message is too long for its transport.
    pub fn place(&mut self, message: &Message<'_>, time_ns: u64) -> Result<Place, Full> {
        let named = self.service(message)?;
        let (mut source, mut target) = (message.source.port, message.target.port);
        let service = named.unwrap_or(Service::Chat);
        self.complete_ports(service, &mut source, &mut target);
        let (source, target) = (source.unwrap_or(0), target.unwrap_or(0));
        let transport = if self.shape.udp {
            Transport::Udp
        } else {
            let usual = if service.is_udp() { Transport::Udp } else { Transport::Tcp };
            message.transport.unwrap_or(usual)
        };
        let is_lower = source == 0 || (target != 0 && target <= source);
        let is_too_long = message.body.len() + ROOM > MAX_DATAGRAM;
        if is_too_long && transport == Transport::Udp {
            return Err(Full::Datagram);
        }
        let target_serves = serves(source, target, service).unwrap_or(is_lower);
        let [client, server] = DEFAULT_NAMES;
        let defaults = if target_serves { [client, server] } else { [server, client] };
        let from = End { host: self.host(&message.source, defaults[0])?, port: source };
        let to = End { host: self.host(&message.target, defaults[1])?, port: target };
        let is_swapped = to < from;
        let ends = if is_swapped { [to, from] } else { [from, to] };
        let open = ends.iter().any(|end| end.port == 0).then_some(service);
        let key = Key { transport, ends, service: open };
        let end = usize::from(is_swapped);
        let id = self.talk(key, service, (time_ns, message.line, end))?;
        if let Some(talk) = self.talks.get_mut(id as usize) {
            talk.rows += 1;
            talk.bytes += message.body.len() as u64;
            talk.has_text |= !message.body.is_empty();
            talk.has_empty |= message.body == Body::Text(b"");
        }
        Ok(Place { talk: id, end })
    }

    fn service(&mut self, message: &Message<'_>) -> Result<Option<Service>, Full> {
        let at = |party: &Party<'_>| party.port.and_then(Service::at);
        match message.spoken {
            Some(Spoken::Known(service)) => Ok(Some(service)),
            Some(Spoken::Unknown(name)) => self.other(name).map(Some),
            None => Ok(at(&message.target).or_else(|| at(&message.source))),
        }
    }

    fn other(&mut self, name: &str) -> Result<Service, Full> {
        let known = self.others.iter().position(|other| other.eq_ignore_ascii_case(name));
        let number = known.unwrap_or(self.others.len());
        let number = u16::try_from(number).ok().filter(|number| *number < MAX_OTHERS);
        let number = number.ok_or(Full::Services)?;
        if known.is_none() {
            self.others.push(name.to_owned());
        }
        Ok(Service::Other(number))
    }

    /// Where the client's port is known, the server's follows.
    fn complete_ports(
        &mut self,
        service: Service,
        source: &mut Option<u16>,
        target: &mut Option<u16>,
    ) {
        let is_clients = |port| port != service.port() && EPHEMERAL_PORTS.contains(&port);
        match (*source, *target) {
            (Some(port), None) if is_clients(port) => *target = Some(service.port()),
            (None, Some(port)) if is_clients(port) => *source = Some(service.port()),
            (None, None) => {}
            _ => return,
        }
        if !self.derived_services.contains(&service) {
            self.derived_services.push(service);
        }
    }

    fn host(&mut self, party: &Party<'_>, default: &str) -> Result<u32, Full> {
        let number = u32::try_from(self.hosts.len()).map_err(|_| Full::Hosts)?;
        let Some(address) = party.address else {
            let name = party.name.unwrap_or(default);
            if let Some(host) = self.by_name.get(name) {
                return Ok(*host);
            }
            self.by_name.insert(name.to_owned(), number);
            return self.new_host(number, Host { name: Some(name.to_owned()), address: None });
        };
        let host = match self.by_address.get(&address) {
            Some(host) => *host,
            None => self.host_at(address, party.name, number)?,
        };
        if let Some(name) = party.name {
            let known = (host, name.to_owned());
            if !self.names.contains(&known) {
                if self.names.len() >= MAX_HOSTS {
                    return Err(Full::Hosts);
                }
                self.names.insert(known);
            }
        }
        Ok(host)
    }

    /// The host of an address that is new. A name has the first address that stands beside it,
    /// also in rows that have the name alone.
    fn host_at(&mut self, address: IpAddr, name: Option<&str>, new: u32) -> Result<u32, Full> {
        let named = name.and_then(|name| self.by_name.get(name).copied());
        let waiting = named.and_then(|host| Some((host, self.hosts.get_mut(host as usize)?)));
        if let Some((number, host)) = waiting
            && host.address.is_none()
        {
            *host = Host { name: None, address: Some(address) };
            self.by_address.insert(address, number);
            return Ok(number);
        }
        self.new_host(new, Host { name: None, address: Some(address) })?;
        self.by_address.insert(address, new);
        if let Some(name) = name {
            self.by_name.entry(name.to_owned()).or_insert(new);
        }
        Ok(new)
    }

    fn new_host(&mut self, number: u32, host: Host) -> Result<u32, Full> {
        if self.hosts.len() >= MAX_HOSTS {
            return Err(Full::Hosts);
        }
        self.hosts.push(host);
        Ok(number)
    }

    fn talk(
        &mut self,
        key: Key,
        service: Service,
        said: (u64, u64, usize),
    ) -> Result<TalkId, Full> {
        if let Some(&id) = self.by_key.get(&key) {
            let talk = &mut self.talks[id as usize];
            talk.first = talk.first.min(said);
            return Ok(id);
        }
        if self.talks.len() >= MAX_TALKS {
            return Err(Full::Talks);
        }
        let id = u32::try_from(self.talks.len()).map_err(|_| Full::Talks)?;
        let Key { transport, ends, .. } = key;
        self.by_key.insert(key, id);
        let (has_text, has_empty) = (false, false);
        self.talks.push(Talk {
            transport,
            service,
            ends,
            first: said,
            rows: 0,
            bytes: 0,
            has_text,
            has_empty,
        });
        Ok(id)
    }

    /// Derives what was left open.
    ///
    /// # Errors
    ///
    /// When no port is left for it.
    pub fn resolve(self) -> Result<Resolved, NoPort> {
        Resolver::new(&self).run(&self)
    }
}

/// Whether the target of a message is the server; `None` when the ports do not tell. The port of
/// what is spoken says more than that of some other service.
fn serves(source: u16, target: u16, service: Service) -> Option<bool> {
    if source == target {
        return Some(true);
    }
    let target_is = |serves: &dyn Fn(u16) -> bool| match (serves(source), serves(target)) {
        (_, true) => Some(true),
        (true, false) => Some(false),
        (false, false) => None,
    };
    target_is(&|port| port == service.port())
        .or_else(|| target_is(&|port| Service::at(port).is_some()))
}
