//! Which message is shown: one row of the table, its frame, and the conversation around it.

use hubbub::capture::{Flags, Frame, Packet, Path, Payload, Side};

use crate::encap::message::Transport;
use crate::encap::plan::{Route, TalkId};
use crate::encap::read::Progress;
use crate::encap::source::{Source, Table};
use crate::encap::spool::Spooled;
use crate::encap::talks::{Step, Talks};

use super::cost::Tally;

/// Segments of the handshake; of what else is an opening there is nothing to keep.
const MAX_OPENING: usize = 3;

/// A message and its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The row of the table, from 1, and how many there are.
    pub row: u64,
    /// How many rows there are.
    pub rows: u64,
    /// Between whom.
    pub path: Path,
    /// How its conversation travels.
    pub transport: Transport,
    /// Who sent it.
    pub from: Side,
    /// What sender and receiver are called, the sender first.
    pub names: [Option<String>; 2],
    /// What the application is called, if it is known.
    pub service: Option<&'static str>,
    /// What the table says; nothing where it only says how much.
    pub text: Vec<u8>,
    /// Whether letters stand for bytes that nobody knows.
    pub is_filler: bool,
    /// All that the application sends for it.
    pub sent: Vec<u8>,
    /// Which of the frames that carry it is shown, from 1.
    pub segment: usize,
    /// How many frames carry it.
    pub segments: usize,
    /// The frame.
    pub frame: Vec<u8>,
    /// Where its payload begins in what is sent.
    pub payload_at: usize,
    /// Its place in its conversation, from 1.
    pub number: u64,
    /// The frames of the handshake.
    pub opening: Vec<Vec<u8>>,
    /// Where each side's sequence numbers begin, the sender's first.
    pub first_sequence: Option<[u32; 2]>,
    /// What the conversation consists of.
    pub tally: Tally,
}

/// Why there is nothing to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// There are not so many rows.
    #[error("there is no row {row}; expected 1 to {rows}")]
    Row {
        /// Which was asked for.
        row: u64,
        /// How many there are.
        rows: u64,
    },
    /// The row is wrong, and was left out.
    #[error("row {0} was left out; expected one that has nothing wrong with it")]
    Bad(u64),
    /// The message is empty, and the connection sends nothing for it.
    #[error("row {0} says nothing, and a connection sends no segment for that{hint}",
        hint = .1.map(|row| format!("; row {row} says something")).unwrap_or_default())]
    Silent(u64, Option<u64>),
    /// There are not so many segments.
    #[error("there is no segment {segment}; expected 1 to {segments}")]
    Segment {
        /// Which was asked for.
        segment: usize,
        /// How many carry the message.
        segments: usize,
    },
}

/// What is remembered of the rows while they are read.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    row: u64,
    rows: u64,
    /// The line at which the row begins, and its conversation.
    found: Option<(u64, Option<TalkId>)>,
    /// The first row that says something.
    first_loud: Option<u64>,
}

impl Choice {
    /// Waits for a row, counted from 1.
    pub fn new(row: u64) -> Self {
        Self { row, rows: 0, found: None, first_loud: None }
    }

    /// A row was read.
    pub fn see(&mut self, progress: Progress) {
        self.rows = progress.row;
        if progress.row == self.row {
            self.found = Some((progress.line, progress.taken.map(|taken| taken.place.talk)));
        }
        if self.first_loud.is_none() && progress.taken.is_some_and(|taken| taken.bytes > 0) {
            self.first_loud = Some(progress.row);
        }
    }

