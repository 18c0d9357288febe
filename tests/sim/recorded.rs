//! A server that is recorded, with a writer that is slow or gone.

use std::time::Duration;

use hubbub::net::Server;
use hubbub::net::record::Recorder;
use hubbub::net::record::calendar::Calendar;

use super::settings;
use crate::bodies::tape::Tape;
use crate::bodies::world::{Peer, World};

/// More batches than may wait.
const BATCHES: usize = 300;

/// When a batch is due for certain.
const BATCH: Duration = Duration::from_millis(250);

type Recorded = Server<Recorder<World>>;

fn server() -> (Recorded, Tape) {
    let (recorder, batches) = Recorder::new(World::new(1), Calendar::fixed(1));
    (
        Server::new(recorder, settings(), 1, 100).expect("memory for a log"),
        Tape::of_one_file(batches),
    )
}

fn world(server: &mut Recorded) -> &mut World {
    server.platform().platform()
}

fn settle(server: &mut Recorded) {
    while {
        server.turn().unwrap();
        !world(server).quiet
    } {}
}

fn pass(server: &mut Recorded, time: Duration) {
    let end = world(server).now + time;
    while world(server).now < end {
        server.turn().unwrap();
    }
}

fn login(server: &mut Recorded, name: &str) -> usize {
    let peer = world(server).connect();
    world(server).send(peer, format!("{name}\n").as_bytes());
    settle(server);
    peer
}

/// Everything that was said and heard is there, or missing, and how much is missing is said.
#[track_caller]
fn assert_accounted(tape: &mut Tape, peers: &[Peer], peer: usize, is_whole: bool) {
    let talk = tape.talk(peer).unwrap();
    let (missing, skipped) = (talk.missed, talk.skip_gaps());
    // A side that says nothing behind the gap leaves none in its own numbers.
    let is_so = |side: usize| skipped[side] == missing[side] || skipped[side] == 0;
    assert!(is_so(0) && is_so(1), "{missing:?}, {skipped:?}");
    assert_eq!(missing == [0; 2], is_whole, "{missing:?}");
    for (side, all) in [peers[peer].taken().to_vec(), peers[peer].given()].iter().enumerate() {
        let (said, missing) = (&talk.said[side], usize::try_from(missing[side]).unwrap());
        assert_eq!(said.len() + missing, all.len());
        let before = said.iter().zip(all).take_while(|(one, other)| one == other).count();
        assert!(all.ends_with(&said[before..]), "it goes on where the gap ends");
    }
    assert!(talk.has_end());
}

#[test]
fn behind_a_gap_everyone_is_recorded_again_and_what_is_missing_is_said() {
    let (mut server, mut tape) = server();
    let alice = login(&mut server, "Alice");
    let quiet = login(&mut server, "Quiet");
    for n in 0..BATCHES {
        world(&mut server).send(alice, format!("@Alice {n}\n").as_bytes());
        pass(&mut server, BATCH);
    }
    assert_eq!(server.counters().uncaptured, 1, "Alice");
    let bob = world(&mut server).connect();
    let passer_by = login(&mut server, "Passer");
    world(&mut server).end(passer_by);
    pass(&mut server, BATCH);
    assert_eq!(server.counters().uncaptured, 4, "and who came and went, Bob and Quiet besides");
    tape.roll();
    pass(&mut server, BATCH);
    world(&mut server).send(alice, b"@Alice again\n");
    let carol = login(&mut server, "Carol");
    world(&mut server).send(bob, b"Bob\n");
    world(&mut server).send(carol, b"@Quiet hi\nquit\n");
    for peer in [alice, bob, carol] {
        world(&mut server).end(peer);
    }
    settle(&mut server);
    assert_eq!(server.counters().uncaptured, 4);
    assert_eq!(server.connections(), 1, "the chat goes on");
    let peers = std::mem::take(&mut world(&mut server).peers);
    drop(server);
    tape.roll();

    assert!(tape.talk(passer_by).is_none());
    for (peer, is_whole) in [(alice, false), (bob, false), (quiet, false), (carol, true)] {
        assert_accounted(&mut tape, &peers, peer, is_whole);
    }
    let heard = String::from_utf8(tape.talk(alice).unwrap().said[1].clone()).unwrap();
    assert!(heard.contains("[From Alice]: 0\n") && heard.contains("[From Alice]: again\n"));
}

#[test]
fn a_gap_that_is_open_when_the_server_ends_is_told_and_everyone_has_an_end() {
    let (mut server, mut tape) = server();
    let alice = login(&mut server, "Alice");
    let quiet = login(&mut server, "Quiet");
    for n in 0..BATCHES {
        world(&mut server).send(alice, format!("@Alice {n}\n").as_bytes());
        pass(&mut server, BATCH);
    }
    assert_eq!(server.counters().uncaptured, 1, "Alice");
    let peers = std::mem::take(&mut world(&mut server).peers);
    drop(server);
    tape.roll();
    assert_accounted(&mut tape, &peers, alice, false);
    assert_accounted(&mut tape, &peers, quiet, true);
}

#[test]
fn connections_that_come_and_go_unseen_are_counted_and_not_kept() {
    let (mut server, mut tape) = server();
    for _ in 0..2 * BATCHES {
        let passer_by = login(&mut server, "Anyone");
        world(&mut server).end(passer_by);
        pass(&mut server, BATCH);
    }
    let lost = server.counters().uncaptured;
    assert!((BATCHES as u64..2 * BATCHES as u64).contains(&lost), "{lost}");
    tape.roll();
    let late = login(&mut server, "Late");
    world(&mut server).end(late);
    pass(&mut server, BATCH);
    assert_eq!(server.counters().uncaptured, lost);
    tape.roll();
    assert!(tape.talk(late).unwrap().has_end());
}

#[test]
fn a_chat_whose_writer_has_given_up_goes_on_and_counts_everyone() {
    let (mut server, tape) = server();
    let alice = login(&mut server, "Alice");
    login(&mut server, "Bob");
    pass(&mut server, BATCH);
    drop(tape);
    assert_eq!(server.counters().uncaptured, 0);
    world(&mut server).send(alice, b"all hi\n");
    pass(&mut server, BATCH);
    assert_eq!(server.counters().uncaptured, 2);
    let carol = login(&mut server, "Carol");
    pass(&mut server, BATCH);
    assert_eq!(server.counters().uncaptured, 3);
    world(&mut server).end(carol);
    world(&mut server).end(alice);
    settle(&mut server);
    assert_eq!(server.counters().uncaptured, 3);
    assert!(world(&mut server).text(alice).contains("[Alice]: hi\n"));
    assert_eq!(server.connections(), 1);
}
