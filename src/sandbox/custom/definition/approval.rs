//! Groups of the Kubernetes community: their definitions say who approved them
//! (`k8s.io/apiextensions-apiserver` `pkg/apihelpers`).

use serde_json::Value;

use crate::sandbox::custom::formats;
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
