//! What to print when an object does not get there: its conditions, its last Warning events, and the same of
//! what it created, down to the container that does not start.

use std::time::Duration;

use serde_json::Value;

use super::uninstall::pods;
use super::unit::Unit;
use super::verdict::one_line;
use crate::object::Object;
use crate::status::{self, Context, State};

/// How long to look for reasons.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most lines of an explanation.
const LINES: usize = 16;
/// Events shown of one object.
const EVENTS: usize = 3;
/// Label of helm-controller on everything a release makes.
const RELEASE_LABEL: &str = "helm.toolkit.fluxcd.io";

/// Kinds of a release's workload that can keep it from working.
const WORKLOADS: &[(&str, &str)] = &[
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("", "PersistentVolumeClaim"),
];

/// Conditions that are bad news when true.
const BAD_WHEN_TRUE: &[&str] = &[
    "BuildFailed",
    "Failed",
    "FetchFailed",
    "NamespaceContentRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceFinalizersRemaining",
    "ReplicaFailure",
    "Stalled",
    "StorageOperationFailed",
];

/// A line, and the message of the cluster in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reason {
    text: String,
    message: String,
}

impl Reason {
    fn new(who: &str, what: &str, message: &str) -> Self {
        let message = one_line(message);
        let text = format!("{who}: {what} {message}").trim_end().to_owned();
        Self { text, message }
    }
}

impl Unit<'_> {
    /// The reasons that can be found and were not said yet, as lines. Never fails: what cannot be read is
    /// left out.
    pub(super) async fn explain(&self, object: &Object, said: &[String]) -> Vec<String> {
        let found = tokio::time::timeout(PATIENCE, self.reasons(object)).await;
        let reasons = found.unwrap_or_else(|_| conditions(object));
        let mut lines: Vec<String> = Vec::new();
        for Reason { text, message } in reasons {
            let known = |line: &String| !message.is_empty() && line.contains(&message);
            if !said.iter().any(known) && !lines.contains(&text) && lines.len() < LINES {
                lines.push(text);
            }
        }
        lines
    }

    async fn reasons(&self, object: &Object) -> Vec<Reason> {
        let mut lines = conditions(object);
        lines.extend(self.warnings(object).await);
        match (object.key().group.as_str(), object.kind()) {
            ("helm.toolkit.fluxcd.io", "HelmRelease") => lines.extend(self.workloads(object).await),
            ("apps" | "batch", _) => lines.extend(self.pods_of(object).await),
            _ => {}
        }
        lines
    }

    async fn warnings(&self, object: &Object) -> Vec<Reason> {
        let events = self.writer.warning_events(object).await.unwrap_or_default();
        let last = events.len().saturating_sub(EVENTS);
        let human = object.key().human();
        events[last..]
            .iter()
            .map(|event| {
                let times = if event.count > 1 {
                    format!("{} ({} times)", event.reason, event.count)
                } else {
                    event.reason.clone()
                };
                Reason::new(&human, &times, &event.message)
            })
            .collect()
    }

    /// The workloads of a release that do not work, with their pods.
    async fn workloads(&self, release: &Object) -> Vec<Reason> {
        let text = |pointer: &str| release.0.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/spec/targetNamespace").or(release.namespace());
        let selector = format!(
            "{RELEASE_LABEL}/name={},{RELEASE_LABEL}/namespace={}",
            release.name(),
            release.namespace().unwrap_or_default()
        );
        let mut lines = Vec::new();
        for (group, kind) in WORKLOADS {
            let Some(api) = self.run.discovery.preferred(group, kind) else {
                continue;
            };
            for object in self.writer.list(api, namespace, Some(&selector)).await.unwrap_or_default() {
                let status = status::compute(&object, &Context::default());
                if status.state == State::Ready {
                    continue;
                }
                lines.push(Reason::new(&object.key().human(), &status.reason, &status.message));
                lines.extend(self.warnings(&object).await);
                lines.extend(self.pods_of(&object).await);
            }
        }
        lines
    }

    /// The pods of a workload that do not work.
    async fn pods_of(&self, workload: &Object) -> Vec<Reason> {
        let labels = workload.0.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
            return Vec::new();
        };
        let pairs: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
            .collect();
        let listed = self.writer.list(&pods(), workload.namespace(), Some(&pairs.join(","))).await;
        let mut lines = Vec::new();
        for pod in listed.unwrap_or_default() {
            if status::compute(&pod, &Context::default()).state == State::Ready {
                continue;
            }
            lines.extend(troubles(&pod));
            lines.extend(self.warnings(&pod).await);
        }
        lines
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(object: &'v Object, pointer: &str) -> &'v [Value] {
    let found = object.0.pointer(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

/// The conditions that say why not.
fn conditions(object: &Object) -> Vec<Reason> {
    let says_why = |condition: &&Value| {
        let bad = BAD_WHEN_TRUE.contains(&text(condition, "/type"));
        (text(condition, "/status") == "True") == bad && !text(condition, "/message").is_empty()
    };
    list(object, "/status/conditions")
        .iter()
        .filter(says_why)
        .map(|condition| {
            let (kind, status) = (text(condition, "/type"), text(condition, "/status"));
            let what = format!("{kind}={status} {}:", text(condition, "/reason"));
            Reason::new(&object.key().human(), &what, text(condition, "/message"))
        })
        .collect()
}

/// Why a pod does not run.
fn troubles(pod: &Object) -> Vec<Reason> {
    let human = pod.key().human();
    let mut lines = Vec::new();
    for condition in list(pod, "/status/conditions") {
        if text(condition, "/type") == "PodScheduled" && text(condition, "/status") == "False" {
            lines.push(Reason::new(&human, text(condition, "/reason"), text(condition, "/message")));
        }
    }
    for pointer in ["/status/initContainerStatuses", "/status/containerStatuses"] {
        for container in list(pod, pointer) {
            let name = text(container, "/name");
            for state in ["waiting", "terminated"] {
                let reason = text(container, &format!("/state/{state}/reason"));
                if reason.is_empty() || reason == "Completed" || reason == "ContainerCreating" {
                    continue;
                }
                let message = text(container, &format!("/state/{state}/message"));
                let restarts = container.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
                let restarts = if restarts > 0 { format!(" ({restarts} restarts)") } else { String::new() };
                let what = format!("container {name} {reason}{restarts}");
                lines.push(Reason::new(&human, &what, message));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(reasons: Vec<Reason>) -> Vec<String> {
        reasons.into_iter().map(|reason| reason.text).collect()
    }

    #[test]
    fn the_container_at_fault_is_named() {
        let pod = Object(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "media", "name": "sonarr-0"},
            "status": {
                "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [
                    {"name": "app", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off\n 40s"}}},
                    {"name": "side", "state": {"running": {}}},
                ],
            },
        }));
        assert_eq!(
            texts(troubles(&pod)),
            ["Pod media/sonarr-0: container app CrashLoopBackOff (3 restarts) back-off 40s"]
        );
    }

    #[test]
    fn conditions_that_say_why_not() {
        let object = Object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "media", "name": "sonarr"},
            "status": {"conditions": [
                {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "no"},
                {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "fine"},
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"},
            ]},
        }));
        assert_eq!(
            texts(conditions(&object)),
            [
                "Deployment media/sonarr: Available=False MinimumReplicasUnavailable: no",
                "Deployment media/sonarr: ReplicaFailure=True FailedCreate: quota",
            ]
        );
    }
}
