//! Groups of the Kubernetes community: their definitions say who approved them
//! (`k8s.io/apiextensions-apiserver` `pkg/apihelpers`).

use serde_json::Value;

use super::structural::text;
use crate::sandbox::custom::formats;
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// Where the approval stands.
pub(super) const ANNOTATION: &str = "api-approved.kubernetes.io";

/// What a definition says of its approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Missing,
    Invalid,
    Approved,
    Bypassed,
}

/// Whether the group is one of those.
pub(super) fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|domain| group == *domain || group.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// What the definition says, and how that is told; `None` for other groups.
pub(super) fn state(definition: &Value) -> Option<(State, String)> {
    const MORE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";
    if !is_protected(definition["spec"]["group"].as_str().unwrap_or_default()) {
        return None;
    }
    let given = definition["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default();
    let quoted = fault::quote(ANNOTATION);
    Some(if given.is_empty() {
        (State::Missing, format!("protected groups must have approval annotation {quoted}, {MORE}"))
    } else if given.starts_with("unapproved") {
        (State::Bypassed, format!("not approved: {}", fault::quote(given)))
    } else if given.contains("://") && formats::fits("uri", given) {
        (State::Approved, format!("approved in {given}"))
    } else {
        let either = "with either a URL or a reason starting with \"unapproved\"";
        (State::Invalid, format!("protected groups must have approval annotation {quoted} {either}, {MORE}"))
    })
}

/// Groups of the Kubernetes community are not anybody's to define kinds in.
pub(super) fn check(definition: &Value, old: Option<&Value>) -> Option<Cause> {
    let group = text(&definition["spec"], "group");
    let (now, why) = state(definition)?;
    if !is_protected(group) || old.is_some_and(|old| state(old).is_some_and(|(old, _)| old == now)) {
        return None;
    }
    let place = format!("metadata.annotations[{ANNOTATION}]");
    match now {
        State::Missing => Some(fault::required(place, &why)),
        State::Invalid => {
            let value = &definition["metadata"]["annotations"][ANNOTATION];
            Some(fault::invalid(place, value, &why))
        }
        State::Approved | State::Bypassed => None,
    }
}
