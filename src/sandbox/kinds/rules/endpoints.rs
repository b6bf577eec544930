//! Where a Service's traffic goes: Endpoints and `EndpointSlice`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ip;
use super::service::{port_or_name, protocol};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_label, dns_subdomain, label_key};

/// Checks Endpoints. What an older server took stays as it is.
pub(super) fn validate(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    if old.is_some_and(|old| old["subsets"] == object["subsets"]) {
        return;
    }
    for (index, subset) in object.items("subsets").iter().enumerate() {
        let at = At::new("subsets").index(index);
        if subset.items("addresses").is_empty() && subset.items("notReadyAddresses").is_empty() {
            causes.required(&at, "must specify `addresses` or `notReadyAddresses`");
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (index, address) in subset.items(list).iter().enumerate() {
                check_address(causes, address, &at.child(list).index(index));
            }
        }
        let ports = subset.items("ports");
        for (index, port) in ports.iter().enumerate() {
            check_port(causes, port, ports.len() > 1, &at.child("ports").index(index));
        }
    }
}

fn check_address(causes: &mut Causes, address: &Value, at: &At) {
    let text = address.text("ip");
    ip::check(causes, &at.child("ip"), text, &[]);
    let host = address.text("hostname");
    if !host.is_empty() {
        causes.each_invalid(&at.child("hostname"), host, &dns_label(host));
    }
    if let Some(node) = address.some("nodeName").and_then(Value::as_str) {
        causes.each_invalid(&at.child("nodeName"), node, &dns_subdomain(node));
    }
    ip::check_endpoint(causes, &at.child("ip"), text);
}

fn check_port(causes: &mut Causes, port: &Value, is_named: bool, at: &At) {
    match port.text("name") {
        "" if is_named => causes.required(&at.child("name"), ""),
        "" => {}
        name => causes.each_invalid(&at.child("name"), name, &dns_label(name)),
    }
    port_or_name(causes, &port["port"], &at.child("port"));
    protocol(causes, port, at);
    if let Some(app) = port.some("appProtocol").and_then(Value::as_str) {
        causes.each_invalid(&at.child("appProtocol"), app, &label_key(app));
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
        protocol(causes, port, &at);
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
