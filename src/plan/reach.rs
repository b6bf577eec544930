//! What goes with a delete (design §5.6): a namespace's content, a definition's objects, a release's
//! inventory, an owner's dependents. Asked at plan time, and again directly before the delete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::address::ObjectKey;
use crate::cluster::{Api, Discovery, Error, Reader};
use crate::object::Object;
use crate::plan::{Reach, ReachItem, Risk};

/// Everything in a namespace that could be listed.
#[derive(Debug, Default)]
struct Content {
    objects: Vec<Object>,
    unreadable: Vec<String>,
}

/// Answers what goes with the deletes of one plan; each namespace is listed once.
pub struct Survey<'a> {
    reader: &'a Reader,
    discovery: &'a Discovery,
    /// Keys of everything the plan deletes itself.
    going: BTreeSet<ObjectKey>,
    content: Mutex<BTreeMap<String, Arc<OnceCell<Content>>>>,
}

/// What stands in the way of deleting a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The object.
    pub key: ObjectKey,
    /// Why it holds the namespace.
    pub why: String,
}

impl<'a> Survey<'a> {
    /// A survey for a plan that deletes `going`.
    #[must_use]
    pub fn new(reader: &'a Reader, discovery: &'a Discovery, going: BTreeSet<ObjectKey>) -> Self {
        Self {
            reader,
            discovery,
            going,
            content: Mutex::new(BTreeMap::new()),
        }
    }

    /// Everything that goes with the delete of `object`, its own risk included as an item only for claims.
    ///
    /// # Errors
    /// Only when the cluster cannot be reached; what may not be read is [`Reach::unreadable`].
    pub async fn reach(&self, object: &Object) -> Result<Reach, Error> {
        let mut reach = Reach::default();
        self.collect(object, &mut reach).await?;
        reach.items.sort();
        reach.items.dedup();
        reach.unreadable.sort();
        reach.unreadable.dedup();
        reach.stays.sort();
        reach.stays.dedup();
        Ok(reach)
    }

    /// What forbids the delete of namespace `name`: anything kept (`kept`), protected, or marked by another
    /// stack than `stack`. A DELETE of the namespace would take it, protection or not (measured).
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub async fn held(
        &self,
        name: &str,
        stack: &str,
        kept: &BTreeSet<ObjectKey>,
    ) -> Result<Vec<Held>, Error> {
        let content = self.content(name).await?;
        let content = content.get().map_or(&[][..], |c| &c.objects);
        let mut held: Vec<Held> = Vec::new();
        for object in content {
            let key = object.key();
            let why = match object.mark() {
                _ if kept.contains(&key) => "it is kept".to_owned(),
                _ if object.is_protected() => "it is protected".to_owned(),
                Some(mark) if mark.stack != stack => format!("it belongs to stack `{}`", mark.stack),
                _ => continue,
            };
            held.push(Held { key, why });
        }
        held.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(held)
    }

    async fn collect(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let group = object.key().group;
        match (group.as_str(), object.kind()) {
            ("", "Namespace") => self.namespace(object.name(), reach).await,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => self.definition(object, reach).await,
            ("helm.toolkit.fluxcd.io", "HelmRelease") => self.release(object, reach).await,
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => self.kustomization(object, reach).await,
            ("apps.cozystack.io", _) => Box::pin(self.application(object, reach)).await,
            _ => self.plain(object, reach).await,
        }
    }

    async fn plain(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        if object.kind() == "PersistentVolumeClaim" {
            reach.items.push(self.claim(object).await?);
        }
        if object.kind() == "StatefulSet" {
            self.stateful_claims(object, reach).await?;
        }
        self.dependents(&[object], reach).await
    }

    /// The claims of a StatefulSet stay when it goes, unless its retention policy says otherwise.
    async fn stateful_claims(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let Some(namespace) = object.namespace() else {
            return Ok(());
        };
        let templates = object
            .0
            .pointer("/spec/volumeClaimTemplates")
            .and_then(Value::as_array);
        let prefixes: Vec<String> = templates
            .into_iter()
            .flatten()
            .filter_map(|t| {
                Some(format!(
                    "{}-{}-",
                    t.pointer("/metadata/name")?.as_str()?,
                    object.name()
                ))
            })
            .collect();
        if prefixes.is_empty() {
            return Ok(());
        }
        let deleted = object
            .0
            .pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted")
            == Some(&Value::String("Delete".to_owned()));
        let content = self.content(namespace).await?;
        for claim in content.get().into_iter().flat_map(|c| &c.objects) {
            let ordinal = |prefix: &String| claim.name().strip_prefix(prefix.as_str()).is_some_and(is_number);
            if claim.kind() != "PersistentVolumeClaim" || !prefixes.iter().any(ordinal) {
                continue;
            }
            if deleted {
                reach.items.push(self.claim(claim).await?);
            } else {
                reach
                    .stays
                    .push(format!("{}: claims of a StatefulSet stay", claim.key().human()));
            }
        }
        Ok(())
    }

