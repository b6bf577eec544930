//! What goes with a delete (design §5.6): a namespace's content, a definition's objects, a release's
//! inventory, an owner's dependents. Asked at plan time, and again directly before the delete.

mod claims;
mod content;
mod releases;

pub use releases::{inventory, release_name};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use self::content::{Content, is_furniture};
use crate::address::ObjectKey;
use crate::cluster::{Discovery, Error, Reader};
use crate::object::Object;
use crate::plan::{Reach, ReachItem, Risk};

/// Answers what goes with the deletes of one plan; each namespace is listed once.
pub struct Survey<'a> {
    reader: &'a Reader,
    discovery: &'a Discovery,
    /// Keys of everything the plan deletes itself.
    going: BTreeSet<ObjectKey>,
    content: Mutex<BTreeMap<String, Arc<OnceCell<Content>>>>,
}

/// What stands in the way of deleting a namespace or a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The object.
    pub key: ObjectKey,
    /// Why what it lies in, or is defined by, has to stay.
    pub why: String,
}

impl<'a> Survey<'a> {
    /// A survey for a plan that deletes `going`.
    #[must_use]
    pub fn new(reader: &'a Reader, discovery: &'a Discovery, going: BTreeSet<ObjectKey>) -> Self {
        Self { reader, discovery, going, content: Mutex::new(BTreeMap::new()) }
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

    /// What forbids the delete of `holder`, a namespace or a definition: anything in it, or of its kind, that is
    /// kept (`kept`), protected, or marked by another stack than `stack`. The delete would take that along,
    /// protection or not (measured). Nothing else has anything in it.
    ///
    /// # Errors
    /// When the cluster cannot be reached. Objects that may not be read are left to the consent that
    /// [`Reach::unreadable`] asks for.
    pub async fn held(
        &self,
        holder: &Object,
        stack: &str,
        kept: &BTreeSet<ObjectKey>,
    ) -> Result<Vec<Held>, Error> {
        let content;
        let defined;
        let objects: &[Object] = match (holder.key().group.as_str(), holder.kind()) {
            ("", "Namespace") => {
                content = self.content(holder.name()).await?;
                content.get().map_or(&[], |c| &c.objects)
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                defined = match self.defined_by(holder).await {
                    Some(Ok(objects)) => objects,
                    Some(Err(error)) if super::live::is_fatal(&error) => return Err(error),
                    Some(Err(_)) | None => Vec::new(),
                };
                &defined
            }
            _ => &[],
        };
        let mut held: Vec<Held> = Vec::new();
        for object in objects {
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

    /// All objects of the kind that a definition defines; `None`: it is not served.
    async fn defined_by(&self, definition: &Object) -> Option<Result<Vec<Object>, Error>> {
        let (group, kind) = kind_of(definition);
        let api = self.discovery.preferred(group, kind)?;
        Some(self.reader.list(api, None, None).await)
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
                ReachItem { key: object.key(), uid: uid(object), risk: Risk::DataLoss, detail }
            };
            // Whatever nobody listed for deletion is data until somebody says otherwise.
            reach.items.push(ReachItem { risk: Risk::DataLoss, ..item });
        }
        Ok(())
    }

    async fn definition(&self, object: &Object, reach: &mut Reach) -> Result<(), Error> {
        let (group, kind) = kind_of(object);
        let Some(objects) = self.defined_by(object).await else {
            return Ok(());
        };
        match objects {
            Ok(objects) => {
                reach.items.extend(objects.iter().filter(|o| !self.going.contains(&o.key())).map(|o| {
                    let detail = format!("of kind {kind}, which goes with its definition");
                    ReachItem { key: o.key(), uid: uid(o), risk: Risk::DataLoss, detail }
                }));
            }
            Err(error) => unreadable(error, &format!("objects of {kind}.{group}"), reach)?,
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
fn unreadable(error: Error, what: &str, reach: &mut Reach) -> Result<(), Error> {
    match error {
        Error::Unavailable(_) | Error::Timeout { .. } | Error::Unauthorized(_) => Err(error),
        error => {
            reach.unreadable.push(format!("{what}: {error}"));
            Ok(())
        }
    }
}
