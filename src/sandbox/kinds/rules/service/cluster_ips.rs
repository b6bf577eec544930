//! The cluster addresses of a Service, their families, and how they may change.

use std::collections::BTreeSet;

use serde_json::Value;

use super::is_headless;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::rules::ip;
use crate::sandbox::meta::{At, Causes};

fn is_named(spec: &Value) -> bool {
    spec.text("type") == "ExternalName"
}

/// Checks what `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` say together.
pub(super) fn check(causes: &mut Causes, spec: &Value, old: Option<&Value>) {
    if is_named(spec) {
        return;
    }
    let at = At::new("spec.clusterIPs");
    let (first, list) = (spec.text("clusterIP"), spec.items("clusterIPs"));
    let shown = || Value::from(list);
    match (first.is_empty(), list.first()) {
        (false, None) => causes.required(&at, ""),
        (false, Some(other)) if other != first => {
            causes.invalid(&at, shown(), "first value must match `clusterIP`");
        }
        (true, Some(_)) => causes.invalid(&at, shown(), "must be empty when `clusterIP` is not specified"),
        _ => {}
    }
    let mut seen = BTreeSet::new();
    let at_families = At::new("spec.ipFamilies");
    let families: Vec<&str> = spec.items("ipFamilies").iter().filter_map(Value::as_str).collect();
    for (index, family) in families.iter().enumerate() {
        if !matches!(*family, "IPv4" | "IPv6") {
            causes.not_supported(&at_families.index(index), *family, &["IPv4", "IPv6"]);
        }
        if !seen.insert(family) {
            causes.duplicate(&at_families.index(index), *family);
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    if let Some(policy) = spec.some("ipFamilyPolicy").and_then(Value::as_str)
        && !policies.contains(&policy)
    {
        causes.not_supported(&At::new("spec.ipFamilyPolicy"), policy, &policies);
    }
    let known: Vec<&str> =
        old.map(|old| old.items("clusterIPs").iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let mut is_valid = true;
    for (index, address) in list.iter().filter_map(Value::as_str).enumerate() {
        if index == 0 && address == "None" {
            if list.len() > 1 {
                is_valid = false;
                causes.invalid(&at, shown(), "'None' must be the first and only value");
            }
            continue;
        }
        is_valid &= ip::check(causes, &at.index(index), address, &known);
    }
    if list.len() > 2 {
        causes.invalid(&at, shown(), "may only hold up to 2 values");
    }
    if !is_valid {
        return;
    }
    let is_v6 = |address: &Value| address.as_str().is_some_and(|address| address.contains(':'));
    if list.len() > 1 && list.iter().all(is_v6) | !list.iter().any(is_v6) {
        causes.invalid(&at, shown(), "may specify no more than one IP for each IP family");
    }
    if !is_headless(spec) {
        for (index, (address, family)) in list.iter().zip(&families).enumerate() {
            let wanted = if is_v6(address) { "IPv6" } else { "IPv4" };
            if matches!(*family, "IPv4" | "IPv6") && *family != wanted {
                let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
                causes.invalid(&at.index(index), address.clone(), &detail);
            }
        }
    }
}

/// Checks that a cluster with IPv4 alone can give the Service its addresses.
pub(super) fn check_stack(causes: &mut Causes, spec: &Value) {
    if is_named(spec) {
        return;
    }
    let at_policy = At::new("spec.ipFamilyPolicy");
    let policy = spec.text("ipFamilyPolicy");
    if policy == "SingleStack" {
        for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
            if spec.items(field).len() == 2 {
                let detail = format!(
                    "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                );
                causes.invalid(&at_policy, policy, &detail);
            }
        }
    }
    if is_headless(spec) && spec.entries("selector").next().is_none() {
        return;
    }
    if policy == "RequireDualStack" {
        causes.invalid(&at_policy, policy, "this cluster is not configured for dual-stack services");
    }
    for (index, family) in spec.items("ipFamilies").iter().enumerate() {
        if family == "IPv6" {
            let at = At::new("spec.ipFamilies").index(index);
            causes.invalid(&at, "IPv6", "not configured on this cluster");
        }
    }
}

/// Checks how the addresses change.
pub(super) fn check_change(causes: &mut Causes, spec: &Value, old: &Value) {
    if is_named(spec) || is_named(old) {
        return;
    }
    let (is_headless_now, was_headless) = (is_headless(spec), is_headless(old));
    if is_headless_now && was_headless {
        return;
    }
    once_set(causes, spec, old, "clusterIPs", "primary clusterIP can not be unset");
    if is_headless_now == was_headless {
        once_set(causes, spec, old, "ipFamilies", "primary ipFamily can not be unset");
    }
}

fn once_set(causes: &mut Causes, spec: &Value, old: &Value, field: &str, unset: &str) {
    let (now, was) = (spec.items(field), old.items(field));
    let at = At::new("spec").child(field);
    let shown = || Value::from(now);
    if now.len() == was.len() {
        for (index, _) in now.iter().zip(was).enumerate().filter(|(_, (now, was))| now != was) {
            let index = if field == "clusterIPs" { index } else { 0 };
            causes.invalid(&at.index(index), shown(), "may not change once set");
        }
        return;
    }
    match (now.first(), was.first()) {
        (None, Some(_)) => causes.invalid(&at.index(0), shown(), unset),
        (Some(now), Some(was)) if now != was => {
            causes.invalid(&at.index(0), shown(), "may not change once set");
        }
        _ => {}
    }
    if was.len() > now.len() && now.len() == 1 && spec.text("ipFamilyPolicy") != "SingleStack" {
        let what = if field == "clusterIPs" { "clusterIP" } else { "ipFamily" };
        let detail = format!("must be set to 'SingleStack' when releasing the secondary {what}");
        causes.invalid(&At::new("spec.ipFamilyPolicy"), spec["ipFamilyPolicy"].clone(), &detail);
    }
}
