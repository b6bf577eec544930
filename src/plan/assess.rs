//! One desired resource against one live object: what has to be done, checked by the server where it can be.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::cluster::{Api, Discovery, Error, ServedBy};
use crate::diag::Diagnostic;
use crate::fields;
use crate::manifest::Desired;
use crate::object::{Mark, Object};
use crate::path::FieldPath;
use crate::plan::input::PlanInput;
use crate::plan::live::Live;
use crate::plan::{Action, Change, Fidelity, Guard, NotOurs, Record, definition, owned, proof, refuse};
use crate::stack::{Resource, Stack};
use crate::state::{Digest, Owned};

/// Judges resources; shared by all of one plan.
pub(super) struct Assessor<'a> {
    pub(super) input: &'a PlanInput<'a>,
    pub(super) stack: &'a Stack,
    pub(super) discovery: &'a Discovery,
    pub(super) live: &'a Live,
    pub(super) mark: &'a Mark,
    /// Resources that an installer of the plan (a HelmRelease, Kustomization, Tenant or `ApplicationDefinition`
    /// being created or changed) comes before: kinds and namespaces may appear by then.
    pub(super) after_installer: &'a BTreeSet<Address>,
}

/// What became of one resource.
#[derive(Debug)]
pub(super) struct Assessed {
    pub(super) change: Option<Change>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) not_ours: Vec<NotOurs>,
}

impl Assessed {
    pub(super) fn refused(problem: Diagnostic) -> Self {
        Self { change: None, problems: vec![problem], not_ours: Vec::new() }
    }

    pub(super) fn done(change: Change) -> Self {
        Self { change: Some(change), problems: Vec::new(), not_ours: Vec::new() }
    }
}

/// One resource, everything about it at hand.
pub(super) struct Subject<'a> {
    pub(super) resource: &'a Resource,
    pub(super) desired: Desired,
    pub(super) prior: Option<&'a Owned>,
    pub(super) moved_from: Option<Address>,
    pub(super) protect: bool,
}