    async fn namespace(&self, name: &str, reach: &mut Reach) -> Result<(), Error> {
        let content = self.content(name).await?;
        let Some(content) = content.get() else {
            return Ok(());
        };
        reach.unreadable.extend(content.unreadable.iter().cloned());
        let gone = self.gone_anyway(&content.objects);
        for object in &content.objects {
            if gone.contains(object.uid()) || is_furniture(object, &content.objects) {
                continue;
            }
            let item = if object.kind() == "PersistentVolumeClaim" {
                self.claim(object).await?
            } else {
                let detail = "in the namespace, not of this plan".to_owned();
                ReachItem {
                    key: object.key(),
                    uid: uid(object),
                    risk: Risk::DataLoss,
                    detail,
                }
            };
            // Whatever nobody listed for deletion is data until somebody says otherwise.
            reach.items.push(ReachItem {
                risk: Risk::DataLoss,
                ..item
            });
        }
        Ok(())
    }

    /// uids of what goes anyway: the plan's own deletes, what a deleted release installed, and every object
    /// whose chain of owners ends in one of these.
    fn gone_anyway(&self, objects: &[Object]) -> BTreeSet<String> {
        let mut gone: BTreeSet<String> = BTreeSet::new();
        let mut inventories: BTreeSet<ObjectKey> = BTreeSet::new();
        let mut releases: BTreeSet<String> = BTreeSet::new();
        for object in objects
            .iter()
            .filter(|o| self.going.contains(&o.key()) || self.is_application_release(o))
        {
            inventories.extend(
                inventory(object)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, _)| key),
            );
            if object.kind() == "HelmRelease" {
                releases.insert(format!("sh.helm.release.v1.{}.", release_name(object)));
            }
        }
        for object in objects {
            let key = object.key();
            let of_release =
                object.kind() == "Secret" && releases.iter().any(|r| object.name().starts_with(r.as_str()));
            if self.going.contains(&key)
                || inventories.contains(&key)
                || of_release
                || self.is_application_release(object)
            {
                gone.insert(object.uid().to_owned());
            }
        }
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
    fn is_application_release(&self, object: &Object) -> bool {
        let application = |key: &ObjectKey| {
            key.group == "apps.cozystack.io"
                && key.namespace.as_deref() == object.namespace()
                && object.label("apps.cozystack.io/application.kind") == Some(&key.kind)
                && object.label("apps.cozystack.io/application.name") == Some(&key.name)
        };
        object.kind() == "HelmRelease" && self.going.iter().any(application)
    }

    async fn definition(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let text = |pointer: &str| {
            object
                .0
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
        let Some(api) = self.discovery.preferred(group, kind) else {
            return Ok(());
        };
        match self.reader.list(api, None, None).await {
            Ok(objects) => {
                reach.items.extend(
                    objects
                        .iter()
                        .filter(|o| !self.going.contains(&o.key()))
                        .map(|o| {
                            let detail = format!("of kind {kind}, which goes with its definition");
                            ReachItem {
                                key: o.key(),
                                uid: uid(o),
                                risk: Risk::DataLoss,
                                detail,
                            }
                        }),
                );
            }
            Err(error) => unreadable(error, &format!("objects of {kind}.{group}"), reach)?,
        }
        Ok(())
    }

    /// The inventory of a release less what is marked to be kept.
    async fn release(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let installed = object
            .0
            .pointer("/status/history")
            .and_then(Value::as_array)
            .is_some_and(|h| !h.is_empty())
            || object
                .0
                .pointer("/status/storageNamespace")
                .and_then(Value::as_str)
                .is_some_and(|s| !s.is_empty());
        if !installed {
            return Ok(());
        }
        let Some(inventory) = inventory(object) else {
            reach.unreadable.push(format!(
                "inventory of {} (its controller records none)",
                object.key().human()
            ));
            return Ok(());
        };
        self.inventory(inventory, &[("helm.sh/resource-policy", "keep")], reach)
            .await?;
        self.claims_of_release(object, reach).await
    }

    /// Hooks' objects and StatefulSet claims stay after an uninstall and are in no inventory (measured).
    async fn claims_of_release(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let stateful: Vec<ObjectKey> = inventory(object)
            .unwrap_or_default()
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key.kind == "StatefulSet" && key.group == "apps")
            .collect();
        for key in stateful {
            let Some(api) = self.discovery.preferred(&key.group, &key.kind) else {
                continue;
            };
            match self.reader.get(api, key.namespace.as_deref(), &key.name).await {
                Ok(Some(set)) => self.stateful_claims(&set, reach).await?,
                Ok(None) => {}
                Err(error) => unreadable(error, &key.human(), reach)?,
            }
        }
        Ok(())
    }

    async fn kustomization(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let text = |pointer: &str| {
            object
                .0
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("MirrorPrune")
        };
        let prunes = match text("/spec/deletionPolicy") {
            "Orphan" => false,
            "Delete" | "WaitForTermination" => true,
            _ => object.0.pointer("/spec/prune") == Some(&Value::Bool(true)),
        };
        let Some(inventory) = inventory(object) else {
            return Ok(());
        };
        if !prunes {
            reach.stays.push(format!(
                "what {} applied: it does not prune",
                object.key().human()
            ));
            return Ok(());
        }
        self.inventory(
            inventory,
            &[("kustomize.toolkit.fluxcd.io/prune", "disabled")],
            reach,
        )
        .await
    }

    async fn inventory(
        &self,
        inventory: Vec<(ObjectKey, String)>,
        keep: &[(&str, &str)],
        reach: &mut Reach,
    ) -> Result<(), Error> {
        let mut found = Vec::new();
        for (key, version) in inventory {
            let Some(api) = self.discovery.preferred(&key.group, &key.kind) else {
                reach
                    .unreadable
                    .push(format!("{} (kind not served at {version})", key.human()));
                continue;
            };
            match self.reader.get(api, key.namespace.as_deref(), &key.name).await {
                Ok(None) => {}
                Ok(Some(object)) if keep.iter().any(|(k, v)| object.annotation(k) == Some(v)) => {
                    reach.stays.push(format!("{}: marked to be kept", key.human()));
                }
                Ok(Some(object)) if self.going.contains(&key) => drop(object),
                Ok(Some(object)) => {
                    let item = if object.kind() == "PersistentVolumeClaim" {
                        self.claim(&object).await?
                    } else {
                        let detail = String::new();
                        ReachItem {
                            key,
                            uid: uid(&object),
                            risk: risk_of_kind(&object),
                            detail,
                        }
                    };
                    reach.items.push(item);
                    found.push(object);
                }
                Err(error) => unreadable(error, &key.human(), reach)?,
            }
        }
        let nested: Vec<&Object> = found.iter().collect();
        self.dependents(&nested, reach).await?;
        for object in found.iter().filter(|o| is_nested(o)) {
            Box::pin(self.collect(object, reach)).await?;
        }
        Ok(())
    }

    /// A Cozystack application is a HelmRelease; a Tenant is a namespace as well.
    async fn application(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        if let Some(name) = object.0.pointer("/status/namespace").and_then(Value::as_str)
            && object.kind() == "Tenant"
        {
            self.namespace(name, reach).await?;
        }
        let Some(api) = self.discovery.preferred("helm.toolkit.fluxcd.io", "HelmRelease") else {
            reach.unreadable.push(format!(
                "release behind {} (HelmReleases are not served)",
                object.key().human()
            ));
            return Ok(());
        };
        let selector = format!(
            "apps.cozystack.io/application.kind={},apps.cozystack.io/application.name={}",
            object.kind(),
            object.name()
        );
        match self.reader.list(api, object.namespace(), Some(&selector)).await {
            Ok(releases) if releases.is_empty() => {
                reach
                    .unreadable
                    .push(format!("release behind {} (not found)", object.key().human()));
            }
            Ok(releases) => {
                for release in &releases {
                    self.release(release, reach).await?;
                }
            }
            Err(error) => unreadable(error, &format!("release behind {}", object.key().human()), reach)?,
        }
        Ok(())
    }

    /// Claims and custom objects that go because their owner goes.
    async fn dependents(&self, owners_going: &[&Object], reach: &mut Reach) -> Result<(), Error> {
        let mut by_namespace: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for object in owners_going {
            // ConfigMaps, Secrets and the like own nothing in practice, and asking costs a list of everything.
            if let Some(namespace) = object.namespace()
                && may_own(object)
            {
                by_namespace.entry(namespace).or_default().insert(object.uid());
            }
        }
        for (namespace, uids) in by_namespace {
            let content = self.content(namespace).await?;
            let Some(content) = content.get() else { continue };
            let mut gone: BTreeSet<&str> = uids;
            loop {
                let found: Vec<&Object> = content
                    .objects
                    .iter()
                    .filter(|o| !gone.contains(o.uid()) && owners(o).any(|owner| gone.contains(owner)))
                    .collect();
                if found.is_empty() {
                    break;
                }
                for object in found {
                    gone.insert(object.uid());
                    if object.kind() == "PersistentVolumeClaim" && !self.going.contains(&object.key()) {
                        reach.items.push(self.claim(object).await?);
                    }
                }
            }
        }
        Ok(())
    }

    /// One claim: its size, class, and what its volume's reclaim policy makes of the data.
    async fn claim(&self, claim: &Object) -> Result<ReachItem, Error> {
        let text = |pointer: &str| claim.0.pointer(pointer).and_then(Value::as_str);
        let size = text("/status/capacity/storage")
            .or(text("/spec/resources/requests/storage"))
            .unwrap_or("?");
        let class = text("/spec/storageClassName").unwrap_or("no class");
        let Some(volume) = text("/spec/volumeName").filter(|v| !v.is_empty()) else {
            let detail = format!("{size} {class}, no volume yet");
            return Ok(ReachItem {
                key: claim.key(),
                uid: uid(claim),
                risk: Risk::Safe,
                detail,
            });
        };
        let policy = match self.discovery.preferred("", "PersistentVolume") {
            None => Err("PersistentVolumes are not served".to_owned()),
            Some(api) => match self.reader.get(api, None, volume).await {
                Ok(Some(volume)) => Ok(volume
                    .0
                    .pointer("/spec/persistentVolumeReclaimPolicy")
                    .and_then(Value::as_str)
                    .unwrap_or("Delete")
                    .to_owned()),
                Ok(None) => Err(format!("volume {volume} not found")),
                Err(error @ (Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_))) => {
                    return Err(error);
                }
                Err(error) => Err(error.to_string()),
            },
        };
        let (risk, policy) = match policy {
            Ok(policy) if policy == "Retain" => {
                (Risk::Irreversible, format!("Retain: volume {volume} stays"))
            }
            Ok(policy) => (Risk::DataLoss, policy),
            Err(why) => (Risk::DataLoss, format!("unknown: {why}")),
        };
        let detail = format!("{size} {class} (reclaim policy {policy})");
        Ok(ReachItem {
            key: claim.key(),
            uid: uid(claim),
            risk,
            detail,
        })
    }

    /// Everything listable in a namespace, Events excepted; read once.
    async fn content(&self, namespace: &str) -> Result<Arc<OnceCell<Content>>, Error> {
        let cell = Arc::clone(self.content.lock().await.entry(namespace.to_owned()).or_default());
        cell.get_or_try_init(|| self.read_content(namespace)).await?;
        Ok(cell)
    }

    async fn read_content(&self, namespace: &str) -> Result<Content, Error> {
        use futures::StreamExt as _;
        let kinds = self.discovery.all_listable_namespaced();
        let lists = futures::stream::iter(kinds.into_iter().filter(|api| {
            api.kind != "Event"
                && api
                    .verbs
                    .iter()
                    .any(|verb| verb == "delete" || verb == "deletecollection")
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
                // One object can be served by several groups; its uid is one.
                Ok(objects) => content
                    .objects
                    .extend(objects.into_iter().filter(|o| seen.insert(o.uid().to_owned()))),
                Err(Error::KindNotServed { .. }) => {}
                Err(error @ (Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_))) => {
                    return Err(error);
                }
                Err(error) => content
                    .unreadable
                    .push(format!("{} in {namespace}: {error}", api.plural)),
            }
        }
        Ok(content)
    }
}

