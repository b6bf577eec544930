//! Selectors of labels and of nodes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_subdomain, label_key, label_value, labels};

/// Checks a label selector.
pub(super) fn check(causes: &mut Causes, selector: &Value, at: &At) {
    labels(causes, &selector["matchLabels"], &at.child("matchLabels"));
    for (index, one) in selector.items("matchExpressions").iter().enumerate() {
        expression(causes, one, &at.child("matchExpressions").index(index));
    }
}

fn expression(causes: &mut Causes, one: &Value, at: &At) {
    let values = one.items("values");
    match one.text("operator") {
        "In" | "NotIn" if values.is_empty() => {
            causes.required(&at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            causes.forbidden(&at.child("values"), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => causes.invalid(&at.child("operator"), other, "not a valid selector operator"),
    }
    let key = one.text("key");
    causes.each_invalid(&at.child("key"), key, &label_key(key));
    for (index, value) in values.iter().filter_map(Value::as_str).enumerate() {
        causes.each_invalid(&at.child("values").index(index), value, &label_value(value));
    }
}

/// Whether a selector says nothing.
pub(super) fn is_empty(selector: &Value) -> bool {
    selector.entries("matchLabels").next().is_none() && selector.items("matchExpressions").is_empty()
}

/// Whether a selector can be read as one, and if so, whether it selects these labels.
pub(super) fn selects(selector: &Value, labels: &Value) -> Option<bool> {
    if selector.is_null() {
        // No selector selects nothing; an empty one everything.
        return Some(false);
    }
    let labels: BTreeMap<&str, &str> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    let mut causes = Causes::default();
    check(&mut causes, selector, &At::new(""));
    if causes.len() > 0 {
        return None;
    }
    let pairs =
        selector.entries("matchLabels").all(|(key, value)| labels.get(key).copied() == value.as_str());
    let expressions = selector.items("matchExpressions").iter().all(|one| {
        let value = labels.get(one.text("key"));
        let is_listed = value.is_some_and(|value| one.items("values").iter().any(|other| other == value));
        match one.text("operator") {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    });
    Some(pairs && expressions)
}

/// Checks a selector of nodes.
pub(super) fn check_nodes(causes: &mut Causes, selector: &Value, at: &At) {
    let at = at.child("nodeSelectorTerms");
    let terms = selector.items("nodeSelectorTerms");
    if terms.is_empty() {
        causes.required(&at, "must have at least one node selector term");
    }
    for (index, term) in terms.iter().enumerate() {
        node_term(causes, term, true, &at.index(index));
    }
}

/// Checks one term of a selector of nodes.
pub(super) fn node_term(causes: &mut Causes, term: &Value, checks_values: bool, at: &At) {
    for (index, one) in term.items("matchExpressions").iter().enumerate() {
        let at = at.child("matchExpressions").index(index);
        let values = one.items("values");
        match one.text("operator") {
            "In" | "NotIn" if values.is_empty() => {
                causes.required(&at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                causes.forbidden(&at.child("values"), detail);
            }
            "Gt" | "Lt" if values.len() != 1 => {
                let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                causes.required(&at.child("values"), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => causes.invalid(&at.child("operator"), other, "not a valid selector operator"),
        }
        let key = one.text("key");
        causes.each_invalid(&at.child("key"), key, &label_key(key));
        if checks_values {
            for (index, value) in values.iter().filter_map(Value::as_str).enumerate() {
                causes.each_invalid(&at.child("values").index(index), value, &label_value(value));
            }
        }
    }
    for (index, one) in term.items("matchFields").iter().enumerate() {
        let at = at.child("matchFields").index(index);
        match one.text("operator") {
            "In" | "NotIn" if one.items("values").len() != 1 => {
                let detail =
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                causes.required(&at.child("values"), detail);
            }
            "In" | "NotIn" => {}
            other => causes.invalid(&at.child("operator"), other, "not a valid selector operator"),
        }
        if one.text("key") == "metadata.name" {
            for (index, value) in one.items("values").iter().filter_map(Value::as_str).enumerate() {
                causes.each_invalid(&at.child("values").index(index), value, &dns_subdomain(value));
            }
        } else {
            causes.invalid(&at.child("key"), one.text("key"), "not a valid field selector key");
        }
    }
}
