//! Kinds with few rules: `PriorityClass`, Lease, `LimitRange`, Event.

use std::collections::BTreeSet;

use serde_json::Value;

use super::amounts;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, label_key};

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
