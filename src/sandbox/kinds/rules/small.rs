//! Kinds with few rules: `PriorityClass`, Lease, `LimitRange`, `ResourceQuota`, Event, `EndpointSlice`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{amounts, ip};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_label, dns_subdomain, label_key};

/// The highest priority a user may give.
const HIGHEST: i64 = 1_000_000_000;

/// Checks a `PriorityClass`.
pub(super) fn validate_priority(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let value = object.int("value").unwrap_or_default();
    if let Some(old) = old {
        if value != old.int("value").unwrap_or_default() {
            causes.forbidden(&At::new("value"), "may not be changed in an update.");
        }
        let at = At::new("preemptionPolicy");
        causes.immutable(&at, &object["preemptionPolicy"], &old["preemptionPolicy"]);
        return;
    }
    let name = object["metadata"].text("name");
    if name.starts_with("system-") {
        let detail = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known \
             system priority class"
        );
        let known = [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];
        if !known.contains(&(name, value)) || object.flag("globalDefault") {
            causes.forbidden(&At::new("metadata.name"), &detail);
        }
    } else if value > HIGHEST {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        causes.forbidden(&At::new("value"), &detail);
    }
    let policy = object.text("preemptionPolicy");
    if !matches!(policy, "PreemptLowerPriority" | "Never") {
        let at = At::new("preemptionPolicy");
        causes.not_supported(&at, policy, &["PreemptLowerPriority", "Never"]);
    }
}

/// Checks a Lease.
pub(super) fn validate_lease(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    if let Some(seconds) = spec.int("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        causes.invalid(&at.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    causes.non_negative(&at.child("leaseTransitions"), spec.int("leaseTransitions"));
}

/// A field that the API server does not keep in a Lease unless asked to at its start.
pub(super) fn strip_lease(object: &mut Value) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("strategy");
        spec.remove("preferredHolder");
    }
}

/// Checks a `LimitRange`.
pub(super) fn validate_limits(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let mut seen = BTreeSet::new();
    for (index, limit) in object["spec"].items("limits").iter().enumerate() {
        let at = At::new("spec.limits").index(index);
        let of_type = limit.text("type");
        let known = matches!(of_type, "Pod" | "Container" | "PersistentVolumeClaim");
        if !known {
            causes.each_invalid(&at.child("type"), of_type, &label_key(of_type));
            if !of_type.contains('/') {
                let detail = "must be a standard limit type or fully qualified";
                causes.invalid(&at.child("type"), of_type, detail);
            }
        }
        if !seen.insert(of_type) {
            causes.duplicate(&at.child("type"), of_type);
        }
        if of_type == "Pod" {
            for field in ["default", "defaultRequest"] {
                if limit.entries(field).next().is_some() {
                    causes.forbidden(&at.child(field), "may not be specified when `type` is 'Pod'");
                }
            }
        }
        if of_type == "PersistentVolumeClaim"
            && ["min", "max"].iter().all(|field| limit[*field].get("storage").is_none())
        {
            let detail = "either minimum or maximum storage value is required, but neither was provided";
            causes.required(&at.child("limits"), detail);
        }
        bounds(causes, limit, &at);
    }
}

fn bounds(causes: &mut Causes, limit: &Value, at: &At) {
    let fields = ["max", "min", "default", "defaultRequest"];
    let names: BTreeSet<&str> =
        fields.iter().flat_map(|field| limit.entries(field).map(|(name, _)| name)).collect();
    let words = [
        ("min", "min", "max", "min value", "max value", true),
        ("defaultRequest", "min", "defaultRequest", "min value", "default request value", false),
        ("defaultRequest", "defaultRequest", "max", "default request value", "max value", true),
        ("defaultRequest", "defaultRequest", "default", "default request value", "default limit value", true),
        ("default", "min", "default", "min value", "default value", true),
        ("default", "default", "max", "default value", "max value", false),
    ];
    for name in names {
        for (field, low, high, low_word, high_word, shows_low) in words {
            let (Some(low), Some(high)) = (limit[low].get(name), limit[high].get(name)) else { continue };
            if amounts::compare(low, high).is_gt() {
                let text = |amount: &Value| amount.as_str().unwrap_or_default().to_owned();
                let detail = format!("{low_word} {} is greater than {high_word} {}", text(low), text(high));
                let shown = if shows_low { low } else { high };
                causes.invalid(&at.child(field).key(name), shown.clone(), &detail);
            }
        }
    }
}

