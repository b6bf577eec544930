//! What the runs before this one left behind.

use super::LockedStore;
use crate::state::error::Error;
use crate::state::lock::Holder;

impl LockedStore {
    /// The run before, if it was killed before it let go of the state.
    #[must_use]
    pub fn died(&self) -> Option<&Holder> {
        self.lock.died()
    }

    /// Which revision that run was returning to.
    #[must_use]
    pub fn died_returning_to(&self) -> Option<u64> {
        self.lock.died_returning_to()
    }

    /// Whether a run before did something, or may have, and came to no end: what is applied is no revision.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        self.unfinished
    }

    /// Notes which revision this run returns to, for the next one if this is killed.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn returns_to(&mut self, serial: u64) -> Result<(), Error> {
        self.lock.returns_to(serial)
    }
}
