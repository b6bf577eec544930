//! Warnings about templates of pods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::sandbox::fault::quote;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::rules::ip;
use crate::sandbox::meta::At;

/// Warnings about a template; `at` is empty for a pod.
pub(in super::super) fn of_template(template: &Value, at: &At) -> Vec<String> {
    let mut warnings = Vec::new();
    let (spec, at_spec) = (&template["spec"], at.child("spec"));
    for (key, _) in spec.entries("nodeSelector") {
        if let Some(newer) = newer_label(key) {
            let at = at_spec.child("nodeSelector").key(key);
            warnings.push(format!("{at}: {newer}"));
        }
    }
    for (index, one) in spec.items("topologySpreadConstraints").iter().enumerate() {
        let at = at_spec.child("topologySpreadConstraints").index(index);
        let key = one.text("topologyKey");
        if let Some(newer) = newer_label(key) {
            warnings.push(format!("{}: {key} is {newer}", at.child("topologyKey")));
        }
        if one.some("labelSelector").is_none() {
            warnings.push(selects_nothing(&at.child("labelSelector")));
        }
    }
    repeated(&mut warnings, spec.items("hostAliases"), "ip", "duplicate ip", &at_spec.child("hostAliases"));
    let at_secrets = at_spec.child("imagePullSecrets");
    repeated(&mut warnings, spec.items("imagePullSecrets"), "name", "duplicate name", &at_secrets);
    for (index, secret) in spec.items("imagePullSecrets").iter().enumerate() {
        if secret.text("name").is_empty() {
            warnings.push(format!("{}: invalid empty name \"\"", at_secrets.index(index).child("name")));
        }
    }
    let containers: Vec<(At, &Value)> = ["initContainers", "containers"]
        .iter()
        .flat_map(|group| {
            let at = at_spec.child(group);
            spec.items(group).iter().enumerate().map(move |(index, one)| (at.index(index), one))
        })
        .collect();
    for (at, container) in &containers {
        variables(&mut warnings, container, &at.child("env"));
    }
    ports(&mut warnings, &containers);
    affinities(&mut warnings, spec, &at_spec.child("affinity"));
    let servers = spec["dnsConfig"].items("nameservers").iter().filter_map(Value::as_str).enumerate();
    let at_servers = at_spec.child("dnsConfig.nameservers");
    warnings.extend(servers.filter_map(|(index, text)| ip::warning(&at_servers.index(index), text)));
    let aliases = spec.items("hostAliases").iter().enumerate();
    let at_aliases = at_spec.child("hostAliases");
    warnings.extend(
        aliases.filter_map(|(index, one)| ip::warning(&at_aliases.index(index).child("ip"), one.text("ip"))),
    );
    warnings
}

fn newer_label(key: &str) -> Option<&'static str> {
    Some(match key {
        "beta.kubernetes.io/arch" => "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
        "beta.kubernetes.io/os" => "deprecated since v1.14; use \"kubernetes.io/os\" instead",
        "failure-domain.beta.kubernetes.io/region" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"
        }
        "failure-domain.beta.kubernetes.io/zone" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"
        }
        "beta.kubernetes.io/instance-type" => {
            "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"
        }
        _ => return None,
    })
}

fn selects_nothing(at: &At) -> String {
    format!("{at}: a null labelSelector results in matching no pod")
}

fn repeated(warnings: &mut Vec<String>, items: &[Value], field: &str, what: &str, at: &At) {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let text = item.text(field);
        if !seen.insert(text) {
            warnings.push(format!("{}: {what} {}", at.index(index).child(field), quote(text)));
        }
    }
}

fn variables(warnings: &mut Vec<String>, container: &Value, at: &At) {
    let mut seen = BTreeSet::new();
    for (index, entry) in container.items("env").iter().enumerate() {
        let (name, value) = (entry.text("name"), entry.text("value"));
        let reference = format!("$({name})");
        let extends = entry.some("valueFrom").is_none() && value != reference && value.contains(&reference);
        if !seen.insert(name) && !extends {
            warnings.push(format!(
                "{}: hides previous definition of {}, which may be dropped when using apply",
                at.index(index),
                quote(name)
            ));
        }
    }
}

fn ports(warnings: &mut Vec<String>, containers: &[(At, &Value)]) {
    type Seen<'p> = Vec<(At, &'p str, i64)>;
    let mut all: BTreeMap<(i64, &str), Seen<'_>> = BTreeMap::new();
    let mut names: BTreeMap<&str, At> = BTreeMap::new();
    let entries: Vec<(At, &Value)> = containers
        .iter()
        .flat_map(|(at, container)| {
            let ports = container.items("ports").iter().enumerate();
            ports.map(move |(index, port)| (at.child("ports").index(index), port))
        })
        .collect();
    for (at, port) in &entries {
        let key = (port.int("containerPort").unwrap_or_default(), port.text("protocol"));
        let (ip, host) = (port.text("hostIP"), port.int("hostPort").unwrap_or_default());
        let others = all.entry(key).or_default();
        for (other, other_ip, other_host) in others.iter() {
            if ip == *other_ip && host == *other_host {
                warnings.push(format!("{at}: duplicate port definition with {other}"));
            } else if host == 0 || *other_host == 0 {
                warnings.push(format!("{at}: overlapping port definition with {other}"));
            } else if host == *other_host && ip.is_empty() != other_ip.is_empty() {
                warnings.push(format!("{at}: dangerously ambiguous port definition with {other}"));
            }
        }
        others.push((at.clone(), ip, host));
    }
    for (at, port) in &entries {
        let name = port.text("name");
        if name.is_empty() {
            continue;
        }
        if let Some(other) = names.get(name) {
            warnings.push(format!(
                "{at}: duplicate port name {} with {other}, services and probes that select ports by name will use \
                 {other}",
                quote(name)
            ));
        } else {
            names.insert(name, at.clone());
        }
    }
}

fn affinities(warnings: &mut Vec<String>, spec: &Value, at: &At) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let (affinity, at) = (&spec["affinity"][kind], at.child(kind));
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in affinity.items(required).iter().enumerate() {
            if term.some("labelSelector").is_none() {
                warnings.push(selects_nothing(&at.child(required).index(index).child("labelSelector")));
            }
        }
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in affinity.items(preferred).iter().enumerate() {
            if term["podAffinityTerm"].some("labelSelector").is_none() {
                let at = at.child(preferred).index(index).child("podAffinityTerm.labelSelector");
                warnings.push(selects_nothing(&at));
            }
        }
    }
}
