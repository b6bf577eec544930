//! Stand-ins for the controllers of a cluster: what they write into objects, without what they do in the
//! world. No container runs, no volume is made, nothing is fetched from a network, no chart is rendered; where
//! a controller has a place to say so, the stand-in does.
//!
//! *Invariants:* clients of [`super::verbs`] like any other, under the names of the controllers they stand for;
//! woken by changes of storage, never by polling; each looks at one object as it is now, whatever woke it, so
//! that a crash between two steps is made good by looking again.

mod claims;
mod client;
mod daemon_set;
mod deployment;
mod disruption;
mod flux;
mod garbage;
mod index;
mod job;
mod namespace;
mod pods;
mod pods_of;
mod queue;
mod refused;
mod replica_set;
mod sources;
mod stateful_set;
#[cfg(test)]
mod tests;
mod volumes;

pub use sources::parse as parse_sources;

pub(super) use sources::Sources;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::client::Client;
use self::queue::{Queue, Work};
use super::error::ApiError;
use super::server::Server;
use super::storage::{Event, Key};

/// Objects looked at together.
const TOGETHER: usize = 32;
/// How long after a write that another one was quicker than an object is looked at again.
const RACED: Duration = Duration::from_millis(10);
/// How long after a refused write.
const REFUSED: Duration = Duration::from_secs(1);

/// What is left to do after an object was looked at.
#[derive(Debug, Default)]
struct Next {
    /// Look again after this time.
    again: Option<Duration>,
    /// Look at these too, by the same controller.
    also: Vec<Key>,
}

impl Next {
    fn after(time: Duration) -> Self {
        Self { again: Some(time), also: Vec::new() }
    }
}

/// One stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Namespace,
    GarbageCollector,
    Claim,
    Volume,
    Pod,
    ReplicaSet,
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    Disruption,
    Source,
    HelmChart,
    HelmRelease,
    Kustomization,
}

impl Part {
    const ALL: [Self; 15] = [
        Self::Namespace,
        Self::GarbageCollector,
        Self::Claim,
        Self::Volume,
        Self::Pod,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::Disruption,
        Self::Source,
        Self::HelmChart,
        Self::HelmRelease,
        Self::Kustomization,
    ];

    /// The objects to look at because of a change.
    fn woken(self, client: &Client, event: &Event) -> Vec<Key> {
        match self {
            Self::Namespace => namespace::woken(event),
            Self::GarbageCollector => garbage::woken(client, event),
            Self::Claim => claims::woken(client, event),
            Self::Volume => volumes::woken(client, event),
            Self::Pod => pods::woken(client, event),
            Self::ReplicaSet => pods_of::woken(event, "apps", "replicasets", "ReplicaSet"),
            Self::Deployment => deployment::woken(event),
            Self::StatefulSet => pods_of::woken(event, "apps", "statefulsets", "StatefulSet"),
            Self::DaemonSet => pods_of::woken(event, "apps", "daemonsets", "DaemonSet"),
            Self::Job => pods_of::woken(event, "batch", "jobs", "Job"),
            Self::Disruption => disruption::woken(client, event),
            Self::Source => flux::source::woken(event),
            Self::HelmChart => flux::chart::woken(client, event),
            Self::HelmRelease => flux::release::woken(client, event),
            Self::Kustomization => flux::kustomization::woken(client, event),
        }
    }

    /// Looks at one object and does what is to be done about it.
    async fn look(self, client: &Client, key: &Key) -> Result<Next, ApiError> {
        match self {
            Self::Namespace => namespace::look(client, key).await,
            Self::GarbageCollector => garbage::look(client, key).await,
            Self::Claim => claims::look(client, key).await,
            Self::Volume => volumes::look(client, key).await,
            Self::Pod => pods::look(client, key).await,
            Self::ReplicaSet => replica_set::look(client, key).await,
            Self::Deployment => deployment::look(client, key).await,
            Self::StatefulSet => stateful_set::look(client, key).await,
            Self::DaemonSet => daemon_set::look(client, key).await,
            Self::Job => job::look(client, key).await,
            Self::Disruption => disruption::look(client, key).await,
            Self::Source => flux::source::look(client, key).await,
            Self::HelmChart => flux::chart::look(client, key).await,
            Self::HelmRelease => flux::release::look(client, key).await,
            Self::Kustomization => flux::kustomization::look(client, key).await,
        }
    }
}

/// Runs all of them until `stop`. `idle` is told the revision up to which nothing is left to be done.
pub(super) async fn run(
    server: Arc<Server>,
    sources: Sources,
    idle: watch::Sender<u64>,
    stop: CancellationToken,
) {
    let client = Client::new(server, sources);
    tokio::select! {
        () = stop.cancelled() => {}
        () = work(&client, &idle) => {}
    }
}

async fn work(client: &Client, idle: &watch::Sender<u64>) {
    let mut latest = client.server.storage.latest();
    let mut queue = Queue::default();
    let mut seen = None;
    loop {
        let now = *latest.borrow_and_update();
        let events = seen.and_then(|seen| client.server.storage.events_after(seen).ok());
        if let Some(events) = events {
            for event in &events {
                take_in(client, event, &mut queue);
            }
            seen = events.last().map(|event| event.revision).or(seen);
        } else {
            // The first look, or more has happened than is remembered: look at everything.
            client.index().clear();
            for event in client.everything() {
                take_in(client, &event, &mut queue);
            }
            seen = Some(now);
        }
        let batch = queue.take(TOGETHER);
        if !batch.is_empty() {
            let looked = futures::stream::iter(batch)
                .map(|work| async move {
                    let next = work.part.look(client, &work.key).await;
                    (work, next)
                })
                .buffer_unordered(TOGETHER)
                .collect::<Vec<_>>()
                .await;
            for (work, next) in looked {
                if let Err(error) = &next
                    && !matches!(error.code, 404 | 409)
                {
                    refused::tell(client, &work.key, error).await;
                }
                follow(work, next, &mut queue);
            }
            continue;
        }
        if seen == Some(client.server.storage.revision()) {
            idle.send_replace(now);
        }
        let due = queue.due();
        tokio::select! {
            changed = latest.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep(due) => {}
        }
    }
}

async fn sleep(until: Option<tokio::time::Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn take_in(client: &Client, event: &Event, queue: &mut Queue) {
    client.index().take_in(event);
    for part in Part::ALL {
        for key in part.woken(client, event) {
            queue.add(Work { part, key });
        }
    }
}

/// What a look leaves to be done. A refused write was either raced by another one, which wakes the controller
/// anyway, or meets something that must change first; trying again soon is right for both.
fn follow(work: Work, next: Result<Next, ApiError>, queue: &mut Queue) {
    match next {
        Ok(next) => {
            for key in next.also {
                queue.add(Work { part: work.part, key });
            }
            if let Some(time) = next.again {
                queue.add_later(work, time);
            }
        }
        Err(error) if error.code == 404 => {}
        Err(error) if error.code == 409 => queue.add_later(work, RACED),
        Err(_) => queue.add_later(work, REFUSED),
    }
}
