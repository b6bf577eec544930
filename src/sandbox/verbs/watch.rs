//! WATCH: `k8s.io/apiserver/pkg/storage/cacher`. Woken by storage; nothing is polled.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::list::{as_served, expired, wait_for};
use super::list_params::{self, ListParams};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::storage::{Compacted, Event, Scope, Stored};

/// How long a watch lasts that does not say; the API server draws from half an hour to an hour.
const LONGEST: Duration = Duration::from_mins(45);

/// How often a watch that may be told so is told how far it is, and so long before its end.
const BOOKMARKS: Duration = Duration::from_mins(1);
const BEFORE_END: Duration = Duration::from_secs(2);

/// One event of a watch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::sandbox) struct WatchEvent {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type")]
    pub(in crate::sandbox) kind: &'static str,
    /// The object, or the `Status` of an error.
    #[serde(serialize_with = "shared")]
    pub(in crate::sandbox) object: Arc<Value>,
}

fn shared<S: serde::Serializer>(value: &Arc<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    Value::serialize(value, serializer)
}

/// A watch under way. Ask [`Watch::next`] until it ends.
#[derive(Debug)]
pub(in crate::sandbox) struct Watch {
    server: Arc<Server>,
    resource: Arc<Resource>,
    namespace: Option<String>,
    params: ListParams,
    latest: Receiver<u64>,
    /// Events not yet told.
    queue: VecDeque<WatchEvent>,
    /// Changes up to this revision are in the queue or told.
    seen: u64,
    /// Where it began: no bookmark repeats that.
    start: u64,
    end: Instant,
    next_bookmark: Option<Instant>,
    has_failed: bool,
}

/// Watches objects of a kind, of one namespace or, by `None`, of all (or of a cluster-scoped kind).
///
/// # Errors
/// A version that is no number. What the API server tells by an `ERROR` event is told by one here.
pub(in crate::sandbox) async fn watch(
    server: Arc<Server>,
    resource: Arc<Resource>,
    namespace: Option<String>,
    params: ListParams,
) -> Result<Watch, ApiError> {
    // The API server fails to word this one.
    let version = list_params::revision(&params.version).map_err(|error| ApiError::new(500, "", error))?;
    let now = Instant::now();
    let end = match params.timeout_seconds {
        0 => now + LONGEST,
        seconds => now + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
    };
    let latest = server.storage.latest();
    let mut watch = Watch {
        latest,
        resource,
        namespace,
        queue: VecDeque::new(),
        seen: version,
        start: version,
        end,
        next_bookmark: None,
        has_failed: false,
        params,
        server,
    };
    if let Err(error) = watch.begin(version).await {
        watch.fail(&error);
    }
    watch.plan_bookmark();
    Ok(watch)
}

