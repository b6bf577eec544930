//! Numbered pods, each with its own claims (kubernetes/pkg/controller/statefulset).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, is_terminating, key, list, number, text};
use super::index::uid;
use super::pods_of::{self, counts, is_ready};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::Key;
use crate::sandbox::verbs::DeleteOptions;

const HASH: &str = "controller-revision-hash";

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(set) = client.get(at) else { return Ok(Next::default()) };
    let new = format!("{}-{}", at.name, pods_of::hash(&set["spec"]["template"]));
    let old = match text(&set, "/status/currentRevision") {
        "" => new.clone(),
        current => current.to_owned(),
    };
    let first = number(&set, "/spec/ordinals/start").unwrap_or(0);
    let wanted = first..first + pods_of::replicas(&set);
    let pods = pods_of::pods(client, &set);
    if !is_terminating(&set) {
        step(client, &set, &pods, wanted.clone(), (&old, &new)).await?;
    }
    let staying: Vec<&Value> =
        pods.iter().map(|(_, pod)| &**pod).filter(|pod| !is_terminating(pod)).collect();
    let is_at = |pod: &Value, revision: &str| pod["metadata"]["labels"][HASH] == revision;
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let updated = count(staying.iter().filter(|pod| is_at(pod, &new)).count());
    let ready = count(staying.iter().filter(|pod| is_ready(pod)).count());
    let partition = number(&set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let want = pods_of::replicas(&set);
    // The change is over when all pods are new and serve; then new is what is current.
    let over = updated == want && ready == want && count(staying.len()) == want && partition == 0;
    let current = if over { &new } else { &old };
    let mut status = counts(&[
        ("observedGeneration", number(&set, "/metadata/generation").unwrap_or(0)),
        ("readyReplicas", ready),
        ("updatedReplicas", updated),
        ("currentReplicas", count(staying.iter().filter(|pod| is_at(pod, current)).count())),
    ]);
    status.insert("replicas".into(), count(staying.len()).into());
    status.insert("availableReplicas".into(), ready.into());
    status.insert("currentRevision".into(), current.as_str().into());
    status.insert("updateRevision".into(), new.as_str().into());
    status.insert("collisionCount".into(), json!(0));
    client.set_status(MANAGER, at, &set, Value::Object(status)).await?;
    Ok(Next::default())
}

fn ordinal(at: &Key) -> i64 {
    at.name.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(-1)
}

/// One step towards the wanted pods: in order, each when the one before serves, unless all may go at once.
async fn step(
    client: &Client,
    set: &Value,
    pods: &[(Key, Arc<Value>)],
    wanted: std::ops::Range<i64>,
    (old, new): (&str, &str),
) -> Result<(), ApiError> {
    let in_order = text(set, "/spec/podManagementPolicy") != "Parallel";
    let partition = number(set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    for number in wanted.clone() {
        match pods.iter().find(|(key, _)| ordinal(key) == number) {
            Some((_, pod)) if in_order && !is_ready(pod) => return Ok(()),
            Some(_) => {}
            None => {
                let revision = if number < partition { old } else { new };
                make(client, set, number, revision).await?;
                if in_order {
                    return Ok(());
                }
            }
        }
    }
    let mut surplus: Vec<_> = pods.iter().filter(|(key, _)| !wanted.contains(&ordinal(key))).collect();
    surplus.sort_by_key(|(key, _)| std::cmp::Reverse(ordinal(key)));
    for (key, pod) in surplus {
        pods_of::remove(client, key, pod).await?;
        if text(set, "/spec/persistentVolumeClaimRetentionPolicy/whenScaled") == "Delete" {
            for claim in list(set, "/spec/volumeClaimTemplates") {
                let name = format!("{}-{}", text(claim, "/metadata/name"), key.name);
                let claim = super::client::key("", "persistentvolumeclaims", &key.namespace, &name);
                client.delete(MANAGER, &claim, &DeleteOptions::default()).await?;
            }
        }
        if in_order {
            return Ok(());
        }
    }
    if text(set, "/spec/updateStrategy/type") == "OnDelete" {
        return Ok(());
    }
    // From the highest down, one at a time.
    let mut outdated: Vec<_> = pods
        .iter()
        .filter(|(key, pod)| ordinal(key) >= partition && pod["metadata"]["labels"][HASH] != new)
        .collect();
    outdated.sort_by_key(|(key, _)| ordinal(key));
    if let Some((key, pod)) = outdated.last() {
        pods_of::remove(client, key, pod).await?;
    }
    Ok(())
}

async fn make(client: &Client, set: &Value, number: i64, revision: &str) -> Result<(), ApiError> {
    let namespace = text(set, "/metadata/namespace");
    let name = format!("{}-{number}", text(set, "/metadata/name"));
    let mut volumes = Vec::new();
    for template in list(set, "/spec/volumeClaimTemplates") {
        let volume = text(template, "/metadata/name");
        let claim = format!("{volume}-{name}");
        volumes.push(json!({ "name": volume, "persistentVolumeClaim": { "claimName": claim } }));
        if client.get(&key("", "persistentvolumeclaims", namespace, &claim)).is_some() {
            continue;
        }
        let mut object = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": template["metadata"],
            "spec": template["spec"],
        });
        object["metadata"]["name"] = claim.into();
        object["metadata"]["namespace"] = namespace.into();
        if let Some(labels) = set.pointer("/spec/selector/matchLabels").and_then(Value::as_object) {
            for (name, value) in labels {
                object["metadata"]["labels"][name] = value.clone();
            }
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("creationTimestamp");
        }
        if text(set, "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == "Delete" {
            object["metadata"]["ownerReferences"] = json!([{
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set["metadata"]["name"],
                "uid": uid(set), "controller": true, "blockOwnerDeletion": true,
            }]);
        }
        client.create(MANAGER, object).await?;
    }
    let index = number.to_string();
    let labels = [
        (HASH, revision),
        ("statefulset.kubernetes.io/pod-name", name.as_str()),
        ("apps.kubernetes.io/pod-index", &index),
    ];
    let change = |pod: &mut Value| {
        pod["spec"]["hostname"] = name.clone().into();
        if let Some(service) = set["spec"].get("serviceName").filter(|service| *service != "") {
            pod["spec"]["subdomain"] = service.clone();
        }
        let kept = list(pod, "/spec/volumes")
            .iter()
            .filter(|volume| !volumes.iter().any(|own: &Value| own["name"] == volume["name"]));
        let all: Vec<Value> = kept.cloned().chain(volumes.iter().cloned()).collect();
        if !all.is_empty() {
            pod["spec"]["volumes"] = all.into();
        }
    };
    pods_of::make(client, set, Some(&name), &labels, change).await
}
