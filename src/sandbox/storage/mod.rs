//! Objects and the order of their changes.
//!
//! *Invariants:* revisions rise by one with every change; nobody sees a change before it is on disk; what was
//! answered is there after a crash; one process at a time owns a folder.
//!
//! [`state`] is what is known, in memory; [`log`] is the file it is read from, of [`record`]s; [`writer`] is the
//! thread that makes changes durable, several at once.

mod folder;
mod log;
mod record;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::cmp::Ordering;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

pub(super) use log::OpenError;
use state::{Batch, State};
use writer::LogThread;

/// Name of an object in storage: resource and place. Versions of one group share objects.
///
/// Ordered as the API server's storage is: by group and plural, then by the bytes of `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Group; empty for the core group.
    pub(super) group: String,
    /// Plural resource name.
    pub(super) plural: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub(super) namespace: String,
    /// Name.
    pub(super) name: String,
}

impl Key {
    /// `namespace/name`, or the name alone where there is no namespace.
    pub(super) fn place(&self) -> String {
        if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }

    fn bytes_of_place(&self) -> impl Iterator<Item = u8> + '_ {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        self.namespace.bytes().chain(slash.bytes()).chain(self.name.bytes())
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = || {
            if self.namespace == other.namespace {
                self.name.cmp(&other.name)
            } else {
                self.bytes_of_place().cmp(other.bytes_of_place())
            }
        };
        let resources = (&self.group, &self.plural).cmp(&(&other.group, &other.plural));
        resources.then_with(places)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An object as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    /// The object, with `metadata.resourceVersion` in it.
    pub(super) object: Arc<Value>,
    /// The revision that wrote it.
    pub(super) revision: u64,
}

impl Stored {
    /// `object` as `revision` writes it.
    fn stamped(mut object: Value, revision: u64) -> Self {
        object["metadata"]["resourceVersion"] = revision.to_string().into();
        Self { object: Arc::new(object), revision }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// The change's own revision.
    pub(super) revision: u64,
    /// Whose.
    pub(super) key: Key,
    /// Before; `None` for a create.
    pub(super) before: Option<Stored>,
    /// After; `None` for a delete. The `DELETED` event of a watch shows `before` with this event's revision.
    pub(super) after: Option<Stored>,
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    /// The object is not at the revision named any more.
    #[error("the object has been modified")]
    Stale,
    /// The disk.
    #[error("the sandbox cannot write its log: {0}")]
    Io(#[from] std::io::Error),
}

/// Events before this revision are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compacted {
    /// The oldest revision a watch may start from.
    pub(super) oldest: u64,
}

/// Objects of one resource, of one namespace or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope<'a> {
    /// Group; empty for the core group.
    pub(super) group: &'a str,
    /// Plural resource name.
    pub(super) plural: &'a str,
    /// `None`: all namespaces, or a cluster-scoped kind.
    pub(super) namespace: Option<&'a str>,
}

impl Scope<'_> {
    fn contains(&self, key: &Key) -> bool {
        key.group == self.group
            && key.plural == self.plural
            && self.namespace.is_none_or(|namespace| key.namespace == namespace)
    }
}

/// All objects, and the latest changes in order.
#[derive(Debug)]
pub(super) struct Storage {
    shared: Arc<Shared>,
    /// `None`: in memory alone.
    writer: Option<LogThread>,
}

/// What the writer's thread and the readers share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    latest: watch::Sender<u64>,
}

impl Shared {
    fn new(state: State) -> Arc<Self> {
        let latest = watch::Sender::new(state.revision());
        Arc::new(Self { state: Mutex::new(state), latest })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable changes visible.
    fn publish(&self, events: Vec<Event>) {
        let mut state = self.lock();
        state.absorb(events);
        let revision = state.revision();
        drop(state);
        self.latest.send_replace(revision);
    }
}

impl Storage {
    /// Objects in memory alone.
    pub(super) fn in_memory() -> Self {
        Self { shared: Shared::new(State::default()), writer: None }
    }

    /// Objects kept in a folder, which is made if it is not there. Blocks while the log is read.
    ///
    /// # Errors
    /// Another process has the folder; the log is damaged or of another version; the disk.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let (log, state) = log::Log::open(folder)?;
        let shared = Shared::new(state);
        let writer =
            LogThread::start(log, Arc::clone(&shared)).map_err(|source| OpenError::io(folder, source))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// The revision of the latest change.
    pub(super) fn revision(&self) -> u64 {
        self.shared.lock().revision()
    }

    /// One object.
    pub(super) fn get(&self, key: &Key) -> Option<Stored> {
        self.shared.lock().get(key).cloned()
    }

    /// All objects of a resource, of one namespace or all, in the order of their keys, and the revision at
    /// which that was so.
    pub(super) fn list(
        &self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
    ) -> (Vec<(Key, Stored)>, u64) {
        let state = self.shared.lock();
        (state.list(Scope { group, plural, namespace }), state.revision())
    }

    /// What [`Storage::list`] answered at an earlier revision.
    ///
    /// # Errors
    /// Changes since then are gone.
    pub(super) fn list_at(&self, scope: Scope<'_>, revision: u64) -> Result<Vec<(Key, Stored)>, Compacted> {
        self.shared.lock().list_at(scope, revision)
    }

    /// Makes one change: `object` in place of what is at `expected` (`None`: nothing), or its removal.
    /// `metadata.resourceVersion` is set here. Returns what is stored now; for a removal, the last object with
    /// the revision of its removal. Answers when the change is on disk; nobody sees it before. Changes that
    /// wait at the same time go to disk together. A caller that goes away does not take its change back.
    ///
    /// # Errors
    /// Something else is there by now, or the change could not be made durable: then nobody has seen it.
    pub(super) async fn commit(
        &self,
        key: &Key,
        expected: Option<u64>,
        object: Option<Value>,
    ) -> Result<Stored, CommitError> {
        if let Some(writer) = &self.writer {
            return writer.commit(key.clone(), expected, object).await;
        }
        let mut state = self.shared.lock();
        let mut batch = Batch::default();
        let answer = batch.add(&state, key.clone(), expected, object)?;
        state.absorb(batch.into_events());
        drop(state);
        self.shared.latest.send_if_modified(|latest| {
            let newer = answer.revision > *latest;
            *latest = answer.revision.max(*latest);
            newer
        });
        Ok(answer)
    }

    /// The changes after `revision`, as far as they are there now.
    ///
    /// # Errors
    /// Some of them are gone.
    pub(super) fn events_after(&self, revision: u64) -> Result<Vec<Event>, Compacted> {
        self.shared.lock().changes(revision, |_| true)
    }

    /// The changes of some objects after `revision`, and the revision up to which they are told.
    ///
    /// # Errors
    /// Some of them are gone.
    pub(super) fn changes(&self, scope: Scope<'_>, revision: u64) -> Result<(Vec<Event>, u64), Compacted> {
        let state = self.shared.lock();
        Ok((state.changes(revision, |key| scope.contains(key))?, state.revision()))
    }

    /// Told the latest revision at every change.
    pub(super) fn latest(&self) -> watch::Receiver<u64> {
        self.shared.latest.subscribe()
    }
}
