//! What is wrong with a file, all of it at once.

use std::fmt;

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
            writeln!(f, "{}:{line}: {column}: {what}", self.file)?;
        }
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "{}: and {more} more", self.file),
        }
    }
}

/// What a file said, for a message: without control characters, and not too long.
pub fn quote(bytes: &[u8]) -> String {
    const MAX_CHARS: usize = 40;
    let text = String::from_utf8_lossy(bytes);
    let mut quoted: String = text.chars().take(MAX_CHARS).map(visible).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        quoted.push('…');
    }
    format!("'{quoted}'")
}

fn visible(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}
