//! The folder of a sandbox: who has it, and how files get into it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A folder that this process alone has, until this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// Why a folder cannot be had.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// Another process has it: what it says of itself.
    Held(String),
    /// The disk.
    Io(io::Error),
}

impl From<io::Error> for NotOurs {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

impl Folder {
    /// Takes a folder, which is made if it is not there.
    ///
    /// # Errors
    /// Another process has it; the disk.
    pub(super) fn take(path: &Path) -> Result<Self, NotOurs> {
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync(parent)?;
            }
        }
        let mut options = OpenOptions::new();
        let mut lock = options.read(true).write(true).create(true).mode(0o600).open(path.join("lock"))?;
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(NotOurs::Io(error.into()));
            }
            let mut holder = String::new();
            lock.read_to_string(&mut holder)?;
            return Err(NotOurs::Held(holder.trim().to_owned()));
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "process {}", std::process::id())?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Puts a file in place of the one of that name, if there is one, as a whole: after a crash it is the old one
    /// or the new one. Returns it, open for more.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> io::Result<File> {
        let new = self.file(&format!("{name}.new"));
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, self.file(name))?;
        sync(&self.path)?;
        Ok(file)
    }

    /// Takes away what a crash during [`Folder::replace`] left.
    pub(super) fn tidy(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.file(&format!("{name}.new"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
