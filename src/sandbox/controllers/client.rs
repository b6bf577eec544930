//! What the stand-ins have of the server: reads of storage, and writes through the verbs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::index::Index;
use super::sources::Sources;
use crate::sandbox::error::ApiError;
use crate::sandbox::http::Decoded;
use crate::sandbox::resource::{Draw as _, Endpoint, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::{self, DeleteOptions, Patch, Request};

/// The name under which most of a cluster's own controllers write.
pub(super) const MANAGER: &str = "kube-controller-manager";

/// A look at a source: at which generation, on which request, when.
pub(super) type Looked = (i64, String, Instant);

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) server: Arc<Server>,
    pub(super) sources: Sources,
    index: Mutex<Index>,
    looked: Mutex<BTreeMap<String, Looked>>,
}

impl Client {
    pub(super) fn new(server: Arc<Server>, sources: Sources) -> Self {
        Self { server, sources, index: Mutex::default(), looked: Mutex::default() }
    }

    /// Who depends on whom.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When sources were looked at in this run, by uid.
    pub(super) fn looked(&self) -> MutexGuard<'_, BTreeMap<String, Looked>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> String {
        self.server.now()
    }

    /// Every object, as if it had just been made.
    pub(super) fn everything(&self) -> Vec<Event> {
        let served = self.server.registry.served();
        let mut kinds: Vec<(&str, &str)> =
            served.keys().map(|(group, _, plural)| (group.as_str(), plural.as_str())).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let list = |(group, plural)| self.server.storage.list(group, plural, None).0;
        let event = |(key, stored): (Key, crate::sandbox::storage::Stored)| Event {
            revision: stored.revision,
            key,
            before: None,
            after: Some(stored),
        };
        kinds.into_iter().flat_map(list).map(event).collect()
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        Some(self.server.storage.get(key)?.object)
    }

    pub(super) fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<(Key, Arc<Value>)> {
        let (list, _) = self.server.storage.list(group, plural, namespace);
        list.into_iter().map(|(key, stored)| (key, stored.object)).collect()
    }

    /// A served kind by its plural name, in the version a client would take.
    pub(super) fn resource(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        let served = self.server.registry.served();
        let of_plural = served.values().filter(|served| served.group == group && served.plural == plural);
        of_plural.max_by_key(|served| priority(&served.version)).cloned()
    }

    /// A served kind by `apiVersion` and `kind`.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let served = self.server.registry.served();
        let found = served
            .values()
            .find(|served| served.group == group && served.version == version && served.kind == kind);
        found.cloned()
    }

    /// Makes an object.
    pub(super) async fn create(&self, manager: &str, object: Value) -> Result<Value, ApiError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let resource = self.kind(text("/apiVersion"), text("/kind")).ok_or_else(not_served)?;
        // As a POST to the collection: the name stands in the object.
        let request = request(text("/metadata/namespace"), "", manager);
        let decoded = Decoded { value: object, duplicates: Vec::new() };
        Ok(verbs::create(&self.server, &resource, &request, decoded).await?.object)
    }

    /// Writes an object that was read and changed; 409 if it is another one by now.
    pub(super) async fn put(&self, manager: &str, key: &Key, object: Value) -> Result<Value, ApiError> {
        self.update(manager, key, Endpoint::Main, object).await
    }

    /// The same for its status.
    pub(super) async fn put_status(&self, manager: &str, key: &Key, object: Value) -> Result<(), ApiError> {
        self.update(manager, key, Endpoint::Status, object).await.map(drop)
    }

    /// Writes the status of an object that was read, unless it is so already.
    pub(super) async fn set_status(
        &self,
        manager: &str,
        key: &Key,
        object: &Value,
        status: Value,
    ) -> Result<(), ApiError> {
        if object.get("status") == Some(&status) {
            return Ok(());
        }
        let mut object = object.clone();
        object["status"] = status;
        self.put_status(manager, key, object).await
    }

    async fn update(
        &self,
        manager: &str,
        key: &Key,
        endpoint: Endpoint,
        mut object: Value,
    ) -> Result<Value, ApiError> {
        let resource = self.resource(&key.group, &key.plural).ok_or_else(not_served)?;
        object["apiVersion"] = api_version(&resource).into();
        let request = Request { endpoint, ..request(&key.namespace, &key.name, manager) };
        let decoded = Decoded { value: object, duplicates: Vec::new() };
        Ok(verbs::update(&self.server, &resource, &request, decoded).await?.object)
    }

    /// Server-side apply, taking fields from whoever has them.
    pub(super) async fn apply(&self, manager: &str, at: &Key, object: Value) -> Result<(), ApiError> {
        let resource = self.resource(&at.group, &at.plural).ok_or_else(not_served)?;
        let request = request(&at.namespace, &at.name, manager);
        let decoded = Decoded { value: object, duplicates: Vec::new() };
        let patch = Patch::Apply { object: decoded, force: true };
        verbs::patch(&self.server, &resource, &request, patch).await.map(drop)
    }

    /// Gives a pod its node, as the subresource `binding` does: nobody owns the field.
    pub(super) async fn bind(&self, at: &Key, pod: &Value, node: &str) -> Result<Value, ApiError> {
        let mut pod = pod.clone();
        pod["spec"]["nodeName"] = node.into();
        let read = text(&pod, "/metadata/resourceVersion").parse().ok();
        let stored = self.server.storage.commit(at, read, Some(pod)).await;
        let stored = stored.map_err(|_| ApiError::conflict("", "pods", &at.name, "the pod has changed"))?;
        Ok(Value::clone(&stored.object))
    }

    /// Writes a namespace through its subresource `finalize`.
    pub(super) async fn put_finalized(
        &self,
        manager: &str,
        at: &Key,
        namespace: Value,
    ) -> Result<(), ApiError> {
        let resource = self.resource(&at.group, &at.plural).ok_or_else(not_served)?;
        let request = Request { finalize: true, ..request("", &at.name, manager) };
        let decoded = Decoded { value: namespace, duplicates: Vec::new() };
        verbs::update(&self.server, &resource, &request, decoded).await.map(drop)
    }

    /// Deletes an object; one that is gone already is fine.
    pub(super) async fn delete(
        &self,
        manager: &str,
        key: &Key,
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        let resource = self.resource(&key.group, &key.plural).ok_or_else(not_served)?;
        let request = request(&key.namespace, &key.name, manager);
        match verbs::delete(&self.server, &resource, &request, options).await {
            Ok(_) => Ok(()),
            Err(error) if error.code == 404 => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes a finalizer off an object that is being deleted.
    pub(super) async fn unfinalize(
        &self,
        manager: &str,
        key: &Key,
        object: &Value,
        finalizer: &str,
    ) -> Result<(), ApiError> {
        if !has_finalizer(object, finalizer) {
            return Ok(());
        }
        let mut object = object.clone();
        if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
            list.retain(|one| one != finalizer);
        }
        self.put(manager, key, object).await.map(drop)
    }

    /// Puts a finalizer on an object that has it not; whether it had it.
    pub(super) async fn finalize(
        &self,
        manager: &str,
        key: &Key,
        object: &Value,
        finalizer: &str,
    ) -> Result<bool, ApiError> {
        if has_finalizer(object, finalizer) {
            return Ok(true);
        }
        let mut object = object.clone();
        match object["metadata"]["finalizers"].as_array_mut() {
            Some(list) => list.push(finalizer.into()),
            None => object["metadata"]["finalizers"] = json!([finalizer]),
        }
        self.put(manager, key, object).await.map(|_| false)
    }
}

