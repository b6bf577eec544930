//! Where a pod may run: affinities, tolerations, spreading.

use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::rules::selectors;
use crate::sandbox::meta::{At, Causes, dns_label, label_key, label_value};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks `affinity`.
pub(super) fn affinity(causes: &mut Causes, spec: &Value, at: &At) {
    let affinity = &spec["affinity"];
    if let Some(nodes) = affinity.some("nodeAffinity") {
        let at = at.child("nodeAffinity");
        if let Some(required) = nodes.some(REQUIRED) {
            selectors::check_nodes(causes, required, &at.child(REQUIRED));
        }
        for (index, term) in nodes.items(PREFERRED).iter().enumerate() {
            let at = at.child(PREFERRED).index(index);
            weight(causes, term, &at);
            selectors::node_term(causes, &term["preference"], false, &at.child("preference"));
        }
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let at = at.child(kind);
        for (index, term) in affinity[kind].items(REQUIRED).iter().enumerate() {
            pod_term(causes, term, &at.child(REQUIRED).index(index));
        }
        for (index, term) in affinity[kind].items(PREFERRED).iter().enumerate() {
            let at = at.child(PREFERRED).index(index);
            weight(causes, term, &at);
            pod_term(causes, &term["podAffinityTerm"], &at.child("podAffinityTerm"));
        }
    }
}

fn weight(causes: &mut Causes, term: &Value, at: &At) {
    let weight = term.int("weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        causes.invalid(&at.child("weight"), weight, "must be in the range 1-100");
    }
}

fn pod_term(causes: &mut Causes, term: &Value, at: &At) {
    selectors::check(causes, &term["labelSelector"], &at.child("labelSelector"));
    selectors::check(causes, &term["namespaceSelector"], &at.child("namespaceSelector"));
    for name in term.items("namespaces").iter().filter_map(Value::as_str) {
        causes.each_invalid(&at.child("namespace"), name, &dns_label(name));
    }
    let key = term.text("topologyKey");
    if key.is_empty() {
        causes.required(&at.child("topologyKey"), "can not be empty");
    }
    causes.each_invalid(&at.child("topologyKey"), key, &label_key(key));
}

/// Checks `tolerations`.
pub(super) fn tolerations(causes: &mut Causes, spec: &Value, at: &At) {
    for (index, one) in spec.items("tolerations").iter().enumerate() {
        let at = at.index(index);
        let (key, operator) = (one.text("key"), one.text("operator"));
        let (value, effect) = (one.text("value"), one.text("effect"));
        let at_operator = at.child("operator");
        if key.is_empty() {
            if operator != "Exists" {
                let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                causes.invalid(&at_operator, operator, detail);
            }
        } else {
            causes.each_invalid(&at.child("key"), key, &label_key(key));
        }
        if one.some("tolerationSeconds").is_some() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            causes.invalid(&at.child("effect"), effect, detail);
        }
        match operator {
            "Equal" | "" => {
                let wrong = label_value(value);
                if !wrong.is_empty() {
                    causes.invalid(&at_operator, value, &wrong.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                causes.invalid(&at_operator, value, "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            "Lt" | "Gt" => {
                causes.not_supported(&at_operator, operator, &["Equal", "Exists", "Lt", "Gt"]);
            }
            other => causes.not_supported(&at_operator, other, &["Equal", "Exists"]),
        }
        if !matches!(effect, "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            let supported = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
            causes.not_supported(&at.child("effect"), effect, &supported);
        }
    }
}

/// Checks `topologySpreadConstraints`.
pub(super) fn spread(causes: &mut Causes, spec: &Value, at: &At) {
    let all = spec.items("topologySpreadConstraints");
    for (index, one) in all.iter().enumerate() {
        let at = at.index(index);
        let skew = one.int("maxSkew").unwrap_or_default();
        if skew <= 0 {
            causes.invalid(&at.child("maxSkew"), skew, "must be greater than zero");
        }
        let (key, action) = (one.text("topologyKey"), one.text("whenUnsatisfiable"));
        if key.is_empty() {
            causes.required(&at.child("topologyKey"), "can not be empty");
        }
        if !matches!(action, "DoNotSchedule" | "ScheduleAnyway") {
            let at = at.child("whenUnsatisfiable");
            causes.not_supported(&at, action, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        let is_same =
            |other: &Value| other.text("topologyKey") == key && other.text("whenUnsatisfiable") == action;
        if all[index + 1..].iter().any(is_same) {
            let at = at.child("{topologyKey, whenUnsatisfiable}");
            causes.duplicate(&at, format!("{{{key}, {action}}}"));
        }
        if let Some(domains) = one.int("minDomains") {
            let at = at.child("minDomains");
            if domains <= 0 {
                causes.invalid(&at, domains, "must be greater than zero");
            }
            if action != "DoNotSchedule" {
                let detail =
                    format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                causes.invalid(&at, domains, &detail);
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = one.some(field).and_then(Value::as_str)
                && !matches!(policy, "Honor" | "Ignore")
            {
                causes.not_supported(&at.child(field), policy, &["Honor", "Ignore"]);
            }
        }
        selectors::check(causes, &one["labelSelector"], &at.child("labelSelector"));
    }
}
