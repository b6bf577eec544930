//! Role, `ClusterRole` and their bindings.

use serde_json::Value;

use super::selectors;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_subdomain, path_segment, same};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks a Role.
pub(super) fn validate_role(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    rules(causes, object, true);
}

/// Checks a `ClusterRole`.
pub(super) fn validate_cluster_role(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    rules(causes, object, false);
    let Some(aggregation) = object.some("aggregationRule") else { return };
    let at = At::new("aggregationRule.clusterRoleSelectors");
    let all = aggregation.items("clusterRoleSelectors");
    if all.is_empty() {
        causes.required(&at, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (index, selector) in all.iter().enumerate() {
        selectors::check(causes, selector, &at.index(index));
    }
}

fn rules(causes: &mut Causes, object: &Value, namespaced: bool) {
    for (index, rule) in object.items("rules").iter().enumerate() {
        let at = At::new("rules").index(index);
        if rule.items("verbs").is_empty() {
            causes.declared(|causes| causes.required(&at.child("verbs"), ""));
        }
        let urls = rule.items("nonResourceURLs");
        if !urls.is_empty() {
            let at = at.child("nonResourceURLs");
            if namespaced {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                causes.invalid(&at, Value::from(urls), detail);
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !rule.items(field).is_empty()) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                causes.invalid(&at, Value::from(urls), detail);
            }
            continue;
        }
        if rule.items("apiGroups").is_empty() {
            causes.required(&at.child("apiGroups"), "resource rules must supply at least one api group");
        }
        if rule.items("resources").is_empty() {
            causes.required(&at.child("resources"), "resource rules must supply at least one resource");
        }
    }
}

/// Checks a `RoleBinding`.
pub(super) fn validate_binding(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    binding(causes, object, old, true);
}

/// Checks a `ClusterRoleBinding`.
pub(super) fn validate_cluster_binding(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    binding(causes, object, old, false);
}

fn binding(causes: &mut Causes, object: &Value, old: Option<&Value>, namespaced: bool) {
    let (role, at) = (&object["roleRef"], At::new("roleRef"));
    if role.text("apiGroup") != GROUP {
        causes.not_supported(&at.child("apiGroup"), role.text("apiGroup"), &[GROUP]);
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&role.text("kind")) {
        causes.not_supported(&at.child("kind"), role.text("kind"), kinds);
    }
    let name = role.text("name");
    causes.each_invalid(&at.child("name"), name, &path_segment(name));
    for (index, subject) in object.items("subjects").iter().enumerate() {
        check_subject(causes, subject, namespaced, &At::new("subjects").index(index));
    }
    if name.is_empty() {
        causes.declared(|causes| causes.required(&at.child("name"), ""));
    }
    if let Some(old) = old
        && !same(role, &old["roleRef"])
    {
        // The server's own type prints its fields in this order.
        let shown = format!(
            "{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}",
            role["apiGroup"], role["kind"], role["name"]
        );
        causes.invalid_text(&at, &shown, "field is immutable");
    }
}

fn check_subject(causes: &mut Causes, subject: &Value, namespaced: bool, at: &At) {
    let (name, group) = (subject.text("name"), subject.text("apiGroup"));
    if name.is_empty() {
        causes.declared(|causes| causes.required(&at.child("name"), ""));
    }
    match subject.text("kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                causes.each_invalid(&at.child("name"), name, &dns_subdomain(name));
            }
            if !group.is_empty() {
                causes.not_supported(&at.child("apiGroup"), group, &[""]);
            }
            if !namespaced && subject.text("namespace").is_empty() {
                causes.required(&at.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                causes.not_supported(&at.child("apiGroup"), group, &[GROUP]);
            }
        }
        other => causes.not_supported(&at.child("kind"), other, &["ServiceAccount", "User", "Group"]),
    }
}
