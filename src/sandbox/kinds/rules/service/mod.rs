//! Service.

mod addresses;
mod cluster_ips;

pub(super) use addresses::{admit, prepare_create, prepare_update};

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ip;
use crate::sandbox::fault::go_json;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_label, dns_subdomain, label_key, labels, port, port_name, same};

fn exposes_nodes(spec: &Value) -> bool {
    matches!(spec.text("type"), "NodePort" | "LoadBalancer")
}

fn needs_health_port(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer" && spec.text("externalTrafficPolicy") == "Local"
}

fn is_external(spec: &Value) -> bool {
    exposes_nodes(spec) || (spec.text("type") == "ClusterIP" && !spec.items("externalIPs").is_empty())
}

fn is_headless(spec: &Value) -> bool {
    matches!(spec.items("clusterIPs"), [only] if only == "None")
}

/// Checks a Service.
pub(super) fn validate(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let old_spec = old.map(|old| &old["spec"]);
    let mut addresses = Causes::default();
    cluster_ips::check(&mut addresses, spec, old_spec);
    if addresses.len() == 0 {
        cluster_ips::check_stack(&mut addresses, spec);
    }
    if addresses.len() > 0 {
        // The server looks at nothing else before it has given out addresses.
        *causes = addresses;
        return;
    }
    if let Some(old) = old_spec {
        cluster_ips::check_change(causes, spec, old);
        if spec.text("type") == "LoadBalancer"
            && old.text("type") == "LoadBalancer"
            && !same(&spec["loadBalancerClass"], &old["loadBalancerClass"])
        {
            let at = at.child("loadBalancerClass");
            causes.invalid(&at, spec["loadBalancerClass"].clone(), "may not change once set");
        }
        if needs_health_port(spec)
            && needs_health_port(old)
            && spec["healthCheckNodePort"] != old["healthCheckNodePort"]
        {
            causes.forbidden(&at.child("healthCheckNodePort"), "field is immutable");
        }
    }
    by_type(causes, spec, &at);
    let mut names = BTreeSet::new();
    let ports = spec.items("ports");
    for (index, entry) in ports.iter().enumerate() {
        check_port(causes, entry, ports.len() > 1, &mut names, &at.child("ports").index(index));
    }
    labels(causes, &spec["selector"], &at.child("selector"));
    affinity(causes, spec, &at);
    external_ips(causes, spec, old_spec, &at.child("externalIPs"));
    let of_type = spec.text("type");
    if !matches!(of_type, "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") {
        let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
        causes.not_supported(&at.child("type"), of_type, &supported);
    }
    port_numbers(causes, spec, &at.child("ports"));
    balancer(causes, object, old, &at);
    traffic(causes, spec, &at);
}

fn by_type(causes: &mut Causes, spec: &Value, at: &At) {
    let of_type = spec.text("type");
    if spec.items("ports").is_empty() && !is_headless(spec) && of_type != "ExternalName" {
        causes.required(&at.child("ports"), "");
    }
    match of_type {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let detail = format!("may not be set to 'None' for {of_type} services");
            causes.invalid(&at.child("clusterIPs").index(0), "None", &detail);
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if spec.some(field).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
                {
                    causes.forbidden(&at.child(field), "may not be set for ExternalName services");
                }
            }
            let name = spec.text("externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.is_empty() {
                causes.required(&at.child("externalName"), "");
            } else {
                causes.each_invalid(&at.child("externalName"), name, &dns_subdomain(name));
            }
        }
        _ => {}
    }
}

fn check_port<'v>(
    causes: &mut Causes,
    entry: &'v Value,
    needs_name: bool,
    names: &mut BTreeSet<&'v str>,
    at: &At,
) {
    let name = entry.text("name");
    if !name.is_empty() {
        causes.each_invalid(&at.child("name"), name, &dns_label(name));
        if !names.insert(name) {
            causes.duplicate(&at.child("name"), name);
        }
    } else if needs_name {
        causes.required(&at.child("name"), "");
    }
    let number = entry.int("port").unwrap_or_default();
    for detail in port(number) {
        causes.invalid(&at.child("port"), number, &detail);
    }
    protocol(causes, entry, at);
    port_or_name(causes, &entry["targetPort"], &at.child("targetPort"));
    if let Some(app) = entry.some("appProtocol").and_then(Value::as_str) {
        causes.each_invalid(&at.child("appProtocol"), app, &label_key(app));
    }
}

/// Checks `protocol`.
pub(super) fn protocol(causes: &mut Causes, entry: &Value, at: &At) {
    match entry.text("protocol") {
        "" => causes.required(&at.child("protocol"), ""),
        "TCP" | "UDP" | "SCTP" => {}
        other => causes.not_supported(&at.child("protocol"), other, &["SCTP", "TCP", "UDP"]),
    }
}

