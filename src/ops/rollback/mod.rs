//! Back to a recorded revision: its manifests become what is desired, with the secrets of today. The plan
//! that follows is an ordinary one, with every guard and every risk of one.

mod choose;
mod claims;
mod lines;
mod secrets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::plan::interruptible;
use super::recipe;
use super::revision::Desires;
use super::{Error, PlanRequest, World, settle, stack};
use crate::address::Address;
use crate::cluster::Reader;
use crate::diag::{Diagnostics, FileId, SourceMap, Span};
use crate::graph::{Edge, Graph, Reason, ReasonKind};
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::Plan;
use crate::secrets::SecretValues;
use crate::stack::{Existing, Late, Output, Resource, Stack, Val};
use crate::state::{
    HashKey, Holder, LockedStore, Revision, RevisionExisting, RevisionManifest, State, Store,
};

pub use lines::StillSays;

/// Which revision is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// The last one that worked, before the present one and other than it.
    LastThatWorked,
    /// The one of this serial.
    To(u64),
}

/// Where a revision and what it needs are found.
pub(super) struct Basis<'a> {
    pub(super) store: &'a Store,
    pub(super) state: &'a State,
    pub(super) key: &'a HashKey,
    pub(super) before: Before,
    pub(super) reader: &'a Reader,
}

/// What the runs before left behind.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Before {
    /// The last of them, if it was killed while it held the state.
    died: Option<Holder>,
    /// Which revision that one was returning to.
    returning_to: Option<u64>,
    /// Something was done, or may have been, that is in no revision.
    unfinished: bool,
}

impl Before {
    pub(super) fn of(store: &LockedStore) -> Self {
        Self {
            died: store.died().cloned(),
            returning_to: store.died_returning_to(),
            unfinished: store.unfinished(),
        }
    }
}

/// What is to be known of a rollback beside its stack.
#[derive(Debug, Default)]
pub(super) struct Back {
    serial: u64,
    /// Facts for the change of each address.
    notes: BTreeMap<Address, Vec<String>>,
    /// Secrets that keep their live value, as the revision has them.
    kept: BTreeMap<Address, BTreeMap<FieldPath, Late>>,
    /// What cannot be had.
    problems: Diagnostics,
    /// Where the stack says otherwise.
    still: Vec<StillSays>,
    /// What is to be said beside the plan.
    remarks: Vec<String>,
}

/// Loads what the request is about. A rollback goes back from files that are broken, too.
pub(super) fn load(request: &PlanRequest, world: &World) -> Result<stack::Desired, Error> {
    match stack::Desired::load(&request.stack, request.destroy, world) {
        Err(Error::Invalid(_)) if request.to.is_some() => stack::Desired::load(&request.stack, true, world),
        loaded => loaded,
    }
}

/// Puts the revision that was asked for in the place of what the files say.
pub(super) async fn back(
    to: Option<Return>,
    desired: &mut stack::Desired,
    secrets: &mut SecretValues,
    basis: &Basis<'_>,
    world: &World,
) -> Result<Option<Back>, Error> {
    let Some(to) = to else {
        return Ok(None);
    };
    Ok(Some(interruptible(world, Box::pin(desire(to, desired, secrets, basis))).await??))
}

/// Says in the plan whether it goes back, or forward again after the last apply went back; returns where the
/// files say otherwise.
pub(super) async fn direction(
    plan: &mut Plan,
    back: Option<&Back>,
    store: &Store,
    notes: &mut Vec<String>,
) -> Vec<StillSays> {
    if let Some(back) = back {
        back.mark(plan);
        notes.extend(back.remarks.iter().cloned());
        return back.still.clone();
    }
    // Nothing to go forward with is nothing to say, and no reason to read a revision.
    if plan.has_changes() && !plan.destroy {
        match store.latest_revision().await {
            Ok(last) => plan.forward_from = last.and_then(|revision| revision.returned_to),
            Err(error) => notes.push(error.to_string()),
        }
    }
    Vec::new()
}

