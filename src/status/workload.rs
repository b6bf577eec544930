//! Deployments, `StatefulSets`, `DaemonSets`, `ReplicaSets`, Jobs, Pods.

use serde_json::Value;

use super::{Condition, Context, State, Status, condition, flag, number, text};
use crate::object::Object;

/// `n of m what`, while n is less.
fn short(have: i64, want: i64, reason: &str, what: &str) -> Option<Status> {
    (have < want).then(|| Status::in_progress(reason, format!("{have} of {want} {what}")))
}

/// These controllers always publish the generation they saw.
fn unobserved(object: &Object) -> Option<Status> {
    number(object, "/status/observedGeneration")
        .is_none()
        .then(|| Status::in_progress("NoStatus", "no controller has looked at it yet"))
}

pub(super) fn deployment(object: &Object, context: &Context) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    if let Some(progressing) =
        condition(object, "Progressing").filter(|c| c.reason == "ProgressDeadlineExceeded")
    {
        return Status::by(State::Failed, &progressing);
    }
    let want = number(object, "/spec/replicas").unwrap_or(1);
    let is = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let (replicas, updated) = (is("replicas"), is("updatedReplicas"));
    let status = short(updated, want, "Updating", "replicas updated")
        .or_else(|| {
            let old = replicas - updated;
            (old > 0).then(|| Status::in_progress("Terminating", format!("{old} old replicas still there")))
        })
        .or_else(|| short(is("availableReplicas"), want, "Unavailable", "replicas available"))
        .or_else(|| short(is("readyReplicas"), want, "NotReady", "replicas ready"));
    let Some(status) = status else {
        return match condition(object, "Available") {
            Some(available) if available.is_false() => Status::by(State::InProgress, &available),
            _ => Status::ready("Available", format!("{want} replicas available")),
        };
    };
    if flag(object, "/spec/paused") {
        let message = format!("spec.paused is true; {}", status.message);
        return if context.suspended_by_stack {
            Status::accepted("Paused", message)
        } else {
            Status::failed("Paused", message)
        };
    }
    // A replica that cannot be made (quota, admission) says why.
    match condition(object, "ReplicaFailure").filter(Condition::is_true) {
        Some(failure) => Status::by(State::InProgress, &failure),
        None => status,
    }
}

pub(super) fn stateful_set(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return Status::ready("OnDelete", "pods are replaced when they are deleted");
    }
    let want = number(object, "/spec/replicas").unwrap_or(1);
    let is = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let partition = number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let status = short(is("replicas"), want, "Scaling", "replicas made")
        .or_else(|| short(is("readyReplicas"), want, "NotReady", "replicas ready"))
        .or_else(|| {
            let extra = is("currentReplicas").max(is("replicas")) - want;
            (extra > 0).then(|| Status::in_progress("Terminating", format!("{extra} replicas too many")))
        });
    if let Some(status) = status {
        return status;
    }
    if partition > 0 {
        let share = (want - partition).max(0);
        return short(is("updatedReplicas"), share, "Updating", "replicas updated").unwrap_or_else(|| {
            Status::ready("PartitionReady", format!("{share} replicas updated, as its partition says"))
        });
    }
    if text(object, "/status/currentRevision") != text(object, "/status/updateRevision") {
        let updated = is("updatedReplicas");
        return Status::in_progress("Updating", format!("{updated} of {want} replicas updated"));
    }
    Status::ready("Available", format!("{want} replicas ready"))
}

pub(super) fn daemon_set(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    let is = |field: &str| number(object, &format!("/status/{field}"));
    let Some(want) = is("desiredNumberScheduled") else {
        return Status::in_progress("NoStatus", "how many nodes it runs on is not known yet");
    };
    let is = |field: &str| is(field).unwrap_or(0);
    let on_delete = text(object, "/spec/updateStrategy/type") == "OnDelete";
    short(is("currentNumberScheduled"), want, "Scheduling", "pods scheduled")
        .or_else(|| {
            if on_delete {
                None
            } else {
                short(is("updatedNumberScheduled"), want, "Updating", "pods updated")
            }
        })
        .or_else(|| short(is("numberAvailable"), want, "Unavailable", "pods available"))
        .or_else(|| short(is("numberReady"), want, "NotReady", "pods ready"))
        .unwrap_or_else(|| Status::ready("Available", format!("{want} pods available")))
}

