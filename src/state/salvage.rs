//! What is left of a state whose files are damaged or gone, and the state that takes its place.
//!
//! Everything else refuses such files; here they are read as far as they can be. *Invariants:* the lock is held from
//! before the first file is read; a file that cannot be read in full is kept under a name of its own before another
//! takes its place; a newer format and another stack's state are refused here too.

use super::disk::Disk;
use super::error::Error;
use super::files;
use super::journal::{Journal, OpenBegin, open_list};
use super::key::HashKey;
use super::ledger::Ledger;
use super::location::Location;
use super::lock::Lock;
use super::model::State;
use super::revision::{Recorded, Revision};
use super::store::render;

/// One file, as far as it can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<T> {
    /// It is not there.
    Absent,
    /// All of it is as it was written.
    Sound(T),
    /// What is wrong with it, and what can be read all the same.
    Damaged(String, Option<T>),
}

impl<T> Found<T> {
    /// What can be read.
    #[must_use]
    pub fn content(&self) -> Option<&T> {
        match self {
            Self::Absent | Self::Damaged(_, None) => None,
            Self::Sound(content) | Self::Damaged(_, Some(content)) => Some(content),
        }
    }
}

/// The files of a state under its lock. Dropping it lets go of the lock with nothing written.
#[derive(Debug)]
pub struct Salvage {
    /// The state file.
    pub state: Found<State>,
    /// The state before the last change.
    pub previous: Found<State>,
    /// The key of its digests.
    pub key: Found<HashKey>,
    /// What was applied, oldest first.
    pub revisions: Vec<Recorded>,
    pub(super) journal: Found<Journal>,
    pub(super) stack: String,
    pub(super) disk: Disk,
    pub(super) location: Location,
    pub(super) _lock: Lock,
}

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalHead {
    /// Lineage of the state it continues.
    pub lineage: String,
    /// Serial of the state it continues.
    pub base_serial: u64,
    /// Operations in it, and how many of them have no end.
    pub operations: (usize, usize),
}

/// A state that was written in place of what was damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Its serial.
    pub serial: u64,
    /// Where the damaged files are now, for people.
    pub kept: Vec<String>,
}

impl Salvage {
    /// The journal, as far as it can be read.
    #[must_use]
    pub fn journal(&self) -> Found<JournalHead> {
        let head = |journal: &Journal| JournalHead {
            lineage: journal.header.lineage.clone(),
            base_serial: journal.header.base_serial,
            operations: (journal.begins(), journal.open().len()),
        };
        match &self.journal {
            Found::Absent => Found::Absent,
            Found::Sound(journal) => Found::Sound(head(journal)),
            Found::Damaged(why, rest) => Found::Damaged(why.clone(), rest.as_ref().map(head)),
        }
    }

    /// Names of the files, for people: state, previous copy, journal, key, revisions.
    #[must_use]
    pub fn places(&self) -> [String; 5] {
        let location = &self.location;
        [
            location.state.clone(),
            location.previous(),
            location.journal(),
            location.key(),
            location.revisions(),
        ]
        .map(|path| path.display().to_string())
    }

