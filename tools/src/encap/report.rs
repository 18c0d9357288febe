//! What was written, and everything that was derived, in words.

use std::fmt::{self, Display, Write as _};

use super::plan::Resolved;
use super::read::{Facts, LEAD_NS};
use super::service::Service;
use super::speech::Added;
use crate::units::count;
use crate::visible;

/// How many names or columns are told one by one.
const MAX_TOLD: usize = 6;

/// How many characters of a name are told.
const MAX_QUOTED: usize = 80;

/// The outcome of a run.
#[derive(Debug)]
pub struct Report<'a> {
    /// What the user calls the file that was written.
    pub output: String,
    /// How many packets it holds.
    pub packets: u64,
    /// What the input had.
    pub facts: &'a Facts,
    /// What was derived.
    pub resolved: &'a Resolved,
    /// What was added to texts.
    pub added: Added,
    /// Connections that were left out, because nothing is said in them.
    pub silent: u64,
    /// Whether names were written.
    pub has_names: bool,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conversations = self.resolved.routes.len() as u64 - self.silent;
        writeln!(
            f,
            "{}: {}, {}, {}",
            self.output,
            count(self.packets, "packet"),
            count(self.facts.messages, "message"),
            count(conversations, "conversation"),
        )?;
        self.facts(f)?;
        self.derived(f)?;
        self.added(f)
    }
}

impl Report<'_> {
    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts;
        if facts.bad_rows > 0 {
            writeln!(f, "  skipped: {}", count(facts.bad_rows, "bad row"))?;
        }
        if !facts.unused.is_empty() {
            let columns = listed(facts.unused.iter().map(String::as_str));
            writeln!(f, "  not used: {columns}")?;
        }
        if facts.times > 0 {
            let rows = count(facts.times, "row");
            writeln!(f, "  times: {rows} without one came 1 ms after the row before")?;
        }
        if facts.shift_ns() > 0 {
            let shift_us = LEAD_NS / 1_000;
            writeln!(
                f,
                "  times: all {shift_us} µs later, for the handshake of the first message"
            )?;
        }
        if facts.fillers > 0 {
            let rows = count(facts.fillers, "row");
            writeln!(f, "  texts: {rows} told only a size and got that many letters")?;
        }
        if self.silent > 0 {
            let silent = count(self.silent, "conversation");
            writeln!(f, "  left out: {silent} of TCP in which nothing is said")?;
        }
        Ok(())
    }

    fn derived(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resolved = self.resolved;
        if !resolved.service_ports.is_empty() {
            let ports: Vec<String> = resolved
                .service_ports
                .iter()
                .map(|(name, port)| format!("{name} is {port}"))
                .collect();
            write!(f, "  ports: {}", listed(ports.iter().map(String::as_str)))?;
            if resolved.client_ports > 0 {
                write!(f, "; {} from 50000 on", count(resolved.client_ports, "client port"))?;
            }
            writeln!(f)?;
            let unknown = resolved.service_ports.iter().map(|(name, _)| name.as_str());
            let unknown: Vec<&str> =
                unknown.filter(|name| Service::named(name).is_none()).collect();
            if !unknown.is_empty() {
                let names = listed(unknown.into_iter());
                writeln!(f, "  not known: {names}; over TCP where the table says nothing else")?;
            }
        }
        if resolved.addresses > 0 {
            let names: Vec<String> = resolved
                .names
                .iter()
                .map(|(address, name)| format!("{name} is {address}"))
                .collect();
            writeln!(f, "  addresses: {}", listed(names.iter().map(String::as_str)))?;
        }
        if !resolved.names.is_empty() && !self.has_names {
            writeln!(f, "  names: a pcap file has no room for them; a pcapng file has")?;
        }
        Ok(())
    }

    fn added(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Added { line_ends, heads, new_heads, dns_messages, ssh_packets } = self.added;
        if line_ends > 0 {
            let texts = count(line_ends, "message");
            writeln!(f, "  added: a line end behind {texts}")?;
        }
        if heads > 0 {
            writeln!(f, "  added: a blank line or a length to {}", count(heads, "head"))?;
        }
        if new_heads > 0 {
            let texts = count(new_heads, "message");
            writeln!(f, "  added: a head before {texts} that would pass for a broken one")?;
        }
        if dns_messages > 0 {
            writeln!(f, "  added: the format of DNS to {}", count(dns_messages, "message"))?;
        }
        if ssh_packets > 0 {
            writeln!(f, "  added: the format of SSH to {}", count(ssh_packets, "message"))?;
        }
        if self.added != Added::default() {
            writeln!(f, "  (--verbatim adds nothing)")?;
        }
        Ok(())
    }
}

/// The first few, made harmless.
fn listed<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let (mut list, mut more) = (String::new(), 0);
    for (index, item) in all.enumerate() {
        if index >= MAX_TOLD {
            more += 1;
            continue;
        }
        let between = if index == 0 { "" } else { ", " };
        let item = visible::text(item.as_bytes(), MAX_QUOTED);
        // A string takes everything.
        let _ = write!(list, "{between}{item}");
    }
    if more > 0 { format!("{list}, and {more} more") } else { list }
}
