//! The fields that differ, each with its cause, secrets hidden.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::diff::{self, FieldDiff};
use crate::fields;
use crate::manifest::Unknown;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::assess::{Assessor, Subject};
use crate::plan::check::Checked;
use crate::plan::conflict::{Owner, Verdict};
use crate::plan::{FieldCause, FieldChange, Shown, owned};

impl Assessor<'_> {
    pub(super) fn field_changes(
        &self,
        subject: &Subject<'_>,
        live: &Object,
        checked: &Checked,
    ) -> Vec<FieldChange> {
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
                let cause = self.cause(subject, checked, diff);
                // A value of unknown type was left out of the dry-run, which then shows a removal.
                let is_late = late.iter().any(|l| l.starts_with(&diff.path) || diff.path.starts_with(l));
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
        let touched =
            |path: &FieldPath| changes.iter().any(|c| c.path.starts_with(path) || path.starts_with(&c.path));
        let mut more: Vec<FieldChange> = Vec::new();
        let keep = |path: &&FieldPath| {
            !touched(path) && !subject.resource.ignore.iter().any(|i| path.starts_with(i))
        };
        // Where the structure is not known, lists are compared by position while the server owns by key: what is
        // in one object only was told by position.
        let in_both =
            |path: &&FieldPath| path.get(&live.0).is_some() && path.get(&checked.result.0).is_some();
        let leaving = checked.ours_before.difference(&checked.ours_after);
        for path in leaving.filter(keep).filter(in_both) {
            let value = mask.before(path, path.get(&live.0));
            let managers = others_own(path);
            let cause = if managers.is_empty() { FieldCause::Stack } else { FieldCause::Stays { managers } };
            more.push(FieldChange { path: path.clone(), before: value.clone(), after: value, cause });
        }
        let coming = checked.ours_after.difference(&checked.ours_before);
        for path in coming.filter(keep).filter(in_both) {
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
            more.push(FieldChange { path: path.clone(), before, after, cause: FieldCause::Stack });
        }
        changes.extend(more);
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    fn cause(&self, subject: &Subject<'_>, checked: &Checked, diff: &FieldDiff) -> FieldCause {
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
            set.iter().any(|p| p.starts_with(&diff.path) || diff.path.starts_with(p))
        };
        let was_ours = subject.prior.is_some_and(|prior| prior.owned.contains_key(&diff.path));
        let declared = within(&checked.ours_after) || within(&checked.ours_before) || was_ours;
        if declared && !self.is_overruled(subject, diff) { FieldCause::Stack } else { FieldCause::Server }
    }

    /// Whether a field of an unchanged manifest gets another value than the manifest says: a mutating policy
    /// or webhook came after the last apply.
    fn is_overruled(&self, subject: &Subject<'_>, diff: &FieldDiff) -> bool {
        let hash = || self.input.key.manifest(&subject.resource.address, &subject.desired.body);
        let sent = fields::value_at(Self::root(subject), &subject.desired.body, &diff.path);
        sent.is_some_and(|sent| diff.after.as_ref() != Some(sent))
            && subject.prior.is_some_and(|prior| prior.desired_hash == Some(hash()))
    }

    pub(super) fn unchecked_fields(
        &self,
        subject: &Subject<'_>,
        body: &Value,
        live: &Object,
    ) -> Vec<FieldChange> {
        let mask = self.mask(subject);
        let root = Self::root(subject);
        let wanted = owned::manifest_leaves(root, body);
        let ignored =
            |path: &FieldPath| subject.resource.ignore.iter().any(|ignore| path.starts_with(ignore));
        let identity =
            |path: &FieldPath| matches!(path.to_string().as_str(), "metadata.name" | "metadata.namespace");
        let mut changes = Vec::new();
        for path in wanted.iter().filter(|path| !ignored(path) && !identity(path)) {
            let want = fields::value_at(root, body, path);
            let have = path.get(&live.0);
            // An empty map wants no more than to be there; what was in it and is ours goes below.
            let there = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            if want.is_some_and(there) && have.is_some_and(Value::is_object) {
                continue;
            }
            if want != have {
                let (before, after) = (mask.before(path, have), mask.after(path, want));
                let written = subject.prior.and_then(|prior| prior.owned.get(path)?.as_ref());
                let same = |want| self.input.key.field(&subject.resource.address, path, want);
                let cause = match (written, want) {
                    (Some(written), Some(want)) if *written == same(want) => FieldCause::DriftUnrecorded,
                    _ => FieldCause::Stack,
                };
                changes.push(FieldChange { path: path.clone(), before, after, cause });
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

    /// In what the object made anew differs from the one that goes. What others wrote goes with it, save what
    /// controllers will write again.
    pub(super) fn replaced_fields(
        &self,
        subject: &Subject<'_>,
        live: &Object,
        new: &Object,
    ) -> Vec<FieldChange> {
        let mask = self.mask(subject);
        let key = &subject.desired.key;
        let wanted = owned::manifest_leaves(Self::root(subject), &subject.desired.body);
        let was_wanted = subject.prior.map(|prior| &prior.owned);
        let (mut before, mut after) = (live.0.clone(), new.0.clone());
        diff::normalize(&mut before);
        diff::normalize(&mut after);
        diff::compare(Self::root(subject), &before, &after)
            .into_iter()
            .filter(|diff| {
                diff.after.is_some() || !diff::controller_filled(&key.group, &key.kind, &diff.path, &live.0)
            })
            .filter_map(|diff| {
                let within = |path: &FieldPath| path.starts_with(&diff.path) || diff.path.starts_with(path);
                let ours =
                    wanted.iter().any(within) || was_wanted.is_some_and(|owned| owned.keys().any(within));
                // That a new object has a new uid in its labels is no news.
                let drawn = !ours && diff::drawn_by_server(&key.group, &key.kind, &diff.path);
                (!drawn).then(|| FieldChange {
                    before: mask.before(&diff.path, diff.before.as_ref()),
                    after: mask.after(&diff.path, diff.after.as_ref()),
                    cause: if ours { FieldCause::Stack } else { FieldCause::Server },
                    path: diff.path,
                })
            })
            .filter(|change| change.before != change.after || change.after == Shown::Masked)
            .collect()
    }

    /// The fields of an object that is made: those of the manifest, with the values the
    /// server would give them (`result` is its answer to a dry-run).
    pub(super) fn added(&self, subject: &Subject<'_>, result: Option<&Value>) -> Vec<FieldChange> {
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
            .filter_map(|path| {
                // What the server leaves out (an empty map, a default it does not store) will not be there.
                let value = match result {
                    Some(result) => path.get(result),
                    None => fields::value_at(root, &subject.desired.body, &path),
                }?;
                let after = mask.after(&path, Some(value));
                Some(FieldChange { path, before: Shown::Absent, after, cause: FieldCause::Stack })
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
