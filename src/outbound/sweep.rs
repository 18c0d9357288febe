//! The sweep: everyone's turn to be written what the log has.

/// The part of the room that is kept for those who said little lately: one in so many.
const RESERVED_ONE_IN: u64 = 4;

/// Goes over the slots, a slice in each turn, from where it stopped. A round ends when every slot
/// was seen; whoever takes what it gets has then read all that stood in the log when it began.
#[derive(Debug)]
pub(super) struct Sweep {
    slice: usize,
    /// How much may be appended between the starts of two rounds, in bytes: little enough that
    /// one turn of a client catches up with it.
    room: u64,
    /// The same for those who do not find the reserve.
    common: u64,
    position: usize,
    /// How many slots there were when this round began.
    slots: usize,
    left: usize,
    served: usize,
    /// Whether this turn's slice has begun.
    begun: bool,
    /// The end of the log when this round began.
    from: u64,
}

impl Sweep {
    pub(super) fn new(slice: usize, room: usize) -> Self {
        let slice = if slice == 0 { usize::MAX } else { slice };
        let room = room as u64;
        Self {
            slice,
            room,
            common: room - room / RESERVED_ONE_IN,
            position: 0,
            slots: 0,
            left: 0,
            served: 0,
            begun: false,
            from: 0,
        }
    }

    /// How many clients are served in one turn.
    pub(super) fn slice(&self) -> usize {
        self.slice
    }

    /// Whether more may be appended before the next round begins. A quarter is kept for those who
    /// said little lately (`rested`).
    pub(super) fn has_room(&self, end: u64, rested: bool) -> bool {
        end - self.from < if rested { self.room } else { self.common }
    }

    /// How much more those who do not find the reserve may append before the next round begins, in
    /// bytes.
    pub(super) fn room_left(&self, end: u64) -> u64 {
        self.common.saturating_sub(end - self.from)
    }

    /// Whether a round is under way, or has a reason to begin.
    pub(super) fn has_work(&self, end: u64) -> bool {
        self.left > 0 || end > self.from
    }

    pub(super) fn begin_turn(&mut self, end: u64, slots: usize) {
        self.served = 0;
        self.begun = false;
        if self.left == 0 && end > self.from {
            self.from = end;
            self.left = slots;
            // Slots that are added during the round are not in it: to go on through them would end
            // it before the first ones, and nothing may ever begin another.
            self.slots = slots;
        }
    }

    /// Begins this turn's slice; `false` when it was begun before.
    pub(super) fn begin_slice(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    /// The next slot to look at in this turn.
    pub(super) fn poll(&mut self) -> Option<usize> {
        if self.left == 0 || self.served == self.slice {
            return None;
        }
        self.left -= 1;
        self.position = if self.position + 1 < self.slots { self.position + 1 } else { 0 };
        Some(self.position)
    }

    /// The slot held somebody to write to.
    pub(super) fn served_one(&mut self) {
        self.served += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_log_begins_no_round() {
        let mut sweep = Sweep::new(2, 100);
        sweep.begin_turn(0, 5);
        assert_eq!((sweep.poll(), sweep.has_work(0)), (None, false));
        assert!(sweep.has_work(1));
    }

    #[test]
    fn a_round_that_is_under_way_gives_no_new_room() {
        let mut sweep = Sweep::new(1, 100);
        for (end, has_room) in [(90, true), (189, true), (190, false), (190, true)] {
            sweep.begin_turn(end, 3);
            assert_eq!(sweep.has_room(end, true), has_room, "{end}");
            if sweep.poll().is_some() {
                sweep.served_one();
            }
        }
    }

    #[test]
    fn a_quarter_of_the_room_is_kept_for_those_who_said_little() {
        let sweep = Sweep::new(1, 100);
        assert!(sweep.has_room(74, false) && !sweep.has_room(75, false));
        assert!(sweep.has_room(99, true) && !sweep.has_room(100, true));
        assert_eq!((sweep.room_left(70), sweep.room_left(80)), (5, 0));
    }
}
