//! Defaults that depend on other fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::look::Look as _;

/// Fills in what one struct lacks; `owner` is its name in the table.
pub(super) fn fill(owner: &str, map: &mut Map<String, Value>) {
    match owner {
        "Container" | "EphemeralContainer" => container(map),
        "Pod" => pod(map),
        "PodSpec" => service_account(map),
        "Volume" => volume(map),
        "Service" => service(map),
        "Namespace" => namespace(map),
        "LimitRangeItem" => limits(map),
        "NodeStatus" => node_status(map),
        "DeploymentStrategy" => rolling(map, &[("maxSurge", json!("25%")), ("maxUnavailable", json!("25%"))]),
        "DaemonSetUpdateStrategy" => rolling(map, &[("maxSurge", json!(0)), ("maxUnavailable", json!(1))]),
        "StatefulSetUpdateStrategy" => stateful_set_strategy(map),
        "Job" => job(map),
        "HorizontalPodAutoscaler" => autoscaler(map),
        "NetworkPolicySpec" => policy_types(map),
        "Subject" => subject(map),
        "PodStatus" => pod_addresses(map),
        "Secret" => plain_secrets(map),
        "StatefulSetSpec" => name_claims(map),
        "DaemonSet" => template_generation(map),
        _ => {}
    }
}

/// Sets a field that is not there.
fn set(map: &mut Map<String, Value>, field: &str, value: Value) {
    if map.get(field).is_none_or(Value::is_null) {
        map.insert(field.to_owned(), value);
    }
}

fn object<'m>(map: &'m mut Map<String, Value>, field: &str) -> Option<&'m mut Map<String, Value>> {
    map.get_mut(field).and_then(Value::as_object_mut)
}

fn made<'m>(map: &'m mut Map<String, Value>, field: &str) -> &'m mut Map<String, Value> {
    let value = map.entry(field).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object")
}

fn container(map: &mut Map<String, Value>) {
    let policy = pull_policy(map.get("image").and_then(Value::as_str).unwrap_or_default());
    set(map, "imagePullPolicy", policy.into());
}

fn pull_policy(image: &str) -> &'static str {
    if image_tag(image) == "latest" { "Always" } else { "IfNotPresent" }
}

/// The tag of an image; `latest` where the image has neither tag nor digest; empty where it is no image.
fn image_tag(image: &str) -> &str {
    let (named, digest) =
        image.split_once('@').map_or((image, None), |(named, digest)| (named, Some(digest)));
    let slash = named.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match named[slash..].split_once(':') {
        Some((_, tag)) => (&named[..named.len() - tag.len() - 1], Some(tag)),
        None => (named, None),
    };
    let path = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => name,
    };
    let is_name = !path.is_empty()
        && path.split('/').all(|part| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'))
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
        });
    match (tag, digest) {
        _ if !is_name => "",
        (Some(tag), _) => tag,
        (None, Some(_)) => "",
        (None, None) => "latest",
    }
}

fn pod(map: &mut Map<String, Value>) {
    let spec = made(map, "spec");
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), 1.into());
    }
    for group in ["containers", "initContainers"] {
        for container in spec.get_mut(group).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else { continue };
            if let Some(resources) = object(container, "resources")
                && let Some(limits) = object(resources, "limits").cloned()
            {
                let requests = made(resources, "requests");
                for (name, amount) in limits {
                    requests.entry(name).or_insert(amount);
                }
            }
            for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                if host_network && port["hostPort"].as_i64().unwrap_or_default() == 0 {
                    port["hostPort"] = port["containerPort"].clone();
                }
            }
        }
    }
    set(spec, "enableServiceLinks", true.into());
}

/// `serviceAccount` is the old name of `serviceAccountName`; both are kept the same.
fn service_account(map: &mut Map<String, Value>) {
    let name = |field: &str| map.get(field).filter(|name| name.as_str() != Some("")).cloned();
    if let Some(name) = name("serviceAccountName").or_else(|| name("serviceAccount")) {
        map.insert("serviceAccount".into(), name.clone());
        map.insert("serviceAccountName".into(), name);
    }
}

