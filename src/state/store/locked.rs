//! Writing: the journal while it goes on, the state file at its end.

mod before;
mod journal_file;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::disk::{Disk, Open};
use super::super::error::Error;
use super::super::files;
use super::super::journal::{Begin, BeginId, End, Journal, OpenBegin, Outcome, Record, Writer, open_list};
use super::super::key::HashKey;
use super::super::ledger::Ledger;
use super::super::location::Location;
use super::super::lock::{Holder, Lock, LockWait};
use super::super::model::{FORMAT_VERSION, State};
use super::super::revision::Revision;
use super::{load, render, revisions};
use crate::cluster::ClusterIdentity;
use crate::failpoint;

/// Space set aside in the journal for each change, both records, and at least.
const JOURNAL_BYTES: (u64, u64) = (16 << 10, 64 << 10);
/// Space set aside for each change in the next state file, beyond twice its size now.
const STATE_BYTES: u64 = 8 << 10;

/// A state whose lock is held: the only way to change it. All methods may be called from many tasks.
#[derive(Debug)]
pub struct LockedStore {
    // Fields are dropped in this order: the journal's writer ends before the lock is let go.
    inner: Mutex<Inner>,
    disk: Disk,
    location: Location,
    key: HashKey,
    notes: Vec<String>,
    unfinished: bool,
    lock: Lock,
}

#[derive(Debug)]
struct Inner {
    /// As the state file has it.
    base: State,
    /// Whether there is a state file.
    exists: bool,
    /// The state file may be another one than the base: writing it failed.
    unsure: bool,
    /// The base with all that has happened since.
    ledger: Ledger,
    open: BTreeMap<BeginId, Begin>,
    next: u64,
    /// The serial that the journal continues: beyond the base's if that was put back from a backup.
    journal_serial: u64,
    journal: OnDisk,
    writer: Option<Writer>,
    /// The next state file, with space set aside in it.
    reserved: Option<Box<dyn Open>>,
}

impl Inner {
    /// The serial of a state file with this content; `None` if it has it already.
    fn next_serial(&self, content: &State) -> Option<u64> {
        let changed = self.unsure || !content.same_content(&self.base);
        changed.then(|| self.base.serial.max(self.journal_serial) + 1)
    }
}

/// The journal file between two writers.
#[derive(Debug)]
enum OnDisk {
    None,
    /// This process wrote it, and it goes on at its end.
    Continued(End),
    /// An earlier process left it. What can be read of it need not be on the disk, and what its writer failed to
    /// sync may never get there: it is written anew, as it is, before it goes on.
    Found(Journal),
    /// What ended in it is in the state: it is written anew, with what is open, before it goes on.
    Stale,
    /// It could not be written, and what is known is not in the state yet either: nothing may begin.
    Broken,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The serial now.
    pub serial: u64,
    /// Whether the content changed, so that the serial did.
    pub changed: bool,
}

