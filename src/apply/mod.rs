//! Applying a plan: the only caller of the writer.
//!
//! *Invariants:* apply does what the plan showed, or stops; each change ends exactly once; nothing starts
//! before what it depends on is done, nor after an interrupt; each request that changes something stands
//! between a durable `begin` and its `end`; an object leaves the state only when its absence was seen.

mod adopt;
mod aggregated;
mod delete;
mod diagnose;
mod dispatcher;
mod event;
mod fill;
mod forget;
mod guard;
mod managed;
mod owned;
mod prepare;
mod run;
mod uninstall;
mod unit;
mod verdict;
mod wait;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

pub use event::*;

use crate::address::Address;
use crate::cluster::{self, Writer};
use crate::graph::{Edge, Graph, Reason, ReasonKind};
use crate::plan::{Action, Plan};
use crate::secrets::{Redactor, SecretValues};
use crate::stack::Stack;
use crate::state::{self, LockedStore, Revision, State};
use run::{Books, Run};

/// What a run needs.
pub struct ApplyInput<'a> {
    /// The plan, approved.
    pub plan: &'a Plan,
    /// The stack it was made from; `None` for a destroy.
    pub stack: Option<&'a Stack>,
    /// The state it was made from, under its lock.
    pub store: &'a LockedStore,
    /// The cluster.
    pub writer: &'a Writer,
    /// Secret values as far as they were resolved or read back.
    pub secrets: &'a SecretValues,
    /// Filter of every text of the server; secrets drawn in this run are added to it.
    pub redactor: &'a Redactor,
    /// Writes in flight at once.
    pub parallelism: usize,
    /// `--timeout`, in place of each change's own.
    pub timeout: Option<Duration>,
    /// Cancelled on the first interrupt.
    pub cancel: CancellationToken,
    /// Who watches.
    pub events: UnboundedSender<Event>,
    /// What is recorded of the run at the serial that the state is about to get, if anything. It is durable
    /// before the state: a state never has a serial that the history lacks.
    pub record: Option<&'a Recording<'a>>,
}

/// The record of a run that ended as this says, at a serial.
pub type Recording<'a> = dyn Fn(u64, &Summary, &[ChangeResult]) -> Option<Revision> + 'a;

/// How one change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Nothing was to be done, or waited for.
    Unchanged,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Not started, because of a failure.
    Skipped,
    /// Not started, or not waited for, because of an interrupt.
    Interrupted,
}

/// One change and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeResult {
    /// Whose.
    pub address: Address,
    /// What was to be done.
    pub action: Action,
    /// How it ended.
    pub end: End,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// In numbers.
    pub summary: Summary,
    /// The state now.
    pub state: State,
    /// Each change, in the plan's order.
    pub results: Vec<ChangeResult>,
    /// Trouble with the journal or the state file, which ended the run early or kept its result from being
    /// written. The journal still has what was done.
    pub problem: Option<String>,
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal or the space for the state cannot be had.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The cluster does not answer.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The plan contradicts itself.
    #[error("this plan cannot be applied: {0}")]
    Plan(String),
}

/// Applies a plan, and writes the state. Failures of single changes are in the [`Outcome`].
///
/// # Errors
/// What was found before the first change: nothing was written then.
pub async fn run(input: ApplyInput<'_>) -> Result<Outcome, Error> {
    let plan = input.plan;
    let graph = order(plan)?;
    let active = plan.changes.iter().filter(|change| run::is_active(change)).count();
    let discovery = if active > 0 {
        input.store.prepare(active, &plan.cluster.identity).await?;
        input.writer.discover(&BTreeSet::new()).await?
    } else {
        cluster::Discovery::default()
    };
    let keys = |actions: &[Action]| -> BTreeSet<_> {
        let wanted = plan.changes.iter().filter(|change| actions.contains(&change.action));
        wanted.map(|change| change.key.clone()).collect()
    };
    let existing: BTreeMap<Address, OnceCell<_>> = input
        .stack
        .map(|stack| stack.existing.keys().map(|address| (address.clone(), OnceCell::new())).collect())
        .unwrap_or_default();
    let run = Run {
        plan,
        stack: input.stack,
        store: input.store,
        before: input.store.state(),
        writer: input.writer,
        discovery,
        secrets: input.secrets,
        redactor: input.redactor,
        timeout: input.timeout,
        halt: input.cancel.child_token(),
        grace_ends: OnceLock::new(),
        events: unit::Events::new(input.events),
        existing,
        kept: keys(&[Action::Keep]),
        going: keys(&[Action::Delete]),
        late_binding: OnceCell::new(),
        problem: Mutex::new(None),
    };
    run.events.emit(EventKind::Started { total: active });
    let mut books = Books::new(&run);
    dispatcher::dispatch(&graph, input.parallelism, &run.halt, &mut books).await;

    let mut problem = run.problem.lock().unwrap_or_else(PoisonError::into_inner).take();
    let after = books.state();
    if let Some(record) = input.record
        && let Some(serial) = run.store.next_serial(&after)
        && let Some(revision) = record(serial, &books.summary, &books.results)
        && let Err(error) = run.store.record_revision(&revision).await
    {
        problem.get_or_insert_with(|| error.to_string());
    }
    if let Err(error) = run.store.commit(move |state| *state = after).await {
        problem.get_or_insert_with(|| error.in_full());
    }
    let state = run.store.state();
    let mut summary = books.summary.clone();
    summary.serial = state.serial;
    let ended = summary.done + summary.failed + summary.skipped + summary.interrupted;
    if ended != active {
        problem.get_or_insert_with(|| format!("{ended} of {active} changes came to an end; this is a bug"));
    }
    run.events.emit(EventKind::Finished { summary: summary.clone() });
    Ok(Outcome { summary, state, results: books.results, problem })
}

/// The plan's order as a graph of positions.
fn order(plan: &Plan) -> Result<Graph<usize>, Error> {
    let edges = plan.changes.iter().enumerate().flat_map(|(from, change)| {
        change.after.iter().map(move |to| Edge {
            from,
            to: *to,
            reason: Reason { kind: ReasonKind::DependsOn, span: None },
        })
    });
    Graph::new(0..plan.changes.len(), edges)
        .map_err(|cycle| Error::Plan(format!("{} changes wait for each other", cycle.edges.len())))
}
