//! Create and update by Server-Side Apply, each under its guard (design §5.9).

use serde_json::Value;

use super::managed;
use super::unit::{Step, Stop, Unit, failed, guarded, lines_of};
use crate::cluster::{Api, Error, FieldConflict, ServedBy};
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::plan::{Guard, Take, Write, guard};
use crate::state::{BeginId, Operation, Outcome};

/// How often a write is sent again because only the resourceVersion had moved.
const RESENDS: usize = 5;

/// The resourceVersion that means "must not exist" to Server-Side Apply (measured: 201 when absent, 409 when
/// present).
const MUST_NOT_EXIST: &str = "1";

impl Unit<'_> {
    /// What is written.
    pub(super) fn write(&self) -> Step<&Write> {
        self.change
            .write
            .as_ref()
            .ok_or_else(|| Stop::failed("the plan says nothing to write"))
    }

    /// Makes the object, which must not exist.
    pub(super) async fn create(&mut self, api: &Api, body: &Value) -> Step<Object> {
        if let Guard::AfterGone { uid } = &self.change.guard {
            self.slot.release();
            self.wait_gone(api, uid).await?;
            self.slot.take().await;
        }
        if api.served_by == ServedBy::Aggregated {
            return self.post(api, body).await;
        }
        let (namespace, name) = self.place();
        let begun = self.begin(Operation::Create, None, body).await?;
        let request = guarded(body, None, MUST_NOT_EXIST);
        match self
            .send(self.writer.apply(api, namespace, name, &request, false))
            .await
        {
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
        let exists = matches!(
            error,
            Error::Stale(_) | Error::AlreadyExists(_) | Error::FieldsOwned { .. }
        );
        if !exists && !error.outcome_unknown() && api.served_by != ServedBy::Aggregated {
            return self.refused(begun, &error);
        }
        let live = match self.read(api).await {
            Ok(live) => live,
            Err(_) if error.outcome_unknown() => return Self::in_doubt(&error),
            Err(stop) => {
                self.end(begun, Outcome::Unchanged);
                return Err(stop);
            }
        };
        match live {
            Some(live) if self.is_as_wanted(api, body, &live).await => Ok(self.own(begun, body, live)),
            Some(live) => {
                self.end(begun, Outcome::Unchanged);
                let managers = managed::other_managers(&live);
                let by = if managers.is_empty() {
                    String::new()
                } else {
                    format!(" by {}", managers.join(", "))
                };
                failed(
                    format!("{} was made{by} since the plan was made", self.change.key.human()),
                    [],
                )
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
        let Guard::Object {
            uid,
            resource_version,
            ..
        } = &self.change.guard
        else {
            return Err(Stop::failed("the plan names no object to change"));
        };
        let remove = self.write()?.remove.clone();
        let begun = self.begin(Operation::Update, Some(uid), body).await?;
        let mut version = resource_version.clone();
        if !remove.is_empty() {
            version = self.remove_foreign(api, begun, &version, &remove).await?;
        }
        self.apply_guarded(api, body, uid, version, begun).await
    }

    /// Applies the body to this very object; sends it again while only the resourceVersion moves.
    pub(super) async fn apply_guarded(
        &self,
        api: &Api,
        body: &Value,
        uid: &str,
        mut version: String,
        begun: BeginId,
    ) -> Step<Object> {
        let (namespace, name) = self.place();
        for _ in 0..=RESENDS {
            let request = guarded(body, Some(uid), &version);
            let answer = match self.must_force(api, &request).await {
                Ok(Ok(force)) => {
                    self.send(self.writer.apply(api, namespace, name, &request, force))
                        .await
                }
                Ok(Err(lines)) => {
                    self.end(begun, Outcome::Unchanged);
                    return Err(Stop::Failed(lines));
                }
                Err(error) => Err(error).map(|never: std::convert::Infallible| match never {}),
            };
            match answer {
                Ok(applied) => return Ok(self.own(begun, body, applied.object)),
                Err(Error::Stale(_)) => match self.reread(api, body, uid, begun).await? {
                    Reread::Same(newer) => version = newer,
                    Reread::Written(live) => return Ok(self.own(begun, body, *live)),
                },
                Err(Error::FieldsOwned { conflicts, .. }) => {
                    self.end(begun, Outcome::Unchanged);
                    let lines = conflicts.iter().map(conflict_line);
                    return failed("fields were taken by others since the plan was made", lines);
                }
                Err(Error::AnotherObject(_)) => {
                    self.end(begun, Outcome::Unchanged);
                    let human = self.change.key.human();
                    return failed(
                        format!("{human} was deleted, or is another object, since the plan was made"),
                        [],
                    );
                }
                Err(error) if error.outcome_unknown() => match self.read(api).await {
                    Ok(Some(live)) if live.uid() == uid && self.is_as_wanted(api, body, &live).await => {
                        return Ok(self.own(begun, body, live));
                    }
                    _ => return Self::in_doubt(&error),
                },
                Err(error) => return self.refused(begun, &error),
            }
        }
        self.end(begun, Outcome::Unchanged);
        let human = self.change.key.human();
        failed(
            format!("{human} changes faster than it can be written ({RESENDS} tries)"),
            [],
        )
    }

    /// After a stale resourceVersion: whether what the plan was decided by still holds.
    async fn reread(&self, api: &Api, body: &Value, uid: &str, begun: BeginId) -> Step<Reread> {
        let human = self.change.key.human();
        let broken = |line: String, rest: Vec<String>| {
            self.end(begun, Outcome::Unchanged);
            failed(line, rest)
        };
        let live = match self.read(api).await {
            Ok(Some(live)) => live,
            Ok(None) => return broken(format!("{human} was deleted since the plan was made"), Vec::new()),
            Err(stop) => {
                self.end(begun, Outcome::Unchanged);
                return Err(stop);
            }
        };
        if live.uid() != uid {
            return broken(
                format!("{human} is another object since the plan was made"),
                Vec::new(),
            );
        }
        if self.holds(&live)? {
            return Ok(Reread::Same(live.resource_version().to_owned()));
        }
        if self.is_as_wanted(api, body, &live).await {
            return Ok(Reread::Written(Box::new(live)));
        }
        let difference = self.difference(&live);
        broken(format!("{human} was changed since the plan was made"), difference)
    }

    /// Whether the fields that decided the plan are as they were.
    pub(super) fn holds(&self, live: &Object) -> Step<bool> {
        let Guard::Object { digest, .. } = &self.change.guard else {
            return Ok(false);
        };
        let now = guard::digest(
            self.run.store.key(),
            &self.change.address,
            live,
            &self.write()?.force,
        );
        Ok(now == *digest)
    }

    /// Whether this apply needs force: only if nothing but the fields that the plan showed would conflict.
    /// The inner error says what else would.
    async fn must_force(&self, api: &Api, request: &Value) -> Result<Result<bool, Vec<String>>, Error> {
        let shown = self.change.write.as_ref().map_or(&[][..], |write| &write.force);
        if shown.is_empty() {
            return Ok(Ok(false));
        }
        let (namespace, name) = self.place();
        let dry_run = self.send(self.writer.dry_run_apply(api, namespace, name, request, false));
        let conflicts = match dry_run.await {
            Ok(_) => return Ok(Ok(false)),
            Err(Error::FieldsOwned { conflicts, .. }) => conflicts,
            Err(error) => return Err(error),
        };
        let unseen: Vec<&FieldConflict> = conflicts.iter().filter(|c| !is_shown(c, shown)).collect();
        if !unseen.is_empty() {
            let mut lines = vec!["more fields are held by others than the plan showed".to_owned()];
            lines.extend(unseen.into_iter().map(conflict_line));
            return Ok(Err(lines));
        }
        // The request carries the resourceVersion; the values that were shown are compared at that version.
        let live = self.send(self.writer.get(api, namespace, name)).await?;
        let version = request
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        match live {
            Some(live) if Some(live.resource_version()) == version => {
                let moved: Vec<String> = shown
                    .iter()
                    .filter(|take| !self.is_as_shown(take, &live))
                    .map(|take| format!("{} changed again, by {}", take.path, take.manager))
                    .collect();
                Ok(if moved.is_empty() { Ok(true) } else { Err(moved) })
            }
            Some(_) => Err(Error::Stale("it changed while it was compared".to_owned())),
            None => Err(Error::AnotherObject("it is gone".to_owned())),
        }
    }

    fn is_as_shown(&self, take: &Take, live: &Object) -> bool {
        let value = take.path.get(&live.0).unwrap_or(&Value::Null);
        self.run
            .store
            .key()
            .field(&self.change.address, &take.path, value)
            .0
            == take.digest
    }

    /// `--take`: removes fields that other managers added, by one patch at this very resourceVersion.
    async fn remove_foreign(
        &self,
        api: &Api,
        begun: BeginId,
        version: &str,
        paths: &[FieldPath],
    ) -> Step<String> {
        let (namespace, name) = self.place();
        let mut version = version.to_owned();
        for _ in 0..=RESENDS {
            let Some(live) = self.read(api).await? else {
                self.end(begun, Outcome::Unchanged);
                return failed(
                    format!("{} was deleted since the plan was made", self.change.key.human()),
                    [],
                );
            };
            if live.resource_version() != version && !self.holds(&live)? {
                self.end(begun, Outcome::Unchanged);
                let difference = self.difference(&live);
                return failed(
                    format!("{} was changed since the plan was made", self.change.key.human()),
                    difference,
                );
            }
            let patch = removal(&live, paths);
            match self
                .send(self.writer.merge_patch(api, namespace, name, &patch))
                .await
            {
                Ok(applied) => return Ok(applied.object.resource_version().to_owned()),
                Err(Error::Stale(_)) => live.resource_version().clone_into(&mut version),
                Err(error) if error.outcome_unknown() => return Self::in_doubt(&error),
                Err(error) => return self.refused(begun, &error),
            }
        }
        self.end(begun, Outcome::Unchanged);
        failed(
            format!(
                "{} changes faster than it can be written",
                self.change.key.human()
            ),
            [],
        )
    }

    /// What differs in our fields from what the plan showed.
    pub(super) fn difference(&self, live: &Object) -> Vec<String> {
        const MOST: usize = 10;
        let Some(prior) = self.run.before.resources.get(&self.change.address) else {
            return Vec::new();
        };
        let key = self.run.store.key();
        let mut lines = Vec::new();
        for (path, digest) in &prior.owned {
            let now = path.get(&live.0);
            let digest_now = now.map(|value| key.field(&self.change.address, path, value));
            let shown_at_plan = self.change.fields.iter().any(|field| field.path == *path);
            if digest_now == *digest || digest.is_none() || shown_at_plan {
                continue;
            }
            lines.push(match now {
                None => format!("{path} was removed"),
                Some(_) if self.is_secret(path) => format!("{path} is another secret now"),
                Some(value) => format!("{path} is now {value}"),
            });
        }
        if lines.len() > MOST {
            let more = lines.len() - MOST;
            lines.truncate(MOST);
            lines.push(format!("and {more} more"));
        }
        lines
    }

    fn is_secret(&self, path: &FieldPath) -> bool {
        self.change.key.kind == "Secret" && self.change.key.group.is_empty()
            || self.change.write.as_ref().is_some_and(|write| {
                write
                    .secret
                    .iter()
                    .any(|secret| path.starts_with(secret) || secret.starts_with(path))
            })
    }
}

enum Reread {
    /// Only this resourceVersion moved.
    Same(String),
    /// An earlier try was the one that moved it.
    Written(Box<Object>),
}

fn conflict_line(conflict: &FieldConflict) -> String {
    format!(
        "{} is held by {}",
        conflict.field.trim_start_matches('.'),
        conflict.manager
    )
}

fn is_shown(conflict: &FieldConflict, shown: &[Take]) -> bool {
    let owner = conflict.owner();
    shown
        .iter()
        .any(|take| take.manager == owner.name && spelled(&take.path) == conflict.field)
}

/// A path in the server's own spelling, which cannot be read back (`.metadata.labels.a.b/c`), only compared.
fn spelled(path: &FieldPath) -> String {
    path.0.iter().map(spelled_segment).collect()
}

fn spelled_segment(segment: &Segment) -> String {
    match segment {
        Segment::Key(key) => format!(".{key}"),
        Segment::Index(index) => format!("[{index}]"),
        Segment::Item(item) => format!("[={item}]"),
        Segment::Select(keys) => {
            let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
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
    fn paths_are_spelled_as_the_server_does() {
        for (path, expected) in [
            ("spec.replicas", ".spec.replicas"),
            (
                "metadata.labels[\"app.kubernetes.io/name\"]",
                ".metadata.labels.app.kubernetes.io/name",
            ),
            (
                "spec.ports[port=80,protocol=TCP].name",
                ".spec.ports[port=80,protocol=\"TCP\"].name",
            ),
            ("metadata.finalizers[=\"a/b\"]", ".metadata.finalizers[=\"a/b\"]"),
            ("spec.accessModes[0]", ".spec.accessModes[0]"),
        ] {
            assert_eq!(spelled(&path.parse().unwrap()), expected);
        }
    }

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