impl LockedStore {
    pub(super) async fn open(
        disk: &Disk,
        location: &Location,
        stack: &str,
        holder: &Holder,
        wait: LockWait<'_>,
        lineage: impl FnOnce() -> String,
    ) -> Result<Self, Error> {
        disk.create_folder(location.folder())?;
        let lock = Lock::acquire(disk, &location.lock(), holder, wait).await?;
        for path in [location.state.clone(), location.previous(), location.journal(), location.key()] {
            disk.remove(&files::temporary(&path))?;
        }
        // A process that was killed may have renamed files whose names are not durable yet: nothing is built on
        // what a power cut could still take back.
        disk.sync_folder(location.folder())?;
        let mut loaded = load::load(disk, location, stack, lineage)?;
        let key = match load::load_key(disk, location, &mut loaded.notes)? {
            Some(key) => key,
            None => load::make_key(disk, location)?,
        };
        // A run that came to its end leaves no more in the journal than what is open.
        let unfinished = match &loaded.journal {
            Some((journal, true)) => !journal.records.is_empty(),
            _ => !loaded.open.is_empty(),
        };
        let mut state = loaded.ledger.into_state();
        loaded.notes.extend(load::match_key(&mut state, &key));
        let journal_serial = loaded.journal.as_ref().map_or(0, |(j, _)| j.header.base_serial);
        let next = loaded.journal.as_ref().map_or(1, |(j, _)| j.next());
        let journal = match loaded.journal {
            None => OnDisk::None,
            Some((journal, true)) => OnDisk::Found(journal),
            Some((_, false)) => OnDisk::Stale,
        };
        Ok(Self {
            inner: Mutex::new(Inner {
                base: loaded.base,
                exists: loaded.exists,
                unsure: false,
                ledger: Ledger::new(state),
                open: loaded.open,
                next,
                journal_serial,
                journal,
                writer: None,
                reserved: None,
            }),
            disk: disk.clone(),
            location: location.clone(),
            key,
            notes: loaded.notes,
            unfinished,
            lock,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is complete or is not made: a panic elsewhere leaves it usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state with all that has happened, as it would be written now. A copy: not for every change.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner().ledger.state().clone()
    }

    /// The key of its digests.
    #[must_use]
    pub fn key(&self) -> &HashKey {
        &self.key
    }

    /// What a person should know.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Operations whose end is not known. Those of an earlier run are settled, and ended, before a plan.
    #[must_use]
    pub fn open_begins(&self) -> Vec<OpenBegin> {
        open_list(&self.inner().open)
    }

    /// Makes the journal and sets space aside for `changes` changes to this cluster, so that trouble with the disk
    /// shows before the first of them.
    ///
    /// # Errors
    /// When the disk is full or cannot be written.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn prepare(&self, changes: usize, cluster: &ClusterIdentity) -> Result<(), Error> {
        let mut inner = self.inner();
        inner.ledger.about(cluster);
        self.start_journal(&mut inner)?;
        let (each, least) = JOURNAL_BYTES;
        let for_journal = least + each * changes as u64;
        let path = self.location.journal();
        let journal = self.disk.open_append(&path)?;
        let rest = if files::reserve(&*journal, &path, for_journal)? { 0 } else { for_journal };
        if inner.reserved.is_none() {
            let for_state =
                2 * render(inner.ledger.state()).len() as u64 + STATE_BYTES * (changes as u64 + 1);
            inner.reserved = Some(self.reserve_state(rest + for_state)?);
        }
        failpoint::hit("prepare.reserved");
        Ok(())
    }

    /// The next state file, with space in it; nothing is left of one that found none.
    fn reserve_state(&self, bytes: u64) -> Result<Box<dyn Open>, Error> {
        let path = files::temporary(&self.location.state);
        let mut file = self.disk.create(&path)?;
        let reserved = files::reserve(&*file, &path, bytes)
            .and_then(|there| if there { Ok(()) } else { files::try_space(&mut *file, &path, bytes) });
        match reserved {
            Ok(()) => Ok(file),
            Err(error) => {
                // Best effort: the next writer removes it too.
                drop(self.disk.remove(&path));
                Err(error)
            }
        }
    }

    /// Records that an operation is about to be sent; durable when this returns. Calls that wait at the same
    /// time share one sync.
    ///
    /// # Errors
    /// When the journal cannot be written: the operation must not be sent, and nothing else started.
    pub async fn begin(&self, begin: Begin) -> Result<BeginId, Error> {
        let (id, durable) = {
            let mut inner = self.inner();
            self.start_journal(&mut inner)?;
            let id = BeginId(inner.next);
            let record = Record::Begin { seq: id, begin: begin.clone() };
            let durable = match &inner.writer {
                Some(writer) => writer.append_durably(record)?,
                None => return Err(self.no_writer()),
            };
            inner.next += 1;
            // Open from here on: if this future is dropped while it waits, the record may be on disk.
            inner.open.insert(id, begin);
            (id, durable)
        };
        if durable.await.is_ok() {
            return Ok(id);
        }
        let mut inner = self.inner();
        inner.open.remove(&id);
        Err(inner.writer.as_ref().map_or_else(|| self.no_writer(), Writer::failed))
    }

    /// Records how an operation ended, and follows it in [`Self::state`] even if the journal fails. Durable
    /// with the next `begin` or commit: if it is lost, the operation is settled by what the cluster says. An
    /// operation that has ended already stays as it ended.
    ///
    /// # Errors
    /// When the journal cannot be written: nothing else must be started.
    pub fn end(&self, id: BeginId, outcome: Outcome) -> Result<(), Error> {
        let mut inner = self.inner();
        // First, so that a journal written anew still holds the `begin`.
        let started = self.start_journal(&mut inner);
        let Some(begin) = inner.open.remove(&id) else {
            return Ok(());
        };
        inner.ledger.record(&begin, &outcome);
        if let Err(error) = started {
            inner.journal = OnDisk::Broken;
            return Err(error);
        }
        match &inner.writer {
            Some(writer) => writer.append(Record::End { seq: id, outcome }),
            None => Err(self.no_writer()),
        }
    }

    /// Writes the state, after `edit` has set in it what no operation says: cluster, outputs, readiness,
    /// durations, addresses. The serial grows if the content changed; else the state file stays as it is.
    /// Operations that are still open stay in the journal. Works also after the journal failed.
    ///
    /// # Errors
    /// When the edit breaks what must hold, or the state cannot be written. The journal is then still there.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn commit(&self, edit: impl FnOnce(&mut State) + Send) -> Result<Committed, Error> {
        failpoint::hit("commit.before");
        let mut inner = self.inner();
        let mut state = inner.ledger.state().clone();
        edit(&mut state);
        load::check_edit(&self.location, &inner.base, &state)?;
        if let Some(writer) = inner.writer.take() {
            inner.journal = writer.finish().map_or(OnDisk::Broken, OnDisk::Continued);
        }
        self.sign(&mut state);
        let next = inner.next_serial(&state);
        let changed = next.is_some();
        if let Some(serial) = next {
            state.format_version = FORMAT_VERSION;
            state.serial = serial;
            state.stack_file = self.location.recorded_stack_file();
            env!("CARGO_PKG_VERSION").clone_into(&mut state.tool_version);
            // If this fails, the file may be the new one all the same: its serial is used up, and whether the
            // journal continues it is not known.
            inner.journal_serial = state.serial;
            inner.unsure = true;
            let journal = std::mem::replace(&mut inner.journal, OnDisk::Broken);
            self.write_state(&mut inner, &state)?;
            inner.journal = journal;
            inner.unsure = false;
            inner.base = state.clone();
            inner.exists = true;
        } else {
            state = inner.base.clone();
        }
        inner.ledger = Ledger::new(state);
        if !matches!(inner.journal, OnDisk::None) {
            inner.journal = OnDisk::Stale;
        }
        self.compact_journal(&mut inner)?;
        self.release_space(&mut inner)?;
        self.lock.ended();
        failpoint::hit("commit.done");
        Ok(Committed { serial: inner.base.serial, changed })
    }