    /// The conversation of the row is built anew, with the very frames that `encap` writes.
    ///
    /// # Errors
    ///
    /// When the messages cannot be read. The inner error is for the user.
    pub fn show(
        self,
        source: &Source,
        table: Table,
        segment: usize,
    ) -> anyhow::Result<Result<Shown, Absent>> {
        let (line, talk) = match self.found {
            Some((line, Some(talk))) => (line, talk),
            Some((_, None)) => return Ok(Err(Absent::Bad(self.row))),
            None => return Ok(Err(Absent::Row { row: self.row, rows: self.rows })),
        };
        let Table { resolved, spool, facts } = table;
        let Some(route) = resolved.routes.get(talk as usize) else {
            return Ok(Err(Absent::Bad(self.row)));
        };
        let mut talks = Talks::new(&resolved, source.style(&facts));
        let mut shown = self.begin(route, segment);
        let mut sorted = spool.into_sorted()?;
        while let Some(message) = sorted.next_message()? {
            if message.place.talk != talk {
                continue;
            }
            let is_it = message.line == line;
            if is_it {
                shown.choose(route, &message);
            }
            talks.add(&message, &mut |step, frame| shown.take(step, is_it, frame))?;
        }
        let name = |side: Side| {
            let address = route.path.end(side).socket.ip();
            let mut names = resolved.names.iter();
            names.find(|(named, _)| *named == address).map(|(_, name)| name.clone())
        };
        shown.names = [name(shown.from), name(shown.from.other())];
        if shown.from == Side::Server {
            shown.first_sequence = shown.first_sequence.map(|[client, server]| [server, client]);
        }
        let segments = shown.segments;
        Ok(match segment {
            _ if segments == 0 => Err(Absent::Silent(self.row, self.first_loud)),
            segment if segment > segments => Err(Absent::Segment { segment, segments }),
            _ => Ok(shown),
        })
    }

    fn begin(&self, route: &Route, segment: usize) -> Shown {
        Shown {
            row: self.row,
            rows: self.rows,
            path: route.path,
            transport: route.transport,
            from: Side::Client,
            names: [None, None],
            service: route.service.name(),
            text: Vec::new(),
            is_filler: false,
            sent: Vec::new(),
            segment,
            segments: 0,
            frame: Vec::new(),
            payload_at: 0,
            number: 0,
            opening: Vec::new(),
            first_sequence: None,
            tally: Tally { messages: route.rows, ..Tally::default() },
        }
    }
}

impl Shown {
    fn choose(&mut self, route: &Route, message: &Spooled<'_>) {
        self.from = route.side(message.place.end);
        self.text = message.text.to_vec();
        self.is_filler = message.filler.is_some();
    }

    fn take(&mut self, step: Step, is_it: bool, frame: &Frame<'_>) {
        if step == Step::Opening && self.opening.len() < MAX_OPENING {
            self.open(frame);
        }
        let of_it = step == Step::Message && is_it;
        self.tally.add(step, is_it, frame);
        if !of_it || !frame.is_data {
            return;
        }
        self.segments += 1;
        if self.segments == self.segment {
            self.frame = frame.bytes.to_vec();
            self.payload_at = self.sent.len();
            self.number = self.tally.frames();
        }
        match Packet::parse(frame.bytes).map(|packet| packet.payload) {
            Ok(Payload::Tcp(segment)) => self.sent.extend_from_slice(segment.payload),
            Ok(Payload::Udp(payload)) => self.sent.extend_from_slice(payload),
            // What was emitted parses: a guarantee of `capture`.
            Err(_) => {}
        }
    }

    fn open(&mut self, frame: &Frame<'_>) {
        self.opening.push(frame.bytes.to_vec());
        let Ok(Packet { payload: Payload::Tcp(segment), .. }) = Packet::parse(frame.bytes) else {
            return;
        };
        if segment.flags.has(Flags::SYN) {
            let first = self.first_sequence.get_or_insert_default();
            first[usize::from(frame.from == Side::Server)] = segment.sequence;
        }
    }

    /// The payload of the frame.
    pub fn payload(&self) -> &[u8] {
        let end = match Packet::parse(&self.frame).map(|packet| packet.payload) {
            Ok(Payload::Tcp(segment)) => segment.payload.len(),
            Ok(Payload::Udp(payload)) => payload.len(),
            Err(_) => 0,
        };
        self.sent.get(self.payload_at..self.payload_at + end).unwrap_or_default()
    }
}
