//! What a text is on the wire, by what is spoken in its conversation.

use std::borrow::Cow;

use hubbub::capture::Side;

use super::dns::Asked;
use super::http::{Addition, Exchange};
use super::message::Transport;
use super::service::Service;
use super::ssh::Versions;

/// What was added to texts, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Texts that got a line end.
    pub line_ends: u64,
    /// Heads of HTTP that got a blank line or a length.
    pub heads: u64,
    /// Texts that got a head of HTTP.
    pub new_heads: u64,
    /// Texts that became a message of DNS.
    pub dns_messages: u64,
    /// Texts that became a version or a packet of SSH.
    pub ssh_packets: u64,
}

/// What has to be known of a conversation to say the next text.
#[derive(Clone, Debug)]
pub struct Speech {
    service: Service,
    transport: Transport,
    exchange: Exchange,
    asked: Asked,
    versions: Versions,
}

impl Speech {
    /// Nothing was said yet; the ids of DNS begin at `id`.
    pub fn new(service: Service, transport: Transport, id: u16) -> Self {
        let (exchange, asked) = (Exchange::default(), Asked::new(id));
        Self { service, transport, exchange, asked, versions: Versions::default() }
    }

    /// The bytes of a text, as the application would send them.
    pub fn say<'a>(&mut self, side: Side, text: &'a [u8], added: &mut Added) -> Cow<'a, [u8]> {
        match (self.service, self.transport) {
            (Service::Dns, transport) => {
                let Some(message) = self.asked.message(side, text, transport) else {
                    return text.into();
                };
                added.dns_messages += 1;
                message.into()
            }
            // A datagram ends where it ends.
            (_, Transport::Udp) => text.into(),
            (Service::Http, Transport::Tcp) => self.http(side, text, added),
            (Service::Ssh, Transport::Tcp) => {
                let message = self.versions.message(side, text);
                added.ssh_packets += u64::from(message != text);
                message.into()
            }
            (service, Transport::Tcp) => {
                if text.ends_with(b"\n") || service.line_end().is_empty() {
                    return text.into();
                }
                added.line_ends += 1;
                [text, service.line_end()].concat().into()
            }
        }
    }

    fn http<'a>(&mut self, side: Side, text: &'a [u8], added: &mut Added) -> Cow<'a, [u8]> {
        let (message, addition) = self.exchange.message(side, text);
        match addition {
            None => {}
            Some(Addition::LineEnd) => added.line_ends += 1,
            Some(Addition::Head) => added.heads += 1,
            Some(Addition::NewHead) => added.new_heads += 1,
        }
        message
    }
}
