//! Deleting: what the plan approved is checked once more directly before the request, then the object is
//! waited for until it is gone (design §5.6, §5.9, the rules D1–D10 of a destroy).
//!
//! *Invariants:* every DELETE carries uid and resourceVersion; no finalizer is ever touched; an object leaves
//! the state only when its absence was seen.

use serde_json::Value;

use super::guard::RESENDS;
use super::uninstall::Uninstall;
use super::unit::{Done, Step, Stop, Unit, failed};
use crate::address::{ObjectKey, split_api_version};
use crate::cluster::{Api, Deleted, Error, Observation, Preconditions, ServedBy};
use crate::object::Object;
use crate::plan::{Reach, ReachItem, held};
use crate::state::{Operation, Outcome};

/// Cozystack's label on what must stay (rule D1).
const NO_DELETE_LABEL: &str = "platform.cozystack.io/no-delete";

impl Unit<'_> {
    /// Deletes the object and waits until it is gone.
    pub(super) async fn delete(&mut self) -> Step<Done> {
        let Some(api) = self.change.api.clone() else {
            return failed(format!("no server knows the kind {} now", self.change.key.kind), []);
        };
        let gone = self.remove(&api, false).await?;
        Ok(Done { detail: gone.then(|| "was gone already".to_owned()), ready: false })
    }

    /// Deletes the object and makes it anew.
    pub(super) async fn replace(&mut self, api: &Api, body: &Value) -> Step<Object> {
        self.remove(api, true).await?;
        self.turn(true).await?;
        self.create(api, body).await
    }

    /// Whether there was nothing to delete any more. `again`: the object is made anew afterwards.
    async fn remove(&mut self, api: &Api, again: bool) -> Step<bool> {
        let uid = self.guarded_uid()?.to_owned();
        self.ready_to_delete(api, again).await?;
        self.turn(false).await?;
        let begun = self.begin(Operation::Delete, Some(&uid), &Value::Null).await?;
        let (namespace, name) = self.place();
        let mut last = None;
        for _ in 0..=RESENDS {
            let live = match self.read(api).await {
                Ok(live) => live,
                Err(stop) => {
                    self.end(begun, Outcome::Unchanged);
                    return Err(stop);
                }
            };
            let Some(live) = live else {
                self.end(begun, Outcome::Gone);
                return Ok(true);
            };
            if !live.is_terminating() {
                let may = match self.may_delete(&live, &uid).await {
                    Ok(()) => self.go_on(),
                    Err(stop) => Err(stop),
                };
                if let Err(stop) = may {
                    self.end(begun, Outcome::Unchanged);
                    return Err(stop);
                }
                let preconditions = Preconditions {
                    uid: Some(uid.clone()),
                    // An aggregated API keeps no version that means anything.
                    resource_version: (api.served_by != ServedBy::Aggregated)
                        .then(|| live.resource_version().to_owned()),
                };
                match self.send(self.writer.delete(api, namespace, name, &preconditions)).await {
                    Ok(Deleted::Accepted(_) | Deleted::NotThere) | Err(Error::AnotherObject(_)) => {}
                    Err(Error::Stale(_)) => continue,
                    Err(error) if error.outcome_unknown() => return Self::in_doubt(&error),
                    Err(error) => return self.refused(begun, &error),
                }
                self.emit(|address| super::event::EventKind::Written { address });
            } else if live.uid() != uid {
                self.end(begun, Outcome::Unchanged);
                return failed(
                    format!("{} is another object since the plan was made", self.change.key.human()),
                    [],
                );
            }
            last = Some(live);
            break;
        }
        let Some(last) = last else {
            self.end(begun, Outcome::Unchanged);
            return failed(format!("{} changes faster than it can be deleted", self.change.key.human()), []);
        };
        self.slot.release();
        let uninstall = Uninstall::of(&last);
        // While it is on its way the record stays open: the next run sees whether it came to its end.
        self.wait_gone(api, &uid).await?;
        self.end(begun, Outcome::Gone);
        if let Some(uninstall) = uninstall {
            self.wait_uninstalled(&uninstall).await?;
        }
        Ok(false)
    }

    /// A claim is deleted only when no pod mounts it.
    async fn ready_to_delete(&mut self, api: &Api, again: bool) -> Step<()> {
        if api.kind == "PersistentVolumeClaim" && api.group.is_empty() {
            if again {
                let pods = self.pods_on_claim().await?;
                if !pods.is_empty() {
                    let human = self.change.key.human();
                    return failed(
                        format!("{human} cannot be replaced while pods mount it: {}", pods.join(", ")),
                        [],
                    );
                }
            } else {
                self.wait_unmounted().await?;
            }
        }
        Ok(())
    }

    /// Whether this very object may still be deleted, by all that the plan was approved for.
    async fn may_delete(&self, live: &Object, uid: &str) -> Step<()> {
        let human = self.change.key.human();
        if live.uid() != uid {
            return failed(format!("{human} is another object since the plan was made"), []);
        }
        if !self.is_ours(live) {
            return failed(format!("{human} lost the mark of this stack since the plan was made"), []);
        }
        if live.is_protected() {
            return failed(format!("{human} is protected"), []);
        }
        if live.label(NO_DELETE_LABEL).is_some() {
            return failed(format!("{human} carries the label {NO_DELETE_LABEL}"), []);
        }
        if live.kind() == "HelmRelease" && live.0.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
            let why = "its controller would let go of it and leave everything it installed behind".to_owned();
            return failed(format!("{human} is suspended: resume it first"), [why]);
        }
        self.check_reach(live).await
    }

    /// Whether nothing that must stay goes with a delete or reinstall of the object, and no more than the plan showed.
    pub(super) async fn check_reach(&self, live: &Object) -> Step<()> {
        let survey = self.run.survey();
        let found = match self.send(survey.look(live)).await {
            Ok(found) => found,
            Err(error) => {
                return Err(super::write::headed("what would go with it cannot be read", &error));
            }
        };
        let held = held(&found.taken, &self.run.plan.stack, &self.run.kept);
        if !held.is_empty() {
            let lines = held.iter().map(|item| format!("{}: {}", item.key.human(), item.why));
            return failed(format!("{} would take along what must stay", self.change.key.human()), lines);
        }
        let reach = found.reach;
        let mut new = reach.unreadable.clone();
        new.retain(|what| !self.change.reach.unreadable.contains(what));
        for item in newcomers(&self.change.reach, &reach) {
            if !self.goes_anyway(&item.key, item.uid.as_deref()).await {
                new.push(if item.detail.is_empty() {
                    item.key.human()
                } else {
                    format!("{}: {}", item.key.human(), item.detail)
                });
            }
        }
        if !new.is_empty() {
            return failed("more would go with it than the plan showed", new);
        }
        Ok(())
    }

    /// Whether an object is on its way out without this delete: what the plan deleted before leaves things
    /// behind that are still terminating, or that the garbage collector has yet to see.
    async fn goes_anyway(&self, key: &ObjectKey, uid: Option<&str>) -> bool {
        let object = match self.look_up(key, uid).await {
            None => return false,
            Some(None) => return true,
            Some(Some(object)) => object,
        };
        if object.is_terminating() {
            return true;
        }
        let owners = object.0.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let owners = owners.map_or(&[][..], Vec::as_slice);
        for owner in owners {
            let text = |field: &str| owner.get(field).and_then(Value::as_str).unwrap_or_default();
            let group = split_api_version(text("apiVersion")).0;
            let key = ObjectKey::new(group, text("kind"), object.namespace(), text("name"));
            if !Box::pin(self.goes_anyway(&key, Some(text("uid")))).await {
                return false;
            }
        }
        !owners.is_empty()
    }

    /// Reads any object: `None` where that is not possible, `Some(None)` where there is none (with this uid).
    async fn look_up(&self, key: &ObjectKey, uid: Option<&str>) -> Option<Option<Object>> {
        let api = self.run.discovery.preferred(&key.group, &key.kind)?;
        let found = self.send(self.writer.get(api, key.namespace.as_deref(), &key.name)).await.ok()?;
        Some(found.filter(|object| uid.is_none_or(|uid| object.uid() == uid)))
    }

    /// Waits until the object with this uid is gone.
    pub(super) async fn wait_gone(&mut self, api: &Api, uid: &str) -> Step<()> {
        let (namespace, name) = self.place();
        let reader = self.writer.reader().clone();
        let mut watch = reader.watch_object(api, namespace, name);
        let mut last: Option<Object> = None;
        loop {
            let observation = tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return Err(Stop::Interrupted { written: true }),
                observation = watch.next() => observation,
                () = tokio::time::sleep_until(self.deadline) => {
                    return Err(self.not_gone(last.as_ref()).await);
                }
            };
            match observation {
                Observation::Absent | Observation::Trouble(Error::NamespaceNotFound(_)) => return Ok(()),
                Observation::Present(object) if object.uid() != uid => return Ok(()),
                Observation::Present(object) => {
                    self.say(&holding(&object));
                    last = Some(object);
                }
                Observation::Trouble(error) => self.say(&error.to_string()),
            }
        }
    }

    async fn not_gone(&self, last: Option<&Object>) -> Stop {
        let human = self.change.key.human();
        let waited = self.started.elapsed().as_secs();
        let mut lines = vec![format!("{human} is still there after {waited}s")];
        if let Some(object) = last {
            lines.push(holding(object));
            let more = self.explain(object, &lines).await;
            lines.extend(more);
        }
        Stop::Failed(lines)
    }
}

