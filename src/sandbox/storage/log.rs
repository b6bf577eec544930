//! The file of a storage: the objects it began with, then every change.
//!
//! A change is written behind the last one and is on disk before it is told. A log that has grown long is
//! written anew, beginning with the objects as they are.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::folder::{Folder, NotOurs};
use super::record::{self, HEAD, Record, Unreadable};
use super::state::State;
use super::{Event, Key, Stored};

const NAME: &str = "log";
const MAGIC: &[u8] = b"arrplan-sandbox-log 1\n";

/// A log is written anew when it is this much longer than twice what it began with.
const SLACK: u64 = 8 << 20;

/// Why a storage cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(in crate::sandbox) enum OpenError {
    /// Another process has it.
    #[error("{}: this sandbox is in use by {holder}", .folder.display())]
    Held {
        /// Where.
        folder: PathBuf,
        /// What the process says of itself.
        holder: String,
    },
    /// Something other than what was written stands there.
    #[error(
        "{}: damaged at byte {at}: {why}; what this sandbox held cannot be trusted: \
         `arrplan sandbox reset` begins an empty one",
        .file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// Not a log of this version.
    #[error("{}: not written by this version of arrplan; `arrplan sandbox reset` begins an empty sandbox", .file.display())]
    Version {
        /// Which file.
        file: PathBuf,
    },
    /// The disk.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// The log of a folder that this process has.
#[derive(Debug)]
pub(super) struct Log {
    folder: Folder,
    file: File,
    /// Bytes that are there and on disk.
    length: u64,
    /// At this length it is written anew.
    limit: u64,
    /// A write failed so that nobody knows what the disk holds.
    broken: bool,
}

impl Log {
    /// Opens a folder's log and reads it, or begins one.
    ///
    /// # Errors
    /// As [`super::Storage::open`].
    pub(super) fn open(path: &Path) -> Result<(Self, State), OpenError> {
        let folder = Folder::take(path).map_err(|error| match error {
            NotOurs::Held(holder) => OpenError::Held { folder: path.to_owned(), holder },
            NotOurs::Io(source) => OpenError::io(path, source),
        })?;
        folder.tidy(NAME).map_err(|source| OpenError::io(path, source))?;
        let name = folder.file(NAME);
        let opened = OpenOptions::new().read(true).write(true).open(&name);
        let in_file = |source| OpenError::io(&name, source);
        match opened {
            Ok(mut file) => {
                let read = read(&mut file, &name)?;
                if read.good < file.metadata().map_err(in_file)?.len() {
                    file.set_len(read.good).and_then(|()| file.sync_all()).map_err(in_file)?;
                }
                file.seek(SeekFrom::Start(read.good)).map_err(in_file)?;
                let limit = read.base * 2 + SLACK;
                let mut log = Self { folder, file, length: read.good, limit, broken: false };
                if log.is_long() {
                    log.rewrite(read.state.revision(), read.state.objects()).map_err(in_file)?;
                }
                Ok((log, read.state))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let state = State::default();
                let content = begin(state.revision(), state.objects());
                let file = folder.replace(NAME, &content).map_err(in_file)?;
                let length = content.len() as u64;
                Ok((Self { folder, file, length, limit: length * 2 + SLACK, broken: false }, state))
            }
            Err(error) => Err(in_file(error)),
        }
    }

    /// Writes changes and waits until they are on disk.
    ///
    /// # Errors
    /// They are not on disk, and not there after a restart unless nobody can say so: then every later call fails.
    pub(super) fn append(&mut self, events: &[Event]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed; start the sandbox again"));
        }
        let mut lines = Vec::new();
        for event in events {
            record::write_change(&mut lines, event);
        }
        if let Err(error) = self.file.write_all(&lines) {
            self.broken = self.cut_back().is_err();
            return Err(error);
        }
        // What a failed sync leaves on disk is unknown, and a second sync would not tell.
        self.file.sync_data().inspect_err(|_| self.broken = true)?;
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Whether it should be written anew.
    pub(super) fn is_long(&self) -> bool {
        self.length > self.limit
    }

    /// Writes it anew. If that fails the old one goes on, and the next attempt is due when it has grown by as
    /// much again.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn rewrite(&mut self, revision: u64, objects: &BTreeMap<Key, Stored>) -> io::Result<()> {
        self.limit = self.length + SLACK;
        let content = begin(revision, objects);
        self.file = self.folder.replace(NAME, &content)?;
        self.length = content.len() as u64;
        self.limit = self.length * 2 + SLACK;
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.sync_all()
    }
}

/// A log that begins with the objects as they are.
fn begin(revision: u64, objects: &BTreeMap<Key, Stored>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    record::write_base(&mut out, revision, objects.len());
    for (key, stored) in objects {
        record::write_kept(&mut out, key, stored);
    }
    out
}

/// What a log holds.
struct Content {
    state: State,
    /// Length without a last line that was cut off.
    good: u64,
    /// Length of what it began with.
    base: u64,
}

