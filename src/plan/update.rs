//! An object that is there and wanted: no-op, update, replace or adopt.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::{Api, Error};
use crate::cluster::{DryRun, FieldConflict};
use crate::diag::Diagnostic;
use crate::diff::{self, FieldDiff};
use crate::fields::{self, Entry};
use crate::manifest::Unknown;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::assess::{Assessed, Assessor, Subject, probe_name};
use crate::plan::conflict::{self, Contest, Owner, Verdict};
use crate::plan::{
    Action, Change, Fidelity, FieldCause, FieldChange, Guard, Risk, Shown, Take, immutable, owned, refuse,
    releases,
};

/// What an update by dry-run found.
struct Checked {
    diffs: Vec<FieldDiff>,
    verdicts: BTreeMap<FieldPath, Verdict>,
    /// Leaves of our entry before and after.
    ours_before: BTreeSet<FieldPath>,
    ours_after: BTreeSet<FieldPath>,
    result: Object,
}

/// How the object comes to be ours.
pub(super) struct Adoption {
    pub(super) reason: String,
}

impl Assessor<'_> {
    /// Update, replace or no-op of an object of an API that honours dry-run.
    ///
    /// # Errors
    /// Only what ends the whole plan.
    pub(super) async fn update(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        adoption: Option<Adoption>,
    ) -> Result<Assessed, Error> {
        let action = if adoption.is_some() {
            Action::Adopt
        } else {
            Action::Update
        };
        let mut change = self.change(subject, action, Some(api));
        let body = Self::without_ignored(subject, live);
        change.write = Some(Self::write(subject, body.clone()));
        change.guard = self.guard(&subject.resource.address, live, &[]);
        change.fidelity = Fidelity::Server;
        let probe = Self::probe_body(subject, &body, Some(live));
        if let Some(cause) = Self::frozen_data(subject, &body, live) {
            return self.replace(subject, api, live, change, &cause).await;
        }
        let checked = match self.check(subject, api, live, &probe, adoption.is_some()).await {
            Ok(checked) => checked,
            Err(error @ Error::Invalid { .. }) => {
                return self.invalid(subject, api, live, change, &probe, error).await;
            }
            Err(error) => {
                change.fields = self.unchecked_fields(subject, &body, live);
                return self
                    .refused_dry_run(subject, api, change, error, Some(live))
                    .await;
            }
        };
        let mut problems = self.contested(subject, &checked.verdicts, adoption.as_ref());
        if let Some(adoption) = &adoption {
            change.reason = Some(adoption.reason.clone());
            problems.extend(self.adoption_needs_consent(subject, live));
            if let Some(write) = &mut change.write {
                write.adopt_managers = adopted_managers(live, &checked.ours_after);
            }
        }
        change.fields = self.field_changes(subject, live, &checked);
        let force = self.forced(subject, live, &checked.verdicts);
        change.guard = self.guard(&subject.resource.address, live, &force);
        if let Some(write) = &mut change.write {
            write.force = force;
        }
        let ownership_moves = checked.ours_before != checked.ours_after;
        if adoption.is_none() && change.fields.is_empty() && !ownership_moves {
            return Ok(Assessed {
                change: Some(self.no_op(subject, api, live)),
                problems,
                not_ours: Vec::new(),
            });
        }
        releases::judge(&mut change, live, &checked.result);
        Ok(Assessed {
            change: problems.is_empty().then_some(change),
            problems,
            not_ours: Vec::new(),
        })
    }

    /// Adopts an object that is there but not in state.
    pub(super) async fn adopt(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        reason: &str,
    ) -> Result<Assessed, Error> {
        if api.served_by == crate::cluster::ServedBy::Aggregated {
            let mut assessed = self.update_unchecked(subject, api, live);
            if let Some(change) = &mut assessed.change {
                change.action = Action::Adopt;
                change.reason = Some(reason.to_owned());
                if change.write.is_none() {
                    change.write = Some(Self::write(subject, subject.desired.body.clone()));
                }
            }
            assessed
                .problems
                .extend(self.adoption_needs_consent(subject, live));
            return Ok(assessed);
        }
        self.update(
            subject,
            api,
            live,
            Some(Adoption {
                reason: reason.to_owned(),
            }),
        )
        .await
    }

    /// The unforced dry-run, and where fields are held by others the forced one to see what it would do.
    async fn check(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        probe: &Value,
        adopting: bool,
    ) -> Result<Checked, Error> {
        let resource = subject.resource;
        let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
        let reader = self.input.reader;
        let (answer, conflicts) = match reader.dry_run_apply(api, namespace, name, probe, adopting).await {
            Err(Error::FieldsOwned { conflicts, .. }) => (
                reader.dry_run_apply(api, namespace, name, probe, true).await?,
                conflicts,
            ),
            answer => (answer?, Vec::new()),
        };
        self.assert_not_persisted(api, live, &answer).await?;
        let result = answer.object;
        let (ours_before, ours_after) = (owned::ours(live), owned::ours(&result));
        let ignored = |path: &FieldPath| resource.ignore.iter().any(|ignore| path.starts_with(ignore));
        let mut diffs = diff::compare(Self::root(subject), &live.0, &result.0);
        diffs.retain(|diff| !ignored(&diff.path));
        let desired: BTreeMap<FieldPath, Value> = ours_after
            .iter()
            .filter(|path| !ignored(path))
            .filter_map(|path| Some((path.clone(), path.get(&result.0)?.clone())))
            .collect();
        let no_fields = BTreeMap::new();
        let no_fights = BTreeSet::new();
        let owned = subject
            .prior
            .filter(|_| !adopting)
            .map_or(&no_fields, |prior| &prior.owned);
        let fights: BTreeSet<FieldPath> = subject
            .prior
            .map_or(no_fights, |prior| prior.fights.keys().cloned().collect());
        let entries = owned::entries(live);
        let address = &resource.address;
        let facts = conflict::Facts {
            desired: &desired,
            live: &live.0,
            entries: &entries,
            owned,
            fights: &fights,
            digest: &|path, value| self.input.key.field(address, path, value),
            taken: &|path| self.input.options.takes(address, path),
            scalable: api.scalable,
            adopting,
        };
        let mut verdicts = conflict::judge(&facts);
        if !adopting {
            settle_by_server(&mut verdicts, &conflicts);
        }
        Ok(Checked {
            diffs,
            verdicts,
            ours_before,
            ours_after,
            result,
        })
    }

    /// A dry-run that was persisted is found by our own entry having changed: resourceVersions alone move
    /// all the time.
    async fn assert_not_persisted(&self, api: &Api, live: &Object, reply: &DryRun) -> Result<(), Error> {
        if !reply.moved(live) {
            return Ok(());
        }
        let Some(now) = self.input.reader.get(api, live.namespace(), live.name()).await? else {
            return Ok(());
        };
        if !DryRun::persisted(live, &now) {
            return Ok(());
        }
        Err(Error::DryRunPersisted {
            kind: format!("{}.{}", api.kind, api.group),
            what: format!("our fields in {} changed after a dry-run", live.key().human()),
        })
    }

    /// The manifest less what is left to others: an ignored field is sent with its live value while it is
    /// still ours, since leaving it out then would reset it (measured), and not at all once it is not.
    fn without_ignored(subject: &Subject<'_>, live: &Object) -> Value {
        let mut body = subject.desired.body.clone();
        if subject.resource.ignore.is_empty() {
            return body;
        }
        let ours = owned::ours(live);
        for path in &subject.resource.ignore {
            let still_ours = ours
                .iter()
                .any(|leaf| leaf.starts_with(path) || path.starts_with(leaf));
            let Some(at) = owned::position(Self::root(subject), &body, path) else {
                continue;
            };
            match path.get(&live.0) {
                Some(value) if still_ours => {
                    if let Some(slot) = at.get_mut(&mut body) {
                        *slot = value.clone();
                    }
                }
                _ => drop(at.remove(&mut body)),
            }
        }
        body
    }

    fn contested(
        &self,
        subject: &Subject<'_>,
        verdicts: &BTreeMap<FieldPath, Verdict>,
        adoption: Option<&Adoption>,
    ) -> Vec<Diagnostic> {
        let adopt_allowed = self.input.options.adopt.contains(&subject.resource.address);
        verdicts
            .iter()
            .filter_map(|(path, verdict)| match verdict {
                Verdict::Contested(owner, contest) if adoption.is_none() || !adopt_allowed => Some(
                    refuse::contested(subject.resource, path, owner, *contest, adoption.is_some()),
                ),
                _ => None,
            })
            .collect()
    }

    fn adoption_needs_consent(&self, subject: &Subject<'_>, live: &Object) -> Option<Diagnostic> {
        if self.input.options.adopt.contains(&subject.resource.address) || live.mark().is_some() {
            return None;
        }
        let owner = foreign_owner(live)?;
        Some(refuse::needs_adopt(subject.resource, &owner))
    }

    /// Exactly what may be taken by force at apply, as it is shown now.
    fn forced(
        &self,
        subject: &Subject<'_>,
        live: &Object,
        verdicts: &BTreeMap<FieldPath, Verdict>,
    ) -> Vec<Take> {
        let address = &subject.resource.address;
        verdicts
            .iter()
            .filter_map(|(path, verdict)| match verdict {
                Verdict::Drift(owner)
                | Verdict::CoOwned(owner)
                | Verdict::Taken(owner)
                | Verdict::Contested(owner, _) => {
                    let value = path.get(&live.0).cloned().unwrap_or(Value::Null);
                    let digest = self.input.key.field(address, path, &value).0;
                    Some(Take {
                        path: path.clone(),
                        manager: owner.manager.clone(),
                        digest,
                    })
                }
                Verdict::Unrecorded => None,
            })
            .collect()
    }

    fn field_changes(&self, subject: &Subject<'_>, live: &Object, checked: &Checked) -> Vec<FieldChange> {
        let mask = self.mask(subject);
        let late: BTreeSet<FieldPath> = subject
            .desired
            .unknown
            .iter()
            .filter(|(_, unknown)| matches!(unknown, Unknown::AfterApply { .. }))
            .map(|(path, _)| Self::canonical(subject, path))
            .collect();
        let entries = owned::entries(live);
        let others_own = |path: &FieldPath| -> Vec<String> {
            entries
                .iter()
                .filter(|e| !owned::is_ours(e) && owned::holds(e, path))
                .map(|e| e.manager.clone())
                .collect()
        };
        let mut changes: Vec<FieldChange> = checked
            .diffs
            .iter()
            .map(|diff| {
                let cause = Self::cause(subject, checked, diff);
                // A value of unknown type was left out of the dry-run, which then shows a removal.
                let is_late = late
                    .iter()
                    .any(|l| l.starts_with(&diff.path) || diff.path.starts_with(l));
                let after = if is_late {
                    Shown::KnownAfterApply
                } else {
                    mask.after(&diff.path, diff.after.as_ref())
                };
                FieldChange {
                    path: diff.path.clone(),
                    before: mask.before(&diff.path, diff.before.as_ref()),
                    after,
                    cause,
                }
            })
            .filter(|change| !(change.before == change.after && change.after != Shown::Masked))
            .collect();
        let touched = |path: &FieldPath| {
            changes
                .iter()
                .any(|c| c.path.starts_with(path) || path.starts_with(&c.path))
        };
        let mut more: Vec<FieldChange> = Vec::new();
        let keep = |path: &&FieldPath| {
            !touched(path) && !subject.resource.ignore.iter().any(|i| path.starts_with(i))
        };
        for path in checked.ours_before.difference(&checked.ours_after).filter(keep) {
            let value = mask.before(path, path.get(&live.0));
            let managers = others_own(path);
            let cause = if managers.is_empty() {
                FieldCause::Stack
            } else {
                FieldCause::Stays { managers }
            };
            more.push(FieldChange {
                path: path.clone(),
                before: value.clone(),
                after: value,
                cause,
            });
        }
        for path in checked.ours_after.difference(&checked.ours_before).filter(keep) {
            let value = mask.before(path, path.get(&live.0));
            more.push(FieldChange {
                path: path.clone(),
                before: value.clone(),
                after: value,
                cause: FieldCause::Owned,
            });
        }
        for path in late.iter().filter(|path| !touched(path)) {
            let before = mask.before(path, path.get(&live.0));
            let after = Shown::KnownAfterApply;
            more.push(FieldChange {
                path: path.clone(),
                before,
                after,
                cause: FieldCause::Stack,
            });
        }
        changes.extend(more);
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    fn cause(subject: &Subject<'_>, checked: &Checked, diff: &FieldDiff) -> FieldCause {
        let verdict = checked
            .verdicts
            .iter()
            .find(|(path, _)| path.starts_with(&diff.path) || diff.path.starts_with(path));
        let of = |owner: &Owner| (owner.manager.clone(), owner.time.clone());
        match verdict.map(|(_, verdict)| verdict) {
            Some(Verdict::Drift(owner)) => {
                let (manager, time) = of(owner);
                return FieldCause::Drift { manager, time };
            }
            Some(Verdict::CoOwned(owner)) => return FieldCause::CoOwned { manager: of(owner).0 },
            Some(Verdict::Taken(owner) | Verdict::Contested(owner, _)) => {
                return FieldCause::Taken { manager: of(owner).0 };
            }
            Some(Verdict::Unrecorded) => return FieldCause::DriftUnrecorded,
            None => {}
        }
        let within = |set: &BTreeSet<FieldPath>| {
            set.iter()
                .any(|p| p.starts_with(&diff.path) || diff.path.starts_with(p))
        };
        let was_ours = subject
            .prior
            .is_some_and(|prior| prior.owned.contains_key(&diff.path));
        if within(&checked.ours_after) || within(&checked.ours_before) || was_ours {
            FieldCause::Stack
        } else {
            FieldCause::Server
        }
    }

    /// A change of the data of an immutable Secret or ConfigMap: known without asking, and asking would send
    /// the value.
    fn frozen_data(subject: &Subject<'_>, body: &Value, live: &Object) -> Option<String> {
        let kind = subject.resource.kind.as_str();
        if subject.resource.api_version != "v1" || !matches!(kind, "Secret" | "ConfigMap") {
            return None;
        }
        if live.0.get("immutable") != Some(&Value::Bool(true)) {
            return None;
        }
        let differs = |field: &str| {
            let wanted = body.get(field).and_then(Value::as_object);
            wanted.is_some_and(|map| {
                map.iter()
                    .any(|(k, v)| live.0.get(field).and_then(|l| l.get(k)) != Some(v))
            })
        };
        (differs("data") || differs("binaryData"))
            .then(|| format!("the {kind} is immutable: its data cannot change"))
    }

    /// A 422: an immutable field, or a mistake.
    async fn invalid(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        change: Change,
        probe: &Value,
        error: Error,
    ) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let mut body = probe.clone();
        let name = probe_name(&resource.key().to_string());
        body["metadata"]["name"] = Value::String(name.clone());
        let answer = self
            .input
            .reader
            .dry_run_apply(api, resource.namespace.as_deref(), &name, &body, true)
            .await;
        let causes = immutable::causes(&error, answer.as_ref().err());
        if causes.is_empty() {
            return self
                .refused_dry_run(subject, api, change, error, Some(live))
                .await;
        }
        let text = causes
            .iter()
            .map(|cause| {
                format!(
                    "{}: {}",
                    cause.field.as_deref().unwrap_or_default(),
                    cause.message
                )
            })
            .collect::<Vec<_>>()
            .join("; ");
        let text = self.clean(&text);
        self.replace(subject, api, live, change, &text).await
    }

    /// Delete and make anew, where the stack allows it for this resource.
    async fn replace(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        mut change: Change,
        why: &str,
    ) -> Result<Assessed, Error> {
        let resource = subject.resource;
        if !resource.replace_immutable {
            return Ok(Assessed::refused(refuse::immutable(resource, why)));
        }
        if live.is_protected() || subject.prior.is_some_and(|prior| prior.protect) {
            return Ok(Assessed::refused(refuse::protected_replace(resource, why)));
        }
        if resource.kind == "PersistentVolumeClaim" {
            let pods = self
                .pods_with_claim(resource.namespace.as_deref(), &resource.name)
                .await?;
            if !pods.is_empty() {
                return Ok(Assessed::refused(refuse::claim_in_use(resource, &pods)));
            }
        }
        change.action = Action::Replace;
        change.reason = Some(format!("cannot change in place: {why}"));
        change.risk = Risk::Disruptive;
        change.fields = self.unchecked_fields(subject, &subject.desired.body, live);
        change.write = Some(Self::write(subject, subject.desired.body.clone()));
        change.guard = match self.guard(&resource.address, live, &[]) {
            guard @ Guard::Object { .. } => guard,
            other => other,
        };
        change.api = Some(api.clone());
        Ok(Assessed {
            change: Some(change),
            problems: Vec::new(),
            not_ours: Vec::new(),
        })
    }

    async fn pods_with_claim(&self, namespace: Option<&str>, claim: &str) -> Result<Vec<String>, Error> {
        let Some(api) = self.discovery.preferred("", "Pod") else {
            return Ok(Vec::new());
        };
        let pods = self.input.reader.list(api, namespace, None).await?;
        let mounts = |pod: &Object| {
            let volumes = pod.0.pointer("/spec/volumes").and_then(Value::as_array);
            let name = Some(claim);
            let mounted = volumes.into_iter().flatten().any(|v| {
                v.pointer("/persistentVolumeClaim/claimName")
                    .and_then(Value::as_str)
                    == name
            });
            let done = matches!(
                pod.0.pointer("/status/phase").and_then(Value::as_str),
                Some("Succeeded" | "Failed")
            );
            mounted && !done
        };
        Ok(pods
            .iter()
            .filter(|pod| mounts(pod))
            .map(|pod| pod.name().to_owned())
            .collect())
    }

    /// What an update of an API that gets no dry-run changes: desired against live, field by field of the
    /// manifest, and what we wrote before and want no more.
    pub(super) fn update_unchecked(&self, subject: &Subject<'_>, api: &Api, live: &Object) -> Assessed {
        let mut change = self.change(subject, Action::Update, Some(api));
        let body = Self::without_ignored(subject, live);
        change.fields = self.unchecked_fields(subject, &body, live);
        if change.fields.is_empty() {
            let mut change = self.no_op(subject, api, live);
            change.fidelity = Fidelity::Schema;
            change.fidelity_reason = Some(format!(
                "{} is served by an aggregated API, which gets no dry-run",
                api.kind
            ));
            return Assessed {
                change: Some(change),
                problems: Vec::new(),
                not_ours: Vec::new(),
            };
        }
        change.fidelity = Fidelity::Schema;
        change.fidelity_reason = Some(format!(
            "{} is served by an aggregated API, which gets no dry-run",
            api.kind
        ));
        change.guard = self.guard(&subject.resource.address, live, &[]);
        change.write = Some(Self::write(subject, body));
        Assessed {
            change: Some(change),
            problems: Vec::new(),
            not_ours: Vec::new(),
        }
    }

    fn unchecked_fields(&self, subject: &Subject<'_>, body: &Value, live: &Object) -> Vec<FieldChange> {
        let mask = self.mask(subject);
        let root = Self::root(subject);
        let wanted = owned::manifest_leaves(root, body);
        let ignored = |path: &FieldPath| {
            subject
                .resource
                .ignore
                .iter()
                .any(|ignore| path.starts_with(ignore))
        };
        let identity =
            |path: &FieldPath| matches!(path.to_string().as_str(), "metadata.name" | "metadata.namespace");
        let mut changes = Vec::new();
        for path in wanted.iter().filter(|path| !ignored(path) && !identity(path)) {
            let want = fields::value_at(root, body, path);
            let have = path.get(&live.0);
            if want != have {
                let (before, after) = (mask.before(path, have), mask.after(path, want));
                changes.push(FieldChange {
                    path: path.clone(),
                    before,
                    after,
                    cause: FieldCause::Stack,
                });
            }
        }
        let gone = subject.prior.into_iter().flat_map(|prior| prior.owned.keys());
        for path in gone.filter(|path| !wanted.contains(path) && !ignored(path)) {
            if path.get(&live.0).is_some() && !wanted.iter().any(|w| w.starts_with(path)) {
                let before = mask.before(path, path.get(&live.0));
                changes.push(FieldChange {
                    path: path.clone(),
                    before,
                    after: Shown::Absent,
                    cause: FieldCause::Stack,
                });
            }
        }
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    /// The fields of an object that is made: those of the manifest, with the values the server would give them.
    pub(super) fn added(
        &self,
        subject: &Subject<'_>,
        result: &Value,
        _api: Option<&Api>,
    ) -> Vec<FieldChange> {
        let mask = self.mask(subject);
        let root = Self::root(subject);
        let late: BTreeMap<FieldPath, Shown> = subject
            .desired
            .unknown
            .iter()
            .map(|(path, unknown)| {
                let shown = match unknown {
                    crate::manifest::Unknown::NotRead => Shown::NotRead,
                    crate::manifest::Unknown::AfterApply { .. } => Shown::KnownAfterApply,
                };
                (Self::canonical(subject, path), shown)
            })
            .collect();
        let mut added: Vec<FieldChange> = owned::manifest_leaves(root, &subject.desired.body)
            .into_iter()
            .filter(|path| !late.contains_key(path))
            .map(|path| {
                let value = path
                    .get(result)
                    .or_else(|| fields::value_at(root, &subject.desired.body, &path));
                let after = mask.after(&path, value);
                FieldChange {
                    path,
                    before: Shown::Absent,
                    after,
                    cause: FieldCause::Stack,
                }
            })
            .collect();
        added.extend(late.into_iter().map(|(path, after)| FieldChange {
            path,
            before: Shown::Absent,
            after,
            cause: FieldCause::Stack,
        }));
        added.sort_by(|a, b| a.path.cmp(&b.path));
        added
    }
}

