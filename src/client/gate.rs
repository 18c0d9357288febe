//! Who has the screen: the printer prints only while a line is being typed, because only then the
//! editor moves that line out of the way, and keeps what is printed in its order.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Closed to begin with.
#[derive(Debug, Default)]
pub(super) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Lets through who waits, and who comes.
    pub(super) fn open(&self) {
        let was_open = std::mem::replace(&mut *self.lock(), true);
        if !was_open {
            self.opened.notify_all();
        }
    }

    /// Lets nobody through from now on. Who is through is not waited for: they may be waiting for
    /// the one who closes.
    pub(super) fn close(&self) {
        *self.lock() = false;
    }

    /// Waits until the gate is open.
    pub(super) fn pass(&self) {
        let waited = self.opened.wait_while(self.lock(), |open| !*open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{TryRecvError, channel};
    use std::thread;

    use super::*;

    #[test]
    fn who_comes_to_a_closed_gate_passes_when_it_opens() {
        let gate = Arc::new(Gate::default());
        let (tell, told) = channel();
        let visitor = thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                gate.pass();
                tell.send(()).unwrap();
            }
        });
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
        gate.open();
        told.recv().unwrap();
        visitor.join().unwrap();
        gate.pass();
        gate.close();
        gate.open();
        gate.pass();
    }
}
