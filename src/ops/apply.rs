//! Applying and destroying: under the lock from before the state is read until the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::plan::{Connection, connect, interruptible, secrets};
use super::sandbox::Purpose;
use super::{
    Error, PlanOutcome, PlanRequest, SavedFile, World, missing_consents, named, revision, rollback, saved,
    settle, store,
};
use crate::address::Address;
use crate::apply::{self, ApplyInput, ChangeResult, Event, Summary};
use crate::diag::Severity;
use crate::plan::{self, Only, PlanInput};
use crate::secrets::{Redactor, SecretValues};
use crate::stack::Wait;
use crate::state::{Holder, LockWait, LockedStore, Revision, State, Store};

/// A plan whose state is locked. Dropping it lets go of the lock with nothing done.
#[derive(Debug)]
pub struct Prepared {
    /// The plan, to be shown.
    pub outcome: PlanOutcome,
    /// Of a saved plan: how many of its changes were planned again, and do something.
    pub again: usize,
    place: Store,
    store: LockedStore,
    back: Option<rollback::Back>,
    connection: Connection,
    secrets: SecretValues,
    redactor: Redactor,
    timeout: Option<Duration>,
    holder: Holder,
    now: fn() -> Timestamp,
}

/// What a run did.
#[derive(Debug)]
pub struct Applied {
    /// How many changes ended how.
    pub summary: Summary,
    /// The outputs now.
    pub outputs: BTreeMap<String, Value>,
}

/// Takes the lock, settles what an earlier run left open, and plans.
///
/// # Errors
/// As [`super::plan()`]; a lock that is held for longer than `patience`.
pub async fn prepare(
    request: &PlanRequest,
    operation: &str,
    patience: Duration,
    waiting: &mut (dyn FnMut(&Holder) + Send),
    world: &World,
) -> Result<Prepared, Error> {
    prepared(request, None, operation, patience, waiting, world).await
}

/// As [`prepare`], for a plan that was made before and approved by being applied. `given` says how the cluster
/// is reached, where that was said, and how it is applied. With `again`, what the cluster has moved on from is
/// planned again.
///
/// # Errors
/// As [`prepare`]; a plan for another cluster, of another state or an earlier moment of it, from other files
/// or variables.
pub async fn prepare_saved(
    file: &SavedFile,
    given: &PlanRequest,
    again: bool,
    patience: Duration,
    waiting: &mut (dyn FnMut(&Holder) + Send),
    world: &World,
) -> Result<Prepared, Error> {
    saved::stack_missing(&file.document, world)?;
    let request = file.document.request(given);
    let approved = Approved { document: &file.document, again };
    prepared(&request, Some(&approved), file.operation(), patience, waiting, world).await
}

/// A saved plan to be applied.
struct Approved<'a> {
    document: &'a saved::Document,
    again: bool,
}

async fn prepared(
    request: &PlanRequest,
    approved: Option<&Approved<'_>>,
    operation: &str,
    patience: Duration,
    waiting: &mut (dyn FnMut(&Holder) + Send),
    world: &World,
) -> Result<Prepared, Error> {
    let mut desired = rollback::load(request, world)?;
    let wait = LockWait { timeout: patience, waiting: &mut *waiting };
    let purpose = Purpose { operation, writes: true, wait };
    let connection = connect(&desired, &request.cluster, purpose, world).await?;
    let reader = &connection.reader;
    let wait = LockWait { timeout: patience, waiting };
    let holder = Holder::this_process(operation, (world.now)());
    let store = store::of_head(&desired.head, &request.state, world)?;
    let lineage = || approved.map_or_else(world.lineage, |saved| saved.document.plan.lineage.clone());
    let mut locked = interruptible(world, store.open_locked(&holder, wait, lineage)).await??;
    if let Some(Approved { document, .. }) = approved {
        interruptible(world, saved::state_differs(document, &store, &locked, reader)).await??;
    }
    settle::for_good(&locked, reader).await?;
    let import = request.import.as_ref().map(|import| import.find(&desired, &locked.state())).transpose()?;
    let mut secrets = self::secrets(&desired, false, world).await?;
    if let Some(Approved { document, .. }) = approved {
        saved::inputs_differ(document, saved::Inputs::of(&desired, &secrets, locked.key()).as_ref())?;
    }
    let state = locked.state();
    let basis = rollback::Basis {
        store: &store,
        state: &state,
        key: locked.key(),
        before: rollback::Before::of(&locked),
        reader,
    };
    let back = rollback::back(request.to, &mut desired, &mut secrets, &basis, world).await?;
    if let Some(back) = &back {
        locked.returns_to(back.serial())?;
    }
    let redactor = secrets.redactor();
    let mut options = named::options(request, desired.stack.as_ref(), &state)?;
    if let Some(found) = &import {
        options = found.confine(options);
    }
    let input = PlanInput {
        stack: desired.stack.as_ref(),
        state: &state,
        key: locked.key(),
        reader,
        target: reader.target(),
        secrets: &secrets,
        redactor: &redactor,
        options: &options,
    };
    let plan::Restored { mut plan, again } = if let Some(Approved { document, again }) = approved {
        interruptible(world, Box::pin(plan::restore(&input, &document.plan, *again))).await??
    } else {
        let plan = interruptible(world, Box::pin(plan::build(&input))).await??;
        plan::Restored { plan, again: 0 }
    };
    if let Some(found) = &import {
        found.confirm(&plan)?;
    }
    let mut notes = locked.notes().to_vec();
    notes.extend(approved.into_iter().flat_map(|saved| saved.document.plan.warnings.iter().cloned()));
    let still = rollback::direction(&mut plan, back.as_ref(), &store, &mut notes).await;
    Ok(Prepared {
        outcome: PlanOutcome {
            plan,
            stack: desired.stack,
            warnings: desired.warnings,
            notes,
            held_by: None,
            sources: connection.sources(),
            still,
        },
        again,
        place: store,
        store: locked,
        back,
        connection: connection.shown(),
        secrets,
        redactor,
        timeout: request.timeout,
        holder,
        now: world.now,
    })
}

