//! Whether a live object works: readiness by kind, `wait = { cel = … }`, and why a release does not work.
//! Pure.
//!
//! The rules are kstatus' (deletion, generation, `Reconciling`, `Stalled`, the kind's own rule, `Ready`) where
//! those hold water. Where they call something ready that does not work yet, ours are stricter: a Flux object
//! needs a `Ready` condition for its present generation and must not be suspended, an Ingress and a
//! `LoadBalancer` an address, a Job its completion.

pub mod cel;
pub mod chain;
mod custom;
mod flux;
mod network;
mod storage;
pub mod timeout;
mod workload;

use std::collections::BTreeSet;

use serde_json::Value;

pub use cel::check as check_cel;
pub use timeout::default_timeout;

use crate::address::split_api_version;
use crate::object::Object;

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not yet.
    InProgress,
    /// It works (or is all it can be for now, see [`Status::accepted_only`]).
    Ready,
    /// It will not get there by itself.
    Failed,
    /// It is being deleted.
    Terminating,
    /// Its status cannot be read.
    Unknown,
}

/// How far an object is, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// How far.
    pub state: State,
    /// In one word, as the condition or our rule names it.
    pub reason: String,
    /// One line for people; text of the cluster, which passes the secret filter before anything shows it.
    pub message: String,
    /// Since when, RFC 3339, if the object says so.
    pub since: Option<String>,
    /// Ready only in the sense of "accepted": nothing more is to be seen for now (a claim that waits for its
    /// first consumer, something the stack itself suspends).
    pub accepted_only: bool,
}

/// What readiness depends on besides the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// `StorageClasses` with `volumeBindingMode: WaitForFirstConsumer`.
    pub wait_for_first_consumer: BTreeSet<String>,
    /// The stack itself sets `spec.suspend` (or `paused`) to true.
    pub suspended_by_stack: bool,
}

impl Status {
    fn new(state: State, reason: &str, message: impl Into<String>) -> Self {
        Self { state, reason: reason.to_owned(), message: message.into(), since: None, accepted_only: false }
    }

    fn ready(reason: &str, message: impl Into<String>) -> Self {
        Self::new(State::Ready, reason, message)
    }

    fn in_progress(reason: &str, message: impl Into<String>) -> Self {
        Self::new(State::InProgress, reason, message)
    }

    fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self::new(State::Failed, reason, message)
    }

    fn accepted(reason: &str, message: impl Into<String>) -> Self {
        Self { accepted_only: true, ..Self::ready(reason, message) }
    }

    /// What a condition says, with its own reason, message and time.
    fn by(state: State, condition: &Condition<'_>) -> Self {
        Self {
            state,
            reason: if condition.reason.is_empty() { condition.kind } else { condition.reason }.to_owned(),
            message: condition.message.to_owned(),
            since: condition.since.map(str::to_owned),
            accepted_only: false,
        }
    }

    /// Whether waiting is over, well or badly.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self.state, State::Ready | State::Failed)
    }
}

/// A condition of `status.conditions`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition<'o> {
    kind: &'o str,
    status: &'o str,
    reason: &'o str,
    message: &'o str,
    since: Option<&'o str>,
    observed: Option<i64>,
}

impl Condition<'_> {
    fn is_true(&self) -> bool {
        self.status == "True"
    }

    fn is_false(&self) -> bool {
        self.status == "False"
    }
}

/// The condition of this type.
pub(crate) fn condition<'o>(object: &'o Object, kind: &str) -> Option<Condition<'o>> {
    conditions(object).find(|condition| condition.kind == kind)
}

fn conditions(object: &Object) -> impl Iterator<Item = Condition<'_>> {
    let list = object.0.pointer("/status/conditions").and_then(Value::as_array);
    list.into_iter().flatten().map(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str);
        Condition {
            kind: text("type").unwrap_or_default(),
            status: text("status").unwrap_or_default(),
            reason: text("reason").unwrap_or_default(),
            message: text("message").unwrap_or_default(),
            since: text("lastTransitionTime"),
            observed: condition.get("observedGeneration").and_then(Value::as_i64),
        }
    })
}

fn text<'o>(object: &'o Object, pointer: &str) -> &'o str {
    object.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(object: &Object, pointer: &str) -> Option<i64> {
    object.0.pointer(pointer).and_then(Value::as_i64)
}