/// Makes the revision what is desired, in place of what the files say.
///
/// # Errors
/// No such revision, a damaged one, one of another state; a cluster that does not answer.
async fn desire(
    to: Return,
    desired: &mut stack::Desired,
    values: &mut SecretValues,
    basis: &Basis<'_>,
) -> Result<Back, Error> {
    let (revision, remarks) = choose::revision(to, basis).await?;
    let mut back = Back { serial: revision.serial, remarks, ..Back::default() };
    let present = desired.stack.take();
    match &present {
        Some(present) => back.still = lines::differences(present, &revision),
        None => back.remarks.push(
            "the stack's files have mistakes: values of secrets stay as they are in the cluster".to_owned(),
        ),
    }
    let mut stack = restore(&revision, desired, present.as_ref())?;
    let live = live(&revision, basis).await?;
    let mut task =
        secrets::Task { revision: &revision, key: basis.key, live: &live, values, stack: &mut stack };
    task.settle(&mut back);
    claims::keep_sizes(&mut stack, &live, &mut back);
    desired.stack = Some(stack);
    Ok(back)
}

impl Back {
    /// Says in the plan what it is.
    fn mark(&self, plan: &mut Plan) {
        plan.returns_to = Some(self.serial);
        for change in plan.changes.iter_mut().filter(|change| !change.former) {
            for note in self.notes.get(&change.address).into_iter().flatten() {
                // A saved plan has them already.
                if !change.notes.contains(note) {
                    change.notes.push(note.clone());
                }
            }
        }
        plan.problems.extend(self.problems.clone());
    }

    /// The serial of the revision.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// Puts the variables back in the place of the values that were kept, so that this revision can be
    /// returned to as well.
    pub(super) fn record(&self, desires: &mut Desires) {
        for (address, kept) in &self.kept {
            if let Some(resource) = desires.resources.get_mut(address) {
                resource.manifest.late.extend(kept.iter().map(|(path, late)| (path.clone(), late.clone())));
            }
        }
    }

    fn note(&mut self, address: &Address, text: String) {
        self.notes.entry(address.clone()).or_default().push(text);
    }
}

/// A compiled stack that desires what the revision did; variables and places are those of today.
fn restore(revision: &Revision, desired: &stack::Desired, present: Option<&Stack>) -> Result<Stack, Error> {
    let head = &desired.head;
    let mut sources_map = present.map(|stack| stack.sources_map.clone()).unwrap_or_default();
    let spans = Spans::new(revision, &mut sources_map);
    let mut resources = BTreeMap::new();
    for (address, recorded) in &revision.resources {
        resources.insert(address.clone(), resource(revision.serial, address, recorded, spans.of(address))?);
    }
    let existing: BTreeMap<Address, Existing> = revision
        .existing
        .iter()
        .map(|(address, recorded)| (address.clone(), existing(address, recorded, spans.of(address))))
        .collect();
    let mut outputs = BTreeMap::new();
    for (name, recipe) in &revision.outputs {
        let value = recipe::to_value(recipe).map_err(|path| misfit(revision.serial, name, &path))?;
        outputs.insert(name.clone(), Output { value, span: spans.nowhere() });
    }
    let edges: Vec<Edge<Address>> = revision
        .resources
        .iter()
        .flat_map(|(from, recorded)| recorded.depends_on.iter().map(|to| edge(from, to)))
        .collect();
    let nodes: Vec<Address> = resources.keys().chain(existing.keys()).cloned().collect();
    let graph = Graph::new(nodes, edges).map_err(|_| Error::Unknown {
        what: format!("revision {} depends on itself", revision.serial),
        choices: Vec::new(),
    })?;
    Ok(Stack {
        name: head.name.clone(),
        description: None,
        file: head.file.clone(),
        env: head.env.clone(),
        cluster: head.cluster.clone(),
        state: head.state.clone(),
        resources,
        existing,
        variables: present.map(|stack| stack.variables.clone()).unwrap_or_default(),
        outputs,
        moved: Vec::new(),
        removed: Vec::new(),
        sources: present.map(|stack| stack.sources.clone()).unwrap_or_default(),
        graph,
        digest: String::new(),
        files: BTreeMap::new(),
        sources_map,
    })
}

