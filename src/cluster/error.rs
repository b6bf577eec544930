//! What a request can fail with, told apart by reason, not by status code alone
//! (each row measured on a real kube-apiserver).

use crate::address::ObjectKey;

/// A cause of a `Status`: field, reason, message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Cause {
    /// `reason`, empty when absent.
    pub reason: String,
    /// `field`; admission plugins leave it out.
    pub field: Option<String>,
    /// `message`.
    pub message: String,
}

impl Cause {
    /// Whether validation says so: it names the field, or one of its own reasons where the object as a whole is
    /// meant (`FieldValueTooLong` of a ConfigMap). Admission plugins do neither.
    #[must_use]
    pub fn is_validation(&self) -> bool {
        self.field.is_some() || self.reason.starts_with("FieldValue")
    }
}

/// One field of a Server-Side-Apply conflict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// The server's own spelling, e.g. `.spec.replicas` or `.spec.ports[port=80,protocol="TCP"].name`.
    pub field: String,
    /// The manager that holds it, with its operation and subresource as the server says them.
    pub manager: String,
}

/// How a manager took the fields it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-Side Apply.
    Apply,
    /// Any other write.
    Update,
}

/// The manager of a [`FieldConflict`], taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConflictOwner {
    /// The manager's name.
    pub name: String,
    /// The subresource it wrote through, e.g. `scale`.
    pub subresource: Option<String>,
    /// How it wrote. The server prints an API version for updates only.
    pub operation: Operation,
    /// When, RFC 3339, if the server says so.
    pub time: Option<String>,
}

impl FieldConflict {
    /// The manager, taken apart. The text is `"name"`, `with subresource "scale"`, `using v1`, `at <time>`,
    /// the last two for updates only (apiserver's `printManager`).
    #[must_use]
    pub fn owner(&self) -> ConflictOwner {
        let (name, rest) = quoted(&self.manager).unwrap_or((self.manager.clone(), ""));
        let subresource = rest.strip_prefix(" with subresource ").and_then(quoted);
        let rest = subresource.as_ref().map_or(rest, |(_, rest)| rest);
        let using = rest.strip_prefix(" using ");
        ConflictOwner {
            name,
            subresource: subresource.map(|(name, _)| name),
            operation: if using.is_some() { Operation::Update } else { Operation::Apply },
            time: using.and_then(|using| using.split_once(" at ")).map(|(_, time)| time.to_owned()),
        }
    }
}

/// A Go-quoted string at the start of a text, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let value = stream.next()?.ok()?;
    Some((value, &text[stream.byte_offset()..]))
}

