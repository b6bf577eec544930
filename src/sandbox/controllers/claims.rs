//! The binder of claims, and in place of a volume driver: volumes that are records
//! (kubernetes/pkg/controller/volume/{persistentvolume,pvcprotection,expand}).

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, has_finalizer, is_terminating, key, list, text};
use super::index::uid;
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};

const PROTECTION: &str = "kubernetes.io/pvc-protection";
const COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONERS: [&str; 2] =
    ["volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner"];
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

pub(super) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    let object = event.after.as_ref().or(event.before.as_ref()).map(|stored| &stored.object);
    let Some(object) = object else { return Vec::new() };
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        ("", "persistentvolumeclaims") => vec![event.key.clone()],
        ("", "pods") => of_pod(object)
            .map(|claim| key("", "persistentvolumeclaims", &event.key.namespace, claim))
            .collect(),
        ("", "persistentvolumes") | ("storage.k8s.io", "storageclasses") => {
            let claims = client.list("", "persistentvolumeclaims", None);
            let class = if event.key.group.is_empty() {
                text(object, "/spec/storageClassName")
            } else {
                &event.key.name
            };
            let own = |(key, claim): &(Key, std::sync::Arc<Value>)| {
                text(claim, "/spec/storageClassName") == class
                    || text(claim, "/spec/volumeName") == event.key.name
                    || (key.name == text(object, "/spec/claimRef/name")
                        && key.namespace == text(object, "/spec/claimRef/namespace"))
            };
            claims.into_iter().filter(own).map(|(key, _)| key).collect()
        }
        _ => Vec::new(),
    }
}

/// Names of the claims a pod mounts.
pub(super) fn of_pod(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = list(pod, "/spec/volumes").iter();
    volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

/// Pods that use a claim and have not run to their end.
fn users(client: &Client, at: &Key) -> Vec<std::sync::Arc<Value>> {
    let pods = client.list("", "pods", Some(&at.namespace)).into_iter().map(|(_, pod)| pod);
    let ended = |pod: &Value| matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    pods.filter(|pod| !ended(pod) && of_pod(pod).any(|claim| claim == at.name)).collect()
}

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(claim) = client.get(at) else { return Ok(Next::default()) };
    if is_terminating(&claim) {
        if has_finalizer(&claim, PROTECTION) && users(client, at).is_empty() {
            client.unfinalize(MANAGER, at, &claim, PROTECTION).await?;
        }
        return Ok(Next::default());
    }
    match volume_of(client, at, &claim) {
        Found::Volume(volume) => bind(client, at, &claim, &volume).await?,
        Found::Lost => {
            let status = json!({ "phase": "Lost" });
            client.set_status(MANAGER, at, &claim, status).await?;
        }
        Found::None => provision(client, at, &claim).await?,
    }
    Ok(Next::default())
}

enum Found {
    Volume(std::sync::Arc<Value>),
    Lost,
    None,
}

/// The volume a claim has, or the smallest that suits it.
fn volume_of(client: &Client, at: &Key, claim: &Value) -> Found {
    let is_ours = |volume: &Value| {
        text(volume, "/spec/claimRef/name") == at.name
            && text(volume, "/spec/claimRef/namespace") == at.namespace
            && (text(volume, "/spec/claimRef/uid").is_empty()
                || text(volume, "/spec/claimRef/uid") == uid(claim))
    };
    let named = text(claim, "/spec/volumeName");
    if !named.is_empty() {
        let volume = client.get(&key("", "persistentvolumes", "", named));
        let bound = !text(claim, &pointer(COMPLETED)).is_empty();
        return match volume {
            Some(volume) if is_ours(&volume) || volume["spec"].get("claimRef").is_none() => {
                Found::Volume(volume)
            }
            _ if bound => Found::Lost,
            _ => Found::None,
        };
    }
    let volumes = client.list("", "persistentvolumes", None).into_iter().map(|(_, volume)| volume);
    let (ours, others): (Vec<_>, Vec<_>) =
        volumes.filter(|volume| !is_terminating(volume)).partition(|volume| is_ours(volume));
    if let Some(volume) = ours.into_iter().next() {
        return Found::Volume(volume);
    }
    let suits = |volume: &Value| {
        let modes = list(volume, "/spec/accessModes");
        volume["spec"].get("claimRef").is_none()
            && text(volume, "/spec/storageClassName") == text(claim, "/spec/storageClassName")
            && volume["spec"]["volumeMode"] == claim["spec"]["volumeMode"]
            && list(claim, "/spec/accessModes").iter().all(|mode| modes.contains(mode))
            && super::pods_of::selects(&claim["spec"]["selector"], &volume["metadata"]["labels"])
            && size(volume, "/spec/capacity/storage") >= size(claim, "/spec/resources/requests/storage")
    };
    let best = others.into_iter().filter(|volume| suits(volume));
    match best.min_by(|a, b| size(a, "/spec/capacity/storage").cmp(&size(b, "/spec/capacity/storage"))) {
        Some(volume) => Found::Volume(volume),
        None => Found::None,
    }
}

