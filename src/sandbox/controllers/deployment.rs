//! From a Deployment to its `ReplicaSets`, by its strategy (kubernetes/pkg/controller/deployment).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, is_terminating, list, number, set_condition, text};
use super::pods_of::{self, counts, share};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
const HASH: &str = "pod-template-hash";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

type Sets = Vec<(Key, Arc<Value>)>;

pub(super) fn woken(event: &Event) -> Vec<Key> {
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        ("apps", "deployments") => vec![event.key.clone()],
        ("apps", "replicasets") => pods_of::controllers(event, "apps", "deployments", "Deployment"),
        _ => Vec::new(),
    }
}

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(deployment) = client.get(at) else { return Ok(Next::default()) };
    let mut deployment = Value::clone(&deployment);
    let sets = pods_of::controlled(client, "apps", "replicasets", &deployment);
    let name = set_name(&deployment);
    let new = sets.iter().find(|(key, _)| key.name == name);
    let paused = deployment["spec"]["paused"] == true;
    if !is_terminating(&deployment) {
        match new {
            None if paused => {}
            None => return make(client, at, deployment, &sets).await,
            Some((key, new)) => {
                deployment = number_it(client, at, deployment, key, new, &sets).await?;
                roll(client, &deployment, key, new, &sets).await?;
                if !paused {
                    forget(client, &deployment, &name, &sets).await?;
                }
            }
        }
    }
    let status = status(client, &deployment, new.map(|(_, new)| &**new), &sets, paused);
    client.set_status(MANAGER, at, &deployment, status).await?;
    Ok(Next::default())
}

fn set_name(deployment: &Value) -> String {
    format!("{}-{}", text(deployment, "/metadata/name"), pods_of::hash(&deployment["spec"]["template"]))
}

fn revision(object: &Value) -> i64 {
    let text = object["metadata"]["annotations"][REVISION].as_str();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn newest(sets: &Sets) -> i64 {
    sets.iter().map(|(_, set)| revision(set)).max().unwrap_or(0)
}

/// Most pods there may be during a change.
fn most(deployment: &Value) -> i64 {
    let want = pods_of::replicas(deployment);
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return want;
    }
    want + share(deployment.pointer("/spec/strategy/rollingUpdate/maxSurge"), want, true).unwrap_or(0)
}

/// Fewest pods that must serve during a change.
fn least(deployment: &Value) -> i64 {
    let want = pods_of::replicas(deployment);
    let missing = share(deployment.pointer("/spec/strategy/rollingUpdate/maxUnavailable"), want, false);
    // With neither surge nor gap nothing could ever move.
    let missing = missing.unwrap_or(0).max(i64::from(most(deployment) == want));
    want - missing.min(want)
}

async fn make(client: &Client, at: &Key, deployment: Value, sets: &Sets) -> Result<Next, ApiError> {
    let hash = pods_of::hash(&deployment["spec"]["template"]);
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = hash.clone().into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.into();
    let old: i64 = sets.iter().map(|(_, set)| pods_of::replicas(set)).sum();
    let recreate = text(&deployment, "/spec/strategy/type") == "Recreate";
    let first = if recreate && old > 0 { 0 } else { (most(&deployment) - old).max(0) };
    let number = newest(sets) + 1;
    let mut annotations = copied(&deployment);
    annotations[REVISION] = number.to_string().into();
    annotations[DESIRED] = pods_of::replicas(&deployment).to_string().into();
    annotations[MAX] = most(&deployment).to_string().into();
    let set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "namespace": at.namespace,
            "name": set_name(&deployment),
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [pods_of::reference(&deployment)],
        },
        "spec": {
            "replicas": first.min(pods_of::replicas(&deployment)),
            "minReadySeconds": deployment["spec"].get("minReadySeconds").cloned().unwrap_or(0.into()),
            "selector": selector,
            "template": template,
        },
    });
    match client.create(MANAGER, set).await {
        Ok(_) => {}
        Err(error) if error.reason == "AlreadyExists" => {}
        Err(error) => return Err(error),
    }
    // The ReplicaSet's own events go on from here.
    Ok(Next { again: None, also: vec![at.clone()] })
}

