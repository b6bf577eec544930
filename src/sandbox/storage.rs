//! Objects and the order of their changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

/// Name of an object in storage: resource and place. Versions of one group share objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// An object as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    /// The object, with `metadata.resourceVersion` in it.
    pub(super) object: Arc<Value>,
    /// The revision that wrote it.
    pub(super) revision: u64,
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

/// All objects, and the latest changes in order.
#[derive(Debug)]
pub(super) struct Storage {
    inner: Mutex<Inner>,
    latest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    revision: u64,
    objects: BTreeMap<Key, Stored>,
    events: Vec<Event>,
}

impl Storage {
    /// Objects in memory alone.
    pub(super) fn in_memory() -> Self {
        let inner = Inner { revision: 1, objects: BTreeMap::new(), events: Vec::new() };
        Self { inner: Mutex::new(inner), latest: watch::Sender::new(1) }
    }

    /// The revision of the latest change.
    pub(super) fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// One object.
    pub(super) fn get(&self, key: &Key) -> Option<Stored> {
        self.lock().objects.get(key).cloned()
    }

    /// All objects of a resource, of one namespace or all, ordered by namespace and name, and the revision at
    /// which that was so.
    pub(super) fn list(
        &self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
    ) -> (Vec<(Key, Stored)>, u64) {
        let inner = self.lock();
        let start = Key {
            group: group.into(),
            plural: plural.into(),
            namespace: namespace.unwrap_or_default().into(),
            name: String::new(),
        };
        let of_resource = inner
            .objects
            .range(start..)
            .take_while(|(key, _)| key.group == group && key.plural == plural)
            .take_while(|(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace));
        (of_resource.map(|(key, stored)| (key.clone(), stored.clone())).collect(), inner.revision)
    }

    /// Makes one change: `object` in place of what is at `expected` (`None`: nothing), or its removal.
    /// `metadata.resourceVersion` is set here. Returns what is stored now; for a removal, the last object with
    /// the revision of its removal. Answers when the change is on disk; nobody sees it before. Changes that
    /// wait at the same time go to disk together.
    ///
    /// # Errors
    /// Something else is there by now, or the change could not be made durable: then nobody has seen it.
    pub(super) async fn commit(
        &self,
        key: &Key,
        expected: Option<u64>,
        object: Option<Value>,
    ) -> Result<Stored, CommitError> {
        let mut inner = self.lock();
        let before = inner.objects.get(key).cloned();
        if before.as_ref().map(|stored| stored.revision) != expected {
            return Err(CommitError::Stale);
        }
        let revision = inner.revision + 1;
        let stamped = |mut object: Value| {
            object["metadata"]["resourceVersion"] = revision.to_string().into();
            Stored { object: Arc::new(object), revision }
        };
        let after = object.map(stamped);
        let answer = match (&after, &before) {
            (Some(after), _) => after.clone(),
            (None, Some(before)) => stamped(Value::clone(&before.object)),
            (None, None) => return Err(CommitError::Stale),
        };
        match &after {
            Some(after) => inner.objects.insert(key.clone(), after.clone()),
            None => inner.objects.remove(key),
        };
        inner.revision = revision;
        inner.events.push(Event { revision, key: key.clone(), before, after });
        drop(inner);
        self.latest.send_replace(revision);
        Ok(answer)
    }

    /// The changes after `revision`, as far as they are there now.
    ///
    /// # Errors
    /// Some of them are gone.
    pub(super) fn events_after(&self, revision: u64) -> Result<Vec<Event>, Compacted> {
        let inner = self.lock();
        Ok(inner.events.iter().filter(|event| event.revision > revision).cloned().collect())
    }

    /// Told the latest revision at every change.
    pub(super) fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
