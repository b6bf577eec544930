//! Waiting until an object works: watches on it and on what stands behind it, no polling.
//!
//! *Invariants:* a wait ends by readiness, by a failure that no waiting mends, by the change's own timeout or
//! by an interrupt; what is waited for is said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{LocalBoxStream, SelectAll};
use tokio::time::Instant;

use super::unit::{Done, Step, Stop, Unit, failed};
use super::verdict::{Rule, Verdict, judge};
use crate::address::ObjectKey;
use crate::cluster::{Api, ObjectWatch, Observation};
use crate::object::Object;
use crate::plan::Action;
use crate::stack::Val;
use crate::status::Context;
use crate::status::chain::{self, Seen};

/// How long the complaint of an unchanged object may be about how things were before this run changed what it
/// depends on.
const SETTLE: Duration = Duration::from_secs(30);

/// Whose observation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Front,
    Chart,
    Source,
}

/// Several objects watched at once.
#[derive(Default)]
struct Watches {
    streams: SelectAll<LocalBoxStream<'static, (Role, ObjectKey, Observation)>>,
    seen: BTreeMap<Role, (ObjectKey, Seen)>,
}

impl Watches {
    fn add(&mut self, role: Role, key: &ObjectKey, watch: ObjectWatch) {
        let key_of = key.clone();
        let stream = futures::stream::unfold(watch, move |mut watch| {
            let key = key_of.clone();
            async move {
                let observation = watch.next().await;
                Some(((role, key, observation), watch))
            }
        });
        self.streams.push(stream.boxed_local());
        self.seen.insert(role, (key.clone(), Seen::Unread));
    }

    fn watches(&self, role: Role, key: &ObjectKey) -> bool {
        self.seen.get(&role).is_some_and(|(seen, _)| seen == key)
    }

    /// Takes in an observation; one of a watch that was replaced says nothing.
    fn take(&mut self, role: Role, key: &ObjectKey, observation: Observation) -> Option<String> {
        let (current, seen) = self.seen.get_mut(&role)?;
        if current != key {
            return None;
        }
        match observation {
            Observation::Present(object) => *seen = Seen::Present(object),
            Observation::Absent => *seen = Seen::Absent(key.clone()),
            Observation::Trouble(error) => return Some(error.to_string()),
        }
        None
    }

    fn seen(&self, role: Role) -> &Seen {
        self.seen.get(&role).map_or(&Seen::Unread, |(_, seen)| seen)
    }

    fn front(&self) -> Option<&Object> {
        match self.seen(Role::Front) {
            Seen::Present(object) => Some(object),
            _ => None,
        }
    }
}

