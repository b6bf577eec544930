//! Kinds that make room for others: namespaces, CRDs, `APIServices`; and Cozystack's applications.

use super::{Condition, State, Status, by_ready, common, condition, text};
use crate::object::Object;

pub(super) fn namespace(object: &Object) -> Status {
    match text(object, "/status/phase") {
        "Active" => Status::ready("Active", ""),
        "" => Status::in_progress("NoStatus", "not active yet"),
        phase => Status::in_progress(phase, ""),
    }
}

pub(super) fn definition(object: &Object) -> Status {
    if let Some(names) = condition(object, "NamesAccepted").filter(Condition::is_false) {
        return Status::by(State::Failed, &names);
    }
    match condition(object, "Established") {
        Some(established) if established.is_true() => {
            Status { reason: "Established".to_owned(), ..Status::by(State::Ready, &established) }
        }
        Some(established) => Status::by(State::InProgress, &established),
        None => Status::in_progress("NoStatus", "its names are not accepted yet"),
    }
}

pub(super) fn api_service(object: &Object) -> Status {
    match condition(object, "Available") {
        Some(available) if available.is_true() => Status::by(State::Ready, &available),
        Some(available) => Status::by(State::InProgress, &available),
        None => Status::in_progress("NoStatus", "not available yet"),
    }
}

/// An application of Cozystack: it has no generation; `Ready` is its release's, `WorkloadsReady` its pods'.
pub(super) fn application(object: &Object) -> Status {
    if let Some(early) = common(object) {
        return early;
    }
    let Some(ready) = condition(object, "Ready") else {
        return Status::in_progress("NoStatus", "no release has been made of it yet");
    };
    let status = by_ready(object, &ready);
    if status.state != State::Ready {
        return status;
    }
    match condition(object, "WorkloadsReady").filter(|workloads| !workloads.is_true()) {
        Some(workloads) => Status::by(State::InProgress, &workloads),
        None => status,
    }
}
