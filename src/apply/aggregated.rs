//! Kinds of an aggregated API: no dry-run, no guarded apply, no managedFields (measured on Cozystack's).
//!
//! Created by POST, where any answer but 201 is settled by reading; changed by PUT of the whole object with
//! its uid after a fresh read.

use serde_json::Value;

use super::guard::RESENDS;
use super::unit::{Step, Unit, failed, guarded};
use crate::cluster::{Api, Error};
use crate::object::{LINEAGE_ANNOTATION, Object, PROTECT_ANNOTATION, STACK_LABEL};
use crate::path::FieldPath;
use crate::plan::Action;
use crate::state::{BeginId, Operation, Outcome};

impl Unit<'_> {
    /// Makes the object by POST.
    pub(super) async fn post(&mut self, api: &Api, body: &Value) -> Step<Object> {
        let begun = self.begin(Operation::Create, None, body).await?;
        let (namespace, _) = self.place();
        match self.send(self.writer.create(api, namespace, body)).await {
            Ok(applied) if applied.created => Ok(self.own(begun, body, applied.object)),
            Ok(applied) => self.made_or_not(begun, body, applied.object),
            Err(error) => self.settle_create(api, body, begun, error).await,
        }
    }

    /// An answer of success that is no 201: the mark tells whether the object is the one sent.
    fn made_or_not(&self, begun: BeginId, body: &Value, live: Object) -> Step<Object> {
        if self.is_ours(&live) {
            return Ok(self.own(begun, body, live));
        }
        self.end(begun, Outcome::Unchanged);
        failed(format!("{} was made by somebody else since the plan was made", self.change.key.human()), [])
    }

    /// Changes the object by PUT.
    pub(super) async fn put(&mut self, api: &Api, body: &Value) -> Step<Object> {
        let base = self.base()?;
        let uid = base.uid.as_str();
        let human = self.change.key.human();
        let Some(live) = self.read(api).await? else {
            return failed(format!("{human} was deleted since the plan was made"), []);
        };
        if live.uid() != uid {
            return failed(format!("{human} is another object since the plan was made"), []);
        }
        if !self.holds(&live, &base)? {
            let difference = self.difference(&live);
            return failed(format!("{human} was changed since the plan was made"), difference);
        }
        let adopts = self.change.action == Action::Adopt;
        let operation = if adopts { Operation::Adopt } else { Operation::Update };
        let begun = self.begin(operation, Some(uid), body).await?;
        let earlier = self.change.moved_from.as_ref().unwrap_or(&self.change.address);
        let had = self.run.before.resources.get(earlier);
        let ours = |path: &FieldPath| had.is_some_and(|had| had.owned.contains_key(path));
        let (namespace, name) = self.place();
        let mut live = live;
        for _ in 0..=RESENDS {
            let whole = guarded(&keep_foreign(body, &live, ours), Some(uid), live.resource_version());
            match self.send(self.writer.replace(api, namespace, name, &whole)).await {
                Ok(applied) => return Ok(self.own(begun, body, applied.object)),
                Err(Error::Stale(_)) => {}
                Err(error) if error.outcome_unknown() => {
                    return match self.read(api).await {
                        Ok(Some(live)) if live.uid() == uid && contains(&live.0, body) => {
                            Ok(self.own(begun, body, live))
                        }
                        _ => Self::in_doubt(&error),
                    };
                }
                Err(error) => return self.refused(begun, &error),
            }
            live = match self.read(api).await {
                Ok(Some(live)) if live.uid() == uid => live,
                Ok(_) => {
                    self.end(begun, Outcome::Unchanged);
                    return failed(format!("{human} was deleted since the plan was made"), []);
                }
                Err(stop) => return self.unread(begun, stop),
            };
            if !self.holds(&live, &base)? {
                // Perhaps by a try whose answer was lost.
                if self.is_ours(&live) && contains(&live.0, body) {
                    return Ok(self.own(begun, body, live));
                }
                self.settle(begun, &live);
                return failed(
                    format!("{human} was changed since the plan was made"),
                    self.difference(&live),
                );
            }
        }
        self.settle(begun, &live);
        failed(format!("{human} changes faster than it can be written"), [])
    }
}

/// The whole object to PUT: what the stack says, and the labels, annotations, finalizers and owners that
/// others put on it, less our mark and what else was `ours`.
pub(super) fn keep_foreign(body: &Value, live: &Object, ours: impl Fn(&FieldPath) -> bool) -> Value {
    let mut whole = body.clone();
    for field in ["finalizers", "ownerReferences"] {
        if let Some(value) = live.0.pointer(&format!("/metadata/{field}")) {
            whole["metadata"][field] = value.clone();
        }
    }
    for field in ["labels", "annotations"] {
        let theirs = live.0.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
        for (key, value) in theirs.into_iter().flatten() {
            let mark = [STACK_LABEL, LINEAGE_ANNOTATION, PROTECT_ANNOTATION].contains(&key.as_str());
            if !mark
                && !ours(&FieldPath::keys(["metadata", field, key.as_str()]))
                && whole.pointer(&format!("/metadata/{field}")).and_then(|m| m.get(key)).is_none()
            {
                whole["metadata"][field][key.as_str()] = value.clone();
            }
        }
    }
    whole
}

/// Whether everything of `wanted` is in `live`. Lists are equal or not.
pub(super) fn contains(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|live| contains(live, value)))
        }
        _ => live == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_put_keeps_what_others_put_on_the_object() {
        let live = Object(json!({
            "metadata": {
                "uid": "u", "finalizers": ["f"],
                "labels": {"theirs": "1", "was-ours": "2", STACK_LABEL: "old"},
                "annotations": {PROTECT_ANNOTATION: "true", "theirs": "2"},
            },
            "spec": {"size": "1Gi", "left": "behind"},
        }));
        let body = json!({"metadata": {"name": "a", "labels": {STACK_LABEL: "s"}}, "spec": {"size": "2Gi"}});
        assert_eq!(
            keep_foreign(&body, &live, |path| path.to_string() == "metadata.labels.was-ours"),
            json!({
                "metadata": {
                    "name": "a", "finalizers": ["f"],
                    "labels": {STACK_LABEL: "s", "theirs": "1"},
                    "annotations": {"theirs": "2"},
                },
                "spec": {"size": "2Gi"},
            })
        );
    }

    #[test]
    fn containment() {
        let live = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        assert!(contains(&live, &json!({"a": {"b": 1}, "l": [1, 2]})));
        assert!(!contains(&live, &json!({"a": {"b": 2}})));
        assert!(!contains(&live, &json!({"l": [1]})));
    }
}
