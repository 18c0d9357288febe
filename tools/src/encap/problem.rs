//! What is wrong with a file, all of it at once.

use std::fmt;

use crate::visible;

/// How many problems are told one by one.
const MAX_TOLD: usize = 100;

/// Something is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the file, from 1.
    pub line: u64,
    /// The column by the name that it has in the file, or `row`.
    pub column: String,
    /// What is wrong, and what would do.
    pub what: String,
}

/// All problems of a file: the first of them, and how many there are.
#[derive(Debug)]
pub struct Problems {
    file: String,
    first: Vec<Problem>,
    count: u64,
}

impl Problems {
    /// None yet. `file` is what the user calls it.
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), first: Vec::new(), count: 0 }
    }

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.count += 1;
        if self.first.len() < MAX_TOLD {
            self.first.push(problem);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for Problems {
    /// One line each: `file:line: column: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Problem { line, column, what } in &self.first {
            let column = visible::text(column.as_bytes(), MAX_QUOTED);
            writeln!(f, "{}:{line}: {column}: {}", self.file, visible::whole(what))?;
        }
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "{}: and {more} more", self.file),
        }
    }
}

/// How many characters of a file are quoted.
const MAX_QUOTED: usize = 40;

/// What a file said, for a message: harmless, and not too long.
pub fn quote(bytes: &[u8]) -> String {
    format!("'{}'", visible::text(bytes, MAX_QUOTED))
}
