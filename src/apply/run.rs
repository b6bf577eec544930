//! One run: what all changes share, and the bookkeeping of how each ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dispatcher::{Slot, Units};
use super::event::{EventKind, Summary};
use super::owned;
use super::unit::{Events, Output, Stop, Unit};
use super::{ChangeResult, End};
use crate::address::{Address, ObjectKey};
use crate::cluster::{Discovery, Writer};
use crate::graph;
use crate::manifest::{self, Lookup, SecretValue};
use crate::object::Object;
use crate::plan::{self, Action, Change, Plan, Shown, Survey};
use crate::secrets::{Redactor, SecretValues};
use crate::stack::{FieldRef, Stack, Target, Wait};
use crate::state::{self, Begin, LockedStore, Operation, State};

/// What one `existing` object turned out to be: the object, or why it is not ready.
type Found = Result<Arc<Object>, Vec<String>>;

/// What all changes of a run share.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) stack: Option<&'a Stack>,
    pub(super) store: &'a LockedStore,
    /// The state before the first change.
    pub(super) before: State,
    pub(super) writer: &'a Writer,
    pub(super) discovery: Discovery,
    pub(super) secrets: &'a SecretValues,
    pub(super) redactor: &'a Redactor,
    pub(super) timeout: Option<Duration>,
    /// Nothing new starts, and waits end: an interrupt, or a journal that cannot be written.
    pub(super) halt: CancellationToken,
    /// When requests are given up that an interrupt found under way.
    pub(super) grace_ends: OnceLock<Instant>,
    pub(super) events: Events,
    pub(super) existing: BTreeMap<Address, OnceCell<Found>>,
    /// Objects that the plan keeps.
    pub(super) kept: BTreeSet<ObjectKey>,
    /// Objects that the plan deletes.
    pub(super) going: BTreeSet<ObjectKey>,
    pub(super) late_binding: OnceCell<BTreeSet<String>>,
    pub(super) problem: Mutex<Option<String>>,
}

impl Run<'_> {
    /// A fresh look at what goes with a delete.
    pub(super) fn survey(&self) -> Survey<'_> {
        Survey::new(self.writer.reader(), &self.discovery, self.going.clone())
    }

    /// Names of the storage classes whose claims are bound only once a pod uses them; without an answer none,
    /// so that a claim is waited for rather than taken for bound.
    pub(super) async fn late_binding(&self) -> BTreeSet<String> {
        let read = || async {
            let found = plan::wait_for_first_consumer(self.writer.reader(), &self.discovery).await;
            found.unwrap_or_default()
        };
        self.late_binding.get_or_init(read).await.clone()
    }

    /// Stops the run: what cannot be recorded must not be done.
    pub(super) fn journal_failed(&self, error: &state::Error) {
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.get_or_insert_with(|| error.in_full());
        self.halt.cancel();
    }
}

/// Whether a change is worth events: there is something to do, or to wait for.
pub(super) fn is_active(change: &Change) -> bool {
    match change.action {
        Action::NoOp => change.not_ready.is_some() || change.broken.is_some(),
        Action::Keep => false,
        _ => true,
    }
}

/// Keeps the books while the dispatcher decides what starts.
pub(super) struct Books<'a> {
    run: &'a Run<'a>,
    pub(super) results: Vec<ChangeResult>,
    pub(super) summary: Summary,
    /// Objects of resources, as they were seen last.
    objects: BTreeMap<Target, Arc<Object>>,
    secrets: SecretValues,
    /// Changes that wrote something, and what depends on such.
    stirred: BTreeSet<usize>,
    /// Objects and durations of what was written, for the state.
    written: BTreeMap<usize, (Option<Arc<Object>>, Duration, bool)>,
}

