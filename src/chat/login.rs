//! Login: a newcomer's lines are tries at a name.

use std::time::Duration;

use super::member::Member;
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
        let line = match frame {
            Frame::Line(line) if is_blank(line) => return self.pass_over(id, now),
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
        let one_by_one = self.directory.len() < self.limits.announce_up_to;
        if one_by_one && !self.outbound.has_room(true) {
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
    fn pass_over(&mut self, id: ClientId, now: Duration) -> Step {
        let Some(Member::Newcomer { bucket, .. }) = self.members.get_mut(id) else {
            return Step::Close;
        };
        if let Err(later) = bucket.check(self.limits.flood, now) {
            return Step::Wait(later);
        }
        bucket.charge(1, self.limits.flood, now);
        Step::Next
    }

    fn speaks_first_time(&mut self, id: ClientId) -> bool {
        match self.members.get_mut(id) {
            Some(Member::Newcomer { spoken, .. }) => !std::mem::replace(spoken, true),
            _ => false,
        }
    }

    fn refuse_taken(&mut self, id: ClientId, holder: ClientId, now: Duration) -> Step {
        let Some(Member::Present(present)) = self.members.get_mut(holder) else {
            return Step::Next;
        };
        let name = present.name.clone();
        if now >= Duration::from_millis(present.told_wanted_until_ms) {
            let again = now + TELL_WANTED_EVERY;
            present.told_wanted_until_ms = u64::try_from(again.as_millis()).unwrap_or(u64::MAX);
            self.answer(holder, Notice::NameWanted);
        }
        self.refuse(id, Notice::NameTaken(name.as_str()), now)
    }

    /// Counts a failed try.
    fn refuse(&mut self, id: ClientId, why: Notice<'_>, now: Duration) -> Step {
        self.answer(id, why);
        let Some(Member::Newcomer { tries, .. }) = self.members.get_mut(id) else {
            return Step::Close;
        };
        *tries += 1;
        if *tries < MAX_TRIES {
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
}
