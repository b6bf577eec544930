//! From a saved plan back to one that can be applied: its bodies compiled again, its ground looked at again.
//! What still holds is not asked of the server a second time; what does not is not made, or planned again.

use std::collections::{BTreeMap, BTreeSet};

use super::ground::{Ground, writes};
use super::{SavedChange, SavedPlan};
use crate::address::{Address, ObjectKey};
use crate::cluster::{Discovery, Error};
use crate::diag::Diagnostics;
use crate::object::Object;
use crate::plan::assess::{Assessed, Assessor, Subject};
use crate::plan::build::{Builder, after_installer, empty_graph, existing_key};
use crate::plan::input::{Options, PlanInput};
use crate::plan::live::{Live, Wanted};
use crate::plan::order::{self, Dependencies};
use crate::plan::removal::{self, Remover};
use crate::plan::{Action, Change, Guard, NotOurs, Plan, Risk, TargetCluster};
use crate::stack::Stack;

/// A saved plan that can be applied.
#[derive(Debug)]
pub struct Restored {
    /// The plan. A change whose ground moved has [`Change::broken`].
    pub plan: Plan,
    /// How many changes were planned again, and do something: nobody approved them yet.
    pub again: usize,
}

/// Restores `saved`. The caller has made sure that cluster, state, files and variables are those it was made
/// for. With `again`, what moved is planned again.
///
/// # Errors
/// When the cluster does not answer, or persisted a dry-run.
pub async fn restore(input: &PlanInput<'_>, saved: &SavedPlan, again: bool) -> Result<Restored, Error> {
    // Whether something is done already is asked without `--replace`, which would do it once more.
    let settled = Options { replace: BTreeSet::new(), ..input.options.clone() };
    let judged = PlanInput { options: if again { input.options } else { &settled }, ..*input };
    let version = input.reader.version().await?;
    let mut plan = Plan {
        stack: saved.stack.clone(),
        cluster: TargetCluster {
            context: input.target.context.clone(),
            server: input.target.server.clone(),
            sandbox: input.target.sandbox,
            identity: saved.cluster.identity.clone(),
            version,
        },
        lineage: saved.lineage.clone(),
        serial: saved.serial,
        destroy: saved.destroy,
        returns_to: saved.returns_to,
        forward_from: saved.forward_from,
        only: saved.only.clone(),
        changes: Vec::new(),
        not_ours: saved.not_ours.clone(),
        left_behind: saved.left_behind.clone(),
        problems: Diagnostics::default(),
        outputs: BTreeMap::new(),
    };
    let restorer = Restorer { builder: Builder::new(&judged), input: &judged, saved, again };
    let again = restorer.fill(&mut plan).await?;
    Ok(Restored { plan, again })
}

struct Restorer<'a> {
    builder: Builder<'a>,
    input: &'a PlanInput<'a>,
    saved: &'a SavedPlan,
    again: bool,
}

/// One change restored.
struct One {
    change: Change,
    /// It was planned again, with these fields of others.
    anew: Option<Vec<NotOurs>>,
}

impl One {
    fn kept(change: Change) -> Self {
        Self { change, anew: None }
    }
}

