//! A row becomes a message: who said what to whom, and when; or everything that is wrong with it.

use std::net::IpAddr;

use super::columns::{Columns, Field};
use super::problem::{Problem, quote};
use super::rows::Row;
use super::service::Service;
use super::time::{self, Moment};

/// The most bytes that a row without words can ask for.
const MAX_SIZE: u32 = 1 << 20;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// In a connection.
    Tcp,
    /// In datagrams.
    Udp,
}

/// What is spoken, as the file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken<'a> {
    /// Something that this program knows.
    Known(Service),
    /// Any other name.
    Unknown(&'a str),
}

/// One of the two, as far as the row knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// What it is called.
    pub name: Option<&'a str>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port, which is never 0.
    pub port: Option<u16>,
}

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// These bytes.
    Text(&'a [u8]),
    /// So many bytes that the file does not tell.
    Filler(u32),
}

impl Body<'_> {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes are said.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Filler(size) => *size as usize,
        }
    }
}

/// A row that makes sense by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The line of the file at which it begins.
    pub line: u64,
    /// When it was said, if the row tells.
    pub time: Option<Moment>,
    /// What is spoken, if the row tells.
    pub spoken: Option<Spoken<'a>>,
    /// How it travels, if the row tells.
    pub transport: Option<Transport>,
    /// Who said it.
    pub source: Party<'a>,
    /// To whom.
    pub target: Party<'a>,
    /// What was said.
    pub body: Body<'a>,
}

/// Reads a row.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse<'a>(row: &Row<'a>, columns: &Columns) -> Result<Message<'a>, Vec<Problem>> {
    let mut reader = Reader { row, columns, problems: Vec::new() };
    reader.check_width();
    let (spoken, transport) = reader.spoken();
    let message = Message {
        line: row.line,
        time: reader.time(),
        spoken,
        transport,
        source: reader.party(Field::SourceName, Field::SourceAddress, Field::SourcePort),
        target: reader.party(Field::TargetName, Field::TargetAddress, Field::TargetPort),
        body: reader.body(),
    };
    if let (Some(source), Some(target)) = (message.source.address, message.target.address)
        && source.is_ipv4() != target.is_ipv4()
    {
        let what = format!("{target} does not go with {source}; expected both IPv4 or both IPv6");
        reader.problem(Field::TargetAddress, what);
    }
    if reader.problems.is_empty() { Ok(message) } else { Err(reader.problems) }
}

struct Reader<'r, 'a> {
    row: &'r Row<'a>,
    columns: &'r Columns,
    problems: Vec<Problem>,
}

impl<'a> Reader<'_, 'a> {
    fn problem(&mut self, field: Field, what: String) {
        let column = self.columns.name(field).to_owned();
        self.problems.push(Problem { line: self.row.line, column, what });
    }

    /// What stands in a field, if anything does.
    fn text(&mut self, field: Field) -> Option<&'a str> {
        let bytes = self.columns.get(self.row, field);
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.problem(field, format!("{} is no text; expected UTF-8", quote(bytes)));
            return None;
        };
        Some(text).filter(|text| !text.is_empty())
    }

    fn check_width(&mut self) {
        let (have, want) = (self.row.count(), self.columns.count());
        let is_nothing =
            |index| self.row.get(index).is_none_or(|field| field.trim_ascii().is_empty());
        if have < want || (want..have).any(|index| !is_nothing(index)) {
            let hint = if have > want { "; a message with commas needs quotes" } else { "" };
            let what = format!("{have} columns, expected {want} as in the first row{hint}");
            self.problems.push(Problem { line: self.row.line, column: "row".into(), what });
        }
    }

    fn time(&mut self) -> Option<Moment> {
        let text = self.text(Field::Time)?;
        let moment = Moment::parse(text);
        if moment.is_none() {
            let quoted = quote(text.as_bytes());
            self.problem(Field::Time, format!("{quoted} is no time; expected {}", time::EXPECTED));
        }
        moment
    }

    /// `protocol` may be either: what is spoken, or how it travels.
    fn spoken(&mut self) -> (Option<Spoken<'a>>, Option<Transport>) {
        let mut application = self.text(Field::Application);
        let protocol = self.text(Field::Protocol);
        let mut transport = None;
        for name in [&mut application, &mut protocol.clone()] {
            if let Some(named) = name.and_then(transport_named) {
                transport = Some(named);
                *name = None;
            }
        }
        let protocol = protocol.filter(|name| transport_named(name).is_none());
        let spoken = application
            .or(protocol)
            .map(|name| Service::named(name).map_or(Spoken::Unknown(name), Spoken::Known));
        (spoken, transport)
    }

    /// Names stand where addresses or ports are expected, and the other way round.
    fn party(&mut self, name: Field, address: Field, port: Field) -> Party<'a> {
        let mut party = Party::default();
        if let Some(text) = self.text(name) {
            match parse_address(text) {
                Some(address) => party.address = Some(address),
                None => party.name = Some(text),
            }
        }
        if let Some(text) = self.text(address) {
            match parse_address(text) {
                Some(found) if party.address.is_none_or(|other| other == found) => {
                    party.address = Some(found);
                }
                None if party.name.is_none_or(|other| other == text) => party.name = Some(text),
                Some(_) => {
                    let of = quote(self.columns.name(name).as_bytes());
                    self.problem(address, format!("{text} is not the address in column {of}"));
                }
                None => {
                    let quoted = quote(text.as_bytes());
                    let what = format!("{quoted} is no address; expected one such as 10.0.0.1");
                    self.problem(address, what);
                }
            }
        }
        if let Some(text) = self.text(port) {
            match parse_port(text) {
                Some(number) => party.port = Some(number),
                None if !is_number(text) && party.name.is_none_or(|other| other == text) => {
                    party.name = Some(text);
                }
                None => {
                    let quoted = quote(text.as_bytes());
                    let what = format!("{quoted} is no port; expected 1 to 65535, or as in HTTP");
                    self.problem(port, what);
                }
            }
        }
        party
    }

    fn body(&mut self) -> Body<'a> {
        if self.columns.has(Field::Message) {
            return Body::Text(self.columns.raw(self.row, Field::Message));
        }
        let Some(text) = self.text(Field::Size) else { return Body::Filler(0) };
        match text.parse() {
            Ok(size) if size <= MAX_SIZE => Body::Filler(size),
            _ => {
                let quoted = quote(text.as_bytes());
                let what = format!("{quoted} is no size; expected 0 to {MAX_SIZE}");
                self.problem(Field::Size, what);
                Body::Filler(0)
            }
        }
    }
}

fn transport_named(name: &str) -> Option<Transport> {
    match name {
        _ if name.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
        _ if name.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
        _ => None,
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// A number, also as a spreadsheet writes it when the column has holes (`80.0`), or a service.
fn parse_port(text: &str) -> Option<u16> {
    let number = text.strip_suffix(".0").unwrap_or(text);
    let port = number.parse().ok().filter(|port| *port != 0);
    port.or_else(|| Service::named(text).map(Service::port))
}

/// Whether somebody meant a number.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
}
