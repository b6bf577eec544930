//! What an answer that is no success means, from its HTTP status and body. Pure.
//!
//! Codes alone do not tell: 404 is an object, its namespace or its kind; 403 and 422 are rights, admission or
//! validation; 500 can be the user's mistake. Each row was measured on a real kube-apiserver, the texts of 500
//! also on a real aggregated API.

use serde_json::Value;

use super::error::{Cause, Error, FieldConflict};
use super::{Api, transport::Reply};

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) api: &'a Api,
    pub(crate) namespace: Option<&'a str>,
    /// Empty for a list.
    pub(crate) name: &'a str,
}

/// The parts of a `Status` that decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Whether the body was a `Status` at all.
    pub(crate) typed: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) causes: Vec<Cause>,
    pub(crate) retry_after: Option<u64>,
}

/// Longest untyped body shown: an HTML page of a proxy has nothing to say after that.
const UNTYPED: usize = 300;

impl Status {
    /// Reads a body; one that is no `Status` becomes its own message.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Some(value) = serde_json::from_slice::<Value>(body)
            .ok()
            .filter(|value| value.get("kind").and_then(Value::as_str) == Some("Status"))
        else {
            let text = String::from_utf8_lossy(body);
            let message = text.trim().chars().take(UNTYPED).collect();
            return Self { message, ..Self::default() };
        };
        let text = |pointer: &str| {
            let found = value.pointer(pointer).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let causes = value.pointer("/details/causes").and_then(Value::as_array);
        let cause = |cause: &Value| Cause {
            reason: cause.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned(),
            field: cause
                .get("field")
                .and_then(Value::as_str)
                .filter(|field| !field.is_empty())
                .map(str::to_owned),
            message: cause.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        Self {
            typed: true,
            reason: text("/reason"),
            message: text("/message"),
            kind: text("/details/kind"),
            name: text("/details/name"),
            causes: causes.map(|list| list.iter().map(cause).collect()).unwrap_or_default(),
            retry_after: value.pointer("/details/retryAfterSeconds").and_then(Value::as_u64),
        }
    }

    fn has_cause(&self, reason: &str) -> bool {
        self.causes.iter().any(|cause| cause.reason == reason)
    }

    /// Whether the message is one of an admission plugin that names itself.
    fn names_admission(&self) -> bool {
        ["admission webhook \"", "ValidatingAdmissionPolicy '", "MutatingAdmissionPolicy '"]
            .iter()
            .any(|name| self.message.contains(name))
    }
}

/// The error an answer stands for.
pub(crate) fn classify(reply: &Reply, asked: &Asked<'_>) -> Error {
    let status = Status::read(&reply.body);
    let message = if status.message.is_empty() {
        format!("HTTP status {}", reply.status)
    } else {
        status.message.clone()
    };
    match reply.status {
        400 => bad_request(message),
        401 => Error::Unauthorized(message),
        403 => forbidden(status, message, asked),
        404 => not_found(&status, message, asked),
        409 => conflict(status, message, asked),
        413 => Error::TooLarge(message),
        422 => unprocessable(status, message),
        500 => internal(message),
        code => Error::Other { status: code, message },
    }
}

fn bad_request(message: String) -> Error {
    if no_dry_run(&message) {
        Error::DryRunUnsupported(message)
    } else if too_large(&message) {
        Error::TooLarge(message)
    } else {
        Error::BadRequest(message)
    }
}

/// The generic texts of the API server for a webhook that declares side effects.
fn no_dry_run(message: &str) -> bool {
    message.contains("does not support dry run")
}

fn too_large(message: &str) -> bool {
    ["etcdserver: request is too large", "trying to send message larger than max", "Request entity too large"]
        .iter()
        .any(|text| message.contains(text))
}

fn forbidden(status: Status, message: String, asked: &Asked<'_>) -> Error {
    if status.has_cause("NamespaceTerminating") {
        return Error::NamespaceTerminating(asked.namespace.unwrap_or(asked.name).to_owned());
    }
    // Authorizers are all rendered by one function of the API server: `User "x" cannot verb …`. Anything
    // else was allowed in and refused later.
    if !status.typed
        || message.contains("User \"") && message.contains("\" cannot ") && !status.names_admission()
    {
        return Error::Forbidden(message);
    }
    Error::Refused { status: 403, message, causes: status.causes }
}

fn not_found(status: &Status, message: String, asked: &Asked<'_>) -> Error {
    let api = asked.api;
    let not_served = || Error::KindNotServed { api_version: api.api_version(), kind: api.kind.clone() };
    if !status.typed || status.reason != "NotFound" || status.name.is_empty() {
        return not_served();
    }
    if status.kind == "namespaces" && api.plural != "namespaces" {
        return Error::NamespaceNotFound(status.name.clone());
    }
    let same_kind = status.kind.is_empty()
        || status.kind.eq_ignore_ascii_case(&api.plural)
        || status.kind.eq_ignore_ascii_case(&api.kind);
    if status.name == asked.name && same_kind {
        return Error::NotFound(api.key(asked.namespace, asked.name));
    }
    Error::Other { status: 404, message }
}

fn conflict(status: Status, message: String, asked: &Asked<'_>) -> Error {
    if status.reason == "AlreadyExists" {
        return Error::AlreadyExists(message);
    }
    if status.has_cause("FieldManagerConflict") {
        let owned = status.causes.into_iter().filter(|c| c.reason == "FieldManagerConflict");
        let mut conflicts: Vec<FieldConflict> = owned
            .map(|cause| FieldConflict {
                field: cause.field.unwrap_or_default(),
                manager: match cause.message.strip_prefix("conflict with ") {
                    Some(manager) => manager.to_owned(),
                    None => cause.message,
                },
            })
            .collect();
        // The server goes through its managers in no order.
        conflicts.sort();
        return Error::FieldsOwned { conflicts, message };
    }
    if message.contains("uid mismatch") || message.contains("UID in the precondition") {
        return Error::AnotherObject(message);
    }
    // DELETE of a namespace that is being deleted already.
    if message.contains("ensuring all content is removed") {
        return Error::NamespaceTerminating(asked.name.to_owned());
    }
    Error::Stale(message)
}

fn unprocessable(status: Status, message: String) -> Error {
    if status.causes.iter().any(|c| c.field.as_deref() == Some("metadata.uid")) {
        return Error::AnotherObject(message);
    }
    // A webhook can send any Status it likes, but the server puts the webhook's name in front.
    let validation = !status.causes.is_empty() && status.causes.iter().all(Cause::is_validation);
    if validation && !status.names_admission() {
        return Error::Invalid { message, causes: status.causes };
    }
    Error::Refused { status: 422, message, causes: status.causes }
}

fn internal(message: String) -> Error {
    // A mistake in the manifest: the typed patch could not be made. The reason is empty.
    let mistake = ["field not declared in schema", "failed to create typed patch object"];
    if mistake.iter().any(|text| message.contains(text)) {
        Error::BadRequest(message)
    } else if no_dry_run(&message) {
        Error::DryRunUnsupported(message)
    } else if too_large(&message) {
        Error::TooLarge(message)
    } else if message.contains("UID in precondition") {
        // Aggregated APIs pass the storage's own error on (measured).
        Error::AnotherObject(message)
    } else if message.contains("already exists") {
        Error::AlreadyExists(message)
    } else {
        Error::Other { status: 500, message }
    }
}

/// [`classify`] for bytes that were made up: what the answer means for this `ConfigMap`.
#[cfg(feature = "faults")]
#[doc(hidden)]
#[must_use]
pub fn classify_bytes(status: u16, body: &[u8], namespace: &str, name: &str) -> Error {
    let api = Api {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        plural: "configmaps".to_owned(),
        namespaced: true,
        scalable: false,
        verbs: Vec::new(),
        served_by: super::ServedBy::BuiltIn,
    };
    let reply = Reply { status, body: body.to_owned(), retry_after: None, date: None, lost_before: false };
    classify(&reply, &Asked { api: &api, namespace: Some(namespace), name })
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
