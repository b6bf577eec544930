//! What goes with a delete (design §5.6): a namespace's content, a definition's objects, a release's
//! inventory, an owner's dependents. Asked at plan time, and again directly before the delete.

mod claims;
mod content;
mod found;
mod releases;

pub(super) use found::why_held;
pub use found::{Found, Held, Taken, held};
pub use releases::{inventory, release_name};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use self::content::{Content, is_furniture};
use self::releases::is_nested;
use crate::address::ObjectKey;
use crate::cluster::{Api, Discovery, Error, Reader};
use crate::object::Object;
use crate::plan::{Reach, ReachItem, Risk};

/// Answers what goes with the deletes of one plan; each namespace is listed once.
pub struct Survey<'a> {
    reader: &'a Reader,
    discovery: &'a Discovery,
    /// Keys of everything the plan deletes itself.
    going: BTreeSet<ObjectKey>,
    content: Mutex<BTreeMap<String, Arc<OnceCell<Content>>>>,
    objects: Mutex<BTreeMap<ObjectKey, Option<Object>>>,
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
            objects: Mutex::new(BTreeMap::new()),
        }
    }

    /// The same survey, with all it has read, for a plan that deletes `going`.
    #[must_use]
    pub fn for_deletes(self, going: BTreeSet<ObjectKey>) -> Self {
        Self { going, ..self }
    }

    /// Everything that goes with the delete of `object`, its own risk included as an item only for claims.
    ///
    /// # Errors
    /// Only when the cluster cannot be reached; what may not be read is [`Reach::unreadable`].
    pub async fn look(&self, object: &Object) -> Result<Found, Error> {
        let mut found = Found::default();
        self.collect(object, &mut found).await?;
        Ok(found.in_order())
    }

    /// An object, which is read once; a failure is not kept.
    async fn read(&self, api: &Api, key: &ObjectKey) -> Result<Option<Object>, Error> {
        if let Some(known) = self.objects.lock().await.get(key) {
            return Ok(known.clone());
        }
        let object = self.reader.get(api, key.namespace.as_deref(), &key.name).await?;
        self.objects.lock().await.insert(key.clone(), object.clone());
        Ok(object)
    }

    /// All objects of the kind that a definition defines; `None`: it is not served.
    async fn defined_by(&self, definition: &Object) -> Option<Result<Vec<Object>, Error>> {
        let (group, kind) = kind_of(definition);
        let api = self.discovery.preferred(group, kind)?;
        Some(self.reader.list(api, None, None).await)
    }

    async fn collect(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        // What applies itself, or each other, is looked at once.
        if !found.enter(object) {
            return Ok(());
        }
        let group = object.key().group;
        match (group.as_str(), object.kind()) {
            ("", "Namespace") => self.namespace(object.name(), found).await,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => self.definition(object, found).await,
            ("helm.toolkit.fluxcd.io", "HelmRelease") => self.release(object, found).await,
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => self.kustomization(object, found).await,
            ("apps.cozystack.io", _) => Box::pin(self.application(object, found)).await,
            _ => self.plain(object, found).await,
        }
    }

    async fn plain(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        if object.kind() == "PersistentVolumeClaim" {
            found.reach.items.push(self.claim(object).await?);
        }
        if object.kind() == "StatefulSet" {
            self.stateful_claims(object, found).await?;
        }
        self.dependents(&[object], found).await
    }

    async fn namespace(&self, name: &str, found: &mut Found) -> Result<(), Error> {
        let content = self.content(name).await?;
        let Some(content) = content.get() else {
            return Ok(());
        };
        found.reach.unreadable.extend(content.unreadable.iter().cloned());
        let gone = self.gone_anyway(&content.objects);
        for object in &content.objects {
            found.take(object);
            if gone.contains(object.uid()) || is_furniture(object, &content.objects) {
                continue;
            }
            let item = if object.kind() == "PersistentVolumeClaim" {
                self.claim(object).await?
            } else {
                let detail = "in the namespace, not of this plan".to_owned();
                ReachItem { key: object.key(), uid: uid(object), risk: Risk::DataLoss, detail }
            };
            // Whatever nobody listed for deletion is data until somebody says otherwise.
            found.reach.items.push(ReachItem { risk: Risk::DataLoss, ..item });
            if is_nested(object) {
                Box::pin(self.collect(object, found)).await?;
            }
        }
        Ok(())
    }

    async fn definition(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        let (group, kind) = kind_of(object);
        let Some(objects) = self.defined_by(object).await else {
            return Ok(());
        };
        match objects {
            Ok(objects) => {
                for object in &objects {
                    found.take(object);
                }
                found.reach.items.extend(objects.iter().filter(|o| !self.going.contains(&o.key())).map(
                    |o| {
                        let detail = format!("of kind {kind}, which goes with its definition");
                        ReachItem { key: o.key(), uid: uid(o), risk: Risk::DataLoss, detail }
                    },
                ));
            }
            Err(error) => unreadable(error, &format!("objects of {kind}.{group}"), found)?,
        }
        Ok(())
    }
}

/// Group and kind that a definition defines.
fn kind_of(definition: &Object) -> (&str, &str) {
    let text = |pointer: &str| definition.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    (text("/spec/group"), text("/spec/names/kind"))
}

/// The worst of an object's own risk and its reach.
#[must_use]
pub(super) fn risk(object: &Object, reach: &Reach) -> Risk {
    let own = match object.kind() {
        // A claim's own loss is an item of its reach, with the volume's policy; a namespace's is its content.
        "PersistentVolumeClaim" => Risk::Safe,
        _ => risk_of_kind(object),
    };
    let unreadable = if reach.unreadable.is_empty() { Risk::Safe } else { Risk::DataLoss };
    reach.items.iter().map(|item| item.risk).max().unwrap_or(Risk::Safe).max(own).max(unreadable)
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

fn uid(object: &Object) -> Option<String> {
    Some(object.uid().to_owned()).filter(|uid| !uid.is_empty())
}

/// A refusal to read counts as data loss; a cluster that does not answer ends the plan.
fn unreadable(error: Error, what: &str, found: &mut Found) -> Result<(), Error> {
    match error {
        Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_) => Err(error),
        error => {
            found.reach.unreadable.push(format!("{what}: {error}"));
            Ok(())
        }
    }
}