fn size(object: &Value, pointer: &str) -> Option<crate::schema::Quantity> {
    crate::schema::Quantity::of(object.pointer(pointer)?).ok()
}

fn pointer(annotation: &str) -> String {
    format!("/metadata/annotations/{}", annotation.replace('/', "~1"))
}

/// Makes volume and claim point at each other.
async fn bind(client: &Client, at: &Key, claim: &Value, volume: &Value) -> Result<(), ApiError> {
    let volume_key = key("", "persistentvolumes", "", text(volume, "/metadata/name"));
    let mut volume = volume.clone();
    if text(&volume, "/spec/claimRef/uid") != uid(claim) {
        volume["spec"]["claimRef"] = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": at.name, "namespace": at.namespace,
            "uid": uid(claim), "resourceVersion": text(claim, "/metadata/resourceVersion"),
        });
        volume["metadata"]["annotations"][BY_CONTROLLER] = "yes".into();
        volume = client.put(MANAGER, &volume_key, volume).await?;
    }
    // A claim that asks for more than it has, and was let through, grows.
    let wanted = &claim["spec"]["resources"]["requests"]["storage"];
    let grows = size(claim, "/spec/resources/requests/storage") > size(&volume, "/spec/capacity/storage");
    if grows && text(claim, "/status/phase") == "Bound" {
        volume["spec"]["capacity"]["storage"] = wanted.clone();
        volume = client.put("csi-resizer", &volume_key, volume).await?;
    }
    let mut bound = claim.clone();
    if text(&bound, "/spec/volumeName") != volume_key.name || text(&bound, &pointer(COMPLETED)).is_empty() {
        if text(&bound, "/spec/volumeName").is_empty() {
            bound["spec"]["volumeName"] = volume_key.name.clone().into();
            bound["metadata"]["annotations"][BY_CONTROLLER] = "yes".into();
        }
        bound["metadata"]["annotations"][COMPLETED] = "yes".into();
        bound = client.put(MANAGER, at, bound).await?;
    }
    let status = json!({
        "phase": "Bound",
        "accessModes": volume["spec"]["accessModes"],
        "capacity": volume["spec"]["capacity"],
    });
    client.set_status(MANAGER, at, &bound, status).await
}

/// Makes a volume for a claim whose class makes them: at once, or when a pod uses it.
async fn provision(client: &Client, at: &Key, claim: &Value) -> Result<(), ApiError> {
    let class = text(claim, "/spec/storageClassName");
    if class.is_empty() || !text(claim, "/spec/volumeName").is_empty() {
        return Ok(());
    }
    let Some(class) = client.get(&key("storage.k8s.io", "storageclasses", "", class)) else { return Ok(()) };
    let provisioner = text(&class, "/provisioner");
    if provisioner == "kubernetes.io/no-provisioner" {
        return Ok(());
    }
    let mut claim = claim.clone();
    let mut notes: Vec<(&str, &str)> = PROVISIONERS.iter().map(|name| (*name, provisioner)).collect();
    if text(&class, "/volumeBindingMode") == "WaitForFirstConsumer" {
        let users = users(client, at);
        let Some(node) =
            users.iter().find(|pod| !is_terminating(pod)).and_then(|_| super::pods::node(client))
        else {
            return Ok(());
        };
        let name = text(&node, "/metadata/name").to_owned();
        claim["metadata"]["annotations"][SELECTED_NODE] = name.into();
    }
    notes.retain(|(name, value)| text(&claim, &pointer(name)) != *value);
    if !notes.is_empty() {
        for (name, value) in notes {
            claim["metadata"]["annotations"][name] = value.into();
        }
        claim = client.put(MANAGER, at, claim).await?;
    }
    let name = format!("pvc-{}", uid(&claim));
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": name, "annotations": { PROVISIONED_BY: provisioner } },
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": { "storage": claim["spec"]["resources"]["requests"]["storage"] },
            "persistentVolumeReclaimPolicy": class.get("reclaimPolicy").cloned().unwrap_or("Delete".into()),
            "storageClassName": text(&class, "/metadata/name"),
            "volumeMode": claim["spec"].get("volumeMode").cloned().unwrap_or("Filesystem".into()),
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": at.name,
                "namespace": at.namespace, "uid": uid(&claim),
            },
            "hostPath": { "path": format!("/sandbox/there-is-no-disk/{name}") },
        },
    });
    match client.create("csi-provisioner", volume).await {
        Ok(_) => Ok(()),
        // Made in a look before this one, whose end was lost.
        Err(error) if error.reason == "AlreadyExists" => Ok(()),
        Err(error) => Err(error),
    }
}