impl Unit<'_> {
    /// Waits for the object that was just written.
    pub(super) async fn wait_ready(&mut self, api: &Api) -> Step<Done> {
        let Some(rule) = Rule::of(&self.change.wait)? else {
            return Ok(Done { detail: Some("accepted, readiness not waited for".to_owned()), ready: false });
        };
        let context = self.context().await;
        // Most kinds work at once: then the server's answer to the write is all there is to look at.
        if let Some(object) = &self.object
            && let Verdict::Ready(detail) = judge(object, &rule, &context, &Seen::Unread, &Seen::Unread)
        {
            return Ok(Done { detail, ready: true });
        }
        let key = self.change.key.clone();
        let uid = self.object.as_ref().map(|object| object.uid().to_owned());
        let written = self.change.action != Action::NoOp;
        let (object, detail) = self.watch_until(api, &key, uid.as_deref(), &rule, &context, written).await?;
        self.object = Some(object);
        Ok(Done { detail, ready: true })
    }

    /// An unchanged resource: nothing to do if it works, else its readiness is waited for like a change's.
    pub(super) async fn unchanged(&mut self) -> Step<Done> {
        let Some(api) = self.change.api.clone() else {
            return Ok(Done::default());
        };
        if self.change.moved_from.is_some() {
            self.object = self.read(&api).await?;
        }
        if self.change.not_ready.is_none() {
            return Ok(Done { detail: None, ready: true });
        }
        self.wait_ready(&api).await
    }

    /// Watches an object until its rule holds.
    pub(super) async fn watch_until(
        &mut self,
        api: &Api,
        key: &ObjectKey,
        uid: Option<&str>,
        rule: &Rule,
        context: &Context,
        written: bool,
    ) -> Step<(Object, Option<String>)> {
        let reader = self.writer.reader().clone();
        let mut watches = Watches::default();
        watches.add(Role::Front, key, reader.watch_object(api, key.namespace.as_deref(), &key.name));
        let settled = Instant::now() + if self.stirred && !written { SETTLE } else { Duration::ZERO };
        loop {
            let settling = Instant::now() < settled;
            let (whose, from, observation) = tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return Err(Stop::Interrupted { written }),
                Some(told) = watches.streams.next() => told,
                () = tokio::time::sleep_until(settled), if settling => (Role::Front, key.clone(), last(&watches)),
                () = tokio::time::sleep_until(self.deadline) => return Err(self.timed_out(key, rule, context, &watches).await),
            };
            if let Some(trouble) = watches.take(whose, &from, observation) {
                // What stands behind may be hidden from us; what is in front must be seen.
                if whose == Role::Front {
                    self.say(&trouble);
                }
                continue;
            }
            let front = match watches.seen(Role::Front) {
                Seen::Unread => continue,
                Seen::Absent(_) if uid.is_none() => {
                    self.say(&format!("{} does not exist yet", key.human()));
                    continue;
                }
                Seen::Absent(_) => {
                    return failed(format!("{} was deleted while it was waited for", key.human()), []);
                }
                Seen::Present(object) => object.clone(),
            };
            if uid.is_some_and(|uid| uid != front.uid()) {
                return failed(format!("{} was replaced while it was waited for", key.human()), []);
            }
            self.look_behind(&front, &mut watches);
            match judge(&front, rule, context, watches.seen(Role::Chart), watches.seen(Role::Source)) {
                Verdict::Ready(detail) => return Ok((front, detail)),
                Verdict::Waiting(what) => self.say(&what),
                Verdict::Failed(lines) if Instant::now() < settled => {
                    self.say(lines.last().map_or("", String::as_str));
                }
                Verdict::Failed(mut lines) => {
                    let more = self.explain(&front, &lines).await;
                    lines.extend(more);
                    return Err(Stop::Failed(lines));
                }
            }
        }
    }

    /// Watches the chart and the source behind an object as soon as they are known.
    fn look_behind(&self, front: &Object, watches: &mut Watches) {
        let behind = chain::behind(front);
        for (role, key) in [(Role::Chart, behind.chart), (Role::Source, behind.source)] {
            let Some(key) = key.filter(|key| !watches.watches(role, key)) else {
                continue;
            };
            if let Some(api) = self.run.discovery.preferred(&key.group, &key.kind) {
                let watch = self.writer.reader().watch_object(api, key.namespace.as_deref(), &key.name);
                watches.add(role, &key, watch);
            }
        }
    }

    async fn timed_out(&self, key: &ObjectKey, rule: &Rule, context: &Context, watches: &Watches) -> Stop {
        let waited = self.started.elapsed().as_secs();
        let mut lines = vec![format!("not ready after {waited}s")];
        match watches.front() {
            None => lines.push(format!("{} was not seen", key.human())),
            Some(front) => {
                match judge(front, rule, context, watches.seen(Role::Chart), watches.seen(Role::Source)) {
                    Verdict::Waiting(what) => lines.push(what),
                    Verdict::Failed(more) => lines.extend(more),
                    Verdict::Ready(_) => {}
                }
                let more = self.explain(front, &lines).await;
                lines.extend(more);
            }
        }
        Stop::Failed(lines)
    }

    /// What readiness depends on besides the object.
    pub(super) async fn context(&self) -> Context {
        let claims = self.change.key.kind == "PersistentVolumeClaim" && self.change.key.group.is_empty();
        let wait_for_first_consumer = if claims { self.run.late_binding().await } else { BTreeSet::new() };
        Context {
            wait_for_first_consumer,
            suspended_by_stack: self
                .run
                .stack
                .and_then(|stack| stack.resources.get(&self.change.address))
                .is_some_and(|resource| suspends(&resource.manifest)),
        }
    }
}

/// The front object as it was seen last, to be judged anew.
fn last(watches: &Watches) -> Observation {
    watches.front().map_or(Observation::Absent, |object| Observation::Present(object.clone()))
}

/// Whether the manifest itself suspends its object.
fn suspends(manifest: &Val) -> bool {
    let Val::Map(manifest) = manifest else {
        return false;
    };
    let Some(Val::Map(spec)) = manifest.get("spec") else {
        return false;
    };
    ["suspend", "paused"].iter().any(|field| spec.get(*field) == Some(&Val::Bool(true)))
}
