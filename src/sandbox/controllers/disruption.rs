//! How many pods a `PodDisruptionBudget` lets go (kubernetes/pkg/controller/disruption).

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, list, number, set_condition, text};
use super::pods_of::{self, is_ready, share};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};

pub(super) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        ("policy", "poddisruptionbudgets") => vec![event.key.clone()],
        ("", "pods") => {
            let budgets = client.list("policy", "poddisruptionbudgets", Some(&event.key.namespace));
            budgets.into_iter().map(|(key, _)| key).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(budget) = client.get(at) else { return Ok(Next::default()) };
    let pods = client.list("", "pods", Some(&at.namespace));
    let selector = &budget["spec"]["selector"];
    let ended = |pod: &Value| matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    let of = pods.iter().map(|(_, pod)| pod).filter(|pod| {
        !selector.is_null() && !ended(pod) && pods_of::selects(selector, &pod["metadata"]["labels"])
    });
    let of: Vec<_> = of.collect();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (expected, healthy) = (count(of.len()), count(of.iter().filter(|pod| is_ready(pod)).count()));
    let desired = match budget["spec"].get("minAvailable") {
        Some(least) => share(Some(least), expected, true).unwrap_or(0),
        None => expected - share(budget["spec"].get("maxUnavailable"), expected, true).unwrap_or(1),
    };
    let desired = desired.max(0);
    let allowed = if expected == 0 { 0 } else { (healthy - desired).max(0) };
    let mut conditions = list(&budget, "/status/conditions").to_vec();
    let (status, reason) =
        if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let generation = number(&budget, "/metadata/generation").unwrap_or(0);
    let condition = json!({
        "type": "DisruptionAllowed", "status": status, "reason": reason, "message": "",
        "observedGeneration": generation,
    });
    set_condition(&mut conditions, condition, &client.now());
    let status = json!({
        "conditions": conditions, "currentHealthy": healthy, "desiredHealthy": desired,
        "disruptionsAllowed": allowed, "expectedPods": expected, "observedGeneration": generation,
    });
    client.set_status(MANAGER, at, &budget, status).await?;
    Ok(Next::default())
}
