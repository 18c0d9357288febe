//! The crowd: all clients of a load, on one readiness loop.
//!
//! A turn is a poll, one read for everyone who has something to read, one write for every talker
//! that may talk, and some new connections. Nothing in it costs more because more are merely here.

mod dial;
mod traffic;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use anyhow::bail;
use indicatif::ProgressBar;
use mio::{Events, Poll, Token};

use super::check::{Check, Tally};
use super::client::{Client, State};
use super::clock::Clock;
use super::dialect::Dialect;
use super::plan::{Length, Plan};
use super::process::Process;
use super::talker::Talker;
use dial::Dialer;

/// How many events one poll takes.
const EVENTS_PER_POLL: usize = 1024;

/// Where everyone's bytes are read to. No line is longer. A larger one would have everyone read
/// less often: more than a second apart in a storm, which is not what the readers of a chat do.
const READ_BYTES: usize = 64 << 10;

/// How long nothing may arrive while something is due.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a poll waits at most: so often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// How often to look whether something is so that nobody tells.
const GLANCE: Duration = Duration::from_millis(1);

/// All clients of a load.
pub(super) struct Crowd<'a> {
    plan: &'a Plan,
    dialect: Dialect,
    poll: Poll,
    events: Events,
    clock: Clock,
    /// The time at which this turn began, in nanoseconds.
    now_ns: u64,
    /// When something was last heard.
    heard_ns: u64,
    clients: Vec<Client>,
    /// The first of the clients.
    talkers: Vec<Talker>,
    dialer: Dialer,
    /// Who has something to read. Everyone stands here at most once.
    ready: VecDeque<u32>,
    /// Who can send. Everyone stands here at most once.
    eager: VecDeque<u32>,
    check: Check,
    pub(super) tally: Tally,
    /// Deliveries that are due for what was sent.
    due: u64,
    /// Talkers that never wait have filled all buffers on the way at least once.
    is_full: bool,
    buffer: Box<[u8]>,
    scratch: Vec<u8>,
    bar: ProgressBar,
    drawn_ns: u64,
}

