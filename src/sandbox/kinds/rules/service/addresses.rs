//! The addresses and ports of a Service that the server draws, and what becomes of them when it changes. After
//! `pkg/registry/core/service/storage` of a cluster with IPv4 alone.

use serde_json::{Value, json};

use super::{exposes_nodes, is_external, needs_health_port};
use crate::sandbox::error::ApiError;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, same};
use crate::sandbox::resource::{Draw, Endpoint};

/// The addresses a client may ask for.
const RANGE: &str = "10.96.0.0/16";

/// Draws what a new Service needs.
pub(in super::super) fn prepare_create(object: &mut Value, draw: &dyn Draw) {
    let spec = &mut object["spec"];
    if !spec.text("clusterIP").is_empty() && spec.items("clusterIPs").is_empty() {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
    families(spec, None);
    draw_address(spec, draw);
    draw_ports(spec, draw);
    drop_unread(spec);
}

/// What a read of a Service with a name alone leaves out.
fn drop_unread(spec: &mut Value) {
    if is_named(spec)
        && let Some(map) = spec.as_object_mut()
    {
        map.remove("internalTrafficPolicy");
    }
}

/// Keeps what was drawn before, and draws what is new.
pub(in super::super) fn prepare_update(object: &mut Value, old: &Value, endpoint: Endpoint, draw: &dyn Draw) {
    if endpoint == Endpoint::Status {
        return;
    }
    let (spec, old) = (&mut object["spec"], &old["spec"]);
    keep_drawn(spec, old);
    pair_addresses(spec, old);
    families(spec, Some(old));
    draw_address(spec, draw);
    draw_ports(spec, draw);
    drop_by_type(spec, old);
    drop_unread(spec);
    if spec.text("type") != "LoadBalancer" {
        object["status"] = json!({});
    }
}

fn is_named(spec: &Value) -> bool {
    spec.text("type") == "ExternalName"
}

fn keep_drawn(spec: &mut Value, old: &Value) {
    if !is_named(old) && !is_named(spec) {
        if spec.text("clusterIP").is_empty() && !old["clusterIP"].is_null() {
            spec["clusterIP"] = old["clusterIP"].clone();
        }
        if spec.items("clusterIPs").is_empty() && !old.items("clusterIPs").is_empty() {
            spec["clusterIPs"] = old["clusterIPs"].clone();
        }
    }
    if exposes_nodes(old) && exposes_nodes(spec) {
        let ports = |spec: &Value| -> Vec<i64> {
            spec.items("ports").iter().filter_map(|port| port.int("nodePort")).collect()
        };
        let kept = ports(spec);
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            let known = old.items("ports").iter().rev().find(|old| old.text("name") == port.text("name"));
            if let Some(known) = known.and_then(|old| old.int("nodePort"))
                && port.int("nodePort").unwrap_or_default() == 0
                && !kept.contains(&known)
            {
                port["nodePort"] = known.into();
            }
        }
    }
    if needs_health_port(old)
        && needs_health_port(spec)
        && spec.int("healthCheckNodePort").unwrap_or_default() == 0
    {
        spec["healthCheckNodePort"] = old["healthCheckNodePort"].clone();
    }
}

/// Brings `clusterIPs` in line where a client changed `clusterIP` alone.
fn pair_addresses(spec: &mut Value, old: &Value) {
    let is_same_list = same(&spec["clusterIPs"], &old["clusterIPs"]);
    if spec.text("clusterIP") == old.text("clusterIP") || !is_same_list {
        return;
    }
    spec["clusterIPs"] =
        if spec.text("clusterIP").is_empty() { Value::Null } else { json!([spec["clusterIP"]]) };
}

fn is_headless(spec: &Value) -> bool {
    spec.text("clusterIP") == "None"
}

fn families(spec: &mut Value, old: Option<&Value>) {
    if is_named(spec) {
        return;
    }
    let is_bare_headless = is_headless(spec) && spec.entries("selector").next().is_none();
    if spec.text("ipFamilyPolicy").is_empty() {
        spec["ipFamilyPolicy"] = match old.and_then(|old| old.some("ipFamilyPolicy")) {
            Some(policy) => policy.clone(),
            None if is_bare_headless => "RequireDualStack".into(),
            None => "SingleStack".into(),
        };
    }
    let mut families = spec.items("ipFamilies").to_vec();
    if !is_headless(spec) {
        for address in spec.items("clusterIPs").iter().skip(families.len()).filter_map(Value::as_str) {
            families.push(if address.contains(':') { "IPv6" } else { "IPv4" }.into());
        }
    }
    if families.is_empty() {
        families.push("IPv4".into());
    }
    if is_bare_headless && families.len() < 2 && spec.text("ipFamilyPolicy") != "SingleStack" {
        families.push(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }.into());
    }
    spec["ipFamilies"] = families.into();
}

fn draw_address(spec: &mut Value, draw: &dyn Draw) {
    let is_given = !spec.text("clusterIP").is_empty() || !spec.items("clusterIPs").is_empty();
    // Of another family there is none to give.
    let is_other = !matches!(spec.items("ipFamilies"), [only] if only == "IPv4");
    if is_named(spec) || is_given || is_other {
        return;
    }
    let address = draw.cluster_ip();
    spec["clusterIP"] = address.clone().into();
    spec["clusterIPs"] = json!([address]);
}

