//! What is wrong with a configuration.

use std::fmt;

/// Where a value was said, in the order in which problems are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// On the command line.
    CommandLine,
    /// In the file, on this line; the first is 1.
    Line(usize),
}

/// Everything that is wrong with a configuration: at least one line, each a problem that says
/// where it is, what it is, and what would work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<String>);

impl Problems {
    /// The problems, in order: the command line first, then the file from its top.
    pub(super) fn in_order(mut problems: Vec<(Origin, String)>) -> Self {
        problems.sort_by_key(|&(origin, _)| origin);
        Self(problems.into_iter().map(|(_, line)| line).collect())
    }

    /// One line each, without a line end.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
