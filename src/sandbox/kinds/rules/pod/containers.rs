//! Containers of a pod.

use std::collections::BTreeSet;

use serde_json::Value;

use super::volumes::{self, Volumes};
use super::{env, probes, pull_policy, security};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::rules::{amounts, service};
use crate::sandbox::meta::{At, Causes, dns_label, port, port_name};

/// What containers are checked against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'v> {
    /// `spec` of the pod.
    pub(super) spec: &'v Value,
    /// Its volumes.
    pub(super) volumes: &'v Volumes<'v>,
}

/// Checks `containers`.
pub(super) fn check(causes: &mut Causes, around: Around<'_>, at: &At) {
    let containers = around.spec.items("containers");
    if containers.is_empty() {
        return causes.required(at, "");
    }
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = at.index(index);
        common(causes, container, around, &at);
        if !names.insert(container.text("name")) {
            causes.duplicate(&at.child("name"), container.text("name"));
        }
        probes::lifecycle(causes, container, around.spec, &at);
        probes::check(causes, container, &at);
        restart_policy(causes, container, &at);
    }
    let mut ports = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        host_ports(causes, container, &mut ports, &at.index(index));
    }
}

/// Checks `initContainers`.
pub(super) fn check_init(causes: &mut Causes, around: Around<'_>, at: &At) {
    const WHY: &str = "may not be set for init containers without restartPolicy=Always";
    let mut names: BTreeSet<&str> =
        around.spec.items("containers").iter().map(|container| container.text("name")).collect();
    for (index, container) in around.spec.items("initContainers").iter().enumerate() {
        let at_one = at.index(index);
        common(causes, container, around, &at_one);
        restart_policy(causes, container, &at_one);
        let name = container.text("name");
        if names.contains(name) {
            causes.duplicate(&at_one.child("name"), name);
        } else if !name.is_empty() {
            names.insert(name);
        }
        // The API server counts from the list here, not from the container.
        host_ports(causes, container, &mut BTreeSet::new(), &at.index(0));
        if container.text("restartPolicy") == "Always" {
            probes::lifecycle(causes, container, around.spec, &at_one);
            probes::check(causes, container, &at_one);
        } else {
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.some(field).is_some() {
                    causes.forbidden(&at_one.child(field), WHY);
                }
            }
        }
    }
}

fn common(causes: &mut Causes, container: &Value, around: Around<'_>, at: &At) {
    let name = container.text("name");
    if name.is_empty() {
        causes.required(&at.child("name"), "");
    } else {
        causes.each_invalid(&at.child("name"), name, &dns_label(name));
    }
    if container.text("image").is_empty() {
        causes.required(&at.child("image"), "");
    }
    let policy = container.text("terminationMessagePolicy");
    if !matches!(policy, "File" | "FallbackToLogsOnError") {
        let at = at.child("terminationMessagePolicy");
        causes.not_supported(&at, policy, &["File", "FallbackToLogsOnError"]);
    }
    ports(causes, container, &at.child("ports"));
    env::check(causes, container, &at.child("env"));
    env::check_from(causes, container, &at.child("envFrom"));
    volumes::mounts(causes, container, around.volumes, &at.child("volumeMounts"));
    volumes::devices(causes, container, around.volumes, &at.child("volumeDevices"));
    pull_policy(causes, container.text("imagePullPolicy"), &at.child("imagePullPolicy"));
    amounts::check(causes, &container["resources"], &at.child("resources"));
    resize(causes, container, around.spec, &at.child("resizePolicy"));
    security::of_container(causes, container, &at.child("securityContext"));
}

fn ports(causes: &mut Causes, container: &Value, at: &At) {
    let mut names = BTreeSet::new();
    for (index, entry) in container.items("ports").iter().enumerate() {
        let at = at.index(index);
        let name = entry.text("name");
        if !name.is_empty() {
            let wrong = port_name(name);
            causes.each_invalid(&at.child("name"), name, &wrong);
            if wrong.is_empty() && !names.insert(name) {
                causes.duplicate(&at.child("name"), name);
            }
        }
        let number = entry.int("containerPort").unwrap_or_default();
        if number == 0 {
            causes.required(&at.child("containerPort"), "");
        } else {
            for detail in port(number) {
                causes.invalid(&at.child("containerPort"), number, &detail);
            }
        }
        let host = entry.int("hostPort").unwrap_or_default();
        if host != 0 {
            for detail in port(host) {
                causes.invalid(&at.child("hostPort"), host, &detail);
            }
        }
        service::protocol(causes, entry, &at);
    }
}

fn host_ports(causes: &mut Causes, container: &Value, taken: &mut BTreeSet<String>, at: &At) {
    for (index, entry) in container.items("ports").iter().enumerate() {
        let Some(number) = entry.int("hostPort").filter(|number| *number != 0) else { continue };
        let text = format!("{}/{}/{number}", entry.text("protocol"), entry.text("hostIP"));
        if !taken.insert(text.clone()) {
            causes.duplicate(&at.child("ports").index(index).child("hostPort"), text);
        }
    }
}

fn restart_policy(causes: &mut Causes, container: &Value, at: &At) {
    let supported = ["Always", "Never", "OnFailure"];
    let rules = container.items("restartPolicyRules");
    match container.some("restartPolicy").and_then(Value::as_str) {
        None if !rules.is_empty() => {
            let detail = "must specify restartPolicy when restart rules are used";
            causes.required(&at.child("restartPolicy"), detail);
        }
        Some(policy) if !supported.contains(&policy) => {
            causes.not_supported(&at.child("restartPolicy"), policy, &supported);
        }
        _ => {}
    }
}

fn resize(causes: &mut Causes, container: &Value, spec: &Value, at: &At) {
    let mut seen = BTreeSet::new();
    for (index, entry) in container.items("resizePolicy").iter().enumerate() {
        let (name, policy) = (entry.text("resourceName"), entry.text("restartPolicy"));
        if !seen.insert(name) {
            causes.duplicate(&at.index(index), name);
        }
        match name {
            "cpu" | "memory" => {}
            "" => causes.required(at, ""),
            other => causes.not_supported(at, other, &["cpu", "memory"]),
        }
        match policy {
            "NotRequired" | "RestartContainer" => {}
            "" => causes.required(at, ""),
            other => causes.not_supported(at, other, &["NotRequired", "RestartContainer"]),
        }
        if spec.text("restartPolicy") == "Never" && policy != "NotRequired" {
            causes.invalid(at, policy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
    }
}
