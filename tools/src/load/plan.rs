//! Scenarios: who is there and what they do, as defaults for the numbers that can be chosen.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Serialize, Serializer};

use super::message;
use super::options::Numbers;

/// The most clients of one crowd.
const MAX_CLIENTS: u32 = 1_000_000;

/// The largest message, in bytes: with what stands around it, it fits into the longest line that a
/// server can be told to take.
const MAX_SIZE: usize = 60_000;

/// The most messages of one talker that are in flight.
const MAX_WINDOW: u32 = 65_536;

/// The least and the most that the system can be told to keep for a client, in bytes.
const RECEIVE_BUFFER: RangeInclusive<usize> = 4096..=64 << 20;

/// The most connections at a time that come and go: more than that wait to be accepted, and the
/// system throws some of them away.
const MAX_CHURN: u32 = 512;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scenario {
    /// A few talk to everyone
    Fanout,
    /// Pairs talk in private
    Whisper,
    /// Everyone is here and nobody talks
    Idle,
    /// Connect, log in, quit, again and again
    Churn,
    /// Everyone talks to everyone
    Storm,
    /// A few talk to everyone, and a few of those do not read
    Stalled,
}

/// For how long something is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Length {
    /// For so long, after some time to warm up.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    Time(Duration),
    /// So many messages of each talker, or so many logins altogether.
    Count(u32),
}

/// Who is there and what they do. The clients are numbered in the order of the fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Plan {
    pub(super) scenario: Scenario,
    /// Who talk to everyone.
    pub(super) senders: u32,
    /// Pairs that talk in private.
    pub(super) pairs: u32,
    /// Who only read.
    pub(super) receivers: u32,
    /// Who log in and then do not read.
    pub(super) stalled: u32,
    /// Messages of one talker in flight, which is until everyone has read them; 0 when talkers
    /// never wait. In a churn, the connections that there are at a time.
    pub(super) window: u32,
    /// The size of a message, in bytes.
    pub(super) size: usize,
    /// What the system keeps for a client until it reads it, in bytes; `None` where that is left
    /// to the system: it then gives more to those who once were fast, up to megabytes.
    pub(super) receive_buffer: Option<usize>,
    #[serde(flatten)]
    pub(super) length: Length,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl Plan {
    /// The scenario with what was chosen instead of its defaults.
    ///
    /// # Errors
    ///
    /// What does not go together, for the one who chose it.
    pub(super) fn new(scenario: Scenario, numbers: &Numbers) -> Result<Self, String> {
        let default = Self::default_of(scenario);
        let length = match (numbers.count, numbers.seconds) {
            (Some(count), _) => Length::Count(count),
            (None, Some(seconds)) => Length::Time(Duration::from_secs_f64(seconds)),
            (None, None) => default.length,
        };
        let plan = Self {
            scenario,
            senders: numbers.senders.unwrap_or(default.senders),
            pairs: numbers.pairs.unwrap_or(default.pairs),
            receivers: numbers.receivers.unwrap_or(default.receivers),
            stalled: numbers.stalled.unwrap_or(default.stalled),
            window: numbers.window.unwrap_or(default.window),
            size: numbers.size.unwrap_or(default.size),
            receive_buffer: numbers.receive_buffer,
            length,
        };
        plan.check().map(|()| plan)
    }

    /// The scenario with all its defaults.
    pub(super) fn default_of(scenario: Scenario) -> Self {
        let nobody = Self {
            scenario,
            senders: 0,
            pairs: 0,
            receivers: 0,
            stalled: 0,
            window: 16,
            size: 64,
            receive_buffer: None,
            length: Length::Time(Duration::from_secs(2)),
        };
        match scenario {
            Scenario::Fanout => Self { senders: 10, receivers: 1000, ..nobody },
            Scenario::Whisper => Self { pairs: 50, window: 1, ..nobody },
            Scenario::Idle => Self { receivers: 10_000, ..nobody },
            Scenario::Churn => Self { window: 64, ..nobody },
            Scenario::Storm => Self { senders: 1000, ..nobody },
            Scenario::Stalled => {
                Self { senders: 10, receivers: 980, stalled: 10, size: 1024, ..nobody }
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        let all = [self.senders, 2 * self.pairs.min(MAX_CLIENTS), self.receivers, self.stalled];
        let all = all.into_iter().map(u64::from).sum::<u64>() + u64::from(self.churners());
        if all > u64::from(MAX_CLIENTS) {
            return Err(format!("{all} clients are too many; {MAX_CLIENTS} are the most"));
        }
        if self.window > MAX_WINDOW {
            return Err(format!("--window {} is too wide; at most {MAX_WINDOW}", self.window));
        }
        if self.churners() > MAX_CHURN {
            return Err(format!(
                "--window {} is too wide; in churn at most {MAX_CHURN}",
                self.window
            ));
        }
        if !(message::MIN_SIZE..=MAX_SIZE).contains(&self.size) {
            let min = message::MIN_SIZE;
            return Err(format!("--size {} is not from {min} to {MAX_SIZE}", self.size));
        }
        if let Some(bytes) = self.receive_buffer.filter(|bytes| !RECEIVE_BUFFER.contains(bytes)) {
            let (min, max) = RECEIVE_BUFFER.into_inner();
            return Err(format!("--receive-buffer {bytes} is not from {min} to {max}"));
        }
        if self.length == Length::Count(0) {
            return Err("--count 0 is nothing to measure".to_owned());
        }
        match self.scenario {
            Scenario::Idle if self.talkers() > 0 => {
                Err("in idle nobody talks; try fanout or whisper".to_owned())
            }
            Scenario::Idle if self.receivers == 0 => Err("idle needs --receivers".to_owned()),
            Scenario::Churn if self.window == 0 || self.talkers() > 0 => {
                Err("churn needs a --window, and nobody talks in it".to_owned())
            }
            Scenario::Fanout | Scenario::Storm | Scenario::Stalled | Scenario::Whisper
                if self.talkers() == 0 =>
            {
                Err("nobody talks; try --senders or --pairs".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Who talk, to everyone or in private. They come first.
    pub(super) fn talkers(&self) -> u32 {
        self.senders + 2 * self.pairs
    }

    /// Who read what is said to everyone: all who are here before anyone talks, less those who do
    /// not read.
    pub(super) fn readers(&self) -> u32 {
        self.talkers() + self.receivers
    }

    /// Who log in and stay.
    pub(super) fn residents(&self) -> u32 {
        self.readers() + self.stalled
    }

    /// Who come and go.
    pub(super) fn churners(&self) -> u32 {
        if self.scenario == Scenario::Churn { self.window } else { 0 }
    }

    /// Everyone who is here at one time.
    pub(super) fn clients(&self) -> u32 {
        self.residents() + self.churners()
    }

    /// Whether this client logs in and then does not read.
    pub(super) fn is_stalled(&self, index: u32) -> bool {
        (self.readers()..self.residents()).contains(&index)
    }

    /// To whom this client talks in private.
    pub(super) fn partner(&self, index: u32) -> Option<u32> {
        (self.senders..self.talkers())
            .contains(&index)
            .then(|| self.senders + ((index - self.senders) ^ 1))
    }
}