/// Why a request did not do what was asked.
///
/// Texts may hold values of the object (a 422 prints the pod template): they pass the secret filter before
/// anything shows, logs or stores them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A typed 404 of this very object.
    #[error("{} does not exist", .0.human())]
    NotFound(ObjectKey),
    /// The server does not serve the kind (plain-text 404, or not in discovery).
    #[error("the server does not know the kind {kind} in {api_version}")]
    KindNotServed {
        /// `apiVersion` asked for.
        api_version: String,
        /// Kind asked for.
        kind: String,
    },
    /// The object's namespace does not exist.
    #[error("namespace {0} does not exist")]
    NamespaceNotFound(String),
    /// The object's namespace is being deleted.
    #[error("namespace {0} is being deleted")]
    NamespaceTerminating(String),
    /// 409 of an unforced apply: other managers hold these fields.
    #[error("{message}")]
    FieldsOwned {
        /// Field and manager, one per cause.
        conflicts: Vec<FieldConflict>,
        /// The server's text.
        message: String,
    },
    /// 409 because the object changed since the resourceVersion sent, or exists where none was expected.
    #[error("{0}")]
    Stale(String),
    /// The object has another uid than the one sent, or is gone: it is another object.
    #[error("{0}")]
    AnotherObject(String),
    /// 409 `AlreadyExists`.
    #[error("{0}")]
    AlreadyExists(String),
    /// 422 by validation: every cause has a field.
    #[error("{message}")]
    Invalid {
        /// The server's text.
        message: String,
        /// Its causes.
        causes: Vec<Cause>,
    },
    /// Refused by admission: 403 or 422 of a policy, quota or webhook.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's text.
        message: String,
        /// Its causes.
        causes: Vec<Cause>,
    },
    /// 403. Whether RBAC or admission said no is told by [`crate::cluster::Reader::allowed`].
    #[error("{0}")]
    Forbidden(String),
    /// 401 after one refresh of the credentials.
    #[error("the cluster does not accept the credentials: {0}")]
    Unauthorized(String),
    /// A field the kind does not have, or any other 400: the manifest is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The object is too large for the API server.
    #[error("{0}")]
    TooLarge(String),
    /// A webhook does not support dry-run.
    #[error("{0}")]
    DryRunUnsupported(String),
    /// The server persisted a dry-run. Nothing more is sent to this API.
    #[error("the API of {kind} ignores dryRun: {what}")]
    DryRunPersisted {
        /// `kind.group`.
        kind: String,
        /// What was seen.
        what: String,
    },
    /// The answer is not about the object asked for, or no JSON of the API.
    #[error("the server's answer makes no sense: {0}")]
    Nonsense(String),
    /// Connection, TLS, DNS, 5xx or 429 after all the retries; whether a write took effect is unknown.
    #[error("the cluster cannot be reached: {0}")]
    Unavailable(String),
    /// The deadline passed; whether a write took effect is unknown.
    #[error("no answer from the cluster within {seconds} s: {what}")]
    Timeout {
        /// The deadline.
        seconds: u64,
        /// Which request.
        what: String,
    },
    /// Anything else the server said.
    #[error("{status}: {message}")]
    Other {
        /// HTTP status.
        status: u16,
        /// The server's text.
        message: String,
    },
}

impl Error {
    /// Whether a write that ended with this may still have taken effect: the answer was lost, or tells of trouble
    /// that may have come after it was stored. Admission comes before that.
    #[must_use]
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Timeout { .. } | Self::Nonsense(_) => true,
            Self::Other { status, message } => *status >= 500 && !message.contains("webhook"),
            _ => false,
        }
    }

    /// The same after an earlier try of the request whose answer was lost: a refusal says nothing of that one, which
    /// may have been done. What tells of the object itself is for the caller, who reads it then.
    #[must_use]
    pub(super) fn after_lost(self) -> Self {
        let of_object = matches!(
            self,
            Self::Stale(_)
                | Self::AnotherObject(_)
                | Self::AlreadyExists(_)
                | Self::FieldsOwned { .. }
                | Self::NotFound(_)
        );
        if of_object || self.outcome_unknown() {
            return self;
        }
        Self::Unavailable(format!("{self}, after a try whose answer was lost"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflict_owners_are_taken_apart() {
        let owner = |text: &str| {
            let conflict = FieldConflict { field: ".spec.replicas".into(), manager: text.into() };
            let owner = conflict.owner();
            (owner.name, owner.subresource, owner.operation, owner.time)
        };
        let some = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("\"flux\"", ("flux".to_owned(), None, Operation::Apply, None)),
            ("\"kubectl-edit\" using v1", ("kubectl-edit".to_owned(), None, Operation::Update, None)),
            (
                "\"kubectl\" with subresource \"scale\" using apps/v1 at 2026-01-02T03:04:05Z",
                ("kubectl".to_owned(), some("scale"), Operation::Update, some("2026-01-02T03:04:05Z")),
            ),
            ("\"a \\\"b\\\" using c\"", ("a \"b\" using c".to_owned(), None, Operation::Apply, None)),
            ("something else", ("something else".to_owned(), None, Operation::Apply, None)),
        ] {
            assert_eq!(owner(text), expected, "{text}");
        }
    }
}