fn draw_ports(spec: &mut Value, draw: &dyn Draw) {
    if exposes_nodes(spec) {
        let is_wanted = spec.text("type") == "NodePort" || spec.flag("allocateLoadBalancerNodePorts");
        let asked = spec.items("ports").to_vec();
        let mut drawn: Vec<(Value, Value)> = Vec::new();
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            if port.int("nodePort").unwrap_or_default() != 0 || !is_wanted {
                continue;
            }
            // One number for all protocols of a port, where it is free for them.
            let number = port["port"].clone();
            let known = asked
                .iter()
                .find(|other| other["port"] == number && other.int("nodePort").unwrap_or_default() != 0)
                .map(|other| other["nodePort"].clone())
                .or_else(|| drawn.iter().find(|(port, _)| *port == number).map(|(_, drawn)| drawn.clone()));
            let node_port = known.unwrap_or_else(|| draw.node_port().into());
            drawn.push((number, node_port.clone()));
            port["nodePort"] = node_port;
        }
    }
    if needs_health_port(spec) && spec.int("healthCheckNodePort").unwrap_or_default() == 0 {
        spec["healthCheckNodePort"] = draw.node_port().into();
    }
}

/// Takes away what the new type has no use for, if the client left it as it was.
fn drop_by_type(spec: &mut Value, old: &Value) {
    let is_same = |spec: &Value, field: &str| same(&spec[field], &old[field]);
    let clear = |spec: &mut Value, fields: &[&str]| {
        for field in fields {
            if is_same(spec, field) {
                spec[*field] = Value::Null;
            }
        }
    };
    if !is_named(old) && is_named(spec) {
        if is_same(spec, "clusterIP") && is_same(spec, "clusterIPs") {
            clear(spec, &["clusterIP", "clusterIPs"]);
        }
        clear(spec, &["ipFamilies", "ipFamilyPolicy"]);
    }
    if exposes_nodes(old) && !exposes_nodes(spec) {
        let known: Vec<Value> = old.items("ports").iter().map(|port| port["nodePort"].clone()).collect();
        let is_known = |port: &Value| port["nodePort"].is_null() || known.contains(&port["nodePort"]);
        if spec.items("ports").iter().all(is_known) {
            for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                port["nodePort"] = Value::Null;
            }
        }
    }
    if needs_health_port(old) && !needs_health_port(spec) {
        clear(spec, &["healthCheckNodePort"]);
    }
    if old.text("type") == "LoadBalancer" && spec.text("type") != "LoadBalancer" {
        clear(spec, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if is_external(old) && !is_external(spec) {
        clear(spec, &["externalTrafficPolicy"]);
    }
    if let Some(map) = spec.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(map) = port.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
    }
}

/// Refuses an address or port that another Service has, or that is out of range.
pub(in super::super) fn admit(object: &Value, old: Option<&Value>, draw: &dyn Draw) -> Result<(), ApiError> {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let mut causes = Causes::default();
    let address = spec.text("clusterIP");
    let is_new = old.is_none_or(|old| old["spec"].text("clusterIP") != address);
    if !is_named(spec) && !address.is_empty() && address != "None" && is_new {
        let uid = &object["metadata"]["uid"];
        let services = draw.all("", "services");
        let is_taken = services
            .iter()
            .any(|other| other["spec"]["clusterIP"] == address && other["metadata"]["uid"] != *uid);
        let why = if !address.starts_with("10.96.") {
            format!(
                "the provided IP ({address}) is not in the valid range. The range of valid IPs is {RANGE}"
            )
        } else if is_taken {
            "provided IP is already allocated".to_owned()
        } else {
            String::new()
        };
        if !why.is_empty() {
            let detail = format!("failed to allocate IP {address}: {why}");
            causes.invalid(&at.child("clusterIPs"), spec["clusterIPs"].clone(), &detail);
        }
    }
    let known: Vec<i64> = old.map_or_else(Vec::new, |old| {
        old["spec"].items("ports").iter().filter_map(|port| port.int("nodePort")).collect()
    });
    for (index, port) in spec.items("ports").iter().enumerate() {
        let Some(number) = port.int("nodePort").filter(|number| *number != 0 && !known.contains(number))
        else {
            continue;
        };
        let at = at.child("ports").index(index).child("nodePort");
        match u16::try_from(number) {
            Ok(number) if !(30_000..=32_767).contains(&number) => {
                let detail =
                    "provided port is not in the valid range. The range of valid ports is 30000-32767";
                causes.invalid(&at, number, detail);
            }
            Ok(number) if draw.is_node_port_taken(number) => {
                causes.invalid(&at, number, "provided port is already allocated");
            }
            Ok(_) => {}
            Err(_) => {
                let detail =
                    "provided port is not in the valid range. The range of valid ports is 30000-32767";
                causes.invalid(&at, number, detail);
            }
        }
    }
    if causes.len() == 0 {
        return Ok(());
    }
    Err(ApiError::invalid("", "Service", object["metadata"].text("name"), causes.into_vec()))
}
