//! Files that only their owner may read, replaced so that a crash leaves the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::Error;
use crate::failpoint::{self, Step};

/// Links are never followed: a link put into the folder must not move what we read or write.
fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

/// For `map_err`: what was tried with which file.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

/// Makes the folder, and those above it, for the owner alone. One that is there stays as it is.
pub(super) fn create_folder(folder: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(failed("create folder", folder))
}

/// The whole file; `None` if there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow() | OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let mut bytes = Vec::new();
    let read = file.metadata().and_then(|meta| {
        if !meta.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        file.read_to_end(&mut bytes)
    });
    read.map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// A new, empty file for the owner alone.
pub(super) fn create(path: &Path) -> Result<File, Error> {
    let made =
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(no_follow()).open(path);
    let file = made.map_err(failed("create", path))?;
    failpoint::file(Step::Created, path);
    Ok(file)
}

/// A file to read and write, made if it is not there.
pub(super) fn open_or_create(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path);
    opened.map_err(failed("open", path))
}

/// An existing file to append to.
pub(super) fn open_append(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().append(true).custom_flags(no_follow()).open(path);
    opened.map_err(failed("open", path))
}

/// Makes the names in the folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Error> {
    failpoint::hit("folder.syncing");
    let synced = File::open(folder).and_then(|f| f.sync_all());
    synced.map_err(failed("sync folder", folder))?;
    failpoint::hit("folder.synced");
    Ok(())
}

/// Removes the file if it is there; whether it was.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    match fs::remove_file(path) {
        Ok(()) => {
            failpoint::file(Step::Removed, path);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", path)(error)),
    }
}

/// The name under which the next content of `path` is written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Whether the group or others may read the file.
pub(super) fn is_exposed(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.mode() & 0o077 != 0)
}

/// Replaces the content of `path`: written to a temporary file (`reserved`, if space was set aside in one),
/// synced, renamed. The caller syncs the folder.
pub(super) fn replace(path: &Path, bytes: &[u8], reserved: Option<File>) -> Result<(), Error> {
    let temporary = temporary(path);
    let mut file = if let Some(file) = reserved {
        file
    } else {
        remove(&temporary)?;
        create(&temporary)?
    };
    let written = file.write_all(bytes).and_then(|()| file.set_len(bytes.len() as u64)).and_then(|()| {
        failpoint::file(Step::Written, path);
        file.sync_all()
    });
    written.map_err(failed("write", &temporary))?;
    failpoint::file(Step::Synced, path);
    fs::rename(&temporary, path).map_err(failed("replace", path))?;
    failpoint::file(Step::Renamed, path);
    Ok(())
}

/// Keeps the content of `path` under the name `previous`; `path` itself is there at every moment.
pub(super) fn keep_previous(path: &Path, previous: &Path) -> Result<(), Error> {
    let temporary = temporary(previous);
    remove(&temporary)?;
    match fs::hard_link(path, &temporary) {
        Ok(()) => failpoint::file(Step::Linked, previous),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Some file systems have no links.
        Err(_) => {
            let Some(bytes) = read(path)? else { return Ok(()) };
            return replace(previous, &bytes, None);
        }
    }
    fs::rename(&temporary, previous).map_err(failed("replace", previous))?;
    failpoint::file(Step::Renamed, previous);
    // Two names of one file are not renamed: `previous` was this content already, from a run that ended here.
    remove(&temporary)?;
    Ok(())
}

/// Sets space aside behind the file's end, so that a full disk shows now; `false` if the file system cannot.
pub(super) fn reserve(file: &File, path: &Path, bytes: u64) -> Result<bool, Error> {
    let length = file.metadata().map_err(failed("read", path))?.len();
    match set_aside(file, length, bytes) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(false),
        Err(errno) => Err(failed("reserve space in", path)(errno.into())),
    }
}

#[cfg(target_os = "linux")]
fn set_aside(file: &File, from: u64, bytes: u64) -> rustix::io::Result<()> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, from, bytes)
}

#[cfg(not(target_os = "linux"))]
fn set_aside(_: &File, _: u64, _: u64) -> rustix::io::Result<()> {
    Err(rustix::io::Errno::OPNOTSUPP)
}

/// Fills an empty file and empties it again: no promise, but a full disk shows all the same.
pub(super) fn try_space(mut file: &File, path: &Path, bytes: u64) -> Result<(), Error> {
    let filled = io::copy(&mut io::repeat(0).take(bytes), &mut file).and_then(|_| file.sync_all());
    let emptied = file.set_len(0).and_then(|()| file.rewind());
    filled.and(emptied).map_err(failed("reserve space in", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/state");
        create_folder(&inner).unwrap();
        let path = inner.join("x.json");
        replace(&path, b"one", None).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&path)), (0o700, 0o600));
        assert!(!is_exposed(&path));
        assert!(!temporary(&path).exists());
    }

    #[test]
    fn the_previous_content_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, previous) = (folder.path().join("x"), folder.path().join("p"));
        keep_previous(&path, &previous).unwrap();
        assert!(!previous.exists());
        for content in ["one", "two", "three"] {
            keep_previous(&path, &previous).unwrap();
            replace(&path, content.as_bytes(), None).unwrap();
        }
        assert_eq!(read(&path).unwrap().unwrap(), b"three");
        assert_eq!(read(&previous).unwrap().unwrap(), b"two");
        for _ in 0..2 {
            keep_previous(&path, &previous).unwrap();
            assert!(!temporary(&previous).exists());
        }
    }

    #[test]
    fn a_link_is_not_followed_and_a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(read(&link).is_err());
        assert!(open_or_create(&link).is_err());
        assert!(read(folder.path()).is_err());
        assert!(read(&folder.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn reserving_leaves_the_length_alone_and_finds_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut file = create(&path).unwrap();
        file.write_all(b"abc").unwrap();
        reserve(&file, &path, 100_000).unwrap();
        file.write_all(b"def").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"abcdef");
        let error = reserve(&file, &path, 1 << 60).unwrap_err().to_string();
        assert_eq!(error, format!("cannot reserve space in {}", path.display()));

        let empty = folder.path().join("y");
        let mut file = create(&empty).unwrap();
        try_space(&file, &empty, 50_000).unwrap();
        file.write_all(b"abc").unwrap();
        assert_eq!(read(&empty).unwrap().unwrap(), b"abc");
    }
}
