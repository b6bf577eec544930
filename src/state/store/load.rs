//! Reading: the state file, its journal, its key, its revisions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::disk::Disk;
use super::super::envelope::unseal;
use super::super::error::Error;
use super::super::journal::{Begin, BeginId, Journal, OpenBegin, Outcome, Unreadable, open_list};
use super::super::key::HashKey;
use super::super::ledger::{Ledger, record};
use super::super::location::Location;
use super::super::lock::{self, Holder, Lock, LockWait};
use super::super::model::{FORMAT_VERSION, State};
use super::super::revision::Revision;
use super::super::salvage::{Found, Salvage};
use super::revisions;

/// How often a read starts again because a writer replaced files in between.
const READS: usize = 5;

/// A state as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The state with what the journal adds. Its serial is that of the file.
    pub state: State,
    /// The key of its digests; a new one, for this process only, if it has none.
    pub key: HashKey,
    /// Operations whose end is not known. Settle them in memory with [`Snapshot::settle`].
    pub open: Vec<OpenBegin>,
    /// Who is writing it right now.
    pub held_by: Option<Holder>,
    /// What a person should know: the key was lost, a file can be read by others, …
    pub notes: Vec<String>,
}

impl Snapshot {
    /// Records in memory how an open operation ended.
    pub fn settle(&mut self, id: BeginId, outcome: &Outcome) {
        if let Some(at) = self.open.iter().position(|open| open.id == id) {
            let open = self.open.remove(at);
            record(&mut self.state, &open.begin, outcome);
        }
    }
}

/// Everything that a state's files say.
pub(super) struct Loaded {
    /// The state file; a new state if there is none.
    pub(super) base: State,
    /// The state file exists.
    pub(super) exists: bool,
    /// The base with the journal's records.
    pub(super) ledger: Ledger,
    pub(super) open: BTreeMap<BeginId, Begin>,
    /// The journal as it lies there, and whether its records continue the base; if not, they are in it
    /// already and only what is open counts.
    pub(super) journal: Option<(Journal, bool)>,
    pub(super) notes: Vec<String>,
}

pub(super) fn snapshot(
    disk: &Disk,
    location: &Location,
    stack: &str,
    lineage: impl FnOnce() -> String,
) -> Result<Snapshot, Error> {
    let held_by = lock::probe(disk, &location.lock());
    let mut loaded = load(disk, location, stack, lineage)?;
    let mut state = loaded.ledger.into_state();
    let key = match load_key(disk, location, &mut loaded.notes)? {
        Some(key) => key,
        None => HashKey::generate().map_err(Error::Random)?,
    };
    if let Some(note) = match_key(&mut state, &key) {
        loaded.notes.push(note);
    }
    Ok(Snapshot { state, key, open: open_list(&loaded.open), held_by, notes: loaded.notes })
}

/// Drops the digests that another key made; the note for people, if there were any.
pub(super) fn match_key(state: &mut State, key: &HashKey) -> Option<String> {
    let made_by = state.key_id.clone()?;
    if made_by == key.id() {
        return None;
    }
    state.forget_digests();
    Some("the state's key was lost: what was written last is unknown, so everything is compared with the cluster".to_owned())
}

/// The key file; a missing one, or one of the wrong length, is no key.
pub(super) fn load_key(
    disk: &Disk,
    location: &Location,
    notes: &mut Vec<String>,
) -> Result<Option<HashKey>, Error> {
    let path = location.key();
    let Some(bytes) = disk.read(&path)?.map(zeroize::Zeroizing::new) else {
        return Ok(None);
    };
    notes.extend(disk.exposed(&path));
    Ok(HashKey::from_bytes(&bytes))
}

/// Whether there is a key.
pub(super) fn has_key(disk: &Disk, location: &Location) -> Result<bool, Error> {
    Ok(load_key(disk, location, &mut Vec::new())?.is_some())
}

/// A new key, in its file, which is the first of a state.
pub(super) fn make_key(disk: &Disk, location: &Location) -> Result<HashKey, Error> {
    // A run that failed may have made the folder and not got its name to the disk.
    let inside = |folder: &&Path| folder.starts_with(&location.project);
    let above = location.folder().ancestors().skip(1);
    for folder in above.clone().take(1).chain(above.skip(1).take_while(inside)) {
        disk.sync_folder(folder)?;
    }
    let key = HashKey::generate().map_err(Error::Random)?;
    disk.replace(&location.key(), key.bytes(), None)?;
    disk.sync_folder(location.folder())?;
    Ok(key)
}

