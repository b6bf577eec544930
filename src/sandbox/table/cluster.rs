//! Cells of nodes and events.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::age;
use super::text::{list, number, or, text};

/// Cells of a node.
pub(super) fn node(node: &Value, now: Timestamp) -> Vec<Value> {
    const ROLE: &str = "node-role.kubernetes.io/";
    let status = &node["status"];
    let ready = list(status, "conditions").iter().find(|condition| condition["type"] == "Ready");
    let mut state = match ready.map(|condition| condition["status"] == "True") {
        Some(true) => "Ready".to_owned(),
        Some(false) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node["spec"]["unschedulable"] == true {
        state.push_str(",SchedulingDisabled");
    }
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix(ROLE) {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    let roles = roles.into_iter().collect::<Vec<_>>().join(",");
    let address = |kind: &str| {
        let found = list(status, "addresses").iter().find(|address| address["type"] == kind);
        Value::from(found.map_or("<none>", |address| text(address, "address")))
    };
    let info = &status["nodeInfo"];
    let mut kernel = or(info, "kernelVersion", "<unknown>");
    let architecture = text(info, "architecture");
    if !architecture.is_empty() {
        kernel = format!("{kernel} ({architecture})");
    }
    vec![
        node["metadata"]["name"].clone(),
        state.into(),
        (if roles.is_empty() { "<none>" } else { &roles }).into(),
        age::of(node, now),
        text(info, "kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        or(info, "osImage", "<unknown>").into(),
        kernel.into(),
        or(info, "containerRuntimeVersion", "<unknown>").into(),
    ]
}

/// Cells of an event.
pub(super) fn event(event: &Value, now: Timestamp) -> Vec<Value> {
    let time = |key: &str| (!event[key].is_null()).then(|| age::since(&event[key], now));
    let first = time("firstTimestamp").unwrap_or_else(|| age::since(&event["eventTime"], now));
    let series = &event["series"];
    let (last, count) = if series.is_object() {
        (age::since(&series["lastObservedTime"], now), number(series, "count"))
    } else {
        (time("lastTimestamp").unwrap_or_else(|| first.clone()), number(event, "count").max(1))
    };
    let about = &event["involvedObject"];
    let kind = text(about, "kind").to_lowercase();
    let target = match text(about, "name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let part = |own: &str, reporting: &str| match text(&event["source"], own) {
        "" => text(event, reporting).to_owned(),
        source => source.to_owned(),
    };
    let (component, host) = (part("component", "reportingComponent"), part("host", "reportingInstance"));
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    vec![
        last.into(),
        text(event, "type").into(),
        text(event, "reason").into(),
        target.into(),
        text(about, "fieldPath").into(),
        source.into(),
        text(event, "message").trim().into(),
        first.into(),
        count.into(),
        event["metadata"]["name"].clone(),
    ]
}
