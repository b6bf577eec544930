//! What is to be looked at, now and later; each once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Part;
use crate::sandbox::storage::Key;

/// One object for one stand-in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Work {
    pub(super) part: Part,
    pub(super) key: Key,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queue {
    now: BTreeSet<Work>,
    later: BTreeMap<Work, Instant>,
}

impl Queue {
    pub(super) fn add(&mut self, work: Work) {
        self.later.remove(&work);
        self.now.insert(work);
    }

    /// Adds after some time, unless it comes up before.
    pub(super) fn add_later(&mut self, work: Work, after: Duration) {
        if self.now.contains(&work) {
            return;
        }
        let at = Instant::now() + after;
        let due = self.later.entry(work).or_insert(at);
        *due = at.min(*due);
    }

    /// The next ones, at most `number`.
    pub(super) fn take(&mut self, number: usize) -> Vec<Work> {
        let now = Instant::now();
        let due: Vec<Work> =
            self.later.iter().filter(|(_, at)| **at <= now).map(|(work, _)| work.clone()).collect();
        for work in due {
            self.add(work);
        }
        let mut taken = Vec::new();
        while taken.len() < number
            && let Some(work) = self.now.pop_first()
        {
            taken.push(work);
        }
        taken
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.later.values().min().copied()
    }
}
