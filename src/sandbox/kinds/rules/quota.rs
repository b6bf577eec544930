//! `ResourceQuota`.

use serde_json::Value;

use super::amounts;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, label_key};

const EXISTS_ALONE: [&str; 5] =
    ["Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity"];
const OTHER_SCOPES: [&str; 2] = ["PriorityClass", "VolumeAttributesClass"];
const COMPUTE: [&str; 6] =
    ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
const STANDARD: [&str; 10] = [
    "ephemeral-storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

/// Checks a `ResourceQuota`.
pub(super) fn validate(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let at = At::new("spec.hard");
    for (name, amount) in object["spec"].entries("hard") {
        causes.each_invalid(&at.key(name), name, &label_key(name));
        amounts::non_negative(causes, amount, &at.key(name));
    }
    let spec = &object["spec"];
    check_scopes(causes, spec);
    check_selector(causes, spec);
    if let Some(old) = old {
        causes.immutable(&At::new("spec.scopes"), &object["spec"]["scopes"], &old["spec"]["scopes"]);
    }
}

/// What the sandbox does not do about quotas.
pub(super) fn warnings(_: &Value, _: Option<&Value>) -> Vec<String> {
    vec!["the sandbox keeps a ResourceQuota but does not enforce it".to_owned()]
}

fn is_scope(scope: &str) -> bool {
    EXISTS_ALONE.contains(&scope) || OTHER_SCOPES.contains(&scope)
}

/// Whether a scope says anything of a resource. Of what is no standard resource, every scope does.
fn applies(scope: &str, resource: &str) -> bool {
    let (is_pods, is_compute) = (resource == "pods", COMPUTE.contains(&resource));
    let is_claims = CLAIMS.contains(&resource);
    let is_standard = is_pods || is_compute || is_claims || STANDARD.contains(&resource);
    match scope {
        _ if !is_standard && !resource.starts_with("hugepages-") => true,
        "BestEffort" => is_pods,
        "VolumeAttributesClass" => is_claims,
        scope if is_scope(scope) => is_pods || is_compute,
        _ => true,
    }
}

fn check_scopes(causes: &mut Causes, spec: &Value) {
    let at = At::new("spec.scopes");
    let scopes: Vec<&str> = spec.items("scopes").iter().filter_map(Value::as_str).collect();
    for scope in &scopes {
        if !is_scope(scope) {
            causes.invalid(&at, spec["scopes"].clone(), "unsupported scope");
        }
        for (resource, _) in spec.entries("hard") {
            if !applies(scope, resource) {
                causes.invalid(&at, spec["scopes"].clone(), "unsupported scope applied to resource");
            }
        }
    }
    check_pairs(causes, &scopes, spec, &at);
}

fn check_pairs(causes: &mut Causes, scopes: &[&str], spec: &Value, at: &At) {
    for (one, other) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if scopes.contains(&one) && scopes.contains(&other) {
            causes.invalid(at, spec["scopes"].clone(), "conflicting scopes");
        }
    }
}

fn check_selector(causes: &mut Causes, spec: &Value) {
    let at = At::new("spec.scopeSelector.matchExpressions");
    let selector = &spec["scopeSelector"];
    let mut scopes = Vec::new();
    for one in selector.items("matchExpressions") {
        let (scope, operator) = (one.text("scopeName"), one.text("operator"));
        if !is_scope(scope) {
            causes.invalid(&at.child("scopeName"), scope, "unsupported scope");
        }
        for (resource, _) in spec.entries("hard") {
            if !applies(scope, resource) {
                causes.invalid(&at, selector.clone(), "unsupported scope applied to resource");
            }
        }
        let at_operator = at.child("operator");
        if EXISTS_ALONE.contains(&scope) && operator != "Exists" {
            let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
                ResourceQuotaScopeCrossNamespacePodAffinity";
            causes.invalid(&at_operator, operator, detail);
        }
        let has_values = !one.items("values").is_empty();
        let at_values = at.child("values");
        match operator {
            "In" | "NotIn" if !has_values => {
                let detail =
                    "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                causes.required(&at_values, detail);
            }
            "Exists" | "DoesNotExist" if has_values => {
                let detail =
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                causes.invalid(&at_values, one["values"].clone(), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.invalid(&at_operator, other, "not a valid selector operator"),
        }
        scopes.push(scope);
    }
    check_pairs(causes, &scopes, spec, &at);
}
