//! An object that is there and wanted: no-op, update, replace or adopt.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cluster::{Api, Error};
use crate::diag::Diagnostic;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::adopt::adopted_managers;
use crate::plan::assess::{Assessed, Assessor, Subject};
use crate::plan::conflict::Verdict;
use crate::plan::{Action, Fidelity, emptied, owned, refuse, releases};

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
        let action = if adoption.is_some() { Action::Adopt } else { Action::Update };
        let mut change = self.change(subject, action, Some(api));
        let body = Self::without_ignored(subject, live);
        change.write = Some(Self::write(subject, body.clone()));
        change.guard = self.guard(&subject.resource.address, live, &[]);
        change.fidelity = Fidelity::Server;
        let mut probe = Self::probe_body(subject, &body, Some(live));
        let emptied = emptied::find(&probe, live);
        for emptied in &emptied {
            emptied.keep(&mut probe);
            change.fidelity = Fidelity::Schema;
            change.fidelity_reason = Some(emptied::REASON.to_owned());
            if let Some(write) = &mut change.write {
                write.remove.extend(emptied.elements.iter().cloned());
            }
        }
        if let Some(cause) = Self::frozen_data(subject, &body, live) {
            return self.replace(subject, api, live, change, &cause, None).await;
        }
        let checked = match self.check(subject, api, live, &probe, &emptied, adoption.is_some()).await {
            Ok(checked) => checked,
            Err(error @ Error::Invalid { .. }) => {
                return self.invalid(subject, api, live, change, &probe, error).await;
            }
            Err(error) => {
                change.fields = self.unchecked_fields(subject, &body, live);
                return self.refused_dry_run(subject, api, change, error, Some(live)).await;
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
        change.seen = self.seen(subject, live, &force);
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
        Ok(Assessed { change: problems.is_empty().then_some(change), problems, not_ours: Vec::new() })
    }

    /// The manifest less what is left to others: an ignored field is sent with its live value while it is
    /// still ours, since leaving it out then would reset it (measured), and not at all once it is not.
    pub(super) fn without_ignored(subject: &Subject<'_>, live: &Object) -> Value {
        let mut body = subject.desired.body.clone();
        if subject.resource.ignore.is_empty() {
            return body;
        }
        let ours = owned::ours(live);
        for path in &subject.resource.ignore {
            let still_ours = ours.iter().any(|leaf| leaf.starts_with(path) || path.starts_with(leaf));
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
                Verdict::Contested(owner, contest) if adoption.is_none() || !adopt_allowed => {
                    Some(refuse::contested(subject.resource, path, owner, *contest, adoption.is_some()))
                }
                _ => None,
            })
            .collect()
    }

    /// What an update of an API that gets no dry-run changes: desired against live, field by field of the
    /// manifest, and what we wrote before and want no more.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(super) async fn update_unchecked(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
    ) -> Result<Assessed, Error> {
        let mut change = self.change(subject, Action::Update, Some(api));
        let body = Self::without_ignored(subject, live);
        change.fields = self.unchecked_fields(subject, &body, live);
        if change.fields.is_empty() {
            return Ok(Assessed::done(self.no_op(subject, api, live)));
        }
        let (fidelity, problems) = self.by_schema(subject, Some(api)).await?;
        change.fidelity = fidelity;
        change.fidelity_reason = Some(no_dry_run(api));
        change.guard = self.guard(&subject.resource.address, live, &[]);
        change.seen = self.seen(subject, live, &[]);
        change.write = Some(Self::write(subject, body));
        Ok(Assessed { change: problems.is_empty().then_some(change), problems, not_ours: Vec::new() })
    }
}

/// Why an aggregated API is not asked.
pub(super) fn no_dry_run(api: &Api) -> String {
    format!("{} is served by an aggregated API, which gets no dry-run", api.kind)
}
