//! What one has said to everyone and has not read back yet. Pure.
//!
//! The server sends every broadcast to its sender too, in its place among the others, and only that
//! line is shown. If it does not come for a while, because the flood limit holds the line back or
//! the link is slow, the person is told that it is not forgotten.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::wire::text::clean;

/// How long a line may be out before it is told.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most lines that are remembered; then the oldest is forgotten.
const MAX_LINES: usize = 1024;

/// How much of a line is told, in characters.
const QUOTED: usize = 60;

/// The lines that are out, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    out: VecDeque<Line>,
    /// It was told that lines are out; it is told again only when all of these have come.
    told: bool,
}

#[derive(Debug)]
struct Line {
    text: String,
    sent: Instant,
}

impl Echoes {
    /// A line is about to be sent to everyone.
    pub(super) fn expect(&mut self, text: &str, now: Instant) {
        if self.out.len() == MAX_LINES {
            self.out.pop_front();
        }
        self.out.push_back(Line { text: clean(text).into_owned(), sent: now });
    }

    /// It was not sent after all.
    pub(super) fn take_back(&mut self) {
        self.out.pop_back();
    }

    /// A line of one's own has come back. Lines before it did not pass.
    pub(super) fn came(&mut self, text: &str) {
        let at = self.out.iter().position(|line| line.text == text);
        self.out.drain(..at.map_or(self.out.len().min(1), |at| at + 1));
        self.told &= !self.out.is_empty();
    }

    /// The server has dropped a line for its length, which must be under this many bytes.
    pub(super) fn too_long(&mut self, limit: u64) {
        let over =
            |line: &Line| "all \n".len() + line.text.len() > usize::try_from(limit).unwrap_or(0);
        if let Some(at) = self.out.iter().position(over) {
            self.out.remove(at);
        }
    }

    /// The connection is gone, and nothing comes back over it.
    pub(super) fn forget(&mut self) {
        self.out.clear();
        self.told = false;
    }

    /// When there may be something to tell.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let first = self.out.front().filter(|_| !self.told)?;
        Some(first.sent + PATIENCE)
    }

    /// What is to be told now, if anything is.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<String> {
        if self.deadline()? > now {
            return None;
        }
        self.told = true;
        let first = &self.out.front()?.text;
        let mut quoted: String = first.chars().take(QUOTED).collect();
        if quoted.len() < first.len() {
            quoted.push('…');
        }
        Some(match self.out.len() {
            1 => format!("Sent, and not yet shown to everyone: {quoted}"),
            count => {
                format!("{count} lines are sent and not yet shown to everyone, the first: {quoted}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a beginning for the times of a test")]
        Instant::now()
    }

    #[test]
    fn a_line_that_comes_back_in_time_is_not_told() {
        let (mut echoes, now) = (Echoes::default(), start());
        assert_eq!(echoes.deadline(), None);
        echoes.expect("hi\u{7}", now);
        assert_eq!(echoes.deadline(), Some(now + PATIENCE));
        echoes.came("hi?");
        assert_eq!(echoes.deadline(), None);
        assert_eq!(echoes.overdue(now + PATIENCE), None);
    }

    #[test]
    fn what_is_held_back_is_told_once() {
        let (mut echoes, now) = (Echoes::default(), start());
        echoes.expect("one", now);
        echoes.expect(&"x".repeat(100), now);
        echoes.expect("three", now);
        assert_eq!(echoes.overdue(now), None);
        let told = echoes.overdue(now + PATIENCE).unwrap();
        assert_eq!(told, "3 lines are sent and not yet shown to everyone, the first: one");
        echoes.came("one");
        assert_eq!(echoes.overdue(now + 2 * PATIENCE), None, "it is known");
        echoes.came("three");
        echoes.expect(&"y".repeat(100), now);
        let told = echoes.overdue(now + PATIENCE).unwrap();
        assert_eq!(told, format!("Sent, and not yet shown to everyone: {}…", "y".repeat(60)));
    }

    #[test]
    fn what_did_not_pass_is_not_waited_for() {
        let (mut echoes, now) = (Echoes::default(), start());
        echoes.expect("short", now);
        echoes.expect(&"x".repeat(100), now);
        echoes.too_long(64);
        echoes.expect("not sent", now);
        echoes.take_back();
        echoes.came("what the server made of it");
        assert_eq!(echoes.deadline(), None);
        echoes.expect("lost", now);
        echoes.forget();
        assert_eq!(echoes.deadline(), None);
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (mut echoes, now) = (Echoes::default(), start());
        (0..2 * MAX_LINES).for_each(|number| echoes.expect(&number.to_string(), now));
        assert_eq!(echoes.out.len(), MAX_LINES);
    }
}
