//! The API server's audit log: the referee for order, for "no writes" and for preconditions.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http_api::Api;
use crate::wait::eventually;

/// Bodies of all writes; of the binary under test also that it read. Events and leases are only noise, and much of it.
pub(crate) fn policy() -> Value {
    let writes = json!(["create", "update", "patch", "delete", "deletecollection"]);
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "omitManagedFields": false,
        "rules": [
            { "level": "None", "resources": [
                { "group": "", "resources": ["events"] },
                { "group": "events.k8s.io", "resources": ["events"] },
                { "group": "coordination.k8s.io", "resources": ["leases"] },
            ], "users": ["kube-controller-manager", "kube-scheduler", "kwok", "source-controller", "helm-controller",
                "kustomize-controller", "cozystack-api", "system:apiserver"] },
            { "level": "Request", "verbs": writes },
            { "level": "Metadata", "users": ["arrplan", "nobody"] },
            { "level": "None" },
        ],
    })
}

/// One request the API server answered.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// `create`, `update`, `patch`, `delete`, `deletecollection`; of the users `arrplan` and `nobody` also reads.
    pub verb: String,
    /// The user's name.
    pub user: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Path and query.
    pub uri: String,
    /// The API group, empty for the core group.
    pub group: String,
    /// The plural resource name.
    pub resource: String,
    /// `status`, `scale` and so on; empty for the object itself.
    pub subresource: String,
    /// The namespace; a Namespace object's own name.
    pub namespace: String,
    /// The object's name; of a POST, from its body.
    pub name: String,
    /// The status code of the answer.
    pub code: u16,
    /// When the request came, RFC 3339 with microseconds: compares as text.
    pub received: String,
    /// When it was answered, in the same form.
    pub answered: String,
    /// What was sent; null without a body and for reads.
    pub body: Value,
}

impl AuditRecord {
    /// One line of an audit log.
    pub fn parse(line: &str) -> Self {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("audit log: {error}: {line}"));
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = event.get("requestObject").cloned().unwrap_or_default();
        let mut name = text("/objectRef/name");
        if name.is_empty() {
            body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().clone_into(&mut name);
        }
        Self {
            verb: text("/verb"),
            user: text("/user/username"),
            user_agent: text("/userAgent"),
            uri: text("/requestURI"),
            group: text("/objectRef/apiGroup"),
            resource: text("/objectRef/resource"),
            subresource: text("/objectRef/subresource"),
            namespace: text("/objectRef/namespace"),
            name,
            code: event
                .pointer("/responseStatus/code")
                .and_then(Value::as_u64)
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or_default(),
            received: text("/requestReceivedTimestamp"),
            answered: text("/stageTimestamp"),
            body,
        }
    }

    /// Whether the request asked for a dry run. The server may not have honoured it.
    pub fn is_dry_run(&self) -> bool {
        self.uri.contains("dryRun=All")
            || self.body.get("dryRun").and_then(Value::as_array).is_some_and(|values| !values.is_empty())
    }

    /// Whether it changes the cluster if it succeeds: no read, no dry run, no access or token review.
    pub fn is_write(&self) -> bool {
        let mutates =
            matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        mutates && !self.is_dry_run() && !self.resource.ends_with("reviews")
    }

    /// Whether the server did it.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether it is about this object, named by plural resource, namespace (empty for none) and name.
    pub fn is_about(&self, resource: &str, namespace: &str, name: &str) -> bool {
        // The log names a namespace as its own namespace.
        let same_namespace =
            self.namespace == namespace || (resource == "namespaces" && namespace.is_empty());
        self.resource == resource && self.name == name && same_namespace
    }
}

impl fmt::Display for AuditRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, code, user, uri, received, .. } = self;
        write!(f, "{received} {user} {verb} {uri} -> {code}")?;
        if self.body.is_null() { Ok(()) } else { write!(f, " {}", self.body) }
    }
}

/// Records in the order of the log, which is the order of the answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records(Vec<AuditRecord>);

impl Records {
    /// Those `keep` says yes to.
    #[must_use]
    pub fn filter(mut self, keep: impl FnMut(&AuditRecord) -> bool) -> Self {
        self.0.retain(keep);
        self
    }

