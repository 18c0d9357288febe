use super::*;
use crate::capture::{Packet, Payload};
use Happening::{Broke, Closed, Ended, Said};
use Side::{Client, Server};

const START_NS: u64 = 1_700_000_000_000_000_000;

/// A recording, and what it has written so far.
struct Desk {
    recording: Recording,
    frames: Frames,
    time_ns: u64,
    /// When the last frame was.
    last_ns: u64,
}

impl Desk {
    fn new() -> Self {
        let (recording, frames) = (Recording::new(1), Frames::default());
        Self { recording, frames, time_ns: START_NS, last_ns: 0 }
    }

    /// Something happens a millisecond later.
    fn take(&mut self, number: u64, what: Happening, bytes: &str) {
        self.time_ns += 1_000_000;
        let (time_ns, bytes) = (self.time_ns, bytes.as_bytes());
        self.recording.take(number, time_ns, what, bytes, &mut self.frames).unwrap();
    }

    fn opens(&mut self, number: u16) {
        let client = SocketAddr::from(([192, 0, 2, 1], number));
        let server = "[::ffff:192.0.2.2]:12345".parse().unwrap();
        self.take(number.into(), Happening::Opened { client, server }, "");
    }

    /// Of each segment with bytes: its first number, the next one, what it acknowledges.
    fn segments(&mut self) -> Vec<[u32; 3]> {
        let numbers = |frame: crate::capture::Frame<'_>| {
            let Payload::Tcp(segment) = Packet::parse(frame.bytes).unwrap().payload else {
                panic!("a segment")
            };
            let next = segment.sequence.wrapping_add(segment.length());
            frame.is_data.then_some([segment.sequence, next, segment.acknowledgment])
        };
        let told = self.frames.iter().filter_map(numbers).collect();
        self.frames.clear();
        told
    }

    /// What there is now and was not before, without plain acknowledgements: the client's port,
    /// `>` for what it sent and `<` for what it was sent.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for frame in self.frames.iter() {
            assert!(frame.time_ns > self.last_ns);
            self.last_ns = frame.time_ns;
            let packet = Packet::parse(frame.bytes).unwrap();
            let Payload::Tcp(segment) = packet.payload else { panic!("{packet:?}") };
            let (arrow, port) = match frame.from {
                Client => ('>', packet.source.port()),
                Server => ('<', packet.destination.port()),
            };
            let (flags, text) = (segment.flags, String::from_utf8_lossy(segment.payload));
            if flags != crate::capture::Flags::ACK || !text.is_empty() {
                told.push(format!("{port} {arrow} {flags} {text}").trim_end().to_owned());
            }
        }
        self.frames.clear();
        told
    }
}

#[test]
fn a_connection_is_told_from_its_first_word_to_its_close() {
    let mut desk = Desk::new();
    desk.opens(7);
    assert!(!desk.recording.is_empty());
    assert_eq!(desk.told(), [""; 0]);
    desk.take(7, Said(Server), "name?");
    assert_eq!(desk.told(), ["7 > SYN", "7 < SYN, ACK", "7 < PSH, ACK name?"]);
    desk.take(7, Said(Client), "Al");
    desk.take(7, Ended(Client), "");
    desk.take(7, Ended(Client), "");
    desk.take(7, Said(Server), "bye");
    desk.take(7, Closed, "");
    desk.take(7, Closed, "");
    let want = ["7 > PSH, ACK Al", "7 > FIN, ACK", "7 < PSH, ACK bye", "7 < FIN, ACK"];
    assert_eq!(desk.told(), want);
    assert!(desk.recording.is_empty());
}

#[test]
fn what_was_said_before_a_reset_stands_before_it() {
    let mut desk = Desk::new();
    desk.opens(7);
    desk.take(7, Said(Server), "name?");
    desk.take(7, Broke(Client), "");
    desk.take(7, Said(Client), "Al");
    desk.take(7, Closed, "");
    assert_eq!(desk.told()[3..], ["7 > PSH, ACK Al", "7 > RST, ACK"]);
    desk.opens(8);
    desk.take(8, Said(Server), "name?");
    desk.take(8, Broke(Server), "");
    desk.take(8, Closed, "");
    assert_eq!(desk.told()[3..], ["8 < RST, ACK"]);
}

#[test]
fn a_connection_of_which_there_is_no_word_is_told_when_it_closes() {
    let mut desk = Desk::new();
    desk.opens(7);
    desk.take(7, Closed, "");
    assert_eq!(desk.told(), ["7 > SYN", "7 < SYN, ACK", "7 < FIN, ACK"]);
}