fn flag(object: &Object, pointer: &str) -> bool {
    object.0.pointer(pointer) == Some(&Value::Bool(true))
}

fn is_empty(object: &Object, pointer: &str) -> bool {
    object.0.pointer(pointer).and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// How far an object is.
#[must_use]
pub fn compute(object: &Object, context: &Context) -> Status {
    if object.is_terminating() {
        return Status {
            since: Some(text(object, "/metadata/deletionTimestamp").to_owned()),
            ..Status::new(State::Terminating, "Terminating", finalizers(object))
        };
    }
    let malformed =
        [("/status", "an object"), ("/status/conditions", "a list")].into_iter().find(|(pointer, kind)| {
            let value = object.0.pointer(pointer);
            value.is_some_and(|value| {
                !value.is_null() && if *kind == "a list" { !value.is_array() } else { !value.is_object() }
            })
        });
    if let Some((pointer, kind)) = malformed {
        let path = pointer.trim_start_matches('/').replace('/', ".");
        return Status::new(State::Unknown, "Malformed", format!("{path} is not {kind}"));
    }
    let (group, _) = split_api_version(object.api_version());
    // Flux and Cozystack have rules of their own for generation, Stalled and Ready.
    if flux::is_flux(group) {
        return flux::status(object, group, context);
    }
    if group == "apps.cozystack.io" {
        return custom::application(object);
    }
    if let Some(early) = common(object) {
        return early;
    }
    match (group, object.kind()) {
        ("apps", "Deployment") => workload::deployment(object, context),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("apps", "ReplicaSet") => workload::replica_set(object),
        ("batch", "Job") => workload::job(object, context),
        ("", "Pod") => workload::pod(object),
        ("", "PersistentVolumeClaim") => storage::claim(object, context),
        ("", "Service") => network::service(object),
        ("networking.k8s.io", "Ingress") => network::ingress(object),
        ("", "Namespace") => custom::namespace(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom::definition(object),
        ("apiregistration.k8s.io", "APIService") => custom::api_service(object),
        _ => generic(object, group),
    }
}

/// kstatus' rules for every kind: the controller saw this generation, is not busy and not stuck.
fn common(object: &Object) -> Option<Status> {
    let observed = number(object, "/status/observedGeneration");
    if let (Some(observed), Some(generation)) = (observed, object.generation())
        && observed != generation
    {
        let message = format!("generation {generation} is not observed yet, the last was {observed}");
        return Some(Status::in_progress("LatestGenerationNotObserved", message));
    }
    let is = |kind| condition(object, kind).filter(Condition::is_true);
    if let Some(reconciling) = is("Reconciling") {
        return Some(Status::by(State::InProgress, &reconciling));
    }
    is("Stalled").map(|stalled| Status::by(State::Failed, &stalled))
}

/// Kinds whose controller always publishes `Ready`: without it, it has not looked yet.
const PUBLISH_READY: &[(&str, &[&str])] =
    &[("cert-manager.io", &["Certificate", "CertificateRequest", "ClusterIssuer", "Issuer"])];

fn generic(object: &Object, group: &str) -> Status {
    match condition(object, "Ready") {
        Some(ready) => by_ready(object, &ready),
        None if publishes_ready(group, object.kind()) => {
            Status::in_progress("NoStatus", "no controller has looked at it yet")
        }
        None => Status::ready("Current", ""),
    }
}

fn publishes_ready(group: &str, kind: &str) -> bool {
    PUBLISH_READY.iter().any(|(known, kinds)| *known == group && kinds.contains(&kind))
}

/// What `Ready` says, if it is about the present generation.
fn by_ready(object: &Object, ready: &Condition<'_>) -> Status {
    let stale = match (ready.observed, object.generation()) {
        (Some(observed), Some(generation)) => observed != generation,
        _ => false,
    };
    if stale {
        return Status {
            state: State::InProgress,
            reason: "LatestGenerationNotObserved".to_owned(),
            ..Status::by(State::InProgress, ready)
        };
    }
    if ready.is_true() { Status::by(State::Ready, ready) } else { Status::by(State::InProgress, ready) }
}

fn finalizers(object: &Object) -> String {
    let finalizers = object.finalizers();
    if finalizers.is_empty() {
        "is being deleted".to_owned()
    } else {
        format!("is being deleted, held by {}", finalizers.join(", "))
    }
}

#[cfg(test)]
mod tests;
