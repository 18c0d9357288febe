//! Messages in order become packets in order.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Context;
use fastrand::Rng;
use hubbub::capture::conversation::OPENING_NS;
use hubbub::capture::{
    Conversation, Exchange, Frame, Frames, Mss, Numbers, Side, Timeline, Writer,
};

use super::message::Transport;
use super::plan::{Resolved, Route, TalkId};
use super::speech::{Added, Speech};
use super::spool::Spooled;

/// How long after its last row a conversation is closed, in nanoseconds.
const CLOSING_NS: u64 = 1_000_000;

/// What stands for bytes that nobody knows, again and again.
const FILLER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// What the user says about how it is done.
#[derive(Clone, Copy, Debug)]
pub struct Style<'a> {
    /// The largest payload of a segment.
    pub mss: Mss,
    /// Nothing is added to a text.
    pub verbatim: bool,
    /// Each message has a comment that names the line of this file.
    pub comments: Option<&'a str>,
    /// Where the numbers come from that a real stack would draw.
    pub seed: u64,
    /// What is added to all times, in nanoseconds.
    pub shift_ns: u64,
}

/// A conversation that has begun and is not over.
#[derive(Debug)]
struct Live {
    talk: Talk,
    rows_left: u64,
    speech: Speech,
}

#[derive(Debug)]
enum Talk {
    Tcp(Conversation),
    Udp(Exchange),
}

/// Packets as the messages come.
#[derive(Debug)]
pub struct Builder<'a, W: Write> {
    routes: &'a [Route],
    style: Style<'a>,
    live: HashMap<TalkId, Box<Live>>,
    frames: Frames,
    timeline: Timeline,
    writer: Writer<W>,
    filler: Vec<u8>,
    /// What was added to texts.
    pub added: Added,
    /// Conversations of TCP in which nothing is said.
    pub silent: u64,
}

impl<'a, W: Write> Builder<'a, W> {
    /// None so far.
    pub fn new(resolved: &'a Resolved, style: Style<'a>, writer: Writer<W>) -> Self {
        Self {
            routes: &resolved.routes,
            style,
            live: HashMap::new(),
            frames: Frames::default(),
            timeline: Timeline::default(),
            writer,
            filler: Vec::new(),
            added: Added::default(),
            silent: 0,
        }
    }

    /// A message, none earlier than the one before it.
    ///
    /// # Errors
    ///
    /// When a packet cannot be written.
    pub fn add(&mut self, message: &Spooled<'_>) -> anyhow::Result<()> {
        let Some(route) = self.routes.get(message.place.talk as usize) else { return Ok(()) };
        let time_ns = message.time_ns + self.style.shift_ns;
        self.write_before(time_ns.saturating_sub(OPENING_NS))?;
        let mut live = match self.live.remove(&message.place.talk) {
            Some(live) => live,
            None => Box::new(self.begin(message.place.talk, route, time_ns)?),
        };
        let side = route.side(message.place.end);
        self.say(&mut live, side, message, time_ns)?;
        live.rows_left -= 1;
        self.collect(message.line);
        if live.rows_left > 0 {
            self.live.insert(message.place.talk, live);
        } else if let Talk::Tcp(mut talk) = live.talk {
            talk.finish(Side::Client, time_ns + CLOSING_NS, &mut self.frames)?;
            self.collect(0);
        }
        Ok(())
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
        Ok((out, packets, self.added, self.silent))
    }

    fn begin(&mut self, id: TalkId, route: &Route, time_ns: u64) -> anyhow::Result<Live> {
        let mut rng = Rng::with_seed(self.style.seed);
        // Each conversation has numbers of its own that do not depend on those before it.
        let mut rng = Rng::with_seed(rng.u64(..) ^ (u64::from(id) << 1));
        // Behind the last number comes 0, and Wireshark takes an acknowledgement of 0 for a
        // repetition.
        let sequence = [rng.u32(..u32::MAX), rng.u32(..u32::MAX)];
        let ids = [rng.u16(..), rng.u16(..)];
        let talk = match route.transport {
            Transport::Udp => Talk::Udp(Exchange::new(route.path, ids)),
            Transport::Tcp => {
                let numbers = Numbers { sequence, id: ids };
                let mut talk = Conversation::new(route.path, numbers, self.style.mss);
                if route.has_data {
                    talk.open(time_ns.saturating_sub(OPENING_NS), &mut self.frames)?;
                    self.collect(0);
                } else {
                    self.silent += 1;
                }
                Talk::Tcp(talk)
            }
        };
        let speech = Speech::new(route.service, route.transport, rng.u16(..));
        Ok(Live { talk, rows_left: route.rows, speech })
    }

    fn say(
        &mut self,
        live: &mut Live,
        side: Side,
        message: &Spooled<'_>,
        time_ns: u64,
    ) -> anyhow::Result<()> {
        let text = match message.filler {
            Some(length) => {
                self.filler.clear();
                self.filler.extend(FILLER.iter().cycle().take(length as usize));
                self.filler.as_slice().into()
            }
            None if self.style.verbatim => message.text.into(),
            None => live.speech.say(side, message.text, &mut self.added),
        };
        match &mut live.talk {
            Talk::Tcp(talk) if talk.is_open() => {
                talk.say(side, &text, time_ns, &mut self.frames)?;
            }
            Talk::Tcp(_) => {}
            Talk::Udp(talk) => {
                talk.say(side, &text, time_ns, &mut self.frames)?;
            }
        }
        Ok(())
    }

    /// Lets the frames of one step wait for their turn. The first with data of a line has a
    /// comment, if there are to be any.
    fn collect(&mut self, line: u64) {
        let mut comment =
            self.style.comments.filter(|_| line > 0).map(|file| format!("{file}, line {line}"));
        for frame in self.frames.iter() {
            let comment = if frame.is_data { comment.take() } else { None };
            self.timeline.push(&frame, comment);
        }
        self.frames.clear();
    }

    fn write_before(&mut self, time_ns: u64) -> anyhow::Result<()> {
        while let Some(waiting) = self.timeline.next_before(time_ns) {
            let (time_ns, from) = (waiting.time_ns, waiting.from);
            let frame = Frame { time_ns, from, is_data: false, bytes: &waiting.bytes };
            self.writer.write(&frame, waiting.comment.as_deref()).context(WRITING)?;
        }
        Ok(())
    }
}

/// What fails when a packet cannot be written.
pub const WRITING: &str = "cannot write the packets";
