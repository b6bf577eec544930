//! One change on its way: what all its steps share.
//!
//! *Invariants:* `begin` is durable before a request leaves; an operation whose outcome is unknown keeps its
//! `begin` open; what a server says is shown only through the secret filter.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::dispatcher::Slot;
use super::event::{Event, EventKind};
use super::run::Run;
use crate::cluster::{Api, Error, ServedBy, Writer};
use crate::failpoint;
use crate::object::{Mark, Object};
use crate::plan::{Action, Change, Guard};
use crate::secrets::SecretValues;
use crate::stack::Target;
use crate::state::{Begin, BeginId, Operation, Outcome, settle};

/// How long requests may go on after an interrupt, all of them together.
const GRACE: Duration = Duration::from_secs(30);

/// Where events go; whoever stopped listening changes nothing about the run.
#[derive(Debug, Clone)]
pub(super) struct Events {
    sender: UnboundedSender<Event>,
    start: Instant,
}

impl Events {
    pub(super) fn new(sender: UnboundedSender<Event>) -> Self {
        Self { sender, start: Instant::now() }
    }

    pub(super) fn emit(&self, kind: EventKind) {
        let elapsed = self.start.elapsed();
        // A closed channel means that nobody watches; the cluster is changed all the same.
        drop(self.sender.send(Event { elapsed, kind }));
    }
}

/// A change that came to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// A detail worth a word.
    pub(super) detail: Option<String>,
    /// Whether readiness was seen.
    pub(super) ready: bool,
}

/// Why a change came to no good end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// What failed and why, outermost first.
    Failed(Vec<String>),
    /// A request was not answered; what is known of it, outermost first.
    InDoubt(Vec<String>),
    /// Interrupted, with or without the write made.
    Interrupted {
        /// Whether the write was made.
        written: bool,
    },
}

/// The result of a step.
pub(super) type Step<T> = Result<T, Stop>;

impl Stop {
    pub(super) fn failed(line: impl Into<String>) -> Self {
        Self::Failed(vec![line.into()])
    }
}

/// A failure with the lines that explain it.
pub(super) fn failed<T>(first: impl Into<String>, rest: impl IntoIterator<Item = String>) -> Step<T> {
    let mut lines = vec![first.into()];
    lines.extend(rest);
    Err(Stop::Failed(lines))
}

/// A text of the server, one line each.
pub(super) fn lines_of(error: &Error) -> Vec<String> {
    error.to_string().lines().map(str::to_owned).collect()
}

/// What a unit returns to the dispatcher.
pub(super) struct Output {
    /// How it ended.
    pub(super) result: Step<Done>,
    /// The object as it was seen last.
    pub(super) object: Option<Arc<Object>>,
    /// Secrets drawn for it.
    pub(super) drawn: Vec<(String, Zeroizing<String>)>,
    /// How long it took.
    pub(super) took: Duration,
}

/// One change on its way.
pub(super) struct Unit<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) change: &'a Change,
    pub(super) slot: Slot,
    /// The connection, telling of repeated requests under this change's name.
    pub(super) writer: Writer,
    /// Objects of this run that values may be taken from.
    pub(super) objects: BTreeMap<Target, Arc<Object>>,
    /// Secret values, those drawn in this run included.
    pub(super) secrets: SecretValues,
    /// Whether something it depends on was changed in this run.
    pub(super) stirred: bool,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    pub(super) object: Option<Object>,
    pub(super) drawn: Vec<(String, Zeroizing<String>)>,
    said: String,
}

impl<'a> Unit<'a> {
    pub(super) fn new(run: &'a Run<'a>, change: &'a Change, slot: Slot) -> Self {
        let started = Instant::now();
        let timeout = run.timeout.unwrap_or(Duration::from_secs(change.timeout));
        let (events, address, redactor) = (run.events.clone(), change.address.clone(), run.redactor.clone());
        let writer = run.writer.observed(move |retrying| {
            let why = format!("{}: {}: {}", retrying.what, retrying.why, retrying.said);
            let (address, why) = (address.clone(), redactor.redact(&why).into_owned());
            events.emit(EventKind::Retrying { address, why, pause: retrying.pause });
        });
        Self {
            run,
            change,
            slot,
            writer,
            objects: BTreeMap::new(),
            secrets: SecretValues::default(),
            stirred: false,
            started,
            deadline: started + timeout,
            object: None,
            drawn: Vec::new(),
            said: String::new(),
        }
    }

