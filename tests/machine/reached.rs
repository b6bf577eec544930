//! What the histories really came to: a generator that reaches nothing proves nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::always::Ran;

static REACHED: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// What every run of the suite has to come to, the slice included.
pub(crate) const CLASSES: [&str; 26] = [
    "adoption",
    "answer that never came",
    "claim let go by consent",
    "clean apply",
    "contested object adopted",
    "crash at a failpoint",
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

/// The classes that were not reached yet.
pub(crate) fn missing() -> Vec<&'static str> {
    let counts = REACHED.lock().unwrap_or_else(PoisonError::into_inner);
    CLASSES.into_iter().filter(|class| !counts.contains_key(class)).collect()
}

/// Prints all counts.
pub(crate) fn tell() {
    for (class, count) in &*REACHED.lock().unwrap_or_else(PoisonError::into_inner) {
        println!("{count:>7}  {class}");
    }
}

/// Counts what a plan was about.
pub(crate) fn count(ran: &Ran) {
    for (action, class) in [
        ("adopt", "adoption"),
        ("delete", "delete"),
        ("forget", "forgotten"),
        ("keep", "kept"),
        ("replace", "replace"),
        ("update", "update"),
    ] {
        reached(class, ran.count(action) as u64);
    }
    reached(
        "implicit or said move",
        ran.changes().filter(|change| change["moved_from"].is_string()).count() as u64,
    );
    let fields = ran.changes().flat_map(|change| change["fields"].as_array().into_iter().flatten());
    let back = fields
        .filter(|field| ["drift", "taken"].contains(&field["cause"]["is"].as_str().unwrap_or_default()));
    reached("taken back from another manager", back.count() as u64);
    let anew = ran.changes().filter(|change| change["reason"] == "deleted outside").count();
    reached("made anew after a delete outside", anew as u64);
}
