//! Stand-ins for Flux's controllers: statuses by Flux's own rules, with its reasons and messages where they are
//! true here, and `(sandbox: …)` where they would not be.

pub(super) mod chart;
mod folder;
pub(super) mod kustomization;
pub(super) mod release;
mod release_status;
pub(super) mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::client::{Client, is_terminating, key, list, number, set_condition, text};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::Key;

/// Group of sources and charts.
const SOURCES: &str = "source.toolkit.fluxcd.io";
/// Group of releases.
const HELM: &str = "helm.toolkit.fluxcd.io";
/// Group of Kustomizations.
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
/// On every object they look after.
const FINALIZER: &str = "finalizers.fluxcd.io";
/// Asks for a look now.
const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";
/// What is said of content that lies elsewhere.
const NOT_FETCHED: &str = "not fetched (sandbox)";

/// Plural names of sources by kind.
const KINDS: [(&str, &str); 5] = [
    ("GitRepository", "gitrepositories"),
    ("OCIRepository", "ocirepositories"),
    ("HelmRepository", "helmrepositories"),
    ("Bucket", "buckets"),
    ("HelmChart", "helmcharts"),
];

fn plural(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, plural)| *plural)
}

/// What a controller is about to say of an object.
struct Report<'a> {
    object: &'a Value,
    status: Map<String, Value>,
    conditions: Vec<Value>,
    now: String,
}

impl<'a> Report<'a> {
    /// Starts from what was said last.
    fn new(client: &Client, object: &'a Value) -> Self {
        Self {
            object,
            status: object["status"].as_object().cloned().unwrap_or_default(),
            conditions: list(object, "/status/conditions").to_vec(),
            now: client.now(),
        }
    }

    /// Sets a condition; `Ready` stands first.
    fn say(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let condition = json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "observedGeneration": generation(self.object),
        });
        set_condition(&mut self.conditions, condition, &self.now);
        self.conditions.sort_by_key(|condition| condition["type"] != "Ready");
    }

    /// Takes conditions away.
    fn unsay(&mut self, kinds: &[&str]) {
        self.conditions.retain(|condition| !kinds.iter().any(|kind| condition["type"] == *kind));
    }

    fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.status.insert(field.to_owned(), value.into());
    }

    fn remove(&mut self, field: &str) {
        self.status.remove(field);
    }

    /// This generation was looked at to its end.
    fn observed(&mut self) {
        self.put("observedGeneration", generation(self.object));
    }

    /// Writes it, with the request to look that it answers.
    async fn write(mut self, client: &Client, manager: &str, at: &Key) -> Result<(), ApiError> {
        let requested = requested(self.object);
        if !requested.is_empty() {
            self.put("lastHandledReconcileAt", requested);
        }
        self.status.insert("conditions".to_owned(), self.conditions.into());
        client.set_status(manager, at, self.object, Value::Object(self.status)).await
    }
}

fn generation(object: &Value) -> i64 {
    number(object, "/metadata/generation").unwrap_or(0)
}

fn requested(object: &Value) -> &str {
    object["metadata"]["annotations"][REQUESTED].as_str().unwrap_or_default()
}

/// Whether `Ready` is True for the present generation.
fn is_ready(object: &Value) -> bool {
    let mut conditions = list(object, "/status/conditions").iter();
    number(object, "/status/observedGeneration") == Some(generation(object))
        && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The condition of this type, if it is True.
fn is_true<'o>(object: &'o Value, kind: &str) -> Option<&'o Value> {
    let mut conditions = list(object, "/status/conditions").iter();
    conditions.find(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// The message of the condition of this type.
fn message<'o>(object: &'o Value, kind: &str) -> &'o str {
    let mut conditions = list(object, "/status/conditions").iter();
    conditions.find(|condition| condition["type"] == kind).map_or("", |condition| text(condition, "/message"))
}

/// The part that is alike for all: the finalizer first, nothing while suspended. `None`: nothing is left to do.
async fn begin(client: &Client, manager: &str, at: &Key) -> Result<Option<Arc<Value>>, ApiError> {
    let Some(object) = client.get(at) else { return Ok(None) };
    if is_terminating(&object) || !client.finalize(manager, at, &object, FINALIZER).await? {
        return Ok(Some(object).filter(|object| is_terminating(object)));
    }
    Ok(Some(object).filter(|object| object["spec"]["suspend"] != true))
}

/// Why what an object depends on does not let it go on: the first dependency that is not ready.
fn dependency(client: &Client, at: &Key, object: &Value, kind: &str) -> Option<String> {
    list(object, "/spec/dependsOn").iter().find_map(|reference| {
        let namespace = match text(reference, "/namespace") {
            "" => &at.namespace,
            namespace => namespace,
        };
        let name = text(reference, "/name");
        match client.get(&key(&at.group, &at.plural, namespace, name)) {
            None => Some(format!(
                "unable to get '{namespace}/{name}' dependency: {kind}.{} \"{name}\" not found",
                at.group
            )),
            Some(other) if !is_ready(&other) => Some(format!("dependency '{namespace}/{name}' is not ready")),
            Some(_) => None,
        }
    })
}

/// Objects of a kind that depend on the object at `changed`.
fn dependents(client: &Client, changed: &Key) -> Vec<Key> {
    let all = client.list(&changed.group, &changed.plural, None).into_iter();
    let depends = |key: &Key, object: &Value| {
        list(object, "/spec/dependsOn").iter().any(|reference| {
            let namespace = match text(reference, "/namespace") {
                "" => &key.namespace,
                namespace => namespace,
            };
            text(reference, "/name") == changed.name && namespace == changed.namespace
        })
    };
    all.filter(|(key, object)| depends(key, object)).map(|(key, _)| key).collect()
}

/// The key of the source that a reference names.
fn source_key(reference: &Value, namespace: &str) -> Option<Key> {
    let plural = plural(text(reference, "/kind"))?;
    let namespace = match text(reference, "/namespace") {
        "" => namespace,
        other => other,
    };
    Some(key(SOURCES, plural, namespace, text(reference, "/name")))
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let digit = |number: u8| char::from_digit(u32::from(number), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `30s`, `10m`, `1h30m`; `None` for anything else.
fn duration(text: &str) -> Option<std::time::Duration> {
    let mut seconds = 0.0_f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let (unit, length) = match tail.get(..2) {
            Some("ms") => (0.001, 2),
            _ => match tail.chars().next()? {
                's' => (1.0, 1),
                'm' => (60.0, 1),
                'h' => (3600.0, 1),
                _ => return None,
            },
        };
        seconds += number * unit;
        rest = &tail[length..];
    }
    std::time::Duration::try_from_secs_f64(seconds).ok()
}
