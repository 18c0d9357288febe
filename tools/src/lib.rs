//! Hubbub's tools as a library, so that tests and fuzzers can call what `main` calls.

pub mod analyze;
pub mod curves;
pub mod dissector;
pub mod encap;
pub mod files;
pub mod layers;
pub mod page;
pub mod units;
pub mod visible;
