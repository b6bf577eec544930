//! `podFailurePolicy` of a Job.

use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, label_key};

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
/// Rules of a policy, and patterns of a rule.
const MOST: usize = 20;
const MOST_CODES: usize = 255;

/// Checks the policy in a Job's `spec`, if there is one.
pub(super) fn check(causes: &mut Causes, spec: &Value, at: &At) {
    let Some(policy) = spec.some("podFailurePolicy") else { return };
    let at = at.child("podFailurePolicy.rules");
    let rules = policy.items("rules");
    if rules.len() > MOST {
        causes.too_many(&at, rules.len(), MOST);
    }
    for (index, rule) in rules.iter().enumerate() {
        check_rule(causes, spec, rule, &at.index(index));
    }
}

fn one_of(causes: &mut Causes, at: &At, value: &str, known: &[&str]) {
    if value.is_empty() {
        let quoted: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
        causes.required(at, &format!("valid values: [{}]", quoted.join(" ")));
    } else if !known.contains(&value) {
        causes.not_supported(at, value, known);
    }
}

fn check_rule(causes: &mut Causes, spec: &Value, rule: &Value, at: &At) {
    let action = rule.text("action");
    if action == "FailIndex" {
        if spec.some("backoffLimitPerIndex").is_none() {
            causes.invalid(&at.child("action"), action, "requires the backoffLimitPerIndex to be set");
        }
    } else {
        one_of(causes, &at.child("action"), action, &ACTIONS);
    }
    let codes = rule.some("onExitCodes");
    if let Some(codes) = codes {
        check_codes(causes, spec, codes, &at.child("onExitCodes"));
    }
    let patterns = rule.items("onPodConditions");
    let at_patterns = at.child("onPodConditions");
    if patterns.len() > MOST {
        causes.too_many(&at_patterns, patterns.len(), MOST);
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let at = at_patterns.index(index);
        let condition = pattern.text("type");
        causes.each_invalid(&at.child("type"), condition, &label_key(condition));
        one_of(causes, &at.child("status"), pattern.text("status"), &STATUSES);
    }
    let detail = match (codes.is_some(), patterns.is_empty()) {
        (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    causes.invalid_unshown(at, detail);
}

fn check_codes(causes: &mut Causes, spec: &Value, codes: &Value, at: &At) {
    let operator = codes.text("operator");
    one_of(causes, &at.child("operator"), operator, &OPERATORS);
    if let Some(name) = codes.some("containerName").and_then(Value::as_str) {
        let pod = &spec["template"]["spec"];
        let mut containers = pod.items("containers").iter().chain(pod.items("initContainers"));
        if !containers.any(|container| container.text("name") == name) {
            let detail = "must be one of the container or initContainer names in the pod template";
            causes.invalid(&at.child("containerName"), name, detail);
        }
    }
    let at_values = at.child("values");
    let values = codes.items("values");
    if values.is_empty() {
        causes.invalid(&at_values, codes["values"].clone(), "at least one value is required");
    } else if values.len() > MOST_CODES {
        causes.too_many(&at_values, values.len(), MOST_CODES);
    }
    for (index, value) in values.iter().enumerate() {
        let at = at_values.index(index);
        if operator == "In" && value == 0 {
            causes.invalid(&at, 0, "must not be 0 for the In operator");
        }
        if values[..index].contains(value) {
            causes.duplicate(&at, value.clone());
        }
    }
    if !values.iter().map(Value::as_i64).is_sorted() {
        causes.invalid(&at_values, codes["values"].clone(), "must be ordered");
    }
}
