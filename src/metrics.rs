//! Counters: plain integers that the loop owns, named once, readable at any turn.

use std::fmt;

/// Declares the counters once: the field, its name in the report, and what it counts.
macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// What has happened since the server started. Each counter only grows.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Every counter with its name, in the order of their declaration.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted,
    /// Connections closed, for whatever reason.
    closed,
    /// Connections refused: server full, address full, or too many without a name.
    refused,
    /// Logins.
    logins,
    /// Lines taken from clients.
    lines,
    /// Broadcasts by clients.
    broadcasts,
    /// Private messages taken.
    private_messages,
    /// Private messages refused for want of room in a mailbox.
    undelivered,
    /// Notices dropped for want of room in a mailbox.
    answers_dropped,
    /// Slow consumers: clients aborted because the log lapped them.
    lapped,
    /// Clients aborted with a crowd that lagged for too long.
    crowd_dropped,
    /// Clients aborted because they accepted nothing for the stall time-out.
    stalled,
    /// Connections that failed: reset by the peer, or timed out.
    failed,
    /// Times that the crowd made the talkers wait.
    crowd_pauses,
    /// Times that accept failed for want of a descriptor or of memory.
    accept_failures,
    /// Connections that a capture does not have, or not to their end.
    uncaptured,
}

impl fmt::Display for Counters {
    /// `name=value`, separated by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_told_by_its_name() {
        let counters = Counters { accepted: 3, uncaptured: 1, ..Counters::default() };
        let report = counters.to_string();
        assert!(report.starts_with("accepted=3 closed=0 "), "{report}");
        assert!(report.ends_with(" uncaptured=1"), "{report}");
    }
}
