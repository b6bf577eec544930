//! The file operations of this module, all of them: one narrow seam, so that tests can put a disk behind it that
//! fails, fills up and forgets.
//!
//! What a [`Files`] promises is what POSIX does, no more: what was written is durable after a sync of the file, a
//! name after a sync of its folder, and a file whose sync failed once is never trusted again.

#[cfg(test)]
pub(super) mod fake;
mod real;
#[cfg(any(test, feature = "faults"))]
mod scripted;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The disk that states lie on.
#[derive(Clone)]
pub struct Disk(Arc<dyn Files>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Disk {
    /// The file system of this machine.
    #[must_use]
    pub fn real() -> Self {
        Self(Arc::new(real::Real))
    }

    /// The file system of this machine, on which operations fail as `script` says: `OPERATION:FILE[@N[+]]=ERROR`,
    /// more than one separated by commas. `FILE` is how the file's name ends, `N` the first (1) or a later hit, `+`
    /// that every one after it fails too: `sync:journal@3+=EIO`.
    ///
    /// # Errors
    /// What of the script cannot be read.
    #[cfg(any(test, feature = "faults"))]
    pub fn scripted(script: &str) -> Result<Self, String> {
        scripted::Scripted::read(script, Arc::new(real::Real)).map(|files| Self(Arc::new(files)))
    }

    #[cfg(test)]
    pub(super) fn of(files: Arc<dyn Files>) -> Self {
        Self(files)
    }

    pub(super) fn files(&self) -> &dyn Files {
        &*self.0
    }
}

/// How a file is opened. Links are never followed: a link put into the folder must not move what we read or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// A file that must not be there yet, for its owner alone, to write.
    New,
    /// A file that is there, to write at its end.
    Append,
    /// A file to be locked and written, made if it is not there.
    Lock,
    /// A file that is there, to see whether somebody holds its lock.
    Look,
}

/// Who may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    /// Type and permission bits.
    pub(super) mode: u32,
    /// Its owner.
    pub(super) owner: u32,
}

/// What names and folders can do.
pub(super) trait Files: fmt::Debug + Send + Sync {
    /// Makes one folder, for its owner alone.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Whether there is such a folder, behind a link too.
    fn is_folder(&self, folder: &Path) -> bool;
    /// The content of a regular file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Who may do what with it.
    fn access(&self, path: &Path) -> io::Result<Access>;
    /// The names in a folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;
    /// Opens a file.
    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn Open>>;
    /// Gives a file another name, over whatever has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a name away.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// What an open file can do.
pub(super) trait Open: fmt::Debug + Send + Sync {
    /// Writes all of it at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file, or fills it up with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
    /// Sets space aside behind the end, which stays where it is; `false` if the file system cannot.
    fn reserve(&self, bytes: u64) -> io::Result<bool>;
    /// Takes the lock of the file, alone or `shared`; `false` if it is held. Dropping the file lets go of it.
    fn lock(&self, shared: bool) -> io::Result<bool>;
    /// Whether this file is the one that has the name now.
    fn is_at(&self, path: &Path) -> bool;
}