/// The worst of an object's own risk and its reach.
#[must_use]
pub(super) fn risk(object: &Object, reach: &Reach) -> Risk {
    let own = match object.kind() {
        // A claim's own loss is an item of its reach, with the volume's policy; a namespace's is its content.
        "PersistentVolumeClaim" => Risk::Safe,
        _ => risk_of_kind(object),
    };
    let unreadable = if reach.unreadable.is_empty() {
        Risk::Safe
    } else {
        Risk::DataLoss
    };
    reach
        .items
        .iter()
        .map(|item| item.risk)
        .max()
        .unwrap_or(Risk::Safe)
        .max(own)
        .max(unreadable)
}

/// What the loss of one object of this kind alone means.
fn risk_of_kind(object: &Object) -> Risk {
    match (object.key().group.as_str(), object.kind()) {
        ("", "PersistentVolumeClaim" | "PersistentVolume") => Risk::DataLoss,
        // What a Secret held cannot be read back from anywhere.
        ("", "Secret") => Risk::Irreversible,
        ("", "Service" | "Pod" | "ServiceAccount" | "ReplicationController")
        | (
            "apps"
            | "batch"
            | "networking.k8s.io"
            | "rbac.authorization.k8s.io"
            | "helm.toolkit.fluxcd.io"
            | "kustomize.toolkit.fluxcd.io"
            | "apps.cozystack.io",
            _,
        ) => Risk::Disruptive,
        _ => Risk::Safe,
    }
}

