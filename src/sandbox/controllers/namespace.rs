//! The namespace controller, and those that furnish a namespace: service account and root CA publisher
//! (kubernetes/pkg/controller/{namespace,serviceaccount,certificates/rootcacertpublisher}).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, is_terminating, key, list};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Propagation;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

/// In place of a certificate: the sandbox draws a new one at each start, and no pod runs that could read it.
const NO_CA: &str = "# The certificate of the sandbox stands in its kubeconfig.\n";
const CA_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

pub(super) fn woken(event: &Event) -> Vec<Key> {
    if event.key.group.is_empty() && event.key.plural == "namespaces" {
        return vec![event.key.clone()];
    }
    // Furniture comes back; content that is gone may have been the last.
    let gone_or_going =
        event.after.as_ref().is_none_or(|after| is_terminating(&after.object) && event.before.is_some());
    if !event.key.namespace.is_empty() && gone_or_going {
        return vec![key("", "namespaces", "", &event.key.namespace)];
    }
    Vec::new()
}

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(namespace) = client.get(at) else { return Ok(Next::default()) };
    if is_terminating(&namespace) {
        return empty(client, at, &namespace).await;
    }
    furnish(client, &at.name).await?;
    Ok(Next::default())
}

async fn furnish(client: &Client, namespace: &str) -> Result<(), ApiError> {
    let metadata = |name: &str| json!({ "namespace": namespace, "name": name });
    if client.get(&key("", "serviceaccounts", namespace, "default")).is_none() {
        let account =
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("default") });
        client.create(MANAGER, account).await?;
    }
    if client.get(&key("", "configmaps", namespace, "kube-root-ca.crt")).is_none() {
        let mut map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("kube-root-ca.crt"),
            "data": { "ca.crt": NO_CA },
        });
        map["metadata"]["annotations"] = json!({ "kubernetes.io/description": CA_DESCRIPTION });
        client.create(MANAGER, map).await?;
    }
    Ok(())
}

/// Deletes what is in a namespace that goes, says what is left, and lets it go when nothing is.
async fn empty(client: &Client, at: &Key, namespace: &Value) -> Result<Next, ApiError> {
    if list(namespace, "/spec/finalizers").is_empty() {
        return Ok(Next::default());
    }
    let mut failed = Vec::new();
    for (key, object) in content(client, &at.name) {
        if is_terminating(&object) {
            continue;
        }
        let options =
            DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
        if let Err(error) = client.delete(MANAGER, &key, &options).await {
            failed.push(error.message);
        }
    }
    let left = content(client, &at.name);
    let mut status = namespace["status"].clone();
    status["phase"] = "Terminating".into();
    let mut conditions = list(namespace, "/status/conditions").to_vec();
    for condition in conditions_of(&left, &failed) {
        super::client::set_condition(&mut conditions, condition, &client.now());
    }
    status["conditions"] = conditions.into();
    client.set_status(MANAGER, at, namespace, status).await?;
    if !failed.is_empty() {
        return Ok(Next::after(super::REFUSED));
    }
    if left.is_empty()
        && let Some(namespace) = client.get(at)
    {
        let mut namespace = Value::clone(&namespace);
        if let Some(finalizers) = namespace["spec"]["finalizers"].as_array_mut() {
            finalizers.retain(|finalizer| finalizer != "kubernetes");
        }
        client.put_finalized(MANAGER, at, namespace).await?;
    }
    Ok(Next::default())
}

/// Everything in a namespace that can be deleted.
fn content(client: &Client, namespace: &str) -> Vec<(Key, std::sync::Arc<Value>)> {
    let served = client.server.registry.served();
    let mut kinds: Vec<(&str, &str)> = served
        .values()
        .filter(|kind| kind.namespaced && kind.verbs.iter().any(|verb| verb == "delete"))
        .map(|kind| (kind.group.as_str(), kind.plural.as_str()))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().flat_map(|(group, plural)| client.list(group, plural, Some(namespace))).collect()
}

fn conditions_of(left: &[(Key, std::sync::Arc<Value>)], failed: &[String]) -> Vec<Value> {
    let condition = |kind: &str, bad: Option<(&str, String)>, good: (&str, &str)| {
        let (status, reason, message) = match bad {
            Some((reason, message)) => ("True", reason, message),
            None => ("False", good.0, good.1.to_owned()),
        };
        json!({ "type": kind, "status": status, "reason": reason, "message": message })
    };
    let mut resources: BTreeMap<String, usize> = BTreeMap::new();
    let mut finalizers: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, object) in left {
        *resources.entry(format!("{}.{}", key.plural, key.group)).or_default() += 1;
        for finalizer in list(object, "/metadata/finalizers") {
            *finalizers.entry(finalizer.as_str().unwrap_or_default()).or_default() += 1;
        }
    }
    let told = |counts: Vec<String>, head: &str| format!("{head}: {}", counts.join(", "));
    let remaining = (!resources.is_empty()).then(|| {
        let counts = resources.iter().map(|(kind, n)| format!("{kind} has {n} resource instances"));
        ("SomeResourcesRemain", told(counts.collect(), "Some resources are remaining"))
    });
    let holding = (!finalizers.is_empty()).then(|| {
        let counts = finalizers.iter().map(|(name, n)| format!("{name} in {n} resource instances"));
        let head = "Some content in the namespace has finalizers remaining";
        ("SomeFinalizersRemain", told(counts.collect(), head))
    });
    let failure = (!failed.is_empty()).then(|| {
        let head = format!("Failed to delete all resource types, {} remaining", failed.len());
        ("ContentDeletionFailed", told(failed.to_vec(), &head))
    });
    vec![
        condition(
            "NamespaceDeletionDiscoveryFailure",
            None,
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        condition(
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        condition(
            "NamespaceDeletionContentFailure",
            failure,
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        condition(
            "NamespaceContentRemaining",
            remaining,
            ("ContentRemoved", "All content successfully removed"),
        ),
        condition(
            "NamespaceFinalizersRemaining",
            holding,
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ]
}
