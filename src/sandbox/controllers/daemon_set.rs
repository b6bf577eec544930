//! A pod on every node (kubernetes/pkg/controller/daemon).

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, is_terminating, number, text};
use super::pods_of::{self, counts, is_ready};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::Key;

const HASH: &str = "controller-revision-hash";

pub(super) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(set) = client.get(at) else { return Ok(Next::default()) };
    let hash = pods_of::hash(&set["spec"]["template"]);
    let nodes = client.list("", "nodes", None);
    let pods = pods_of::pods(client, &set);
    let on = |node: &str| pods.iter().find(|(_, pod)| text(pod, "/spec/nodeName") == node);
    let is_new = |pod: &Value| pod["metadata"]["labels"][HASH] == *hash;
    let updates = text(&set, "/spec/updateStrategy/type") != "OnDelete";
    if !is_terminating(&set) {
        for (node, _) in &nodes {
            match on(&node.name) {
                None => {
                    let place = |pod: &mut Value| pod["spec"]["nodeName"] = node.name.clone().into();
                    pods_of::make(client, &set, None, &[(HASH, &hash)], place).await?;
                }
                Some((key, pod)) if updates && !is_new(pod) => pods_of::remove(client, key, pod).await?,
                Some(_) => {}
            }
        }
        for (key, pod) in &pods {
            if !nodes.iter().any(|(node, _)| node.name == text(pod, "/spec/nodeName")) {
                pods_of::remove(client, key, pod).await?;
            }
        }
    }
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let of = |test: &dyn Fn(&Value) -> bool| count(pods.iter().filter(|(_, pod)| test(pod)).count());
    let (want, ready) = (count(nodes.len()), of(&is_ready));
    let mut status = counts(&[
        ("observedGeneration", number(&set, "/metadata/generation").unwrap_or(0)),
        ("updatedNumberScheduled", of(&|pod| is_new(pod) && !is_terminating(pod))),
        ("numberAvailable", ready),
        ("numberUnavailable", (want - ready).max(0)),
    ]);
    for (name, value) in [
        ("currentNumberScheduled", of(&|pod| !is_terminating(pod))),
        ("desiredNumberScheduled", want),
        ("numberMisscheduled", 0),
        ("numberReady", ready),
    ] {
        status.insert(name.into(), json!(value));
    }
    client.set_status(MANAGER, at, &set, Value::Object(status)).await?;
    Ok(Next::default())
}
