//! Live objects, read once per plan.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;

use crate::address::ObjectKey;
use crate::cluster::{Api, Discovery, Error, Reader};
use crate::object::{Object, STACK_LABEL};

/// From how many objects of one kind and namespace on a LIST is cheaper than GETs (measured: one LIST of
/// 1000 took as long as a few dozen GETs).
const LIST_FROM: usize = 4;

/// Requests under way at once.
const CONCURRENCY: usize = 16;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Live {
    objects: BTreeMap<ObjectKey, Result<Option<Object>, Error>>,
    namespaces: BTreeMap<String, NamespaceState>,
}

/// Whether objects can be made in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NamespaceState {
    Active,
    Absent,
    Terminating,
    /// It could not be read.
    Unknown(String),
}

/// One object to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wanted<'a> {
    pub(super) api: &'a Api,
    pub(super) key: ObjectKey,
}

impl Live {
    /// Reads all of `wanted`, and the namespaces they lie in. Objects that carry the stack's label come from
    /// one LIST where there are several of a kind; whatever a LIST lacks is asked for by name, so that an
    /// absence is always a typed 404 of that very object; but not for `unasked`, which are absent where a LIST lacks them.
    ///
    /// # Errors
    /// When the cluster does not answer. A refusal to read one object is that object's.
    pub(super) async fn read(
        reader: &Reader,
        discovery: &Discovery,
        stack: &str,
        wanted: &BTreeSet<Wanted<'_>>,
        unasked: &BTreeSet<&ObjectKey>,
    ) -> Result<Self, Error> {
        let mut groups: BTreeMap<(&Api, Option<&str>), Vec<&ObjectKey>> = BTreeMap::new();
        for Wanted { api, key } in wanted {
            groups.entry((*api, key.namespace.as_deref())).or_default().push(key);
        }
        let selector = &*format!("{STACK_LABEL}={stack}");
        let listed = futures::stream::iter(groups.iter().filter(|(_, keys)| keys.len() >= LIST_FROM))
            .map(|(&(api, namespace), _)| async move {
                ((api, namespace), reader.list(api, namespace, Some(selector)).await)
            })
            .buffer_unordered(CONCURRENCY)
            .collect::<Vec<_>>()
            .await;
        let mut objects: BTreeMap<ObjectKey, Result<Option<Object>, Error>> = BTreeMap::new();
        let keys: BTreeSet<&ObjectKey> = wanted.iter().map(|w| &w.key).collect();
        let mut whole = BTreeSet::new();
        for (group, list) in listed {
            match list {
                Ok(list) => {
                    whole.insert(group);
                    objects.extend(
                        list.into_iter().filter(|o| keys.contains(&o.key())).map(|o| (o.key(), Ok(Some(o)))),
                    );
                }
                Err(error) if is_fatal(&error) => return Err(error),
                // Without the right to list, each is asked for by name.
                Err(_) => {}
            }
        }
        let unknown = |w: &&Wanted<'_>| {
            let listed = whole.contains(&(w.api, w.key.namespace.as_deref()));
            !(objects.contains_key(&w.key) || listed && unasked.contains(&w.key))
        };
        let missing: Vec<&Wanted<'_>> = wanted.iter().filter(unknown).collect();
        let got = futures::stream::iter(missing)
            .map(
                |w| async move { (&w.key, reader.get(w.api, w.key.namespace.as_deref(), &w.key.name).await) },
            )
            .buffer_unordered(CONCURRENCY)
            .collect::<Vec<_>>()
            .await;
        for (key, object) in got {
            match object {
                Err(error) if is_fatal(&error) => return Err(error),
                object => drop(objects.insert(key.clone(), object)),
            }
        }
        let mut live = Self { objects, namespaces: BTreeMap::new() };
        let names: BTreeSet<&str> = wanted.iter().filter_map(|w| w.key.namespace.as_deref()).collect();
        live.read_namespaces(reader, discovery, &names).await?;
        Ok(live)
    }

    async fn read_namespaces(
        &mut self,
        reader: &Reader,
        discovery: &Discovery,
        names: &BTreeSet<&str>,
    ) -> Result<(), Error> {
        let Some(api) = discovery.preferred("", "Namespace") else {
            return Ok(());
        };
        let got = futures::stream::iter(names.iter().copied())
            .map(|name| async move { (name, reader.get(api, None, name).await) })
            .buffer_unordered(CONCURRENCY)
            .collect::<Vec<_>>()
            .await;
        for (name, answer) in got {
            let state = match answer {
                Ok(Some(object)) if object.is_terminating() => NamespaceState::Terminating,
                Ok(Some(_)) => NamespaceState::Active,
                Ok(None) => NamespaceState::Absent,
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => NamespaceState::Unknown(error.to_string()),
            };
            self.namespaces.insert(name.to_owned(), state);
        }
        Ok(())
    }

    /// The object, or why it is not known. An object that was not asked for is absent.
    pub(super) fn get(&self, key: &ObjectKey) -> Result<Option<&Object>, &Error> {
        match self.objects.get(key) {
            Some(Ok(object)) => Ok(object.as_ref()),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }

    /// State of a namespace.
    pub(super) fn namespace(&self, name: &str) -> NamespaceState {
        self.namespaces.get(name).cloned().unwrap_or(NamespaceState::Absent)
    }
}

/// Whether an error says that nothing can be learnt from this cluster now.
pub(super) fn is_fatal(error: &Error) -> bool {
    matches!(error, Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_))
}
