//! Environment variables, and references to fields and resources of the pod.

use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, config_key, dns_label, dns_subdomain, label_key, variable};

const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fields that a file of a downward API volume may hold.
pub(super) const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks `env`.
pub(super) fn check(causes: &mut Causes, container: &Value, at: &At) {
    for (index, entry) in container.items("env").iter().enumerate() {
        let at = at.index(index);
        let name = entry.text("name");
        if name.is_empty() {
            causes.required(&at.child("name"), "");
        } else {
            causes.each_invalid(&at.child("name"), name, &variable(name));
        }
        if let Some(from) = entry.some("valueFrom") {
            value_from(causes, from, !entry.text("value").is_empty(), &at.child("valueFrom"));
        }
    }
}

fn value_from(causes: &mut Causes, from: &Value, has_value: bool, at: &At) {
    let mut count = 0;
    let mut source = |field: &str| {
        let source = from.some(field)?;
        count += 1;
        Some((source, at.child(field)))
    };
    if let Some((source, at)) = source("fieldRef") {
        field_reference(causes, source, &ENV_FIELDS, &at);
    }
    if let Some((source, at)) = source("resourceFieldRef") {
        resource_reference(causes, source, false, &at);
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        if let Some((source, at)) = source(field) {
            causes.each_invalid(&at.child("name"), source.text("name"), &dns_subdomain(source.text("name")));
            let key = source.text("key");
            if key.is_empty() {
                causes.required(&at.child("key"), "");
            } else {
                causes.each_invalid(&at.child("key"), key, &config_key(key));
            }
        }
    }
    if let Some((source, at)) = source("fileKeyRef") {
        let (key, volume) = (source.text("key"), source.text("volumeName"));
        match key {
            "" => causes.required(&at.child("key"), ""),
            key => causes.each_invalid(&at.child("key"), key, &variable(key)),
        }
        match volume {
            "" => causes.required(&at.child("volumeName"), ""),
            volume => causes.each_invalid(&at.child("volumeName"), volume, &dns_label(volume)),
        }
        if source.text("path").is_empty() {
            causes.required(&at.child("path"), "");
        } else {
            super::volumes::no_steps_back(causes, source.text("path"), &at.child("path"));
        }
    }
    if count == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or \
                      `fileKeyRef`";
        causes.invalid(at, "", detail);
    } else if has_value {
        causes.invalid(at, "", "may not be specified when `value` is not empty");
    } else if count > 1 {
        causes.invalid(at, "", "may not have more than one field specified at a time");
    }
}

/// Checks a reference to a field of the pod.
pub(super) fn field_reference(causes: &mut Causes, source: &Value, known: &[&str], at: &At) {
    let path = source.text("fieldPath");
    if path.is_empty() {
        return causes.required(&at.child("fieldPath"), "");
    }
    if let Some((owner, key)) = path.strip_suffix("']").and_then(|rest| rest.split_once("['")) {
        match owner {
            "metadata.annotations" => causes.each_invalid(at, key, &label_key(&key.to_lowercase())),
            "metadata.labels" => causes.each_invalid(at, key, &label_key(key)),
            _ => causes.invalid(at, owner, "does not support subscript"),
        }
        return;
    }
    let path = if path == "spec.host" { "spec.nodeName" } else { path };
    let is_label = ENV_FIELDS.contains(&path)
        || VOLUME_FIELDS.contains(&path)
        || matches!(path, "spec.restartPolicy" | "spec.schedulerName" | "status.phase");
    if !is_label {
        let detail = format!("error converting fieldPath: field label not supported: {path}");
        causes.invalid(&at.child("fieldPath"), path, &detail);
    } else if !known.contains(&path) {
        causes.not_supported(&at.child("fieldPath"), path, known);
    }
}

/// Checks a reference to an amount of a container.
pub(super) fn resource_reference(causes: &mut Causes, source: &Value, in_volume: bool, at: &At) {
    let resource = source.text("resource");
    let is_huge =
        ["limits.hugepages-", "requests.hugepages-"].iter().any(|prefix| resource.starts_with(prefix));
    if in_volume && source.text("containerName").is_empty() {
        causes.required(&at.child("containerName"), "");
    } else if resource.is_empty() {
        causes.required(&at.child("resource"), "");
    } else if !RESOURCES.contains(&resource) && !is_huge {
        causes.not_supported(&at.child("resource"), resource, &RESOURCES);
    }
    let divisor = source.text("divisor");
    if matches!(divisor, "" | "0") {
        return;
    }
    let (is_right, what) = match resource.split_once('.').map(|(_, name)| name) {
        Some("cpu") => {
            (matches!(divisor, "1" | "1m"), "divisor's values 1m and 1 are supported with the cpu")
        }
        Some(name) => {
            let known = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
            let what = match name {
                "memory" => {
                    "divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with \
                     the memory"
                }
                "ephemeral-storage" => {
                    "divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with \
                     the local ephemeral storage"
                }
                _ => {
                    "divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with \
                     the hugepages"
                }
            };
            (known.contains(&divisor), what)
        }
        None => return,
    };
    if !is_right {
        causes.invalid(&at.child("divisor"), resource, &format!("only {what} resource"));
    }
}

/// Checks `envFrom`.
pub(super) fn check_from(causes: &mut Causes, container: &Value, at: &At) {
    for (index, entry) in container.items("envFrom").iter().enumerate() {
        let at_entry = at.index(index);
        let prefix = entry.text("prefix");
        if !prefix.is_empty() {
            causes.each_invalid(&at_entry.child("prefix"), prefix, &variable(prefix));
        }
        let mut count = 0;
        for field in ["configMapRef", "secretRef"] {
            let Some(source) = entry.some(field) else { continue };
            count += 1;
            let (name, at) = (source.text("name"), at_entry.child(field).child("name"));
            if name.is_empty() {
                causes.required(&at, "");
            } else {
                causes.each_invalid(&at, name, &dns_subdomain(name));
            }
        }
        if count == 0 {
            causes.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`");
        } else if count > 1 {
            causes.invalid(at, "", "may not have more than one field specified at a time");
        }
    }
}
