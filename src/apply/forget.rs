//! Forgetting an object: it stays, and nothing of us stays in it. As a co-owner we would keep alive what its
//! new owner removes, and an empty apply of ours would erase the data (both measured).

use serde_json::{Value, json};

use super::aggregated::keep_foreign;
use super::managed;
use super::unit::{Done, Step, Stop, Unit, failed, guarded};
use super::write::headed;
use crate::cluster::{Error, ServedBy};
use crate::object::{LINEAGE_ANNOTATION, Object, PROTECT_ANNOTATION, STACK_LABEL};
use crate::plan::Guard;
use crate::state::{BeginId, Operation, Outcome};

/// How often the patch is tried again because the object changed meanwhile.
const TRIES: usize = 6;

impl Unit<'_> {
    /// Gives up an object, or records that it is gone.
    pub(super) async fn forget(&mut self) -> Step<Done> {
        self.turn(false).await?;
        let known = self.known_uid();
        let begun = self.begin(Operation::Forget, known.as_deref(), &Value::Null).await?;
        let Some(api) = self.change.api.clone() else {
            return self.forget_without_a_kind(begun).await;
        };
        for _ in 0..TRIES {
            let live = match self.read(&api).await {
                Ok(live) => live,
                Err(stop) => {
                    self.end(begun, Outcome::Unchanged);
                    return Err(stop);
                }
            };
            let Some(live) = live else {
                if matches!(self.change.guard, Guard::Object { .. }) {
                    self.say("it is gone already");
                }
                self.end(begun, Outcome::Gone);
                return Ok(Done::default());
            };
            // Another object of the same name, or one that another stack or state took, is none of ours: nothing
            // is taken from it.
            let same = known.as_deref() == Some(live.uid());
            let plan = self.run.plan;
            let theirs = live.label(STACK_LABEL).is_some_and(|stack| stack != plan.stack)
                || live.annotation(LINEAGE_ANNOTATION).is_some_and(|lineage| lineage != plan.lineage);
            let request = if same && !theirs { released(&live) } else { None };
            let Some(patch) = request else {
                self.end(begun, Outcome::Gone);
                return Ok(owners(&live));
            };
            let (namespace, name) = self.place();
            let answer = if api.served_by == ServedBy::Aggregated {
                let whole = guarded(&without_mark(&live), Some(live.uid()), live.resource_version());
                self.send(self.writer.replace(&api, namespace, name, &whole)).await
            } else {
                self.send(self.writer.merge_patch(&api, namespace, name, &patch)).await
            };
            match answer {
                Ok(applied) => {
                    self.end(begun, Outcome::Gone);
                    self.emit(|address| super::event::EventKind::Written { address });
                    return Ok(owners(&applied.object));
                }
                Err(Error::Stale(_)) => {}
                Err(error) if error.outcome_unknown() => return Self::in_doubt(&error),
                Err(error) => return self.refused(begun, &error),
            }
        }
        self.end(begun, Outcome::Unchanged);
        failed(format!("{} changes faster than it can be released", self.change.key.human()), [])
    }

    /// No kind, no objects. What the plan saw of the object says whether that has to be proven still: a saved plan may
    /// have seen it, and the kind may only be hidden now.
    async fn forget_without_a_kind(&self, begun: BeginId) -> Step<Done> {
        if !matches!(self.change.guard, Guard::Object { .. }) {
            self.end(begun, Outcome::Gone);
            return Ok(Done::default());
        }
        let key = &self.change.key;
        let gone = self.writer.reader().kind_is_gone(&self.run.discovery, &key.group, &key.kind);
        let stop = match self.send(gone).await {
            Ok(true) => {
                self.end(begun, Outcome::Gone);
                return Ok(Done::default());
            }
            Ok(false) => {
                let line = format!("no server knows the kind {} now, and it is not gone for good", key.kind);
                Stop::failed(line)
            }
            Err(error) => headed("whether its kind is gone cannot be told", &error),
        };
        self.end(begun, Outcome::Unchanged);
        Err(stop)
    }

    /// The uid state has for the change's object, current or former.
    pub(super) fn known_uid(&self) -> Option<String> {
        let found = self.run.before.objects().find(|(key, _, _)| **key == self.change.key);
        found.map(|(_, _, uid)| uid.to_owned())
    }
}

/// The patch that takes our entry and mark off the object; `None` when nothing of us is in it.
fn released(live: &Object) -> Option<Value> {
    let entries = managed::without_ours(live);
    let marked = live.label(STACK_LABEL).is_some()
        || live.annotation(LINEAGE_ANNOTATION).is_some()
        || live.annotation(PROTECT_ANNOTATION).is_some();
    if entries.is_none() && !marked {
        return None;
    }
    let mut patch = json!({"metadata": {
        "uid": live.uid(),
        "resourceVersion": live.resource_version(),
        "labels": {STACK_LABEL: null},
        "annotations": {LINEAGE_ANNOTATION: null, PROTECT_ANNOTATION: null},
    }});
    if let Some(entries) = entries {
        patch["metadata"]["managedFields"] = entries;
    }
    Some(patch)
}

fn without_mark(live: &Object) -> Value {
    let mut body = live.0.clone();
    for (field, keys) in
        [("labels", &[STACK_LABEL][..]), ("annotations", &[LINEAGE_ANNOTATION, PROTECT_ANNOTATION][..])]
    {
        let map = body.pointer_mut(&format!("/metadata/{field}")).and_then(Value::as_object_mut);
        if let Some(map) = map {
            map.retain(|key, _| !keys.contains(&key.as_str()));
        }
    }
    keep_foreign(&body, live, |_| false)
}

fn owners(live: &Object) -> Done {
    let managers = managed::other_managers(live);
    let detail = if managers.is_empty() {
        "stays, owned by nobody".to_owned()
    } else {
        format!("stays, owned by {}", managers.join(", "))
    };
    Done { detail: Some(detail), ready: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_and_our_entry_go_in_one_guarded_patch() {
        let live = Object(json!({"metadata": {
            "uid": "u", "resourceVersion": "7",
            "labels": {STACK_LABEL: "s", "a": "b"},
            "annotations": {LINEAGE_ANNOTATION: "l"},
            "managedFields": [
                {"manager": "arrplan", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}},
                {"manager": "arrplan", "operation": "Update", "fieldsV1": {"f:data": {"f:b": {}}}},
                {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}},
            ],
        }}));
        let patch = released(&live).unwrap();
        assert_eq!(
            patch,
            json!({"metadata": {
                "uid": "u", "resourceVersion": "7",
                "labels": {STACK_LABEL: null},
                "annotations": {LINEAGE_ANNOTATION: null, PROTECT_ANNOTATION: null},
                "managedFields": [{"manager": "flux", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}],
            }})
        );
        assert_eq!(owners(&live).detail.as_deref(), Some("stays, owned by flux"));
        assert_eq!(released(&Object(json!({"metadata": {"labels": {"a": "b"}}}))), None);
    }
}
