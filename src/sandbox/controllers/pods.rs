//! In place of scheduler and kubelet: a pod gets a node and works at once, if its claims are there; the pod of a
//! Job is done at once. No container runs.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Next;
use super::claims;
use super::client::{Client, is_terminating, key, list, set_condition, text};
use super::index::owners;
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

const KUBELET: &str = "kubelet";
const SCHEDULER: &str = "kube-scheduler";

pub(super) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    let pods = |namespace: Option<&str>| client.list("", "pods", namespace).into_iter();
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        ("", "pods") if event.after.is_some() => vec![event.key.clone()],
        ("", "nodes") => pods(None).map(|(key, _)| key).collect(),
        ("", "persistentvolumeclaims") => {
            let mounts = |pod: &Value| claims::of_pod(pod).any(|claim| claim == event.key.name);
            pods(Some(&event.key.namespace)).filter(|(_, pod)| mounts(pod)).map(|(key, _)| key).collect()
        }
        _ => Vec::new(),
    }
}

/// The node that pods are put on: the first that takes any.
pub(super) fn node(client: &Client) -> Option<Arc<Value>> {
    let nodes = client.list("", "nodes", None).into_iter().map(|(_, node)| node);
    let takes = |node: &Value| node["spec"]["unschedulable"] != true && !is_terminating(node);
    nodes.into_iter().find(|node| takes(node))
}

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(pod) = client.get(at) else { return Ok(Next::default()) };
    if is_terminating(&pod) {
        // Its containers are said to have ended.
        let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        client.delete(KUBELET, at, &now).await?;
        return Ok(Next::default());
    }
    if matches!(text(&pod, "/status/phase"), "Succeeded" | "Failed") {
        return Ok(Next::default());
    }
    if let Some(why) = unschedulable(client, at, &pod) {
        let mut status = pod["status"].clone();
        status["phase"] = "Pending".into();
        let mut conditions = list(&pod, "/status/conditions").to_vec();
        let condition =
            json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why });
        set_condition(&mut conditions, condition, &client.now());
        status["conditions"] = conditions.into();
        client.set_status(SCHEDULER, at, &pod, status).await?;
        return Ok(Next::default());
    }
    let mut pod = Value::clone(&pod);
    if text(&pod, "/spec/nodeName").is_empty() {
        let Some(node) = node(client) else { return Ok(Next::default()) };
        pod = client.bind(at, &pod, text(&node, "/metadata/name")).await?;
    }
    let status = works(client, &pod);
    client.set_status(KUBELET, at, &pod, status).await?;
    Ok(Next::default())
}

/// Why a pod cannot be given a node, in the scheduler's words.
fn unschedulable(client: &Client, at: &Key, pod: &Value) -> Option<String> {
    if !text(pod, "/spec/nodeName").is_empty() {
        return None;
    }
    if node(client).is_none() {
        return Some("no nodes available to schedule pods".to_owned());
    }
    let claim = |name: &str| client.get(&key("", "persistentvolumeclaims", &at.namespace, name));
    for name in claims::of_pod(pod) {
        let why = match claim(name) {
            None => format!("persistentvolumeclaim \"{name}\" not found"),
            Some(claim) if is_terminating(&claim) => {
                format!("persistentvolumeclaim \"{name}\" is being deleted")
            }
            Some(claim) if text(&claim, "/status/phase") != "Bound" => {
                "pod has unbound immediate PersistentVolumeClaims".to_owned()
            }
            Some(_) => continue,
        };
        return Some(format!("0/1 nodes are available: {why}."));
    }
    None
}

/// The status of a pod that works, or of a Job's pod that is done.
fn works(client: &Client, pod: &Value) -> Value {
    let now = client.now();
    let done = owners(pod).iter().any(|owner| owner["kind"] == "Job");
    let (state, ready, reason) = if done {
        let ended = json!({
            "terminated": { "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now },
        });
        (ended, false, Some("PodCompleted"))
    } else {
        (json!({ "running": { "startedAt": now } }), true, None)
    };
    let mut conditions = list(pod, "/status/conditions").to_vec();
    for (kind, status) in [
        ("PodReadyToStartContainers", ready),
        ("Initialized", true),
        ("Ready", ready),
        ("ContainersReady", ready),
        ("PodScheduled", true),
    ] {
        let mut condition = json!({ "type": kind, "status": if status { "True" } else { "False" } });
        if let Some(reason) = reason
            && (!status || kind == "Initialized")
        {
            condition["reason"] = reason.into();
        }
        set_condition(&mut conditions, condition, &now);
    }
    let containers = |pointer: &str, state: &Value, ready: bool| -> Vec<Value> {
        let old = |name: &str| {
            let statuses = format!("/status/{pointer}Statuses");
            list(pod, &statuses).iter().find(|status| status["name"] == name).cloned()
        };
        let of = |container: &Value| {
            let name = text(container, "/name");
            old(name).unwrap_or_else(|| {
                json!({
                    "name": name, "image": container["image"], "imageID": "", "ready": ready,
                    "started": ready, "restartCount": 0, "state": state,
                })
            })
        };
        list(pod, &format!("/spec/{pointer}s")).iter().map(of).collect()
    };
    let ended = json!({ "terminated": { "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now } });
    let mut status = Map::new();
    let mut put = |name: &str, value: Value| status.insert(name.to_owned(), value);
    put("phase", if done { "Succeeded" } else { "Running" }.into());
    put("conditions", conditions.into());
    put("containerStatuses", containers("container", &state, ready).into());
    let before = containers("initContainer", &ended, true);
    if !before.is_empty() {
        put("initContainerStatuses", before.into());
    }
    let kept = |name: &str, new: Value| pod["status"].get(name).cloned().unwrap_or(new);
    // Of the range for documentation: nothing listens there.
    put("hostIP", kept("hostIP", "192.0.2.1".into()));
    put("podIP", kept("podIP", "192.0.2.2".into()));
    put("qosClass", kept("qosClass", "BestEffort".into()));
    put("startTime", kept("startTime", now.into()));
    Value::Object(status)
}
