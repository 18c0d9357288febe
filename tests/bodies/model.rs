//! The reference chat: what everyone has to hear, said plainly, without a log, a cursor or a
//! mailbox. It knows names and commands from the library, since those have references of their own.

use std::fmt::Write;
use std::time::Duration;

use hubbub::name::{Name, is_blank};
use hubbub::wire::text::{clean, quote};
use hubbub::wire::{Command, Foreign, Malformed, Notice, Reply};

/// Somebody who connected once.
#[derive(Clone, Debug)]
pub struct Person {
    pub state: State,
    /// Everything that it has to hear, in order.
    pub hears: String,
    tries: u8,
    spoken: bool,
    deadline: Duration,
    told_wanted_until: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Newcomer,
    Present(Name),
    Gone,
}

/// So many comings and goings at once are told by name, and one more for each time like this.
const MAX_TOLD_BY_NAME: u32 = 20;
const TELL_BY_NAME_EVERY: Duration = Duration::from_millis(200);

/// Everyone, and what is not yet told of who came and went.
#[derive(Clone, Debug)]
pub struct Model {
    pub people: Vec<Person>,
    announce_up_to: usize,
    login_timeout: Duration,
    came: u64,
    went: u64,
    summary_at: Option<Duration>,
    /// How many comings and goings can be told by name, since this time.
    by_name: (u32, Duration),
}

impl Model {
    pub fn new(announce_up_to: usize, login_timeout: Duration) -> Self {
        Self {
            people: Vec::new(),
            announce_up_to,
            login_timeout,
            came: 0,
            went: 0,
            summary_at: None,
            by_name: (MAX_TOLD_BY_NAME, Duration::ZERO),
        }
    }

    pub fn online(&self) -> usize {
        self.present().count()
    }

    fn present(&self) -> impl Iterator<Item = (usize, &Name)> {
        self.people.iter().enumerate().filter_map(|(who, person)| match &person.state {
            State::Present(name) => Some((who, name)),
            _ => None,
        })
    }

    pub fn connect(&mut self, now: Duration) {
        self.people.push(Person {
            state: State::Newcomer,
            hears: String::new(),
            tries: 0,
            spoken: false,
            deadline: now + self.login_timeout,
            told_wanted_until: Duration::ZERO,
        });
        self.tell(self.people.len() - 1, Notice::EnterName);
    }

    /// A whole line; `None` for one over the limit.
    pub fn line(&mut self, who: usize, line: Option<&[u8]>, max_line: u64, now: Duration) {
        match self.people[who].state.clone() {
            State::Newcomer => self.try_name(who, line, max_line, now),
            State::Present(name) => match line.map(Command::parse) {
                None => self.tell(who, Notice::TooLong(max_line)),
                Some(Ok(command)) => self.obey(who, &name, command, now),
                Some(Err(Malformed::NotUtf8)) => self.tell(who, Notice::NotUtf8),
                Some(Err(Malformed::Private)) => self.tell(who, Notice::PrivateFormat),
                Some(Err(Malformed::All)) => self.tell(who, Notice::AllFormat),
                Some(Err(Malformed::Quit)) => self.tell(who, Notice::QuitFormat),
                Some(Err(Malformed::Unknown(line))) => {
                    self.tell(who, Notice::Unknown(&quote(line)));
                }
            },
            State::Gone => {}
        }
    }

    fn try_name(&mut self, who: usize, line: Option<&[u8]>, max_line: u64, now: Duration) {
        if line.is_some_and(is_blank) {
            return;
        }
        let first = !std::mem::replace(&mut self.people[who].spoken, true);
        let Some(line) = line else { return self.refuse(who, Notice::TooLong(max_line), now) };
        if first && let Some(foreign) = Foreign::of_line(line) {
            return self.dismiss(who, foreign, now);
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return self.refuse(who, Notice::NotUtf8, now);
        };
        let name = match Name::parse(text) {
            Ok(name) => name,
            Err(error) => return self.refuse(who, Notice::NameRefused(error), now),
        };
        let same = self.present().find(|(_, other)| other.folded() == name.folded());
        let resembling = self.present().find(|(_, other)| other.look_alike() == name.look_alike());
        if let Some((holder, held)) = same.or(resembling).map(|(at, held)| (at, held.clone())) {
            if now >= self.people[holder].told_wanted_until {
                self.people[holder].told_wanted_until = now + Duration::from_secs(30);
                self.tell(holder, Notice::NameWanted);
            }
            return self.refuse(who, Notice::NameTaken(held.as_str()), now);
        }
        if self.is_told_by_name(now, self.online() + 1) {
            self.tell_all(Notice::Joined(name.as_str()));
        } else {
            self.came += 1;
            self.summary_at.get_or_insert(now + Duration::from_secs(1));
        }
        self.tell(who, Notice::Welcome(name.as_str()));
        self.people[who].state = State::Present(name);
    }

