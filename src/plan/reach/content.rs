//! Everything in a namespace, and what of it goes anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::Survey;
use super::releases::{inventory, leaves, release_name};
use crate::address::ObjectKey;
use crate::cluster::{Api, Error};
use crate::object::Object;

impl Survey<'_> {
    /// uids of what goes anyway: the plan's own deletes, what a deleted release installed, and every object
    /// whose chain of owners ends in one of these.
    pub(super) fn gone_anyway(&self, objects: &[Object]) -> BTreeSet<String> {
        let makers: Vec<&Object> = objects
            .iter()
            .filter(|o| self.going.contains(&o.key()) || self.is_application_release(o))
            .collect();
        let mut taken: BTreeMap<ObjectKey, Vec<&Object>> = BTreeMap::new();
        for maker in &makers {
            for (key, _) in inventory(maker).unwrap_or_default() {
                taken.entry(key).or_default().push(maker);
            }
        }
        let is_taken = |object: &Object| {
            let of = taken.get(&object.key()).map_or(&[][..], Vec::as_slice);
            of.iter().any(|maker| !leaves(maker, object))
                || makers.iter().any(|maker| is_of_release(maker, object))
        };
        let mut gone: BTreeSet<String> = objects
            .iter()
            .filter(|o| self.going.contains(&o.key()) || self.is_application_release(o) || is_taken(o))
            .map(|o| o.uid().to_owned())
            .collect();
        // Owners come before what they own in a few rounds at most: chains are short.
        loop {
            let more: Vec<String> = objects
                .iter()
                .filter(|o| !gone.contains(o.uid()) && owners(o).any(|owner| gone.contains(owner)))
                .map(|o| o.uid().to_owned())
                .collect();
            if more.is_empty() {
                return gone;
            }
            gone.extend(more);
        }
    }

    /// The HelmRelease behind a Cozystack application that the plan deletes.
    pub(super) fn is_application_release(&self, object: &Object) -> bool {
        let application = |key: &ObjectKey| {
            key.group == "apps.cozystack.io"
                && key.namespace.as_deref() == object.namespace()
                && object.label("apps.cozystack.io/application.kind") == Some(&key.kind)
                && object.label("apps.cozystack.io/application.name") == Some(&key.name)
        };
        object.kind() == "HelmRelease" && self.going.iter().any(application)
    }

    /// Everything listable in a namespace, Events excepted; read once.
    pub(super) async fn content(&self, namespace: &str) -> Result<Arc<OnceCell<Content>>, Error> {
        let cell = Arc::clone(self.content.lock().await.entry(namespace.to_owned()).or_default());
        cell.get_or_try_init(|| self.read_content(namespace)).await?;
        Ok(cell)
    }

    pub(super) async fn read_content(&self, namespace: &str) -> Result<Content, Error> {
        let kinds = self.discovery.all_listable_namespaced();
        let lists = futures::stream::iter(kinds.into_iter().filter(|api| {
            api.kind != "Event" && api.verbs.iter().any(|verb| verb == "delete" || verb == "deletecollection")
        }))
        .map(|api| async move { (api, self.reader.list(api, Some(namespace), None).await) })
        .buffer_unordered(8)
        .collect::<Vec<_>>()
        .await;
        let mut content = Content::default();
        let mut seen = BTreeSet::new();
        let mut lists: Vec<(&Api, Result<Vec<Object>, Error>)> = lists;
        lists.sort_by(|a, b| a.0.cmp(b.0));
        for (api, list) in lists {
            match list {
                // One object can be served by several groups; its uid is one. A Cozystack application has its
                // HelmRelease's uid (measured), but it is the release that tells what was installed.
                Ok(objects) => {
                    let application = api.group == "apps.cozystack.io";
                    let new = |o: &Object| seen.insert((o.uid().to_owned(), application));
                    content.objects.extend(objects.into_iter().filter(new));
                }
                Err(Error::KindNotServed { .. }) => {}
                Err(error @ (Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_))) => {
                    return Err(error);
                }
                Err(error) => content.unreadable.push(format!("{} in {namespace}: {error}", api.plural)),
            }
        }
        Ok(content)
    }
}

/// Everything in a namespace that could be listed.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) objects: Vec<Object>,
    pub(super) unreadable: Vec<String>,
}

/// What Helm and helm-controller keep for a release: its storage, and the chart made from `spec.chart`.
fn is_of_release(maker: &Object, object: &Object) -> bool {
    if maker.kind() != "HelmRelease" {
        return false;
    }
    let chart = || maker.0.pointer("/status/helmChart").and_then(Value::as_str);
    match object.kind() {
        "Secret" => object.name().starts_with(&format!("sh.helm.release.v1.{}.", release_name(maker))),
        "HelmChart" => {
            chart() == Some(&format!("{}/{}", object.namespace().unwrap_or_default(), object.name()))
        }
        _ => false,
    }
}

/// What every namespace has, whoever made it.
pub(super) fn is_furniture(object: &Object, all: &[Object]) -> bool {
    match (object.kind(), object.name()) {
        ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default") => true,
        ("Endpoints", name) => all.iter().any(|o| o.kind() == "Service" && o.name() == name),
        _ => false,
    }
}

pub(super) fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let list = object.0.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|owner| owner.get("uid")?.as_str())
}
