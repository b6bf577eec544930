//! What becomes of a volume: available, bound, released, and gone or kept as its policy says
//! (kubernetes/pkg/controller/volume/{persistentvolume,pvprotection}).

use std::sync::Arc;

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, has_finalizer, is_terminating, key, text};
use super::index::uid;
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

const PROTECTION: &str = "kubernetes.io/pv-protection";

pub(super) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        ("", "persistentvolumes") => vec![event.key.clone()],
        ("", "persistentvolumeclaims") => {
            let claim = event.after.as_ref().or(event.before.as_ref());
            let uid = claim.map(|claim| uid(&claim.object).to_owned()).unwrap_or_default();
            let of_claim = |(_, volume): &(Key, Arc<Value>)| text(volume, "/spec/claimRef/uid") == uid;
            let volumes = client.list("", "persistentvolumes", None).into_iter();
            volumes.filter(of_claim).map(|(key, _)| key).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(volume) = client.get(at) else { return Ok(Next::default()) };
    let reference = |name: &str| text(&volume, &format!("/spec/claimRef/{name}")).to_owned();
    let claim = client
        .get(&key("", "persistentvolumeclaims", &reference("namespace"), &reference("name")))
        .filter(|claim| reference("uid").is_empty() || uid(claim) == reference("uid"));
    let phase = match (&claim, reference("name").is_empty(), reference("uid").is_empty()) {
        (_, true, _) | (_, false, true) => "Available",
        (None, false, false) => "Released",
        (Some(claim), ..) if text(claim, "/spec/volumeName") == at.name => "Bound",
        // On its way: the claim follows.
        (Some(_), ..) => "Pending",
    };
    if is_terminating(&volume) {
        if has_finalizer(&volume, PROTECTION) && phase != "Bound" {
            client.unfinalize(MANAGER, at, &volume, PROTECTION).await?;
        }
        return Ok(Next::default());
    }
    if text(&volume, "/status/phase") != phase {
        let status = json!({ "phase": phase, "lastPhaseTransitionTime": client.now() });
        client.set_status(MANAGER, at, &volume, status).await?;
    }
    if phase == "Released" && text(&volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" {
        client.delete("csi-provisioner", at, &DeleteOptions::default()).await?;
    }
    Ok(Next::default())
}
