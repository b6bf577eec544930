//! What the server says an update would do, and whose fields it would take.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::{Api, DryRun, Error, FieldConflict};
use crate::diff::{self, FieldDiff};
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::assess::{Assessor, Subject};
use crate::plan::conflict::{self, Contest, Owner, Verdict};
use crate::plan::emptied::Emptied;
use crate::plan::{Take, owned};

impl Assessor<'_> {
    /// The unforced dry-run, and where fields are held by others the forced one to see what it would do.
    pub(super) async fn check(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        probe: &Value,
        emptied: &[Emptied],
        adopting: bool,
    ) -> Result<Checked, Error> {
        let resource = subject.resource;
        let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
        let reader = self.input.reader;
        let (answer, conflicts) = match reader.dry_run_apply(api, namespace, name, probe, adopting).await {
            Err(Error::FieldsOwned { conflicts, .. }) => {
                (reader.dry_run_apply(api, namespace, name, probe, true).await?, conflicts)
            }
            answer => (answer?, Vec::new()),
        };
        // Somebody wrote between our read and the dry-run: what they wrote is not of this change.
        let newer = self.assert_not_persisted(api, live, &answer).await?;
        let mut result = answer.object;
        let (ours_before, mut ours_after) = (owned::ours(live), owned::ours(&result));
        for emptied in emptied {
            emptied.empty(&mut result.0);
            ours_after.retain(|path| !path.starts_with(&emptied.path));
            ours_after.insert(emptied.path.clone());
        }
        let ignored = |path: &FieldPath| resource.ignore.iter().any(|ignore| path.starts_with(ignore));
        let (mut before, mut after) = (newer.as_ref().unwrap_or(live).0.clone(), result.0.clone());
        diff::normalize(&mut before);
        diff::normalize(&mut after);
        let mut diffs = diff::compare(Self::root(subject), &before, &after);
        diffs.retain(|diff| !ignored(&diff.path));
        let desired: BTreeMap<FieldPath, Value> = ours_after
            .iter()
            .filter(|path| !ignored(path))
            .filter_map(|path| Some((path.clone(), path.get(&result.0)?.clone())))
            .collect();
        let no_fields = BTreeMap::new();
        let no_fights = BTreeSet::new();
        let owned = subject.prior.filter(|_| !adopting).map_or(&no_fields, |prior| &prior.owned);
        let fights: BTreeSet<FieldPath> =
            subject.prior.map_or(no_fights, |prior| prior.fights.keys().cloned().collect());
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
            conflict::untracked(&mut verdicts, &facts, &conflicts);
        }
        Ok(Checked { diffs, verdicts, ours_before, ours_after, result })
    }

    /// A dry-run that was persisted is found by our own entry having changed: resourceVersions alone move
    /// all the time. Returns the object as it is now, if it moved.
    pub(super) async fn assert_not_persisted(
        &self,
        api: &Api,
        live: &Object,
        reply: &DryRun,
    ) -> Result<Option<Object>, Error> {
        if !reply.moved(live) {
            return Ok(None);
        }
        let Some(now) = self.input.reader.get(api, live.namespace(), live.name()).await? else {
            return Ok(None);
        };
        if !DryRun::persisted(live, &now) {
            return Ok(Some(now));
        }
        Err(Error::DryRunPersisted {
            kind: api.kind_and_group(),
            what: format!(
                "our fields in {} changed by a dry-run. What the plan was to try is written",
                live.key().human()
            ),
        })
    }

    /// Exactly what may be taken by force at apply, as it is shown now.
    pub(super) fn forced(
        &self,
        subject: &Subject<'_>,
        live: &Object,
        verdicts: &BTreeMap<FieldPath, Verdict>,
    ) -> Vec<Take> {
        let address = &subject.resource.address;
        let entries = owned::entries(live);
        let mut takes = Vec::new();
        for (path, verdict) in verdicts.iter().filter(|(_, verdict)| **verdict != Verdict::Unrecorded) {
            let value = path.get(&live.0).cloned().unwrap_or(Value::Null);
            let digest = self.input.key.field(address, path, &value).0;
            // The server reports a conflict for each manager that holds the field.
            let holders = entries.iter().filter(|e| !owned::is_ours(e) && owned::holds(e, path));
            let mut managers: Vec<&str> = holders.map(|entry| entry.manager.as_str()).collect();
            managers.extend(verdict.owner().map(|owner| owner.manager.as_str()));
            managers.sort_unstable();
            managers.dedup();
            let take = |manager: &str| Take {
                path: path.clone(),
                manager: manager.to_owned(),
                digest: digest.clone(),
            };
            takes.extend(managers.into_iter().map(take));
        }
        takes
    }
}

/// What an update by dry-run found.
pub(super) struct Checked {
    pub(super) diffs: Vec<FieldDiff>,
    pub(super) verdicts: BTreeMap<FieldPath, Verdict>,
    /// Leaves of our entry before and after.
    pub(super) ours_before: BTreeSet<FieldPath>,
    pub(super) ours_after: BTreeSet<FieldPath>,
    pub(super) result: Object,
}

/// The server is the judge of conflicts: what it does not name needs no force, and what it names and we
/// cannot explain is not ours to take.
pub(super) fn settle_by_server(verdicts: &mut BTreeMap<FieldPath, Verdict>, conflicts: &[FieldConflict]) {
    let named: BTreeSet<&str> = conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
    verdicts.retain(|path, verdict| {
        let needs_no_force =
            matches!(verdict, Verdict::Unrecorded | Verdict::Contested(_, Contest::Replicas));
        needs_no_force || named.contains(owned::server_spelling(path).as_str())
    });
    let explained: BTreeSet<String> = verdicts.keys().map(owned::server_spelling).collect();
    for conflict in conflicts.iter().filter(|conflict| !explained.contains(&conflict.field)) {
        let owner = Owner { manager: conflict.manager.clone(), time: None };
        let path = FieldPath::keys([conflict.field.trim_start_matches('.')]);
        verdicts.insert(path, Verdict::Contested(owner, Contest::NeverOurs));
    }
}