fn volume(map: &mut Map<String, Value>) {
    if map.keys().all(|key| key == "name") {
        map.insert("emptyDir".into(), json!({}));
    }
    if let Some(image) = object(map, "image") {
        let policy = pull_policy(image.get("reference").and_then(Value::as_str).unwrap_or_default());
        set(image, "pullPolicy", policy.into());
    }
}

fn service(map: &mut Map<String, Value>) {
    let spec = made(map, "spec");
    if spec.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
        spec.insert("type".into(), "ClusterIP".into());
    }
    let of_type = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    match spec.get("sessionAffinity").and_then(Value::as_str) {
        None | Some("None" | "") => {
            spec.remove("sessionAffinityConfig");
        }
        Some("ClientIP") => {
            let config = spec.get("sessionAffinityConfig").unwrap_or(&Value::Null);
            if config["clientIP"]["timeoutSeconds"].is_null() {
                spec.insert(
                    "sessionAffinityConfig".into(),
                    json!({ "clientIP": { "timeoutSeconds": 10800 } }),
                );
            }
        }
        Some(_) => {}
    }
    let is_external = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if matches!(&port["targetPort"], Value::Null) || port["targetPort"] == 0 || port["targetPort"] == "" {
            port["targetPort"] = port.get("port").cloned().unwrap_or_else(|| 0.into());
        }
    }
    let exposed = matches!(of_type.as_str(), "NodePort" | "LoadBalancer");
    if exposed || (of_type == "ClusterIP" && is_external) {
        set(spec, "externalTrafficPolicy", "Cluster".into());
    }
    if exposed || of_type == "ClusterIP" {
        set(spec, "internalTrafficPolicy", "Cluster".into());
    }
    if of_type == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true.into());
        let ingress = map.get_mut("status").and_then(|status| status.get_mut("loadBalancer"));
        let ingress = ingress.and_then(|balancer| balancer.get_mut("ingress")).and_then(Value::as_array_mut);
        for address in ingress.into_iter().flatten().filter_map(Value::as_object_mut) {
            if address.get("ip").is_some() {
                set(address, "ipMode", "VIP".into());
            }
        }
    }
}

fn namespace(map: &mut Map<String, Value>) {
    let Some(metadata) = object(map, "metadata") else { return };
    let Some(name) = metadata.get("name").filter(|name| name.as_str() != Some("")).cloned() else { return };
    made(metadata, "labels").insert("kubernetes.io/metadata.name".into(), name);
}

fn limits(map: &mut Map<String, Value>) {
    if map.get("type").and_then(Value::as_str) != Some("Container") {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        let amounts = object(map, from).cloned().unwrap_or_default();
        if amounts.is_empty() {
            continue;
        }
        let target = made(map, to);
        for (name, amount) in amounts {
            target.entry(name).or_insert(amount);
        }
    }
}

fn node_status(map: &mut Map<String, Value>) {
    if let Some(capacity) = map.get("capacity").cloned() {
        set(map, "allocatable", capacity);
    }
}

fn rolling(map: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    if map.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = made(map, "rollingUpdate");
        for (field, value) in defaults {
            set(rolling, field, value.clone());
        }
    }
}

fn stateful_set_strategy(map: &mut Map<String, Value>) {
    if map.get("type").and_then(Value::as_str).unwrap_or_default().is_empty() {
        map.insert("type".into(), "RollingUpdate".into());
        made(map, "rollingUpdate");
    }
    if map["type"] == "RollingUpdate"
        && let Some(rolling) = object(map, "rollingUpdate")
    {
        set(rolling, "partition", 0.into());
        set(rolling, "maxUnavailable", 1.into());
    }
}

