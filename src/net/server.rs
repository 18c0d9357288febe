//! The loop: one turn after another, each in the same five steps.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::accept::Acceptor;
use super::address::Addresses;
use super::connection::{Connection, Death, Held, Leave, Phase, Wait};
use super::deadlines::GAP;
use super::input::BUFFER_BEYOND_LINE;
use super::logs;
use super::platform::{Event, Platform, Readiness};
use super::pool::InputPool;
use super::slots::Slots;
use super::timers::Timers;
use crate::chat::{self, Chat, FloodLimit, FloodLimits};
use crate::config::Settings;
use crate::metrics::Counters;
use crate::outbound::{self, ClientId, NoMemory, Outbound};
use crate::wire::Telnet;

/// How long a turn takes input before it writes what is due. Whoever is left has its turn in the
/// next one, before those who come behind it.
const INPUT_TIME: Duration = Duration::from_millis(5);

/// How many clients that talk as fast as they may are heard at length from one address: more than
/// people of a school or an office behind one address ever do.
const CLIENTS_PER_ADDRESS: u32 = 20;

/// How many log-ins a second one address has: as many as a client may say lines, since each is a
/// line to everyone. A class that comes at once is within the burst.
const LOGIN_RATE: u32 = 50;

/// How many seconds' worth of what is limited for an address, or for all, is let through at once.
const BURST_SECONDS: u32 = 4;

/// A server: one chat, and the connections of those in it.
///
/// It owns every piece of state; everything else names connections by their id.
pub struct Server<P: Platform> {
    pub(super) platform: P,
    pub(super) settings: Settings,
    pub(super) chat: Chat,
    pub(super) connections: Slots<Connection<P::Socket>>,
    pub(super) acceptor: Acceptor,
    pub(super) addresses: Addresses,
    pub(super) pool: InputPool,
    /// The time at which this turn began.
    pub(super) now: Duration,
    /// Who has input and waits for nothing. Everyone stands here at most once.
    pub(super) ready: VecDeque<ClientId>,
    /// Whose next line is a broadcast that has to wait.
    pub(super) held: VecDeque<Held>,
    /// Who dies at the end of this turn. Everyone stands here at most once.
    pub(super) dead: Vec<(ClientId, Death)>,
    /// The state of those connections that have sent something of Telnet.
    pub(super) telnets: HashMap<ClientId, Telnet>,
    /// Where everyone's bytes are read to.
    pub(super) buffer: Box<[u8]>,
    events: Vec<Event>,
    pub(super) timers: Timers,
    pub(super) stop: Option<Stop>,
}

/// The server is on its way out.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) deadline: Duration,
    forced: bool,
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Asked to stop, it wrote what it could in the time that it had.
    Drained,
    /// Asked twice, it stopped at once.
    Forced,
}

impl Exit {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Drained => 0,
            // What a shell reports of a process that an interrupt has ended.
            Self::Forced => 130,
        }
    }
}

impl<P: Platform> Server<P> {
    /// A server for at most `max_clients` on as many listeners as the platform has.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]: the system does not give the memory for the log.
    pub fn new(
        platform: P,
        settings: Settings,
        listeners: usize,
        max_clients: usize,
    ) -> Result<Self, NoMemory> {
        let now = platform.now();
        let outbound = Outbound::new(outbound_limits(&settings))?;
        let chat = Chat::new(chat_limits(&settings), outbound);
        let buffer = vec![0; settings.max_line + BUFFER_BEYOND_LINE].into_boxed_slice();
        Ok(Self {
            platform,
            chat,
            connections: Slots::new(),
            acceptor: Acceptor::new(listeners, max_clients),
            addresses: Addresses::new(settings.max_per_address, settings.max_pending),
            pool: InputPool::new(settings.input_bytes, max_clients),
            settings,
            now,
            ready: VecDeque::new(),
            held: VecDeque::new(),
            dead: Vec::new(),
            telnets: HashMap::new(),
            buffer,
            events: Vec::new(),
            timers: Timers::default(),
            stop: None,
        })
    }

