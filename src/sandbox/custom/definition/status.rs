//! What the API server's own controllers write into the status of a definition (`k8s.io/apiextensions-apiserver`
//! `pkg/controller/status`, `establish`, `apiapproval`, `finalizer`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::approval::{self, State};
use crate::sandbox::fault;

/// A condition's status, reason and message.
pub(in crate::sandbox) type Told = (&'static str, &'static str, &'static str);

/// `Terminating`: a DELETE was accepted.
pub(in crate::sandbox) const PENDING: Told = (
    "True",
    "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
);

/// `Terminating`: its objects are gone.
pub(in crate::sandbox) const COMPLETED: Told =
    ("False", "InstanceDeletionCompleted", "removed all instances");

/// The status the definition should have by now. `others` are all definitions; it may be among them.
pub(in crate::sandbox) fn status(definition: &Value, others: &[Arc<Value>], now: &str) -> Value {
    let mut status = definition["status"].clone();
    approve(definition, &mut status, now);
    if definition["spec"]["names"] != status["acceptedNames"] {
        accept_names(definition, others, &mut status, now);
    }
    let is_true = |status: &Value, name: &str| {
        find(status, name).is_some_and(|condition| condition["status"] == "True")
    };
    if is_true(&status, "NamesAccepted") && !is_true(&status, "Established") {
        let told = ("True", "InitialNamesAccepted", "the initial names have been accepted");
        set(&mut status, "Established", told, now);
    }
    status
}

/// Says in a definition's status how far its end has come.
pub(in crate::sandbox) fn terminating(definition: &mut Value, told: Told, now: &str) {
    set(&mut definition["status"], "Terminating", told, now);
}

fn find<'s>(status: &'s Value, name: &str) -> Option<&'s Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

fn set(status: &mut Value, name: &str, (value, reason, message): (&str, &str, &str), now: &str) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else {
        return;
    };
    let at = if let Some(at) = conditions.iter().position(|condition| condition["type"] == name) {
        at
    } else {
        conditions.push(json!({ "type": name }));
        conditions.len() - 1
    };
    let condition = &mut conditions[at];
    if condition["status"] != value {
        condition["lastTransitionTime"] = now.into();
    }
    condition["status"] = value.into();
    condition["reason"] = reason.into();
    condition["message"] = message.into();
}

fn approve(definition: &Value, status: &mut Value, now: &str) {
    const NAME: &str = "KubernetesAPIApprovalPolicyConformant";
    let Some((state, why)) = approval::state(definition) else {
        return;
    };
    let (value, reason) = match state {
        State::Invalid => ("False", "InvalidAnnotation"),
        State::Missing => ("False", "MissingAnnotation"),
        State::Approved => ("True", "ApprovedAnnotation"),
        State::Bypassed => ("False", "UnapprovedAnnotation"),
    };
    let same = find(status, NAME).is_some_and(|old| {
        old["status"] == value && old["reason"] == reason && old["message"] == why.as_str()
    });
    if !same {
        set(status, NAME, (value, reason, &why), now);
    }
}

fn accept_names(definition: &Value, others: &[Arc<Value>], status: &mut Value, now: &str) {
    let spec = &definition["spec"];
    let own = &definition["metadata"]["name"];
    let of_group = others
        .iter()
        .filter(|other| other["spec"]["group"] == spec["group"] && other["metadata"]["name"] != *own);
    let (mut resources, mut kinds): (Vec<&Value>, Vec<&Value>) = (Vec::new(), Vec::new());
    for other in of_group {
        let names = &other["status"]["acceptedNames"];
        resources.extend([&names["plural"], &names["singular"]]);
        resources.extend(names["shortNames"].as_array().into_iter().flatten());
        kinds.extend([&names["kind"], &names["listKind"]]);
    }
    let wanted = &spec["names"];
    let mut accepted = status["acceptedNames"].clone();
    // Of several conflicts, the last is told.
    let mut conflict: Option<(&str, String)> = None;
    for (key, used, reason) in [
        ("plural", &resources, "PluralConflict"),
        ("singular", &resources, "SingularConflict"),
        ("shortNames", &resources, "ShortNamesConflict"),
        ("kind", &kinds, "KindConflict"),
        ("listKind", &kinds, "ListKindConflict"),
    ] {
        let names = listed(&wanted[key]);
        let had = listed(&accepted[key]);
        let taken: Vec<String> = names
            .iter()
            .filter(|name| !had.contains(name) && used.contains(name))
            .map(|name| format!("{} is already in use", fault::go_json(name)))
            .collect();
        match taken.as_slice() {
            [] => accepted[key] = wanted[key].clone(),
            [one] => conflict = Some((reason, one.clone())),
            many => conflict = Some((reason, format!("[{}]", many.join(", ")))),
        }
    }
    accepted["categories"] = wanted["categories"].clone();
    if let Some(accepted) = accepted.as_object_mut() {
        accepted.retain(|_, value| !value.is_null());
    }
    status["acceptedNames"] = accepted;
    match conflict {
        Some((reason, why)) => {
            set(status, "NamesAccepted", ("False", reason, &why), now);
            if find(status, "Established").is_none() {
                let told = ("False", "NotAccepted", "not all names are accepted");
                set(status, "Established", told, now);
            }
        }
        None => set(status, "NamesAccepted", ("True", "NoConflicts", "no conflicts found"), now),
    }
}

/// A name, or several.
fn listed(names: &Value) -> Vec<&Value> {
    match names {
        Value::Null => Vec::new(),
        Value::Array(names) => names.iter().collect(),
        name => vec![name],
    }
}