fn request(namespace: &str, name: &str, manager: &str) -> Request {
    Request { user: format!("system:{manager}"), ..Request::on(namespace, name, manager) }
}

fn not_served() -> ApiError {
    ApiError::new(404, "NotFound", "the server could not find the requested resource")
}

/// `group/version` of a kind.
pub(super) fn api_version(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.version.clone()
    } else {
        format!("{}/{}", resource.group, resource.version)
    }
}

/// Kubernetes' order of versions: stable before beta before alpha, then by numbers.
fn priority(version: &str) -> (u8, u32, u32) {
    let numbers = |text: &str| text.parse().unwrap_or(0);
    let rest = version.strip_prefix('v').unwrap_or(version);
    for (stage, rank) in [("beta", 1), ("alpha", 0)] {
        if let Some((major, minor)) = rest.split_once(stage) {
            return (rank, numbers(major), numbers(minor));
        }
    }
    (2, numbers(rest), 0)
}

pub(super) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    let list = object["metadata"]["finalizers"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().any(|one| one == finalizer)
}

pub(super) fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// The text at a pointer; empty if there is none.
pub(super) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a pointer.
pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The list at a pointer; empty if there is none.
pub(super) fn list<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A key from its parts.
pub(super) fn key(group: &str, plural: &str, namespace: &str, name: &str) -> Key {
    Key { group: group.into(), plural: plural.into(), namespace: namespace.into(), name: name.into() }
}

/// Sets a condition. Its time changes with its status only; the order of conditions stays.
pub(super) fn set_condition(conditions: &mut Vec<Value>, mut condition: Value, now: &str) {
    let old = conditions.iter_mut().find(|old| old["type"] == condition["type"]);
    let since = match &old {
        Some(old) if old["status"] == condition["status"] => old["lastTransitionTime"].clone(),
        _ => now.into(),
    };
    condition["lastTransitionTime"] = since;
    match old {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_first() {
        let mut versions = ["v1beta2", "v2", "v1alpha1", "v1", "v1beta1", "v10"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1"]);
    }

    #[test]
    fn the_time_of_a_condition_is_that_of_its_status() {
        let mut conditions = vec![json!({"type": "A", "status": "True", "lastTransitionTime": "t0"})];
        set_condition(&mut conditions, json!({"type": "A", "status": "True", "reason": "R"}), "t1");
        assert_eq!(conditions[0]["lastTransitionTime"], "t0");
        set_condition(&mut conditions, json!({"type": "A", "status": "False"}), "t2");
        set_condition(&mut conditions, json!({"type": "B", "status": "True"}), "t3");
        assert_eq!(
            conditions,
            [
                json!({"type": "A", "status": "False", "lastTransitionTime": "t2"}),
                json!({"type": "B", "status": "True", "lastTransitionTime": "t3"})
            ]
        );
    }
}