    /// Makes the change.
    pub(super) async fn run(mut self) -> Output {
        let result = self.act().await;
        Output { result, object: self.object.map(Arc::new), drawn: self.drawn, took: self.started.elapsed() }
    }

    async fn act(&mut self) -> Step<Done> {
        if let Some(lines) = &self.change.broken {
            return Err(Stop::Failed(lines.clone()));
        }
        match self.change.action {
            Action::Keep => Ok(Done::default()),
            Action::NoOp => self.unchanged().await,
            Action::Forget => self.forget().await,
            Action::Delete => self.delete().await,
            Action::Create | Action::Update | Action::Adopt | Action::Replace => {
                let (api, body) = self.prepare().await?;
                self.turn(false).await?;
                let object = match self.change.action {
                    Action::Create => self.create(&api, &body).await?,
                    Action::Adopt => self.adopt(&api, &body).await?,
                    Action::Replace => self.replace(&api, &body).await?,
                    _ => self.update(&api, &body).await?,
                };
                self.slot.release();
                self.emit(|address| EventKind::Written { address });
                self.object = Some(object);
                self.wait_ready(&api).await
            }
        }
    }

    /// Waits for the right to write, unless the run was interrupted meanwhile.
    pub(super) async fn turn(&mut self, written: bool) -> Step<()> {
        tokio::select! {
            biased;
            () = self.run.halt.cancelled() => Err(Stop::Interrupted { written }),
            () = self.slot.take() => Ok(()),
        }
    }

    /// Nothing is begun after an interrupt, however long what came before the request took.
    pub(super) fn go_on(&self) -> Step<()> {
        if self.run.halt.is_cancelled() {
            return Err(Stop::Interrupted { written: false });
        }
        Ok(())
    }

    pub(super) fn emit(&self, kind: impl FnOnce(crate::address::Address) -> EventKind) {
        self.run.events.emit(kind(self.change.address.clone()));
    }

    /// Says what is waited for, once.
    pub(super) fn say(&mut self, what: &str) {
        let what = self.run.redactor.redact(what).into_owned();
        if what != self.said {
            self.said.clone_from(&what);
            self.emit(|address| EventKind::Waiting { address, what });
        }
    }

    /// The object's own namespace and name, as requests take them.
    pub(super) fn place(&self) -> (Option<&'a str>, &'a str) {
        (self.change.key.namespace.as_deref(), &self.change.key.name)
    }

    /// Our mark.
    pub(super) fn mark(&self) -> Mark {
        Mark { stack: self.run.plan.stack.clone(), lineage: self.run.plan.lineage.clone() }
    }

    pub(super) fn is_ours(&self, live: &Object) -> bool {
        live.mark() == Some(self.mark())
    }

    /// Reads the change's object.
    pub(super) async fn read(&self, api: &Api) -> Step<Option<Object>> {
        let (namespace, name) = self.place();
        match self.send(self.writer.get(api, namespace, name)).await {
            Ok(found) => Ok(found),
            Err(Error::NamespaceNotFound(_)) => Ok(None),
            Err(error) if error.outcome_unknown() && self.run.halt.is_cancelled() => {
                Err(Stop::Interrupted { written: false })
            }
            Err(error) => failed("its object cannot be read", lines_of(&error)),
        }
    }

    /// Waits for an answer: after an interrupt only until the run's grace ends, and for a while after the
    /// change's time is over.
    pub(super) async fn send<T>(&self, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let interrupted = async {
            self.run.halt.cancelled().await;
            let until = *self.run.grace_ends.get_or_init(|| Instant::now() + GRACE);
            tokio::time::sleep_until(until).await;
        };
        let late = tokio::time::sleep_until(self.deadline.max(Instant::now()) + GRACE);
        let given_up = |when: &str| Error::Timeout {
            seconds: GRACE.as_secs(),
            what: format!("a request that was under way when {when}"),
        };
        tokio::select! {
            biased;
            answer = request => answer,
            () = interrupted => Err(given_up("the run was interrupted")),
            () = late => Err(given_up("the change's time was over")),
        }
    }