impl Watch {
    /// The next event; `None` at the end.
    pub(in crate::sandbox) async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if self.has_failed || Instant::now() >= self.end {
                return None;
            }
            // Before the changes are read, so that none after them goes unnoticed.
            self.latest.borrow_and_update();
            self.take_in();
            if !self.queue.is_empty() || self.has_failed {
                continue;
            }
            let wake = self.next_bookmark.map_or(self.end, |bookmark| bookmark.min(self.end));
            tokio::select! {
                changed = self.latest.changed() => changed.ok()?,
                () = tokio::time::sleep_until(wake) => self.remind(),
            }
        }
    }

    async fn begin(&mut self, version: u64) -> Result<(), ApiError> {
        let initial = self.params.initial_events;
        if initial == Some(true) {
            wait_for(&self.server.storage, version).await?;
            let scope = self.scope();
            let (found, revision) = self.server.storage.list(scope.group, scope.plural, scope.namespace);
            for (_, stored) in &found {
                if self.is_selected(stored) {
                    self.queue.push_back(self.event("ADDED", stored));
                }
            }
            (self.seen, self.start) = (revision, revision);
            if self.params.allow_bookmarks {
                self.queue.push_back(bookmark(&self.resource, revision, true));
            }
        } else if version == 0 {
            self.seen = self.server.storage.revision();
            self.start = self.seen;
        } else if let Err(Compacted { oldest }) = self.server.storage.changes(self.scope(), version) {
            return Err(expired(&format!("too old resource version: {version} ({oldest})")));
        }
        Ok(())
    }

    /// Takes in what has changed since.
    fn take_in(&mut self) {
        match self.server.storage.changes(self.scope(), self.seen) {
            Ok((changes, revision)) => {
                for change in &changes {
                    let told = self.told(change);
                    self.queue.extend(told);
                }
                self.seen = self.seen.max(revision);
            }
            // It was too slow. The API server ends such a watch; the next one is told why.
            Err(Compacted { .. }) => self.has_failed = true,
        }
    }

    /// What a change is to this watch: an object that starts or stops being selected comes or goes.
    fn told(&self, change: &Event) -> Option<WatchEvent> {
        let before = change.before.as_ref().filter(|stored| self.is_selected(stored));
        let after = change.after.as_ref().filter(|stored| self.is_selected(stored));
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some(self.event("ADDED", after)),
            (Some(_), Some(after)) => Some(self.event("MODIFIED", after)),
            (Some(before), None) => {
                let mut object = Value::clone(&as_served(&self.resource, &before.object));
                object["metadata"]["resourceVersion"] = change.revision.to_string().into();
                Some(WatchEvent { kind: "DELETED", object: Arc::new(object) })
            }
        }
    }

    fn event(&self, kind: &'static str, stored: &Stored) -> WatchEvent {
        WatchEvent { kind, object: as_served(&self.resource, &stored.object) }
    }

    fn is_selected(&self, stored: &Stored) -> bool {
        self.params.selector.matches(&self.resource, &stored.object)
    }

    fn scope(&self) -> Scope<'_> {
        let Resource { group, plural, .. } = &*self.resource;
        Scope { group, plural, namespace: self.namespace.as_deref() }
    }

    fn fail(&mut self, error: &ApiError) {
        self.queue = VecDeque::from([WatchEvent { kind: "ERROR", object: Arc::new(error.to_status()) }]);
        self.has_failed = true;
    }

    /// A bookmark, if one is due and says something.
    fn remind(&mut self) {
        let now = Instant::now();
        if self.next_bookmark.is_some_and(|due| due <= now) && now < self.end {
            if self.seen > self.start {
                self.queue.push_back(bookmark(&self.resource, self.seen, false));
            }
            self.plan_bookmark();
        }
    }

    fn plan_bookmark(&mut self) {
        let now = Instant::now();
        let last = self.end.checked_sub(BEFORE_END);
        let due = last.map(|last| last.min(now + BOOKMARKS)).filter(|due| *due > now);
        self.next_bookmark = due.filter(|_| self.params.allow_bookmarks);
    }
}

/// Group, plural and the parts of Go's empty value that are always written.
type Parts = (&'static str, &'static str, Map<String, Value>);

static PARTS: LazyLock<Vec<Parts>> = LazyLock::new(|| {
    let lines = include_str!("bookmarks.txt").lines().filter(|line| !line.starts_with('#'));
    let parts = lines.map(|line| {
        let (group, rest) = line.split_once(' ')?;
        let (plural, parts) = rest.split_once(' ')?;
        Some((if group == "-" { "" } else { group }, plural, serde_json::from_str(parts).ok()?))
    });
    parts.collect::<Option<_>>().expect("a test reads bookmarks.txt")
});

fn bookmark(resource: &Resource, revision: u64, is_end_of_initial: bool) -> WatchEvent {
    let mut object = json!({
        "kind": resource.kind,
        "apiVersion": super::api_version(&resource.group, &resource.version),
        "metadata": {"resourceVersion": revision.to_string()},
    });
    if is_end_of_initial {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    let built_in = resource.custom.is_none();
    let parts =
        PARTS.iter().filter(|(group, plural, _)| *group == resource.group && *plural == resource.plural);
    for (name, part) in parts.filter(|_| built_in).flat_map(|(_, _, parts)| parts) {
        object[name] = part.clone();
    }
    WatchEvent { kind: "BOOKMARK", object: Arc::new(object) }
}
