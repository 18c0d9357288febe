//! Output: one slice of a sweep in each turn, one vectored write for most clients in it.

use std::io;

use super::connection::{Death, Phase, Wait};
use super::platform::Platform;
use super::server::Server;
use crate::outbound::ClientId;

impl<P: Platform> Server<P> {
    /// Writes to those whose turn it is.
    pub(super) fn flush(&mut self) {
        self.chat.outbound.begin_flush();
        while let Some(id) = self.chat.outbound.poll_flush() {
            self.write(id);
            self.after_write(id);
        }
    }

    /// Writes until nothing is due, the socket takes no more, or the turn is over. Says whether
    /// something is due and the socket took nothing.
    pub(super) fn write(&mut self, id: ClientId) -> bool {
        let mut budget = self.settings.out_budget;
        while budget > 0 {
            let Some(connection) = self.connections.get_mut(id) else { return false };
            if connection.doomed {
                return false;
            }
            let Ok(batch) = self.chat.outbound.batch(id, budget) else {
                self.doom(id, Death::Lapped);
                return false;
            };
            if batch.is_empty() {
                return false;
            }
            match self.platform.write_vectored(&mut connection.socket, batch.slices()) {
                Ok(0) => {
                    self.doom(id, Death::Failed);
                    return false;
                }
                Ok(count) => {
                    budget -= count;
                    self.chat.outbound.handle_written(id, count);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.chat.outbound.handle_blocked(id, self.now);
                        self.arm_stall(id);
                        return budget == self.settings.out_budget;
                    }
                    io::ErrorKind::Interrupted => {}
                    _ => {
                        self.doom(id, Death::Failed);
                        return false;
                    }
                },
            }
        }
        self.chat.outbound.enqueue(id);
        false
    }

    /// What a write makes possible: the end of a connection, or its next line.
    pub(super) fn after_write(&mut self, id: ClientId) {
        let Some(connection) = self.connection(id) else { return };
        let (phase, wait) = (connection.phase, connection.wait);
        if phase == Phase::Draining && self.chat.outbound.is_finished(id) {
            self.half_close(id);
        } else if wait == Wait::Mailbox && !self.chat.outbound.is_clogged(id) {
            self.resume(id, Wait::Mailbox);
        }
    }
}
