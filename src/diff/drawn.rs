//! The two lists of fields whose values nobody declares: what the server draws anew each time, and what
//! controllers fill in later. All of them stand here.

use serde_json::Value;

use crate::path::{FieldPath, Segment};

/// A field of a kind: group, kind, path. `*` as a group and kind is any; in a path it is any element of a list
/// or any key, a word ending in `*` a key that begins so, and `name=x*` an element whose name begins so.
type Pattern = (&'static str, &'static str, &'static [&'static str]);

const JOB_LABELS: &str = "batch.kubernetes.io/controller-uid";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// Drawn or derived anew at each write: a dry-run shows another value than the write will have.
#[rustfmt::skip]
const DRAWN: &[Pattern] = &[
    ("*", "*", &["metadata", "name"]),
    ("*", "*", &["metadata", "uid"]),
    ("*", "*", &["metadata", "resourceVersion"]),
    ("*", "*", &["metadata", "creationTimestamp"]),
    ("", "Service", &["spec", "clusterIP"]),
    ("", "Service", &["spec", "clusterIPs"]),
    ("", "Service", &["spec", "healthCheckNodePort"]),
    ("", "Service", &["spec", "ports", "*", "nodePort"]),
    ("", "Pod", &["spec", "volumes", "name=kube-api-access-*"]),
    ("", "Pod", &["spec", "containers", "*", "volumeMounts", "mountPath=/var/run/secrets/kubernetes.io/*"]),
    ("", "Pod", &["spec", "initContainers", "*", "volumeMounts", "mountPath=/var/run/secrets/kubernetes.io/*"]),
    ("batch", "Job", &["spec", "selector", "matchLabels", JOB_LABELS]),
    ("batch", "Job", &["spec", "selector", "matchLabels", "controller-uid"]),
    ("batch", "Job", &["spec", "template", "metadata", "labels", JOB_LABELS]),
    ("batch", "Job", &["spec", "template", "metadata", "labels", "controller-uid"]),
    ("batch", "Job", &["spec", "template", "metadata", "labels", JOB_NAME]),
    ("batch", "Job", &["spec", "template", "metadata", "labels", "job-name"]),
];

/// Written by controllers after the object is there. No plan line, not even "left alone".
#[rustfmt::skip]
const FILLED: &[Pattern] = &[
    // Finalizers and owners tell how an object goes, not what it is.
    ("*", "*", &["metadata", "finalizers"]),
    ("*", "*", &["metadata", "ownerReferences"]),
    // Orders to look now, by `flux reconcile` or by us.
    ("*", "*", &["metadata", "annotations", "reconcile.fluxcd.io/*"]),
    ("*", "*", &["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]),
    ("", "PersistentVolumeClaim", &["spec", "volumeName"]),
    ("", "PersistentVolumeClaim", &["metadata", "annotations", "pv.kubernetes.io/*"]),
    ("", "PersistentVolumeClaim", &["metadata", "annotations", "volume.kubernetes.io/*"]),
    ("", "PersistentVolumeClaim", &["metadata", "annotations", "volume.beta.kubernetes.io/storage-provisioner"]),
    ("", "PersistentVolume", &["spec", "claimRef"]),
    ("", "PersistentVolume", &["metadata", "annotations", "pv.kubernetes.io/*"]),
    ("", "PersistentVolume", &["metadata", "annotations", "volume.kubernetes.io/*"]),
    ("", "Secret", &["metadata", "annotations", "kubernetes.io/service-account.uid"]),
    ("", "Secret", &["metadata", "labels", "kubernetes.io/legacy-token-*"]),
    ("", "ServiceAccount", &["secrets"]),
    ("", "Service", &["metadata", "annotations", "metallb.io/ip-allocated-from-pool"]),
    ("", "Service", &["metadata", "annotations", "metallb.universe.tf/ip-allocated-from-pool"]),
    ("", "Pod", &["spec", "nodeName"]),
    ("", "Namespace", &["spec", "finalizers"]),
    ("apps", "Deployment", &["metadata", "annotations", "deployment.kubernetes.io/*"]),
    ("apps", "ReplicaSet", &["metadata", "annotations", "deployment.kubernetes.io/*"]),
    ("apps", "DaemonSet", &["metadata", "annotations", "deprecated.daemonset.template.generation"]),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", &["webhooks", "*", "clientConfig", "caBundle"]),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", &["webhooks", "*", "clientConfig", "caBundle"]),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec", "conversion", "webhook", "clientConfig", "caBundle"]),
    ("apiregistration.k8s.io", "APIService", &["spec", "caBundle"]),
];

/// Whether the value at `path` of an object of this kind is known only after apply: the server draws it anew at
/// each write. A value that the manifest sets is not drawn; asking about those is the caller's.
#[must_use]
pub fn drawn_by_server(group: &str, kind: &str, path: &FieldPath) -> bool {
    DRAWN.iter().any(|pattern| matches(pattern, group, kind, path))
}

/// Whether the field at `path` is one that controllers fill in, so that a foreign value there is no news.
/// `object` decides where the kind alone does not: the token controller fills only token Secrets.
#[must_use]
pub fn controller_filled(group: &str, kind: &str, path: &FieldPath, object: &Value) -> bool {
    let token = group.is_empty()
        && kind == "Secret"
        && object.get("type").and_then(Value::as_str) == Some("kubernetes.io/service-account-token")
        && path.starts_with(&FieldPath::keys(["data"]));
    token || FILLED.iter().any(|pattern| matches(pattern, group, kind, path))
}

/// Whether `path` is the pattern's field or lies inside it.
fn matches((in_group, in_kind, words): &Pattern, group: &str, kind: &str, path: &FieldPath) -> bool {
    (*in_kind == "*" || (*in_group == group && *in_kind == kind))
        && path.0.len() >= words.len()
        && words.iter().zip(&path.0).all(|(word, segment)| fits(word, segment))
}

fn fits(word: &str, segment: &Segment) -> bool {
    let text = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    };
    match segment {
        Segment::Key(key) => text(word, key),
        Segment::Select(keys) if word != "*" => word.split_once('=').is_some_and(|(name, pattern)| {
            let value = keys.get(name).and_then(|json| serde_json::from_str::<String>(json).ok());
            value.is_some_and(|value| text(pattern, &value))
        }),
        _ => word == "*",
    }
}
