#![expect(clippy::needless_pass_by_value, reason = "the arguments are `json!` temporaries")]

use serde_json::json;

use super::*;

fn object(version: &str, kind: &str, spec: Value, status: Value) -> Object {
    Object(json!({
        "apiVersion": version, "kind": kind,
        "metadata": { "name": "x", "namespace": "a", "generation": 2 },
        "spec": spec, "status": status,
    }))
}

fn short(status: &Status) -> String {
    let state = format!("{:?}", status.state);
    let accepted = if status.accepted_only { " (accepted)" } else { "" };
    format!("{state}{accepted} {}: {}", status.reason, status.message)
}

fn table(rows: Vec<(&str, &str, Value, Value, &str)>) {
    let context = Context { wait_for_first_consumer: ["local".to_owned()].into(), suspended_by_stack: false };
    for (version, kind, spec, status, expected) in rows {
        let object = object(version, kind, spec, status);
        assert_eq!(short(&compute(&object, &context)), expected, "{}", object.0);
    }
}

fn ready(status: &str, reason: &str, observed: i64) -> Value {
    json!({ "type": "Ready", "status": status, "reason": reason, "message": "m", "observedGeneration": observed })
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn workloads() {
    let deployment = |status| ("apps/v1", "Deployment", json!({ "replicas": 2 }), status);
    let row = |(a, b, c, d): (&'static str, &'static str, Value, Value), expected| (a, b, c, d, expected);
    table(vec![
        row(deployment(json!({})), "InProgress NoStatus: no controller has looked at it yet"),
        row(
            deployment(
                json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2 }),
            ),
            "InProgress LatestGenerationNotObserved: generation 2 is not observed yet, the last was 1",
        ),
        row(
            deployment(json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 1 })),
            "InProgress Updating: 1 of 2 replicas updated",
        ),
        row(
            deployment(
                json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2 }),
            ),
            "InProgress Terminating: 1 old replicas still there",
        ),
        row(
            deployment(
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 1 }),
            ),
            "InProgress Unavailable: 1 of 2 replicas available",
        ),
        row(
            deployment(
                json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2 }),
            ),
            "Ready Available: 2 replicas available",
        ),
        row(
            deployment(
                json!({ "observedGeneration": 2, "conditions": [{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out" }] }),
            ),
            "Failed ProgressDeadlineExceeded: timed out",
        ),
        row(
            deployment(
                json!({ "observedGeneration": 2, "conditions": [{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota" }] }),
            ),
            "InProgress FailedCreate: exceeded quota",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({ "replicas": 1, "paused": true }),
            json!({ "observedGeneration": 2 }),
            "Failed Paused: spec.paused is true; 0 of 1 replicas updated",
        ),
        (
            "apps/v1",
            "Deployment",
            json!({ "replicas": 0 }),
            json!({ "observedGeneration": 2 }),
            "Ready Available: 0 replicas available",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({ "replicas": 2 }),
            json!({ "observedGeneration": 2, "replicas": 2, "readyReplicas": 1 }),
            "InProgress NotReady: 1 of 2 replicas ready",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({ "replicas": 2 }),
            json!({ "observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b" }),
            "InProgress Updating: 1 of 2 replicas updated",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({ "replicas": 2 }),
            json!({ "observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "currentRevision": "b", "updateRevision": "b" }),
            "Ready Available: 2 replicas ready",
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({ "replicas": 3, "updateStrategy": { "rollingUpdate": { "partition": 2 } } }),
            json!({ "observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b" }),
            "Ready PartitionReady: 1 replicas updated, as its partition says",
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({}),
            json!({ "observedGeneration": 2, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2, "numberReady": 2 }),
            "InProgress Unavailable: 2 of 3 pods available",
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({}),
            json!({ "observedGeneration": 2, "desiredNumberScheduled": 0 }),
            "Ready Available: 0 pods available",
        ),
        (
            "apps/v1",
            "ReplicaSet",
            json!({ "replicas": 1 }),
            json!({ "observedGeneration": 2, "replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1 }),
            "Ready Available: 1 replicas available",
        ),
        ("batch/v1", "Job", json!({}), json!({}), "InProgress NotStarted: not started yet"),
        (
            "batch/v1",
            "Job",
            json!({ "completions": 2 }),
            json!({ "startTime": "2026-01-01T00:00:00Z", "succeeded": 1, "active": 1 }),
            "InProgress Running: 1 of 2 done, 1 running, 0 failed",
        ),
        (
            "batch/v1",
            "Job",
            json!({}),
            json!({ "conditions": [{ "type": "Complete", "status": "True" }] }),
            "Ready Complete: ",
        ),
        (
            "batch/v1",
            "Job",
            json!({}),
            json!({ "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "b" }] }),
            "Failed BackoffLimitExceeded: b",
        ),
        (
            "batch/v1",
            "Job",
            json!({ "suspend": true }),
            json!({}),
            "Failed Suspended: spec.suspend is true: it does not run",
        ),
        ("batch/v1", "CronJob", json!({}), json!({}), "Ready Current: "),
    ]);
}

#[test]
fn pods() {
    let waiting = |reason: &str| json!({ "phase": "Pending", "containerStatuses": [{ "name": "c", "state": { "waiting": { "reason": reason, "message": "m" } } }] });
    let rows = vec![
        (json!({}), "InProgress NoStatus: "),
        (json!({ "phase": "Succeeded" }), "Ready Succeeded: it ran to its end"),
        (json!({ "phase": "Failed", "reason": "Evicted", "message": "disk" }), "Failed Evicted: disk"),
        (
            json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] }),
            "Ready Ready: ",
        ),
        (waiting("CrashLoopBackOff"), "Failed CrashLoopBackOff: container c: m"),
        (waiting("ImagePullBackOff"), "Failed ImagePullBackOff: container c: m"),
        (waiting("CreateContainerConfigError"), "InProgress CreateContainerConfigError: container c: m"),
        (waiting("ContainerCreating"), "InProgress Pending: "),
        (
            json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" }] }),
            "InProgress Unschedulable: 0/1 nodes",
        ),
    ];
    table(rows.into_iter().map(|(status, expected)| ("v1", "Pod", json!({}), status, expected)).collect());
}

#[test]
fn storage_network_and_room_makers() {
    table(vec![
        (
            "v1",
            "PersistentVolumeClaim",
            json!({ "storageClassName": "fast" }),
            json!({ "phase": "Pending" }),
            "InProgress Pending: not bound yet (class fast)",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({ "storageClassName": "local" }),
            json!({ "phase": "Pending" }),
            "Ready (accepted) WaitForFirstConsumer: class local binds it when the first pod uses it",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({ "storageClassName": "local" }),
            json!({ "phase": "Bound", "capacity": { "storage": "5Gi" } }),
            "Ready Bound: 5Gi bound",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({}),
            json!({ "phase": "Lost" }),
            "Failed Lost: the volume behind it is gone",
        ),
        ("v1", "Service", json!({ "type": "ClusterIP" }), json!({ "loadBalancer": {} }), "Ready Current: "),
        (
            "v1",
            "Service",
            json!({ "type": "LoadBalancer" }),
            json!({ "loadBalancer": {} }),
            "InProgress NoAddress: no load balancer has given it an address yet",
        ),
        (
            "networking.k8s.io/v1",
            "Ingress",
            json!({ "ingressClassName": "nginx" }),
            json!({ "loadBalancer": {} }),
            "InProgress NoAddress: no ingress controller has given it an address yet (class nginx)",
        ),
        (
            "networking.k8s.io/v1",
            "Ingress",
            json!({}),
            json!({ "loadBalancer": { "ingress": [{ "ip": "10.0.0.1" }, { "hostname": "h" }] } }),
            "Ready Address: 10.0.0.1, h",
        ),
        ("v1", "Namespace", json!({}), json!({ "phase": "Active" }), "Ready Active: "),
        ("v1", "Namespace", json!({}), json!({}), "InProgress NoStatus: not active yet"),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({}),
            "InProgress NoStatus: its names are not accepted yet",
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({ "conditions": [{ "type": "NamesAccepted", "status": "False", "reason": "ListKindConflict", "message": "taken" }] }),
            "Failed ListKindConflict: taken",
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({ "conditions": [{ "type": "NamesAccepted", "status": "True" }, { "type": "Established", "status": "True", "message": "m" }] }),
            "Ready Established: m",
        ),
        (
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({}),
            json!({ "conditions": [{ "type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "m" }] }),
            "InProgress MissingEndpoints: m",
        ),
        ("v1", "ConfigMap", json!(null), json!(null), "Ready Current: "),
    ]);
}

#[test]
fn flux() {
    let release = |status| ("helm.toolkit.fluxcd.io/v2", "HelmRelease", json!({}), status);
    let row = |(a, b, c, d): (&'static str, &'static str, Value, Value), expected| (a, b, c, d, expected);
    let with = |observed: i64, conditions: Value| json!({ "observedGeneration": observed, "conditions": conditions });
    table(vec![
        row(release(json!({})), "InProgress NoStatus: no controller has looked at it yet"),
        row(
            release(json!({ "observedGeneration": -1 })),
            "InProgress NoStatus: no controller has looked at it yet",
        ),
        row(release(with(-1, json!([ready("False", "ArtifactFailed", 2)]))), "InProgress ArtifactFailed: m"),
        row(release(with(2, json!([]))), "InProgress NoStatus: no controller has looked at it yet"),
        row(release(with(2, json!([ready("True", "InstallSucceeded", 2)]))), "Ready InstallSucceeded: m"),
        // Lingers after success; says nothing of what runs.
        row(
            release(with(
                2,
                json!([ready("True", "InstallSucceeded", 2), { "type": "Reconciling", "status": "True" }]),
            )),
            "Ready InstallSucceeded: m",
        ),
        // The status of the generation before.
        row(
            release(with(1, json!([ready("True", "InstallSucceeded", 1)]))),
            "InProgress LatestGenerationNotObserved: generation 2 is not observed yet, the last was 1",
        ),
        row(
            release(with(2, json!([ready("True", "InstallSucceeded", 1)]))),
            "InProgress LatestGenerationNotObserved: generation 2 is not observed yet, the last was 2",
        ),
        row(release(with(1, json!([ready("Unknown", "Progressing", 2)]))), "InProgress Progressing: m"),
        row(
            release(with(
                1,
                json!([ready("False", "InstallFailed", 1), { "type": "Stalled", "status": "True", "reason": "RetriesExceeded", "message": "s", "observedGeneration": 1 }]),
            )),
            "InProgress LatestGenerationNotObserved: generation 2 is not observed yet, the last was 1",
        ),
        row(
            release(with(
                2,
                json!([ready("False", "InstallFailed", 2), { "type": "Stalled", "status": "True", "reason": "RetriesExceeded", "message": "s", "observedGeneration": 2 }]),
            )),
            "Failed RetriesExceeded: s",
        ),
        row(release(with(2, json!([ready("False", "InstallFailed", 2)]))), "InProgress InstallFailed: m"),
        (
            "helm.toolkit.fluxcd.io/v2",
            "HelmRelease",
            json!({ "suspend": true }),
            with(2, json!([ready("True", "InstallSucceeded", 2)])),
            "Failed Suspended: spec.suspend is true: Flux does not act on it",
        ),
        (
            "source.toolkit.fluxcd.io/v1",
            "HelmRepository",
            json!({ "type": "oci" }),
            json!({}),
            "Ready Current: ",
        ),
        (
            "source.toolkit.fluxcd.io/v1",
            "HelmRepository",
            json!({}),
            json!({}),
            "InProgress NoStatus: no controller has looked at it yet",
        ),
        (
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            json!({}),
            with(2, json!([ready("True", "Succeeded", 2)])),
            "Ready Succeeded: m",
        ),
        ("notification.toolkit.fluxcd.io/v1beta3", "Alert", json!({}), json!(null), "Ready Current: "),
    ]);
    let suspended =
        object("source.toolkit.fluxcd.io/v1", "GitRepository", json!({ "suspend": true }), json!({}));
    let context = Context { suspended_by_stack: true, ..Context::default() };
    assert!(compute(&suspended, &context).accepted_only);
}

#[test]
fn others() {
    let with = |conditions: Value| json!({ "conditions": conditions });
    table(vec![
        (
            "apps.cozystack.io/v1alpha1",
            "ArrStack",
            json!({}),
            json!({}),
            "InProgress NoStatus: no release has been made of it yet",
        ),
        (
            "apps.cozystack.io/v1alpha1",
            "ArrStack",
            json!({}),
            with(json!([{ "type": "Ready", "status": "True", "reason": "Installed", "message": "m" }])),
            "Ready Installed: m",
        ),
        (
            "apps.cozystack.io/v1alpha1",
            "ArrStack",
            json!({}),
            with(
                json!([{ "type": "Ready", "status": "True" }, { "type": "WorkloadsReady", "status": "False", "reason": "PodsPending", "message": "p" }]),
            ),
            "InProgress PodsPending: p",
        ),
        ("example.com/v1", "Widget", json!({}), json!({}), "Ready Current: "),
        ("example.com/v1", "Widget", json!({}), with(json!([ready("False", "Why", 2)])), "InProgress Why: m"),
        (
            "example.com/v1",
            "Widget",
            json!({}),
            with(json!([ready("True", "Old", 1)])),
            "InProgress LatestGenerationNotObserved: m",
        ),
        (
            "example.com/v1",
            "Widget",
            json!({}),
            with(json!([{ "type": "Stalled", "status": "True", "reason": "R", "message": "s" }])),
            "Failed R: s",
        ),
        (
            "example.com/v1",
            "Widget",
            json!({}),
            with(
                json!([ready("True", "Ok", 2), { "type": "Reconciling", "status": "True", "reason": "R", "message": "busy" }]),
            ),
            "InProgress R: busy",
        ),
        (
            "cert-manager.io/v1",
            "Certificate",
            json!({}),
            json!({}),
            "InProgress NoStatus: no controller has looked at it yet",
        ),
        ("example.com/v1", "Widget", json!({}), json!("odd"), "Unknown Malformed: status is not an object"),
        (
            "example.com/v1",
            "Widget",
            json!({}),
            json!({ "conditions": {} }),
            "Unknown Malformed: status.conditions is not a list",
        ),
    ]);
}

#[test]
fn what_is_being_deleted_is_nothing_else() {
    let mut dying = object("v1", "Namespace", json!({}), json!({ "phase": "Active" }));
    dying.0["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    dying.0["metadata"]["finalizers"] = json!(["a/b", "c"]);
    let status = compute(&dying, &Context::default());
    assert_eq!(short(&status), "Terminating Terminating: is being deleted, held by a/b, c");
    assert_eq!(status.since.as_deref(), Some("2026-01-01T00:00:00Z"));
}