/// Makes sure that what is about to be written holds together, and is the same state.
pub(super) fn check_edit(location: &Location, base: &State, edited: &State) -> Result<(), Error> {
    let path = &location.state;
    if edited.lineage != base.lineage {
        return Err(Error::OtherLineage {
            path: path.clone(),
            found: edited.lineage.clone(),
            expected: base.lineage.clone(),
        });
    }
    edited.check().map_err(|reason| Error::Corrupt {
        what: "new content of state file",
        path: path.clone(),
        reason,
        previous: None,
    })
}

pub(super) fn load(
    disk: &Disk,
    location: &Location,
    stack: &str,
    lineage: impl FnOnce() -> String,
) -> Result<Loaded, Error> {
    let mut last = disk.read(&location.state)?;
    let mut journal = disk.read(&location.journal())?;
    // A writer replaces the state before the journal: a state that stayed the same around the reading of the
    // journal belongs to it.
    for _ in 1..READS {
        let again = disk.read(&location.state)?;
        if again == last {
            break;
        }
        last = again;
        journal = disk.read(&location.journal())?;
    }
    assemble(disk, location, stack, last.as_deref(), journal.as_deref(), lineage)
}

fn assemble(
    disk: &Disk,
    location: &Location,
    stack: &str,
    state: Option<&[u8]>,
    journal: Option<&[u8]>,
    lineage: impl FnOnce() -> String,
) -> Result<Loaded, Error> {
    let mut notes: Vec<String> =
        [location.state.clone(), location.journal()].iter().filter_map(|path| disk.exposed(path)).collect();
    let journal = journal.map(|bytes| parse_journal(&location.journal(), bytes)).transpose()?;
    let base = state.map(|bytes| parse_state(disk, location, stack, bytes)).transpose()?;
    let exists = base.is_some();
    let base = match (base, &journal) {
        (Some(base), _) => base,
        (None, journal) => {
            if let Some(witness) = witness(disk, location, journal.as_ref()) {
                return Err(Error::Missing { path: location.state.clone(), witness });
            }
            // A first apply that did not get to its end: its objects carry the journal's lineage.
            let lineage = journal.as_ref().map_or_else(lineage, |j| j.header.lineage.clone());
            State::new(lineage, stack, location.recorded_stack_file())
        }
    };
    check_stack_file(location, &base)?;
    let mut ledger = Ledger::new(base.clone());
    let mut open = BTreeMap::new();
    let journal = match journal {
        None => None,
        Some(journal) if journal.header.lineage != base.lineage => {
            if !journal.records.is_empty() {
                return Err(Error::ForeignJournal {
                    path: location.journal(),
                    found: journal.header.lineage,
                    expected: base.lineage,
                });
            }
            Some((journal, false))
        }
        Some(journal) => {
            open = journal.open();
            // A crash between the two halves of a commit leaves the new state beside the old journal: what
            // ended is in the state. A journal that is ahead continues a state put back from a backup; its
            // records name objects by uid and hold there too.
            let continues = journal.header.base_serial >= base.serial;
            if continues {
                journal.play(&mut ledger);
            }
            if journal.header.base_serial > base.serial {
                notes.push(format!(
                    "the state is older (serial {}) than its journal (serial {}): it was put back from a backup",
                    base.serial, journal.header.base_serial
                ));
            }
            Some((journal, continues))
        }
    };
    Ok(Loaded { base, exists, ledger, open, journal, notes })
}

/// What says that there was a state although its file is not there.
fn witness(disk: &Disk, location: &Location, journal: Option<&Journal>) -> Option<PathBuf> {
    if journal.is_some_and(|j| j.header.base_serial > 0) {
        return Some(location.journal());
    }
    let previous = Some(location.previous()).filter(|previous| disk.exists(previous));
    // A revision is written before its state: the first one alone may be all that a run got to. But one that has
    // resources had a journal, which goes only once the state is there.
    let had_state = |serial: u64| {
        let has_resources = |revision: Revision| !revision.resources.is_empty();
        serial > 1
            || revisions::read(disk, location, serial).is_ok_and(|found| found.is_some_and(has_resources))
    };
    let applied = journal.is_none()
        && revisions::serials(disk, location).is_ok_and(|serials| serials.into_iter().any(had_state));
    previous.or_else(|| applied.then(|| location.revisions()))
}

fn parse_state(disk: &Disk, location: &Location, stack: &str, bytes: &[u8]) -> Result<State, Error> {
    let path = &location.state;
    let corrupt = |reason: String| Error::Corrupt {
        what: "state file",
        path: path.clone(),
        reason,
        previous: Some(location.previous()).filter(|p| disk.exists(p)),
    };
    let state: State = parse_document(path, bytes, |s: &State| s.format_version, corrupt)?;
    state.check().map_err(corrupt)?;
    if state.stack != stack {
        return Err(Error::OtherStack { path: path.clone(), found: state.stack, expected: stack.to_owned() });
    }
    Ok(state)
}

