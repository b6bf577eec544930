//! `HorizontalPodAutoscaler` and `PodDisruptionBudget`.

use serde_json::Value;

use super::{amounts, selectors, workload};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_label, path_segment};

/// Metric sources in the order in which the API server looks at them, with the type that goes with each.
const SOURCES: [(&str, &str); 5] = [
    ("object", "Object"),
    ("external", "External"),
    ("pods", "Pods"),
    ("resource", "Resource"),
    ("containerResource", "ContainerResource"),
];

/// Checks a `HorizontalPodAutoscaler`.
pub(super) fn validate_autoscaler(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let (least, most) = (spec.int("minReplicas"), spec.int("maxReplicas").unwrap_or_default());
    if let Some(least) = least.filter(|least| *least < 0) {
        let detail = "must be greater than or equal to 0";
        causes.declared(|causes| causes.invalid(&at.child("minReplicas"), least, detail));
    }
    let at_most = at.child("maxReplicas");
    if most == 0 {
        causes.declared(|causes| causes.required(&at_most, ""));
    } else if most < 0 {
        let detail = "must be greater than or equal to 1";
        causes.declared(|causes| causes.invalid(&at_most, most, detail));
    }
    if least.is_some_and(|least| most < least) {
        causes.invalid(&at_most, most, "must be greater than or equal to `minReplicas`");
    }
    let target = &spec["scaleTargetRef"];
    let may_be_core = target.text("kind") == "ReplicationController";
    target_reference(causes, target, &at.child("scaleTargetRef"), may_be_core);
    let metrics = spec.items("metrics");
    for (index, one) in metrics.iter().enumerate() {
        metric(causes, one, &at.child("metrics").index(index));
    }
    let scales_to_zero = metrics.iter().any(|one| matches!(one.text("type"), "Object" | "External"));
    if least == Some(0) && !scales_to_zero {
        let detail =
            "must specify at least one Object or External metric to support scaling to zero replicas";
        causes.forbidden(&at.child("metrics"), detail);
    }
    for direction in ["scaleUp", "scaleDown"] {
        if let Some(rules) = spec["behavior"].some(direction) {
            scaling_rules(causes, rules, &at.child("behavior").child(direction));
        }
    }
}

/// `may_be_core`: the API group may be left out.
fn target_reference(causes: &mut Causes, reference: &Value, at: &At, may_be_core: bool) {
    for field in ["kind", "name"] {
        let text = reference.text(field);
        if text.is_empty() {
            causes.required(&at.child(field), "");
        } else {
            causes.each_invalid(&at.child(field), text, &path_segment(text));
        }
    }
    let version = reference.text("apiVersion");
    if version.matches('/').count() > 1 {
        let detail = format!("unexpected GroupVersion string: {version}");
        causes.invalid(&at.child("apiVersion"), version, &detail);
    } else if !version.contains('/') && !may_be_core {
        causes.invalid(&at.child("apiVersion"), version, "apiVersion must specify API group");
    }
}

fn metric(causes: &mut Causes, one: &Value, at: &At) {
    const TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let of_type = one.text("type");
    if of_type.is_empty() {
        causes.required(&at.child("type"), "must specify a metric source type");
    }
    if !TYPES.contains(&of_type) {
        causes.not_supported(&at.child("type"), of_type, &TYPES);
    }
    let present: Vec<(&str, &str)> =
        SOURCES.into_iter().filter(|(field, _)| one.some(field).is_some()).collect();
    if let Some((field, _)) = present.first() {
        source(causes, field, &one[*field], &at.child(field));
    }
    let expected = SOURCES.iter().find(|(_, known)| *known == of_type).map(|(field, _)| *field);
    if let Some(field) = expected.filter(|field| one.some(field).is_none()) {
        causes.required(&at.child(field), "must populate information for the given metric source");
    }
    if present.len() != 1 {
        for (field, _) in present.iter().filter(|(field, _)| Some(*field) != expected) {
            causes.forbidden(&at.child(field), "must populate the given metric source only");
        }
    }
}

