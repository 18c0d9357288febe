//! Login: a newcomer's lines are tries at a name.

use std::time::Duration;

use super::admission::cost;
use super::member::{Member, Newcomer};
use super::{Chat, Step};
use crate::name::{Name, is_blank};
use crate::outbound::ClientId;
use crate::wire::{Foreign, Frame, Notice};

/// How many names may be refused.
const MAX_TRIES: u8 = 3;

/// How often the holder of a name is told that somebody else asked for it. The notice is what
/// makes a dead holder time out, so that its name comes free.
const TELL_WANTED_EVERY: Duration = Duration::from_secs(30);

impl Chat {
    pub(super) fn log_in(&mut self, id: ClientId, frame: Frame<'_>, now: Duration) -> Step {
        if let Frame::Line(line) = frame
            && is_blank(line)
        {
            return self.pass_over(id, line.len(), now);
        }
        if let Err(later) = self.await_turn(id, now) {
            return Step::Wait(later);
        }
        let line = match frame {
            Frame::Line(line) => line,
            Frame::TooLong => {
                self.speaks_first_time(id);
                return self.refuse(id, Notice::TooLong(self.limits.max_line as u64), now);
            }
            Frame::Foreign(what) => return self.dismiss(id, Notice::Foreign(what), now),
        };
        if self.speaks_first_time(id)
            && let Some(what) = Foreign::of_line(line)
        {
            return self.dismiss(id, Notice::Foreign(what), now);
        }
        let Ok(typed) = std::str::from_utf8(line) else {
            return self.refuse(id, Notice::NotUtf8, now);
        };
        let name = match Name::parse(typed) {
            Ok(name) => name,
            Err(error) => return self.refuse(id, Notice::NameRefused(error), now),
        };
        if self.is_told_by_name(now, self.directory.len() + 1) && !self.outbound.has_room(true) {
            return Step::Hold;
        }
        match self.directory.enter(&name, id) {
            Ok(()) => {
                self.join(id, name, now);
                Step::Next
            }
            Err(holder) => self.refuse_taken(id, holder, now),
        }
    }

    /// An empty line, or one of spaces, is no try, so that only the flood limit bounds how many
    /// there can be.
    fn pass_over(&mut self, id: ClientId, bytes: usize, now: Duration) -> Step {
        let Some(Member::Newcomer(newcomer)) = self.members.get_mut(id) else {
            return Step::Close;
        };
        let source = newcomer.source;
        if let Err(later) = self.admission.check(&mut newcomer.bucket, source, now) {
            return Step::Wait(later);
        }
        if !newcomer.bucket.take_free_line(now) {
            self.admission.charge(&mut newcomer.bucket, source, cost(bytes), now);
        }
        Step::Next
    }

    /// Whether it is a newcomer's turn to try a name; if not, when it will be. While it waits for
    /// the others of its address, its own time stands still.
    fn await_turn(&mut self, id: ClientId, now: Duration) -> Result<(), Duration> {
        let Some(newcomer) = self.newcomer(id) else { return Ok(()) };
        let (source, booked) = (newcomer.source, newcomer.turn);
        let turn = booked.unwrap_or_else(|| self.admission.book_login(source, now));
        if let Some(newcomer) = self.newcomer(id)
            && booked.is_none()
        {
            newcomer.turn = Some(turn);
            newcomer.deadline += turn.saturating_sub(now);
        }
        if turn <= now { Ok(()) } else { Err(turn) }
    }

    fn speaks_first_time(&mut self, id: ClientId) -> bool {
        self.newcomer(id).is_some_and(|newcomer| !std::mem::replace(&mut newcomer.spoken, true))
    }

    fn refuse_taken(&mut self, id: ClientId, holder: ClientId, now: Duration) -> Step {
        let Some(Member::Present(present)) = self.members.get_mut(holder) else {
            return Step::Next;
        };
        let name = present.name.clone();
        if present.is_told_wanted(now, TELL_WANTED_EVERY) {
            self.answer(holder, Notice::NameWanted);
        }
        self.refuse(id, Notice::NameTaken(name.as_str()), now)
    }

    /// Counts a failed try.
    fn refuse(&mut self, id: ClientId, why: Notice<'_>, now: Duration) -> Step {
        self.answer(id, why);
        let Some(newcomer) = self.newcomer(id) else { return Step::Close };
        newcomer.turn = None;
        newcomer.tries += 1;
        if newcomer.tries < MAX_TRIES {
            self.answer(id, Notice::EnterName);
            return Step::Next;
        }
        self.dismiss(id, Notice::TooManyTries, now)
    }

    fn dismiss(&mut self, id: ClientId, why: Notice<'_>, now: Duration) -> Step {
        self.answer(id, why);
        self.depart(id, now);
        Step::Close
    }

    fn newcomer(&mut self, id: ClientId) -> Option<&mut Newcomer> {
        match self.members.get_mut(id) {
            Some(Member::Newcomer(newcomer)) => Some(newcomer),
            _ => None,
        }
    }
}
