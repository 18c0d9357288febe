//! Which rows belong to one conversation, and what is derived for it: who opened it, ports,
//! addresses.
//!
//! Rows come in the order of the file; what they leave open is decided when all have been seen. So
//! a plan keeps something for each conversation and each name, and nothing for each row.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hubbub::capture::{Path, Side, Vlan};

use super::message::{Body, Message, Party, Spoken, Transport};
use super::service::{MAX_OTHERS, Service};

/// The most conversations in one file; each takes some 300 bytes.
pub const MAX_TALKS: usize = 1 << 20;

/// The most names and addresses in one file.
pub const MAX_HOSTS: usize = 1 << 20;

/// Ports of clients where the file has none. Wireshark 4.0 knows no protocol there.
const CLIENT_PORTS: std::ops::Range<u16> = 50_000..54_000;

/// Where IPv6 addresses are made: the documentation prefix (RFC 3849), an IPv4 address behind it.
const IPV6_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);

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

/// A file holds more than a plan can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// [`MAX_TALKS`].
    Talks,
    /// [`MAX_HOSTS`].
    Hosts,
    /// [`MAX_OTHERS`].
    Services,
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
    /// When there are too many of something.
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
        let target_serves = serves(source, target, service).unwrap_or(target <= source);
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
            talk.has_text |= !message.body.is_empty();
            talk.has_empty |= message.body == Body::Text(b"");
        }
        Ok(Place { talk: id, end })
    }

    /// How a conversation travels.
    pub fn transport(&self, talk: TalkId) -> Option<Transport> {
        self.talks.get(talk as usize).map(|talk| talk.transport)
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

    /// Where one port is known, the other follows unless it is the client's.
    fn complete_ports(
        &mut self,
        service: Service,
        source: &mut Option<u16>,
        target: &mut Option<u16>,
    ) {
        match (*source, *target) {
            (Some(_), Some(_)) => return,
            (Some(port), None) if port != service.port() => *target = Some(service.port()),
            (None, Some(port)) if port != service.port() => *source = Some(service.port()),
            _ => {}
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
        let known = self.by_address.get(&address).copied();
        let host = known.unwrap_or(number);
        if known.is_none() {
            self.by_address.insert(address, number);
            self.new_host(number, Host { name: None, address: Some(address) })?;
        }
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
            has_text,
            has_empty,
        });
        Ok(id)
    }

    /// Derives what was left open.
    pub fn resolve(self) -> Resolved {
        Resolver::new(&self).run(&self)
    }
}

/// Whether the target of a message is the server; `None` when the ports do not tell.
fn serves(source: u16, target: u16, service: Service) -> Option<bool> {
    let of = |port| (port == service.port(), Service::at(port).is_some());
    match (of(source), of(target)) {
        _ if source == target => Some(true),
        (_, (true, _)) => Some(true),
        ((true, _), _) => Some(false),
        (_, (_, true)) => Some(true),
        ((_, true), _) => Some(false),
        _ => None,
    }
}

/// The state of the derivation.
struct Resolver {
    /// The address that each host has now, as far as it was derived.
    derived: Vec<Option<Ipv4Addr>>,
    /// How many client ports each host has used.
    used_ports: Vec<u16>,
    /// How many addresses were derived.
    count: u32,
    given: HashSet<IpAddr>,
    /// Pairs that exist, so that no derived port makes one of them a second time.
    pairs: HashSet<(Transport, SocketAddr, SocketAddr)>,
    out: Resolved,
    named: HashSet<(IpAddr, u32)>,
}

impl Resolver {
    fn new(plan: &Plan) -> Self {
        let ipv6 = plan.shape.ipv6;
        let given = plan.by_address.keys().map(|address| on_wire(*address, ipv6)).collect();
        Self {
            derived: vec![None; plan.hosts.len()],
            used_ports: vec![0; plan.hosts.len()],
            count: 0,
            given,
            pairs: HashSet::new(),
            out: Resolved::default(),
            named: HashSet::new(),
        }
    }

    fn run(mut self, plan: &Plan) -> Resolved {
        // What the file says stands, whatever is derived: so it comes first.
        let is_open = |talk: &Talk| talk.ends.iter().any(|end| end.port == 0);
        let mut routes = vec![None; plan.talks.len()];
        for open in [false, true] {
            for (talk, route) in plan.talks.iter().zip(&mut routes) {
                if is_open(talk) == open {
                    *route = self.route(plan, talk);
                }
            }
        }
        self.out.routes = routes.into_iter().flatten().collect();
        let mut further: Vec<&(u32, String)> = plan.names.iter().collect();
        further.sort_unstable();
        for (host, name) in further {
            if let Some(address) = plan.hosts[*host as usize].address {
                self.out.names.push((on_wire(address, plan.shape.ipv6), name.clone()));
            }
        }
        let name = |service: &Service| match (service, service.name()) {
            (Service::Other(number), _) => plan.others[usize::from(*number)].clone(),
            (_, name) => name.unwrap_or_default().to_owned(),
        };
        let derived = plan.derived_services.iter();
        self.out.service_ports = derived.map(|service| (name(service), service.port())).collect();
        self.out
    }

