//! As many pods as asked for (kubernetes/pkg/controller/replicaset).

use serde_json::Value;

use super::Next;
use super::client::{Client, MANAGER, is_terminating, number};
use super::pods_of::{self, counts, is_ready};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::Key;

/// Pods made in one look.
const BURST: usize = 50;

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(set) = client.get(at) else { return Ok(Next::default()) };
    let pods: Vec<_> = pods_of::pods(client, &set);
    let staying: Vec<_> = pods.into_iter().filter(|(_, pod)| !is_terminating(pod)).collect();
    let want = usize::try_from(pods_of::replicas(&set)).unwrap_or(0);
    let mut next = Next::default();
    if !is_terminating(&set) {
        let missing = want.saturating_sub(staying.len());
        for _ in 0..missing.min(BURST) {
            pods_of::make(client, &set, None, &[], |_| {}).await?;
        }
        if missing > BURST {
            next.also.push(at.clone());
        }
        for (key, pod) in staying.iter().skip(want) {
            pods_of::remove(client, key, pod).await?;
        }
    }
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let ready = count(staying.iter().filter(|(_, pod)| is_ready(pod)).count());
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    let full = |pod: &Value| {
        let wanted = labels.as_object();
        wanted.is_none_or(|all| all.iter().all(|(name, value)| pod["metadata"]["labels"][name] == *value))
    };
    let labelled = count(staying.iter().filter(|(_, pod)| full(pod)).count());
    let mut status = counts(&[
        ("fullyLabeledReplicas", labelled),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("observedGeneration", number(&set, "/metadata/generation").unwrap_or(0)),
    ]);
    status.insert("replicas".into(), count(staying.len()).into());
    client.set_status(MANAGER, at, &set, Value::Object(status)).await?;
    Ok(next)
}
