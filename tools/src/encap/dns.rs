//! Texts about names become messages of DNS (RFC 1035): Wireshark calls anything else malformed.

use std::collections::VecDeque;
use std::net::IpAddr;

use hubbub::capture::Side;
use simple_dns::rdata::{A, AAAA, RData, TXT};
use simple_dns::{self as dns, CLASS, Name, Packet, PacketFlag, QTYPE, ResourceRecord, TYPE};

use super::message::Transport;

/// How long an answer may be kept, in seconds.
const TTL_S: u32 = 300;

/// The longest string of a TXT record, in bytes.
const MAX_STRING: usize = 255;

/// How much of a text goes into one message, in bytes: the rest of a datagram is for what is
/// around it.
const MAX_TEXT: usize = 60_000;

/// What a record takes around its name, in bytes, with the longest of addresses (RFC 1035,
/// section 3.2.1).
const RECORD: usize = 2 + 10 + 16;

/// The longest label of a name, and the longest of the names made here, in bytes.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 200;

/// How many questions wait for an answer; older ones are forgotten.
const MAX_WAITING: usize = 16;

/// What was asked in a conversation, and not answered.
#[derive(Clone, Debug)]
pub struct Asked {
    last_id: u16,
    waiting: VecDeque<Question>,
}

#[derive(Clone, Debug)]
struct Question {
    id: u16,
    name: String,
    kind: TYPE,
}

impl Asked {
    /// Nothing yet; ids begin behind this one.
    pub fn new(id: u16) -> Self {
        Self { last_id: id, waiting: VecDeque::new() }
    }

    /// The message that a text becomes: a question from the client; from the server, an answer to
    /// the oldest question that has none. `None` when no such message can be made of it.
    pub fn message(&mut self, from: Side, text: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(text);
        let message = match from {
            Side::Client => {
                let question = self.question(&text);
                let message = packet(Packet::new_query(question.id), &question, &text)?;
                if self.waiting.len() == MAX_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(question);
                message
            }
            Side::Server => {
                // An answer that nobody asked for has an id of its own: a second answer to one
                // question would be a repetition.
                let waiting = self.waiting.pop_front();
                let question = waiting.unwrap_or_else(|| self.question("unknown"));
                packet(Packet::new_reply(question.id), &question, &text)?
            }
        };
        // In TCP the length stands before each (RFC 1035, section 4.2.2).
        let length = u16::try_from(message.len()).ok()?.to_be_bytes();
        Some(match transport {
            Transport::Tcp => [&length[..], &message].concat(),
            Transport::Udp => message,
        })
    }

    fn question(&mut self, text: &str) -> Question {
        self.last_id = self.last_id.wrapping_add(1);
        Question { id: self.last_id, name: name_in(text), kind: kind_in(text) }
    }
}

/// A question, or the answer to it, which repeats it.
fn packet<'a>(mut packet: Packet<'a>, question: &'a Question, text: &'a str) -> Option<Vec<u8>> {
    let name = Name::new(&question.name).ok()?;
    let most = MAX_TEXT / (question.name.len() + RECORD);
    let is_answer = packet.has_flags(PacketFlag::RESPONSE);
    let answers = if is_answer { answers(text, most) } else { Vec::new() };
    let kind = QTYPE::TYPE(question.kind);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(dns::Question::new(name.clone(), kind, CLASS::IN.into(), false));
    for answer in answers {
        packet.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, TTL_S, answer));
    }
    packet.build_bytes_vec().ok()
}

/// The addresses in a text, so many at the most; where there are none, the text itself.
fn answers(text: &str, most: usize) -> Vec<RData<'_>> {
    let addresses = words(text).filter_map(|word| word.parse().ok());
    let found: Vec<RData<'_>> = addresses
        .take(most)
        .map(|address| match address {
            IpAddr::V4(address) => RData::A(A::from(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA::from(address)),
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    let mut record = TXT::new();
    let mut rest = &text[..text.floor_char_boundary(MAX_TEXT)];
    while !rest.is_empty() {
        let (string, more) = rest.split_at(rest.floor_char_boundary(MAX_STRING));
        // A string of at most 255 bytes is never refused.
        if record.add_string(string).is_err() {
            break;
        }
        rest = more;
    }
    vec![RData::TXT(record)]
}

/// The first word with a dot in it that can be a name; else a name made of the words.
fn name_in(text: &str) -> String {
    let is_name =
        |word: &str| word.contains('.') && word.len() <= MAX_NAME && word.split('.').all(is_label);
    let mut dotted = words(text).map(|word| word.trim_matches('.'));
    if let Some(name) = dotted.find(|word| is_name(word) && word.parse::<IpAddr>().is_err()) {
        return name.to_owned();
    }
    let mut name = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if is_label(word) && name.len() + word.len() < MAX_NAME {
            name.push_str(word);
            name.push('.');
        }
    }
    name.push_str("invalid");
    name
}

/// What is asked for: addresses of IPv4, unless the text names something else.
fn kind_in(text: &str) -> TYPE {
    let named = |kind: &str| words(text).any(|word| word.eq_ignore_ascii_case(kind));
    match (named("AAAA"), named("TXT")) {
        (true, _) => TYPE::AAAA,
        (_, true) => TYPE::TXT,
        _ => TYPE::A,
    }
}

fn is_label(word: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_LABEL).contains(&word.len()) && word.bytes().all(is_letter)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || ",;\"'()=<>/".contains(c))
        .map(|word| word.trim_end_matches([':', '?', '!']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(asked: &mut Asked, from: Side, text: &str) -> String {
        let bytes = asked.message(from, text.as_bytes(), Transport::Udp).unwrap();
        format!("{:?}", Packet::parse(&bytes).unwrap())
    }

    #[test]
    fn a_question_and_its_answer_belong_together() {
        let mut asked = Asked::new(6);
        let question = parsed(&mut asked, Side::Client, "Query: www.example.com");
        assert!(question.contains("id: 7") && question.contains("www.example.com"), "{question}");
        let answer = parsed(&mut asked, Side::Server, "Response: 192.0.2.7");
        assert!(answer.contains("id: 7") && answer.contains("www.example.com"), "{answer}");
        assert!(answer.contains(&u32::from_be_bytes([192, 0, 2, 7]).to_string()), "{answer}");
    }

    #[test]
    fn an_answer_repeats_the_question() {
        for (asks, kind) in [("a.example?", TYPE::A), ("AAAA of a.example", TYPE::AAAA)] {
            let mut asked = Asked::new(1);
            for (from, text) in [(Side::Client, asks), (Side::Server, "2001:db8::1, or nothing")] {
                let bytes = asked.message(from, text.as_bytes(), Transport::Udp).unwrap();
                let message = Packet::parse(&bytes).unwrap();
                assert_eq!(message.questions[0].qtype, QTYPE::TYPE(kind), "{from:?} {asks}");
            }
        }
    }

    #[test]
    fn any_text_becomes_some_message() {
        let long = "x".repeat(70_000);
        let many = "1.1.1.1 ".repeat(9_000);
        let all = ["", ".", "...", "who is there?", "ü", "a..b", "1.2.3.4", &long, &many];
        for text in all {
            for transport in [Transport::Udp, Transport::Tcp] {
                let mut asked = Asked::new(0);
                for from in Side::BOTH {
                    let bytes = asked.message(from, text.as_bytes(), transport).unwrap();
                    let start = if transport == Transport::Tcp { 2 } else { 0 };
                    assert!(Packet::parse(&bytes[start..]).is_ok(), "{from:?} {text:.20}");
                    assert!(bytes.len() < 65_000);
                }
            }
        }
    }
}
