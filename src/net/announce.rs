//! What is printed at the start: where the server listens, and what that means.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most addresses for others that are printed.
const MAX_SHOWN: usize = 4;

/// A line for each address, and one more when others can reach any of them.
pub(super) fn announcement(addresses: &[SocketAddr], max_clients: usize) -> String {
    let mut text = String::new();
    for address in addresses {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "Listening on {address}, room for {max_clients} connections. Try: nc {} {}",
            nearby(address.ip()),
            address.port()
        );
    }
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        text.push_str(&warning(&for_others(addresses, &interfaces())));
    }
    text
}

fn warning(places: &[SocketAddr]) -> String {
    let front =
        "There are no passwords and no encryption: whoever can reach this port can read along";
    let shown: Vec<String> = places.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
    let more = if places.len() > MAX_SHOWN { ", ..." } else { "" };
    match shown.as_slice() {
        [] => format!("{front}.\n"),
        shown => format!("{front}. Others connect to {}{more}\n", shown.join(", ")),
    }
}

/// Where this machine itself reaches a listener: one on every address listens on loopback too.
fn nearby(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// Where other machines reach the listeners, given the addresses of this one.
fn for_others(addresses: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    let mut places = Vec::new();
    for address in addresses.iter().filter(|address| !address.ip().is_loopback()) {
        let candidates: Vec<SocketAddr> = if address.ip().is_unspecified() {
            // One on every IPv6 address takes IPv4, too.
            let fits = |ip: &&IpAddr| address.is_ipv6() || ip.is_ipv4();
            interfaces.iter().filter(fits).map(|ip| SocketAddr::new(*ip, address.port())).collect()
        } else {
            vec![*address]
        };
        for place in candidates {
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// The addresses of the interfaces that are up, but for loopback and those that mean something
/// only together with an interface; IPv4 first, because it is the shorter to type.
fn interfaces() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = interfaces.iter().filter(|i| i.is_oper_up() && !i.is_loopback());
    let mut addresses: Vec<IpAddr> =
        usable.filter(|i| !i.is_link_local()).map(if_addrs::Interface::ip).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_needs_no_warning() {
        let text = announcement(&parse(&["127.0.0.1:7", "[::1]:7"]), 9);
        assert_eq!(
            text,
            "Listening on 127.0.0.1:7, room for 9 connections. Try: nc 127.0.0.1 7\n\
             Listening on [::1]:7, room for 9 connections. Try: nc ::1 7\n"
        );
    }

    #[test]
    fn every_other_address_is_warned_of_in_one_line() {
        for address in ["0.0.0.0:7", "[::]:7", "192.0.2.1:7"] {
            let text = announcement(&parse(&[address, "127.0.0.1:8"]), 9);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 3, "{text}");
            assert!(lines[2].contains("no passwords and no encryption"), "{text}");
        }
    }

    #[test]
    fn others_are_told_addresses_that_they_can_use() {
        let interfaces: Vec<IpAddr> = parse(&["10.0.0.7", "2001:db8::7"]);
        let others = |addresses: &[&str]| for_others(&parse(addresses), &interfaces);
        assert_eq!(others(&["0.0.0.0:7"]), parse(&["10.0.0.7:7"]));
        assert_eq!(others(&["[::]:7", "0.0.0.0:7"]), parse(&["10.0.0.7:7", "[2001:db8::7]:7"]));
        assert_eq!(others(&["192.0.2.1:7", "127.0.0.1:7"]), parse(&["192.0.2.1:7"]));
        let many: Vec<SocketAddr> = (1..9).map(|n| ([10, 0, 0, n], 7).into()).collect();
        assert!(warning(&many).ends_with("10.0.0.1:7, 10.0.0.2:7, 10.0.0.3:7, 10.0.0.4:7, ...\n"));
    }
}
