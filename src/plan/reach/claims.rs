//! Claims: what becomes of the data.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::content::owners;
use super::{Found, Survey, uid};
use crate::cluster::Error;
use crate::object::Object;
use crate::plan::{ReachItem, Risk};

impl Survey<'_> {
    /// The claims of a StatefulSet stay when it goes, unless its retention policy says otherwise.
    pub(super) async fn stateful_claims(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        let Some(namespace) = object.namespace() else {
            return Ok(());
        };
        let templates = object.0.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
        let prefixes: Vec<String> = templates
            .into_iter()
            .flatten()
            .filter_map(|t| Some(format!("{}-{}-", t.pointer("/metadata/name")?.as_str()?, object.name())))
            .collect();
        if prefixes.is_empty() {
            return Ok(());
        }
        let deleted = object.0.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted")
            == Some(&Value::String("Delete".to_owned()));
        let content = self.content(namespace).await?;
        for claim in content.get().into_iter().flat_map(|c| &c.objects) {
            let ordinal = |prefix: &String| claim.name().strip_prefix(prefix.as_str()).is_some_and(is_number);
            if claim.kind() != "PersistentVolumeClaim" || !prefixes.iter().any(ordinal) {
                continue;
            }
            if deleted {
                found.take(claim);
                found.reach.items.push(self.claim(claim).await?);
            } else {
                found.reach.stays.push(format!("{}: claims of a StatefulSet stay", claim.key().human()));
            }
        }
        Ok(())
    }

    /// Claims and custom objects that go because their owner goes.
    pub(super) async fn dependents(&self, owners_going: &[&Object], found: &mut Found) -> Result<(), Error> {
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
                let owned: Vec<&Object> = content
                    .objects
                    .iter()
                    .filter(|o| !gone.contains(o.uid()) && owners(o).any(|owner| gone.contains(owner)))
                    .collect();
                if owned.is_empty() {
                    break;
                }
                for object in owned {
                    gone.insert(object.uid());
                    found.take(object);
                    if object.kind() == "PersistentVolumeClaim" && !self.going.contains(&object.key()) {
                        found.reach.items.push(self.claim(object).await?);
                    }
                }
            }
        }
        Ok(())
    }

    /// One claim: its size, class, and what its volume's reclaim policy makes of the data.
    pub(super) async fn claim(&self, claim: &Object) -> Result<ReachItem, Error> {
        let text = |pointer: &str| claim.0.pointer(pointer).and_then(Value::as_str);
        let size =
            text("/status/capacity/storage").or(text("/spec/resources/requests/storage")).unwrap_or("?");
        let class = text("/spec/storageClassName").unwrap_or("no class");
        let Some(volume) = text("/spec/volumeName").filter(|v| !v.is_empty()) else {
            let detail = format!("{size} {class}, no volume yet");
            return Ok(ReachItem { key: claim.key(), uid: uid(claim), risk: Risk::Safe, detail });
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
        Ok(ReachItem { key: claim.key(), uid: uid(claim), risk, detail })
    }
}

pub(super) fn may_own(object: &Object) -> bool {
    !matches!(
        (object.key().group.as_str(), object.kind()),
        ("", "ConfigMap" | "Secret" | "ServiceAccount" | "Service" | "PersistentVolumeClaim")
            | (
                "rbac.authorization.k8s.io"
                    | "networking.k8s.io"
                    | "source.toolkit.fluxcd.io"
                    | "apps"
                    | "batch",
                _
            )
    )
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
