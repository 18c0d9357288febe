//! What a server sees of its own connections becomes frames, as it happens.
//!
//! Each connection has a number, and each thing that happens to it a time, the same for all and
//! never going back. The frames come out in strict order of time, so nothing has to wait.
//!
//! A server is told that there is a connection, what it says, and that it ended. The segments,
//! their numbers and what acknowledges them are made up; so is the handshake, which stands just
//! before the first thing that happens, and not where the connection was accepted: a file that
//! ends in between has nothing of a connection of which it would have no word.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use fastrand::Rng;

use super::conversation::Misuse;
use super::{Conversation, Frames, Missed, Mss, Numbers, Path, Side};

/// How far apart the frames of one happening are, in nanoseconds: as little as a file can tell. So
/// they are over before the next happening, which took the server a call of the system.
const STEP_NS: u64 = 1;

/// Sequence numbers begin below this: 2 GiB go by before one wraps to 0, and Wireshark takes an
/// acknowledgement of 0 for a repetition.
const FIRST_SEQUENCE_END: u32 = 1 << 31;

/// Beyond a gap of so many bytes sequence numbers tell nothing: behind it, the connection is opened
/// anew.
const MAX_GAP: u64 = 1 << 30;

/// What can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It was accepted.
    Opened {
        /// Who connected.
        client: SocketAddr,
        /// To where.
        server: SocketAddr,
    },
    /// A side said something; the bytes come along.
    Said(Side),
    /// A side ended its stream; again is nothing new.
    Ended(Side),
    /// A side broke it off; the last word on who did stands. That is told when the server closes
    /// it: until then it may still read what was said before.
    Broke(Side),
    /// The server let go of it, which ends its stream if nothing did before.
    Closed,
}

/// A connection that the server has.
#[derive(Debug)]
struct Talk {
    path: Path,
    /// What the file has of it; none before its first word there.
    told: Option<Conversation>,
    /// An earlier file has a part of it.
    continued: bool,
    /// What the client and the server have said since the last frame, and nobody saw.
    missed: [u64; 2],
    ended: [bool; 2],
    broke: Option<Side>,
}

/// All connections of a server. For each it keeps a few numbers.
#[derive(Debug)]
pub struct Recording {
    talks: BTreeMap<u64, Talk>,
    rng: Rng,
    last_ns: u64,
}

impl Recording {
    /// One without connections. Equal seeds, which stand for what a real stack would draw at
    /// random, and equal happenings give equal frames.
    pub fn new(seed: u64) -> Self {
        Self { talks: BTreeMap::new(), rng: Rng::with_seed(seed), last_ns: 0 }
    }

    /// Whether there are no connections.
    pub fn is_empty(&self) -> bool {
        self.talks.is_empty()
    }

    /// Something happens to the connection of this number, at a time in nanoseconds since 1970.
    /// Nothing that happens to one that is not known means anything.
    ///
    /// # Errors
    ///
    /// When a side says something that has ended its stream.
    pub fn take(
        &mut self,
        number: u64,
        time_ns: u64,
        what: Happening,
        bytes: &[u8],
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        let time_ns = time_ns.max(self.last_ns + 1);
        let (talk, rng) = (self.talks.get_mut(&number), &mut self.rng);
        match (what, talk) {
            (Happening::Opened { client, server }, _) => {
                // The system connects no two families.
                if let Ok(path) = Path::new(client, server, None) {
                    self.talks.insert(number, Talk::new(path));
                }
            }
            (Happening::Said(side), Some(talk)) => {
                talk.tell(rng, time_ns, out)?.say(side, bytes, time_ns, out)?;
            }
            (Happening::Ended(side), Some(talk)) => talk.end(side, rng, time_ns, out)?,
            (Happening::Broke(side), Some(talk)) => talk.broke = Some(side),
            (Happening::Closed, Some(talk)) => {
                talk.close(rng, time_ns, out)?;
                self.talks.remove(&number);
            }
            (_, None) => {}
        }
        self.last_ns = out.last_ns().unwrap_or(self.last_ns).max(self.last_ns);
        Ok(())
    }