impl<'a> Crowd<'a> {
    /// Nobody is connected yet.
    ///
    /// # Errors
    ///
    /// Those of the system's poll.
    pub(super) fn new(plan: &'a Plan, process: &Process, bar: ProgressBar) -> anyhow::Result<Self> {
        let dialect = process.dialect;
        // The floor decides itself who are a pair.
        let partner = |index| plan.partner(index).filter(|_| dialect == Dialect::Hubbub);
        let talker =
            |index| Talker::new(index, plan.partner(index), dialect, plan.size, plan.window);
        Ok(Self {
            plan,
            dialect,
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_POLL),
            clock: Clock::start(),
            now_ns: 0,
            heard_ns: 0,
            clients: (0..plan.clients()).map(|_| Client::new()).collect(),
            talkers: (0..plan.talkers()).map(talker).collect(),
            dialer: Dialer::new(process.address, plan),
            ready: VecDeque::new(),
            eager: VecDeque::new(),
            check: Check::new(dialect, plan.readers(), (0..plan.talkers()).map(partner)),
            tally: Tally::new()?,
            due: 0,
            is_full: plan.window > 0,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            scratch: Vec::new(),
            bar,
            drawn_ns: 0,
        })
    }

    /// Logs clients in until so many are.
    ///
    /// # Errors
    ///
    /// One of them did not get in.
    pub(super) fn log_in(&mut self, residents: u32) -> anyhow::Result<()> {
        self.bar.set_length(self.plan.residents().into());
        self.bar.set_message("logging in");
        while self.dialer.logged_in < residents {
            self.dial_residents(residents)?;
            self.turn(None)?;
            self.draw(self.dialer.logged_in.into());
            self.lose_patience(|crowd| {
                format!("{} of {residents} are logged in", crowd.dialer.logged_in)
            })?;
        }
        Ok(())
    }

    /// Waits until everyone's coming was told.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        let others = self.plan.residents().saturating_sub(1).into();
        while self.dialect == Dialect::Hubbub && self.tally.joined < others {
            self.turn(None)?;
            self.lose_patience(|crowd| {
                format!("the first client was told of {} of {others} others", crowd.tally.joined)
            })?;
        }
        Ok(())
    }

    /// Lets the talkers talk, and waits until everything has arrived. Returns how long it took.
    /// When talkers never wait, it goes on at least until they have filled all buffers on the way.
    /// What is in these in the end is not waited for; what has arrived by then was in order.
    ///
    /// # Errors
    ///
    /// Something that must not happen; see [`Check`].
    pub(super) fn talk(&mut self, length: Length, what: &'static str) -> anyhow::Result<Duration> {
        let start_ns = self.begin(length, what);
        let (allowance, until_ns) = match length {
            Length::Count(count) => (count, None),
            Length::Time(time) => (u32::MAX, Some(start_ns + nanoseconds(time))),
        };
        for index in 0..self.plan.talkers() {
            self.talkers[index as usize].allow(allowance);
            self.invite(index);
        }
        if let Some(until_ns) = until_ns {
            while self.now_ns < until_ns || !self.is_full {
                self.turn(Some(until_ns))?;
                self.is_full |= self.eager.is_empty();
                self.draw(until_ns.min(self.now_ns) - start_ns);
                self.lose_patience(Self::who_waits)?;
            }
            self.talkers.iter_mut().for_each(|talker| talker.allow(0));
            if self.plan.window == 0 {
                return Ok(Duration::from_nanos(self.now_ns - start_ns));
            }
        }
        while !self.is_quiet() {
            self.turn(None)?;
            self.draw(if until_ns.is_some() { u64::MAX } else { self.tally.messages });
            self.lose_patience(Self::who_waits)?;
        }
        Ok(Duration::from_nanos(self.now_ns - start_ns))
    }

    /// Has clients come and go, and waits until the last has gone. Returns how long it took.
    ///
    /// # Errors
    ///
    /// One of them did not get in, or did not get out.
    pub(super) fn churn(&mut self, length: Length, what: &'static str) -> anyhow::Result<Duration> {
        let start_ns = self.begin(length, what);
        let (limit, until_ns) = match length {
            Length::Count(count) => (count, None),
            Length::Time(time) => (u32::MAX, Some(start_ns + nanoseconds(time))),
        };
        self.dialer.begin_churn(limit);
        for index in self.plan.residents()..self.plan.clients() {
            self.dial_churner(index)?;
        }
        while self.dialer.is_churning() {
            self.turn(until_ns)?;
            if until_ns.is_some_and(|until_ns| self.now_ns >= until_ns) {
                self.dialer.end_churn();
            }
            let gone = self.dialer.gone;
            self.draw(until_ns.map_or(gone.into(), |_| self.now_ns - start_ns));
            self.lose_patience(|crowd| format!("{} came and went", crowd.dialer.gone))?;
        }
        Ok(Duration::from_nanos(self.now_ns - start_ns))
    }

    /// Is here for so long.
    ///
    /// # Errors
    ///
    /// Somebody was thrown out, or read what nobody has said.
    pub(super) fn hold(&mut self, length: Length, what: &'static str) -> anyhow::Result<Duration> {
        let start_ns = self.begin(length, what);
        let Length::Time(time) = length else { return Ok(Duration::ZERO) };
        let until_ns = start_ns + nanoseconds(time);
        while self.now_ns < until_ns {
            self.turn(Some(until_ns))?;
            self.draw(self.now_ns - start_ns);
        }
        Ok(Duration::from_nanos(self.now_ns - start_ns))
    }

    /// Goes on until something is so, or for so long.
    ///
    /// # Errors
    ///
    /// Those of [`hold`](Self::hold).
    pub(super) fn wait(
        &mut self,
        patience: Duration,
        mut is_so: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let until_ns = self.clock.ns() + nanoseconds(patience);
        while !is_so() && self.now_ns < until_ns {
            self.turn(Some(self.now_ns + nanoseconds(GLANCE)))?;
        }
        Ok(())
    }

    /// How many have come and gone since the churn began.
    pub(super) fn gone(&self) -> u32 {
        self.dialer.gone
    }

    /// Starts to count anew.
    fn begin(&mut self, length: Length, what: &'static str) -> u64 {
        self.tally.reset();
        self.due = 0;
        self.dialer.gone = 0;
        self.now_ns = self.clock.ns();
        self.heard_ns = self.now_ns;
        self.bar.set_length(match length {
            Length::Time(time) => nanoseconds(time),
            Length::Count(count) => u64::from(count) * u64::from(self.plan.talkers().max(1)),
        });
        self.bar.set_position(0);
        self.bar.set_message(what);
        self.now_ns
    }

    /// One turn. It ends no later than at this time, or after a tick.
    fn turn(&mut self, until_ns: Option<u64>) -> anyhow::Result<()> {
        let now_ns = self.clock.ns();
        let left = until_ns.map(|until_ns| Duration::from_nanos(until_ns.saturating_sub(now_ns)));
        let is_busy = !self.ready.is_empty() || !self.eager.is_empty();
        let timeout = if is_busy { Duration::ZERO } else { left.unwrap_or(TICK).min(TICK) };
        if let Err(error) = self.poll.poll(&mut self.events, Some(timeout))
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        self.now_ns = self.clock.ns();
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(index) = event.token();
            self.handle_ready(index, event)?;
        }
        self.events = events;
        for _ in 0..self.ready.len() {
            let Some(index) = self.ready.pop_front() else { break };
            self.read(index)?;
        }
        for _ in 0..self.eager.len() {
            let Some(index) = self.eager.pop_front() else { break };
            self.send(index)?;
        }
        Ok(())
    }

    /// Whether everything has arrived that was sent.
    fn is_quiet(&self) -> bool {
        self.eager.is_empty()
            && self.tally.deliveries == self.due
            && !self.talkers.iter().any(|talker| talker.is_eager() || talker.is_torn())
    }

    /// Gives up when nothing was heard for too long.
    fn lose_patience(&self, why: impl FnOnce(&Self) -> String) -> anyhow::Result<()> {
        if Duration::from_nanos(self.now_ns - self.heard_ns) > PATIENCE {
            bail!("nothing has arrived for {} s: {}", PATIENCE.as_secs(), why(self));
        }
        Ok(())
    }

    /// What is missing, for people.
    fn who_waits(&self) -> String {
        let lacking = |&index: &u32| {
            let client = &self.clients[index as usize];
            client.state != State::In || client.read < self.check.end()
        };
        let waiting = (0..self.plan.readers()).filter(lacking).count();
        format!(
            "{} of {} deliveries were made, and {waiting} clients have not read what others have",
            self.tally.deliveries, self.due
        )
    }

    fn draw(&mut self, position: u64) {
        if self.now_ns - self.drawn_ns >= nanoseconds(TICK) {
            self.drawn_ns = self.now_ns;
            self.bar.set_position(position.min(self.bar.length().unwrap_or(position)));
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
