//! A sandbox for one test, with the script of its faults.

use serde_json::Value;
use support::{ControlPlane, Part, User};

/// A sandbox for one test alone; `None`: there is no kubectl, which was said on the terminal.
pub(crate) fn sandbox(parts: &[Part]) -> Option<ControlPlane> {
    ControlPlane::own_sandbox(crate::serve::NAME, parts)
}

/// Replaces the script of faults: a list of rules as `src/sandbox/faults` reads them.
#[track_caller]
pub(crate) fn script(plane: &ControlPlane, rules: &Value) {
    plane.request(User::Admin, "PUT", "/sandbox/faults", Some(rules)).ok();
}

/// How often each rule of the script struck.
#[track_caller]
pub(crate) fn struck(plane: &ControlPlane) -> Vec<u64> {
    let told = plane.request(User::Admin, "GET", "/sandbox/faults", None).ok();
    let rules = told.as_array().expect("a list of rules").iter();
    rules.map(|rule| rule["struck"].as_u64().expect("a count")).collect()
}