    /// The world that this server lives in.
    pub fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// What happens in it.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// How many connections there are, those on their way out included.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        let mut counters = self.chat.counters;
        self.platform.count(&mut counters);
        counters
    }

    /// Turns until somebody asks the server to stop and everything is written.
    ///
    /// # Errors
    ///
    /// Those of the system's poll: the server cannot go on.
    pub fn run(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.turn()? {
                logs::report("stopped", self.chat.online(), self.counters());
                return Ok(exit);
            }
        }
    }

    /// One turn. Its cost is bounded by what is ready, never by who is merely here.
    ///
    /// # Errors
    ///
    /// Those of the system's poll: the server cannot go on.
    pub fn turn(&mut self) -> io::Result<Option<Exit>> {
        let asked = self.platform.now();
        let timeout = self.timeout(asked);
        let mut events = std::mem::take(&mut self.events);
        match self.platform.poll(timeout, &mut events) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => self.begin_turn(asked, timeout),
        }
        events.drain(..).for_each(|event| self.handle_event(event));
        self.events = events;
        self.accept();
        self.serve();
        self.handle_deadlines();
        self.flush();
        self.reap();
        Ok(self.exit())
    }

    /// For how long there is nothing to do. Zero only while there is something that can be done.
    fn timeout(&self, now: Duration) -> Option<Duration> {
        let runnable = !self.ready.is_empty()
            || self.chat.outbound.has_work()
            || self.pool.can_wake()
            || (!self.held.is_empty() && self.chat.outbound.has_room(false))
            || self.acceptor.is_runnable(self.connections.len());
        if runnable {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.timers.next(),
            self.acceptor.retry_at(),
            self.chat.news_deadline(),
            self.chat.outbound.backpressure_deadline(),
            self.stop.as_ref().map(|stop| stop.deadline),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        // No longer than what counts as a gap, so that time in which the server is stopped is seen.
        Some(next.saturating_sub(now).min(GAP))
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Acceptable(listener) => self.acceptor.handle_acceptable(listener),
            Event::Ready(id, readiness) => self.handle_ready(id, readiness),
            Event::Report => logs::report("counters", self.chat.online(), self.counters()),
            Event::Reload => info!("SIGHUP changes nothing: settings are read at the start only"),
            Event::Stop => self.handle_stop(),
        }
    }

    fn handle_ready(&mut self, id: ClientId, readiness: Readiness) {
        let now = self.now;
        let Some(connection) = self.connection(id) else { return };
        connection.readable |= readiness.readable || readiness.is_over();
        connection.read_closed |= readiness.read_closed;
        connection.urgent |= readiness.urgent;
        connection.over |= readiness.is_over();
        let waits = connection.wait != Wait::None || connection.phase == Phase::Draining;
        if readiness.is_over() && waits {
            // It will not be read for a while, so this is the time to learn that it is over. One
            // that waits for nothing is read to its end first: the system keeps those bytes.
            return self.doom(id, Death::Failed);
        }
        if readiness.writable {
            self.chat.outbound.handle_writable(id, now);
        }
        if readiness.read_closed {
            self.resume(id, Wait::Input);
        }
        self.enqueue(id);
    }

    fn serve(&mut self) {
        self.handle_backpressure();
        let ready = self.ready.len();
        self.release();
        for _ in 0..ready {
            let Some(id) = self.ready.pop_front() else { break };
            let Some(connection) = self.connection(id) else { continue };
            connection.queued = false;
            match connection.phase {
                Phase::Open => self.read(id),
                Phase::Draining => {}
                Phase::Lingering => self.discard(id),
            }
            if self.has_taken(INPUT_TIME) {
                break;
            }
        }
    }

    /// Whether this turn has lasted so long already.
    fn has_taken(&self, time: Duration) -> bool {
        self.platform.now() >= self.now + time
    }

    fn handle_backpressure(&mut self) {
        let was_holding = self.chat.outbound.is_holding();
        for id in self.chat.outbound.handle_backpressure(self.now) {
            if self.is_too_slow(id) {
                self.doom(id, Death::TooSlow);
            }
        }
        if self.chat.outbound.is_holding() && !was_holding {
            self.chat.counters.holds += 1;
            debug!("readers are behind: broadcasts wait for them");
        }
    }

    /// Lets those go on for whom there is room now. Those who were held have their turn at once,
    /// in the order in which they came: behind whoever had its turn just before, they would find
    /// the room taken again, and wait for ever. Each gets an equal part of the room, in bytes,
    /// however long its lines are. Whoever there is no room for is not even looked at. Half of the
    /// time for input is left to those who were not held.
    fn release(&mut self) {
        for talkers in (1..=self.held.len()).rev() {
            self.chat.outbound.begin_share(talkers);
            if !self.chat.outbound.has_room(false) || self.has_taken(INPUT_TIME / 2) {
                break;
            }
            let Some(Held { id, since }) = self.held.pop_front() else { break };
            self.chat.handle_held(id, self.now.saturating_sub(since));
            if let Some(connection) = self.connection(id)
                && connection.wait == Wait::Room
            {
                connection.wait = Wait::None;
                self.read(id);
            }
            self.arm_login(id);
        }
        self.chat.outbound.end_share();
        if self.pool.can_wake() {
            for id in std::mem::take(&mut self.pool.waiters) {
                self.resume(id, Wait::Input);
            }
        }
    }

    fn handle_stop(&mut self) {
        if let Some(stop) = &mut self.stop {
            stop.forced = true;
            return;
        }
        info!(online = self.chat.online(), "stopping");
        let deadline = self.now + self.settings.shutdown_grace;
        self.stop = Some(Stop { deadline, forced: false });
        self.platform.stop_listening();
        self.acceptor.stop();
        self.chat.handle_shutdown();
        let open: Vec<ClientId> = self.ids().collect();
        for id in open {
            self.close(id, Leave::Shutdown);
        }
    }

    fn exit(&self) -> Option<Exit> {
        let stop = self.stop.as_ref()?;
        if stop.forced {
            return Some(Exit::Forced);
        }
        if !self.connections.is_empty() && self.now < stop.deadline {
            return None;
        }
        if !self.connections.is_empty() {
            warn!(connections = self.connections.len(), "the grace is over");
        }
        Some(Exit::Drained)
    }

    /// A connection that lives; `None` when it has gone, even if its slot is taken again.
    pub(super) fn connection(&mut self, id: ClientId) -> Option<&mut Connection<P::Socket>> {
        self.connections.get_mut(id).filter(|connection| !connection.doomed)
    }

    fn ids(&self) -> impl Iterator<Item = ClientId> {
        self.connections.ids()
    }
}