/// What keeps an object that is being deleted.
fn holding(object: &Object) -> String {
    let conditions = object.0.pointer("/status/conditions").and_then(Value::as_array);
    let remaining: Vec<&str> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| {
            let kind = condition.get("type").and_then(Value::as_str).unwrap_or_default();
            kind.starts_with("Namespace") && condition.get("status").and_then(Value::as_str) == Some("True")
        })
        .filter_map(|condition| condition.get("message").and_then(Value::as_str))
        .collect();
    if !remaining.is_empty() {
        return remaining.join("; ");
    }
    let finalizers = object.finalizers();
    if finalizers.is_empty() {
        "being deleted".to_owned()
    } else {
        format!("held by {}", finalizers.join(", "))
    }
}

/// What would go now and was not in the plan.
fn newcomers(planned: &Reach, now: &Reach) -> Vec<ReachItem> {
    let known =
        |item: &&ReachItem| planned.items.iter().any(|old| old.key == item.key && old.uid == item.uid);
    now.items.iter().filter(|item| !known(item)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Risk;

    fn item(name: &str, uid: &str) -> ReachItem {
        ReachItem {
            key: ObjectKey::new("", "PersistentVolumeClaim", Some("media"), name),
            uid: Some(uid.to_owned()),
            risk: Risk::DataLoss,
            detail: "5Gi".to_owned(),
        }
    }

    #[test]
    fn only_what_the_plan_showed_may_go() {
        let planned = Reach { items: vec![item("a", "1"), item("b", "2")], ..Reach::default() };
        let less = Reach { items: vec![item("a", "1")], ..Reach::default() };
        assert!(newcomers(&planned, &less).is_empty());
        let now = Reach { items: vec![item("a", "1"), item("b", "3"), item("c", "4")], ..Reach::default() };
        assert_eq!(newcomers(&planned, &now), [item("b", "3"), item("c", "4")]);
    }
}
