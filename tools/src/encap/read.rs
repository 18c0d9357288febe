//! A file becomes messages and a plan: the first of two passes.

use std::io::{self, BufRead};

use hubbub::capture::conversation::OPENING_NS;
use hubbub::capture::frame::MAX_DATAGRAM;

use super::columns::{Columns, Field};
use super::message::{self, Body, Message};
use super::plan::{Full, MAX_HOSTS, MAX_TALKS, Place, Plan, ROOM};
use super::problem::{Problem, Problems};
use super::rows::{MAX_COLUMNS, MAX_ROW, Row, Rows, Unreadable};
use super::service::MAX_OTHERS;
use super::spool::{Spool, Spooled};
use super::time::{END_NS, Moment};

/// How far apart rows are that have no time, in nanoseconds.
const GAP_NS: u64 = 1_000_000;

/// How much later everything is when the first message is at zero, so that the handshake fits
/// before it, in nanoseconds.
pub const LEAD_NS: u64 = 1_000_000;

/// What a file had, apart from its messages.
#[derive(Debug, Default)]
pub struct Facts {
    /// Rows that became messages.
    pub messages: u64,
    /// Rows that did not.
    pub bad_rows: u64,
    /// Rows that got a time.
    pub times: u64,
    /// Rows without words, whose bytes were made up.
    pub fillers: u64,
    /// Columns that say nothing here.
    pub unused: Vec<String>,
    /// How long the table is, in bytes.
    pub bytes: u64,
    /// The time of the earliest message, in nanoseconds.
    pub first_ns: Option<u64>,
}

impl Facts {
    /// What has to be added to all times so that the handshake fits before the first.
    pub fn shift_ns(&self) -> u64 {
        if self.first_ns.is_some_and(|first| first < OPENING_NS) { LEAD_NS } else { 0 }
    }
}

/// A row was read.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Which one it is, from 1; blank ones and the names of the columns do not count.
    pub row: u64,
    /// The line of the file at which it begins.
    pub line: u64,
    /// How many bytes were read so far.
    pub position: u64,
    /// Its message, unless there is something wrong with it.
    pub taken: Option<Taken>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Where its message belongs.
    pub place: Place,
    /// How many bytes it says.
    pub bytes: usize,
}

/// What becomes of each row.
#[derive(Debug)]
pub struct Reading<'a> {
    /// Conversations.
    pub plan: &'a mut Plan,
    /// Messages.
    pub spool: &'a mut Spool,
    /// What is wrong.
    pub problems: &'a mut Problems,
    /// What times given in seconds count from, in nanoseconds since 1970.
    pub base_ns: u64,
}

impl Reading<'_> {
    /// Reads everything, and calls `progress` after each row.
    ///
    /// # Errors
    ///
    /// When the input, or a temporary file, fails. What is wrong with rows is no error.
    pub fn run(
        &mut self,
        input: &mut dyn BufRead,
        progress: &mut dyn FnMut(Progress),
    ) -> io::Result<Facts> {
        let mut rows = Rows::new(input)?;
        let mut facts = Facts::default();
        let Some(columns) = self.header(&mut rows)? else { return Ok(facts) };
        facts.unused = columns.unused().to_vec();
        let mut last_ns = None;
        let mut count = 0;
        while let Some(row) = rows.next_row()? {
            let (line, taken) = match row {
                Ok(row) => (row.line, self.take(&row, &columns, &mut last_ns, &mut facts)?),
                Err((line, why)) => (line, Err(vec![unreadable(line, why)])),
            };
            count += 1;
            let position = rows.position();
            progress(Progress { row: count, line, position, taken: taken.as_ref().ok().copied() });
            if let Err(problems) = taken {
                facts.bad_rows += 1;
                for problem in problems {
                    self.problems.push(problem);
                }
            }
        }
        facts.bytes = rows.position();
        Ok(facts)
    }

    fn header(&mut self, rows: &mut Rows<'_>) -> io::Result<Option<Columns>> {
        let found = match rows.next_row()? {
            None => {
                let what = "the file is empty; the first row has to name the columns".to_owned();
                Err(vec![Problem { line: 1, column: "row".to_owned(), what }])
            }
            Some(Err((line, why))) => Err(vec![unreadable(line, why)]),
            Some(Ok(row)) => Columns::parse(&row),
        };
        Ok(found.map_err(|all| all.into_iter().for_each(|one| self.problems.push(one))).ok())
    }

    fn take(
        &mut self,
        row: &Row<'_>,
        columns: &Columns,
        last_ns: &mut Option<u64>,
        facts: &mut Facts,
    ) -> io::Result<Result<Taken, Vec<Problem>>> {
        let message = match message::parse(row, columns) {
            Ok(message) => message,
            Err(problems) => return Ok(Err(problems)),
        };
        let problem = |column: &str, what: String| {
            Ok(Err(vec![Problem { line: row.line, column: column.to_owned(), what }]))
        };
        let Some(time_ns) = self.time_ns(&message, *last_ns) else {
            let what = "it is later than 2106-02-07; expected an earlier one".to_owned();
            return problem(columns.name(Field::Time), what);
        };
        let place = match self.plan.place(&message, time_ns) {
            Ok(place) => place,
            Err(full) => {
                let column = match (full, message.body) {
                    (Full::Datagram, Body::Text(_)) => columns.name(Field::Message),
                    (Full::Datagram, Body::Filler(_)) => columns.name(Field::Size),
                    _ => "row",
                };
                return problem(column, full_of(full, message.body.len()));
            }
        };
        let (text, filler): (&[u8], _) = match message.body {
            Body::Text(text) => (text, None),
            Body::Filler(size) => (b"", Some(size)),
        };
        self.spool.push(&Spooled { time_ns, line: row.line, place, text, filler })?;
        facts.messages += 1;
        facts.times += u64::from(message.time.is_none() && last_ns.is_some());
        facts.fillers += u64::from(filler.is_some_and(|size| size > 0));
        facts.first_ns = Some(facts.first_ns.map_or(time_ns, |first| first.min(time_ns)));
        *last_ns = Some(time_ns);
        Ok(Ok(Taken { place, bytes: message.body.len() }))
    }

    /// A row without a time comes after the one before it.
    fn time_ns(&self, message: &Message<'_>, last_ns: Option<u64>) -> Option<u64> {
        let time_ns = match message.time {
            Some(Moment::At(time_ns)) => time_ns,
            Some(Moment::Since(time_ns)) => self.base_ns.checked_add(time_ns)?,
            None => last_ns.map_or(self.base_ns, |last| last + GAP_NS),
        };
        (time_ns < END_NS - LEAD_NS).then_some(time_ns)
    }
}

fn unreadable(line: u64, why: Unreadable) -> Problem {
    let what = match why {
        Unreadable::TooLong => format!(
            "longer than {MAX_ROW} bytes or {MAX_COLUMNS} columns; is a quote missing its end?"
        ),
        Unreadable::Utf16 => "the file is UTF-16; expected UTF-8: save it as such".to_owned(),
    };
    Problem { line, column: "row".to_owned(), what }
}

fn full_of(full: Full, length: usize) -> String {
    match full {
        Full::Talks => format!("one conversation too many; expected at most {MAX_TALKS}"),
        Full::Hosts => format!("one name or address too many; expected at most {MAX_HOSTS}"),
        Full::Services => {
            format!("one application too many; expected at most {MAX_OTHERS} without known ports")
        }
        Full::Datagram => {
            let most = MAX_DATAGRAM - ROOM;
            format!("{length} bytes do not fit a datagram; expected at most {most}")
        }
    }
}