    /// Those of one user.
    #[must_use]
    pub fn by_user(self, user: &str) -> Self {
        self.filter(|record| record.user == user)
    }

    /// Those whose user agent starts with `prefix`.
    #[must_use]
    pub fn by_agent(self, prefix: &str) -> Self {
        self.filter(|record| record.user_agent.starts_with(prefix))
    }

    /// Those in one namespace, and those on the Namespace itself.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        self.filter(|record| record.namespace == namespace)
    }

    /// Those on one object: plural resource, namespace (empty for none), name.
    #[must_use]
    pub fn about(self, resource: &str, namespace: &str, name: &str) -> Self {
        self.filter(|record| record.is_about(resource, namespace, name))
    }

    /// [`AuditRecord::is_write`] only.
    #[must_use]
    pub fn writes(self) -> Self {
        self.filter(AuditRecord::is_write)
    }
}

impl Deref for Records {
    type Target = [AuditRecord];

    fn deref(&self) -> &[AuditRecord] {
        &self.0
    }
}

impl IntoIterator for Records {
    type Item = AuditRecord;
    type IntoIter = std::vec::IntoIter<AuditRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One line per record: what an assertion about "no writes" should show.
impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|record| writeln!(f, "{record}"))
    }
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

#[derive(Debug, Default)]
struct Seen {
    offset: u64,
    partial: Vec<u8>,
    records: Vec<AuditRecord>,
}

/// The audit log of one control plane.
pub struct AuditLog {
    path: PathBuf,
    api: Api,
    seen: Mutex<Seen>,
    barriers: AtomicU32,
}

impl AuditLog {
    pub(crate) fn new(path: PathBuf, api: Api) -> Self {
        Self { path, api, seen: Mutex::default(), barriers: AtomicU32::new(0) }
    }

    /// The file itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The end of the log as of now; everything answered before this call lies before it.
    pub fn mark(&self) -> Mark {
        self.settle();
        Mark(self.read_on(<[AuditRecord]>::len))
    }

    /// Everything after the mark that was answered before this call.
    pub fn since(&self, mark: Mark) -> Records {
        self.settle();
        Records(self.read_on(|records| records[mark.0..].to_vec()))
    }

    /// [`AuditLog::since`], writes only.
    pub fn writes_since(&self, mark: Mark) -> Records {
        self.since(mark).writes()
    }

    /// What the log holds now, without waiting for lines that are on their way. For tests that watch an operation run.
    pub fn peek_since(&self, mark: Mark) -> Records {
        Records(self.read_on(|records| records[mark.0..].to_vec()))
    }

    /// The server writes a request's line after it has answered it. So ask something of our own and wait for its line; one
    /// that was answered before has had its turn by then, but for the moment between two threads.
    fn settle(&self) {
        let number = self.barriers.fetch_add(1, Ordering::Relaxed);
        let uri =
            format!("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews?fieldManager=barrier-{number}");
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": { "verb": "get", "resource": "pods" } },
        });
        self.api
            .send("POST", &uri, Some(("application/json", &review)))
            .expect("the API server answers")
            .ok();
        eventually("the audit log to show an answered request", || {
            self.read_on(|records| records.iter().rev().any(|record| record.uri == uri)).then_some(())
        });
        std::thread::sleep(Duration::from_millis(20));
    }

    fn read_on<T>(&self, look: impl FnOnce(&[AuditRecord]) -> T) -> T {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut file = std::fs::File::open(&self.path).expect("the audit log");
        file.seek(SeekFrom::Start(seen.offset)).expect("the audit log");
        let mut bytes = std::mem::take(&mut seen.partial);
        seen.offset += file.read_to_end(&mut bytes).expect("the audit log") as u64;
        // The last line may be half written: it waits for its end.
        let complete = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let lines = String::from_utf8_lossy(&bytes[..complete]);
        seen.records.extend(lines.lines().map(AuditRecord::parse));
        let partial = bytes[complete..].to_vec();
        seen.partial = partial;
        look(&seen.records)
    }
}
