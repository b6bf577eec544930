//! What the API server takes for the object before a create: a built-in kind's zero value, which has the fields
//! that its type always has. They are there before, so nobody adds them.

use serde_json::{Map, Value, json};

/// The zero value of a kind as JSON; kinds that are not built in have none.
///
/// Made with `json.Marshal` from the types of `k8s.io/api` v0.37.1. What is the same for many is their default.
const ZERO: &[(&str, &str, &str)] = &[
    (
        "v1",
        "Event",
        r#""involvedObject":{},"source":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"reportingComponent":"","reportingInstance":"""#,
    ),
    ("v1", "LimitRange", r#""spec":{"limits":null}"#),
    ("v1", "PersistentVolumeClaim", r#""spec":{"resources":{}},"status":{}"#),
    ("v1", "Pod", r#""spec":{"containers":null},"status":{}"#),
    ("v1", "Service", r#""spec":{},"status":{"loadBalancer":{}}"#),
    ("v1", "ConfigMap", ""),
    ("v1", "Endpoints", ""),
    ("v1", "Secret", ""),
    ("v1", "ServiceAccount", ""),
    ("v1", "Namespace", r#""spec":{},"status":{}"#),
    ("v1", "PersistentVolume", r#""spec":{},"status":{}"#),
    ("v1", "ResourceQuota", r#""spec":{},"status":{}"#),
    (
        "v1",
        "Node",
        r#""spec":{},"status":{"daemonEndpoints":{"kubeletEndpoint":{"Port":0}},"nodeInfo":{"machineID":"","systemUUID":"","bootID":"","kernelVersion":"","osImage":"","containerRuntimeVersion":"","kubeletVersion":"","kubeProxyVersion":"","operatingSystem":"","architecture":""}}"#,
    ),
    ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", r#""spec":{}"#),
    ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding", r#""spec":{}"#),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", ""),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", r#""spec":{},"status":{}"#),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", r#""spec":{}"#),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ""),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        r#""spec":{"group":"","names":{"plural":"","kind":""},"scope":"","versions":null},"status":{"conditions":null,"acceptedNames":{"plural":"","kind":""},"storedVersions":null}"#,
    ),
    (
        "apiregistration.k8s.io/v1",
        "APIService",
        r#""spec":{"groupPriorityMinimum":0,"versionPriority":0},"status":{}"#,
    ),
    ("authentication.k8s.io/v1", "SelfSubjectReview", r#""status":{"userInfo":{}}"#),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", r#""spec":{},"status":{"allowed":false}"#),
    (
        "authorization.k8s.io/v1",
        "SelfSubjectRulesReview",
        r#""spec":{},"status":{"resourceRules":null,"nonResourceRules":null,"incomplete":false}"#,
    ),
    (
        "apps/v1",
        "DaemonSet",
        r#""spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"updateStrategy":{}},"status":{"currentNumberScheduled":0,"numberMisscheduled":0,"desiredNumberScheduled":0,"numberReady":0}"#,
    ),
    (
        "apps/v1",
        "Deployment",
        r#""spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"strategy":{}},"status":{}"#,
    ),
    (
        "apps/v1",
        "ReplicaSet",
        r#""spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}}},"status":{"replicas":0}"#,
    ),
    (
        "apps/v1",
        "StatefulSet",
        r#""spec":{"selector":null,"template":{"metadata":{},"spec":{"containers":null}},"serviceName":"","updateStrategy":{}},"status":{"replicas":0,"availableReplicas":0}"#,
    ),
    ("autoscaling/v1", "Scale", r#""spec":{},"status":{"replicas":0}"#),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        r#""spec":{"scaleTargetRef":{"kind":"","name":""},"maxReplicas":0},"status":{"desiredReplicas":0,"currentMetrics":null}"#,
    ),
    (
        "batch/v1",
        "CronJob",
        r#""spec":{"schedule":"","jobTemplate":{"metadata":{},"spec":{"template":{"metadata":{},"spec":{"containers":null}}}}},"status":{}"#,
    ),
    ("batch/v1", "Job", r#""spec":{"template":{"metadata":{},"spec":{"containers":null}}},"status":{}"#),
    ("coordination.k8s.io/v1", "Lease", r#""spec":{}"#),
    ("discovery.k8s.io/v1", "EndpointSlice", r#""addressType":"","endpoints":null,"ports":null"#),
    ("networking.k8s.io/v1", "Ingress", r#""spec":{},"status":{"loadBalancer":{}}"#),
    ("networking.k8s.io/v1", "IngressClass", r#""spec":{}"#),
    ("networking.k8s.io/v1", "NetworkPolicy", r#""spec":{"podSelector":{}}"#),
    (
        "policy/v1",
        "PodDisruptionBudget",
        r#""spec":{},"status":{"disruptionsAllowed":0,"currentHealthy":0,"desiredHealthy":0,"expectedPods":0}"#,
    ),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", r#""rules":null"#),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        r#""roleRef":{"apiGroup":"","kind":"","name":""}"#,
    ),
    ("rbac.authorization.k8s.io/v1", "Role", r#""rules":null"#),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", r#""roleRef":{"apiGroup":"","kind":"","name":""}"#),
    ("scheduling.k8s.io/v1", "PriorityClass", r#""value":0"#),
    ("storage.k8s.io/v1", "StorageClass", r#""provisioner":"""#),
    ("storage.k8s.io/v1", "VolumeAttributesClass", r#""driverName":"""#),
];

/// The object before a create.
pub(super) fn empty(api_version: &str, kind: &str) -> Value {
    let line = ZERO.iter().find(|(version, name, _)| *name == kind && *version == api_version);
    let Some((_, _, fields)) = line else {
        return json!({"apiVersion": api_version, "kind": kind});
    };
    let mut zero: Map<String, Value> = serde_json::from_str(&format!("{{{fields}}}"))
        .expect("the table holds fields as JSON; a test reads all");
    zero.insert("apiVersion".into(), api_version.into());
    zero.insert("kind".into(), kind.into());
    zero.insert("metadata".into(), Value::Object(Map::new()));
    Value::Object(zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_json() {
        for (api_version, kind, _) in ZERO {
            assert!(empty(api_version, kind)["metadata"].is_object(), "{api_version} {kind}");
        }
        assert_eq!(empty("apps/v1", "Deployment")["spec"]["template"]["spec"], json!({"containers": null}));
        assert_eq!(empty("x.io/v1", "Thing"), json!({"apiVersion": "x.io/v1", "kind": "Thing"}));
    }
}
