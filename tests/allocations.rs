//! What everyone is told and reads takes no memory anew: the one copy of it is in the log.

use allocation_counter::measure;
use hubbub::chat::Step;

use super::room::{ASCII, HEBREW, Room};

const LISTENERS: u32 = 100;

/// How often something is allocated.
fn allocations(run: impl FnOnce()) -> u64 {
    measure(run).count_total
}

#[test]
fn a_broadcast_that_is_delivered_allocates_nothing() {
    let mut room = Room::of(LISTENERS);
    for line in [ASCII, HEBREW] {
        // The first may still find a queue to be made.
        let _ = room.say(line);
        room.deliver();
        for _ in 0..10 {
            let (mut step, mut bytes) = (Step::Close, 0);
            let said = allocations(|| step = room.say(line));
            let delivered = allocations(|| bytes = room.deliver());
            assert_eq!((step, said, delivered), (Step::Next, 0, 0), "{line:?}");
            assert!(bytes > line.len() * LISTENERS as usize, "only {bytes} bytes were delivered");
        }
    }
}

#[test]
fn a_private_line_to_a_name_of_ascii_allocates_nothing_but_what_waits() {
    let mut room = Room::of(1);
    // To nobody: the notice that says so waits in the mailbox, as any other answer does.
    let [_, nobody, help] = ["list", "@NOBODY_WHOSE_NAME_HAS_32_LETTERS hi", "help"].map(|line| {
        let line = format!("{line}\n");
        let _ = room.say(line.as_bytes());
        room.deliver();
        let (mut step, said) = (Step::Close, room.say(line.as_bytes()));
        room.deliver();
        let count = allocations(|| step = room.say(line.as_bytes()));
        assert_eq!((said, step), (Step::Next, Step::Next));
        room.deliver();
        count
    });
    assert_eq!(nobody, help);
}

#[test]
fn an_allocation_would_be_seen() {
    assert!(allocations(|| drop(Room::of(1))) > 0);
}