fn read(file: &mut File, name: &Path) -> Result<Content, OpenError> {
    let in_file = |source| OpenError::io(name, source);
    let end = file.metadata().map_err(in_file)?.len();
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut magic = Vec::new();
    (&mut reader).take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(in_file)?;
    if magic != MAGIC {
        return Err(OpenError::Version { file: name.to_owned() });
    }
    let mut at = MAGIC.len() as u64;
    let mut replay = Replay::default();
    let mut base = at;
    let mut head = [0; HEAD];
    while at < end {
        let damaged = |why| OpenError::Damaged { file: name.to_owned(), at, why };
        let line = read_line(&mut reader, &mut head, end - at).map_err(in_file)?;
        match line {
            Ok((record, length)) => {
                replay.take(record).map_err(damaged)?;
                at += length;
                if replay.is_at_base() {
                    base = at;
                }
            }
            Err(Unreadable::CutOff) if replay.has_base() => break,
            Err(Unreadable::CutOff) => return Err(damaged("the objects it begins with are not all there")),
            Err(Unreadable::Damaged(why)) => return Err(damaged(why)),
        }
    }
    if !replay.has_base() {
        let why = "the objects it begins with are not all there";
        return Err(OpenError::Damaged { file: name.to_owned(), at, why });
    }
    Ok(Content { state: replay.finish(), good: at, base })
}

type Line = Result<(Record, u64), Unreadable>;

/// The next line, of at most `left` bytes, and its length.
fn read_line(reader: &mut impl io::Read, head: &mut [u8; HEAD], left: u64) -> io::Result<Line> {
    if left < HEAD as u64 {
        return Ok(Err(Unreadable::CutOff));
    }
    reader.read_exact(head)?;
    let length = match record::length(head) {
        Ok(length) => length,
        Err(error) => {
            // A file may be made longer before its bytes are written: then it ends with zeros.
            let mut rest = vec![];
            reader.read_to_end(&mut rest)?;
            let empty = head.iter().chain(&rest).all(|byte| *byte == 0);
            return Ok(Err(if empty { Unreadable::CutOff } else { error }));
        }
    };
    if left < (HEAD + length + 1) as u64 {
        return Ok(Err(Unreadable::CutOff));
    }
    let mut content = vec![0; length + 1];
    reader.read_exact(&mut content)?;
    Ok(record::read(head, &content).map(|record| (record, (HEAD + length + 1) as u64)))
}

/// A log being read.
#[derive(Default)]
struct Replay {
    /// Revision and number of the objects it begins with; `None` before the first line.
    base: Option<(u64, usize)>,
    objects: BTreeMap<Key, Stored>,
    /// `None` until those objects are there.
    state: Option<State>,
    fresh: bool,
}

impl Replay {
    fn take(&mut self, record: Record) -> Result<(), &'static str> {
        self.fresh = false;
        match (record, &mut self.state) {
            (Record::Base { revision, objects }, None) if self.base.is_none() => {
                self.base = Some((revision, objects));
                self.settle();
                Ok(())
            }
            (Record::Keep { revision, group, plural, namespace, name, object }, None)
                if self.base.is_some() =>
            {
                let key = Key { group, plural, namespace, name };
                let stored = Stored { object: object.into(), revision };
                if self.objects.insert(key, stored).is_some() {
                    return Err("an object is there twice");
                }
                self.settle();
                Ok(())
            }
            (Record::Put { revision, group, plural, namespace, name, object }, Some(state)) => {
                let after = Some(Stored { object: object.into(), revision });
                change(state, revision, Key { group, plural, namespace, name }, after)
            }
            (Record::Delete { revision, group, plural, namespace, name }, Some(state)) => {
                change(state, revision, Key { group, plural, namespace, name }, None)
            }
            _ => Err("a record is where it cannot be"),
        }
    }

    fn settle(&mut self) {
        if let Some((revision, objects)) = self.base
            && self.objects.len() == objects
        {
            self.state = Some(State::at(revision, std::mem::take(&mut self.objects)));
            self.fresh = true;
        }
    }

    fn has_base(&self) -> bool {
        self.state.is_some()
    }

    /// Whether the last line was the last of what the log begins with.
    fn is_at_base(&self) -> bool {
        self.fresh
    }

    fn finish(self) -> State {
        self.state.unwrap_or_default()
    }
}

fn change(state: &mut State, revision: u64, key: Key, after: Option<Stored>) -> Result<(), &'static str> {
    if revision != state.revision() + 1 {
        return Err("a change is missing before this one");
    }
    let before = state.get(&key).cloned();
    if before.is_none() && after.is_none() {
        return Err("an object is removed that is not there");
    }
    state.absorb(vec![Event { revision, key, before, after }]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::state::Batch;
    use super::*;

    #[test]
    fn after_a_write_that_cannot_be_undone_nothing_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut log, state) = Log::open(folder.path()).expect("a new folder");
        let mut batch = Batch::default();
        let key =
            Key { group: String::new(), plural: "a".into(), namespace: String::new(), name: "b".into() };
        batch.add(&state, key, None, Some(json!({"metadata": {}}))).expect("nothing is there");
        let good =
            std::mem::replace(&mut log.file, File::options().write(true).open("/dev/full").expect("it is"));
        let full = log.append(batch.events()).expect_err("full");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        log.file = good;
        let later = log.append(batch.events()).expect_err("nobody knows what is there");
        assert_eq!(later.to_string(), "an earlier write failed; start the sandbox again");
        drop(log);
        let (_, state) = Log::open(folder.path()).expect("again");
        assert_eq!(state.revision(), super::super::state::FIRST);
    }
}
