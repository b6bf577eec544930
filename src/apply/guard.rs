//! An apply to one very object: sent again while only its resourceVersion moves, stopped when something that
//! decided the plan did (design §5.9).

use serde_json::Value;

use super::unit::{Step, Stop, Unit, failed, guarded};
use crate::cluster::{Api, Error, FieldConflict};
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::plan::{self, Action, Guard, Take, guard};
use crate::state::{BeginId, Outcome};

/// How often a write is sent again because only the resourceVersion had moved.
pub(super) const RESENDS: usize = 5;

/// What a write stands on.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// The object.
    pub(super) uid: String,
    /// Its version.
    pub(super) version: String,
    /// Digest of the fields that decide, at that version.
    pub(super) digest: String,
}

enum Reread {
    /// Only this resourceVersion moved.
    Same(String),
    /// An earlier try was the one that moved it.
    Written(Box<Object>),
}

/// Whether a write needs force.
enum Force {
    Needed(bool),
    /// It would take more than was shown.
    TooMuch(Vec<String>),
}

impl Unit<'_> {
    /// What the plan was decided by.
    pub(super) fn base(&self) -> Step<Base> {
        match &self.change.guard {
            Guard::Object { uid, resource_version, digest } => {
                Ok(Base { uid: uid.clone(), version: resource_version.clone(), digest: digest.clone() })
            }
            Guard::Absent | Guard::AfterGone { .. } => {
                Err(Stop::failed("the plan names no object to change"))
            }
        }
    }

    /// The same, of an object that we ourselves changed since.
    pub(super) fn base_of(&self, live: &Object) -> Step<Base> {
        Ok(Base {
            uid: live.uid().to_owned(),
            version: live.resource_version().to_owned(),
            digest: self.digest(live)?,
        })
    }

    fn digest(&self, live: &Object) -> Step<String> {
        let force = &self.write()?.force;
        Ok(guard::digest(self.run.store.key(), &self.change.address, live, force))
    }

    /// Whether the fields that decided the plan are as they were.
    pub(super) fn holds(&self, live: &Object, base: &Base) -> Step<bool> {
        Ok(self.digest(live)? == base.digest)
    }

    /// Applies the body to this very object.
    pub(super) async fn apply_guarded(
        &self,
        api: &Api,
        body: &Value,
        mut base: Base,
        begun: BeginId,
    ) -> Step<Object> {
        let (namespace, name) = self.place();
        let human = self.change.key.human();
        for _ in 0..=RESENDS {
            let request = guarded(body, Some(&base.uid), &base.version);
            let answer = match self.force(api, &request).await {
                Ok(Force::Needed(force)) => {
                    let write = self.writer.apply(api, namespace, name, &request, force);
                    self.send(write).await.map(|applied| applied.object)
                }
                Ok(Force::TooMuch(lines)) => return self.taken(api, &base, begun, lines).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(object) => return Ok(self.own(begun, body, object)),
                Err(Error::Stale(_)) => match self.reread(api, body, &base, begun).await? {
                    Reread::Same(newer) => base.version = newer,
                    Reread::Written(live) => return Ok(self.own(begun, body, *live)),
                },
                Err(Error::FieldsOwned { conflicts, .. }) => {
                    let lines = conflicts.iter().map(conflict_line).collect();
                    return self.taken(api, &base, begun, lines).await;
                }
                Err(Error::AnotherObject(_)) => {
                    self.end(begun, Outcome::Unchanged);
                    let what = "was deleted, or is another object, since the plan was made";
                    return failed(format!("{human} {what}"), []);
                }
                Err(error) if error.outcome_unknown() => match self.read(api).await {
                    Ok(Some(live)) if live.uid() == base.uid && self.is_as_wanted(api, body, &live).await => {
                        return Ok(self.own(begun, body, live));
                    }
                    _ => return Self::in_doubt(&error),
                },
                Err(error) => return self.refused(begun, &error),
            }
        }
        self.end(begun, Outcome::Unchanged);
        failed(format!("{human} changes faster than it can be written ({RESENDS} tries)"), [])
    }

    /// Others hold more fields than the plan showed. The server says so before it looks at uid and
    /// resourceVersion (measured), so the object may be another one altogether.
    async fn taken<T>(&self, api: &Api, base: &Base, begun: BeginId, lines: Vec<String>) -> Step<T> {
        let human = self.change.key.human();
        let live = match self.read(api).await {
            Ok(live) => live,
            Err(stop) => return self.unread(begun, stop),
        };
        match live {
            None => {
                self.end(begun, Outcome::Unchanged);
                failed(format!("{human} was deleted since the plan was made"), [])
            }
            Some(live) if live.uid() != base.uid => {
                self.end(begun, Outcome::Unchanged);
                failed(format!("{human} became another object since the plan was made"), [])
            }
            Some(live) => {
                self.settle(begun, &live);
                let mut all = self.difference(&live);
                all.extend(lines);
                failed(format!("{human} was changed since the plan was made"), all)
            }
        }
    }

    /// After a stale resourceVersion: whether what the plan was decided by still holds.
    async fn reread(&self, api: &Api, body: &Value, base: &Base, begun: BeginId) -> Step<Reread> {
        let human = self.change.key.human();
        let broken = |what: &str, rest: Vec<String>| {
            self.end(begun, Outcome::Unchanged);
            failed(format!("{human} {what} since the plan was made"), rest)
        };
        let live = match self.read(api).await {
            Ok(Some(live)) => live,
            Ok(None) => return broken("was deleted", Vec::new()),
            Err(stop) => return self.unread(begun, stop),
        };
        if live.uid() != base.uid {
            return broken("became another object", Vec::new());
        }
        if self.holds(&live, base)? {
            return Ok(Reread::Same(live.resource_version().to_owned()));
        }
        if self.is_as_wanted(api, body, &live).await {
            return Ok(Reread::Written(Box::new(live)));
        }
        self.settle(begun, &live);
        failed(format!("{human} was changed since the plan was made"), self.difference(&live))
    }

    /// The object cannot be read, after an answer that it changed. An update leaves nothing to record; an adoption
    /// may be what changed it.
    pub(super) fn unread<T>(&self, begun: BeginId, stop: Stop) -> Step<T> {
        match stop {
            Stop::Failed(lines) if self.change.action == Action::Adopt => Err(Stop::InDoubt(lines)),
            stop => {
                if self.change.action != Action::Adopt {
                    self.end(begun, Outcome::Unchanged);
                }
                Err(stop)
            }
        }
    }

    /// Whether this apply needs force: only if nothing but the fields that the plan showed, with the values it
    /// showed, would conflict.
    async fn force(&self, api: &Api, request: &Value) -> Result<Force, Error> {
        let shown = self.change.write.as_ref().map_or(&[][..], |write| &write.force);
        if shown.is_empty() {
            return Ok(Force::Needed(false));
        }
        let (namespace, name) = self.place();
        let dry_run = self.writer.dry_run_apply(api, namespace, name, request, false);
        let conflicts = match self.send(dry_run).await {
            Ok(_) => return Ok(Force::Needed(false)),
            Err(Error::FieldsOwned { conflicts, .. }) => conflicts,
            Err(error) => return Err(error),
        };
        let unseen: Vec<String> =
            conflicts.iter().filter(|conflict| !is_shown(conflict, shown)).map(conflict_line).collect();
        if !unseen.is_empty() {
            return Ok(Force::TooMuch(unseen));
        }
        // The request carries the resourceVersion; the values that were shown are compared at that version.
        let live = self.send(self.writer.get(api, namespace, name)).await?;
        let live = live.ok_or_else(|| Error::AnotherObject("it is gone".to_owned()))?;
        let version = request.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        if Some(live.resource_version()) != version {
            return Err(Error::Stale("it changed while it was compared".to_owned()));
        }
        let moved: Vec<String> = shown
            .iter()
            .filter(|take| !self.is_as_shown(take, &live))
            .map(|take| format!("{} changed again, by {}", take.path, take.manager))
            .collect();
        Ok(if moved.is_empty() { Force::Needed(true) } else { Force::TooMuch(moved) })
    }

    fn is_as_shown(&self, take: &Take, live: &Object) -> bool {
        let value = take.path.get(&live.0).unwrap_or(&Value::Null);
        let key = self.run.store.key();
        key.field(&self.change.address, &take.path, value).0 == take.digest
    }

    /// What differs in the fields that decided the plan.
    pub(super) fn difference(&self, live: &Object) -> Vec<String> {
        let prior = self.run.before.resources.get(&self.change.address);
        plan::differences(self.change, self.run.store.key(), live, prior.map(|prior| &prior.secrets))
    }
}

