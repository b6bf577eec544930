//! Pods until enough of them are done (kubernetes/pkg/controller/job). The stand-in for the kubelet is done with
//! each at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, is_terminating, list, number, set_condition, text};
use super::index::uid;
use super::pods_of;
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Propagation;
use crate::sandbox::storage::Key;
use crate::sandbox::verbs::DeleteOptions;

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(job) = client.get(at) else { return Ok(Next::default()) };
    if is_terminating(&job) {
        return Ok(Next::default());
    }
    let is = |kind: &str| {
        let mut conditions = list(&job, "/status/conditions").iter();
        conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    if is("Complete") || is("Failed") {
        return expire(client, at, &job).await;
    }
    let now = client.now();
    let mut status = job["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    let mut conditions = list(&job, "/status/conditions").to_vec();
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastProbeTime": client.now(),
        })
    };
    if job["spec"]["suspend"] == true {
        if !is("Suspended") {
            set_condition(
                &mut conditions,
                condition("Suspended", "True", "JobSuspended", "Job suspended"),
                &now,
            );
            status["conditions"] = conditions.into();
            client.set_status(MANAGER, at, &job, status).await?;
        }
        return Ok(Next::default());
    }
    let pods = pods_of::controlled(client, "", "pods", &job);
    let done = pods.iter().filter(|(_, pod)| text(pod, "/status/phase") == "Succeeded").count();
    let active = pods.len() - done;
    let parallel = usize::try_from(number(&job, "/spec/parallelism").unwrap_or(1)).unwrap_or(1);
    let wanted = number(&job, "/spec/completions").and_then(|wanted| usize::try_from(wanted).ok());
    let left = match wanted {
        Some(wanted) => wanted.saturating_sub(done),
        // A work queue: one that is done says that all is done.
        None if done > 0 => 0,
        None => parallel,
    };
    let indexed = text(&job, "/spec/completionMode") == "Indexed";
    for number in active..left.min(parallel) {
        let index = (done + number).to_string();
        let change = |pod: &mut Value| {
            if indexed {
                pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] =
                    index.clone().into();
            }
        };
        pods_of::make(client, &job, None, &[], change).await?;
    }
    if status.get("startTime").is_none() {
        status["startTime"] = now.clone().into();
        if is("Suspended") {
            set_condition(
                &mut conditions,
                condition("Suspended", "False", "JobResumed", "Job resumed"),
                &now,
            );
        }
    }
    for (name, number) in [("succeeded", done), ("active", active)] {
        match number {
            0 => drop(status.as_object_mut().and_then(|status| status.remove(name))),
            number => status[name] = number.into(),
        }
    }
    status["ready"] = json!(0);
    status["terminating"] = json!(0);
    status["uncountedTerminatedPods"] = json!({});
    if left == 0 && active == 0 {
        status["completionTime"] = now.clone().into();
        let message = "Reached expected number of succeeded pods";
        for kind in ["SuccessCriteriaMet", "Complete"] {
            set_condition(&mut conditions, condition(kind, "True", "CompletionsReached", message), &now);
        }
    }
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    client.set_status(MANAGER, at, &job, status).await?;
    Ok(Next::default())
}

/// Deletes a Job that is over, when its time to live is.
async fn expire(client: &Client, at: &Key, job: &Value) -> Result<Next, ApiError> {
    let (Some(keep), Ok(ended)) = (
        number(job, "/spec/ttlSecondsAfterFinished"),
        text(job, "/status/completionTime").parse::<jiff::Timestamp>(),
    ) else {
        return Ok(Next::default());
    };
    let now = client.now().parse().unwrap_or(ended);
    let left = keep - now.duration_since(ended).as_secs();
    if left > 0 {
        return Ok(Next::after(Duration::from_secs(left.unsigned_abs())));
    }
    let options = DeleteOptions {
        uid: Some(uid(job).to_owned()),
        propagation: Some(Propagation::Foreground),
        ..DeleteOptions::default()
    };
    client.delete(MANAGER, at, &options).await?;
    Ok(Next::default())
}