/// Checks a `ResourceQuota`.
pub(super) fn validate_quota(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let at = At::new("spec.hard");
    for (name, amount) in object["spec"].entries("hard") {
        causes.each_invalid(&at.key(name), name, &label_key(name));
        amounts::non_negative(causes, amount, &at.key(name));
    }
    if let Some(old) = old {
        causes.immutable(&At::new("spec.scopes"), &object["spec"]["scopes"], &old["spec"]["scopes"]);
    }
}

/// What the sandbox does not do about quotas.
pub(super) fn quota_warnings(_: &Value, _: Option<&Value>) -> Vec<String> {
    vec!["the sandbox keeps a ResourceQuota but does not enforce it".to_owned()]
}

/// The API server says so of every write.
pub(super) fn endpoints_warnings(_: &Value, _: Option<&Value>) -> Vec<String> {
    vec!["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()]
}

/// Checks an Event.
pub(super) fn validate_event(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let about = &object["involvedObject"];
    let (namespace, of_object) = (object["metadata"].text("namespace"), about.text("namespace"));
    let at = At::new("involvedObject.namespace");
    if of_object.is_empty() {
        if !matches!(namespace, "default" | "kube-system") {
            causes.invalid(&at, of_object, "does not match event.namespace");
        }
    } else if of_object != namespace {
        causes.invalid(&at, of_object, "does not match event.namespace");
    }
}

/// Warnings about an `EndpointSlice`.
pub(super) fn slice_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    if old.is_some() || object.text("addressType") != "FQDN" {
        return Vec::new();
    }
    vec!["spec.addressType: FQDN endpoints are deprecated".to_owned()]
}

/// Checks an `EndpointSlice`.
pub(super) fn validate_slice(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    const MOST: usize = 1000;
    let (of_type, at_type) = (object.text("addressType"), At::new("addressType"));
    if let Some(old) = old {
        causes.declared_immutable(&at_type, &object["addressType"], &old["addressType"]);
    }
    causes.declared(|causes| match of_type {
        "IPv4" | "IPv6" | "FQDN" => {}
        "" => causes.required(&at_type, ""),
        other => causes.not_supported(&at_type, other, &["FQDN", "IPv4", "IPv6"]),
    });
    let mut names = BTreeSet::new();
    for (index, port) in object.items("ports").iter().enumerate() {
        let at = At::new("ports").index(index);
        let name = port.text("name");
        if !name.is_empty() {
            causes.each_invalid(&at.child("name"), name, &dns_label(name));
        }
        if !names.insert(name) {
            causes.duplicate(&at.child("name"), name);
        }
        super::service::protocol(causes, port, &at);
        if let Some(app) = port.some("appProtocol").and_then(Value::as_str) {
            causes.each_invalid(&at.child("appProtocol"), app, &label_key(app));
        }
    }
    let endpoints = object.items("endpoints");
    if endpoints.len() > MOST {
        causes.too_many(&At::new("endpoints"), endpoints.len(), MOST);
    } else {
        for (index, endpoint) in endpoints.iter().enumerate() {
            check_endpoint(causes, endpoint, of_type, &At::new("endpoints").index(index));
        }
    }
}

fn check_endpoint(causes: &mut Causes, endpoint: &Value, of_type: &str, at: &At) {
    let at_addresses = at.child("addresses");
    let addresses = endpoint.items("addresses");
    if addresses.is_empty() {
        causes.declared(|causes| causes.required(&at_addresses, ""));
    } else if addresses.len() > 100 {
        causes.declared(|causes| causes.too_many(&at_addresses, addresses.len(), 100));
    }
    for (index, address) in addresses.iter().filter_map(Value::as_str).enumerate() {
        let at = at_addresses.index(index);
        let before = causes.len();
        match of_type {
            "IPv4" => {
                ip::check(causes, &at, address, &[]);
            }
            "IPv6" => ip::check_strictly(causes, &at, address),
            "FQDN" => {
                let wrong = dns_subdomain(address.strip_suffix('.').unwrap_or(address));
                if !wrong.is_empty() {
                    causes.invalid(&at, address, &wrong.join(","));
                } else if !address.contains('.') {
                    let detail = "should be a domain with at least two segments separated by dots";
                    causes.invalid(&at, address, detail);
                }
                continue;
            }
            _ => continue,
        }
        if causes.len() == before {
            if (of_type == "IPv6") != address.contains(':') {
                causes.invalid(&at_addresses, address, &format!("must be an {of_type} address"));
            }
            ip::check_endpoint(causes, &at, address);
        }
    }
    if let Some(node) = endpoint.some("nodeName").and_then(Value::as_str) {
        causes.each_invalid(&at.child("nodeName"), node, &dns_subdomain(node));
    }
    if let Some(host) = endpoint.some("hostname").and_then(Value::as_str) {
        causes.each_invalid(&at.child("hostname"), host, &dns_label(host));
    }
}