    /// The serial that a [`Self::commit`] of this content would give it; `None` if it is the content already.
    #[must_use]
    pub fn next_serial(&self, content: &State) -> Option<u64> {
        let mut content = content.clone();
        self.sign(&mut content);
        self.inner().next_serial(&content)
    }

    /// Names the key that made the digests.
    fn sign(&self, state: &mut State) {
        if !state.resources.is_empty() || state.key_id.is_some() {
            state.key_id = Some(self.key.id());
        }
    }

    /// Records what was applied, and drops the oldest revisions: ten are kept, and the last that got ready.
    ///
    /// # Errors
    /// When it cannot be written.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn record_revision(&self, revision: &Revision) -> Result<(), Error> {
        revisions::write(&self.disk, &self.location, revision)
    }

    fn write_state(&self, inner: &mut Inner, state: &State) -> Result<(), Error> {
        let location = &self.location;
        if inner.exists {
            self.disk.keep_previous(&location.state, &location.previous())?;
        }
        let reserved = inner.reserved.take();
        self.disk.replace(&location.state, render(state).as_bytes(), reserved)?;
        self.disk.sync_folder(location.folder())
    }

    fn release_space(&self, inner: &mut Inner) -> Result<(), Error> {
        if inner.reserved.take().is_some() {
            self.disk.remove(&files::temporary(&self.location.state))?;
        }
        Ok(())
    }

    fn no_writer(&self) -> Error {
        Error::Journal { path: self.location.journal(), reason: "its writer has ended".to_owned() }
    }
}

#[cfg(test)]
impl LockedStore {
    /// Waits until every record so far is written, or failed.
    pub(super) fn written_for_tests(&self) {
        if let Some(writer) = &self.inner().writer {
            writer.wait_until_written();
        }
    }

    /// How many syncs the journal made so far; ends its writer.
    pub(super) fn syncs_for_tests(&self) -> u64 {
        let mut inner = self.inner();
        let end = inner.writer.take().and_then(Writer::finish);
        let syncs = end.as_ref().map_or(0, |end| end.syncs);
        inner.journal = end.map_or(OnDisk::Broken, OnDisk::Continued);
        syncs
    }
}

impl Drop for LockedStore {
    fn drop(&mut self) {
        // Best effort, without effect on anything: the next writer removes it too.
        drop(self.release_space(&mut self.inner()));
    }
}
