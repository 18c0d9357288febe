use super::*;

const LIMITS: Limits = Limits {
    log_bytes: 4096,
    mailbox_bytes: 256,
    mailbox_total: 512,
    out_budget: 256,
    flush_slice: 2,
    stall_timeout: Duration::from_secs(90),
};
const NOW: Duration = Duration::from_secs(1000);

fn id(key: u32) -> ClientId {
    ClientId { key, generation: key + 100 }
}

fn outbound(clients: u32) -> Outbound {
    let mut outbound = Outbound::new(LIMITS);
    for key in 0..clients {
        outbound.connect(id(key));
        outbound.follow(id(key));
    }
    outbound
}

/// Writes at most `most` bytes to a client and returns them.
fn write(outbound: &mut Outbound, id: ClientId, most: usize) -> String {
    let batch = outbound.batch(id, LIMITS.out_budget).expect("not lapped");
    let mut bytes: Vec<u8> = batch.slices().iter().flat_map(|slice| slice.to_vec()).collect();
    bytes.truncate(most);
    outbound.handle_written(id, bytes.len(), NOW);
    String::from_utf8(bytes).unwrap()
}

/// One turn in which every socket takes everything; who was served, in order.
fn flush(outbound: &mut Outbound) -> Vec<u32> {
    outbound.begin_flush();
    let mut served = Vec::new();
    while let Some(id) = outbound.poll_flush() {
        write(outbound, id, usize::MAX);
        served.push(id.key);
    }
    served
}

#[test]
fn one_broadcast_reaches_everyone_who_follows() {
    let mut outbound = outbound(2);
    outbound.connect(id(2));
    outbound.broadcast(&[b"[A]: ", b"hi\n"]);
    assert_eq!(write(&mut outbound, id(0), usize::MAX), "[A]: hi\n");
    assert_eq!(write(&mut outbound, id(1), usize::MAX), "[A]: hi\n");
    assert_eq!(write(&mut outbound, id(2), usize::MAX), "", "not before login");
}

#[test]
fn letters_keep_their_place_among_broadcasts_whatever_a_write_takes() {
    let want = "m0 b1 m1 m2 b2 b3 m3 ";
    for step in 1..=want.len() {
        let mut outbound = outbound(1);
        outbound.mail(id(0), &[b"m0 "]).unwrap();
        outbound.broadcast(&[b"b1 "]);
        outbound.mail(id(0), &[b"m1 "]).unwrap();
        outbound.mail(id(0), &[b"m2 "]).unwrap();
        outbound.broadcast(&[b"b2 "]);
        outbound.broadcast(&[b"b3 "]);
        outbound.mail(id(0), &[b"m3 "]).unwrap();
        let mut got = String::new();
        for _ in 0..want.len() {
            got += &write(&mut outbound, id(0), step);
        }
        assert_eq!(got, want, "in steps of {step}");
        assert_eq!(outbound.mail_total, 0);
    }
}

#[test]
fn a_batch_has_a_bounded_number_of_slices_and_bytes() {
    let mut outbound = outbound(1);
    for _ in 0..12 {
        outbound.broadcast(&[b"b"]);
        outbound.mail(id(0), &[b"m"]).unwrap();
    }
    let batch = outbound.batch(id(0), 100).unwrap();
    assert_eq!((batch.slices().len(), batch.len()), (MAX_SLICES, MAX_SLICES));
    assert!(!batch.is_empty());
    assert_eq!(outbound.batch(id(0), 5).unwrap().len(), 5);
    assert_eq!(write(&mut outbound, id(0), 99), "bm".repeat(8));
    assert_eq!(write(&mut outbound, id(0), 99), "bm".repeat(4));
    assert!(outbound.batch(id(0), 99).unwrap().is_empty());
}

