//! Pods themselves, as against templates of them.

use serde_json::{Map, Value, json};

use super::check_spec;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::look::map_mut;
use crate::sandbox::kinds::rules::amounts::compare;
use crate::sandbox::meta::{At, Causes, same};
use crate::sandbox::resource::{Draw, Endpoint};

/// A new Pod is pending and has a priority.
pub(in super::super) fn prepare_create(object: &mut Value, draw: &dyn Draw) {
    let spec = &mut object["spec"];
    priority(spec, draw);
    tolerate(spec);
    let class = quality(spec);
    object["status"] = json!({ "phase": "Pending", "qosClass": class });
}

/// What a client leaves out of a changed Pod, it has all the same.
pub(in super::super) fn prepare_update(object: &mut Value, old: &Value, endpoint: Endpoint, _: &dyn Draw) {
    if endpoint != Endpoint::Main {
        return;
    }
    let spec = &mut object["spec"];
    for field in ["priority", "preemptionPolicy"] {
        if spec[field].is_null() {
            spec[field] = old["spec"][field].clone();
        }
    }
    tolerate(spec);
}

/// Tolerates that the node is away for five minutes; after the admission plugin `DefaultTolerationSeconds`.
fn tolerate(spec: &mut Value) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let mut tolerations = spec.items("tolerations").to_vec();
        let is_tolerated = tolerations.iter().any(|one| {
            (one.text("key") == key || (one.text("key").is_empty() && one.text("operator") == "Exists"))
                && matches!(one.text("effect"), "" | "NoExecute")
        });
        if !is_tolerated {
            let toleration =
                json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
            tolerations.push(toleration);
            spec["tolerations"] = tolerations.into();
        }
    }
}

/// The number behind `priorityClassName`, or that of the class for all; after the admission plugin `Priority`.
fn priority(spec: &mut Value, draw: &dyn Draw) {
    let classes = draw.all("scheduling.k8s.io", "priorityclasses");
    let name = spec.text("priorityClassName").to_owned();
    let class = if name.is_empty() {
        classes.iter().find(|class| class.flag("globalDefault"))
    } else {
        classes.iter().find(|class| class["metadata"].text("name") == name)
    };
    let (value, policy) = match (class, name.as_str()) {
        (Some(class), _) => {
            (class.int("value").unwrap_or_default(), class.text("preemptionPolicy").to_owned())
        }
        (None, "system-cluster-critical") => (2_000_000_000, String::new()),
        (None, "system-node-critical") => (2_000_001_000, String::new()),
        (None, _) => (0, String::new()),
    };
    if let Some(class) = class {
        spec["priorityClassName"] = class["metadata"]["name"].clone();
    }
    spec["priority"] = value.into();
    if spec.text("preemptionPolicy").is_empty() {
        spec["preemptionPolicy"] =
            if policy.is_empty() { "PreemptLowerPriority".into() } else { policy.into() };
    }
}

/// `status.qosClass`.
fn quality(spec: &Value) -> &'static str {
    let containers = || spec.items("containers").iter().chain(spec.items("initContainers"));
    let amounts = |container: &Value, kind: &str| -> Map<String, Value> {
        let is_compute = |name: &str| matches!(name, "cpu" | "memory");
        let is_set = |amount: &Value| compare(amount, &Value::Null).is_gt();
        let all = container["resources"][kind].as_object().cloned().unwrap_or_default();
        all.into_iter().filter(|(name, amount)| is_compute(name) && is_set(amount)).collect()
    };
    let has_any =
        containers().any(|one| !amounts(one, "requests").is_empty() || !amounts(one, "limits").is_empty());
    let is_guaranteed = containers().all(|one| {
        let limits = amounts(one, "limits");
        limits.len() == 2
            && amounts(one, "requests").iter().all(|(name, amount)| compare(amount, &limits[name]).is_eq())
    });
    match (has_any, is_guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Checks a Pod.
pub(in super::super) fn validate(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let at = At::new("spec");
    if let Some(old) = old {
        return change(causes, &object["spec"], &old["spec"], &at);
    }
    check_spec(causes, &object["spec"], true, &at);
    for group in ["containers", "initContainers"] {
        for (index, container) in object["spec"].items(group).iter().enumerate() {
            let image = container.text("image");
            if image.trim() != image {
                let at = at.child(group).index(index).child("image");
                causes.invalid(&at, image, "must not have leading or trailing whitespace");
            }
        }
    }
}

/// What may change in the spec of a Pod.
fn change(causes: &mut Causes, spec: &Value, old: &Value, at: &At) {
    const WHY: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                       `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
                       additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set \
                       to 1 if it was previously negative)";
    for group in ["containers", "initContainers"] {
        if spec.items(group).len() != old.items(group).len() {
            causes.forbidden(&at.child(group), "pod updates may not add or remove containers");
            return;
        }
        for (index, container) in spec.items(group).iter().enumerate() {
            if container.text("image").is_empty() {
                causes.required(&at.child(group).index(index).child("image"), "");
            }
        }
    }
    let (now, was) = (spec.int("activeDeadlineSeconds"), old.int("activeDeadlineSeconds"));
    let at_deadline = at.child("activeDeadlineSeconds");
    match (now, was) {
        (Some(now), Some(was)) if now > was => {
            causes.invalid(&at_deadline, now, "must be less than or equal to previous value");
        }
        (None, Some(_)) => {
            causes.invalid(&at_deadline, Value::Null, "must not update from a positive integer to nil value");
        }
        _ => {}
    }
    let kept = old.items("tolerations").iter().all(|one| {
        spec.items("tolerations").iter().any(|other| {
            let strip = |one: &Value| {
                let mut one = one.clone();
                one["tolerationSeconds"] = Value::Null;
                one
            };
            strip(one) == strip(other)
        })
    });
    if !kept {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        causes.forbidden(&at.child("tolerations"), detail);
    }
    let mut rest = spec.clone();
    for field in ["activeDeadlineSeconds", "tolerations"] {
        rest[field] = old[field].clone();
    }
    for group in ["containers", "initContainers"] {
        for (index, container) in old.items(group).iter().enumerate() {
            rest[group][index]["image"] = container["image"].clone();
        }
    }
    if !same(&rest, old) {
        causes.forbidden(at, WHY);
    }
}

/// Seconds a Pod may take to end.
pub(in super::super) fn grace_period(object: &Value) -> u64 {
    let spec = &object["spec"];
    let is_placed = !spec.text("nodeName").is_empty();
    let is_over = matches!(object["status"].text("phase"), "Failed" | "Succeeded");
    if !is_placed || is_over {
        return 0;
    }
    spec.int("terminationGracePeriodSeconds").and_then(|seconds| seconds.try_into().ok()).unwrap_or_default()
}

/// Gives the object the map of labels, made if there is none.
pub(in super::super) fn labels_of(template: &mut Value) -> &mut Map<String, Value> {
    map_mut(map_field(template), "labels")
}

fn map_field(template: &mut Value) -> &mut Value {
    map_mut(template, "metadata");
    &mut template["metadata"]
}