    /// Whether every other command works with these files: nothing to recover.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match (&self.state, &self.journal) {
            (Found::Sound(_), Found::Absent) => true,
            (Found::Sound(state), Found::Sound(journal)) => {
                journal.records.is_empty() || journal.header.lineage == state.lineage
            }
            // A first apply that did not get to its end.
            (Found::Absent, Found::Sound(journal)) => {
                journal.header.base_serial == 0 && self.previous == Found::Absent
            }
            _ => false,
        }
    }

    /// The lineages that the files tell of, the most trusted first, each with the file that says so.
    #[must_use]
    pub fn lineages(&self) -> Vec<(String, &'static str)> {
        let state = self.state.content().map(|state| (state.lineage.clone(), "the state"));
        let previous = self.previous.content().map(|state| (state.lineage.clone(), "the previous copy"));
        let journal = self.journal.content().map(|j| (j.header.lineage.clone(), "the journal"));
        let revisions = self.sound_revisions().map(|r| (r.lineage.clone(), "a revision"));
        let mut found: Vec<(String, &'static str)> = Vec::new();
        for one in state.into_iter().chain(previous).chain(journal).chain(revisions) {
            if found.iter().all(|(lineage, _)| *lineage != one.0) {
                found.push(one);
            }
        }
        found
    }

    /// The revisions that can be read, the newest first.
    pub fn sound_revisions(&self) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().rev().filter_map(|(_, revision)| revision.as_ref().ok())
    }

    /// What the state, or its previous copy, and the journal say of this lineage, and what the journal leaves open.
    #[must_use]
    pub fn rest(&self, lineage: &str) -> (State, Vec<OpenBegin>) {
        let of_lineage = |found: &Found<State>| found.content().filter(|s| s.lineage == lineage).cloned();
        let recorded = self.location.recorded_stack_file();
        let base = of_lineage(&self.state)
            .or_else(|| of_lineage(&self.previous))
            .unwrap_or_else(|| State::new(lineage, &self.stack, recorded));
        let Some(journal) = self.journal.content().filter(|j| j.header.lineage == lineage) else {
            return (base, Vec::new());
        };
        let mut ledger = Ledger::new(base);
        if journal.header.base_serial >= ledger.state().serial {
            journal.play(&mut ledger);
        }
        (ledger.into_state(), open_list(&journal.open()))
    }

    /// A serial that no state of this stack had, as far as is known.
    #[must_use]
    pub fn next_serial(&self) -> u64 {
        let state = match &self.state {
            Found::Sound(state) => state.serial,
            // The previous copy is one behind what was there.
            _ => self.previous.content().map_or(0, |state| state.serial + 1),
        };
        let journal = self.journal.content().map_or(0, |journal| journal.header.base_serial);
        let revision = self.revisions.iter().map(|(serial, _)| *serial).max().unwrap_or(0);
        state.max(journal).max(revision) + 1
    }

    /// Drops the digests that the key at hand did not make.
    pub fn forget_unproven(&self, state: &mut State) {
        let key = match &self.key {
            Found::Sound(key) => Some(key.id()),
            _ => None,
        };
        if state.key_id != key {
            state.forget_digests();
        }
    }

    /// Writes the state in place of what is there. Damaged files are kept beside it first, and nothing ever takes
    /// their place; the journal is over.
    ///
    /// # Errors
    /// A state that cannot be: two addresses with one object. A file that cannot be written.
    #[expect(clippy::unused_async, reason = "a store in the cluster asks a server here")]
    pub async fn replace(self, mut state: State) -> Result<Replaced, Error> {
        let (disk, location) = (&self.disk, &self.location);
        state.serial = self.next_serial();
        state.stack_file = location.recorded_stack_file();
        env!("CARGO_PKG_VERSION").clone_into(&mut state.tool_version);
        state.check().map_err(|reason| Error::Corrupt {
            what: "new content of state file",
            path: location.state.clone(),
            reason,
            previous: None,
        })?;
        let kept = self.keep_damaged(&state.lineage)?;
        disk.remove(&files::temporary(&location.state))?;
        disk.replace(&location.state, render(&state).as_bytes(), None)?;
        disk.sync_folder(location.folder())?;
        if disk.remove(&location.journal())? {
            disk.sync_folder(location.folder())?;
        }
        Ok(Replaced { serial: state.serial, kept })
    }

    /// Copies what is replaced to the first names that are free: a state file always, for nothing else has all of it;
    /// a journal that cannot be read in full, or is of another lineage.
    fn keep_damaged(&self, lineage: &str) -> Result<Vec<String>, Error> {
        let (disk, location) = (&self.disk, &self.location);
        let foreign = self.journal.content().is_some_and(|journal| journal.header.lineage != lineage);
        let mut damaged = Vec::new();
        if !matches!(self.state, Found::Absent) {
            damaged.push((location.state.clone(), "json"));
        }
        if foreign || matches!(self.journal, Found::Damaged(..)) {
            damaged.push((location.journal(), "journal"));
        }
        let taken = |n: u64| ["json", "journal"].iter().any(|kind| disk.exists(&location.damaged(n, kind)));
        let mut number = 1;
        while taken(number) {
            number += 1;
        }
        let mut kept = Vec::new();
        for (path, kind) in damaged {
            let Some(bytes) = disk.read(&path)? else { continue };
            let copy = location.damaged(number, kind);
            disk.replace(&copy, &bytes, None)?;
            kept.push(copy.display().to_string());
        }
        if !kept.is_empty() {
            disk.sync_folder(location.folder())?;
        }
        Ok(kept)
    }
}
