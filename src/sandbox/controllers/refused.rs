//! What a stand-in could not do is told as the cluster's own controllers tell it: by a Warning event.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::json;

use super::client::{Client, MANAGER};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::Key;

/// Records once per object and message that a write for `key` was refused. A record that is refused in its turn
/// is left to the log: there is nowhere else to tell it.
pub(super) async fn tell(client: &Client, key: &Key, error: &ApiError) {
    let Some(resource) = client.resource(&key.group, &key.plural) else { return };
    let Some(object) = client.get(key) else { return };
    let mut hasher = DefaultHasher::new();
    error.message.hash(&mut hasher);
    let namespace = if key.namespace.is_empty() { "default" } else { &key.namespace };
    let now = client.now();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": format!("{}.{:x}", key.name, hasher.finish()), "namespace": namespace },
        "type": "Warning",
        "reason": "StandInRefused",
        "message": format!("the sandbox's stand-in cannot go on: {}", error.message),
        "involvedObject": {
            "apiVersion": object["apiVersion"],
            "kind": resource.kind,
            "name": key.name,
            "namespace": key.namespace,
            "uid": object["metadata"]["uid"],
        },
        "source": { "component": "sandbox" },
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    });
    match client.create(MANAGER, event).await {
        Ok(_) => {}
        Err(again) if again.reason == "AlreadyExists" => {}
        Err(again) => {
            tracing::warn!(object = key.name, error.message, again.message, "a stand-in was refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::key;
    use super::super::tests::Place;
    use super::*;

    #[tokio::test]
    async fn a_refusal_is_told_once() {
        let place = Place::new().await;
        let class = key("storage.k8s.io", "storageclasses", "", "local");
        for _ in 0..2 {
            tell(&place.client, &class, &ApiError::bad_request("no such disk")).await;
        }
        let events = place.client.list("", "events", Some("default"));
        let told: Vec<&str> = events
            .iter()
            .filter(|(_, event)| event["involvedObject"]["name"] == "local")
            .filter_map(|(_, event)| event["message"].as_str())
            .collect();
        assert_eq!(told, ["the sandbox's stand-in cannot go on: no such disk"]);
    }
}