/// Annotations that a `ReplicaSet` has from its Deployment.
fn copied(deployment: &Value) -> Value {
    let mut annotations = deployment["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.retain(|name, _| ![REVISION, DESIRED, MAX, LAST_APPLIED].contains(&name.as_str()));
    Value::Object(annotations)
}

/// Gives the current `ReplicaSet` the highest number, and the Deployment the same.
async fn number_it(
    client: &Client,
    at: &Key,
    mut deployment: Value,
    key: &Key,
    new: &Value,
    sets: &Sets,
) -> Result<Value, ApiError> {
    let mut number = revision(new);
    let others = sets.iter().filter(|(other, _)| other != key).map(|(_, set)| revision(set)).max();
    if others.is_some_and(|others| others >= number) {
        number = others.unwrap_or(0) + 1;
        let mut new = new.clone();
        new["metadata"]["annotations"][REVISION] = number.to_string().into();
        client.put(MANAGER, key, new).await?;
    }
    if revision(&deployment) != number {
        deployment["metadata"]["annotations"][REVISION] = number.to_string().into();
        deployment = client.put(MANAGER, at, deployment).await?;
    }
    Ok(deployment)
}

/// One step from the old `ReplicaSets` to the new one.
async fn roll(
    client: &Client,
    deployment: &Value,
    at: &Key,
    new: &Value,
    sets: &Sets,
) -> Result<(), ApiError> {
    let want = pods_of::replicas(deployment);
    let old: Vec<&(Key, Arc<Value>)> =
        sets.iter().filter(|(key, set)| key != at && pods_of::replicas(set) > 0).collect();
    let paused = deployment["spec"]["paused"] == true;
    let is = |set: &Value, field: &str| number(set, &format!("/status/{field}")).unwrap_or(0);
    let asked: i64 = sets.iter().map(|(_, set)| pods_of::replicas(set)).sum();
    let recreate = text(deployment, "/spec/strategy/type") == "Recreate";
    // Pods of old sets that are on their way out still count for Recreate.
    let still: usize = sets
        .iter()
        .filter(|(key, _)| key != at)
        .map(|(_, set)| pods_of::controlled(client, "", "pods", set).len())
        .sum();
    let current = pods_of::replicas(new);
    let target = if old.is_empty() && !(recreate && still > 0) {
        want
    } else if paused {
        current
    } else if recreate {
        if still > 0 { current } else { want }
    } else {
        (current + (most(deployment) - asked).max(0)).min(want)
    };
    if target != current {
        scale(client, at, new, target).await?;
    }
    if paused {
        return Ok(());
    }
    let serving: i64 = sets.iter().map(|(_, set)| is(set, "availableReplicas")).sum();
    let mut spare = if recreate { i64::MAX } else { serving - least(deployment) };
    for (key, set) in old {
        // Pods that do not serve anyway go first.
        let idle = pods_of::replicas(set) - is(set, "availableReplicas");
        let less = pods_of::replicas(set).min(spare.max(0).saturating_add(idle));
        if less > 0 {
            scale(client, key, set, pods_of::replicas(set) - less).await?;
            spare -= less - idle.min(less);
        }
    }
    Ok(())
}

async fn scale(client: &Client, at: &Key, set: &Value, replicas: i64) -> Result<(), ApiError> {
    let mut set = set.clone();
    set["spec"]["replicas"] = replicas.into();
    client.put(MANAGER, at, set).await.map(drop)
}

/// Deletes `ReplicaSets` beyond `revisionHistoryLimit`, the oldest first.
async fn forget(client: &Client, deployment: &Value, new: &str, sets: &Sets) -> Result<(), ApiError> {
    let limit = number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10);
    let mut idle: Vec<&(Key, Arc<Value>)> = sets
        .iter()
        .filter(|(key, set)| key.name != new && pods_of::replicas(set) == 0 && !is_terminating(set))
        .filter(|(_, set)| number(set, "/status/replicas").unwrap_or(0) == 0)
        .collect();
    idle.sort_by_key(|(_, set)| revision(set));
    let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for (key, _) in idle.into_iter().take(surplus) {
        client.delete(MANAGER, key, &DeleteOptions::default()).await?;
    }
    Ok(())
}

fn status(client: &Client, deployment: &Value, new: Option<&Value>, sets: &Sets, paused: bool) -> Value {
    let is = |set: &Value, field: &str| number(set, &format!("/status/{field}")).unwrap_or(0);
    let sum = |field: &str| sets.iter().map(|(_, set)| is(set, field)).sum::<i64>();
    let want = pods_of::replicas(deployment);
    let (replicas, available) = (sum("replicas"), sum("availableReplicas"));
    let updated = new.map_or(0, |new| is(new, "replicas"));
    let asked: i64 = sets.iter().map(|(_, set)| pods_of::replicas(set)).sum();
    let mut status = counts(&[
        ("observedGeneration", number(deployment, "/metadata/generation").unwrap_or(0)),
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (asked.max(want) - available).max(0)),
    ]);
    if let Some(count) = deployment["status"].get("collisionCount") {
        status.insert("collisionCount".into(), count.clone());
    }
    let mut conditions = list(deployment, "/status/conditions").to_vec();
    let now = client.now();
    let (serves, reason, message) = if available >= least(deployment) {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    condition(&mut conditions, "Available", (serves, reason, message), &now);
    let set = new.map(|new| text(new, "/metadata/name")).unwrap_or_default();
    let done = updated == want && replicas == want && available >= want;
    let (moves, reason, message) = if paused {
        ("Unknown", "DeploymentPaused", "Deployment is paused".to_owned())
    } else if done {
        ("True", "NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
    } else {
        ("True", "ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
    };
    condition(&mut conditions, "Progressing", (moves, reason, &message), &now);
    status.insert("conditions".into(), conditions.into());
    Value::Object(status)
}

/// Sets a condition of a Deployment, which also tells when it was last looked at.
fn condition(conditions: &mut Vec<Value>, kind: &str, told: (&str, &str, &str), now: &str) {
    let (status, reason, message) = told;
    let same = |old: &&Value| {
        old["type"] == kind && old["status"] == status && old["reason"] == reason && old["message"] == message
    };
    if conditions.iter().any(|old| same(&old)) {
        return;
    }
    let new = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastUpdateTime": now,
    });
    set_condition(conditions, new, now);
}
