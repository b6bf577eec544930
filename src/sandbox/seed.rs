//! What a cluster has from its first moment: what every API server makes, and what the practice cluster has
//! beside it so that a stack for a real one fits.

use serde_json::{Value, json};

use super::custom;
use super::error::ApiError;
use super::http::Decoded;
use super::server::Server;
use super::storage::Key;
use super::verbs::{self, Request};

/// Namespaces of every cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// Namespaces of the practice cluster: Cozystack's, and Flux's own.
const PRACTICE: [&str; 3] = ["cozy-public", "cozy-system", "flux-system"];
/// Under this name they are made.
const MANAGER: &str = "sandbox";
/// The one node.
const NODE: &str = "sandbox";

/// Makes what is missing. `practice`: for a user, rather than as bare as kube-apiserver alone.
///
/// # Errors
/// The log cannot be written.
pub(super) async fn seed(server: &Server, practice: bool) -> Result<(), ApiError> {
    for name in NAMESPACES {
        make(server, namespace(name)).await?;
    }
    make(server, kubernetes()).await?;
    if !practice {
        return Ok(());
    }
    for name in PRACTICE {
        make(server, namespace(name)).await?;
    }
    // As Cozystack's installation guide has them made: `local` on the node where the pod is, `replicated` at once.
    make(server, class("local", true, "WaitForFirstConsumer")).await?;
    make(server, class("replicated", false, "Immediate")).await?;
    make(server, node(server)).await?;
    for definition in custom::embedded() {
        make(server, definition).await?;
    }
    Ok(())
}

async fn make(server: &Server, object: Value) -> Result<(), ApiError> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let served = server.registry.served();
    let resource = served
        .values()
        .find(|served| served.group == group && served.version == version && served.kind == text("/kind"));
    let Some(resource) = resource else {
        let message = format!("no kind \"{}\" is served in {}", text("/kind"), text("/apiVersion"));
        return Err(ApiError::new(500, "InternalError", message));
    };
    let namespace = text("/metadata/namespace");
    let key = Key {
        group: group.to_owned(),
        plural: resource.plural.clone(),
        namespace: namespace.to_owned(),
        name: text("/metadata/name").to_owned(),
    };
    if server.storage.get(&key).is_some() {
        return Ok(());
    }
    let request = Request::on(namespace, "", MANAGER);
    verbs::create(server, resource, &request, Decoded { value: object, duplicates: Vec::new() }).await?;
    Ok(())
}

fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

fn kubernetes() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": "default", "name": "kubernetes",
            "labels": { "component": "apiserver", "provider": "kubernetes" },
        },
        "spec": {
            "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"], "type": "ClusterIP",
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443 }],
        },
    })
}

fn class(name: &str, default: bool, binding: &str) -> Value {
    let mut class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": { "name": name },
        "provisioner": "sandbox.arrplan.dev",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": true,
        "volumeBindingMode": binding,
    });
    if default {
        class["metadata"]["annotations"] = json!({ "storageclass.kubernetes.io/is-default-class": "true" });
    }
    class
}

fn node(server: &Server) -> Value {
    use super::resource::Draw as _;
    let now = server.now();
    let room = json!({ "cpu": "4", "memory": "8Gi", "pods": "110" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
        },
        "spec": {},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Sandbox", "message": "no container runs here",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
            "addresses": [{ "type": "InternalIP", "address": "192.0.2.1" }, { "type": "Hostname", "address": NODE }],
        },
    })
}