impl Restorer<'_> {
    async fn fill(&self, plan: &mut Plan) -> Result<usize, Error> {
        let (desired, leaving): (Vec<&SavedChange>, Vec<&SavedChange>) =
            self.saved.changes.iter().partition(|change| self.is_desired(change));
        let discovery = self.input.reader.discover(&self.kinds()).await?;
        let live = self.live(&desired, &discovery).await?;

        let mut changes: BTreeMap<Address, Change> = BTreeMap::new();
        let mut anew: BTreeSet<Address> = BTreeSet::new();
        if let Some(stack) = self.input.stack {
            let after_installer = after_installer(stack);
            let assessor = Assessor {
                input: self.input,
                stack,
                discovery: &discovery,
                live: &live,
                mark: &self.builder.mark,
                after_installer: &after_installer,
            };
            let saved: BTreeMap<&Address, &SavedChange> =
                desired.iter().map(|change| (&change.address, *change)).collect();
            for address in stack.graph.order() {
                let (Some(saved), Some(resource)) = (saved.get(address), stack.resources.get(address)) else {
                    continue;
                };
                let subject = self.builder.subject(stack, resource, &live, &changes);
                let one = self.one(saved, &subject, &assessor, &live).await?;
                if let Some(not_ours) = one.anew {
                    plan.not_ours.retain(|field| field.address != *address);
                    plan.not_ours.extend(not_ours);
                    anew.insert(address.clone());
                }
                changes.insert(address.clone(), one.change);
            }
        }
        let mut changes: Vec<Change> = changes.into_values().collect();
        let (mut fresh, mut rest): (Vec<Change>, Vec<Change>) =
            changes.drain(..).partition(|change| anew.contains(&change.address));
        plan.problems.extend(self.builder.reach_of_replacements(&mut fresh, &discovery, &live).await?);
        let (removals, judged) = self.removals(&leaving, &discovery, &live).await?;
        let again = fresh.iter().filter(|change| acts(change)).count() + judged;
        changes.append(&mut fresh);
        changes.append(&mut rest);
        changes.sort_by(|a, b| a.address.cmp(&b.address));
        changes.extend(removals);

        let empty = empty_graph();
        let graph = self.input.stack.map_or(&empty, |stack| &stack.graph);
        let recorded: BTreeMap<Address, Vec<Address>> = self
            .builder
            .owned
            .iter()
            .map(|(address, owned)| (address.clone(), owned.depends_on.clone()))
            .collect();
        plan.changes = order::arrange(changes, &Dependencies { desired: graph, recorded: &recorded });
        if let Some(stack) = self.input.stack {
            plan.outputs = Builder::outputs(stack, &live, &plan.changes);
        }
        Ok(again)
    }

    /// Whether the change is about what the stack declares, and not about what leaves.
    fn is_desired(&self, change: &SavedChange) -> bool {
        let declared = |stack: &Stack| stack.resources.contains_key(&change.address);
        !change.former
            && (writes(change.action) || change.action == Action::NoOp)
            && self.input.stack.is_some_and(declared)
    }

    fn version<'c>(&self, change: &'c SavedChange) -> Option<&'c str>
    where
        Self: 'c,
    {
        let declared = || Some(self.input.stack?.resources.get(&change.address)?.api_version.as_str());
        change.api_version.as_deref().or_else(declared)
    }

    fn kinds(&self) -> BTreeSet<(String, String)> {
        let existing = self.input.stack.into_iter().flat_map(|stack| stack.existing.values());
        let changes = self.saved.changes.iter();
        changes
            .filter_map(|change| Some((self.version(change)?.to_owned(), change.key.kind.clone())))
            .chain(existing.map(|existing| (existing.api_version.clone(), existing.kind.clone())))
            .collect()
    }

    /// The live objects. What is to be made is not asked for by name where a list will do: the write itself
    /// finds out, since it must not find anything.
    async fn live(&self, desired: &[&SavedChange], discovery: &Discovery) -> Result<Live, Error> {
        let made = |change: &&&SavedChange| change.guard == Guard::Absent && writes(change.action);
        let mut unasked: BTreeSet<&ObjectKey> =
            desired.iter().filter(made).map(|change| &change.key).collect();
        // To plan again is to look.
        if self.again {
            unasked.clear();
        }
        let mut wanted = BTreeSet::new();
        for change in &self.saved.changes {
            let find = |version| discovery.find(version, &change.key.kind);
            let api = self.version(change).and_then(find);
            let api = api.or_else(|| discovery.preferred(&change.key.group, &change.key.kind));
            wanted.extend(api.map(|api| Wanted { api, key: change.key.clone() }));
        }
        for existing in self.input.stack.into_iter().flat_map(|stack| stack.existing.values()) {
            let api = discovery.find(&existing.api_version, &existing.kind);
            wanted.extend(api.map(|api| Wanted { api, key: existing_key(existing) }));
        }
        Live::read(self.input.reader, discovery, &self.saved.stack, &wanted, &unasked).await
    }

    async fn one(
        &self,
        saved: &SavedChange,
        subject: &Subject<'_>,
        assessor: &Assessor<'_>,
        live: &Live,
    ) -> Result<One, Error> {
        let resource = subject.resource;
        let served = assessor.discovery.find(&resource.api_version, &resource.kind);
        let api = served.filter(|_| saved.api_version.is_some());
        let mut change = saved.change(api);
        let human = change.key.human();
        let mut object: Option<&Object> = None;
        let ground = match live.get(&change.key) {
            _ if saved.api_version.is_some() && served.is_none() => {
                Ground::Moved(vec![format!("no server knows the kind {} any more", change.key.kind)])
            }
            Err(error) => {
                let text = self.input.redactor.redact(&error.to_string()).into_owned();
                Ground::Moved(vec![format!("{human} could not be read"), text])
            }
            Ok(found) => {
                object = found;
                assessor.ground(subject, saved, &change, found)
            }
        };
        let moved = match ground {
            Ground::Holds => self.rebuild(saved, subject, object, &mut change),
            Ground::Moved(lines) => Some(lines),
        };
        let Some(lines) = moved else {
            if let (Guard::Object { resource_version, .. }, Some(live)) = (&mut change.guard, object) {
                live.resource_version().clone_into(resource_version);
            }
            if let Some(live) = object.filter(|_| saved.unrecorded) {
                let hash = self.input.key.manifest(&change.address, &subject.desired.body);
                change.record = assessor.record(subject, live, hash);
            }
            return Ok(One::kept(change));
        };
        if saved.action == Action::NoOp && still_there(saved, object) {
            change.notes.push("it was changed since the plan was made, which leaves it alone".to_owned());
            change.unchanged_since = None;
            return Ok(One::kept(change));
        }
        let fresh = assessor.assess(subject).await?;
        Ok(self.instead(change, lines, fresh))
    }

    /// Fills in what is written; the lines say why that is not what the plan was made for.
    fn rebuild(
        &self,
        saved: &SavedChange,
        subject: &Subject<'_>,
        live: Option<&Object>,
        change: &mut Change,
    ) -> Option<Vec<String>> {
        let write = saved.write.as_ref()?;
        let secret = &subject.desired.secret;
        let with = |body| write.write(&saved.address, body, secret.clone(), self.input.key);
        let in_place = matches!(saved.action, Action::Update | Action::Adopt);
        let ignoring = live.filter(|_| in_place).map(|live| Assessor::without_ignored(subject, live));
        change.write = ignoring.and_then(with).or_else(|| with(subject.desired.body.clone()));
        change.write.is_none().then(|| {
            vec!["a value that it takes from another object changed since the plan was made".to_owned()]
        })
    }

    /// What stands for a change whose ground moved: nothing to do, if what it wanted is there already; a new
    /// plan for it, if that was asked for; else the change that is not made, with the reason.
    fn instead(&self, mut change: Change, mut lines: Vec<String>, fresh: Assessed) -> One {
        let Assessed { change: made, problems, not_ours } = fresh;
        match made {
            Some(mut made) if problems.is_empty() && (self.again || made.action == Action::NoOp) => {
                if acts(&made) {
                    made.notes.insert(0, format!("planned again: {}", lines[0]));
                }
                One { change: made, anew: Some(not_ours) }
            }
            _ => {
                if self.again {
                    lines.extend(problems.iter().map(|problem| problem.message.clone()));
                }
                change.broken = Some(lines);
                // Nothing happens, so nothing is at risk.
                change.risk = Risk::Safe;
                One::kept(change)
            }
        }
    }

    /// Deletes, and what is kept or let go of. Also how many deletes are others than were approved.
    async fn removals(
        &self,
        saved: &[&SavedChange],
        discovery: &Discovery,
        live: &Live,
    ) -> Result<(Vec<Change>, usize), Error> {
        let mut removals = Vec::with_capacity(saved.len());
        let mut again = 0;
        let mut judged = if self.again { self.judge(discovery, live).await? } else { BTreeMap::new() };
        for saved in saved {
            let api = saved.api_version.as_deref().and_then(|v| discovery.find(v, &saved.key.kind));
            let api = api.or_else(|| discovery.preferred(&saved.key.group, &saved.key.kind));
            let mut change = saved.change(api);
            let moved = self.delete_moved(saved, live);
            match judged.remove(&(saved.address.clone(), saved.key.clone())) {
                Some(fresh)
                    if saved.action == Action::Delete
                        && (moved.is_some()
                            || fresh.action != saved.action
                            || fresh.reach != saved.reach) =>
                {
                    again += usize::from(acts(&fresh));
                    change = fresh;
                    let why = moved.unwrap_or_else(|| "what goes with it changed".to_owned());
                    change.notes.insert(0, format!("planned again: {why}"));
                }
                _ => {
                    if let Some(line) = moved {
                        change.broken = Some(vec![line]);
                        change.risk = Risk::Safe;
                    }
                }
            }
            removals.push(change);
        }
        Ok((removals, again))
    }

    /// Why a delete is not made. One of an object that is gone has nothing left to do.
    fn delete_moved(&self, saved: &SavedChange, live: &Live) -> Option<String> {
        let (Action::Delete, Guard::Object { uid, .. }) = (saved.action, &saved.guard) else {
            return None;
        };
        let object = live.get(&saved.key).ok()??;
        let human = saved.key.human();
        if object.uid() != uid {
            Some(format!("{human} was deleted and made anew since the plan was made"))
        } else if object.mark().as_ref() != Some(&self.builder.mark) {
            Some(format!("{human} lost the mark of this stack since the plan was made"))
        } else if object.is_protected() {
            Some(format!("{human} is protected since the plan was made"))
        } else {
            None
        }
    }

    /// What is to be done about all that leaves, as things are now.
    async fn judge(
        &self,
        discovery: &Discovery,
        live: &Live,
    ) -> Result<BTreeMap<(Address, ObjectKey), Change>, Error> {
        let keys: BTreeMap<Address, ObjectKey> = self
            .input
            .stack
            .into_iter()
            .flat_map(|stack| stack.resources.values())
            .map(|resource| (resource.address.clone(), resource.key()))
            .collect();
        let mut leaving = removal::leaving(&self.builder.owned, &keys);
        let in_plan = |address: &Address, key: &ObjectKey| {
            self.saved.changes.iter().any(|change| change.address == *address && change.key == *key)
        };
        leaving.retain(|item| in_plan(&item.address, &item.key));
        let removed = self.input.stack.map_or(&[][..], |stack| &stack.removed);
        let judge = Remover { input: self.input, discovery, live, removed };
        // What stands against one of them keeps it as it was planned: it stops when it is written.
        let (changes, _) = judge.judge(&leaving).await?;
        Ok(changes.into_iter().map(|change| ((change.address.clone(), change.key.clone()), change)).collect())
    }
}

fn acts(change: &Change) -> bool {
    !matches!(change.action, Action::NoOp | Action::Keep)
}

/// Whether the very object of an unchanged resource is still there, whatever was written to it.
fn still_there(saved: &SavedChange, live: Option<&Object>) -> bool {
    let Guard::Object { uid, .. } = &saved.guard else { return false };
    live.is_some_and(|live| live.uid() == uid && !live.is_terminating())
}