impl Prepared {
    /// Why this plan is not applied, whatever the user says to it: it has errors, or it would lose data that
    /// `allowed` does not name.
    #[must_use]
    pub fn refusal(&self, allowed: &BTreeSet<Address>) -> Option<Error> {
        let plan = &self.outcome.plan;
        let errors = plan.problems.0.iter().filter(|p| p.severity == Severity::Error);
        let errors = errors.count();
        if errors > 0 {
            return Some(Error::NotApplicable { errors });
        }
        let missing = missing_consents(plan, allowed);
        (!missing.is_empty()).then_some(Error::Consent(missing))
    }

    /// Applies the plan and waits until it works, or until `cancel`.
    ///
    /// # Errors
    /// [`Self::refusal`], before the first write; a state that cannot be written. What goes wrong with single
    /// changes is in the summary.
    pub async fn run(
        self,
        allowed: &BTreeSet<Address>,
        parallelism: usize,
        events: UnboundedSender<Event>,
        cancel: CancellationToken,
    ) -> Result<Applied, Error> {
        if let Some(refusal) = self.refusal(allowed) {
            return Err(refusal);
        }
        let plan = &self.outcome.plan;
        let before = match &plan.only {
            Some(Only::Part { .. }) => self.place.latest_revision().await?,
            _ => None,
        };
        let record = |serial: u64, summary: &Summary, results: &[ChangeResult]| {
            self.revision(serial, summary, results, before.clone())
        };
        let input = ApplyInput {
            plan,
            stack: self.outcome.stack.as_ref(),
            store: &self.store,
            writer: &self.connection.writer,
            secrets: &self.secrets,
            redactor: &self.redactor,
            parallelism,
            timeout: self.timeout,
            cancel,
            events,
            record: Some(&record),
        };
        let outcome = apply::run(input).await.map_err(|error| match error {
            apply::Error::State(error) => error.into(),
            apply::Error::Cluster(error) => error.into(),
            other @ apply::Error::Plan(_) => Error::Apply(other.to_string()),
        })?;
        if let Some(problem) = outcome.problem {
            return Err(Error::Stopped(problem));
        }
        self.record_ready(&outcome).await?;
        self.connection.close().await;
        Ok(Applied { summary: outcome.summary, outputs: outcome.state.outputs })
    }

    /// A run that wrote nothing records only that it works now.
    async fn record_ready(&self, outcome: &apply::Outcome) -> Result<(), Error> {
        let serial = self.outcome.plan.serial;
        // A plan of a part says nothing of the rest.
        if self.outcome.plan.only.is_none()
            && outcome.state.serial == serial
            && worked(&outcome.summary)
            && let Some(revision) = self.place.revision(serial).await?
            && !revision.ready
        {
            self.store.record_revision(&Revision { ready: true, ..revision }).await?;
        }
        Ok(())
    }

    /// What is recorded of a run that ended so; `before` is the revision before it, for an apply of a part.
    fn revision(
        &self,
        serial: u64,
        summary: &Summary,
        results: &[ChangeResult],
        before: Option<Revision>,
    ) -> Option<Revision> {
        let plan = &self.outcome.plan;
        // What was let go of was no apply of anything, and is nothing to return to.
        if matches!(plan.only, Some(Only::Release | Only::Refresh)) {
            return None;
        }
        let ended = (self.now)();
        let took = ended.duration_since(self.holder.started);
        let stack = self.outcome.stack.as_ref();
        let desires = stack.map(|stack| revision::recorded(stack, plan, &self.secrets, self.store.key()));
        let mut desires = desires.unwrap_or_default();
        if let Some(back) = &self.back {
            back.record(&mut desires);
        }
        let mut ready = worked(summary);
        if let Some(Only::Part { left_out, .. }) = &plan.only {
            ready &= left_out_works(left_out, before.as_ref(), &self.store.state());
            desires.keep_left_out(left_out, before, stack.is_none());
        }
        Some(Revision {
            format_version: Revision::FORMAT,
            lineage: plan.lineage.clone(),
            serial,
            stack: plan.stack.clone(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            key_id: self.store.key().id(),
            operation: self.holder.operation.clone(),
            at: ended,
            by: self.holder.who(),
            changes: revision::counts(results.iter().map(|result| (result.action, result.end))),
            took: u64::try_from(took.as_millis()).unwrap_or(0),
            ready,
            returned_to: self.back.as_ref().map(rollback::Back::serial),
            resources: desires.resources,
            existing: desires.existing,
            outputs: desires.outputs,
        })
    }
}

/// Whether what an apply of a part left out worked when it was looked at last.
fn left_out_works(left_out: &BTreeSet<Address>, before: Option<&Revision>, state: &State) -> bool {
    let not_waited_for = |address: &Address| {
        let recorded = before.and_then(|revision| revision.resources.get(address));
        recorded.is_some_and(|recorded| recorded.wait == Wait::Applied)
    };
    let works = |address: &Address| {
        let owned = state.resources.get(address);
        owned.is_none_or(|owned| owned.was_ready) || not_waited_for(address)
    };
    before.is_some_and(|revision| revision.ready) || left_out.iter().all(works)
}

/// Whether every change came to a good end.
fn worked(summary: &Summary) -> bool {
    summary.failed + summary.skipped + summary.interrupted == 0
}