pub(super) fn replica_set(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    if let Some(failure) = condition(object, "ReplicaFailure").filter(Condition::is_true) {
        return Status::by(State::InProgress, &failure);
    }
    let want = number(object, "/spec/replicas").unwrap_or(1);
    let is = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    let extra = is("replicas") - want;
    short(is("fullyLabeledReplicas"), want, "Scaling", "replicas made")
        .or_else(|| short(is("availableReplicas"), want, "Unavailable", "replicas available"))
        .or_else(|| short(is("readyReplicas"), want, "NotReady", "replicas ready"))
        .or_else(|| {
            (extra > 0).then(|| Status::in_progress("Terminating", format!("{extra} replicas too many")))
        })
        .unwrap_or_else(|| Status::ready("Available", format!("{want} replicas available")))
}

/// A Job works when it is done: what depends on a migration needs it done, not started (as Flux's own rule, and
/// unlike kstatus').
pub(super) fn job(object: &Object, context: &Context) -> Status {
    let is = |kind| condition(object, kind).filter(Condition::is_true);
    if let Some(failed) = is("Failed").or_else(|| is("FailureTarget")) {
        return Status::by(State::Failed, &failed);
    }
    if let Some(complete) = is("Complete") {
        return Status { reason: "Complete".to_owned(), ..Status::by(State::Ready, &complete) };
    }
    if flag(object, "/spec/suspend") {
        let message = "spec.suspend is true: it does not run";
        return if context.suspended_by_stack {
            Status::accepted("Suspended", message)
        } else {
            Status::failed("Suspended", message)
        };
    }
    let is = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
    if text(object, "/status/startTime").is_empty() {
        return Status::in_progress("NotStarted", "not started yet");
    }
    let want = number(object, "/spec/completions").unwrap_or(1);
    Status {
        since: Some(text(object, "/status/startTime").to_owned()),
        ..Status::in_progress(
            "Running",
            format!("{} of {want} done, {} running, {} failed", is("succeeded"), is("active"), is("failed")),
        )
    }
}

/// Reasons a container waits for that only a change of something else ends.
const STUCK: &[&str] = &["CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

pub(super) fn pod(object: &Object) -> Status {
    let waiting = |pointer: &str| -> Option<(String, String, String)> {
        let list = object.0.pointer(pointer)?.as_array()?;
        list.iter().find_map(|container| {
            let state = container.pointer("/state/waiting")?;
            let text = |value: &Value, key: &str| {
                value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let reason = text(state, "reason");
            let normal = ["", "ContainerCreating", "PodInitializing"].contains(&reason.as_str());
            (!normal).then(|| (text(container, "name"), reason, text(state, "message")))
        })
    };
    match text(object, "/status/phase") {
        "Succeeded" => return Status::ready("Succeeded", "it ran to its end"),
        "Failed" => {
            let (reason, message) = (text(object, "/status/reason"), text(object, "/status/message"));
            return Status::failed(if reason.is_empty() { "Failed" } else { reason }, message);
        }
        _ => {}
    }
    if let Some(ready) = condition(object, "Ready").filter(Condition::is_true) {
        return Status { reason: "Ready".to_owned(), ..Status::by(State::Ready, &ready) };
    }
    let found = waiting("/status/initContainerStatuses").or_else(|| waiting("/status/containerStatuses"));
    if let Some((container, reason, message)) = found {
        let message = if message.is_empty() {
            format!("container {container}")
        } else {
            format!("container {container}: {message}")
        };
        return if STUCK.contains(&reason.as_str()) {
            Status::failed(&reason, message)
        } else {
            Status::in_progress(&reason, message)
        };
    }
    for kind in ["PodScheduled", "Initialized", "Ready", "ContainersReady"] {
        if let Some(condition) = condition(object, kind).filter(super::Condition::is_false) {
            return Status::by(State::InProgress, &condition);
        }
    }
    let phase = text(object, "/status/phase");
    Status::in_progress(if phase.is_empty() { "NoStatus" } else { phase }, "")
}