/// The server is the judge of conflicts: what it does not name needs no force, and what it names and we
/// cannot explain is not ours to take.
fn settle_by_server(verdicts: &mut BTreeMap<FieldPath, Verdict>, conflicts: &[FieldConflict]) {
    let named: BTreeSet<&str> = conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
    verdicts.retain(|path, verdict| {
        let needs_no_force = matches!(
            verdict,
            Verdict::Unrecorded | Verdict::Contested(_, Contest::Replicas)
        );
        needs_no_force || named.contains(owned::server_spelling(path).as_str())
    });
    let explained: BTreeSet<String> = verdicts.keys().map(owned::server_spelling).collect();
    for conflict in conflicts
        .iter()
        .filter(|conflict| !explained.contains(&conflict.field))
    {
        let owner = Owner {
            manager: conflict.manager.clone(),
            time: None,
        };
        let path = FieldPath::keys([conflict.field.trim_start_matches('.')]);
        verdicts.insert(path, Verdict::Contested(owner, Contest::NeverOurs));
    }
}

/// The managers whose entries on the main resource hold fields that we set: adoption moves these to us, or a
/// later removal of such a field would do nothing (measured).
fn adopted_managers(live: &Object, ours: &BTreeSet<FieldPath>) -> Vec<String> {
    let entries = owned::entries(live);
    let holds = |entry: &&Entry| {
        !owned::is_ours(entry)
            && owned::is_plain_update(entry)
            && ours.iter().any(|path| owned::holds(entry, path))
    };
    let mut managers: Vec<String> = entries
        .iter()
        .filter(holds)
        .map(|entry| entry.manager.clone())
        .collect();
    managers.sort();
    managers.dedup();
    managers
}

/// Another tool that manages the object (PF-45), or its controlling owner.
fn foreign_owner(live: &Object) -> Option<String> {
    let label = |key: &str| live.label(key).map(str::to_owned);
    for (group, what) in [
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
        ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ] {
        if let (Some(name), Some(namespace)) = (
            label(&format!("{group}/name")),
            label(&format!("{group}/namespace")),
        ) {
            return Some(format!("{what} {namespace}/{name}"));
        }
    }
    if let Some(kind) = label("apps.cozystack.io/application.kind") {
        let name = label("apps.cozystack.io/application.name").unwrap_or_default();
        return Some(format!("the Cozystack application {kind} {name}"));
    }
    if label("app.kubernetes.io/managed-by").as_deref() == Some("Helm")
        && let Some(release) = live.annotation("meta.helm.sh/release-name")
    {
        return Some(format!("the Helm release {release}"));
    }
    let controller = live.controller()?;
    let text = |key: &str| controller.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(format!("its controller {} {}", text("kind"), text("name")))
}
