//! What Flux and Cozystack installed and would take along.

use serde_json::Value;

use super::{Found, Survey, risk_of_kind, uid, unreadable};
use crate::address::ObjectKey;
use crate::cluster::Error;
use crate::object::Object;
use crate::plan::ReachItem;

impl Survey<'_> {
    /// The inventory of a release less what is marked to be kept.
    pub(super) async fn release(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        let installed =
            object.0.pointer("/status/history").and_then(Value::as_array).is_some_and(|h| !h.is_empty())
                || object
                    .0
                    .pointer("/status/storageNamespace")
                    .and_then(Value::as_str)
                    .is_some_and(|s| !s.is_empty());
        if !installed {
            return Ok(());
        }
        let Some(inventory) = inventory(object) else {
            let what = format!("inventory of {} (its controller records none)", object.key().human());
            found.reach.unreadable.push(what);
            return Ok(());
        };
        self.inventory(inventory, object, found).await?;
        self.claims_of_release(object, found).await
    }

    /// Hooks' objects and StatefulSet claims stay after an uninstall and are in no inventory (measured).
    pub(super) async fn claims_of_release(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
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
            match self.read(api, &key).await {
                Ok(Some(set)) => self.stateful_claims(&set, found).await?,
                Ok(None) => {}
                Err(error) => unreadable(error, &key.human(), found)?,
            }
        }
        Ok(())
    }

    pub(super) async fn kustomization(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        let Some(inventory) = inventory(object) else {
            return Ok(());
        };
        if !prunes(object) {
            found.reach.stays.push(format!("what {} applied: it does not prune", object.key().human()));
            return Ok(());
        }
        self.inventory(inventory, object, found).await
    }

    pub(super) async fn inventory(
        &self,
        inventory: Vec<(ObjectKey, String)>,
        maker: &Object,
        found: &mut Found,
    ) -> Result<(), Error> {
        let mut made = Vec::new();
        for (key, version) in inventory {
            let Some(api) = self.discovery.preferred(&key.group, &key.kind) else {
                found.reach.unreadable.push(format!("{} (kind not served at {version})", key.human()));
                continue;
            };
            match self.read(api, &key).await {
                Ok(None) => {}
                // What is left behind in a namespace that goes is told there, as what it loses.
                Ok(Some(object)) if leaves(maker, &object) && self.namespace_goes(&key) => drop(object),
                Ok(Some(object)) if leaves(maker, &object) => {
                    found.reach.stays.push(format!("{}: marked to be kept", key.human()));
                }
                Ok(Some(object)) => {
                    found.take(&object);
                    if self.going.contains(&key) {
                        continue;
                    }
                    let item = if object.kind() == "PersistentVolumeClaim" {
                        self.claim(&object).await?
                    } else {
                        let detail = String::new();
                        ReachItem { key, uid: uid(&object), risk: risk_of_kind(&object), detail }
                    };
                    found.reach.items.push(item);
                    made.push(object);
                }
                Err(error) => unreadable(error, &key.human(), found)?,
            }
        }
        let nested: Vec<&Object> = made.iter().collect();
        self.dependents(&nested, found).await?;
        for object in made.iter().filter(|o| is_nested(o)) {
            Box::pin(self.collect(object, found)).await?;
        }
        Ok(())
    }

    /// Whether the plan deletes the namespace an object lies in.
    fn namespace_goes(&self, key: &ObjectKey) -> bool {
        let namespace = key.namespace.as_deref();
        namespace.is_some_and(|name| self.going.contains(&ObjectKey::new("", "Namespace", None, name)))
    }

    /// A Cozystack application is a HelmRelease; a Tenant is a namespace as well.
    pub(super) async fn application(&self, object: &Object, found: &mut Found) -> Result<(), Error> {
        if let Some(name) = object.0.pointer("/status/namespace").and_then(Value::as_str)
            && object.kind() == "Tenant"
        {
            self.namespace(name, found).await?;
        }
        let Some(api) = self.discovery.preferred("helm.toolkit.fluxcd.io", "HelmRelease") else {
            found
                .reach
                .unreadable
                .push(format!("release behind {} (HelmReleases are not served)", object.key().human()));
            return Ok(());
        };
        let selector = format!(
            "apps.cozystack.io/application.kind={},apps.cozystack.io/application.name={}",
            object.kind(),
            object.name()
        );
        match self.reader.list(api, object.namespace(), Some(&selector)).await {
            Ok(releases) if releases.is_empty() => {
                found.reach.unreadable.push(format!("release behind {} (not found)", object.key().human()));
            }
            Ok(releases) => {
                for release in &releases {
                    self.release(release, found).await?;
                }
            }
            Err(error) => unreadable(error, &format!("release behind {}", object.key().human()), found)?,
        }
        Ok(())
    }
}

