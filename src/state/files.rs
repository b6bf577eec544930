//! Files that only their owner may read, replaced so that a crash leaves the old one or the new one.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, How, Open};
use super::error::Error;
use crate::failpoint::{self, Step};

/// For `map_err`: what was tried with which file.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

/// `None` for what is not there.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name under which the next content of `path` is written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

impl Disk {
    /// Makes the folder, and those above it, for the owner alone and durably. One that is there stays as it is.
    pub(super) fn create_folder(&self, folder: &Path) -> Result<(), Error> {
        if self.files().is_folder(folder) {
            return Ok(());
        }
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
        if let Some(above) = above {
            self.create_folder(above)?;
        }
        match self.files().make_folder(folder) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.files().is_folder(folder) => {}
            made => made.map_err(failed("create folder", folder))?,
        }
        above.map_or(Ok(()), |above| self.sync_folder(above))
    }

    /// The whole file; `None` if there is none.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        found(self.files().read(path)).map_err(failed("read", path))
    }

    /// The names in a folder, none if it is not there.
    pub(super) fn names(&self, folder: &Path) -> Result<Vec<OsString>, Error> {
        let names = found(self.files().names(folder)).map_err(failed("read", folder))?;
        Ok(names.unwrap_or_default())
    }

    /// A new, empty file for the owner alone.
    pub(super) fn create(&self, path: &Path) -> Result<Box<dyn Open>, Error> {
        let file = self.files().open(path, How::New).map_err(failed("create", path))?;
        failpoint::file(Step::Created, path);
        Ok(file)
    }

    /// A file to be locked, made if it is not there.
    pub(super) fn open_lock(&self, path: &Path) -> Result<Box<dyn Open>, Error> {
        self.files().open(path, How::Lock).map_err(failed("open", path))
    }

    /// An existing file to append to.
    pub(super) fn open_append(&self, path: &Path) -> Result<Box<dyn Open>, Error> {
        self.files().open(path, How::Append).map_err(failed("open", path))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync_folder(&self, folder: &Path) -> Result<(), Error> {
        failpoint::hit("folder.syncing");
        self.files().sync_folder(folder).map_err(failed("sync folder", folder))?;
        failpoint::hit("folder.synced");
        Ok(())
    }

    /// Removes the file if it is there; whether it was.
    pub(super) fn remove(&self, path: &Path) -> Result<bool, Error> {
        let removed = found(self.files().remove(path)).map_err(failed("remove", path))?;
        if removed.is_some() {
            failpoint::file(Step::Removed, path);
        }
        Ok(removed.is_some())
    }

    /// Whether there is something of that name.
    pub(super) fn exists(&self, path: &Path) -> bool {
        self.files().access(path).is_ok()
    }

    /// Who else can read or change the file, with what to type against it; `None` if nobody can.
    pub(super) fn exposed(&self, path: &Path) -> Option<String> {
        let access = self.files().access(path).ok()?;
        if access.mode & 0o077 != 0 {
            return Some(format!("{0} can be read by others: chmod 600 {0}", path.display()));
        }
        let us = rustix::process::geteuid().as_raw();
        (access.owner != us && us != 0).then(|| {
            format!("{0} belongs to another user (uid {1}), who can change it", path.display(), access.owner)
        })
    }

    /// Replaces the content of `path`: written to a temporary file (`reserved`, if space was set aside in one),
    /// synced, renamed. The caller syncs the folder. After a failure nothing of the new content is left, so that no
    /// later sync vouches for it.
    pub(super) fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        reserved: Option<Box<dyn Open>>,
    ) -> Result<(), Error> {
        let temporary = temporary(path);
        let mut file = if let Some(file) = reserved {
            file
        } else {
            self.remove(&temporary)?;
            self.create(&temporary)?
        };
        let written = file.append(bytes).and_then(|()| {
            failpoint::file(Step::Written, path);
            file.sync()
        });
        let replaced = written.map_err(failed("write", &temporary)).and_then(|()| {
            failpoint::file(Step::Synced, path);
            self.files().rename(&temporary, path).map_err(failed("replace", path))
        });
        match replaced {
            Ok(()) => failpoint::file(Step::Renamed, path),
            // Best effort: the next writer removes it before it begins.
            Err(_) => drop(self.remove(&temporary)),
        }
        replaced
    }

    /// Keeps the content of `path` under the name `previous`; `path` itself is there at every moment.
    pub(super) fn keep_previous(&self, path: &Path, previous: &Path) -> Result<(), Error> {
        let temporary = temporary(previous);
        self.remove(&temporary)?;
        match self.files().link(path, &temporary) {
            Ok(()) => failpoint::file(Step::Linked, previous),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Some file systems have no links.
            Err(_) => {
                let Some(bytes) = self.read(path)? else { return Ok(()) };
                return self.replace(previous, &bytes, None);
            }
        }
        self.files().rename(&temporary, previous).map_err(failed("replace", previous))?;
        failpoint::file(Step::Renamed, previous);
        // A name of the same file stays where it is: a run that was killed had got as far before.
        self.remove(&temporary)?;
        Ok(())
    }
}

