//! What the histories really came to: a generator that reaches nothing proves nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

static REACHED: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// What every run of the suite has to come to, the slice included.
pub(crate) const CLASSES: [&str; 24] = [
    "adoption",
    "answer that never came",
    "claim let go by consent",
    "clean apply",
    "crash before the first write",
    "crash between first and last write",
    "crash, and the journal settled",
    "delete",
    "destroy",
    "fault that struck",
    "forgotten",
    "implicit or said move",
    "import",
    "kept",
    "lock held by another",
    "made anew after a delete outside",
    "meddling during a command",
    "replace",
    "rollback",
    "second apply without a write",
    "state mv",
    "state rm",
    "taken back from another manager",
    "update",
];

/// Counts.
pub(crate) fn reached(class: &'static str, times: u64) {
    assert!(CLASSES.contains(&class), "{class} is not in the list");
    if times > 0 {
        *REACHED.lock().unwrap_or_else(PoisonError::into_inner).entry(class).or_default() += times;
    }
}

/// Prints all counts; the classes that were never reached.
pub(crate) fn tell() -> Vec<&'static str> {
    let counts = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
    for (class, count) in &*counts {
        println!("{count:>7}  {class}");
    }
    CLASSES.into_iter().filter(|class| !counts.contains_key(class)).collect()
}