#[test]
fn a_client_that_is_lapped_is_told_so_even_while_it_is_blocked() {
    let mut outbound = outbound(1);
    outbound.handle_blocked(id(0), NOW);
    outbound.broadcast(&[&[b'x'; 4096]]);
    outbound.begin_flush();
    assert_eq!(outbound.poll_flush(), None, "it can still catch up");
    outbound.broadcast(&[b"y"]);
    outbound.begin_flush();
    assert_eq!(outbound.poll_flush(), Some(id(0)));
    assert_eq!(outbound.batch(id(0), 9).unwrap_err(), Lapped);
}

#[test]
fn a_sweep_serves_a_slice_in_a_turn_and_stops_when_all_have_read() {
    let mut outbound = outbound(5);
    outbound.broadcast(&[b"hi\n"]);
    let served: Vec<Vec<u32>> = (0..3).map(|_| flush(&mut outbound)).collect();
    assert_eq!(served.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let mut all = served.concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4]);
    assert!(!outbound.has_work(), "a quiet turn costs nothing");
}

#[test]
fn who_connects_during_a_round_takes_nobodys_place_in_it() {
    let mut outbound = outbound(5);
    outbound.broadcast(&[b"hi\n"]);
    let mut served = flush(&mut outbound);
    (5..10).for_each(|key| outbound.connect(id(key)));
    while outbound.has_work() {
        served.extend(flush(&mut outbound));
    }
    served.sort_unstable();
    assert_eq!(served, [0, 1, 2, 3, 4]);
}

#[test]
fn a_sweep_passes_by_those_who_have_read_everything() {
    let mut outbound = outbound(3);
    outbound.broadcast(&[b"hi\n"]);
    assert_eq!(write(&mut outbound, id(1), usize::MAX), "hi\n");
    let mut served = flush(&mut outbound);
    served.sort_unstable();
    assert_eq!(served, [0, 2]);
}

#[test]
fn those_with_mail_go_first_but_only_a_slice_of_them() {
    let mut outbound = outbound(8);
    for key in [7, 6, 5] {
        outbound.mail(id(key), &[b"psst\n"]).unwrap();
    }
    outbound.broadcast(&[b"hi\n"]);
    assert_eq!(flush(&mut outbound)[..2], [7, 6]);
    assert_eq!(flush(&mut outbound)[0], 5);
}

#[test]
fn what_may_be_appended_between_two_sweeps_is_bounded() {
    let mut outbound = outbound(3);
    outbound.broadcast(&[&[b'x'; 255]]);
    assert!(outbound.has_room());
    outbound.broadcast(&[b"y"]);
    assert!(!outbound.has_room());
    flush(&mut outbound);
    assert!(outbound.has_room(), "a new round began");
}

#[test]
fn mailboxes_are_bounded_one_by_one_and_together() {
    let mut outbound = outbound(4);
    assert_eq!(outbound.mail(id(0), &[&[b'x'; 257]]), Err(MailError::Full));
    outbound.mail(id(0), &[&[b'x'; 240]]).unwrap();
    assert!(outbound.is_clogged(id(0)));
    assert_eq!(outbound.mail(id(0), &[b"x"]), Err(MailError::Full));
    outbound.mail(id(1), &[&[b'x'; 240]]).unwrap();
    assert_eq!(outbound.mail(id(2), &[b"x"]), Err(MailError::Full), "all together are full");
    outbound.answer(id(2), &[b"the server's word"]).unwrap();
    assert_eq!(outbound.answer(id(2), &[b"and another"]), Err(MailError::Full));
    outbound.disconnect(id(0));
    outbound.mail(id(3), &[b"x"]).unwrap();
    assert_eq!(outbound.mail(id(0), &[b"x"]), Err(MailError::Gone));
}

