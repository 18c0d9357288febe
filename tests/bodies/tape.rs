//! What a recorder writes down in a world in memory, and what its frames give back.

use std::collections::BTreeMap;

use hubbub::capture::reassembly::Limits;
use hubbub::capture::{Flags, Frames, Packet, Payload, Reassembler, Recording, Side};
use hubbub::net::record::Batches;

use super::world::{Peer, SERVER_PORT, port};

/// How often a file ends and another begins, in percent of all that happens.
const PAGE_TURNS: [u8; 3] = [0, 2, 40];

/// A writer that keeps what it would write.
#[derive(Debug)]
pub struct Tape {
    batches: Batches,
    recording: Recording,
    frames: Frames,
    last_ns: u64,
    random: fastrand::Rng,
    page_turns: u8,
    page: usize,
    /// By page, and port of the client.
    talks: BTreeMap<(usize, u16), Talk>,
}

/// What one file has of one connection.
#[derive(Debug)]
pub struct Talk {
    sides: [Reassembler; 2],
    pub said: [Vec<u8>; 2],
    pub fins: [bool; 2],
    pub has_reset: bool,
    /// What frames say that is missing before them.
    pub missed: [u64; 2],
}

impl Tape {
    pub fn new(batches: Batches, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            batches,
            recording: Recording::new(seed),
            frames: Frames::default(),
            last_ns: 0,
            page_turns: *random.choice(&PAGE_TURNS).unwrap(),
            random,
            page: 0,
            talks: BTreeMap::new(),
        }
    }

    /// A tape that is one file.
    pub fn of_one_file(batches: Batches) -> Self {
        Self { page_turns: 0, ..Self::new(batches, 0) }
    }

    /// Takes what has come.
    pub fn roll(&mut self) {
        while let Some(batch) = self.batches.poll() {
            for (&number, missed) in batch.gap.iter().flat_map(|gap| &gap.missed) {
                let time_ns = batch.begin_ns().unwrap_or_default();
                let taken = self.recording.miss(number, time_ns, missed, &mut self.frames);
                taken.expect("nobody speaks after the end");
                self.read_frames();
            }
            for (note, bytes) in batch.iter() {
                let taken = self.recording.take(
                    note.number,
                    note.time_ns,
                    note.what,
                    bytes,
                    &mut self.frames,
                );
                taken.expect("nobody speaks after the end");
                self.read_frames();
                if self.random.u8(0..100) < self.page_turns {
                    self.recording.turn_page(&mut self.frames).expect("what is open can end");
                    self.read_frames();
                    self.page += 1;
                }
            }
            if batch.is_last {
                self.recording.finish(&mut self.frames).expect("what is open can end");
                self.read_frames();
            }
        }
    }

    /// Reads the frames as whoever opens the file would.
    fn read_frames(&mut self) {
        for frame in self.frames.iter() {
            assert!(frame.time_ns > self.last_ns, "time stands still");
            self.last_ns = frame.time_ns;
            let packet = Packet::parse(frame.bytes).expect("a frame of ours");
            let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
            let (side, port) = match (packet.source.port(), packet.destination.port()) {
                (SERVER_PORT, port) => (1, port),
                (port, _) => (0, port),
            };
            assert_eq!(frame.from, Side::BOTH[side]);
            let is_first = segment.flags.has(Flags::SYN) && side == 0;
            let talk = self.talks.entry((self.page, port)).or_insert_with(|| {
                assert!(is_first, "no handshake");
                Talk::new()
            });
            talk.fins[side] |= segment.flags.has(Flags::FIN);
            talk.has_reset |= segment.flags.has(Flags::RST);
            for (all, missed) in talk.missed.iter_mut().zip(frame.missed) {
                *all += missed;
            }
            talk.sides[side].push(&segment, &mut talk.said[side]);
        }
        self.frames.clear();
    }

    /// What the first file has of the connection of a peer.
    pub fn talk(&mut self, peer: usize) -> Option<&mut Talk> {
        self.talks.get_mut(&(0, port(peer)))
    }

    /// What holds when the platform is gone: the frames give back what everyone has said and heard,
    /// in conversations that begin and end.
    pub fn check(mut self, peers: &[Peer]) {
        self.roll();
        assert!(self.recording.is_empty(), "a conversation is left");
        for (number, peer) in peers.iter().enumerate() {
            let talks = self.talks.iter().filter(|((_, of), _)| *of == port(number));
            let talks: Vec<&Talk> = talks.map(|(_, talk)| talk).collect();
            let said = |side: usize| talks.iter().flat_map(move |talk| talk.said[side].clone());
            assert_eq!(said(0).collect::<Vec<u8>>(), peer.taken(), "said by {number}");
            let (heard, given) = (said(1).collect::<Vec<u8>>(), peer.given());
            let is_whole = heard == given || (peer.got_reset && heard.starts_with(&given));
            assert!(is_whole, "{number} heard {} not {}", heard.len(), given.len());
            if let (0, [talk]) = (self.page, &talks[..]) {
                assert_eq!(talk.fins[0], peer.saw_end, "{number}");
                assert!(!peer.got_end || talk.fins[1], "{number}");
                assert!(!talk.has_reset || peer.reset || peer.got_reset, "{number}");
            }
            for talk in talks {
                assert!(talk.has_end(), "no end");
                assert!(talk.has_reset || !talk.said.concat().is_empty(), "nothing said");
                assert_eq!(talk.sides.each_ref().map(Reassembler::gap), [0, 0]);
            }
        }
    }
}

impl Talk {
    /// How many bytes of each side are missing, by the numbers of the segments behind them; what
    /// was waiting for them is said now.
    pub fn skip_gaps(&mut self) -> [u64; 2] {
        let mut skipped = [0; 2];
        for side in [0, 1] {
            while self.sides[side].gap() > 0 {
                skipped[side] += self.sides[side].skip_gap(&mut self.said[side]);
            }
        }
        skipped
    }

    pub fn has_end(&self) -> bool {
        self.has_reset || self.fins.contains(&true)
    }

    fn new() -> Self {
        Self {
            sides: [0, 1].map(|_| Reassembler::new(Limits::default())),
            said: [const { Vec::new() }; 2],
            fins: [false; 2],
            has_reset: false,
            missed: [0; 2],
        }
    }
}