    /// `None` does not happen: the two addresses are of one family.
    fn route(&mut self, plan: &Plan, talk: &Talk) -> Option<Route> {
        let client = client(plan, talk);
        let (from, to) = (talk.ends[client], talk.ends[1 - client]);
        let is_ipv6 = |end: End| plan.hosts[end.host as usize].address.is_some_and(|a| a.is_ipv6());
        let ipv6 = plan.shape.ipv6 || is_ipv6(from) || is_ipv6(to);
        let server_port = if to.port == 0 { talk.service.port() } else { to.port };
        // The client's is derived first, so that it is the first.
        self.address(plan, from.host, ipv6);
        let server = SocketAddr::new(self.address(plan, to.host, ipv6), server_port);
        let client_socket = loop {
            let port = if from.port == 0 { self.next_port(plan, from.host) } else { from.port };
            let socket = SocketAddr::new(self.address(plan, from.host, ipv6), port);
            let is_new = self.pairs.insert((talk.transport, socket, server));
            if is_new || from.port != 0 {
                break socket;
            }
        };
        let path = Path::new(client_socket, server, plan.shape.vlan).ok()?;
        let service = talk.service.on_wire([server_port, client_socket.port()]);
        let fills_empty = !plan.shape.verbatim && service.fills_empty();
        Some(Route {
            path,
            transport: talk.transport,
            service,
            client,
            rows: talk.rows,
            has_data: talk.has_text || (talk.has_empty && fills_empty),
        })
    }

    /// The next port of a client; beyond the last, the client gets another address.
    fn next_port(&mut self, plan: &Plan, host: u32) -> u16 {
        let used = &mut self.used_ports[host as usize];
        self.out.client_ports += 1;
        if *used >= CLIENT_PORTS.end - CLIENT_PORTS.start {
            *used = 0;
            if plan.hosts[host as usize].address.is_none() {
                self.derived[host as usize] = None;
            }
        }
        *used += 1;
        CLIENT_PORTS.start + *used - 1
    }

    fn address(&mut self, plan: &Plan, host: u32, ipv6: bool) -> IpAddr {
        let known = &plan.hosts[host as usize];
        if let Some(address) = known.address {
            return on_wire(address, ipv6);
        }
        let derived = self.derived[host as usize].unwrap_or_else(|| self.derive());
        self.derived[host as usize] = Some(derived);
        let address = on_wire(derived.into(), ipv6);
        if let (true, Some(name)) = (self.named.insert((address, host)), &known.name) {
            self.out.names.push((address, name.clone()));
        }
        address
    }

    /// The next address of 10.0.0.0/8 (RFC 1918) that nobody has.
    fn derive(&mut self) -> Ipv4Addr {
        loop {
            // The last byte is 1 to 254.
            let (network, host) = (self.count / 254, self.count % 254 + 1);
            self.count += 1;
            let address = Ipv4Addr::from_bits((10 << 24) + (network << 8) + host);
            let taken = [false, true].map(|ipv6| on_wire(address.into(), ipv6));
            if !taken.iter().any(|address| self.given.contains(address)) {
                self.out.addresses += 1;
                return address;
            }
        }
    }
}

/// Which end opened it: the one that does not serve, as far as ports tell; else who spoke first.
fn client(plan: &Plan, talk: &Talk) -> usize {
    let [a, b] = talk.ends;
    let (_, _, first) = talk.first;
    if a.port == 0 && b.port == 0 {
        return first;
    }
    if a.port == 0 || b.port == 0 {
        return usize::from(b.port == 0);
    }
    if a.port == b.port {
        return first;
    }
    let is_default = |end: End| {
        let name = plan.hosts[end.host as usize].name.as_deref();
        name == Some(DEFAULT_NAMES[0])
    };
    match serves(a.port, b.port, talk.service) {
        Some(second_serves) => usize::from(!second_serves),
        None if is_default(a) => 0,
        None if is_default(b) => 1,
        None => first,
    }
}

/// The address as it is on the wire: one of IPv4 stands behind the prefix where all is IPv6.
fn on_wire(address: IpAddr, ipv6: bool) -> IpAddr {
    match address {
        IpAddr::V4(address) if ipv6 => {
            Ipv6Addr::from_bits(IPV6_PREFIX.to_bits() | u128::from(address.to_bits())).into()
        }
        address => address,
    }
}