fn conflict_line(conflict: &FieldConflict) -> String {
    format!("{} is held by {}", conflict.field.trim_start_matches('.'), conflict.manager)
}

fn is_shown(conflict: &FieldConflict, shown: &[Take]) -> bool {
    let owner = conflict.owner();
    shown.iter().any(|take| take.manager == owner.name && spelled(&take.path) == conflict.field)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spelled_as_the_server_does() {
        for (path, expected) in [
            ("spec.replicas", ".spec.replicas"),
            ("metadata.labels[\"app.kubernetes.io/name\"]", ".metadata.labels.app.kubernetes.io/name"),
            ("spec.ports[port=80,protocol=TCP].name", ".spec.ports[port=80,protocol=\"TCP\"].name"),
            ("metadata.finalizers[=\"a/b\"]", ".metadata.finalizers[=\"a/b\"]"),
            ("spec.accessModes[0]", ".spec.accessModes[0]"),
        ] {
            assert_eq!(spelled(&path.parse().unwrap()), expected);
        }
    }

    #[test]
    fn only_the_shown_manager_of_the_shown_field_counts() {
        let shown = [Take {
            path: "data.a".parse().unwrap(),
            manager: "kubectl-edit".to_owned(),
            digest: String::new(),
        }];
        let conflict = |field: &str, manager: &str| FieldConflict {
            field: field.to_owned(),
            manager: manager.to_owned(),
        };
        assert!(is_shown(&conflict(".data.a", "\"kubectl-edit\" using v1"), &shown));
        assert!(!is_shown(&conflict(".data.b", "\"kubectl-edit\" using v1"), &shown));
        assert!(!is_shown(&conflict(".data.a", "\"flux\""), &shown));
    }
}