/// Sets space aside behind the file's end, so that a full disk shows now; `false` if the file system cannot.
pub(super) fn reserve(file: &dyn Open, path: &Path, bytes: u64) -> Result<bool, Error> {
    file.reserve(bytes).map_err(failed("reserve space in", path))
}

/// Fills an empty file and empties it again: no promise, but a full disk shows all the same.
pub(super) fn try_space(file: &mut dyn Open, path: &Path, bytes: u64) -> Result<(), Error> {
    const PIECE: usize = 1 << 12;
    let piece = [0; PIECE];
    let mut left = bytes;
    let mut filled = Ok(());
    while left > 0 && filled.is_ok() {
        let some = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        filled = file.append(&piece[..some]);
        left -= some as u64;
    }
    let filled = filled.and_then(|()| file.sync());
    let emptied = file.set_len(0);
    filled.and(emptied).map_err(failed("reserve space in", path))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn files_and_folders_are_for_the_owner_alone() {
        let disk = Disk::real();
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/state");
        disk.create_folder(&inner).unwrap();
        disk.create_folder(&inner).unwrap();
        let path = inner.join("x.json");
        disk.replace(&path, b"one", None).unwrap();
        disk.open_lock(&inner.join("x.lock")).unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().mode() & 0o777;
        assert_eq!(
            [mode("a"), mode("a/state"), mode("a/state/x.json"), mode("a/state/x.lock")],
            [0o700, 0o700, 0o600, 0o600]
        );
        assert_eq!(disk.exposed(&path), None);
        assert!(!temporary(&path).exists());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let note = disk.exposed(&path).unwrap();
        assert_eq!(note, format!("{0} can be read by others: chmod 600 {0}", path.display()));
    }

    #[test]
    fn the_previous_content_is_kept() {
        let links_fail = Disk::scripted("link:p.tmp@1+=EOPNOTSUPP").unwrap();
        for disk in [Disk::real(), links_fail] {
            let folder = tempfile::tempdir().unwrap();
            let (path, previous) = (folder.path().join("x"), folder.path().join("p"));
            disk.keep_previous(&path, &previous).unwrap();
            assert!(!previous.exists());
            for content in ["one", "two", "three"] {
                disk.keep_previous(&path, &previous).unwrap();
                disk.replace(&path, content.as_bytes(), None).unwrap();
            }
            assert_eq!(disk.read(&path).unwrap().unwrap(), b"three");
            assert_eq!(disk.read(&previous).unwrap().unwrap(), b"two");
            // Twice without a change between.
            disk.keep_previous(&path, &previous).unwrap();
            disk.keep_previous(&path, &previous).unwrap();
            assert_eq!(disk.names(folder.path()).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_link_is_not_followed_and_a_folder_is_no_file() {
        let disk = Disk::real();
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(disk.read(&link).is_err());
        assert!(disk.open_lock(&link).is_err());
        assert!(disk.open_append(&link).is_err());
        assert!(disk.read(folder.path()).is_err());
        assert!(disk.read(&folder.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn what_could_not_be_written_leaves_the_old_content_and_nothing_else() {
        for script in ["write:x.tmp=ENOSPC", "sync:x.tmp=EIO", "rename:x=EIO", "open:x.tmp=EACCES"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x");
            fs::write(&path, "old").unwrap();
            let disk = Disk::scripted(script).unwrap();
            disk.replace(&path, b"newer", None).unwrap_err();
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(disk.names(folder.path()).unwrap(), ["x"], "{script}");
            disk.replace(&path, b"newer", None).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"newer");
        }
    }

    #[test]
    fn reserving_leaves_the_length_alone_and_finds_a_full_disk() {
        let disk = Disk::real();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut file = disk.create(&path).unwrap();
        file.append(b"abc").unwrap();
        reserve(&*file, &path, 100_000).unwrap();
        file.append(b"def").unwrap();
        assert_eq!(disk.read(&path).unwrap().unwrap(), b"abcdef");
        let error = reserve(&*file, &path, 1 << 60).unwrap_err().to_string();
        assert_eq!(error, format!("cannot reserve space in {}", path.display()));

        let empty = folder.path().join("y");
        let mut file = disk.create(&empty).unwrap();
        try_space(&mut *file, &empty, 150_000).unwrap();
        file.append(b"abc").unwrap();
        assert_eq!(disk.read(&empty).unwrap().unwrap(), b"abc");
    }
}
