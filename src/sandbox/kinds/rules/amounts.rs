//! Amounts of resources.

use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, label_key};
use crate::schema::Quantity;

/// Compares two amounts; what is none counts as 0.
pub(super) fn compare(a: &Value, b: &Value) -> std::cmp::Ordering {
    quantity(a).cmp(&quantity(b))
}

fn quantity(value: &Value) -> Quantity {
    let zero = || Quantity::of(&0.into()).expect("0 is a quantity");
    if value.is_null() { zero() } else { Quantity::of(value).unwrap_or_else(|_| zero()) }
}

/// Checks that an amount is not below 0.
pub(super) fn non_negative(causes: &mut Causes, value: &Value, at: &At) {
    if compare(value, &Value::Null).is_lt() {
        causes.invalid(at, value.clone(), "must be greater than or equal to 0");
    }
}

/// Checks that an amount is above 0; whether it is.
pub(super) fn positive(causes: &mut Causes, value: &Value, at: &At) -> bool {
    let is_positive = compare(value, &Value::Null).is_gt();
    if !is_positive {
        causes.invalid(at, value.clone(), "must be greater than zero");
    }
    is_positive
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && label_key(&format!("requests.{name}")).is_empty()
}

fn is_huge(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Checks a name and an amount of `resources` of a container.
fn of_container(causes: &mut Causes, name: &str, amount: &Value, at: &At) {
    const STANDARD: [&str; 14] = [
        "cpu",
        "memory",
        "ephemeral-storage",
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "storage",
        "services.nodeports",
        "services.loadbalancers",
        "requests.storage",
    ];
    let wrong = label_key(name);
    causes.each_invalid(at, name, &wrong);
    if !name.contains('/') {
        let for_container = matches!(name, "cpu" | "memory" | "ephemeral-storage") || is_huge(name);
        if wrong.is_empty() && !for_container && !STANDARD.contains(&name) {
            causes.invalid(at, name, "must be a standard resource type or fully qualified");
        }
        if !for_container {
            causes.invalid(at, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        causes.invalid(at, name, "doesn't follow extended resource name standard");
    }
    non_negative(causes, amount, at);
    let text = amount.as_str().unwrap_or_default();
    if is_extended(name) && (text.ends_with(['n', 'u', 'm']) || text.contains('.')) {
        causes.invalid(at, amount.clone(), "must be an integer");
    }
}

/// Checks `resources` of a container.
pub(super) fn check(causes: &mut Causes, resources: &Value, at: &At) {
    let (at_limits, at_requests) = (at.child("limits"), at.child("requests"));
    let is_compute = |name: &str| matches!(name, "cpu" | "memory");
    for (name, amount) in resources.entries("limits") {
        of_container(causes, name, amount, &at_limits.key(name));
    }
    for (name, amount) in resources.entries("requests") {
        of_container(causes, name, amount, &at_requests.key(name));
        let can_overcommit = is_native(name) && !is_huge(name);
        let Some(limit) = resources["limits"].get(name) else {
            if !can_overcommit {
                causes.required(&at_limits, "Limit must be set for non overcommitable resources");
            }
            continue;
        };
        let order = compare(amount, limit);
        let shown = limit.as_str().unwrap_or_default();
        if order.is_ne() && !can_overcommit {
            let detail = format!("must be equal to {name} limit of {shown}");
            causes.invalid(&at_requests, amount.clone(), &detail);
        } else if order.is_gt() {
            let detail = format!("must be less than or equal to {name} limit of {shown}");
            causes.invalid(&at_requests, amount.clone(), &detail);
        }
    }
    let mut names = resources.entries("limits").chain(resources.entries("requests")).map(|(name, _)| name);
    let has_compute =
        resources.entries("limits").chain(resources.entries("requests")).any(|(n, _)| is_compute(n));
    if !has_compute && names.any(is_huge) {
        causes.forbidden(at, "HugePages require cpu or memory");
    }
}
