//! Pods and templates of pods.

mod containers;
mod env;
mod own;
mod placement;
mod probes;
mod security;
mod volumes;
mod warnings;

pub(super) use own::{grace_period, labels_of, prepare_create, prepare_update, validate};
pub(super) use volumes::{driver, host_path, nfs, no_steps_back};
pub(super) use warnings::of_template as template_warnings;

use serde_json::Value;

use super::ip;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{
    At, Causes, NameRule, annotations, dns_label, dns_subdomain, in_range, label_key, labels,
};
use containers::Around;

/// Checks a template of pods.
pub(super) fn check_template(causes: &mut Causes, template: &Value, at: &At) {
    let (meta, spec) = (&template["metadata"], &template["spec"]);
    labels(causes, &meta["labels"], &at.child("labels"));
    annotations(causes, &meta["annotations"], &at.child("annotations"));
    check_spec(causes, spec, false, &at.child("spec"));
    if !spec.items("ephemeralContainers").is_empty() {
        let at = at.child("spec.ephemeralContainers");
        causes.forbidden(&at, "ephemeral containers not allowed in pod template");
    }
}

/// Checks the spec of a pod; `is_pod`: not that of a template.
fn check_spec(causes: &mut Causes, spec: &Value, is_pod: bool, at: &At) {
    let volumes = volumes::check(causes, spec, &at.child("volumes"));
    let around = Around { spec, volumes: &volumes };
    containers::check(causes, around, &at.child("containers"));
    containers::check_init(causes, around, &at.child("initContainers"));
    host_network(causes, spec, is_pod, &at.child("containers"));
    one_of(causes, spec, "restartPolicy", &["Always", "OnFailure", "Never"], at);
    one_of(causes, spec, "dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], at);
    labels(causes, &spec["nodeSelector"], &at.child("nodeSelector"));
    security::of_pod(causes, spec, &at.child("securityContext"));
    if spec.flag("shareProcessNamespace") && spec.flag("hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        causes.invalid(&at.child("shareProcessNamespace"), true, detail);
    }
    placement::affinity(causes, spec, &at.child("affinity"));
    dns(causes, spec, &at.child("dnsConfig"));
    for (index, gate) in spec.items("readinessGates").iter().enumerate() {
        let at = at.child("readinessGates").index(index).child("conditionType");
        causes.each_invalid(&at, gate.text("conditionType"), &label_key(gate.text("conditionType")));
    }
    for (index, gate) in spec.items("schedulingGates").iter().enumerate() {
        let at = at.child("schedulingGates").index(index);
        causes.each_invalid(&at, gate.text("name"), &label_key(gate.text("name")));
    }
    placement::spread(causes, spec, &at.child("topologySpreadConstraints"));
    host_users(causes, spec, at);
    let named: [(&str, NameRule); 4] = [
        ("serviceAccountName", dns_subdomain),
        ("nodeName", dns_subdomain),
        ("hostname", dns_label),
        ("subdomain", dns_label),
    ];
    for (field, rule) in named {
        if field == "hostname"
            && let Some(seconds) = spec.int("activeDeadlineSeconds")
        {
            for detail in in_range(seconds, 1, i32::MAX.into()) {
                causes.invalid(&at.child("activeDeadlineSeconds"), seconds, &detail);
            }
        }
        let name = spec.text(field);
        if !name.is_empty() {
            causes.each_invalid(&at.child(field), name, &rule(name));
        }
    }
    placement::tolerations(causes, spec, &at.child("tolerations"));
    for (index, alias) in spec.items("hostAliases").iter().enumerate() {
        let at = at.child("hostAliases").index(index);
        ip::check(causes, &at.child("ip"), alias.text("ip"), &[]);
        for (index, name) in alias.items("hostnames").iter().filter_map(Value::as_str).enumerate() {
            causes.each_invalid(&at.child("hostnames").index(index), name, &dns_subdomain(name));
        }
    }
    for field in ["priorityClassName", "runtimeClassName"] {
        let name = spec.text(field);
        if !name.is_empty() {
            causes.each_invalid(&at.child(field), name, &dns_subdomain(name));
        }
    }
    one_of(causes, spec, "preemptionPolicy", &["PreemptLowerPriority", "Never"], at);
    let system = spec["os"].text("name");
    if spec.some("os").is_some() && !matches!(system, "linux" | "windows") {
        let at = at.child("os.name");
        match system {
            "" => causes.required(&at, "cannot be empty"),
            other => causes.not_supported(&at, other, &["linux", "windows"]),
        }
    }
}

/// Checks a text that may be one of these alone.
fn one_of(causes: &mut Causes, object: &Value, field: &str, supported: &[&str], at: &At) {
    if let Some(value) = object.some(field).and_then(Value::as_str)
        && !supported.contains(&value)
    {
        causes.not_supported(&at.child(field), value, supported);
    }
}

/// Checks when an image is pulled.
fn pull_policy(causes: &mut Causes, policy: &str, at: &At) {
    match policy {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => causes.required(at, ""),
        other => causes.not_supported(at, other, &["Always", "IfNotPresent", "Never"]),
    }
}

fn host_network(causes: &mut Causes, spec: &Value, is_pod: bool, at: &At) {
    if !spec.flag("hostNetwork") {
        return;
    }
    for (index, container) in spec.items("containers").iter().enumerate() {
        for (at_port, port) in container.items("ports").iter().enumerate() {
            let host = port.int("hostPort").unwrap_or_default();
            if (is_pod || host != 0) && host != port.int("containerPort").unwrap_or_default() {
                let at = at.index(index).child("ports").index(at_port).child("hostPort");
                causes.invalid(&at, host, "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}

fn host_users(causes: &mut Causes, spec: &Value, at: &At) {
    if spec.get("hostUsers") != Some(&Value::Bool(false)) {
        return;
    }
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.flag(field) {
            causes.forbidden(&at.child(shown), "when `hostUsers` is false");
        }
    }
}

fn dns(causes: &mut Causes, spec: &Value, at: &At) {
    let config = spec.some("dnsConfig");
    let servers = config.map(|config| config.items("nameservers")).unwrap_or_default();
    if spec.text("dnsPolicy") == "None" {
        if config.is_none() {
            return causes.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return causes.required(&at.child("nameservers"), detail);
        }
    }
    let Some(config) = config else { return };
    if servers.len() > 3 {
        let detail = "must not have more than 3 nameservers";
        causes.invalid(&at.child("nameservers"), Value::from(servers), detail);
    }
    for (index, server) in servers.iter().filter_map(Value::as_str).enumerate() {
        ip::check(causes, &at.child("nameservers").index(index), server, &[]);
    }
    let searches = config.items("searches");
    if searches.len() > 32 {
        let detail = "must not have more than 32 search paths";
        causes.invalid(&at.child("searches"), Value::from(searches), detail);
    }
    for (index, option) in config.items("options").iter().enumerate() {
        if option.text("name").is_empty() {
            causes.required(&at.child("options").index(index), "must not be empty");
        }
    }
}
