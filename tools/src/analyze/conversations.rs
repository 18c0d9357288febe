//! Conversations of TCP and UDP: who with whom, how much, how long, and for TCP how well.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use hubbub::capture::layers::Transport;
use hubbub::capture::{Flags, Segment};

use super::chat::{Chat, Chats};
use super::ends::{End, Pair};
use super::ladder::{Arrow, Ladders};
use super::tcp::{Connection, Room};
use super::traffic::Count;

/// Conversations that are told apart.
pub const MAX_CONVERSATIONS: usize = 50_000;

/// Segments of all connections that wait for their ACK.
const MAX_UNACKED: usize = 500_000;

/// A conversation.
#[derive(Debug)]
pub struct Conversation {
    /// The sender of its first packet, and the other one.
    pub ends: Pair<SocketAddr>,
    /// What each of the two sent.
    pub sent: Pair<Count>,
    /// What each of the two sent in payload.
    pub payload_bytes: Pair<u64>,
    /// When its first and its last packet came, of those that have a time.
    pub times_ns: Option<[u64; 2]>,
    /// Which of the two is the client.
    pub client: End,
    /// Where it was TCP.
    pub tcp: Option<Box<Connection>>,
    /// Where it was a chat.
    pub chat: Option<Box<Chat>>,
    /// Its first packets.
    pub arrows: Vec<Arrow>,
}

/// A packet of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// When it came.
    pub time_ns: u64,
    /// Whether that is said in the file.
    pub is_timed: bool,
    /// From whom, and to whom.
    pub addresses: [IpAddr; 2],
    /// What it carried, as far as it was captured.
    pub transport: Transport<'a>,
    /// How long it was on the wire.
    pub wire_bytes: u32,
    /// How long its payload was on the wire.
    pub payload_bytes: u32,
}

/// A pair in either direction; the lower end stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    is_tcp: bool,
    ends: [SocketAddr; 2],
}

/// All conversations.
#[derive(Debug)]
pub struct Conversations {
    list: Vec<Conversation>,
    by_ends: HashMap<Key, usize>,
    room: Room,
    untold: Count,
    chats: Chats,
    ladders: Ladders,
}

impl Conversations {
    /// None yet. Chats are on `chat_port`; of conversation `shown`, if there is one, more packets
    /// are kept.
    pub fn new(chat_port: u16, shown: Option<usize>) -> Self {
        Self {
            list: Vec::new(),
            by_ends: HashMap::new(),
            room: Room(MAX_UNACKED),
            untold: Count::default(),
            chats: Chats::new(chat_port),
            ladders: Ladders::new(shown),
        }
    }

    /// Counts a packet.
    pub fn add(&mut self, message: &Message<'_>) {
        let (ports, segment) = match message.transport {
            Transport::Tcp(ports, segment) => (ports, Some(segment)),
            Transport::Udp(ports, _) => (ports, None),
        };
        let [source, destination] = message.addresses;
        let ends = Pair {
            first: SocketAddr::new(source, ports[0]),
            second: SocketAddr::new(destination, ports[1]),
        };
        let Some(number) = self.place(ends, segment.as_ref()) else {
            self.untold.add_packet(message.wire_bytes);
            return;
        };
        let Some(conversation) = self.list.get_mut(number) else { return };
        let from = conversation.sender(ends);
        conversation.sent[from].add_packet(message.wire_bytes);
        let payload_bytes = &mut conversation.payload_bytes[from];
        *payload_bytes = payload_bytes.saturating_add(message.payload_bytes.into());
        if message.is_timed {
            let time_ns = message.time_ns;
            let [first, last] = conversation.times_ns.get_or_insert([time_ns; 2]);
            *first = time_ns.min(*first);
            *last = time_ns.max(*last);
        }
        if let (Some(tcp), Some(segment)) = (&mut conversation.tcp, segment) {
            let payload = message.payload_bytes;
            tcp.handle(from, message.time_ns, &segment, payload, &mut self.room);
            if segment.flags.has(Flags::SYN) {
                // Whoever sends a SYN without an ACK opens; whoever answers was called.
                conversation.client =
                    if segment.flags.has(Flags::ACK) { from.other() } else { from };
            }
            let is_server = from != conversation.client;
            self.chats.follow(
                &mut conversation.chat,
                &conversation.ends,
                from,
                is_server,
                message,
                &segment,
            );
        }
        self.ladders.add(number, conversation, from, message);
    }

    /// The number of the conversation of this packet; none when there is no room for one more.
    fn place(&mut self, ends: Pair<SocketAddr>, segment: Option<&Segment<'_>>) -> Option<usize> {
        let mut sorted = [ends.first, ends.second];
        sorted.sort_unstable();
        let key = Key { is_tcp: segment.is_some(), ends: sorted };
        if let Some(&number) = self.by_ends.get(&key)
            && let Some(known) = self.list.get_mut(number)
        {
            let from = known.sender(ends);
            let (Some(tcp), Some(segment)) = (&mut known.tcp, segment) else {
                return Some(number);
            };
            if !tcp.is_another(from, segment) {
                return Some(number);
            }
            tcp.forget(&mut self.room);
        }
        if self.list.len() >= MAX_CONVERSATIONS {
            return None;
        }
        let number = self.list.len();
        self.by_ends.insert(key, number);
        self.list.push(Conversation {
            ends,
            sent: Pair::default(),
            payload_bytes: Pair::default(),
            times_ns: None,
            client: guess_client(ends, self.chats.port()),
            tcp: segment.map(|_| Box::default()),
            chat: None,
            arrows: Vec::new(),
        });
        Some(number)
    }

    /// All of them, in the order of their first packets.
    pub fn list(&self) -> &[Conversation] {
        &self.list
    }

    /// Packets of conversations that had no room.
    pub fn untold(&self) -> Count {
        self.untold
    }

    /// Chats that had no room.
    pub fn untold_chats(&self) -> u64 {
        self.chats.untold()
    }

    /// Everything was read.
    pub fn finish(&mut self) {
        for conversation in &mut self.list {
            let last_ns = conversation.times_ns.map_or(0, |[_, last]| last);
            if let Some(chat) = &mut conversation.chat {
                chat.finish(last_ns);
            }
        }
    }
}

/// Without a handshake: who has the chat's port is called, or else who has the lower one; of equal
/// ones, who spoke first calls.
fn guess_client(ends: Pair<SocketAddr>, chat_port: u16) -> End {
    let (first, second) = (ends.first.port(), ends.second.port());
    let is_server = |port: u16, other: u16| port == chat_port || port < other;
    if second != chat_port && is_server(first, second) { End::Second } else { End::First }
}

impl Conversation {
    /// Who sent a packet that has these ends, its source first.
    fn sender(&self, ends: Pair<SocketAddr>) -> End {
        if self.ends.first == ends.first { End::First } else { End::Second }
    }

    /// Client and server.
    pub fn client_first<T: Copy>(&self, pair: Pair<T>) -> [T; 2] {
        [pair[self.client], pair[self.client.other()]]
    }

    /// Both directions together.
    pub fn total(&self) -> Count {
        let Pair { first: one, second: other } = self.sent;
        one.and(other)
    }

    /// From the first packet to the last.
    pub fn duration_ns(&self) -> u64 {
        self.times_ns.map_or(0, |[first, last]| last - first)
    }
}