impl Assessor<'_> {
    /// Decides what to do about one resource (design §5.1's table, the rows with "desired").
    ///
    /// # Errors
    /// Only what ends the whole plan: the cluster does not answer, or an API persists dry-runs.
    pub(super) async fn assess(&self, subject: &Subject<'_>) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let Some(api) = self.discovery.find(&resource.api_version, &resource.kind) else {
            return self.not_served(subject).await;
        };
        if let Some(problem) = refuse::scope(resource, api) {
            return Ok(Assessed::refused(problem));
        }
        let live = match self.live.get(&subject.desired.key) {
            Ok(live) => live,
            Err(error) => {
                return Ok(Assessed::refused(refuse::unreadable(resource, error, self.input.redactor)));
            }
        };
        let Some(live) = live else {
            let reason = subject.prior.map(|_| "deleted outside".to_owned());
            return self.create(subject, api, Guard::Absent, reason).await;
        };
        if let Some(problem) = self.foreign_stack(resource, live) {
            return Ok(Assessed::refused(problem));
        }
        if live.is_terminating() {
            let finalizers = live.finalizers().join(", ");
            let held = if finalizers.is_empty() { String::new() } else { format!(", held by {finalizers}") };
            let reason = Some(format!("is being deleted{held}: made anew once it is gone"));
            return self.create(subject, api, Guard::AfterGone { uid: live.uid().to_owned() }, reason).await;
        }
        match subject.prior {
            Some(prior) if prior.uid == live.uid() => self.present(subject, api, live).await,
            Some(_) => self.adopt(subject, api, live, "recreated outside").await,
            None => self.adopt(subject, api, live, "exists already").await,
        }
    }

    /// Two stacks never own one object: with one field manager they would not even conflict, and each apply
    /// would remove the other's fields (measured).
    pub(super) fn foreign_stack(&self, resource: &Resource, live: &Object) -> Option<Diagnostic> {
        let mark = live.mark()?;
        if mark.stack != self.mark.stack {
            return Some(refuse::other_stack(resource, &mark));
        }
        (mark.lineage != self.mark.lineage).then(|| refuse::other_lineage(resource, &mark, self.mark))
    }

    /// A kind that nothing serves: an error, unless the plan brings it along.
    async fn not_served(&self, subject: &Subject<'_>) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let defined_here = definition::of_stack(self.stack, resource).is_some();
        if !defined_here && !self.after_installer.contains(&resource.address) {
            let unavailable = self.discovery.unavailable();
            if !unavailable.is_empty() && subject.prior.is_some() {
                let problem = refuse::kind_hidden(&resource.address, &subject.desired.key, unavailable);
                return Ok(Assessed::refused(problem));
            }
            return Ok(Assessed::refused(refuse::kind_not_served(resource)));
        }
        let mut change = self.change(subject, Action::Create, None);
        change.reason = subject.prior.map(|_| "deleted outside".to_owned());
        let (fidelity, problems) = self.by_schema(subject, None).await?;
        change.fidelity = fidelity;
        let why = if defined_here {
            "its kind is defined by this plan; checked again at apply"
        } else {
            "its kind arrives with what it depends on; checked at apply"
        };
        change.fidelity_reason = Some(why.to_owned());
        change.fields = self.added(subject, None);
        change.write = Some(Self::write(subject, subject.desired.body.clone()));
        Ok(Assessed { change: problems.is_empty().then_some(change), problems, not_ours: Vec::new() })
    }

    async fn present(&self, subject: &Subject<'_>, api: &Api, live: &Object) -> Result<Assessed, Error> {
        let Some(prior) = subject.prior else {
            return self.adopt(subject, api, live, "exists already").await;
        };
        if self.asked_to_replace(subject) {
            return self.replace_as_asked(subject, api, live).await;
        }
        let hash = self.input.key.manifest(&subject.resource.address, &subject.desired.body);
        let may_prove = !self.input.options.refresh_full && !self.takes_any(&subject.resource.address);
        if may_prove
            && api.served_by != ServedBy::Aggregated
            && proof::unchanged(&subject.desired, &hash, prior, live)
        {
            let mut change = self.no_op(subject, api, live);
            change.unchanged_since = Some(prior.since_serial);
            change.record = self.record(subject, live, hash);
            return Ok(self.with_not_ours(subject, api, live, change));
        }
        let assessed = if api.served_by == ServedBy::Aggregated {
            self.update_unchecked(subject, api, live).await?
        } else {
            self.update(subject, api, live, None).await?
        };
        Ok(match assessed.change {
            Some(mut change) => {
                if change.action == Action::NoOp {
                    change.record = self.record(subject, live, hash);
                }
                let mut all = self.with_not_ours(subject, api, live, change);
                all.problems.extend(assessed.problems);
                all
            }
            None => assessed,
        })
    }

    /// What state does not know of an object that is as desired: an interrupted run wrote it, or it moved.
    pub(super) fn record(
        &self,
        subject: &Subject<'_>,
        live: &Object,
        desired_hash: Digest,
    ) -> Option<Record> {
        let recorded = subject.prior.and_then(|prior| prior.desired_hash.as_ref());
        let known = recorded == Some(&desired_hash);
        if known && subject.moved_from.is_none() {
            return None;
        }
        let address = &subject.resource.address;
        let digest = |path: &FieldPath| Some(self.input.key.field(address, path, path.get(&live.0)?));
        Some(Record {
            resource_version: live.resource_version().to_owned(),
            desired_hash,
            secrets: fields::present(live, &Self::secrets(subject)),
            owned: owned::ours(live).into_iter().map(|path| (path.clone(), digest(&path))).collect(),
        })
    }

    fn takes_any(&self, address: &Address) -> bool {
        self.input.options.take.iter().any(|take| take.address == *address)
    }

    /// The unchanged resource, with what keeps it from working.
    pub(super) fn no_op(&self, subject: &Subject<'_>, api: &Api, live: &Object) -> Change {
        let mut change = self.change(subject, Action::NoOp, Some(api));
        change.fidelity = Fidelity::Server;
        change.guard = self.guard(&subject.resource.address, live, &[]);
        change
    }

    /// The guard of a change to a live object.
    pub(super) fn guard(&self, address: &Address, live: &Object, force: &[crate::plan::Take]) -> Guard {
        Guard::Object {
            uid: live.uid().to_owned(),
            resource_version: live.resource_version().to_owned(),
            digest: crate::plan::guard::digest(self.input.key, address, live, force),
        }
    }
}
