//! What is in the cluster: every object with the stack's label, and every object that the files know of.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;

use crate::address::ObjectKey;
use crate::cluster::{self, Api, Discovery, Reader};
use crate::object::{Object, STACK_LABEL};
use crate::ops::{Error, settle};
use crate::stack::Stack;
use crate::state::{OpenBegin, Salvage, State};

/// Requests under way at once.
const CONCURRENCY: usize = 16;

/// What carries the stack's label.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) marked: Vec<Object>,
    discovery: Discovery,
    /// Kinds that could not be listed, and why.
    unread: BTreeMap<String, String>,
}

/// What is under a name that the files know.
#[derive(Debug)]
pub(super) enum Look {
    There(Object),
    Absent,
    Unread(String),
}

/// Lists every kind that the cluster serves.
///
/// # Errors
/// When the cluster does not answer. A kind that may not be listed is no error.
pub(super) async fn look(
    salvage: &Salvage,
    stack: Option<&Stack>,
    reader: &Reader,
    name: &str,
) -> Result<Live, Error> {
    let (kinds, namespaces) = known(salvage, stack);
    let discovery = reader.discover(&kinds).await?;
    let selector = format!("{STACK_LABEL}={name}");
    let apis = discovery.all_listable();
    let listed = futures::stream::iter(&apis)
        .map(|api| async { (*api, list(api, &namespaces, &selector, reader).await) })
        .buffered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let mut uids = BTreeSet::new();
    let mut marked = Vec::new();
    let mut unread: BTreeMap<String, String> = discovery
        .unavailable()
        .iter()
        .map(|version| (version.clone(), "its server does not answer".to_owned()))
        .collect();
    for (api, objects) in listed {
        match objects {
            // One object may be served by several groups.
            Ok(objects) => marked.extend(
                objects
                    .into_iter()
                    .filter(|object| object.mark().is_some() && uids.insert(object.uid().to_owned())),
            ),
            Err(error) if is_fatal(&error) => return Err(error.into()),
            Err(error) => drop(unread.insert(api.plural.clone(), error.to_string())),
        }
    }
    Ok(Live { marked, discovery, unread })
}

/// All of a kind; in the namespaces that are known, where not everywhere.
async fn list(
    api: &Api,
    namespaces: &BTreeSet<String>,
    selector: &str,
    reader: &Reader,
) -> Result<Vec<Object>, cluster::Error> {
    match reader.list(api, None, Some(selector)).await {
        Err(cluster::Error::Forbidden(why)) if api.namespaced && !namespaces.is_empty() => {
            let mut objects = Vec::new();
            for namespace in namespaces {
                match reader.list(api, Some(namespace), Some(selector)).await {
                    Ok(found) => objects.extend(found),
                    Err(cluster::Error::Forbidden(_)) => return Err(cluster::Error::Forbidden(why)),
                    Err(error) => return Err(error),
                }
            }
            Ok(objects)
        }
        listed => listed,
    }
}

fn is_fatal(error: &cluster::Error) -> bool {
    use cluster::Error::{Timeout, Unauthorized, Unavailable};
    matches!(error, Unavailable(_) | Timeout { .. } | Unauthorized(_))
}

/// The kinds, and the namespaces, that files tell of.
fn known(salvage: &Salvage, stack: Option<&Stack>) -> (BTreeSet<(String, String)>, BTreeSet<String>) {
    let mut kinds = BTreeSet::new();
    let mut namespaces = BTreeSet::new();
    let mut add = |api_version: &str, kind: &str, namespace: Option<&str>| {
        kinds.insert((api_version.to_owned(), kind.to_owned()));
        namespaces.extend(namespace.map(str::to_owned));
    };
    for (lineage, _) in salvage.lineages() {
        let (state, open) = salvage.rest(&lineage);
        for owned in state.resources.values() {
            add(&owned.api_version, &owned.key.kind, owned.key.namespace.as_deref());
            for former in &owned.former {
                add(&former.api_version, &former.key.kind, former.key.namespace.as_deref());
            }
        }
        for OpenBegin { begin, .. } in &open {
            add(&begin.api_version, &begin.key.kind, begin.key.namespace.as_deref());
        }
    }
    for revision in salvage.sound_revisions() {
        for recorded in revision.resources.values() {
            let object = Object(recorded.manifest.value.clone());
            add(object.api_version(), object.kind(), object.namespace());
        }
    }
    for resource in stack.into_iter().flat_map(|stack| stack.resources.values()) {
        add(&resource.api_version, &resource.kind, resource.namespace.as_deref());
    }
    (kinds, namespaces)
}

impl Live {
    /// How many objects there are of each lineage.
    pub(super) fn lineages(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for mark in self.marked.iter().filter_map(Object::mark) {
            *counts.entry(mark.lineage).or_default() += 1;
        }
        counts
    }

    /// What was not looked at, in words.
    pub(super) fn unread(&self) -> Vec<String> {
        let line = |(kind, why): (&String, &String)| format!("whether there are {kind} of it: {why}");
        self.unread.iter().map(line).collect()
    }

    /// Looks at every object that the files know and no list had, one by one: absence is a typed 404 of that object.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(super) async fn look_at(
        &self,
        rest: &State,
        open: &[OpenBegin],
        reader: &Reader,
    ) -> Result<BTreeMap<ObjectKey, Look>, Error> {
        let listed: BTreeSet<ObjectKey> = self.marked.iter().map(Object::key).collect();
        let mut wanted: BTreeMap<ObjectKey, &str> = BTreeMap::new();
        for owned in rest.resources.values() {
            wanted.insert(owned.key.clone(), &owned.api_version);
            wanted.extend(owned.former.iter().map(|f| (f.key.clone(), f.api_version.as_str())));
        }
        wanted.extend(open.iter().map(|one| (one.begin.key.clone(), one.begin.api_version.as_str())));
        let found = futures::stream::iter(wanted.into_iter().filter(|(key, _)| !listed.contains(key)))
            .map(|(key, version)| async move {
                let live = settle::live_object(version, &key, reader, &self.discovery).await;
                (key, live)
            })
            .buffered(CONCURRENCY)
            .collect::<Vec<_>>()
            .await;
        let mut looks = BTreeMap::new();
        for (key, live) in found {
            let look = match live {
                Ok(Some(object)) => Look::There(object),
                // No namespace, no object in it.
                Ok(None) | Err(Error::Cluster(cluster::Error::NamespaceNotFound(_))) => Look::Absent,
                Err(Error::Cluster(error)) if !is_fatal(&error) => Look::Unread(error.to_string()),
                Err(error) => return Err(error),
            };
            looks.insert(key, look);
        }
        Ok(looks)
    }
}
