//! What controllers that own pods have in common (`kubernetes/pkg/controller/controller_utils.go`).

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::client::{Client, MANAGER, is_terminating, key, list, number, text};
use super::index::{owners, uid};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

/// The objects of one kind to look at because of a change: itself, or the owner of a pod that changed.
pub(super) fn woken(event: &Event, group: &str, plural: &str, kind: &str) -> Vec<Key> {
    if event.key.group == group && event.key.plural == plural {
        return vec![event.key.clone()];
    }
    if event.key.group.is_empty() && event.key.plural == "pods" {
        return controllers(event, group, plural, kind);
    }
    Vec::new()
}

/// The controllers of this kind that an object has or had.
pub(super) fn controllers(event: &Event, group: &str, plural: &str, kind: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = [&event.before, &event.after]
        .into_iter()
        .flatten()
        .filter_map(|stored| controller(&stored.object))
        .filter(|owner| owner["kind"] == kind)
        .map(|owner| key(group, plural, &event.key.namespace, text(owner, "/name")))
        .collect();
    keys.dedup();
    keys
}

/// The reference to the controller of an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    owners(object).iter().find(|owner| owner["controller"] == true)
}

/// A reference to the controller `owner`.
pub(super) fn reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": uid(owner), "controller": true, "blockOwnerDeletion": true,
    })
}

/// Objects of a kind that `owner` controls.
pub(super) fn controlled(
    client: &Client,
    group: &str,
    plural: &str,
    owner: &Value,
) -> Vec<(Key, Arc<Value>)> {
    let namespace = text(owner, "/metadata/namespace");
    let is_own = |object: &Value| controller(object).is_some_and(|of| of["uid"] == uid(owner));
    let all = client.list(group, plural, Some(namespace)).into_iter();
    all.filter(|(_, object)| is_own(object)).collect()
}

/// Pods that `owner` controls and that have not run to their end, by name.
pub(super) fn pods(client: &Client, owner: &Value) -> Vec<(Key, Arc<Value>)> {
    let ended = |pod: &Value| matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    controlled(client, "", "pods", owner).into_iter().filter(|(_, pod)| !ended(pod)).collect()
}

/// Makes a pod from the template of its controller.
pub(super) async fn make(
    client: &Client,
    owner: &Value,
    name: Option<&str>,
    labels: &[(&str, &str)],
    change: impl FnOnce(&mut Value),
) -> Result<(), ApiError> {
    let template = &owner["spec"]["template"];
    let mut metadata = Map::new();
    metadata.insert("namespace".into(), owner["metadata"]["namespace"].clone());
    let (field, value) = match name {
        Some(name) => ("name", name.to_owned()),
        None => ("generateName", format!("{}-", text(owner, "/metadata/name"))),
    };
    metadata.insert(field.into(), value.into());
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.into(), value.clone());
        }
    }
    metadata.insert("ownerReferences".into(), json!([reference(owner)]));
    let mut pod =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] });
    for (name, value) in labels {
        pod["metadata"]["labels"][*name] = (*value).into();
    }
    change(&mut pod);
    match client.create(MANAGER, pod).await {
        Err(error) if error.reason == "AlreadyExists" => Ok(()),
        made => made.map(drop),
    }
}

/// Deletes a pod, unless it is on its way already.
pub(super) async fn remove(client: &Client, at: &Key, pod: &Value) -> Result<(), ApiError> {
    if is_terminating(pod) {
        return Ok(());
    }
    let options = DeleteOptions { uid: Some(uid(pod).to_owned()), ..DeleteOptions::default() };
    client.delete(MANAGER, at, &options).await
}

/// Whether a pod serves.
pub(super) fn is_ready(pod: &Value) -> bool {
    let mut conditions = list(pod, "/status/conditions").iter();
    !is_terminating(pod)
        && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// A name for a pod template: the same for the same template, in letters that make no words.
pub(super) fn hash(template: &Value) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(template.to_string());
    digest.iter().take(10).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// Whether labels match a label selector; an absent selector matches everything.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let of = |name: &str| labels.get(name).and_then(Value::as_str);
    let equal = selector["matchLabels"]
        .as_object()
        .is_none_or(|wanted| wanted.iter().all(|(name, value)| of(name) == value.as_str()));
    let holds = |expression: &Value| {
        let have = of(text(expression, "/key"));
        let among = have.is_some_and(|have| list(expression, "/values").iter().any(|value| value == have));
        match text(expression, "/operator") {
            "In" => among,
            "NotIn" => !among,
            "Exists" => have.is_some(),
            "DoesNotExist" => have.is_none(),
            _ => false,
        }
    };
    equal && list(selector, "/matchExpressions").iter().all(holds)
}

/// `spec.replicas`, 1 if not said.
pub(super) fn replicas(object: &Value) -> i64 {
    number(object, "/spec/replicas").unwrap_or(1)
}

/// A number or a percentage of `total`.
pub(super) fn share(value: Option<&Value>, total: i64, up: bool) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let product = percent * total;
            Some(if up { (product + 99) / 100 } else { product / 100 })
        }
        _ => None,
    }
}

/// A status from its numbers; zeros are left out, as their fields are optional.
pub(super) fn counts(numbers: &[(&str, i64)]) -> Map<String, Value> {
    let some = numbers.iter().filter(|(_, number)| *number != 0);
    some.map(|(name, number)| ((*name).to_owned(), (*number).into())).collect()
}