fn job(map: &mut Map<String, Value>) {
    let spec = made(map, "spec");
    let has = |spec: &Map<String, Value>, field: &str| spec.get(field).is_some_and(|value| !value.is_null());
    if !has(spec, "completions") && !has(spec, "parallelism") {
        set(spec, "completions", 1.into());
    }
    set(spec, "parallelism", 1.into());
    let backoff = if has(spec, "backoffLimitPerIndex") { i32::MAX } else { 6 };
    set(spec, "backoffLimit", backoff.into());
    set(spec, "completionMode", "NonIndexed".into());
    set(spec, "suspend", false.into());
    let replacement = if has(spec, "podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    set(spec, "podReplacementPolicy", replacement.into());
    set(spec, "manualSelector", false.into());
    let labels = spec.get("template").map(|template| template["metadata"]["labels"].clone());
    if let Some(labels @ Value::Object(_)) = labels {
        let metadata = made(map, "metadata");
        if metadata.get("labels").and_then(Value::as_object).is_none_or(Map::is_empty) {
            metadata.insert("labels".into(), labels);
        }
    }
}

fn autoscaler(map: &mut Map<String, Value>) {
    let spec = made(map, "spec");
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({ "type": "Utilization", "averageUtilization": 80 });
        let cpu = json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } });
        spec.insert("metrics".into(), json!([cpu]));
    }
    let Some(behavior) = object(spec, "behavior") else { return };
    let percent = json!({ "type": "Percent", "value": 100, "periodSeconds": 15 });
    let pods = json!({ "type": "Pods", "value": 4, "periodSeconds": 15 });
    let up = made(behavior, "scaleUp");
    set(up, "stabilizationWindowSeconds", 0.into());
    set(up, "selectPolicy", "Max".into());
    set(up, "policies", json!([pods, percent]));
    let down = made(behavior, "scaleDown");
    set(down, "selectPolicy", "Max".into());
    set(down, "policies", json!([percent]));
}

fn policy_types(map: &mut Map<String, Value>) {
    let length = |field: &str| map.get(field).and_then(Value::as_array).map_or(0, Vec::len);
    if length("policyTypes") == 0 {
        let types = if length("egress") > 0 { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        map.insert("policyTypes".into(), types);
    }
}

fn subject(map: &mut Map<String, Value>) {
    if matches!(map.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
        set(map, "apiGroup", "rbac.authorization.k8s.io".into());
    }
}

fn pod_addresses(map: &mut Map<String, Value>) {
    let first = map.get("podIPs").unwrap_or(&Value::Null)[0].text("ip").to_owned();
    match (map.get("podIP").and_then(Value::as_str), first.as_str()) {
        (None | Some(""), "") => {}
        (None | Some(""), _) => {
            map.insert("podIP".into(), first.into());
        }
        (Some(ip), first) if ip != first => {
            map.insert("podIPs".into(), json!([{ "ip": ip }]));
        }
        _ => {}
    }
}

/// `stringData` goes into `data`, over what is there.
fn plain_secrets(map: &mut Map<String, Value>) {
    let Some(Value::Object(plain)) = map.remove("stringData") else { return };
    let data = made(map, "data");
    for (key, text) in plain {
        data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
    }
}

/// Claims of a `StatefulSet` say what they are.
fn name_claims(map: &mut Map<String, Value>) {
    let claims = map.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut);
    for claim in claims.into_iter().flatten().filter_map(Value::as_object_mut) {
        claim.insert("apiVersion".into(), "v1".into());
        claim.insert("kind".into(), "PersistentVolumeClaim".into());
    }
}

/// The generation of a `DaemonSet`'s template stands in an annotation; 0 before it is first counted.
fn template_generation(map: &mut Map<String, Value>) {
    let annotations = made(made(map, "metadata"), "annotations");
    set(annotations, "deprecated.daemonset.template.generation", "0".into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_when_an_image_is_pulled() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("ghcr.io/org/app", "Always"),
            ("localhost:5000/app", "Always"),
            ("localhost:5000/app:v1", "IfNotPresent"),
            ("nginx@sha256:0000", "IfNotPresent"),
            ("nginx:latest@sha256:0000", "Always"),
            ("Nginx", "IfNotPresent"),
            ("", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