impl<'a> Books<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        let result = |change: &Change| ChangeResult {
            address: change.address.clone(),
            action: change.action,
            end: End::Unchanged,
        };
        Self {
            run,
            results: run.plan.changes.iter().map(result).collect(),
            summary: Summary::default(),
            objects: BTreeMap::new(),
            secrets: run.secrets.clone(),
            stirred: BTreeSet::new(),
            written: BTreeMap::new(),
        }
    }

    fn change(&self, node: usize) -> &'a Change {
        &self.run.plan.changes[node]
    }

    fn redacted(&self, lines: Vec<String>) -> Vec<String> {
        let redact = |line: String| self.run.redactor.redact(&line).into_owned();
        lines.into_iter().map(redact).collect()
    }

    /// Ends a change that is worth events.
    fn end(&mut self, node: usize, end: End, event: impl FnOnce(Address) -> EventKind) {
        self.results[node].end = end;
        if !is_active(self.change(node)) {
            return;
        }
        match end {
            End::Done | End::Unchanged => self.summary.done += 1,
            End::Failed => self.summary.failed += 1,
            End::Skipped => self.summary.skipped += 1,
            End::Interrupted => self.summary.interrupted += 1,
        }
        self.run.events.emit(event(self.change(node).address.clone()));
    }

    /// Ends a change because of an interrupt.
    fn halted(&mut self, node: usize, written: bool, in_doubt: bool) {
        let change = self.change(node);
        if is_active(change) {
            self.summary.in_doubt += usize::from(in_doubt);
            let waited = written || change.action == Action::NoOp;
            self.summary.not_started += usize::from(!in_doubt && !waited);
        }
        self.end(node, End::Interrupted, |address| EventKind::Interrupted { address, written, in_doubt });
    }

    /// The state as it is now: what the journal says, and what was seen since each write.
    pub(super) fn state(&self) -> State {
        let run = self.run;
        let mut state = run.store.state();
        for (node, (object, took, ready)) in &self.written {
            let change = self.change(*node);
            let Some(owned) = state.resources.get_mut(&change.address) else {
                continue;
            };
            if owned.key != change.key {
                continue;
            }
            owned.was_ready = *ready;
            if change.action == Action::NoOp {
                continue;
            }
            if *ready {
                owned.took(*took);
            }
            // A later version proves as much as the one we wrote, while all our fields are still ours and as
            // we wrote them.
            if let Some(object) = object.as_ref().filter(|object| object.uid() == owned.uid)
                && owned::digests(run, change, object, owned.owned.keys().cloned()) == owned.owned
            {
                owned.resource_version = Some(object.resource_version().to_owned());
            }
        }
        for (node, change) in run.plan.changes.iter().enumerate() {
            let followed = self.results[node].end != End::Skipped && change.broken.is_none();
            if change.action == Action::NoOp && followed {
                self.follow(&mut state, change);
            }
        }
        state.cluster.get_or_insert_with(|| run.plan.cluster.identity.clone());
        self.outputs(&mut state);
        state
    }

    /// What changed about an unchanged object: its address, its place in the order.
    fn follow(&self, state: &mut State, change: &Change) {
        if let Some(from) = &change.moved_from
            && let Some(prior) = self.run.before.resources.get(from)
        {
            let seen = self.objects.get(&Target::Resource(change.address.clone()));
            let nothing = Object(Value::Null);
            let live = seen.map_or(&nothing, AsRef::as_ref);
            let begin = Begin {
                operation: Operation::Update,
                address: change.address.clone(),
                key: change.key.clone(),
                api_version: prior.api_version.clone(),
                uid: Some(prior.uid.clone()),
                fields: Vec::new(),
                secrets: BTreeSet::new(),
                protect: change.protect,
                depends_on: Vec::new(),
            };
            let moved = owned::moved(self.run, change, prior, live);
            state::record(state, &begin, &state::Outcome::Owned(Box::new(moved)));
        }
        if let Some(owned) = state.resources.get_mut(&change.address)
            && owned.key == change.key
        {
            owned.depends_on = change.depends_on.keys().cloned().collect();
            owned.protect = change.protect;
            if let Some(record) = &change.record {
                owned.resource_version = Some(record.resource_version.clone());
                owned.desired_hash = Some(record.desired_hash.clone());
                owned.owned.clone_from(&record.owned);
                owned.secrets.clone_from(&record.secrets);
            }
            // An interrupted run did not see it.
            if change.not_ready.is_none() && change.wait != Wait::Applied {
                owned.was_ready = true;
            }
        }
    }

    /// Outputs that are known; those that are not keep what they were.
    fn outputs(&self, state: &mut State) {
        let Some(stack) = self.run.stack else {
            if state.resources.is_empty() {
                state.outputs.clear();
            }
            return;
        };
        let mut outputs = BTreeMap::new();
        for (name, output) in &stack.outputs {
            let value = match self.run.plan.outputs.get(name) {
                Some(Shown::Plain(value)) => Some(value.clone()),
                _ => manifest::value(&output.value, self),
            };
            if let Some(value) = value.or_else(|| state.outputs.get(name).cloned()) {
                outputs.insert(name.clone(), value);
            }
        }
        state.outputs = outputs;
    }
}

