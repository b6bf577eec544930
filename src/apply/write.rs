//! Create and update by Server-Side Apply, each under its guard (design §5.9).

use serde_json::Value;

use super::guard::{Base, RESENDS};
use super::managed;
use super::unit::{Step, Stop, Unit, failed, guarded, lines_of};
use crate::cluster::{Api, Error, ServedBy};
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::plan::{Guard, Write};
use crate::state::{BeginId, Operation, Outcome};

/// The resourceVersion that means "must not exist" to Server-Side Apply (measured: 201 when absent, 409 when
/// present).
const MUST_NOT_EXIST: &str = "1";

impl Unit<'_> {
    /// What is written.
    pub(super) fn write(&self) -> Step<&Write> {
        self.change.write.as_ref().ok_or_else(|| Stop::failed("the plan says nothing to write"))
    }

    /// Makes the object, which must not exist.
    pub(super) async fn create(&mut self, api: &Api, body: &Value) -> Step<Object> {
        if let Guard::AfterGone { uid } = &self.change.guard {
            self.slot.release();
            self.wait_gone(api, uid).await?;
            self.turn(false).await?;
        }
        if api.served_by == ServedBy::Aggregated {
            return self.post(api, body).await;
        }
        let (namespace, name) = self.place();
        let begun = self.begin(Operation::Create, None, body).await?;
        let request = guarded(body, None, MUST_NOT_EXIST);
        let write = || self.writer.apply(api, namespace, name, &request, false);
        match self.once_served(write).await {
            Ok(applied) => Ok(self.own(begun, body, applied.object)),
            Err(error) => self.settle_create(api, body, begun, error).await,
        }
    }

    /// After a create that did not answer 201: it may be ours all the same.
    pub(super) async fn settle_create(
        &self,
        api: &Api,
        body: &Value,
        begun: BeginId,
        error: Error,
    ) -> Step<Object> {
        let exists = matches!(error, Error::Stale(_) | Error::AlreadyExists(_) | Error::FieldsOwned { .. });
        if !exists && !error.outcome_unknown() && api.served_by != ServedBy::Aggregated {
            return self.refused(begun, &error);
        }
        // Without an answer to this, whose it is, is not known either.
        let Ok(live) = self.read(api).await else { return Self::in_doubt(&error) };
        match live {
            Some(live) if self.is_as_wanted(api, body, &live).await => Ok(self.own(begun, body, live)),
            // Made by us, and what is asked about it fails, or another has written to it since.
            Some(live) if self.is_ours(&live) => {
                self.settle(begun, &live);
                let mut lines = lines_of(&error);
                lines.push(format!(
                    "{} is there and ours; the next plan compares it",
                    self.change.key.human()
                ));
                Err(Stop::Failed(lines))
            }
            Some(live) => {
                self.end(begun, Outcome::Unchanged);
                let managers = managed::other_managers(&live);
                let by =
                    if managers.is_empty() { String::new() } else { format!(" by {}", managers.join(", ")) };
                let human = self.change.key.human();
                failed(format!("{human} was made{by} since the plan was made"), [])
            }
            None if error.outcome_unknown() => Self::in_doubt(&error),
            None => self.refused(begun, &error),
        }
    }

    /// Changes the object in place.
    pub(super) async fn update(&mut self, api: &Api, body: &Value) -> Step<Object> {
        if api.served_by == ServedBy::Aggregated {
            return self.put(api, body).await;
        }
        let mut base = self.base()?;
        if self.change.reinstalls {
            let Some(live) = self.read(api).await? else {
                return failed(
                    format!("{} was deleted since the plan was made", self.change.key.human()),
                    [],
                );
            };
            if live.is_protected() {
                return failed(format!("{} is protected", self.change.key.human()), []);
            }
            self.check_reach(&live).await?;
            self.go_on()?;
        }
        let begun = self.begin(Operation::Update, Some(&base.uid), body).await?;
        let remove = &self.write()?.remove;
        if !remove.is_empty() {
            base = self.remove_first(api, begun, base, remove).await?;
        }
        self.apply_guarded(api, body, base, begun).await
    }

    /// Removes what the plan names ([`Write::remove`]), by one patch at this very resourceVersion.
    async fn remove_first(
        &self,
        api: &Api,
        begun: BeginId,
        mut base: Base,
        paths: &[FieldPath],
    ) -> Step<Base> {
        let (namespace, name) = self.place();
        let human = self.change.key.human();
        let broken = |what: &str, rest: Vec<String>| {
            self.end(begun, Outcome::Unchanged);
            failed(format!("{human} {what} since the plan was made"), rest)
        };
        for _ in 0..=RESENDS {
            let live = match self.read(api).await {
                Ok(Some(live)) => live,
                Ok(None) => return broken("was deleted", Vec::new()),
                Err(stop) => {
                    self.end(begun, Outcome::Unchanged);
                    return Err(stop);
                }
            };
            if live.uid() != base.uid {
                return broken("became another object", Vec::new());
            }
            if live.resource_version() != base.version && !self.holds(&live, &base)? {
                return broken("was changed", self.difference(&live));
            }
            let patch = removal(&live, paths);
            match self.send(self.writer.merge_patch(api, namespace, name, &patch)).await {
                Ok(applied) => return self.base_of(&applied.object),
                Err(Error::Stale(_)) => live.resource_version().clone_into(&mut base.version),
                Err(error) if error.outcome_unknown() => return Self::in_doubt(&error),
                Err(error) => return self.refused(begun, &error),
            }
        }
        self.end(begun, Outcome::Unchanged);
        failed(format!("{human} changes faster than it can be written"), [])
    }
}

/// A merge patch that takes these paths out of the object: keys by null, elements of lists by the list
/// without them.
fn removal(live: &Object, paths: &[FieldPath]) -> Value {
    let mut after = live.0.clone();
    for path in paths {
        drop(path.remove(&mut after));
    }
    let mut patch = serde_json::json!({"metadata": {
        "uid": live.uid(), "resourceVersion": live.resource_version(),
    }});
    for path in paths {
        let keys: Vec<&str> = path
            .0
            .iter()
            .map_while(|segment| match segment {
                Segment::Key(key) => Some(key.as_str()),
                _ => None,
            })
            .collect();
        let prefix = FieldPath::keys(keys.iter().copied());
        let value = prefix.get(&after).cloned().unwrap_or(Value::Null);
        let mut at = &mut patch;
        for key in keys {
            if !at[key].is_object() {
                at[key] = Value::Object(serde_json::Map::new());
            }
            at = &mut at[key];
        }
        *at = value;
    }
    patch
}

/// The lines of an error behind a heading.
pub(super) fn headed(heading: impl Into<String>, error: &Error) -> Stop {
    let mut lines = vec![heading.into()];
    lines.extend(lines_of(error));
    Stop::Failed(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn removals_are_one_guarded_patch() {
        let live = Object(json!({
            "metadata": {"uid": "u", "resourceVersion": "7"},
            "spec": {"suspend": true, "interval": "1m", "ports": [{"port": 1}, {"port": 2}]},
        }));
        let paths = ["spec.suspend", "spec.ports[port=1]"].map(|p| p.parse().unwrap());
        assert_eq!(
            removal(&live, &paths),
            json!({
                "metadata": {"uid": "u", "resourceVersion": "7"},
                "spec": {"suspend": null, "ports": [{"port": 2}]},
            })
        );
    }
}
