//! Cells of pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use super::text::{has_condition, list, number, or, text};
use crate::sandbox::resource::Resource;

/// What a row of a pod that ended says besides.
pub(super) fn row_conditions(resource: &Resource, object: &Value) -> Value {
    if !(resource.group.is_empty() && resource.plural == "pods") {
        return Value::Null;
    }
    let (reason, message) = match text(&object["status"], "phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return Value::Null,
    };
    json!([{ "type": "Completed", "status": "True", "reason": reason, "message": message }])
}

/// What became of the containers.
struct Summary {
    reason: String,
    ready: usize,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

/// Cells of a pod.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let is_sidecar = |container: &&Value| container["restartPolicy"] == "Always";
    let total =
        list(spec, "containers").len() + list(spec, "initContainers").iter().filter(is_sidecar).count();
    let mut summary = summarize(pod);
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        if text(status, "reason") == "NodeLost" {
            "Unknown".clone_into(&mut summary.reason);
        } else if !matches!(text(status, "phase"), "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut summary.reason);
        }
    }
    let restarts = match summary.last_restart {
        Some(last) if summary.restarts != 0 => {
            let ago = age::human(now.as_second() - last.as_second());
            format!("{} ({ago} ago)", summary.restarts)
        }
        _ => summary.restarts.to_string(),
    };
    let gates = list(spec, "readinessGates");
    let open = gates.iter().filter(|gate| has_condition(pod, text(gate, "conditionType"))).count();
    let gates = if gates.is_empty() { "<none>".to_owned() } else { format!("{open}/{}", gates.len()) };
    let address = list(status, "podIPs").first().map_or("", |address| text(address, "ip"));
    vec![
        pod["metadata"]["name"].clone(),
        format!("{}/{total}", summary.ready).into(),
        summary.reason.into(),
        restarts.into(),
        age::of(pod, now),
        (if address.is_empty() { "<none>" } else { address }).into(),
        or(spec, "nodeName", "<none>").into(),
        or(status, "nominatedNodeName", "<none>").into(),
        gates.into(),
    ]
}

fn summarize(pod: &Value) -> Summary {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    let mut reason = match text(status, "reason") {
        "" => text(status, "phase").to_owned(),
        reason => reason.to_owned(),
    };
    let gated = list(status, "conditions")
        .iter()
        .any(|condition| condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated");
    if gated {
        "SchedulingGated".clone_into(&mut reason);
    }
    let mut summary = Summary { reason, ready: 0, restarts: 0, last_restart: None };
    let mut of_sidecars = Summary { reason: String::new(), ready: 0, restarts: 0, last_restart: None };
    let is_sidecar = |status: &Value| {
        let named = |container: &&Value| container["name"] == status["name"];
        list(spec, "initContainers")
            .iter()
            .find(named)
            .is_some_and(|container| container["restartPolicy"] == "Always")
    };
    let mut initializing = false;
    for (index, container) in list(status, "initContainerStatuses").iter().enumerate() {
        summary.count(container);
        let sidecar = is_sidecar(container);
        if sidecar {
            of_sidecars.count(container);
        }
        let ended = &container["state"]["terminated"];
        if ended.is_object() && number(ended, "exitCode") == 0 {
            continue;
        }
        if sidecar && container["started"] == true {
            summary.ready += usize::from(container["ready"] == true);
            continue;
        }
        let waiting = text(&container["state"]["waiting"], "reason");
        summary.reason = if ended.is_object() {
            format!("Init:{}", end_reason(ended))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", list(spec, "initContainers").len())
        };
        initializing = true;
        break;
    }
    if !initializing || has_condition(pod, "Initialized") {
        summary.restarts = of_sidecars.restarts;
        summary.last_restart = of_sidecars.last_restart;
        summarize_containers(pod, &mut summary);
    }
    summary
}

fn summarize_containers(pod: &Value, summary: &mut Summary) {
    let (mut has_running, mut error) = (false, String::new());
    for container in list(&pod["status"], "containerStatuses").iter().rev() {
        summary.count(container);
        let state = &container["state"];
        let waiting = text(&state["waiting"], "reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if state["terminated"].is_object() {
            summary.reason = end_reason(&state["terminated"]);
            if number(&state["terminated"], "exitCode") != 0 {
                error.clone_from(&summary.reason);
            }
        } else if container["ready"] == true && state["running"].is_object() {
            has_running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" {
        if has_running && has_condition(pod, "Ready") {
            "Running".clone_into(&mut summary.reason);
        } else if !error.is_empty() {
            summary.reason = error;
        } else if has_running {
            "NotReady".clone_into(&mut summary.reason);
        }
    }
}

fn end_reason(ended: &Value) -> String {
    match (text(ended, "reason"), number(ended, "signal")) {
        ("", 0) => format!("ExitCode:{}", number(ended, "exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

impl Summary {
    fn count(&mut self, container: &Value) {
        self.restarts += number(container, "restartCount");
        let ended = &container["lastState"]["terminated"]["finishedAt"];
        if let Some(ended) = ended.as_str().and_then(|time| time.parse().ok()) {
            self.last_restart = self.last_restart.max(Some(ended));
        }
    }
}
