//! Whether unchanged resources work: a plan never says "nothing to do" while something does not.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use serde_json::Value;

use crate::address::{Address, ObjectKey};
use crate::cluster::{Discovery, Error, Reader};
use crate::object::Object;
use crate::plan::input::PlanInput;
use crate::plan::live::{Live, is_fatal};
use crate::plan::{Action, Change, NotReady};
use crate::stack::Wait;
use crate::status::{
    self, cel,
    chain::{self, Seen},
};

/// Requests under way at once.
const CONCURRENCY: usize = 16;

/// Fills in [`Change::not_ready`] of every no-op.
///
/// # Errors
/// When the cluster does not answer.
pub(super) async fn judge(
    input: &PlanInput<'_>,
    discovery: &Discovery,
    live: &Live,
    changes: &mut BTreeMap<Address, Change>,
) -> Result<(), Error> {
    let unchanged: Vec<(&Address, &Change, &Object)> = changes
        .iter()
        .filter(|(_, change)| change.action == Action::NoOp && change.wait != Wait::Applied)
        .filter_map(|(address, change)| Some((address, change, live.get(&change.key).ok()??)))
        .collect();
    if unchanged.is_empty() {
        return Ok(());
    }
    let classes = if unchanged.iter().any(|(_, change, _)| change.key.kind == "PersistentVolumeClaim") {
        wait_for_first_consumer(input.reader, discovery).await?
    } else {
        BTreeSet::new()
    };
    let stack = input.stack;
    let answers: Vec<(Address, Result<Option<NotReady>, Error>)> = futures::stream::iter(unchanged)
        .map(|(address, change, object)| {
            let suspended_by_stack =
                stack.and_then(|s| s.resources.get(address)).is_some_and(|r| suspends(&r.manifest));
            let context = status::Context { wait_for_first_consumer: classes.clone(), suspended_by_stack };
            async move {
                (address.clone(), not_ready(input.reader, discovery, &change.wait, object, &context).await)
            }
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    for (address, answer) in answers {
        if let (Some(mut found), Some(change)) = (answer?, changes.get_mut(&address)) {
            for (_, _, message) in &mut found.chain {
                *message = input.redactor.redact(message).into_owned();
            }
            change.not_ready = Some(found);
        }
    }
    Ok(())
}

/// Why an object does not work, down to the one at fault; `None` if it does.
async fn not_ready(
    reader: &Reader,
    discovery: &Discovery,
    wait: &Wait,
    object: &Object,
    context: &status::Context,
) -> Result<Option<NotReady>, Error> {
    if let Wait::Cel(expression) = wait {
        let own = |reason: &str, message: String| NotReady {
            reason: reason.to_owned(),
            chain: vec![(object.key(), reason.to_owned(), message)],
            since: None,
        };
        return Ok(match cel::compile(expression).map(|program| program.eval(object)) {
            Ok(cel::Verdict::Done) => None,
            Ok(cel::Verdict::NotYet(why)) => Some(own("WaitNotTrue", why)),
            Ok(cel::Verdict::Mistake(why)) | Err(why) => Some(own("WaitExpression", why)),
        });
    }
    let behind = chain::behind(object);
    let chart = seen(reader, discovery, behind.chart.as_ref()).await?;
    let source = seen(reader, discovery, behind.source.as_ref()).await?;
    Ok(chain::explain(object, context, &chart, &source).map(|explained| explained.not_ready))
}

async fn seen(reader: &Reader, discovery: &Discovery, key: Option<&ObjectKey>) -> Result<Seen, Error> {
    let Some(key) = key else { return Ok(Seen::Unread) };
    let Some(api) = discovery.preferred(&key.group, &key.kind) else {
        return Ok(Seen::Unread);
    };
    match reader.get(api, key.namespace.as_deref(), &key.name).await {
        Ok(Some(object)) => Ok(Seen::Present(object)),
        Ok(None) => Ok(Seen::Absent(key.clone())),
        Err(error) if is_fatal(&error) => Err(error),
        Err(_) => Ok(Seen::Unread),
    }
}

/// Names of the `StorageClass`es whose claims are bound only once a pod uses them.
///
/// # Errors
/// When the cluster does not answer. Without the right to read them there are none: a claim then counts as
/// not ready until it is bound, which is late but not wrong.
pub async fn wait_for_first_consumer(
    reader: &Reader,
    discovery: &Discovery,
) -> Result<BTreeSet<String>, Error> {
    let Some(api) = discovery.preferred("storage.k8s.io", "StorageClass") else {
        return Ok(BTreeSet::new());
    };
    match reader.list(api, None, None).await {
        Ok(classes) => Ok(classes
            .iter()
            .filter(|c| c.0.get("volumeBindingMode").and_then(Value::as_str) == Some("WaitForFirstConsumer"))
            .map(|c| c.name().to_owned())
            .collect()),
        Err(error) if is_fatal(&error) => Err(error),
        Err(_) => Ok(BTreeSet::new()),
    }
}

/// Whether the manifest itself suspends its object.
fn suspends(manifest: &crate::stack::Val) -> bool {
    use crate::stack::Val;
    let Val::Map(map) = manifest else { return false };
    let Some(Val::Map(spec)) = map.get("spec") else {
        return false;
    };
    ["suspend", "paused"].iter().any(|key| spec.get(*key) == Some(&Val::Bool(true)))
}
