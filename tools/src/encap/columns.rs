//! The header row: which column is what, by name and in any order.

use super::problem::{Problem, quote};
use super::rows::Row;

/// What a column can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A number that the row has; it is told, and means nothing.
    Id,
    /// When it was said.
    Time,
    /// What it is, as in HTTP.
    Application,
    /// The same, or TCP or UDP.
    Protocol,
    /// Who said it.
    SourceName,
    /// To whom.
    TargetName,
    /// From which port.
    SourcePort,
    /// To which port.
    TargetPort,
    /// From which address.
    SourceAddress,
    /// To which address.
    TargetAddress,
    /// What was said.
    Message,
    /// How many bytes were said, where the words are not known.
    Size,
}

/// How many kinds of column there are.
const FIELDS: usize = 12;

/// What each may be called, in lower case, with `_` for what stands between words.
const ALIASES: [(Field, &[&str]); FIELDS] = [
    (Field::Id, &["msg_id", "message_id", "id", "no", "number"]),
    (Field::Time, &["timestamp", "time", "ts", "date", "datetime"]),
    (Field::Application, &["app_protocol", "application", "application_protocol", "app"]),
    (Field::Protocol, &["protocol", "proto", "transport", "transport_protocol"]),
    (
        Field::SourceName,
        &["src_app", "source_app", "src_name", "src_host", "src", "source", "from"],
    ),
    (
        Field::TargetName,
        &["dst_app", "dest_app", "dst_name", "dst_host", "dst", "destination", "to"],
    ),
    (Field::SourcePort, &["src_port", "source_port", "sport"]),
    (Field::TargetPort, &["dst_port", "dest_port", "destination_port", "dport"]),
    (Field::SourceAddress, &["src_ip", "source_ip", "src_addr", "src_address", "ip_src"]),
    (Field::TargetAddress, &["dst_ip", "dest_ip", "destination_ip", "dst_addr", "dst_address"]),
    (Field::Message, &["message", "msg", "payload", "data", "text", "content"]),
    (Field::Size, &["payload_size", "size", "length", "payload_length", "bytes"]),
];

/// Where each field stands.
#[derive(Debug)]
pub struct Columns {
    at: [Option<usize>; FIELDS],
    names: Vec<String>,
    unused: Vec<String>,
}

impl Columns {
    /// Reads the header row.
    ///
    /// # Errors
    ///
    /// When a column is there twice, or neither what was said nor how much of it.
    pub fn parse(header: &Row<'_>) -> Result<Self, Vec<Problem>> {
        let problem =
            |column: &str, what: String| Problem { line: header.line, column: column.into(), what };
        let mut columns = Self { at: [None; FIELDS], names: Vec::new(), unused: Vec::new() };
        let mut problems = Vec::new();
        for index in 0..header.count() {
            let field = header.get(index).unwrap_or_default();
            let name = String::from_utf8_lossy(field).trim().to_owned();
            match Field::named(&name) {
                Some(field) if columns.has(field) => {
                    let other = columns.name(field);
                    let what = format!("it says the same as column {}", quote(other.as_bytes()));
                    problems.push(problem(&name, what));
                }
                Some(field) => columns.at[field as usize] = Some(index),
                None if name.is_empty() => {}
                None => columns.unused.push(name.clone()),
            }
            columns.names.push(name);
        }
        if !columns.has(Field::Message) && !columns.has(Field::Size) {
            let what = "no column is called 'message'; the first row has to name the columns, \
                        as in msg_id,app_protocol,src_app,dst_app,message,timestamp";
            problems.push(problem("row", what.to_owned()));
        }
        if problems.is_empty() { Ok(columns) } else { Err(problems) }
    }

    /// Whether the file has it.
    pub fn has(&self, field: Field) -> bool {
        self.at[field as usize].is_some()
    }

    /// What the file calls it.
    pub fn name(&self, field: Field) -> &str {
        self.at[field as usize].map_or("row", |index| &self.names[index])
    }

    /// What a row has there, without the spaces around it; nothing where the file has no such
    /// column.
    pub fn get<'a>(&self, row: &Row<'a>, field: Field) -> &'a [u8] {
        self.raw(row, field).trim_ascii()
    }

    /// The same with its spaces.
    pub fn raw<'a>(&self, row: &Row<'a>, field: Field) -> &'a [u8] {
        self.at[field as usize].and_then(|index| row.get(index)).unwrap_or_default()
    }

    /// How many columns there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Columns that say nothing to this program.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        let plain: String = name
            .chars()
            .map(|c| if c == ' ' || c == '-' || c == '.' { '_' } else { c.to_ascii_lowercase() })
            .collect();
        let found = ALIASES.iter().find(|(_, names)| names.contains(&plain.as_str()));
        found.map(|(field, _)| *field)
    }
}
