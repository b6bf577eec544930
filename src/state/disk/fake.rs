//! A disk in memory that fails, fills up, and forgets at a crash what was not synced.
//!
//! Harsher than any file system: names that were not synced survive a power cut each by chance, unsynced content in any
//! part, also as zeros; and what a sync failed to write is never written by a later one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{Access, Files, How, Open};

/// Xorshift: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub(in crate::state) struct Random(u64);

impl Random {
    pub(in crate::state) fn new(seed: u64) -> Self {
        // No state may be zero, and near seeds must not look alike.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(in crate::state) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    pub(in crate::state) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn up_to(&mut self, range: Range<usize>) -> usize {
        range.start + usize::try_from(self.below((range.end - range.start) as u64 + 1)).unwrap()
    }
}

/// What happens at which operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::state) enum Trouble {
    /// One operation fails.
    Once(Errno),
    /// Everything that writes fails from here on.
    Lasting(Errno),
    /// The process ends: nothing works any more.
    Crash,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    folder: bool,
    /// As it is read now.
    now: Vec<u8>,
    /// As it is on the disk.
    synced: Vec<u8>,
    /// Bytes that a sync failed to write: no later one will.
    lost: Vec<Range<usize>>,
    /// Whether what is now differs from what was last synced, or lost.
    dirty: bool,
    locked: bool,
}

/// A change of names in a folder, on its way to the disk.
#[derive(Debug, Clone)]
enum Change {
    Set(PathBuf, u64),
    Move(PathBuf, PathBuf, u64),
    Unset(PathBuf),
}

impl Change {
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Set(path, _) | Self::Unset(path) | Self::Move(path, _, _) => path.parent(),
        }
    }

    fn make(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, inode) => drop(names.insert(path.clone(), *inode)),
            Self::Move(from, to, inode) => {
                // Another file may have the name by now, if not everything before this survived.
                if names.get(from) == Some(inode) {
                    names.remove(from);
                }
                names.insert(to.clone(), *inode);
            }
            Self::Unset(path) => drop(names.remove(path)),
        }
    }
}

#[derive(Debug)]
struct Inner {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    synced_names: BTreeMap<PathBuf, u64>,
    pending: Vec<Change>,
    random: Random,
    operations: u64,
    trouble: Option<(u64, Trouble)>,
    struck: u64,
    crashed: bool,
}

/// See the module. Clones are the same disk.
#[derive(Debug, Clone)]
pub(in crate::state) struct Simulated(Arc<Mutex<Inner>>);