fn edge(from: &Address, to: &Address) -> Edge<Address> {
    let reason = Reason { kind: ReasonKind::DependsOn, span: None };
    Edge { from: from.clone(), to: to.clone(), reason }
}

/// A revision is checksummed: this is one that was never written like this.
fn misfit(serial: u64, of: &str, path: &FieldPath) -> Error {
    let what = format!("revision {serial}: {path} has no place in {of}");
    Error::Unknown { what, choices: Vec::new() }
}

fn resource(
    serial: u64,
    address: &Address,
    recorded: &RevisionManifest,
    span: Span,
) -> Result<Resource, Error> {
    let manifest =
        recipe::to_value(&recorded.manifest).map_err(|path| misfit(serial, &address.to_string(), &path))?;
    let text = |path: &str| match recorded.manifest.value.pointer(path) {
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (api_version, kind) = (text("/apiVersion").unwrap_or_default(), text("/kind").unwrap_or_default());
    let namespaced = crate::schema::lookup(&api_version, &kind).map(|kind| kind.namespaced);
    Ok(Resource {
        address: address.clone(),
        namespaced,
        api_version,
        kind,
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
        manifest,
        protect: recorded.protect,
        timeout: recorded.timeout.map(Duration::from_millis),
        wait: recorded.wait.clone(),
        ignore: recorded.ignore.clone(),
        replace_immutable: recorded.replace_immutable,
        span,
        spans: BTreeMap::new(),
    })
}

fn existing(address: &Address, recorded: &RevisionExisting, span: Span) -> Existing {
    Existing {
        address: address.clone(),
        api_version: recorded.api_version.clone(),
        kind: recorded.key.kind.clone(),
        namespace: recorded.key.namespace.clone(),
        name: recorded.key.name.clone(),
        wait: recorded.wait.clone(),
        timeout: recorded.timeout.map(Duration::from_millis),
        span,
    }
}

/// Places to point at: a revision has no file of its own, so each resource is a line of a made one.
struct Spans {
    file: FileId,
    lines: BTreeMap<Address, std::ops::Range<usize>>,
}

impl Spans {
    fn new(revision: &Revision, sources: &mut SourceMap) -> Self {
        let mut text = String::new();
        let mut lines = BTreeMap::new();
        for address in revision.resources.keys().chain(revision.existing.keys()) {
            let line = address.to_string();
            lines.insert(address.clone(), text.len()..text.len() + line.len());
            text.push_str(&line);
            text.push('\n');
        }
        let file = sources.add(PathBuf::from(format!("revision {}", revision.serial)), text);
        Self { file, lines }
    }

    fn of(&self, address: &Address) -> Span {
        self.lines.get(address).map_or_else(|| self.nowhere(), |line| Span::new(self.file, line.clone()))
    }

    fn nowhere(&self) -> Span {
        Span::new(self.file, 0..0)
    }
}

/// The live objects that decide what can be returned to: those with secrets, and claims.
async fn live(revision: &Revision, basis: &Basis<'_>) -> Result<BTreeMap<Address, Object>, Error> {
    let mut wanted = Vec::new();
    for (address, recorded) in &revision.resources {
        let resource = resource(revision.serial, address, recorded, Span::new(FileId(0), 0..0))?;
        let has_secret = recorded.manifest.late.values().any(secrets::is_secret);
        if has_secret || claims::is_claim(&resource) {
            wanted.push(resource);
        }
    }
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let kinds = wanted.iter().map(|r| (r.api_version.clone(), r.kind.clone())).collect();
    let discovery = basis.reader.discover(&kinds).await?;
    for resource in wanted {
        let object =
            settle::live_object(&resource.api_version, &resource.key(), basis.reader, &discovery).await?;
        found.extend(object.map(|object| (resource.address, object)));
    }
    Ok(found)
}

/// Replaces the value at a place of a resource's manifest.
fn replace(stack: &mut Stack, address: &Address, path: &FieldPath, val: Val) {
    if let Some(resource) = stack.resources.get_mut(address) {
        // The path was taken from this very manifest.
        let put = recipe::put(&mut resource.manifest, &path.0, val);
        debug_assert!(put.is_some(), "{address} has no {path}");
    }
}
