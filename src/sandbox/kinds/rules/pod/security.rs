//! Security contexts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::volumes::descending;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, in_range};

const MOST_ID: i64 = i32::MAX as i64;

fn id(causes: &mut Causes, context: &Value, field: &str, at: &At) {
    if let Some(id) = context.int(field) {
        for detail in in_range(id, 0, MOST_ID) {
            causes.invalid(&at.child(field), id, &detail);
        }
    }
}

fn one_of(causes: &mut Causes, context: &Value, field: &str, supported: &[&str], at: &At) {
    if let Some(value) = context.some(field).and_then(Value::as_str)
        && !supported.contains(&value)
    {
        causes.not_supported(&at.child(field), value, supported);
    }
}

/// Checks the context of a container.
pub(super) fn of_container(causes: &mut Causes, container: &Value, at: &At) {
    let Some(context) = container.some("securityContext") else { return };
    id(causes, context, "runAsUser", at);
    id(causes, context, "runAsGroup", at);
    one_of(causes, context, "procMount", &["Default", "Unmasked"], at);
    profile(causes, context, "seccompProfile", at);
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        if context.flag("privileged") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            causes.invalid_text(at, &internal(context), detail);
        }
        if context["capabilities"].items("add").iter().any(|name| name == "CAP_SYS_ADMIN") {
            let detail =
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            causes.invalid_text(at, &internal(context), detail);
        }
    }
    profile(causes, context, "appArmorProfile", at);
}

/// A context as the server's own type prints it in messages.
fn internal(context: &Value) -> String {
    let field = |name: &str| context.get(name).cloned().unwrap_or(Value::Null);
    let list = |name: &str| context["capabilities"].get(name).cloned().unwrap_or(Value::Null);
    let capabilities = if context.some("capabilities").is_some() {
        format!("{{\"Add\":{},\"Drop\":{}}}", list("add"), list("drop"))
    } else {
        "null".to_owned()
    };
    format!(
        "{{\"Capabilities\":{capabilities},\"Privileged\":{},\"SELinuxOptions\":{},\"WindowsOptions\":{},\
         \"RunAsUser\":{},\"RunAsGroup\":{},\"RunAsNonRoot\":{},\"ReadOnlyRootFilesystem\":{},\
         \"AllowPrivilegeEscalation\":{},\"ProcMount\":{},\"SeccompProfile\":{},\"AppArmorProfile\":{}}}",
        field("privileged"),
        field("seLinuxOptions"),
        field("windowsOptions"),
        field("runAsUser"),
        field("runAsGroup"),
        field("runAsNonRoot"),
        field("readOnlyRootFilesystem"),
        field("allowPrivilegeEscalation"),
        field("procMount"),
        field("seccompProfile"),
        field("appArmorProfile"),
    )
}

fn profile(causes: &mut Causes, context: &Value, field: &str, at: &At) {
    let Some(profile) = context.some(field) else { return };
    let at = at.child(field);
    let is_seccomp = field == "seccompProfile";
    let of_type = profile.text("type");
    match of_type {
        "" => causes.required(&at.child("type"), "type is required when seccompProfile is set"),
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        other => {
            causes.not_supported(&at.child("type"), other, &["Localhost", "RuntimeDefault", "Unconfined"]);
        }
    }
    let local = profile.some("localhostProfile").and_then(Value::as_str);
    let what = if is_seccomp { "seccomp" } else { "AppArmor" };
    match (of_type, local) {
        ("Localhost", None) => {
            let detail = format!("must be set when {what} type is Localhost");
            causes.required(&at.child("localhostProfile"), &detail);
        }
        ("Localhost", Some(path)) if is_seccomp => {
            descending(causes, path, &at.child("localhostProfile"));
        }
        ("Localhost", Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let detail = format!("can only be set when {what} type is Localhost");
            causes.invalid(&at.child("localhostProfile"), profile.clone(), &detail);
        }
    }
}

/// Checks the context of a pod.
pub(super) fn of_pod(causes: &mut Causes, spec: &Value, at: &At) {
    let context = &spec["securityContext"];
    id(causes, context, "fsGroup", at);
    id(causes, context, "runAsUser", at);
    id(causes, context, "runAsGroup", at);
    for (index, group) in context.items("supplementalGroups").iter().filter_map(Value::as_i64).enumerate() {
        for detail in in_range(group, 0, MOST_ID) {
            causes.invalid(&at.child("supplementalGroups").index(index), group, &detail);
        }
    }
    let mut names = BTreeSet::new();
    for (index, sysctl) in context.items("sysctls").iter().enumerate() {
        let (name, at) = (sysctl.text("name"), at.child("sysctls").index(index).child("name"));
        if name.is_empty() {
            causes.required(&at, "");
        } else if !names.insert(name) {
            causes.duplicate(&at, name);
        }
    }
    one_of(causes, context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], at);
    profile(causes, context, "seccompProfile", at);
    one_of(causes, context, "supplementalGroupsPolicy", &["Merge", "Strict"], at);
    profile(causes, context, "appArmorProfile", at);
}