fn source(causes: &mut Causes, kind: &str, source: &Value, at: &At) {
    if kind == "object" {
        target_reference(causes, &source["describedObject"], &at.child("describedObject"), true);
    }
    if matches!(kind, "object" | "external" | "pods") {
        let (name, at) = (source["metric"].text("name"), at.child("metric.name"));
        if name.is_empty() {
            causes.required(&at, "must specify a metric name");
        } else {
            causes.each_invalid(&at, name, &path_segment(name));
        }
    } else if source.text("name").is_empty() {
        causes.required(&at.child("name"), "must specify a resource name");
    }
    if kind == "containerResource" {
        let container = source.text("container");
        if container.is_empty() {
            causes.required(&at.child("container"), "must specify a container");
        } else {
            causes.each_invalid(&at.child("container"), container, &dns_label(container));
        }
    }
    let (target, at) = (&source["target"], at.child("target"));
    metric_target(causes, target, &at);
    let (value, average) = (target.some("value").is_some(), target.some("averageValue").is_some());
    let share = target.some("averageUtilization").is_some();
    match kind {
        "object" if !value && !average => {
            causes.required(&at.child("averageValue"), "must set either a target value or averageValue");
        }
        "external" if !value && !average => {
            let detail = "must set either a target value for metric or a per-pod target";
            causes.required(&at.child("averageValue"), detail);
        }
        "external" if value && average => {
            let detail = "may not set both a target value for metric and a per-pod target";
            causes.forbidden(&at.child("value"), detail);
        }
        "pods" if !average => {
            causes.required(&at.child("averageValue"), "must specify a positive target averageValue");
        }
        "resource" | "containerResource" if !share && !average => {
            let detail = "must set either a target raw value or a target utilization";
            causes.required(&at.child("averageUtilization"), detail);
        }
        "resource" | "containerResource" if share && average => {
            let detail = "may not set both a target raw value and a target utilization";
            causes.forbidden(&at.child("averageValue"), detail);
        }
        _ => {}
    }
}

fn metric_target(causes: &mut Causes, target: &Value, at: &At) {
    let of_type = target.text("type");
    if of_type.is_empty() {
        causes.required(&at.child("type"), "must specify a metric target type");
    }
    if !matches!(of_type, "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        causes.invalid(&at.child("type"), of_type, detail);
    }
    for field in ["value", "averageValue"] {
        if let Some(amount) = target.some(field)
            && amounts::compare(amount, &Value::Null).is_le()
        {
            causes.invalid(&at.child(field), amount.clone(), "must be positive");
        }
    }
    if let Some(share) = target.int("averageUtilization").filter(|share| *share < 1) {
        causes.invalid(&at.child("averageUtilization"), share, "must be greater than 0");
    }
}

fn scaling_rules(causes: &mut Causes, rules: &Value, at: &At) {
    if let Some(seconds) = rules.int("stabilizationWindowSeconds") {
        let at = at.child("stabilizationWindowSeconds");
        if seconds < 0 {
            causes.invalid(&at, seconds, "must be greater than or equal to zero");
        }
        if seconds > 3600 {
            causes.invalid(&at, seconds, "must be less than or equal to 3600");
        }
    }
    let select = rules.text("selectPolicy");
    if !matches!(select, "Max" | "Min" | "Disabled" | "") {
        causes.not_supported(&at.child("selectPolicy"), select, &["Disabled", "Max", "Min"]);
    }
    let policies = rules.items("policies");
    if policies.is_empty() {
        causes.required(&at.child("policies"), "must specify at least one Policy");
    }
    for (index, policy) in policies.iter().enumerate() {
        let at = at.child("policies").index(index);
        if !matches!(policy.text("type"), "Pods" | "Percent") {
            causes.not_supported(&at.child("type"), policy.text("type"), &["Percent", "Pods"]);
        }
        for field in ["value", "periodSeconds"] {
            let number = policy.int(field).unwrap_or_default();
            if number <= 0 {
                causes.invalid(&at.child(field), number, "must be greater than zero");
            }
            if field == "periodSeconds" && number > 1800 {
                causes.invalid(&at.child(field), number, "must be less than or equal to 1800");
            }
        }
    }
    if let Some(tolerance) = rules.some("tolerance") {
        amounts::non_negative(causes, tolerance, &at.child("tolerance"));
    }
}

/// Checks a `PodDisruptionBudget`.
pub(super) fn validate_budget(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    let (least, most) = (spec.some("minAvailable"), spec.some("maxUnavailable"));
    if let (Some(least), Some(most)) = (least, most) {
        let shown = format!(
            "{{\"MinAvailable\":{least},\"Selector\":{},\"MaxUnavailable\":{most},\
             \"UnhealthyPodEvictionPolicy\":{}}}",
            spec["selector"], spec["unhealthyPodEvictionPolicy"]
        );
        causes.invalid_text(&at, &shown, "minAvailable and maxUnavailable cannot be both set");
    }
    for (field, value) in [("minAvailable", least), ("maxUnavailable", most)] {
        if let Some(value) = value {
            workload::share(causes, value, &at.child(field));
        }
    }
    selectors::check(causes, &spec["selector"], &at.child("selector"));
    if let Some(policy) = spec.some("unhealthyPodEvictionPolicy").and_then(Value::as_str)
        && !matches!(policy, "AlwaysAllow" | "IfHealthyBudget")
    {
        let supported = ["AlwaysAllow", "IfHealthyBudget"];
        causes.not_supported(&at.child("unhealthyPodEvictionPolicy"), policy, &supported);
    }
}