#[test]
fn a_mailbox_holds_all_that_it_may_and_half_of_it_clogs_nobody() {
    let mut outbound = outbound(2);
    let note = size_of::<mailbox::Letter>();
    outbound.mail(id(1), &[b"first"]).unwrap();
    outbound.broadcast(&[b"hi\n"]);
    outbound.mail(id(1), &[&vec![b'x'; 128 - "first".len() - 2 * note]]).unwrap();
    assert!(!outbound.is_clogged(id(1)), "the notes of two letters make it half full");
    outbound.mail(id(1), &[b"x"]).unwrap();
    assert!(outbound.is_clogged(id(1)));
    assert_eq!(outbound.mail_bytes(), 128 + 1);
    outbound.mail(id(0), &[&[b'x'; 256]]).unwrap();
    assert_eq!(outbound.mail_bytes(), 128 + 1 + 256 + note);
}

#[test]
fn while_all_mailboxes_are_half_full_a_line_waits_until_its_own_is_empty() {
    let mut outbound = outbound(3);
    outbound.mail(id(0), &[&[b'x'; 200]]).unwrap();
    outbound.mail(id(1), &[b"x"]).unwrap();
    assert!(!outbound.is_clogged(id(1)));
    outbound.mail(id(2), &[&[b'x'; 40]]).unwrap();
    assert!(outbound.is_clogged(id(1)));
    outbound.disconnect(id(0));
    assert!(!outbound.is_clogged(id(1)));
}

#[test]
fn who_still_has_mail_or_broadcasts_to_read_is_not_finished() {
    let mut outbound = outbound(2);
    outbound.mail(id(0), &[b"bye\n"]).unwrap();
    (0..2).for_each(|key| assert!(!outbound.is_finished(id(key)), "nobody closes"));
    outbound.finish(id(0));
    outbound.broadcast(&[b"hi\n"]);
    outbound.finish(id(1));
    for key in 0..2 {
        assert!(!outbound.is_finished(id(key)));
        write(&mut outbound, id(key), usize::MAX);
        assert!(outbound.is_finished(id(key)));
    }
}

#[test]
fn finishing_fixes_the_last_offset() {
    let mut outbound = outbound(1);
    outbound.broadcast(&[b"before\n"]);
    outbound.mail(id(0), &[b"bye\n"]).unwrap();
    outbound.finish(id(0));
    outbound.broadcast(&[b"after\n"]);
    assert!(!outbound.is_finished(id(0)));
    assert_eq!(write(&mut outbound, id(0), usize::MAX), "before\nbye\n");
    assert!(outbound.is_finished(id(0)));
    assert!(!outbound.crowd.is_crowd(0) && outbound.handle_crowd(NOW).is_empty());
}

#[test]
fn a_blocked_client_is_left_alone_until_it_can_be_written_to() {
    let mut outbound = outbound(1);
    outbound.handle_blocked(id(0), NOW);
    outbound.mail(id(0), &[b"psst\n"]).unwrap();
    outbound.broadcast(&[b"hi\n"]);
    assert!(flush(&mut outbound).is_empty());
    assert!(!outbound.has_work(), "nothing to try");
    assert_eq!(outbound.stall_deadline(id(0)), Some(NOW + LIMITS.stall_timeout));
    outbound.handle_writable(id(0));
    assert_eq!(outbound.stall_deadline(id(0)), None);
    assert_eq!(flush(&mut outbound), [0]);
}

/// Seven clients, so many of which took `taken` bytes and no more, and are a whole ring behind. The
/// others have read everything.
fn lagging_crowd(lagging: u32, taken: usize) -> Outbound {
    let limits = Limits { log_bytes: 1 << 20, out_budget: 1 << 20, ..LIMITS };
    let mut outbound = Outbound::new(limits);
    for key in 0..7 {
        outbound.connect(id(key));
        outbound.follow(id(key));
    }
    outbound.broadcast(&[&vec![b'x'; 128 << 10]]);
    for key in 0..lagging {
        outbound.handle_written(id(key), taken, NOW);
        outbound.handle_blocked(id(key), NOW);
    }
    outbound.broadcast(&[&vec![b'x'; 900 << 10]]);
    (lagging..7).for_each(|key| outbound.handle_written(id(key), 1028 << 10, NOW));
    outbound.begin_flush();
    outbound
}

