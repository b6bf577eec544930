//! A disk on which operations fail by script; see [`super::Disk::scripted`].

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::{Access, Files, How, Open};

/// Every operation a script can name.
const OPERATIONS: &[&str] = &[
    "make-folder",
    "read",
    "list",
    "open",
    "write",
    "cut",
    "sync",
    "reserve",
    "lock",
    "rename",
    "link",
    "remove",
    "sync-folder",
];

/// Every error a script can name.
const ERRORS: &[(&str, Errno)] = &[
    ("EIO", Errno::IO),
    ("ENOSPC", Errno::NOSPC),
    ("EDQUOT", Errno::DQUOT),
    ("EROFS", Errno::ROFS),
    ("EACCES", Errno::ACCESS),
    ("ENOLCK", Errno::NOLCK),
    ("EOPNOTSUPP", Errno::OPNOTSUPP),
];

#[derive(Debug, Clone)]
struct Fault {
    operation: &'static str,
    /// How the file's name ends; empty for every file.
    file: String,
    /// Hits that are still let pass.
    pass: u64,
    /// Whether later ones fail too.
    lasting: bool,
    /// Has struck, once and for all.
    spent: bool,
    error: Errno,
}

/// The faults that are still to come, shared with the files that are open.
#[derive(Debug, Clone)]
struct Script(Arc<Mutex<Vec<Fault>>>);

/// See the module.
#[derive(Debug)]
pub(super) struct Scripted {
    script: Script,
    disk: Arc<dyn Files>,
}

impl Scripted {
    pub(super) fn read(script: &str, disk: Arc<dyn Files>) -> Result<Self, String> {
        let faults = script.split(',').map(|one| fault(one.trim()));
        let faults = faults.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { script: Script(Arc::new(Mutex::new(faults))), disk })
    }
}

fn fault(text: &str) -> Result<Fault, String> {
    let wrong = |what: &str| format!("`{text}`: {what}");
    let (place, error) = text.split_once('=').ok_or_else(|| wrong("no error"))?;
    let error = ERRORS.iter().find(|(name, _)| *name == error).ok_or_else(|| wrong("no such error"))?.1;
    let (place, hits) = place.split_once('@').unwrap_or((place, "1"));
    let (first, lasting) = hits.strip_suffix('+').map_or((hits, false), |first| (first, true));
    let first: u64 = first.parse().map_err(|_| wrong("no number of a hit"))?;
    let (operation, file) = place.split_once(':').ok_or_else(|| wrong("no file"))?;
    let known = OPERATIONS.iter().find(|name| **name == operation);
    let operation = known.ok_or_else(|| wrong("no such operation"))?;
    Ok(Fault {
        operation,
        file: file.to_owned(),
        pass: first.saturating_sub(1),
        lasting,
        spent: false,
        error,
    })
}

impl Script {
    fn meet(&self, operation: &str, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut struck = None;
        for fault in faults.iter_mut().filter(|fault| fault.operation == operation && !fault.spent) {
            if !name.ends_with(&fault.file) {
                continue;
            }
            if let Some(left) = fault.pass.checked_sub(1) {
                fault.pass = left;
            } else {
                fault.spent = !fault.lasting;
                struck = Some(fault.error);
            }
        }
        struck.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl Files for Scripted {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.script.meet("make-folder", folder)?;
        self.disk.make_folder(folder)
    }

    fn is_folder(&self, folder: &Path) -> bool {
        self.disk.is_folder(folder)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.script.meet("read", path)?;
        self.disk.read(path)
    }

    fn access(&self, path: &Path) -> io::Result<Access> {
        self.disk.access(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.script.meet("list", folder)?;
        self.disk.names(folder)
    }

    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn Open>> {
        self.script.meet("open", path)?;
        let file = self.disk.open(path, how)?;
        Ok(Box::new(ScriptedFile { script: self.script.clone(), path: path.to_owned(), file }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.script.meet("rename", to)?;
        self.disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.script.meet("link", to)?;
        self.disk.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.script.meet("remove", path)?;
        self.disk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.script.meet("sync-folder", folder)?;
        self.disk.sync_folder(folder)
    }
}

#[derive(Debug)]
struct ScriptedFile {
    script: Script,
    path: PathBuf,
    file: Box<dyn Open>,
}

impl Open for ScriptedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.script.meet("write", &self.path) {
            // A write that fails may have got half its way.
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.append(bytes)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.script.meet("cut", &self.path)?;
        self.file.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.script.meet("sync", &self.path)?;
        self.file.sync()
    }

    fn reserve(&self, bytes: u64) -> io::Result<bool> {
        self.script.meet("reserve", &self.path)?;
        self.file.reserve(bytes)
    }

    fn lock(&self, shared: bool) -> io::Result<bool> {
        self.script.meet("lock", &self.path)?;
        self.file.lock(shared)
    }

    fn is_at(&self, path: &Path) -> bool {
        self.file.is_at(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Disk;

    #[test]
    fn a_script_strikes_where_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::scripted("write:.journal@2=EIO, sync:journal@1+=ENOSPC,open:x=EROFS").unwrap();
        let path = folder.path().join("a.journal");
        let mut file = disk.files().open(&path, How::New).unwrap();
        file.append(b"one").unwrap();
        assert_eq!(file.append(b"two!").unwrap_err().raw_os_error(), Some(5));
        file.append(b"three").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwthree");
        for _ in 0..3 {
            assert_eq!(file.sync().unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        let other = folder.path().join("x");
        assert!(disk.files().open(&other, How::New).is_err());
        disk.files().open(&other, How::New).unwrap().sync().unwrap();
    }

    #[test]
    fn what_is_no_script_says_why() {
        for (script, why) in [
            ("sync:journal", "no error"),
            ("sync:journal=EWHAT", "no such error"),
            ("sync:journal@x=EIO", "no number of a hit"),
            ("sync=EIO", "no file"),
            ("think:journal=EIO", "no such operation"),
        ] {
            assert_eq!(Disk::scripted(script).unwrap_err(), format!("`{script}`: {why}"));
        }
    }
}
