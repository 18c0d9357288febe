//! Messages become the frames of their conversations.

use std::collections::HashMap;

use fastrand::Rng;
use hubbub::capture::conversation::OPENING_NS;
use hubbub::capture::{Conversation, Exchange, Frame, Frames, Mss, Numbers, Side};

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
pub struct Style {
    /// The largest payload of a segment.
    pub mss: Option<Mss>,
    /// Nothing is added to a text.
    pub verbatim: bool,
    /// Where the numbers come from that a real stack would draw.
    pub seed: u64,
    /// What is added to all times, in nanoseconds.
    pub shift_ns: u64,
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The handshake, which comes before the first message.
    Opening,
    /// The message, and what acknowledges it.
    Message,
    /// The close, which comes behind the last message.
    Closing,
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

/// All conversations of a plan, as their messages come.
#[derive(Debug)]
pub struct Talks<'a> {
    routes: &'a [Route],
    style: Style,
    live: HashMap<TalkId, Box<Live>>,
    frames: Frames,
    filler: Vec<u8>,
    /// What was added to texts.
    pub added: Added,
    /// Conversations of TCP in which nothing is said.
    pub silent: u64,
}

impl<'a> Talks<'a> {
    /// Nothing was said so far.
    pub fn new(resolved: &'a Resolved, style: Style) -> Self {
        Self {
            routes: &resolved.routes,
            style,
            live: HashMap::new(),
            frames: Frames::default(),
            filler: Vec::new(),
            added: Added::default(),
            silent: 0,
        }
    }

    /// When a message is on the wire, in nanoseconds.
    pub fn time_ns(&self, message: &Spooled<'_>) -> u64 {
        message.time_ns + self.style.shift_ns
    }

    /// A message, none earlier in its conversation than the one before it; `take` is given each
    /// frame that comes of it. What a conversation sends does not depend on the others.
    ///
    /// # Errors
    ///
    /// When something does not fit a packet.
    pub fn add(
        &mut self,
        message: &Spooled<'_>,
        take: &mut dyn FnMut(Step, &Frame<'_>),
    ) -> anyhow::Result<()> {
        let id = message.place.talk;
        let Some(route) = self.routes.get(id as usize) else { return Ok(()) };
        let time_ns = self.time_ns(message);
        let mut live = match self.live.remove(&id) {
            Some(live) => live,
            None => Box::new(self.begin(id, route, time_ns)?),
        };
        self.give(Step::Opening, take);
        self.say(&mut live, route.side(message.place.end), message, time_ns)?;
        self.give(Step::Message, take);
        live.rows_left -= 1;
        if live.rows_left > 0 {
            self.live.insert(id, live);
        } else if let Talk::Tcp(mut talk) = live.talk {
            talk.finish(Side::Client, time_ns + CLOSING_NS, &mut self.frames)?;
            self.give(Step::Closing, take);
        }
        Ok(())
    }

    fn give(&mut self, step: Step, take: &mut dyn FnMut(Step, &Frame<'_>)) {
        self.frames.iter().for_each(|frame| take(step, &frame));
        self.frames.clear();
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
                let mss = self.style.mss.unwrap_or_else(|| Mss::usual(&route.path));
                let mut talk = Conversation::new(route.path, numbers, mss);
                if route.has_data {
                    talk.open(time_ns.saturating_sub(OPENING_NS), &mut self.frames)?;
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
}
