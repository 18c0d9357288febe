use super::*;

const LIMITS: Limits = Limits {
    log_bytes: 4096,
    mailbox_bytes: 256,
    mailbox_total: 1024,
    out_budget: 256,
    flush_slice: 2,
    stall_timeout: Duration::from_secs(90),
    min_rate: RATE,
};
const RATE: u32 = 64 << 10;
const NOW: Duration = Duration::from_secs(1000);

fn id(key: u32) -> ClientId {
    ClientId { key, generation: key + 100 }
}

fn outbound(clients: u32) -> Outbound {
    let mut outbound = Outbound::new(LIMITS).unwrap();
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
    outbound.handle_written(id, bytes.len());
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
fn what_is_written_in_one_turn_is_bounded_in_bytes() {
    let limits = Limits { log_bytes: 8 << 20, out_budget: 8 << 20, flush_slice: 100, ..LIMITS };
    let mut outbound = Outbound::new(limits).unwrap();
    for key in 0..12 {
        outbound.connect(id(key));
        outbound.follow(id(key));
    }
    outbound.broadcast(&[&vec![b'x'; 1 << 20]]);
    for key in 0..6 {
        outbound.answer(id(key), &[b"an answer"]).unwrap();
    }
    let mut served = Vec::new();
    for in_this_turn in [4 + 4, 4, 0] {
        outbound.begin_flush();
        let before = served.len();
        while let Some(id) = outbound.poll_flush() {
            let batch = outbound.batch(id, limits.out_budget).unwrap().len();
            outbound.handle_written(id, batch);
            // The pass may have written to somebody before its mail had its turn.
            served.extend((batch > 0).then_some(id.key));
        }
        assert_eq!(served.len() - before, in_this_turn);
    }
    assert_eq!(served[..4], [0, 1, 2, 3], "those with mail go first");
    served.sort_unstable();
    assert_eq!(served, (0..12).collect::<Vec<_>>());
    assert!(!outbound.has_work());
}

#[test]
fn what_may_be_appended_between_two_sweeps_is_bounded() {
    let mut outbound = outbound(3);
    outbound.broadcast(&[&[b'x'; 255]]);
    assert!(outbound.has_room(true));
    outbound.broadcast(&[b"y"]);
    assert!(!outbound.has_room(true));
    flush(&mut outbound);
    assert!(outbound.has_room(true), "a new round began");
}

#[test]
fn a_mailbox_is_bounded_and_half_of_it_makes_its_client_wait() {
    let mut outbound = outbound(1);
    let note = size_of::<mailbox::Letter>();
    assert_eq!(outbound.mail(id(0), &[&[b'x'; 257]]), Err(MailError::Full));
    outbound.mail(id(0), &[b"first"]).unwrap();
    outbound.broadcast(&[b"hi\n"]);
    outbound.mail(id(0), &[&vec![b'x'; 128 - "first".len() - 2 * note]]).unwrap();
    assert!(!outbound.is_clogged(id(0)), "the notes of two letters make it half full");
    outbound.mail(id(0), &[b"x"]).unwrap();
    assert!(outbound.is_clogged(id(0)));
    outbound.mail(id(0), &[&[b'x'; 127]]).unwrap();
    assert_eq!(outbound.mail(id(0), &[b"x"]), Err(MailError::Full));
    outbound.disconnect(id(0));
    assert_eq!(outbound.mail(id(0), &[b"x"]), Err(MailError::Gone));
    assert_eq!(outbound.mail_bytes(), 0);
}

/// Clients that share the memory for mailboxes, of which each may have a quarter.
fn hoarders(clients: u32) -> Outbound {
    let limits = Limits { mailbox_bytes: 2048, mailbox_total: 8192, ..LIMITS };
    let mut outbound = Outbound::new(limits).unwrap();
    (0..clients).for_each(|key| outbound.connect(id(key)));
    outbound
}

/// Fills the mailboxes of clients until no more is taken; how much they have allocated then.
fn fill_mailboxes(outbound: &mut Outbound, clients: std::ops::Range<u32>) -> usize {
    for key in clients {
        while outbound.mail(id(key), &[&[b'x'; 16]]).is_ok() {}
    }
    outbound.mail_bytes()
}

#[test]
fn those_who_fill_their_mailboxes_leave_everyone_else_a_share() {
    let mut outbound = hoarders(8);
    let hoarded = fill_mailboxes(&mut outbound, 0..4);
    assert!((4096..=6144).contains(&hoarded), "{hoarded}");
    for key in 4..8 {
        outbound.mail(id(key), &[b"a private line"]).unwrap();
        assert!(outbound.is_clogged(id(key)), "its own lines wait until it has read it");
    }
    let full = fill_mailboxes(&mut outbound, 4..8);
    assert!(full <= 8192, "{full}");
}

#[test]
fn the_servers_first_words_reach_everyone_even_when_all_mailboxes_are_full() {
    let mut outbound = hoarders(99);
    fill_mailboxes(&mut outbound, 0..98);
    assert_eq!(outbound.mail(id(98), &[b"psst"]), Err(MailError::Full));
    outbound.answer(id(98), &[b"the server's word"]).unwrap();
    outbound.answer(id(98), &[&[b'x'; 900]]).unwrap();
    assert_eq!(outbound.answer(id(98), &[&[b'x'; 200]]), Err(MailError::Full));
}

#[test]
fn what_is_counted_of_mailboxes_is_what_they_have_allocated() {
    let mut outbound = outbound(4);
    for round in 0..200_usize {
        let key = u32::try_from(round % 4).unwrap();
        let _ = outbound.mail(id(key), &[&vec![b'x'; round % 60 + 1]]);
        if round % 3 == 0 {
            outbound.broadcast(&[b"hi\n"]);
        }
        write(&mut outbound, id(key), round % 90);
        let allocated: usize = outbound.boxes.iter().map(|(_, o)| o.mail_allocated()).sum();
        assert_eq!(outbound.mail_bytes(), allocated);
    }
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
    assert!(outbound.handle_backpressure(NOW).is_empty());
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
    outbound.handle_writable(id(0), NOW);
    assert_eq!(outbound.stall_deadline(id(0)), None);
    assert_eq!(flush(&mut outbound), [0]);
}

/// A log of a MiB that seven clients follow; so many of them take nothing for now and are behind.
/// The others have read everything.
fn with_behind(behind: u32) -> Outbound {
    let limits = Limits { log_bytes: 1 << 20, out_budget: 1 << 20, ..LIMITS };
    let mut outbound = Outbound::new(limits).unwrap();
    for key in 0..7 {
        outbound.connect(id(key));
        outbound.follow(id(key));
    }
    (0..behind).for_each(|key| outbound.handle_blocked(id(key), NOW));
    outbound.broadcast(&[&vec![b'x'; 600 << 10]]);
    (behind..7).for_each(|key| outbound.handle_written(id(key), 600 << 10));
    outbound.begin_flush();
    outbound
}

/// Time passes, in tenths of a second; in each, so many clients take so much. Whether talkers could
/// say what they had to, and who was dropped, at the end of each tenth.
fn pass(
    outbound: &mut Outbound,
    tenths: u64,
    clients: u32,
    taken: usize,
    line: usize,
) -> (usize, Vec<(u64, ClientId)>) {
    let (mut said, mut dropped) = (0, Vec::new());
    for tenth in 1..=tenths {
        let now = NOW + Duration::from_millis(100 * tenth);
        for key in 0..clients {
            outbound.handle_writable(id(key), now);
            let batch = outbound.batch(id(key), taken).expect("not lapped").len();
            outbound.handle_written(id(key), batch);
            outbound.handle_blocked(id(key), now);
        }
        dropped.extend(outbound.handle_backpressure(now).into_iter().map(|id| (tenth, id)));
        while outbound.has_room(false) {
            outbound.broadcast(&[&vec![b'x'; line]]);
            said += line;
            (clients..7).for_each(|key| outbound.handle_written(id(key), line));
        }
        while outbound.poll_flush().is_some() {}
        outbound.begin_flush();
    }
    (said, dropped)
}

#[test]
fn one_reader_who_keeps_up_the_minimum_rate_is_waited_for_and_never_dropped() {
    for clients in [1, 7] {
        let mut outbound = with_behind(clients);
        let (said, dropped) = pass(&mut outbound, 600, clients, RATE as usize / 10, 1000);
        assert_eq!(dropped, []);
        let rate = said / 60;
        assert!((60 << 10..=66 << 10).contains(&rate), "{rate} bytes a second were said");
    }
}

#[test]
fn talk_follows_the_reader_who_is_behind() {
    let mut outbound = with_behind(1);
    let taken = 4 * RATE as usize / 10;
    let (said, dropped) = pass(&mut outbound, 300, 1, taken, 1000);
    assert_eq!(dropped, []);
    let rate = said / 30;
    assert!((240 << 10..=280 << 10).contains(&rate), "{rate} bytes a second were said");
}

#[test]
fn who_reads_nothing_is_waited_for_no_longer_than_a_second() {
    let mut outbound = with_behind(7);
    assert_eq!(outbound.handle_backpressure(NOW), []);
    assert!(outbound.is_holding() && !outbound.has_room(false));
    let at = |ms| NOW + Duration::from_millis(ms);
    assert_eq!(outbound.handle_backpressure(at(900)), []);
    assert!(outbound.is_holding());
    assert_eq!(outbound.handle_backpressure(at(1000)), []);
    assert!(!outbound.is_holding() && outbound.has_room(false));
    let everyone: Vec<ClientId> = (0..7).map(id).collect();
    assert_eq!(outbound.handle_backpressure(at(9999)), []);
    assert_eq!(outbound.handle_backpressure(at(10_099)), everyone, "however many they are");
}

#[test]
fn who_reads_below_the_minimum_rate_for_long_is_dropped_however_many_they_are() {
    let mut outbound = with_behind(4);
    // Nothing more is said, so nobody is overrun meanwhile.
    let (mut dropped, mut tenth) = (Vec::new(), 0);
    while dropped.is_empty() {
        tenth += 1;
        let now = NOW + Duration::from_millis(100 * tenth);
        for key in 0..4 {
            outbound.handle_writable(id(key), now);
            outbound.handle_written(id(key), RATE as usize / 10 / 100);
            outbound.handle_blocked(id(key), now);
        }
        dropped = outbound.handle_backpressure(now);
    }
    assert_eq!(dropped, (0..4).map(id).collect::<Vec<_>>());
    assert!((100..=103).contains(&tenth), "after {tenth} tenths of a second");
}

#[test]
fn who_took_all_that_it_was_given_waits_for_the_server_and_is_waited_for() {
    let mut outbound = with_behind(3);
    let later = NOW + Duration::from_secs(60);
    (0..3).for_each(|key| outbound.handle_writable(id(key), later));
    assert_eq!(outbound.handle_backpressure(later), []);
    assert!(outbound.is_holding());
}

#[test]
fn time_in_which_the_server_was_frozen_makes_nobody_slow() {
    let mut outbound = with_behind(3);
    let later = NOW + Duration::from_secs(60);
    outbound.handle_gap(later);
    assert_eq!(outbound.handle_backpressure(later), []);
    assert!(outbound.is_holding(), "they are waited for as if no time had passed");
}

#[test]
fn who_hoards_mail_and_hardly_reads_is_dropped_when_mailboxes_are_scarce() {
    let mut outbound = hoarders(8);
    fill_mailboxes(&mut outbound, 0..4);
    (0..8).for_each(|key| outbound.handle_blocked(id(key), NOW));
    outbound.mail(id(7), &[b"psst"]).unwrap();
    assert_eq!(outbound.handle_backpressure(NOW + Duration::from_secs(9)), []);
    let dropped = outbound.handle_backpressure(NOW + Duration::from_secs(11));
    assert!(!dropped.is_empty() && dropped.iter().all(|id| id.key < 4), "{dropped:?}");
    for id in dropped {
        outbound.disconnect(id);
    }
    assert!(!outbound.is_mail_scarce());
    assert_eq!(outbound.handle_backpressure(NOW + Duration::from_secs(30)), []);
}

#[test]
fn talkers_who_wait_get_equal_parts_of_the_room_however_long_their_lines_are() {
    let mut outbound = outbound(3);
    let mut said = [0; 3];
    for (talker, line) in [(0, 1), (1, 30), (2, 100)] {
        outbound.begin_share(3 - talker);
        while outbound.has_room(false) {
            outbound.broadcast(&[&vec![b'x'; line]]);
            said[talker] += line;
        }
    }
    outbound.end_share();
    assert_eq!(said[0], 64, "a third of three quarters of 256 bytes");
    assert!(said[1] >= 64 && said[1] < 64 + 30 && said[2] == 100, "{said:?}");
    assert!(!outbound.has_room(false) && outbound.has_room(true), "a reserve is left");
}
