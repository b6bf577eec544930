//! Namespace and `ServiceAccount`.

use serde_json::{Value, json};

use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, label_key, label_value};
use crate::sandbox::resource::{Draw, Endpoint};

/// A new Namespace is active and waits for its content when it is deleted.
pub(super) fn prepare_namespace(object: &mut Value, _: &dyn Draw) {
    object["status"] = json!({ "phase": "Active" });
    let mut finalizers = object["spec"].items("finalizers").to_vec();
    if !finalizers.contains(&"kubernetes".into()) {
        finalizers.push("kubernetes".into());
    }
    object["spec"]["finalizers"] = finalizers.into();
}

/// Finalizers of a Namespace have an endpoint of their own.
pub(super) fn prepare_namespace_update(object: &mut Value, old: &Value, endpoint: Endpoint, _: &dyn Draw) {
    if endpoint == Endpoint::Main {
        object["spec"]["finalizers"] = old["spec"]["finalizers"].clone();
    }
}

/// Checks a Namespace.
pub(super) fn validate_namespace(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let at = At::new("spec.finalizers");
    for name in object["spec"].items("finalizers").iter().filter_map(Value::as_str) {
        causes.each_invalid(&at, name, &label_key(name));
        if !name.contains('/') && !matches!(name, "kubernetes" | "orphan" | "foregroundDeletion") {
            causes.invalid(&at, name, "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
}

/// The phase follows the deletion.
pub(super) fn validate_namespace_status(causes: &mut Causes, object: &Value, _: &Value) {
    let phase = object["status"].text("phase");
    let (is_right, detail) = if object["metadata"]["deletionTimestamp"].is_null() {
        (phase == "Active", "may only be 'Active' if `deletionTimestamp` is empty")
    } else {
        (phase == "Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty")
    };
    if !is_right {
        causes.invalid(&At::new("status.Phase"), phase, detail);
    }
}

/// A new Node takes no pods before it is ready; after the admission plugin `TaintNodesByCondition`.
pub(super) fn prepare_node(object: &mut Value, _: &dyn Draw) {
    const KEY: &str = "node.kubernetes.io/not-ready";
    let mut taints = object["spec"].items("taints").to_vec();
    let is_tainted = |taint: &Value| taint.text("key") == KEY && taint.text("effect") == "NoSchedule";
    if !taints.iter().any(is_tainted) {
        taints.push(json!({ "key": KEY, "effect": "NoSchedule" }));
        object["spec"]["taints"] = taints.into();
    }
}

/// Checks a Node. That its taints stand below `metadata` is the API server's own slip.
pub(super) fn validate_node(causes: &mut Causes, object: &Value, _: Option<&Value>) {
    let at = At::new("metadata.taints");
    let taints = object["spec"].items("taints");
    for (index, taint) in taints.iter().enumerate() {
        let at = at.index(index);
        let (key, value, effect) = (taint.text("key"), taint.text("value"), taint.text("effect"));
        causes.each_invalid(&at.child("key"), key, &label_key(key));
        let wrong = label_value(value);
        if !wrong.is_empty() {
            causes.invalid(&at.child("value"), value, &wrong.join(";"));
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if effect.is_empty() {
            causes.required(&at.child("effect"), "");
        } else if !effects.contains(&effect) {
            causes.not_supported(&at.child("effect"), effect, &effects);
        }
        if taints[..index].iter().any(|before| before.text("key") == key && before.text("effect") == effect) {
            causes.duplicate(&at, taint.clone());
        }
    }
}

/// Secrets of a `ServiceAccount` are kept by name alone.
pub(super) fn prepare_service_account(object: &mut Value) {
    for secret in object.get_mut("secrets").and_then(Value::as_array_mut).into_iter().flatten() {
        *secret = match secret.some("name") {
            Some(name) => json!({ "name": name }),
            None => json!({}),
        };
    }
}
