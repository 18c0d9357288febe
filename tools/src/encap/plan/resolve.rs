//! What the file leaves open: client ports and addresses.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use hubbub::capture::Path;
use thiserror::Error;

use super::super::message::Transport;
use super::super::service::Service;
use super::{DEFAULT_NAMES, End, Plan, Resolved, Route, Talk, serves};

/// Ports of clients where the file has none. Wireshark 4.0 knows no protocol there.
const CLIENT_PORTS: RangeInclusive<u16> = 50_000..=53_999;

/// Where to go on when the file itself has all of those between two addresses.
const MORE_PORTS: RangeInclusive<u16> = 1024..=65_535;

/// Where IPv6 addresses are made: the documentation prefix (RFC 3849), an IPv4 address behind it.
const IPV6_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);

/// No port is left to be derived for a conversation between these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("every port of {client} to {server} is in the table; name the client's port in all rows")]
pub struct NoPort {
    client: IpAddr,
    server: SocketAddr,
}

/// Which ports a client has, and which of them it has not used yet.
#[derive(Clone, Debug)]
struct Ports {
    all: RangeInclusive<u16>,
    left: RangeInclusive<u16>,
}

impl Ports {
    fn new(all: RangeInclusive<u16>) -> Self {
        Self { left: all.clone(), all }
    }
}

/// The state of the derivation.
pub(super) struct Resolver {
    /// The address that each host has now, as far as it was derived.
    derived: Vec<Option<Ipv4Addr>>,
    /// The client ports of each host.
    ports: Vec<Ports>,
    /// How many addresses were derived.
    count: u32,
    given: HashSet<IpAddr>,
    /// Pairs that exist, so that no derived port makes one of them a second time.
    pairs: HashSet<(Transport, SocketAddr, SocketAddr)>,
    out: Resolved,
    named: HashSet<(IpAddr, u32)>,
}

impl Resolver {
    pub(super) fn new(plan: &Plan) -> Self {
        let ipv6 = plan.shape.ipv6;
        let given = plan.by_address.keys().map(|address| on_wire(*address, ipv6)).collect();
        Self {
            derived: vec![None; plan.hosts.len()],
            ports: vec![Ports::new(CLIENT_PORTS); plan.hosts.len()],
            count: 0,
            given,
            pairs: HashSet::new(),
            out: Resolved::default(),
            named: HashSet::new(),
        }
    }

    pub(super) fn run(mut self, plan: &Plan) -> Result<Resolved, NoPort> {
        // What the file says stands, whatever is derived: so it comes first.
        let is_open = |talk: &Talk| talk.ends.iter().any(|end| end.port == 0);
        let mut routes = vec![None; plan.talks.len()];
        for open in [false, true] {
            for (talk, route) in plan.talks.iter().zip(&mut routes) {
                if is_open(talk) == open {
                    *route = self.route(plan, talk)?;
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
        Ok(self.out)
    }

    /// `Ok(None)` does not happen: the two addresses are of one family.
    fn route(&mut self, plan: &Plan, talk: &Talk) -> Result<Option<Route>, NoPort> {
        let client = client(plan, talk);
        let (from, to) = (talk.ends[client], talk.ends[1 - client]);
        let is_ipv6 = |end: End| plan.hosts[end.host as usize].address.is_some_and(|a| a.is_ipv6());
        let ipv6 = plan.shape.ipv6 || is_ipv6(from) || is_ipv6(to);
        let server_port = if to.port == 0 { talk.service.port() } else { to.port };
        // The client's is derived first, so that it is the first.
        self.address(plan, from.host, ipv6);
        let server = SocketAddr::new(self.address(plan, to.host, ipv6), server_port);
        let client_socket = if from.port == 0 {
            self.client_socket(plan, (talk.transport, from.host), server)?
        } else {
            let socket = SocketAddr::new(self.address(plan, from.host, ipv6), from.port);
            self.pairs.insert((talk.transport, socket, server));
            socket
        };
        let Ok(path) = Path::new(client_socket, server, plan.shape.vlan) else { return Ok(None) };
        let service = talk.service.on_wire([server_port, client_socket.port()]);
        let fills_empty = !plan.shape.verbatim && service.fills_empty();
        Ok(Some(Route {
            path,
            transport: talk.transport,
            service,
            client,
            rows: talk.rows,
            bytes: talk.bytes,
            has_data: talk.has_text || (talk.has_empty && fills_empty),
        }))
    }

    /// A socket for a client that nobody has who talks to this server.
    fn client_socket(
        &mut self,
        plan: &Plan,
        (transport, host): (Transport, u32),
        server: SocketAddr,
    ) -> Result<SocketAddr, NoPort> {
        self.out.client_ports += 1;
        for tried in 0..=CLIENT_PORTS.len() + MORE_PORTS.len() {
            if tried == CLIENT_PORTS.len() {
                self.ports[host as usize] = Ports::new(MORE_PORTS);
            }
            let port = self.next_port(plan, host);
            let socket = SocketAddr::new(self.address(plan, host, server.is_ipv6()), port);
            if self.pairs.insert((transport, socket, server)) {
                return Ok(socket);
            }
        }
        Err(NoPort { client: self.address(plan, host, server.is_ipv6()), server })
    }

    /// The next port of a client; beyond the last, a client whose address is not given gets
    /// another one.
    fn next_port(&mut self, plan: &Plan, host: u32) -> u16 {
        let ports = &mut self.ports[host as usize];
        if let Some(port) = ports.left.next() {
            return port;
        }
        if plan.hosts[host as usize].address.is_none() {
            self.derived[host as usize] = None;
        }
        *ports = Ports::new(ports.all.clone());
        ports.left.next().unwrap_or(*ports.all.start())
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
