//! Finds the few steps of a long run that make it fail.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether it panics; nothing is printed.
pub fn panics(run: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result.is_err()
}

/// The steps, by number and in order, that are needed for `fails` to say so: first large parts are
/// left out, then smaller ones, until no single step can be.
pub fn shrunk(steps: usize, mut fails: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..steps).collect();
    let mut part = kept.len().div_ceil(2);
    while part > 0 {
        let before = kept.len();
        let mut from = 0;
        while from < kept.len() {
            let to = kept.len().min(from + part);
            let without = [&kept[..from], &kept[to..]].concat();
            if fails(&without) {
                kept = without;
            } else {
                from = to;
            }
        }
        // Steps that were needed before may not be any more.
        part = if part == 1 && kept.len() < before { 1 } else { part / 2 };
    }
    kept
}

#[test]
fn what_is_not_needed_is_left_out() {
    let needs = |needed: &[usize], kept: &[usize]| needed.iter().all(|step| kept.contains(step));
    assert_eq!(shrunk(300, |kept| needs(&[17, 18, 250], kept)), [17, 18, 250]);
    assert_eq!(shrunk(1, |kept| needs(&[0], kept)), [0]);
    assert!(shrunk(100, |_| true).is_empty());
}
