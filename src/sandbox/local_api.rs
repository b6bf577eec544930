//! `APIServices` of what this server serves itself, as the aggregator of kube-apiserver registers them: by them a
//! client knows that nobody else answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::resource::Draw as _;
use super::server::Server;
use super::storage::{CommitError, Key};

const GROUP: &str = "apiregistration.k8s.io";
const PLURAL: &str = "apiservices";
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// Group, version, and their priorities (kube-apiserver 1.37).
const PRIORITIES: [(&str, &str, i64, i64); 17] = [
    ("", "v1", 18_000, 1),
    ("apiextensions.k8s.io", "v1", 16_700, 15),
    ("apps", "v1", 17_800, 15),
    ("authentication.k8s.io", "v1", 17_700, 15),
    ("authorization.k8s.io", "v1", 17_600, 15),
    ("autoscaling", "v1", 17_500, 15),
    ("autoscaling", "v2", 17_500, 30),
    ("batch", "v1", 17_400, 15),
    ("coordination.k8s.io", "v1", 16_500, 15),
    ("discovery.k8s.io", "v1", 16_200, 15),
    ("events.k8s.io", "v1", 17_750, 15),
    ("networking.k8s.io", "v1", 17_200, 15),
    ("node.k8s.io", "v1", 16_300, 15),
    ("policy", "v1", 17_100, 15),
    ("rbac.authorization.k8s.io", "v1", 17_000, 15),
    ("scheduling.k8s.io", "v1", 16_600, 15),
    ("storage.k8s.io", "v1", 16_800, 15),
];

/// Makes and removes them until they are what is served.
///
/// # Errors
/// The log cannot be written.
pub(super) async fn publish(server: &Server) -> Result<(), CommitError> {
    let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
    for resource in server.registry.served().values() {
        // The aggregator's own group is not registered with itself.
        if resource.group != GROUP {
            let name = format!("{}.{}", resource.version, resource.group);
            wanted
                .entry(name)
                .or_insert_with(|| service(&resource.group, &resource.version, resource.custom.is_some()));
        }
    }
    let (there, _) = server.storage.list(GROUP, PLURAL, None);
    for (key, stored) in there {
        let managed = stored.object["metadata"]["labels"][MANAGED].is_string();
        if wanted.remove(&key.name).is_none() && managed {
            done(server.storage.commit(&key, Some(stored.revision), None).await)?;
        }
    }
    for (name, mut service) in wanted {
        let now = server.now();
        service["metadata"]["uid"] = server.uid().into();
        service["metadata"]["creationTimestamp"] = now.clone().into();
        service["metadata"]["managedFields"][0]["time"] = now.clone().into();
        service["status"]["conditions"][0]["lastTransitionTime"] = now.into();
        let key = Key { group: GROUP.into(), plural: PLURAL.into(), namespace: String::new(), name };
        done(server.storage.commit(&key, None, Some(service)).await)?;
    }
    Ok(())
}

/// One that was made or removed meanwhile is as well.
fn done(result: Result<super::storage::Stored, CommitError>) -> Result<(), CommitError> {
    match result {
        Ok(_) | Err(CommitError::Stale) => Ok(()),
        Err(error) => Err(error),
    }
}

fn service(group: &str, version: &str, custom: bool) -> Value {
    let known = PRIORITIES.iter().find(|(g, v, ..)| *g == group && *v == version);
    let (of_group, of_version) = known.map_or((1000, 100), |(_, _, group, version)| (*group, *version));
    let mut spec = json!({
        "version": version, "groupPriorityMinimum": of_group, "versionPriority": of_version,
    });
    let mut owned = json!({ "f:groupPriorityMinimum": {}, "f:version": {}, "f:versionPriority": {} });
    if !group.is_empty() {
        spec["group"] = group.into();
        owned["f:group"] = json!({});
    }
    let mut labels = json!({ ".": {} });
    labels[format!("f:{MANAGED}")] = json!({});
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {
            "name": format!("{version}.{group}"),
            "labels": { MANAGED: if custom { "true" } else { "onstart" } },
            "managedFields": [{
                "manager": "kube-apiserver", "operation": "Update",
                "apiVersion": "apiregistration.k8s.io/v1", "fieldsType": "FieldsV1",
                "fieldsV1": { "f:metadata": { "f:labels": labels }, "f:spec": owned },
            }],
        },
        "spec": spec,
        "status": {
            "conditions": [{
                "type": "Available", "status": "True", "reason": "Local",
                "message": "Local APIServices are always available",
            }],
        },
    })
}