/// Whether a Kustomization that is deleted deletes what it applied.
fn prunes(kustomization: &Object) -> bool {
    let policy = kustomization.0.pointer("/spec/deletionPolicy");
    match policy.and_then(Value::as_str).unwrap_or("MirrorPrune") {
        "Orphan" => false,
        "Delete" | "WaitForTermination" => true,
        _ => kustomization.0.pointer("/spec/prune") == Some(&Value::Bool(true)),
    }
}

/// Whether `maker`, a HelmRelease or Kustomization that is deleted, leaves `object` of its inventory behind.
pub(super) fn leaves(maker: &Object, object: &Object) -> bool {
    if maker.kind() == "Kustomization" {
        !prunes(maker) || object.annotation("kustomize.toolkit.fluxcd.io/prune") == Some("disabled")
    } else {
        object.annotation("helm.sh/resource-policy") == Some("keep")
    }
}

/// Kinds whose own delete takes more along.
pub(super) fn is_nested(object: &Object) -> bool {
    matches!(object.kind(), "HelmRelease" | "Kustomization" | "CustomResourceDefinition" | "Namespace")
        || object.key().group == "apps.cozystack.io"
}

/// The objects a HelmRelease or Kustomization says it made, with their versions; `None` if it says nothing.
/// An id is `<namespace>_<name>_<group>_<kind>`; names hold no underscore, but `:` is written `__`.
#[must_use]
pub fn inventory(object: &Object) -> Option<Vec<(ObjectKey, String)>> {
    let entries = object.0.pointer("/status/inventory/entries")?.as_array()?;
    let read = |entry: &Value| {
        let id = entry.get("id")?.as_str()?;
        // The core group is empty, so only the ends of an id can be split at a single underscore.
        let (namespace, rest) = id.split_once('_')?;
        let (rest, kind) = rest.rsplit_once('_')?;
        let (name, group) = rest.rsplit_once('_')?;
        let version = entry.get("v").and_then(Value::as_str).unwrap_or_default();
        Some((ObjectKey::new(group, kind, Some(namespace), &name.replace("__", ":")), version.to_owned()))
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
    let name = match object.0.pointer("/spec/targetNamespace").and_then(Value::as_str) {
        Some(target) => format!("{target}-{}", object.name()),
        None => object.name().to_owned(),
    };
    shortened(&name)
}

/// Helm allows 53 characters; helm-controller keeps the first 40 and adds 12 digits of a SHA-256.
fn shortened(name: &str) -> String {
    use sha2::{Digest as _, Sha256};
    if name.len() <= 53 {
        return name.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(6).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{}-{number:012x}", &name[..40])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_of_an_inventory_are_read_with_an_empty_group_and_with_colons() {
        let entries: Vec<Value> = [
            "media_sonarr-config__PersistentVolumeClaim",
            "media_sonarr_apps_Deployment",
            "_a__b__c_rbac.authorization.k8s.io_ClusterRole",
            "_media__Namespace",
        ]
        .iter()
        .map(|id| json!({"id": id, "v": "v1"}))
        .collect();
        let release = Object(json!({"status": {"inventory": {"entries": entries}}}));
        let keys: Vec<String> = inventory(&release).unwrap().iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(
            keys,
            [
                "PersistentVolumeClaim/media/sonarr-config",
                "Deployment.apps/media/sonarr",
                "ClusterRole.rbac.authorization.k8s.io/a:b:c",
                "Namespace/media",
            ]
        );
        assert_eq!(inventory(&Object(json!({"status": {}}))), None);
    }

    #[test]
    fn release_names_follow_helm_controller() {
        let named = |spec: Value, name: &str| {
            release_name(&Object(json!({"metadata": {"name": name}, "spec": spec})))
        };
        assert_eq!(named(json!({}), "app"), "app");
        assert_eq!(named(json!({"targetNamespace": "ns"}), "app"), "ns-app");
        assert_eq!(named(json!({"releaseName": "own", "targetNamespace": "ns"}), "app"), "own");
        let long = named(
            json!({"targetNamespace": "a-namespace-with-a-long-name"}),
            "and-a-release-with-a-long-name-too",
        );
        assert_eq!(long.len(), 53);
        assert!(long.starts_with("a-namespace-with-a-long-name-and-a-relea-"));
    }
}