    /// Makes it durable that an operation is about to be sent.
    pub(super) async fn begin(&self, operation: Operation, uid: Option<&str>, body: &Value) -> Step<BeginId> {
        let change = self.change;
        let begin = Begin {
            operation,
            address: change.address.clone(),
            key: change.key.clone(),
            api_version: match body.get("apiVersion").and_then(Value::as_str) {
                Some(version) => version.to_owned(),
                None => change.api.as_ref().map(Api::api_version).unwrap_or_default(),
            },
            uid: uid.map(str::to_owned),
            fields: super::owned::wanted_fields(body),
            secrets: change.write.as_ref().map(|write| write.secret.clone()).unwrap_or_default(),
            protect: change.protect,
            depends_on: change.depends_on.keys().cloned().collect(),
        };
        match self.run.store.begin(begin).await {
            Ok(id) => Ok(id),
            Err(error) => {
                self.run.journal_failed(&error);
                failed("nothing was sent, because the journal cannot be written", [error.to_string()])
            }
        }
    }

    /// Records how an operation ended.
    pub(super) fn end(&self, id: BeginId, outcome: Outcome) {
        failpoint::hit("end.before");
        // The operation is over either way, and the store follows it in memory; only what comes next must not
        // start.
        if let Err(error) = self.run.store.end(id, outcome) {
            self.run.journal_failed(&error);
        }
        failpoint::hit("end.after");
    }

    /// Ends an operation that the server refused.
    pub(super) fn refused<T>(&self, id: BeginId, error: &Error) -> Step<T> {
        self.end(id, Outcome::Unchanged);
        Err(Stop::Failed(lines_of(error)))
    }

    /// Ends an operation as the next run would settle it: by what is live.
    pub(super) fn settle(&self, id: BeginId, live: &Object) {
        let store = &self.run.store;
        if let Some(open) = store.open_begins().into_iter().find(|open| open.id == id) {
            self.end(id, settle(&open.begin, &store.state(), Some(live)));
        }
    }

    /// Leaves an operation open whose answer was lost.
    pub(super) fn in_doubt<T>(error: &Error) -> Step<T> {
        let mut lines = lines_of(error);
        lines.push("whether it took effect is not known; the next run finds out".to_owned());
        Err(Stop::InDoubt(lines))
    }

    /// Ends a write that was made: the object is ours as it is now.
    pub(super) fn own(&self, id: BeginId, body: &Value, object: Object) -> Object {
        let owned = super::owned::record(self.run, self.change, body, &object);
        self.end(id, Outcome::Owned(Box::new(owned)));
        object
    }

    /// Whether an apply of this body would change nothing: the write was made already, by a try whose answer
    /// was lost.
    pub(super) async fn is_as_wanted(&self, api: &Api, body: &Value, live: &Object) -> bool {
        if !self.is_ours(live) {
            return false;
        }
        if api.served_by == ServedBy::Aggregated {
            return super::aggregated::contains(&live.0, body);
        }
        let (namespace, name) = self.place();
        let dry_run = self.send(self.writer.dry_run_apply(api, namespace, name, body, false));
        dry_run.await.is_ok_and(|answer| !answer.created && essence(&answer.object) == essence(live))
    }

    /// The uid the plan was made for.
    pub(super) fn guarded_uid(&self) -> Step<&'a str> {
        match &self.change.guard {
            Guard::Object { uid, .. } | Guard::AfterGone { uid } => Ok(uid),
            Guard::Absent => Err(Stop::failed("the plan names no object to change")),
        }
    }
}

/// The parts of an object that a no-op leaves alone; managers' times and controllers' reports move by themselves.
fn essence(object: &Object) -> Value {
    let mut value = object.0.clone();
    if let Some(whole) = value.as_object_mut() {
        whole.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["resourceVersion", "managedFields", "generation"] {
            metadata.remove(field);
        }
    }
    value
}

/// The body with what must hold of the object.
pub(super) fn guarded(body: &Value, uid: Option<&str>, version: &str) -> Value {
    let mut body = body.clone();
    if let Some(uid) = uid {
        body["metadata"]["uid"] = Value::String(uid.to_owned());
    }
    body["metadata"]["resourceVersion"] = Value::String(version.to_owned());
    body
}