    /// A gap ends in which this happened to a connection. Its ends are told now; the bytes that are
    /// missing are told with its next frame.
    ///
    /// # Errors
    ///
    /// When a side has said something that had ended its stream before.
    pub fn miss(
        &mut self,
        number: u64,
        time_ns: u64,
        missed: &Missed,
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        if let Some([client, server]) = missed.opened {
            self.take(number, time_ns, Happening::Opened { client, server }, b"", out)?;
        }
        let Some(talk) = self.talks.get_mut(&number) else { return Ok(()) };
        for (all, bytes) in talk.missed.iter_mut().zip(missed.bytes) {
            *all = all.saturating_add(bytes);
        }
        for side in Side::BOTH {
            if missed.ended[side.index()] {
                self.take(number, time_ns, Happening::Ended(side), b"", out)?;
            }
        }
        if let Some(side) = missed.broke {
            self.take(number, time_ns, Happening::Broke(side), b"", out)?;
        }
        if missed.closed {
            self.take(number, time_ns, Happening::Closed, b"", out)?;
        }
        Ok(())
    }

    /// From here on times may be earlier than they were, as in a file of its own: the clock was set
    /// back.
    pub fn set_back(&mut self) {
        self.last_ns = 0;
    }

    /// The file ends, and another begins: what is open is finished in this one, and opened in the
    /// next with the next thing that is said.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub fn turn_page(&mut self, out: &mut Frames) -> Result<(), Misuse> {
        for talk in self.talks.values_mut() {
            talk.leave_out(out)?;
            if let Some(mut conversation) = talk.told.take() {
                conversation.finish(Side::Server, self.last_ns + 1, out)?;
                talk.continued = true;
            }
            self.last_ns = out.last_ns().unwrap_or(self.last_ns).max(self.last_ns);
        }
        Ok(())
    }

    /// The server ends, and its system closes what is still open.
    ///
    /// # Errors
    ///
    /// None that can happen.
    pub fn finish(&mut self, out: &mut Frames) -> Result<(), Misuse> {
        while let Some((&number, _)) = self.talks.first_key_value() {
            self.take(number, self.last_ns, Happening::Closed, b"", out)?;
        }
        Ok(())
    }
}

impl Talk {
    fn new(path: Path) -> Self {
        let (missed, ended) = ([0; 2], [false; 2]);
        Self { path, told: None, continued: false, missed, ended, broke: None }
    }

    /// The conversation in this file. Where it is not open yet it is opened, and who has ended a
    /// stream in an earlier file does so again.
    fn tell(
        &mut self,
        rng: &mut Rng,
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<&mut Conversation, Misuse> {
        if self.missed.iter().any(|bytes| *bytes >= MAX_GAP) {
            self.told = None;
        }
        if self.told.is_none() {
            let numbers = Numbers {
                sequence: [rng.u32(..FIRST_SEQUENCE_END), rng.u32(..FIRST_SEQUENCE_END)],
                id: [rng.u16(..), rng.u16(..)],
            };
            let conversation = Conversation::new(self.path, numbers, Mss::usual(&self.path));
            let mut conversation = conversation.with_step(STEP_NS);
            conversation.open(time_ns, out)?;
            self.told = Some(conversation);
            self.leave_out(out)?;
            for side in Side::BOTH {
                if let Some(conversation) = self.told.as_mut().filter(|_| self.ended[side.index()])
                {
                    conversation.close(side, time_ns, out)?;
                }
            }
        }
        self.leave_out(out)?;
        self.told.as_mut().ok_or(Misuse::NotOpen)
    }

    /// What nobody saw is left out of the file where it has the connection open.
    fn leave_out(&mut self, out: &mut Frames) -> Result<(), Misuse> {
        if let Some(conversation) = &mut self.told
            && conversation.is_open()
            && self.missed != [0; 2]
        {
            conversation.miss(std::mem::take(&mut self.missed), out)?;
        }
        Ok(())
    }

    /// Whether only an earlier file has it: how it ends there is told already.
    fn is_asleep(&self) -> bool {
        self.told.is_none() && self.continued
    }

    fn end(
        &mut self,
        side: Side,
        rng: &mut Rng,
        time_ns: u64,
        out: &mut Frames,
    ) -> Result<(), Misuse> {
        if !self.ended[side.index()] && !self.is_asleep() {
            self.tell(rng, time_ns, out)?.close(side, time_ns, out)?;
        }
        self.ended[side.index()] = true;
        Ok(())
    }

    fn close(&mut self, rng: &mut Rng, time_ns: u64, out: &mut Frames) -> Result<(), Misuse> {
        let Some(side) = self.broke else { return self.end(Side::Server, rng, time_ns, out) };
        if self.is_asleep() {
            return Ok(());
        }
        let conversation = self.tell(rng, time_ns, out)?;
        if conversation.is_open() { conversation.reset(side, time_ns, out) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