    /// Somebody speaks another protocol.
    pub fn dismiss(&mut self, who: usize, foreign: Foreign, now: Duration) {
        if self.people[who].state == State::Newcomer {
            self.tell(who, Notice::Foreign(foreign));
            self.leave(who, now);
        }
    }

    fn refuse(&mut self, who: usize, why: Notice<'_>, now: Duration) {
        self.tell(who, why);
        self.people[who].tries += 1;
        if self.people[who].tries < 3 {
            return self.tell(who, Notice::EnterName);
        }
        self.tell(who, Notice::TooManyTries);
        self.leave(who, now);
    }

    fn obey(&mut self, who: usize, me: &Name, command: Command<'_>, now: Duration) {
        match command {
            Command::All { text } => {
                let said = Reply::Broadcast { from: me.as_str(), text: &clean(text) };
                self.everyone(said);
            }
            Command::Private { to, text } => {
                let folded = hubbub::name::Folded::of(to);
                let receiver = self.present().find(|(_, name)| name.folded() == folded);
                match receiver.map(|(receiver, _)| receiver) {
                    Some(receiver) => {
                        let text = clean(text);
                        self.say(receiver, Reply::Private { from: me.as_str(), text: &text });
                    }
                    None => self.tell(who, Notice::NotFound(&quote(to))),
                }
            }
            Command::List { prefix: typed } => {
                let prefix = hubbub::name::Folded::of(typed);
                let mut names: Vec<&Name> = self.present().map(|(_, name)| name).collect();
                names.retain(|name| name.folded().as_str().starts_with(prefix.as_str()));
                names.sort_by_key(|name| name.folded());
                let (count, names) = (names.len() as u64, names.iter().map(|n| n.as_str()));
                let names = names.collect::<Vec<_>>().join(", ");
                if count == 0 {
                    return self.tell(who, Notice::NoMatch(&quote(typed)));
                }
                self.tell(who, Notice::Online { count, names: &names, more: 0 });
            }
            Command::Help => self.tell(who, Notice::Help),
            Command::Empty => {}
            Command::Quit => self.leave(who, now),
        }
    }

    /// Somebody goes, in whatever way.
    pub fn leave(&mut self, who: usize, now: Duration) {
        let online = self.online();
        let state = std::mem::replace(&mut self.people[who].state, State::Gone);
        let State::Present(name) = state else { return };
        if self.is_told_by_name(now, online) {
            self.tell_all(Notice::Left(name.as_str()));
        } else {
            self.went += 1;
            self.summary_at.get_or_insert(now + Duration::from_secs(1));
        }
    }

    /// Whether a coming or going is told by name: so many are in the room, none is to be summed
    /// up, and there were few of late.
    fn is_told_by_name(&mut self, now: Duration, online: usize) -> bool {
        let (mut may, mut since) = self.by_name;
        while may < MAX_TOLD_BY_NAME && since + TELL_BY_NAME_EVERY <= now {
            (may, since) = (may + 1, since + TELL_BY_NAME_EVERY);
        }
        let since = if may == MAX_TOLD_BY_NAME { now } else { since };
        self.by_name = (may.saturating_sub(1), since);
        may > 0 && online <= self.announce_up_to && self.summary_at.is_none()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        for who in 0..self.people.len() {
            if self.people[who].state == State::Newcomer && self.people[who].deadline <= now {
                self.tell(who, Notice::LoginTimeout);
                self.leave(who, now);
            }
        }
        if self.summary_at.is_some_and(|at| at <= now) {
            let (joined, left) = (std::mem::take(&mut self.came), std::mem::take(&mut self.went));
            self.summary_at = None;
            let online = self.online() as u64;
            self.tell_all(Notice::Crowd { joined, left, online });
        }
    }

    pub fn shut_down(&mut self) {
        for who in 0..self.people.len() {
            if std::mem::replace(&mut self.people[who].state, State::Gone) != State::Gone {
                self.tell(who, Notice::ShuttingDown);
            }
        }
    }

    fn say(&mut self, who: usize, reply: Reply<'_>) {
        writeln!(self.people[who].hears, "{reply}").expect("a string takes everything");
    }

    fn tell(&mut self, who: usize, notice: Notice<'_>) {
        self.say(who, Reply::Notice(notice));
    }

    fn tell_all(&mut self, notice: Notice<'_>) {
        self.everyone(Reply::Notice(notice));
    }

    fn everyone(&mut self, reply: Reply<'_>) {
        let line = format!("{reply}\n");
        for person in &mut self.people {
            if matches!(person.state, State::Present(_)) {
                person.hears.push_str(&line);
            }
        }
    }
}