#[test]
fn a_page_ends_what_is_open_and_the_next_begins_with_the_next_word() {
    let mut desk = Desk::new();
    desk.opens(6);
    desk.opens(7);
    desk.opens(8);
    desk.take(7, Said(Server), "name?");
    desk.take(8, Said(Server), "name?");
    desk.take(8, Ended(Client), "");
    desk.told();
    desk.recording.turn_page(&mut desk.frames).unwrap();
    let finish = ["7 < FIN, ACK", "7 > FIN, ACK", "8 < FIN, ACK"];
    assert_eq!(desk.told(), finish, "nothing of 6, which has said nothing");
    desk.take(8, Said(Server), "bye");
    let again = ["8 > SYN", "8 < SYN, ACK", "8 > FIN, ACK", "8 < PSH, ACK bye"];
    assert_eq!(desk.told(), again, "the stream that had ended does so again");
    desk.take(7, Ended(Client), "");
    desk.take(7, Closed, "");
    assert_eq!(desk.told(), [""; 0], "its end is told in the page before");
    desk.recording.finish(&mut desk.frames).unwrap();
    assert_eq!(desk.told(), ["6 > SYN", "6 < SYN, ACK", "6 < FIN, ACK", "8 < FIN, ACK"]);
}

#[test]
fn what_was_missed_leaves_a_gap_and_what_follows_is_told() {
    let mut desk = Desk::new();
    desk.opens(7);
    desk.take(7, Said(Server), "name?");
    let [_, next, ack] = desk.segments()[0];
    let missed = Missed { bytes: [3, 100], ..Missed::default() };
    desk.recording.miss(7, desk.time_ns, &missed, &mut desk.frames).unwrap();
    assert_eq!(desk.told(), [""; 0]);
    desk.take(7, Said(Server), "hi");
    assert_eq!(desk.frames.iter().map(|frame| frame.missed).collect::<Vec<_>>()[0], [3, 100]);
    let [sequence, _, later_ack] = desk.segments()[0];
    assert_eq!(sequence, next.wrapping_add(100), "of the server");
    assert_eq!(later_ack, ack.wrapping_add(3), "of the client");
    desk.take(7, Closed, "");
    assert_eq!(desk.told(), ["7 < FIN, ACK"]);
}

#[test]
fn ends_that_were_missed_are_told_behind_the_gap() {
    let mut desk = Desk::new();
    for number in [6, 7] {
        desk.opens(number);
        desk.take(number.into(), Said(Server), "name?");
    }
    desk.told();
    let client = SocketAddr::from(([192, 0, 2, 1], 8));
    let opened = Some([client, SocketAddr::from(([192, 0, 2, 2], 12345))]);
    let (time_ns, frames) = (desk.time_ns, &mut desk.frames);
    let ended = Missed { bytes: [2, 0], ended: [true, false], ..Missed::default() };
    let closed = Missed { broke: Some(Client), closed: true, ..Missed::default() };
    let new = Missed { opened, bytes: [0, 9], ..Missed::default() };
    for (number, missed) in [(6, ended), (7, closed), (8, new), (9, ended)] {
        desk.recording.miss(number, time_ns, &missed, frames).unwrap();
    }
    assert_eq!(desk.told(), ["6 > FIN, ACK", "7 > RST, ACK"]);
    desk.take(8, Said(Server), "hi");
    assert_eq!(desk.told(), ["8 > SYN", "8 < SYN, ACK", "8 < PSH, ACK hi"]);
    desk.take(6, Closed, "");
    assert_eq!(desk.told(), ["6 < FIN, ACK"]);
}

#[test]
fn behind_a_gap_that_numbers_cannot_tell_a_connection_is_opened_anew() {
    let mut desk = Desk::new();
    desk.opens(7);
    desk.take(7, Said(Server), "name?");
    desk.told();
    let missed = Missed { bytes: [0, 5 << 30], ..Missed::default() };
    desk.recording.miss(7, desk.time_ns, &missed, &mut desk.frames).unwrap();
    desk.take(7, Said(Server), "hi");
    assert_eq!(desk.told(), ["7 > SYN", "7 < SYN, ACK", "7 < PSH, ACK hi"]);
}

#[test]
fn a_page_says_what_was_missed_before_it_ends() {
    let mut desk = Desk::new();
    desk.opens(7);
    desk.take(7, Said(Server), "name?");
    desk.told();
    let missed = Missed { bytes: [0, 7], ..Missed::default() };
    desk.recording.miss(7, desk.time_ns, &missed, &mut desk.frames).unwrap();
    desk.recording.turn_page(&mut desk.frames).unwrap();
    assert_eq!(desk.frames.iter().next().unwrap().missed, [0, 7]);
}

#[test]
fn a_number_that_is_used_again_is_another_connection() {
    let mut desk = Desk::new();
    for _ in 0..2 {
        desk.opens(7);
        desk.take(7, Said(Server), "name?");
        desk.take(7, Closed, "");
        assert_eq!(desk.told()[0], "7 > SYN");
    }
}

#[test]
fn times_grow_although_a_clock_stands_still_or_goes_back() {
    let mut desk = Desk::new();
    let mut last_ns = 0;
    for (number, time_ns) in [(7, START_NS), (8, START_NS), (9, START_NS - 5)] {
        desk.opens(number);
        let number = number.into();
        let frames = &mut desk.frames;
        desk.recording.take(number, time_ns, Said(Server), &[b'x'; 9000], frames).unwrap();
        for frame in desk.frames.iter() {
            assert!(frame.time_ns > last_ns);
            last_ns = frame.time_ns;
        }
        desk.frames.clear();
    }
    assert!(last_ns < START_NS + 100, "each frame takes a nanosecond");
}
