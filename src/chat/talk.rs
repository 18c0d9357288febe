//! Talk: the commands of those who are present.

use std::time::Duration;

use super::admission::cost;
use super::member::Member;
use super::{Chat, Step};
use crate::outbound::{ClientId, MailError};
use crate::wire::text::{clean, quote};
use crate::wire::{Command, Frame, Malformed, Notice, Reply};

/// What a `list` answer needs beside the names, in bytes, at most.
const LIST_FRAME: usize = 128;

/// A `list` answer costs a token for each so many bytes.
const LIST_BYTES_PER_TOKEN: u64 = 1024;

/// What a line that is too long costs is what the longest line would.
fn line_cost(frame: Frame<'_>, max_line: usize) -> u64 {
    match frame {
        Frame::Line(line) => cost(line.len()),
        Frame::TooLong | Frame::Foreign(_) => cost(max_line),
    }
}

impl Chat {
    /// A client sent a frame.
    pub fn handle_frame(&mut self, id: ClientId, frame: Frame<'_>, now: Duration) -> Step {
        let present = match self.members.get_mut(id) {
            Some(Member::Present(present)) => present,
            Some(Member::Newcomer(_)) => return self.log_in(id, frame, now),
            Some(Member::Departed(_)) | None => return Step::Close,
        };
        let source = present.source;
        if let Err(later) = self.admission.check(&mut present.bucket, source, now) {
            return Step::Wait(later);
        }
        if self.outbound.is_clogged(id) {
            return Step::Clogged;
        }
        let parsed = match frame {
            Frame::Line(line) => Some(Command::parse(line)),
            Frame::TooLong | Frame::Foreign(_) => None,
        };
        if matches!(parsed, Some(Ok(Command::All { .. })))
            && !self.outbound.has_room(false)
            && !(self.admission.is_rested(present.bucket, now) && self.outbound.has_room(true))
        {
            return Step::Hold;
        }
        if !matches!(parsed, Some(Ok(Command::Empty))) || !present.bucket.take_free_line(now) {
            let tokens = line_cost(frame, self.limits.max_line);
            self.admission.charge(&mut present.bucket, source, tokens, now);
        }
        self.counters.lines += 1;
        match parsed {
            // Here, because the member is at hand: this is what happens most.
            Some(Ok(Command::All { text })) => {
                let reply = Reply::Broadcast { from: present.name.as_str(), text: &clean(text) };
                self.outbound.broadcast(&reply.parts(&mut self.scratch));
                self.counters.broadcasts += 1;
            }
            Some(Ok(command)) => return self.obey(id, command, now),
            Some(Err(Malformed::NotUtf8)) => self.answer(id, Notice::NotUtf8),
            Some(Err(Malformed::Private)) => self.answer(id, Notice::PrivateFormat),
            Some(Err(Malformed::All)) => self.answer(id, Notice::AllFormat),
            Some(Err(Malformed::Quit)) => self.answer(id, Notice::QuitFormat),
            Some(Err(Malformed::Unknown(line))) => self.answer(id, Notice::Unknown(&quote(line))),
            None => self.answer(id, Notice::TooLong(self.limits.max_line as u64)),
        }
        Step::Next
    }

    fn obey(&mut self, id: ClientId, command: Command<'_>, now: Duration) -> Step {
        match command {
            // It was said where its sender was at hand.
            Command::All { .. } | Command::Empty => {}
            Command::Private { to, text } => self.whisper(id, to, text),
            Command::List { prefix } => self.list(id, prefix, now),
            Command::Help => self.answer(id, Notice::Help),
            Command::Quit => {
                self.depart(id, now);
                return Step::Close;
            }
        }
        Step::Next
    }

    fn whisper(&mut self, id: ClientId, to: &str, text: &str) {
        let receiver = self.directory.find(to);
        let (Some(receiver), Some(Member::Present(sender))) = (receiver, self.members.get(id))
        else {
            return self.answer(id, Notice::NotFound(&quote(to)));
        };
        let reply = Reply::Private { from: sender.name.as_str(), text: &clean(text) };
        match self.outbound.mail(receiver, &reply.parts(&mut self.scratch)) {
            Ok(()) => self.counters.private_messages += 1,
            Err(MailError::Full | MailError::Gone) => {
                self.counters.undelivered += 1;
                self.answer(id, Notice::Undelivered(&quote(to)));
            }
        }
    }

    fn list(&mut self, id: ClientId, prefix: &str, now: Duration) {
        let room = self.limits.list_bytes.saturating_sub(LIST_FRAME);
        let (count, holders) = self.directory.beginning_with(prefix);
        let (count, mut told, mut names) = (count as u64, 0_u64, String::new());
        for holder in holders {
            let Some(Member::Present(present)) = self.members.get(holder) else { continue };
            let name = present.name.as_str();
            if names.len() + name.len() + ", ".len() > room {
                break;
            }
            if told > 0 {
                names.push_str(", ");
            }
            names.push_str(name);
            told += 1;
        }
        if let Some(Member::Present(present)) = self.members.get_mut(id) {
            let tokens = names.len() as u64 / LIST_BYTES_PER_TOKEN;
            self.admission.charge(&mut present.bucket, present.source, tokens, now);
        }
        if count == 0 {
            return self.answer(id, Notice::NoMatch(&quote(prefix)));
        }
        self.answer(id, Notice::Online { count, names: &names, more: count - told });
    }
}
