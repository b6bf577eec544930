//! The audit log: one line per request, in the form of `audit.k8s.io/v1`.
//!
//! Logged is what a policy for tests would log: of every user the writes with their bodies, and of the users
//! `arrplan` and `nobody` the reads too.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

/// Users whose reads are logged.
const WATCHED: [&str; 2] = ["arrplan", "nobody"];

/// Where lines are appended.
#[derive(Debug)]
pub(in crate::sandbox) struct AuditLog(Mutex<File>);

impl AuditLog {
    /// Opens the file; what is in it stays.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::sandbox) fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Appends the line of a request that was answered, if it is one that is logged.
    pub(in crate::sandbox) fn write(
        &self,
        entry: &Entry,
        code: u16,
        answered: jiff::Timestamp,
    ) -> std::io::Result<()> {
        let writes =
            ["create", "update", "patch", "delete", "deletecollection"].contains(&entry.verb.as_str());
        if !writes && !WATCHED.contains(&entry.user.as_str()) {
            return Ok(());
        }
        let mut line = entry.to_value(writes, code, answered).to_string();
        line.push('\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }
}

/// What is told of a request.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Entry {
    /// A number of its own.
    pub(super) id: String,
    /// `create`, `get`, …
    pub(super) verb: String,
    /// Who asked.
    pub(super) user: String,
    /// By what program.
    pub(super) user_agent: String,
    /// Path and query.
    pub(super) uri: String,
    /// `resource`, `namespace`, `name`, `apiGroup`, `apiVersion`, `subresource`, as far as there are any.
    pub(super) object: Vec<(&'static str, String)>,
    /// What was sent.
    pub(super) body: Value,
    /// When it came.
    pub(super) received: jiff::Timestamp,
}

impl Entry {
    fn to_value(&self, with_body: bool, code: u16, answered: jiff::Timestamp) -> Value {
        let mut event = json!({
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": if with_body { "Request" } else { "Metadata" },
            "auditID": self.id,
            "stage": "ResponseComplete",
            "requestURI": self.uri,
            "verb": self.verb,
            "user": { "username": self.user, "groups": ["system:masters", "system:authenticated"] },
            "sourceIPs": ["127.0.0.1"],
            "userAgent": self.user_agent,
            "responseStatus": { "metadata": {}, "code": code },
            "requestReceivedTimestamp": with_microseconds(self.received),
            "stageTimestamp": with_microseconds(answered),
        });
        let object = self.object.iter().filter(|(_, text)| !text.is_empty());
        let object: Map<String, Value> =
            object.map(|(key, text)| ((*key).to_owned(), text.as_str().into())).collect();
        if !object.is_empty() {
            event["objectRef"] = object.into();
        }
        if with_body && !self.body.is_null() {
            event["requestObject"] = self.body.clone();
        }
        event
    }
}

/// A time whose text is always as long as another's, so that texts compare as times do.
fn with_microseconds(time: jiff::Timestamp) -> String {
    format!("{time:.6}")
}
