//! A server that is recorded, with a writer that is slow or gone.

use std::time::Duration;

use hubbub::net::Server;
use hubbub::net::record::Recorder;

use super::settings;
use crate::bodies::tape::Tape;
use crate::bodies::world::World;

/// More batches than may wait.
const BATCHES: usize = 300;

/// When a batch is due for certain.
const BATCH: Duration = Duration::from_millis(250);

type Recorded = Server<Recorder<World>>;

fn server() -> (Recorded, Tape) {
    let (recorder, batches) = Recorder::new(World::new(1), 1);
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

#[test]
fn who_loses_something_is_recorded_to_there_and_who_comes_later_is_recorded_whole() {
    let (mut server, mut tape) = server();
    let alice = login(&mut server, "Alice");
    let quiet = login(&mut server, "Quiet");
    for n in 0..BATCHES {
        world(&mut server).send(alice, format!("@Alice {n}\n").as_bytes());
        pass(&mut server, BATCH);
    }
    assert_eq!(server.counters().uncaptured, 1, "Alice");
    let bob = world(&mut server).connect();
    pass(&mut server, BATCH);
    assert_eq!(server.counters().uncaptured, 2, "and Bob, with the news of Alice");
    tape.roll();
    pass(&mut server, BATCH);
    let carol = login(&mut server, "Carol");
    world(&mut server).send(alice, b"quit\n");
    world(&mut server).end(alice);
    world(&mut server).send(carol, b"@Quiet hi\nquit\n");
    world(&mut server).end(carol);
    settle(&mut server);
    assert_eq!(server.counters().uncaptured, 2);
    assert_eq!(server.connections(), 2, "the chat goes on");
    let peers = std::mem::take(&mut world(&mut server).peers);
    drop(server);
    tape.roll();

    let talk = tape.talk(alice).unwrap();
    assert!(!talk.has_end() && tape.talk(bob).is_none());
    assert!(talk.said[0].len() > 200 && peers[alice].taken().starts_with(&talk.said[0]));
    assert!(peers[alice].given().starts_with(&talk.said[1]));
    for whole in [quiet, carol] {
        let talk = tape.talk(whole).unwrap();
        assert!(talk.has_end());
        assert_eq!(talk.said, [peers[whole].taken().to_vec(), peers[whole].given()]);
    }
}

#[test]
fn who_lost_nothing_is_recorded_to_the_end_although_the_writer_is_behind_then() {
    let (mut server, mut tape) = server();
    let alice = login(&mut server, "Alice");
    let quiet = login(&mut server, "Quiet");
    for n in 0..BATCHES {
        world(&mut server).send(alice, format!("@Alice {n}\n").as_bytes());
        pass(&mut server, BATCH);
    }
    assert_eq!(server.counters().uncaptured, 1, "Alice");
    drop(server);
    tape.roll();
    assert!(!tape.talk(alice).unwrap().has_end());
    assert!(tape.talk(quiet).unwrap().has_end());
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
