//! Who may write to the screen: the printer prints only while a line is being typed, because only
//! then the editor moves that line out of the way, and keeps what is printed in its order.
//!
//! The printer hands a batch to the editor, which draws it when it next waits for a key. Until then
//! the batch is on its way, and the printer hands over no other: so handing over never blocks for
//! long, and whoever closes the gate can wait until nobody is in it. When the gate is closed,
//! nothing is written but by the one who closed it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long closing waits for a printer that is handing over. It is in there for microseconds,
/// unless the editor was slow to take the batch before; then it writes nothing to the screen.
const HANDOVER_PATIENCE: Duration = Duration::from_millis(100);

/// Closed to begin with.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// The printer is handing over.
    entered: bool,
    /// A batch is on its way to the screen.
    on_its_way: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    Open,
    /// There is no editor any more that could draw anything.
    Finished,
}

impl Gate {
    /// Lets the printer in, now or when it comes.
    pub(super) fn open(&self) {
        let was = std::mem::replace(&mut self.lock().phase, Phase::Open);
        if was != Phase::Open {
            self.changed.notify_all();
        }
    }

    /// Lets nobody in from now on, and waits until nobody is in.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.phase = Phase::Closed;
        let waited =
            self.changed.wait_timeout_while(state, HANDOVER_PATIENCE, |state| state.entered);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// The editor has drawn something: what was on its way may have arrived.
    pub(super) fn drawn(&self) {
        let was_on_its_way = std::mem::take(&mut self.lock().on_its_way);
        if was_on_its_way {
            self.changed.notify_all();
        }
    }

    /// There is no editor any more: whoever comes may write at once.
    pub(super) fn finish(&self) {
        self.lock().phase = Phase::Finished;
        self.changed.notify_all();
    }

    /// Waits until the gate is open and nothing is on its way, and hands over.
    pub(super) fn pass(&self, hand_over: impl FnOnce()) {
        let waits = |state: &mut State| match state.phase {
            Phase::Closed => true,
            Phase::Open => state.on_its_way,
            Phase::Finished => false,
        };
        let waited = self.changed.wait_while(self.lock(), waits);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.entered = true;
        state.on_its_way = true;
        drop(state);
        hand_over();
        self.lock().entered = false;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, TryRecvError, channel};
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A printer that hands over so many times, and what it says each time.
    fn printer(gate: &Arc<Gate>, times: usize) -> (JoinHandle<()>, Receiver<usize>) {
        let (tell, told) = channel();
        let gate = Arc::clone(gate);
        let printer = thread::spawn(move || {
            for time in 0..times {
                gate.pass(|| tell.send(time).unwrap());
            }
        });
        (printer, told)
    }

    #[test]
    fn who_comes_to_a_closed_gate_passes_when_it_opens() {
        let gate = Arc::new(Gate::default());
        let (printer, told) = printer(&gate, 1);
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
        gate.open();
        assert_eq!(told.recv(), Ok(0));
        printer.join().unwrap();
    }

    #[test]
    fn the_next_batch_waits_until_the_last_is_drawn() {
        let gate = Arc::new(Gate::default());
        gate.open();
        let (printer, told) = printer(&gate, 3);
        assert_eq!(told.recv(), Ok(0));
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
        gate.drawn();
        assert_eq!(told.recv(), Ok(1));
        gate.close();
        gate.drawn();
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty), "it is closed");
        gate.finish();
        assert_eq!(told.recv(), Ok(2));
        printer.join().unwrap();
    }

    #[test]
    fn closing_waits_for_who_is_within() {
        let gate = Arc::new(Gate::default());
        gate.open();
        let (enter, entered) = channel();
        let (leave, left) = channel::<()>();
        let printer = thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                gate.pass(|| {
                    enter.send(()).unwrap();
                    left.recv().unwrap();
                });
            }
        });
        entered.recv().unwrap();
        let closer = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.close()
        });
        leave.send(()).unwrap();
        closer.join().unwrap();
        printer.join().unwrap();
        assert!(!gate.lock().entered);
    }
}
