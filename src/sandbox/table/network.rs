//! Cells of services, ingresses and endpoints.

use std::collections::BTreeSet;

use serde_json::Value;

use super::text::{list, number, text, with_more};

/// Where a service is reached from outside.
pub(super) fn external_address(service: &Value) -> String {
    let spec = &service["spec"];
    let own: Vec<&str> = list(spec, "externalIPs").iter().filter_map(Value::as_str).collect();
    match text(spec, "type") {
        "ClusterIP" | "NodePort" if own.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => own.join(","),
        "LoadBalancer" => {
            let balancer = balancer(service);
            let all: Vec<&str> =
                [balancer.as_str()].into_iter().filter(|text| !text.is_empty()).chain(own).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => text(spec, "externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// Addresses of the load balancer.
pub(super) fn balancer(object: &Value) -> String {
    let addresses: BTreeSet<&str> = list(&object["status"]["loadBalancer"], "ingress")
        .iter()
        .map(|one| if text(one, "ip").is_empty() { text(one, "hostname") } else { text(one, "ip") })
        .filter(|address| !address.is_empty())
        .collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

/// Ports of a service: `80/TCP,443:30443/TCP`.
pub(super) fn ports(service: &Value) -> String {
    let port = |port: &Value| {
        let (number, node, protocol) =
            (number(port, "port"), number(port, "nodePort"), text(port, "protocol"));
        if node > 0 { format!("{number}:{node}/{protocol}") } else { format!("{number}/{protocol}") }
    };
    let ports: Vec<String> = list(&service["spec"], "ports").iter().map(port).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}

/// Hosts of an ingress.
pub(super) fn hosts(ingress: &Value) -> String {
    const MOST: usize = 3;
    let rules = list(&ingress["spec"], "rules");
    let (mut hosts, mut more) = (Vec::new(), false);
    for rule in rules {
        more |= hosts.len() == MOST;
        let host = text(rule, "host");
        if !more && !host.is_empty() {
            hosts.push(host);
        }
    }
    match hosts.as_slice() {
        [] => "*".to_owned(),
        hosts if more => format!("{} + {} more...", hosts.join(","), rules.len() - MOST),
        hosts => hosts.join(","),
    }
}

/// Addresses and ports of `Endpoints`.
pub(super) fn endpoints(endpoints: &Value) -> String {
    let subsets = list(endpoints, "subsets");
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for subset in subsets {
        let addresses = || list(subset, "addresses").iter().map(|address| text(address, "ip"));
        let ports = list(subset, "ports");
        if ports.is_empty() {
            all.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let port = number(port, "port");
            all.extend(addresses().map(|address| {
                if address.contains(':') {
                    format!("[{address}]:{port}")
                } else {
                    format!("{address}:{port}")
                }
            }));
        }
    }
    if all.is_empty() { String::new() } else { with_more(&all, 3) }
}

/// Ports of an `EndpointSlice`.
pub(super) fn slice_ports(slice: &Value) -> String {
    let port = |port: &Value| match port["port"].as_i64() {
        Some(number) => number.to_string(),
        None => port["name"].as_str().unwrap_or("*").to_owned(),
    };
    with_more(&list(slice, "ports").iter().map(port).collect::<Vec<_>>(), 3)
}

/// Addresses of an `EndpointSlice`.
pub(super) fn slice_addresses(slice: &Value) -> String {
    let addresses = list(slice, "endpoints").iter().flat_map(|endpoint| list(endpoint, "addresses"));
    let addresses: Vec<String> = addresses.filter_map(Value::as_str).map(str::to_owned).collect();
    with_more(&addresses, 3)
}