fn chat_limits(settings: &Settings) -> chat::Limits {
    chat::Limits {
        max_line: settings.max_line,
        list_bytes: settings.list_bytes,
        login_timeout: settings.login_timeout,
        flood: flood_limits(settings),
        announce_up_to: settings.announce_up_to,
        announce: FloodLimit {
            rate: settings.announce_rate,
            burst: BURST_SECONDS.saturating_mul(settings.announce_rate),
        },
    }
}

/// What is not said follows from what is: without a flood limit there is none for addresses.
fn flood_limits(settings: &Settings) -> FloodLimits {
    let client = FloodLimit { rate: settings.flood_rate, burst: settings.flood_burst };
    let address = settings.flood_address_rate;
    let address = address.unwrap_or(CLIENTS_PER_ADDRESS.saturating_mul(client.rate));
    let logins = settings.login_rate;
    let logins = logins.unwrap_or(if client.rate == 0 { 0 } else { LOGIN_RATE });
    FloodLimits {
        client,
        address: FloodLimit {
            rate: address,
            burst: BURST_SECONDS.saturating_mul(address).max(client.burst),
        },
        logins: FloodLimit { rate: logins, burst: BURST_SECONDS.saturating_mul(logins) },
    }
}

fn outbound_limits(settings: &Settings) -> outbound::Limits {
    outbound::Limits {
        log_bytes: settings.log_bytes,
        mailbox_bytes: settings.mailbox_bytes,
        mailbox_total: settings.mailbox_total,
        out_budget: settings.out_budget,
        flush_slice: settings.flush_slice,
        stall_timeout: settings.stall_timeout,
        min_rate: settings.min_rate,
    }
}