impl Simulated {
    /// A disk with one folder on it.
    pub(in crate::state) fn new(folder: &Path, seed: u64) -> Self {
        let names: BTreeMap<PathBuf, u64> = [(folder.to_owned(), 0)].into();
        Self(Arc::new(Mutex::new(Inner {
            inodes: [(0, Inode { folder: true, ..Inode::default() })].into(),
            synced_names: names.clone(),
            names,
            pending: Vec::new(),
            random: Random::new(seed),
            operations: 0,
            trouble: None,
            struck: 0,
            crashed: false,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans trouble for the operation that is `after` the next one.
    pub(in crate::state) fn trouble(&self, trouble: Option<(u64, Trouble)>) {
        let mut inner = self.inner();
        inner.trouble = trouble.map(|(after, trouble)| (inner.operations + after, trouble));
    }

    /// Whether the process ended.
    pub(in crate::state) fn has_crashed(&self) -> bool {
        self.inner().crashed
    }

    /// How often trouble struck.
    pub(in crate::state) fn struck(&self) -> u64 {
        self.inner().struck
    }

    /// The process ended; the machine did too, if there was a `power_cut`. Everything works again.
    pub(in crate::state) fn restart(&self, power_cut: bool) {
        let mut inner = self.inner();
        inner.crashed = false;
        inner.trouble = None;
        inner.inodes.values_mut().for_each(|inode| inode.locked = false);
        if power_cut {
            inner.cut_power();
        }
    }
}

impl Inner {
    /// Before an operation: whether it is to fail, and whether it has its effect all the same.
    fn meet(&mut self, writes: bool) -> Result<(), (io::Error, bool)> {
        let dead = || (io::Error::other("the process has ended"), false);
        if self.crashed {
            return Err(dead());
        }
        self.operations += 1;
        let Some((at, trouble)) = self.trouble else { return Ok(()) };
        if self.operations <= at {
            return Ok(());
        }
        match trouble {
            Trouble::Crash => {
                self.struck += 1;
                self.crashed = true;
                // It may have got that far.
                Err((dead().0, self.random.one_in(2)))
            }
            Trouble::Once(_) | Trouble::Lasting(_) if !writes => Ok(()),
            Trouble::Once(errno) => {
                self.struck += 1;
                self.trouble = None;
                // An input/output error tells nothing about what reached the disk.
                let done = errno == Errno::IO && self.random.one_in(2);
                Err((errno.into(), done))
            }
            Trouble::Lasting(errno) => {
                self.struck += 1;
                Err((errno.into(), false))
            }
        }
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        self.names.get(path).copied().ok_or_else(|| Errno::NOENT.into())
    }

    fn change(&mut self, change: Change) {
        change.make(&mut self.names);
        self.pending.push(change);
    }

    fn add(&mut self, path: &Path, folder: bool) -> u64 {
        let number = self.inodes.keys().last().map_or(0, |last| last + 1);
        self.inodes.insert(number, Inode { folder, ..Inode::default() });
        self.change(Change::Set(path.to_owned(), number));
        number
    }

    /// A change of names: done, failed, or failed although it was done.
    fn rename_things(&mut self, change: impl FnOnce(&Self) -> io::Result<Change>) -> io::Result<()> {
        match self.meet(true) {
            Ok(()) => {
                let change = change(self)?;
                self.change(change);
                Ok(())
            }
            Err((error, done)) => {
                if done && let Ok(change) = change(self) {
                    self.change(change);
                }
                Err(error)
            }
        }
    }

    fn cut_power(&mut self) {
        let mut names = std::mem::take(&mut self.synced_names);
        for change in std::mem::take(&mut self.pending) {
            if self.random.one_in(2) {
                change.make(&mut names);
            }
        }
        let whole = names.clone();
        names.retain(|path, inode| {
            *inode == 0 || path.parent().is_some_and(|folder| whole.contains_key(folder))
        });
        for inode in self.inodes.values_mut().filter(|inode| inode.dirty || !inode.lost.is_empty()) {
            inode.forget(&mut self.random);
        }
        self.synced_names.clone_from(&names);
        self.names = names;
    }
}

impl Inode {
    fn sync(&mut self) {
        self.synced.clone_from(&self.now);
        for range in &self.lost {
            let end = range.end.min(self.synced.len());
            self.synced[range.start.min(end)..end].fill(0);
        }
        self.dirty = false;
    }

    /// A sync that fails: what it was to write counts as written from now on, and is not.
    fn fail_to_sync(&mut self) {
        if self.dirty {
            let same = self.now.iter().zip(&self.synced).take_while(|(now, synced)| now == synced).count();
            self.lost.push(same..self.now.len().max(same));
            self.dirty = false;
        }
    }

    /// What is left after a power cut.
    fn forget(&mut self, random: &mut Random) {
        let kept = if !self.now.starts_with(&self.synced) || random.one_in(3) {
            self.synced.clone()
        } else {
            let until = random.up_to(self.synced.len()..self.now.len());
            let mut kept = self.now[..until].to_vec();
            if random.one_in(2) {
                // Its length got to the disk, its blocks did not.
                kept.resize(self.now.len(), 0);
            }
            kept
        };
        *self = Self { folder: self.folder, now: kept.clone(), synced: kept, ..Self::default() };
    }
}

impl Files for Simulated {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.meet(true).map_err(|(error, _)| error)?;
        if inner.names.contains_key(folder) {
            return Err(Errno::EXIST.into());
        }
        inner.find(folder.parent().unwrap())?;
        inner.add(folder, true);
        Ok(())
    }

    fn is_folder(&self, folder: &Path) -> bool {
        let inner = self.inner();
        inner.names.get(folder).is_some_and(|inode| inner.inodes[inode].folder)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut inner = self.inner();
        inner.meet(false).map_err(|(error, _)| error)?;
        let inode = inner.find(path)?;
        Ok(inner.inodes[&inode].now.clone())
    }

    fn access(&self, path: &Path) -> io::Result<Access> {
        self.inner().find(path)?;
        Ok(Access { mode: 0o600, owner: rustix::process::geteuid().as_raw() })
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut inner = self.inner();
        inner.meet(false).map_err(|(error, _)| error)?;
        inner.find(folder)?;
        let inside = inner.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.map(|path| path.file_name().unwrap().to_owned()).collect())
    }

    fn open(&self, path: &Path, how: How) -> io::Result<Box<dyn Open>> {
        let mut inner = self.inner();
        let there = inner.names.get(path).copied();
        inner.meet(there.is_none() || how == How::New).map_err(|(error, _)| error)?;
        let inode = match (how, there) {
            (How::New, Some(_)) => return Err(Errno::EXIST.into()),
            (How::Append | How::Look, None) => return Err(Errno::NOENT.into()),
            (How::New | How::Lock, None) => {
                inner.find(path.parent().unwrap())?;
                inner.add(path, false)
            }
            (_, Some(inode)) => inode,
        };
        Ok(Box::new(SimulatedFile { disk: self.clone(), inode, holds: AtomicBool::new(false) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.inner().rename_things(|inner| {
            let inode = inner.find(&from)?;
            // Two names of one file both stay.
            let same = inner.names.get(&to) == Some(&inode);
            Ok(if same { Change::Set(to, inode) } else { Change::Move(from, to, inode) })
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner().rename_things(|inner| Ok(Change::Set(to.to_owned(), inner.find(from)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner().rename_things(|inner| {
            inner.find(path)?;
            Ok(Change::Unset(path.to_owned()))
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.meet(true).map_err(|(error, _)| error)?;
        inner.find(folder)?;
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.pending).into_iter().partition(|c| c.folder() == Some(folder));
        for change in &here {
            change.make(&mut inner.synced_names);
        }
        inner.pending = elsewhere;
        Ok(())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Simulated,
    inode: u64,
    /// Whether its lock was taken through this file.
    holds: AtomicBool,
}

impl Open for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let met = inner.meet(true);
        // A write that fails may have got part of its way.
        let written = if met.is_ok() { bytes.len() } else { inner.random.up_to(0..bytes.len()) };
        let inode = inner.inodes.get_mut(&self.inode).unwrap();
        inode.now.extend(&bytes[..written]);
        inode.dirty = true;
        met.map_err(|(error, _)| error)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.meet(true).map_err(|(error, _)| error)?;
        let inode = inner.inodes.get_mut(&self.inode).unwrap();
        inode.now.resize(usize::try_from(length).unwrap(), 0);
        inode.dirty = true;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let met = inner.meet(true);
        let inode = inner.inodes.get_mut(&self.inode).unwrap();
        match met {
            Ok(()) => {
                inode.sync();
                Ok(())
            }
            Err((error, true)) => {
                inode.sync();
                Err(error)
            }
            Err((error, false)) => {
                inode.fail_to_sync();
                Err(error)
            }
        }
    }

    fn reserve(&self, _: u64) -> io::Result<bool> {
        self.disk.inner().meet(true).map_err(|(error, _)| error)?;
        Ok(true)
    }

    fn lock(&self, _: bool) -> io::Result<bool> {
        let mut inner = self.disk.inner();
        inner.meet(false).map_err(|(error, _)| error)?;
        let inode = inner.inodes.get_mut(&self.inode).unwrap();
        let free = !std::mem::replace(&mut inode.locked, true);
        self.holds.fetch_or(free, Ordering::Relaxed);
        Ok(free)
    }

    fn is_at(&self, path: &Path) -> bool {
        self.disk.inner().names.get(path) == Some(&self.inode)
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        if self.holds.load(Ordering::Relaxed)
            && let Some(inode) = self.disk.inner().inodes.get_mut(&self.inode)
        {
            inode.locked = false;
        }
    }
}