/// Kinds whose own delete takes more along.
fn is_nested(object: &Object) -> bool {
    matches!(
        object.kind(),
        "HelmRelease" | "Kustomization" | "CustomResourceDefinition" | "Namespace"
    ) || object.key().group == "apps.cozystack.io"
}

fn may_own(object: &Object) -> bool {
    !matches!(
        (object.key().group.as_str(), object.kind()),
        (
            "",
            "ConfigMap" | "Secret" | "ServiceAccount" | "Service" | "PersistentVolumeClaim"
        ) | (
            "rbac.authorization.k8s.io" | "networking.k8s.io" | "source.toolkit.fluxcd.io" | "apps" | "batch",
            _
        )
    )
}

/// What every namespace has, whoever made it.
fn is_furniture(object: &Object, all: &[Object]) -> bool {
    match (object.kind(), object.name()) {
        ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default") => true,
        ("Endpoints", name) => all.iter().any(|o| o.kind() == "Service" && o.name() == name),
        _ => false,
    }
}

fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let list = object
        .0
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|owner| owner.get("uid")?.as_str())
}

/// The objects a HelmRelease or Kustomization says it made, with their versions; `None` if it says nothing.
/// An id is `<namespace>_<name>_<group>_<kind>`; names hold no underscore, but `:` is written `__`.
#[must_use]
pub fn inventory(object: &Object) -> Option<Vec<(ObjectKey, String)>> {
    let entries = object.0.pointer("/status/inventory/entries")?.as_array()?;
    let read = |entry: &Value| {
        let id = entry.get("id")?.as_str()?.replace("__", ":");
        let mut parts = id.splitn(4, '_');
        let (namespace, name, group, kind) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version = entry.get("v").and_then(Value::as_str).unwrap_or_default();
        Some((
            ObjectKey::new(group, kind, Some(namespace), name),
            version.to_owned(),
        ))
    };
    Some(entries.iter().filter_map(read).collect())
}

/// The Helm release name of a HelmRelease: `[targetNamespace-]name`, shortened by a digest past 53 characters.
#[must_use]
pub fn release_name(object: &Object) -> String {
    if let Some(name) = object.0.pointer("/spec/releaseName").and_then(Value::as_str) {
        return name.to_owned();
    }
    // The controller records what it made: that beats working the name out again.
    if let Some(name) = object.0.pointer("/status/history/0/name").and_then(Value::as_str) {
        return name.to_owned();
    }
    match object.0.pointer("/spec/targetNamespace").and_then(Value::as_str) {
        Some(target) => format!("{target}-{}", object.name()),
        None => object.name().to_owned(),
    }
}

fn uid(object: &Object) -> Option<String> {
    Some(object.uid().to_owned()).filter(|uid| !uid.is_empty())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A refusal to read counts as data loss; a cluster that does not answer ends the plan.
fn unreadable(error: Error, what: &str, reach: &mut Reach) -> Result<(), Error> {
    match error {
        Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_) => Err(error),
        error => {
            reach.unreadable.push(format!("{what}: {error}"));
            Ok(())
        }
    }
}
