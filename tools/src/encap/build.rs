//! Messages in order become packets in order.

use std::io::Write;

use anyhow::Context;
use hubbub::capture::conversation::OPENING_NS;
use hubbub::capture::{Frame, Timeline, Writer};

use super::plan::Resolved;
use super::speech::Added;
use super::spool::Spooled;
use super::talks::{Step, Talks};

pub use super::talks::Style;

/// Packets as the messages come.
#[derive(Debug)]
pub struct Builder<'a, W: Write> {
    talks: Talks<'a>,
    /// The name of the file, where each message has a comment with its line.
    comments: Option<&'a str>,
    timeline: Timeline,
    writer: Writer<W>,
}

impl<'a, W: Write> Builder<'a, W> {
    /// None so far. With `comments`, each message has one that names its line in this file.
    pub fn new(
        resolved: &'a Resolved,
        style: Style,
        comments: Option<&'a str>,
        writer: Writer<W>,
    ) -> Self {
        let talks = Talks::new(resolved, style);
        Self { talks, comments, timeline: Timeline::default(), writer }
    }

    /// A message, none earlier than the one before it.
    ///
    /// # Errors
    ///
    /// When a packet cannot be written.
    pub fn add(&mut self, message: &Spooled<'_>) -> anyhow::Result<()> {
        self.write_before(self.talks.time_ns(message).saturating_sub(OPENING_NS))?;
        let mut comment = self.comments.map(|file| format!("{file}, line {}", message.line));
        let timeline = &mut self.timeline;
        self.talks.add(message, &mut |step, frame| {
            // Only the first with data of a message has it.
            let has_comment = step == Step::Message && frame.is_data;
            timeline.push(frame, if has_comment { comment.take() } else { None });
        })
    }

    /// The file, when there are no more messages.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> anyhow::Result<(W, u64, Added, u64)> {
        self.write_before(u64::MAX)?;
        let packets = self.writer.packets();
        let out = self.writer.finish().context(WRITING)?;
        Ok((out, packets, self.talks.added, self.talks.silent))
    }

    fn write_before(&mut self, time_ns: u64) -> anyhow::Result<()> {
        while let Some(waiting) = self.timeline.next_before(time_ns) {
            let (time_ns, from) = (waiting.time_ns, waiting.from);
            let frame =
                Frame { time_ns, from, is_data: false, missed: [0; 2], bytes: &waiting.bytes };
            self.writer.write(&frame, waiting.comment.as_deref()).context(WRITING)?;
        }
        Ok(())
    }
}

/// What fails when a packet cannot be written.
pub const WRITING: &str = "cannot write the packets";
