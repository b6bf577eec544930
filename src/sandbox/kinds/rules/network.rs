//! Ingress, `IngressClass` and `NetworkPolicy`.

use serde_json::Value;

use super::{ip, selectors};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{
    At, Causes, dns_label, dns_subdomain, path_segment, port, port_name, wildcard_subdomain,
};
use crate::sandbox::resource::Draw;

/// The annotation that named a class before the field did.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// Gives a new Ingress the default class; after the admission plugin `DefaultIngressClass`.
pub(super) fn prepare_ingress(object: &mut Value, draw: &dyn Draw) {
    const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
    let has_class = object["spec"].some("ingressClassName").is_some()
        || object["metadata"]["annotations"].get(CLASS_ANNOTATION).is_some();
    if has_class {
        return;
    }
    let classes = draw.all("networking.k8s.io", "ingressclasses");
    let defaults = classes.iter().filter(|class| class["metadata"]["annotations"].text(DEFAULT) == "true");
    let newest = defaults.max_by(|a, b| {
        let time = |class: &Value| class["metadata"].text("creationTimestamp").to_owned();
        let by_time = time(a).cmp(&time(b));
        by_time.then_with(|| b["metadata"].text("name").cmp(a["metadata"].text("name")))
    });
    if let Some(class) = newest {
        object["spec"]["ingressClassName"] = class["metadata"]["name"].clone();
    }
}

/// Checks an Ingress.
pub(super) fn validate_ingress(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let rules = spec.items("rules");
    if rules.is_empty() && spec.some("defaultBackend").is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        causes.invalid(&at, spec["rules"].clone(), detail);
    }
    if let Some(default) = spec.some("defaultBackend") {
        backend(causes, default, &at.child("defaultBackend"));
    }
    for (index, rule) in rules.iter().enumerate() {
        let at = at.child("rules").index(index);
        let host = rule.text("host");
        if !host.is_empty() {
            if ip::lax(host).is_some() {
                causes.invalid(&at.child("host"), host, "must be a DNS name, not an IP address");
            }
            host_name(causes, host, &at.child("host"));
        }
        if let Some(http) = rule.some("http") {
            let at = at.child("http.paths");
            if http.items("paths").is_empty() {
                causes.required(&at, "");
            }
            for (index, path) in http.items("paths").iter().enumerate() {
                http_path(causes, path, &at.index(index));
            }
        }
    }
    for (index, tls) in spec.items("tls").iter().enumerate() {
        let at = at.child("tls").index(index);
        for (index, host) in tls.items("hosts").iter().filter_map(Value::as_str).enumerate() {
            host_name(causes, host, &at.child("hosts").index(index));
        }
        let secret = tls.text("secretName");
        if !secret.is_empty() {
            causes.each_invalid(&at.child("secretName"), secret, &dns_subdomain(secret));
        }
    }
    if let Some(class) = spec.some("ingressClassName").and_then(Value::as_str) {
        causes.each_invalid(&at.child("ingressClassName"), class, &dns_subdomain(class));
        let annotated = object["metadata"]["annotations"].some(CLASS_ANNOTATION).and_then(Value::as_str);
        if old.is_none()
            && let Some(annotated) = annotated.filter(|name| *name != class)
        {
            let at = At::new("annotations").child(CLASS_ANNOTATION);
            causes.invalid(&at, annotated, "must match `ingressClassName` when both are specified");
        }
    }
}

fn host_name(causes: &mut Causes, host: &str, at: &At) {
    let wrong = if host.contains('*') { wildcard_subdomain(host) } else { dns_subdomain(host) };
    causes.each_invalid(at, host, &wrong);
}

