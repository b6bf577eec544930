//! The state as one thing: read with its journal, opened under its lock, written as a whole.

mod load;
mod locked;
mod revisions;

use std::time::Duration;

pub use load::Snapshot;
pub use locked::{Committed, LockedStore};

use super::disk::Disk;
use super::error::Error;
use super::location::Location;
use super::lock::{Holder, LockWait};
use super::revision::{Recorded, Revision};
use super::salvage::Salvage;

/// Where a stack's state is kept. Opening it is the only way to it.
#[derive(Debug, Clone)]
pub struct Store {
    disk: Disk,
    location: Location,
    stack: String,
}

impl Store {
    /// The state of `stack` in files of `disk` at `location`.
    #[must_use]
    pub fn new(disk: Disk, location: Location, stack: impl Into<String>) -> Self {
        Self { disk, location, stack: stack.into() }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.location.state.display().to_string()
    }

    /// Makes sure that nobody holds the lock now. Makes no file.
    ///
    /// # Errors
    /// [`Error::Locked`], naming who does.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn check_unlocked(&self) -> Result<(), Error> {
        let path = self.location.lock();
        match super::lock::probe(&self.disk, &path) {
            Some(holder) => Err(Error::Locked { path, holder }),
            None => Ok(()),
        }
    }

    /// Where the state before the last change of it is, for people.
    #[must_use]
    pub fn backup_place(&self) -> String {
        self.location.previous().display().to_string()
    }

    /// Makes the key of the state's digests if there is none yet, so that digests made by a reader are known to
    /// whoever writes the state later.
    ///
    /// # Errors
    /// As [`Self::open_locked`]: whoever opens the state for writing makes the key.
    pub async fn keep_key(&self, holder: &Holder) -> Result<(), Error> {
        if load::has_key(&self.disk, &self.location)? {
            return Ok(());
        }
        match self.open_locked_now(holder, String::new).await {
            Err(Error::Locked { .. }) if load::has_key(&self.disk, &self.location)? => Ok(()),
            opened => opened.map(drop),
        }
    }

    /// Reads the state with what its journal adds. Writes nothing and takes no lock; a writer may be at work.
    /// `lineage` makes the lineage of a state that does not exist yet.
    ///
    /// # Errors
    /// When a file cannot be read, is damaged or newer, or belongs to another stack.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn open_read(&self, lineage: impl FnOnce() -> String + Send) -> Result<Snapshot, Error> {
        load::snapshot(&self.disk, &self.location, &self.stack, lineage)
    }

    /// Takes the lock, then reads the state; only what this returns can write. The lock is held until it is
    /// dropped.
    ///
    /// # Errors
    /// As [`Self::open_read`]; when the lock is held or cannot be had; when the folder cannot be written.
    pub async fn open_locked(
        &self,
        holder: &Holder,
        wait: LockWait<'_>,
        lineage: impl FnOnce() -> String + Send,
    ) -> Result<LockedStore, Error> {
        LockedStore::open(&self.disk, &self.location, &self.stack, holder, wait, lineage).await
    }

    /// As [`Self::open_locked`], without waiting for a lock that is held.
    ///
    /// # Errors
    /// As [`Self::open_locked`].
    pub async fn open_locked_now(
        &self,
        holder: &Holder,
        lineage: impl FnOnce() -> String + Send,
    ) -> Result<LockedStore, Error> {
        let wait = LockWait { timeout: Duration::ZERO, waiting: &mut |_| {} };
        self.open_locked(holder, wait, lineage).await
    }

    /// Takes the lock, then reads the files as far as they can be, damaged or not.
    ///
    /// # Errors
    /// A lock that is held or cannot be had; a file that the system does not let us read, that is newer, or that
    /// belongs to another stack.
    pub async fn salvage(&self, holder: &Holder, wait: LockWait<'_>) -> Result<Salvage, Error> {
        load::salvage(&self.disk, &self.location, &self.stack, holder, wait).await
    }

    /// The recorded revisions, oldest first; a damaged one is an error in its place.
    ///
    /// # Errors
    /// When the folder cannot be read.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn revisions(&self) -> Result<Vec<Recorded>, Error> {
        revisions::list(&self.disk, &self.location)
    }

    /// The revision recorded last; `None` if nothing was.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn latest_revision(&self) -> Result<Option<Revision>, Error> {
        revisions::latest(&self.disk, &self.location)
    }

    /// One revision; `None` if it was not recorded or not kept.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn revision(&self, serial: u64) -> Result<Option<Revision>, Error> {
        revisions::read(&self.disk, &self.location, serial)
    }
}

/// The text of a state file that holds this state.
#[must_use]
pub fn document(state: &super::State) -> String {
    render(state)
}

/// The text of a state file or revision.
pub(super) fn render(document: &impl serde::Serialize) -> String {
    let pretty =
        serde_json::to_string_pretty(document).expect("documents have text keys and no failing parts");
    super::envelope::seal(&pretty)
}

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod tests;