impl Lookup for Books<'_> {
    fn field(&self, field: &FieldRef) -> Option<Value> {
        field.path.get(&self.objects.get(&field.target)?.0).cloned()
    }

    /// Outputs hold no secrets.
    fn secret(&self, _: &str) -> SecretValue {
        SecretValue::NotRead
    }
}

impl<'a> Units<'a> for Books<'a> {
    type Output = Output;

    fn writes(&self, node: usize) -> bool {
        !matches!(self.change(node).action, Action::NoOp | Action::Keep)
    }

    fn start(&mut self, node: usize, slot: Slot) -> LocalBoxFuture<'a, Output> {
        let change = self.change(node);
        if is_active(change) {
            let usual = self.run.before.resources.get(&change.address).and_then(state::Owned::usual);
            self.run.events.emit(EventKind::ChangeStarted {
                address: change.address.clone(),
                action: change.action,
                usual,
            });
        }
        let mut unit = Unit::new(self.run, change, slot);
        unit.secrets = self.secrets.clone();
        unit.stirred = change.after.iter().any(|before| self.stirred.contains(before));
        if change.write.as_ref().is_some_and(|write| !write.unknown.is_empty()) {
            unit.objects.clone_from(&self.objects);
        }
        Box::pin(unit.run())
    }

    fn finished(&mut self, node: usize, output: Output) -> graph::Outcome {
        let change = self.change(node);
        let Output { result, object, drawn, took } = output;
        let action = change.action;
        for (name, value) in drawn {
            self.secrets.insert(name, value.as_str());
        }
        if let Some(object) = &object
            && !change.former
        {
            self.objects.insert(Target::Resource(change.address.clone()), Arc::clone(object));
        }
        if action != Action::NoOp || change.after.iter().any(|before| self.stirred.contains(before)) {
            self.stirred.insert(node);
        }
        let ready = result.as_ref().is_ok_and(|done| done.ready);
        let interrupted = matches!(result, Err(Stop::Interrupted { .. }));
        let writes = matches!(action, Action::Create | Action::Update | Action::Adopt | Action::Replace);
        if (writes && object.is_some()) || (change.not_ready.is_some() && !interrupted) {
            self.written.insert(node, (object, took, ready));
        }
        match result {
            Ok(done) => {
                let detail = done.detail.map(|detail| self.run.redactor.redact(&detail).into_owned());
                self.end(node, End::Done, |address| EventKind::Done { address, action, took, detail });
                graph::Outcome::Done
            }
            Err(Stop::InDoubt(_)) if self.run.halt.is_cancelled() => {
                self.halted(node, false, true);
                graph::Outcome::Failed
            }
            Err(Stop::Failed(lines) | Stop::InDoubt(lines)) => {
                let lines = self.redacted(lines);
                self.end(node, End::Failed, |address| EventKind::Failed { address, action, took, lines });
                graph::Outcome::Failed
            }
            Err(Stop::Interrupted { written }) => {
                self.halted(node, written, false);
                graph::Outcome::Failed
            }
        }
    }

    fn skipped(&mut self, node: usize, cause: usize) {
        let cause = self.change(cause).address.clone();
        self.end(node, End::Skipped, |address| EventKind::Skipped { address, cause });
    }

    fn interrupted(&mut self, node: usize) {
        self.halted(node, false, false);
    }

    fn stopping(&mut self) {
        self.run.events.emit(EventKind::Stopping);
    }
}
