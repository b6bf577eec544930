//! What the engine says while it applies: the one stream that progress, JSON and tests read.
//!
//! *Invariants:* each change gets exactly one terminal event; texts passed the secret filter already.

use std::time::Duration;

use serde::Serialize;

use crate::address::Address;
use crate::plan::Action;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Time since the start of the run.
    pub elapsed: Duration,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum EventKind {
    /// The run starts with this many changes to make or wait for.
    Started {
        /// Number of changes.
        total: usize,
    },
    /// A change's own dependencies are done, and it starts.
    ChangeStarted {
        /// Whose.
        address: Address,
        /// What is done.
        action: Action,
        /// Median duration of earlier runs, if known.
        usual: Option<Duration>,
    },
    /// The server accepted the write; readiness is awaited now.
    Written {
        /// Whose.
        address: Address,
    },
    /// What a running change waits for now.
    Waiting {
        /// Whose.
        address: Address,
        /// One line.
        what: String,
    },
    /// A change is done.
    Done {
        /// Whose.
        address: Address,
        /// What was done.
        action: Action,
        /// How long it took.
        took: Duration,
        /// A detail worth a word: revision, `Bound`, `accepted, readiness not waited for`.
        detail: Option<String>,
    },
    /// A change failed.
    Failed {
        /// Whose.
        address: Address,
        /// What was to be done.
        action: Action,
        /// How long it took.
        took: Duration,
        /// What failed and why, outermost first, one line each.
        lines: Vec<String>,
    },
    /// A change was not started.
    Skipped {
        /// Whose.
        address: Address,
        /// Whose failure is the cause.
        cause: Address,
    },
    /// The run was interrupted before this change, or while it waited.
    Interrupted {
        /// Whose.
        address: Address,
        /// Whether the write was made.
        written: bool,
        /// Whether a request went out that was not answered: it may have been done or not.
        in_doubt: bool,
    },
    /// Asked to stop: nothing new starts.
    Stopping,
    /// A request is repeated because of this.
    Retrying {
        /// Whose.
        address: Address,
        /// Why.
        why: String,
        /// After which pause.
        pause: Duration,
    },
    /// The run is over.
    Finished {
        /// How it ended.
        summary: Summary,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Done, no-op changes that were waited for included.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped because of a failure.
    pub skipped: usize,
    /// Not started or not waited for because of an interrupt, or not known to have been done.
    pub interrupted: usize,
    /// Of those: how many sent a request that was not answered.
    pub in_doubt: usize,
    /// Of those: how many sent none.
    pub not_started: usize,
    /// Serial of the state now.
    pub serial: u64,
}