fn http_path(causes: &mut Causes, entry: &Value, at: &At) {
    let Some(of_type) = entry.some("pathType").and_then(Value::as_str) else {
        return causes.required(&at.child("pathType"), "pathType must be specified");
    };
    let (path, at_path) = (entry.text("path"), at.child("path"));
    match of_type {
        "Exact" | "Prefix" => {
            if !path.starts_with('/') {
                causes.invalid(&at_path, path, "must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if path.contains(part) {
                    causes.invalid(&at_path, path, &format!("must not contain '{part}'"));
                }
            }
            for part in ["/..", "/."] {
                if path.ends_with(part) {
                    causes.invalid(&at_path, path, &format!("cannot end with '{part}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !path.is_empty() && !path.starts_with('/') {
                causes.invalid(&at_path, path, "must be an absolute path");
            }
        }
        other => {
            let supported = ["Exact", "ImplementationSpecific", "Prefix"];
            causes.not_supported(&at.child("pathType"), other, &supported);
        }
    }
    backend(causes, &entry["backend"], &at.child("backend"));
}

fn backend(causes: &mut Causes, backend: &Value, at: &At) {
    match (backend.some("resource"), backend.some("service")) {
        (Some(_), Some(_)) => causes.invalid(at, "", "cannot set both resource and service backends"),
        (None, None) => causes.invalid(at, "", "resource or service backend is required"),
        (Some(resource), None) => reference(causes, resource, false, &at.child("resource")),
        (None, Some(service)) => {
            let name = service.text("name");
            if name.is_empty() {
                causes.required(&at.child("service.name"), "");
            } else {
                causes.each_invalid(&at.child("service.name"), name, &dns_label(name));
            }
            let (name, number) =
                (service["port"].text("name"), service["port"].int("number").unwrap_or_default());
            match (name.is_empty(), number) {
                (true, 0) => causes.required(at, "port name or number is required"),
                (false, 0) => causes.each_invalid(&at.child("service.port.name"), name, &port_name(name)),
                (true, number) => {
                    for detail in port(number) {
                        causes.invalid(&at.child("service.port.number"), number, &detail);
                    }
                }
                (false, _) => causes.invalid(at, "", "cannot set both port name & port number"),
            }
        }
    }
}

fn reference(causes: &mut Causes, reference: &Value, is_declared: bool, at: &At) {
    if let Some(group) = reference.some("apiGroup").and_then(Value::as_str) {
        causes.each_invalid(&at.child("apiGroup"), group, &dns_subdomain(group));
    }
    for field in ["kind", "name"] {
        let text = reference.text(field);
        if !text.is_empty() {
            causes.each_invalid(&at.child(field), text, &path_segment(text));
        } else if is_declared {
            causes.declared(|causes| causes.required(&at.child(field), ""));
        } else {
            causes.required(&at.child(field), "");
        }
    }
}

/// Warnings about an Ingress.
pub(super) fn ingress_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let is_annotated = object["metadata"]["annotations"].get(CLASS_ANNOTATION).is_some();
    if old.is_some() || !is_annotated || object["spec"].some("ingressClassName").is_some() {
        return Vec::new();
    }
    vec![format!(
        "annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"
    )]
}

/// Checks the addresses that an ingress controller reports.
pub(super) fn validate_ingress_status(causes: &mut Causes, object: &Value, old: &Value) {
    let addresses = |object: &Value| object["status"]["loadBalancer"].items("ingress").to_vec();
    let known = addresses(old);
    let known: Vec<&str> = known.iter().map(|entry| entry.text("ip")).collect();
    for (index, entry) in addresses(object).iter().enumerate() {
        let at = At::new("status.loadBalancer.ingress").index(index);
        if !entry.text("ip").is_empty() {
            ip::check(causes, &at.child("ip"), entry.text("ip"), &known);
        }
        let host = entry.text("hostname");
        if !host.is_empty() {
            causes.each_invalid(&at.child("hostname"), host, &dns_subdomain(host));
            if ip::lax(host).is_some() {
                causes.invalid(&at.child("hostname"), host, "must be a DNS name, not an IP address");
            }
        }
    }
}

/// Checks an `IngressClass`.
pub(super) fn validate_class(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let (controller, at_controller) = (spec.text("controller"), at.child("controller"));
    if let Some(old) = old
        && old["spec"].text("controller") != controller
    {
        causes.invalid(&at_controller, controller, "field is immutable");
    }
    if controller.len() > 250 {
        causes.too_long(&at_controller, 250);
    }
    domain_path(causes, controller, &at_controller);
    let Some(parameters) = spec.some("parameters") else { return };
    let at = at.child("parameters");
    reference(causes, parameters, true, &at);
    let namespace = parameters.some("namespace").and_then(Value::as_str);
    let at_namespace = at.child("namespace");
    match (parameters.text("scope"), namespace) {
        ("Namespace", None) => {
            causes.required(&at_namespace, "`parameters.scope` is set to 'Namespace'");
        }
        ("Namespace", Some(namespace)) => {
            causes.each_invalid(&at_namespace, namespace, &dns_label(namespace));
        }
        ("Cluster", Some(_)) => causes.forbidden(&at_namespace, "`parameters.scope` is set to 'Cluster'"),
        ("Cluster", None) => {}
        (other, _) => causes.not_supported(&at.child("scope"), other, &["Cluster", "Namespace"]),
    }
}

/// Checks a path below a domain: `acme.io/foo`.
fn domain_path(causes: &mut Causes, text: &str, at: &At) {
    match text.split_once('/') {
        _ if text.is_empty() => causes.required(at, ""),
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            causes.each_invalid(at, host, &dns_subdomain(host));
            let is_path = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
            if !path.bytes().all(is_path) {
                let detail = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
                causes.invalid(at, path, detail);
            }
        }
        _ => causes.invalid(at, text, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
}

/// Checks a `NetworkPolicy`.
pub(super) fn validate_policy(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let known = old.map(|old| ranges(&old["spec"])).unwrap_or_default();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    selectors::check(causes, &spec["podSelector"], &at.child("podSelector"));
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in spec.items(direction).iter().enumerate() {
            let at = at.child(direction).index(index);
            for (index, entry) in rule.items("ports").iter().enumerate() {
                policy_port(causes, entry, &at.child("ports").index(index));
            }
            for (index, entry) in rule.items(peers).iter().enumerate() {
                peer(causes, entry, &known, &at.child(peers).index(index));
            }
        }
    }
    let types = spec.items("policyTypes");
    if types.len() > 2 {
        let detail = "may not specify more than two policyTypes";
        return causes.invalid(&at.child("policyTypes"), Value::from(types), detail);
    }
    for (index, of_type) in types.iter().filter_map(Value::as_str).enumerate() {
        if !matches!(of_type, "Ingress" | "Egress") {
            causes.not_supported(&at.child("policyTypes").index(index), of_type, &["Ingress", "Egress"]);
        }
    }
}

fn ranges(spec: &Value) -> Vec<String> {
    let rules = [("ingress", "from"), ("egress", "to")];
    let blocks = rules.iter().flat_map(|(direction, peers)| {
        spec.items(direction).iter().flat_map(|rule| rule.items(peers)).map(|peer| &peer["ipBlock"])
    });
    let text = |value: &Value| value.as_str().map(str::to_owned);
    blocks
        .flat_map(|block| {
            text(&block["cidr"]).into_iter().chain(block.items("except").iter().filter_map(text))
        })
        .collect()
}

fn policy_port(causes: &mut Causes, entry: &Value, at: &At) {
    if let Some(protocol) = entry.some("protocol").and_then(Value::as_str)
        && !matches!(protocol, "TCP" | "UDP" | "SCTP")
    {
        causes.not_supported(&at.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
    let (end, at_end) = (entry.int("endPort"), at.child("endPort"));
    match entry.some("port") {
        None => {
            if let Some(end) = end {
                causes.invalid(&at_end, end, "may not be specified when `port` is not specified");
            }
        }
        Some(Value::String(name)) => {
            if let Some(end) = end {
                causes.invalid(&at_end, end, "may not be specified when `port` is non-numeric");
            }
            causes.each_invalid(&at.child("port"), name, &port_name(name));
        }
        Some(number) => {
            let number = number.as_i64().unwrap_or_default();
            for detail in port(number) {
                causes.invalid(&at.child("port"), number, &detail);
            }
            if let Some(end) = end {
                if end < number {
                    causes.invalid(&at_end, end, "must be greater than or equal to `port`");
                }
                for detail in port(end) {
                    causes.invalid(&at_end, end, &detail);
                }
            }
        }
    }
}

fn peer(causes: &mut Causes, entry: &Value, known: &[&str], at: &At) {
    let mut count = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = entry.some(field) {
            count += 1;
            selectors::check(causes, selector, &at.child(field));
        }
    }
    if let Some(block) = entry.some("ipBlock") {
        count += 1;
        ip_block(causes, block, known, &at.child("ipBlock"));
        if count > 1 {
            causes.forbidden(at, "may not specify both ipBlock and another peer");
        }
    }
    if count == 0 {
        causes.required(at, "must specify a peer");
    }
}

fn ip_block(causes: &mut Causes, block: &Value, known: &[&str], at: &At) {
    let cidr = block.text("cidr");
    if cidr.is_empty() {
        return causes.declared(|causes| causes.required(&at.child("cidr"), ""));
    }
    let Some(range) = ip::check_range(causes, &at.child("cidr"), cidr, known) else { return };
    for (index, except) in block.items("except").iter().filter_map(Value::as_str).enumerate() {
        let at = at.child("except").index(index);
        if let Some(hole) = ip::check_range(causes, &at, except, known)
            && !range.strictly_contains(&hole)
        {
            causes.invalid(&at, except, "must be a strict subset of `cidr`");
        }
    }
}