/// A sealed document of our format. A newer one is told from a damaged one, whatever else is in it: another
/// format may have another seal.
pub(super) fn parse_document<T: DeserializeOwned>(
    path: &Path,
    bytes: &[u8],
    format: impl Fn(&T) -> u32,
    corrupt: impl Fn(String) -> Error,
) -> Result<T, Error> {
    let parsed = unseal(bytes).map_err(str::to_owned).and_then(|text| {
        let document: T = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match format(&document) {
            FORMAT_VERSION => Ok(document),
            other => Err(format!("it has format {other}")),
        }
    });
    parsed.map_err(|reason| match serde_json::from_slice(bytes) {
        Ok(Format { format_version }) if format_version > FORMAT_VERSION => {
            Error::Newer { path: path.to_owned(), found: format_version, known: FORMAT_VERSION }
        }
        _ => corrupt(reason),
    })
}

/// The one member that every format has.
#[derive(Deserialize)]
struct Format {
    format_version: u32,
}

/// See [`super::Store::salvage`].
pub(super) async fn salvage(
    disk: &Disk,
    location: &Location,
    stack: &str,
    holder: &Holder,
    wait: LockWait<'_>,
) -> Result<Salvage, Error> {
    disk.create_folder(location.folder())?;
    let lock = Lock::acquire(disk, &location.lock(), holder, wait).await?;
    let state_at = |path: &Path| -> Result<Found<State>, Error> {
        let Some(bytes) = disk.read(path)? else { return Ok(Found::Absent) };
        match parse_state(disk, location, stack, &bytes) {
            Ok(state) => Ok(Found::Sound(state)),
            Err(Error::Corrupt { reason, .. }) => Ok(Found::Damaged(reason, None)),
            Err(other) => Err(other),
        }
    };
    let journal = match disk.read(&location.journal())? {
        None => Found::Absent,
        Some(bytes) => match parse_journal(&location.journal(), &bytes) {
            Ok(journal) => Found::Sound(journal),
            Err(Error::Corrupt { reason, .. }) => Found::Damaged(reason, Journal::beginning(&bytes)),
            Err(other) => return Err(other),
        },
    };
    let key = match disk.read(&location.key())?.map(zeroize::Zeroizing::new) {
        None => Found::Absent,
        Some(bytes) => HashKey::from_bytes(&bytes)
            .map_or_else(|| Found::Damaged("it is no key".to_owned(), None), Found::Sound),
    };
    Ok(Salvage {
        state: state_at(&location.state)?,
        previous: state_at(&location.previous())?,
        key,
        revisions: revisions::list(disk, location)?,
        journal,
        stack: stack.to_owned(),
        disk: disk.clone(),
        location: location.clone(),
        _lock: lock,
    })
}

fn parse_journal(path: &Path, bytes: &[u8]) -> Result<Journal, Error> {
    Journal::parse(bytes).map_err(|unreadable| match unreadable {
        Unreadable::Damaged(reason) => {
            Error::Corrupt { what: "journal", path: path.to_owned(), reason, previous: None }
        }
        Unreadable::Newer(found) => Error::Newer { path: path.to_owned(), found, known: FORMAT_VERSION },
    })
}

/// A state made by another stack file, which still exists and still has this name, is not ours to change.
fn check_stack_file(location: &Location, state: &State) -> Result<(), Error> {
    if state.stack_file == location.recorded_stack_file() {
        return Ok(());
    }
    let other = location.project.join(&state.stack_file);
    let Ok(text) = std::fs::read_to_string(&other) else {
        return Ok(());
    };
    // A file that cannot be read as TOML right now may well have the name: better to ask.
    let same = text.parse::<toml::Table>().map_or(true, |table| {
        let name = table.get("stack").and_then(|s| s.get("name"));
        name.and_then(toml::Value::as_str) == Some(&state.stack)
    });
    if same && other.canonicalize().ok() != location.stack_file.canonicalize().ok() {
        return Err(Error::TwoFiles { stack: state.stack.clone(), ours: location.stack_file.clone(), other });
    }
    Ok(())
}

#[cfg(test)]
pub(super) fn parse_for_tests(location: &Location, stack: &str, bytes: &[u8]) -> Result<State, Error> {
    parse_state(&Disk::real(), location, stack, bytes)
}