#[test]
fn a_crowd_that_lags_but_reads_holds_the_talkers_and_is_dropped_in_the_end() {
    let mut outbound = lagging_crowd(3, 64 << 10);
    let mut now = NOW;
    assert_eq!(outbound.handle_crowd(now), []);
    assert!(!outbound.has_room() && outbound.is_paused());
    while outbound.is_paused() {
        now = outbound.crowd_deadline().unwrap();
        assert!(now < NOW + Duration::from_secs(6));
        for key in 0..3 {
            outbound.boxes.get_mut(id(key)).unwrap().note_progress(64 << 10, now);
        }
        let dropped = outbound.handle_crowd(now);
        assert_eq!(dropped.is_empty(), outbound.is_paused());
    }
    assert_eq!(now, NOW + Duration::from_secs(5));
}

#[test]
fn a_steady_rate_is_judged_alike_at_every_moment() {
    for (bytes, enough) in [(700, true), (600, false)] {
        let mut outbox = Outbox::new();
        outbox.block(NOW);
        for hundredth in 0..1000 {
            let now = NOW + Duration::from_millis(10 * hundredth);
            outbox.note_progress(bytes, now);
            assert!(hundredth < 100 || outbox.makes_progress(now) == enough, "{now:?}");
        }
        assert!(!outbox.makes_progress(NOW + Duration::from_secs(12)));
    }
}

#[test]
fn a_room_of_which_most_are_slow_is_waited_for_as_long_as_they_read() {
    let mut outbound = lagging_crowd(4, 64 << 10);
    assert_eq!(outbound.handle_crowd(NOW), []);
    while outbound.crowd_deadline().unwrap() < NOW + Duration::from_secs(30) {
        let now = outbound.crowd_deadline().unwrap();
        for key in 0..4 {
            outbound.boxes.get_mut(id(key)).unwrap().note_progress(64 << 10, now);
        }
        assert_eq!(outbound.handle_crowd(now), []);
    }
}

#[test]
fn who_took_all_that_it_was_given_waits_for_the_server_and_is_waited_for() {
    let mut outbound = lagging_crowd(3, 1);
    (0..3).for_each(|key| outbound.handle_writable(id(key)));
    let later = NOW + Duration::from_secs(10);
    assert_eq!(outbound.handle_crowd(later), []);
    assert!(outbound.is_paused());
}

#[test]
fn a_coalition_of_stallers_holds_nobody() {
    for stallers in [3, 7] {
        let mut outbound = lagging_crowd(stallers, (64 << 10) - 1);
        assert_eq!(outbound.handle_crowd(NOW), []);
        assert!(!outbound.is_paused());
    }
}

#[test]
fn a_crowd_that_begins_to_read_is_seen_when_much_was_said_since_the_last_look() {
    let mut outbound = lagging_crowd(3, (64 << 10) - 1);
    outbound.handle_crowd(NOW);
    (0..3).for_each(|key| outbound.handle_written(id(key), 1, NOW));
    outbound.handle_crowd(NOW);
    assert!(!outbound.is_paused(), "they were looked at just now");
    outbound.broadcast(&[&vec![b'x'; 60 << 10]]);
    assert_eq!(outbound.handle_crowd(NOW), []);
    assert!(outbound.is_paused());
}

#[test]
fn talk_goes_on_when_the_crowd_has_caught_up() {
    let mut outbound = lagging_crowd(3, 64 << 10);
    outbound.handle_crowd(NOW);
    assert!(outbound.is_paused());
    outbound.handle_written(id(0), 500 << 10, NOW);
    assert_eq!(outbound.handle_crowd(NOW), []);
    assert!(!outbound.is_paused() && outbound.has_room());
}