/// Checks a port by number or name.
pub(super) fn port_or_name(causes: &mut Causes, value: &Value, at: &At) {
    if let Some(name) = value.as_str() {
        causes.each_invalid(at, name, &port_name(name));
    } else {
        let number = value.as_i64().unwrap_or_default();
        for detail in port(number) {
            causes.invalid(at, number, &detail);
        }
    }
}

fn affinity(causes: &mut Causes, spec: &Value, at: &At) {
    const MOST_SECONDS: i64 = 86_400;
    match spec.text("sessionAffinity") {
        "ClientIP" => {
            let seconds = spec["sessionAffinityConfig"]["clientIP"].int("timeoutSeconds").unwrap_or_default();
            if !(1..=MOST_SECONDS).contains(&seconds) {
                let at = at.child("sessionAffinityConfig.clientIP.timeoutSeconds");
                causes.invalid(&at, seconds, &format!("must be greater than 0 and less than {MOST_SECONDS}"));
            }
        }
        "None" => {}
        other => causes.not_supported(&at.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
}

fn external_ips(causes: &mut Causes, spec: &Value, old: Option<&Value>, at: &At) {
    let known: Vec<&str> = old
        .map(|old| old.items("externalIPs").iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    for (index, address) in spec.items("externalIPs").iter().filter_map(Value::as_str).enumerate() {
        let at = at.index(index);
        if ip::check(causes, &at, address, &known) {
            ip::check_endpoint(causes, &at, address);
        }
    }
}

fn port_numbers(causes: &mut Causes, spec: &Value, at: &At) {
    let ports = spec.items("ports");
    let node_port = |port: &Value| port.int("nodePort").filter(|number| *number != 0);
    if spec.text("type") == "ClusterIP" {
        for (index, port) in ports.iter().enumerate() {
            if node_port(port).is_some() {
                let at = at.index(index).child("nodePort");
                causes.forbidden(&at, "may not be used when `type` is 'ClusterIP'");
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        if let Some(number) = node_port(port)
            && !seen.insert((port.text("protocol"), number))
        {
            causes.duplicate(&at.index(index).child("nodePort"), number);
        }
    }
    seen.clear();
    for (index, port) in ports.iter().enumerate() {
        let number = port.int("port").unwrap_or_default();
        if !seen.insert((port.text("protocol"), number)) {
            causes.duplicate_text(&at.index(index), &internal_port(port.text("protocol"), number));
        }
    }
}

/// A port as the server's own type prints it in messages.
fn internal_port(protocol: &str, port: i64) -> String {
    let protocol = go_json(&json!(protocol));
    format!(
        "{{\"Name\":\"\",\"Protocol\":{protocol},\"AppProtocol\":null,\"Port\":{port},\"TargetPort\":0,\"NodePort\":0}}"
    )
}

fn balancer(causes: &mut Causes, object: &Value, old: Option<&Value>, at: &At) {
    const ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    const WHY: &str = "may only be used when `type` is 'LoadBalancer'";
    let spec = &object["spec"];
    let is_balancer = spec.text("type") == "LoadBalancer";
    let ranges = spec.items("loadBalancerSourceRanges");
    if !ranges.is_empty() {
        let at = at.child("LoadBalancerSourceRanges");
        if !is_balancer {
            causes.forbidden(&at, WHY);
        }
        let known: Vec<&str> = old
            .map(|old| old["spec"].items("loadBalancerSourceRanges"))
            .unwrap_or_default()
            .iter()
            .filter_map(|range| range.as_str().map(str::trim))
            .collect();
        for (index, range) in ranges.iter().filter_map(Value::as_str).enumerate() {
            ip::check_range(causes, &at.index(index), range.trim(), &known);
        }
    } else if let Some(text) = object["metadata"]["annotations"].some(ANNOTATION).and_then(Value::as_str) {
        let at = At::new("metadata.annotations").key(ANNOTATION);
        if !is_balancer {
            causes.forbidden(&at, WHY);
        }
        let is_new = old.is_none_or(|old| old["metadata"]["annotations"].text(ANNOTATION) != text);
        if is_new && !text.trim().is_empty() {
            for range in text.trim().split(',') {
                ip::check_range(causes, &at, range.trim(), &[]);
            }
        }
    }
    if spec.some("allocateLoadBalancerNodePorts").is_some() && !is_balancer {
        causes.forbidden(&at.child("allocateLoadBalancerNodePorts"), WHY);
    }
    if let Some(class) = spec.some("loadBalancerClass").and_then(Value::as_str) {
        let at = at.child("loadBalancerClass");
        if is_balancer {
            causes.each_invalid(&at, class, &label_key(class));
        } else {
            causes.forbidden(&at, WHY);
        }
    }
}

fn traffic(causes: &mut Causes, spec: &Value, at: &At) {
    let external = spec.text("externalTrafficPolicy");
    let at_external = at.child("externalTrafficPolicy");
    if !is_external(spec) {
        if !external.is_empty() {
            let detail = "may only be set for externally-accessible services";
            causes.invalid(&at_external, external, detail);
        }
    } else if !matches!(external, "Cluster" | "Local") {
        causes.not_supported(&at_external, external, &["Cluster", "Local"]);
    }
    let health = spec.int("healthCheckNodePort").unwrap_or_default();
    if !needs_health_port(spec) && health != 0 {
        let detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        causes.invalid(&at.child("healthCheckNodePort"), health, detail);
    }
    if needs_health_port(spec) {
        for detail in port(health) {
            causes.invalid(&at.child("healthCheckNodePort"), health, &detail);
        }
    }
    if let Some(internal) = spec.some("internalTrafficPolicy").and_then(Value::as_str)
        && !matches!(internal, "Cluster" | "Local")
    {
        causes.not_supported(&at.child("internalTrafficPolicy"), internal, &["Cluster", "Local"]);
    }
    let supported = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    if let Some(distribution) = spec.some("trafficDistribution").and_then(Value::as_str)
        && !supported.contains(&distribution)
    {
        causes.not_supported(&at.child("trafficDistribution"), distribution, &supported);
    }
}

/// Checks the addresses a load balancer reports.
pub(super) fn validate_status(causes: &mut Causes, object: &Value, old: &Value) {
    let at = At::new("status.loadBalancer.ingress");
    let ingress = object["status"]["loadBalancer"].items("ingress");
    if object["spec"].text("type") != "LoadBalancer" && !ingress.is_empty() {
        return causes.forbidden(&at, "may only be used when `spec.type` is 'LoadBalancer'");
    }
    let known: Vec<&str> =
        old["status"]["loadBalancer"].items("ingress").iter().map(|entry| entry.text("ip")).collect();
    for (index, entry) in ingress.iter().enumerate() {
        let at = at.index(index);
        let address = entry.text("ip");
        if !address.is_empty() {
            ip::check(causes, &at.child("ip"), address, &known);
        }
        match entry.text("ipMode") {
            "" if !address.is_empty() => {
                causes.required(&at.child("ipMode"), "must be specified when `ip` is set");
            }
            "" | "VIP" | "Proxy" if !address.is_empty() || entry.text("ipMode").is_empty() => {}
            _ if address.is_empty() => {
                causes.forbidden(&at.child("ipMode"), "may not be specified when `ip` is not set");
            }
            other => causes.not_supported(&at.child("ipMode"), other, &["Proxy", "VIP"]),
        }
        let host = entry.text("hostname");
        if !host.is_empty() {
            causes.each_invalid(&at.child("hostname"), host, &dns_subdomain(host));
            if ip::lax(host).is_some() {
                let detail = "must be a DNS name, not an IP address";
                causes.invalid(&at.child("hostname"), host, detail);
            }
        }
    }
}

/// Warnings about a Service.
pub(super) fn warnings(object: &Value, _: Option<&Value>) -> Vec<String> {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let mut warnings = Vec::new();
    let of_type = spec.text("type");
    let is_headless = of_type == "ClusterIP" && spec.text("clusterIP") == "None";
    if object["metadata"]["annotations"].get("service.kubernetes.io/topology-aware-hints").is_some() {
        warnings.push(
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
             service.kubernetes.io/topology-mode instead"
                .to_owned(),
        );
    }
    if is_headless {
        for (is_set, field) in [
            (!spec.text("loadBalancerIP").is_empty(), "loadBalancerIP"),
            (!spec.items("externalIPs").is_empty(), "externalIPs"),
            (spec.text("sessionAffinity") != "None", "SessionAffinity"),
        ] {
            if is_set {
                warnings.push(format!("spec.{field} is ignored for headless services"));
            }
        }
    }
    let addresses = |field: &str| {
        let at = at.child(field);
        let texts = spec.items(field).iter().filter_map(Value::as_str).enumerate();
        texts.filter_map(move |(index, text)| ip::warning(&at.index(index), text)).collect::<Vec<_>>()
    };
    if !is_headless {
        warnings.splice(warnings.len().., addresses("clusterIPs"));
    }
    warnings.extend(addresses("externalIPs"));
    let has_external = !spec.items("externalIPs").is_empty();
    if has_external && !is_headless && of_type != "ExternalName" {
        warnings.push(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned(),
        );
    }
    warnings.extend(ip::warning(&at.child("loadBalancerIP"), spec.text("loadBalancerIP")));
    if of_type == "ExternalName" && has_external {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if of_type != "ExternalName" && !spec.text("externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if spec.text("trafficDistribution") == "PreferClose" {
        warnings.push(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned(),
        );
    }
    warnings
}
