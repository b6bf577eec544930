//! From stack, state and cluster to a plan.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;

use crate::address::{Address, ObjectKey};
use crate::cluster::{Api, Discovery, Error};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Graph;
use crate::manifest::{self, SecretValue};
use crate::object::Mark;
use crate::plan::assess::{Assessed, Assessor};
use crate::plan::input::{Known, PlanInput};
use crate::plan::live::{Live, Wanted};
use crate::plan::order::{self, Dependencies};
use crate::plan::reach::{self, Survey};
use crate::plan::removal::{self, Remover};
use crate::plan::scope::Scope;
use crate::plan::{Action, Change, Plan, Shown, TargetCluster, moves, ready, refuse};
use crate::stack::{Existing, FieldRef, Part, Resource, SecretSource, Stack, Val, VariableValue};
use crate::state::Owned;

/// Resources whose dry-runs are under way at once.
const CONCURRENCY: usize = 16;

/// Builds the plan. What forbids it is in [`Plan::problems`]; nothing is written, not even a dry-run that an
/// API would persist.
///
/// # Errors
/// When the cluster does not answer, does not let us in, or persisted a dry-run.
pub async fn build(input: &PlanInput<'_>) -> Result<Plan, Error> {
    let identity = input.reader.identity().await?;
    let version = input.reader.version().await?;
    let cluster = TargetCluster {
        context: input.target.context.clone(),
        server: input.target.server.clone(),
        sandbox: input.target.sandbox,
        identity,
        version,
    };
    let mut plan = Plan {
        stack: input.state.stack.clone(),
        lineage: input.state.lineage.clone(),
        serial: input.state.serial,
        destroy: input.stack.is_none() && input.options.release.is_empty(),
        returns_to: None,
        forward_from: None,
        only: None,
        changes: Vec::new(),
        not_ours: Vec::new(),
        left_behind: Vec::new(),
        problems: Diagnostics::default(),
        outputs: BTreeMap::new(),
        cluster,
    };
    if let Some(recorded) = &input.state.cluster
        && recorded.kind == plan.cluster.identity.kind
        && recorded.id != plan.cluster.identity.id
    {
        plan.problems.push(refuse::other_cluster(&recorded.id, &plan.cluster.identity.id));
        return Ok(plan);
    }
    Builder::new(input).fill(&mut plan).await?;
    Ok(plan)
}

pub(super) struct Builder<'a> {
    pub(super) input: &'a PlanInput<'a>,
    pub(super) mark: Mark,
    /// State with moves applied, and where each moved resource came from.
    pub(super) owned: BTreeMap<Address, Owned>,
    pub(super) moved: BTreeMap<Address, Address>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(input: &'a PlanInput<'a>) -> Self {
        let mark = input.state.mark();
        let (owned, moved) = moves::apply(&input.state.resources, input.stack);
        Self { input, mark, owned, moved }
    }

    async fn fill(&self, plan: &mut Plan) -> Result<(), Error> {
        let scope = Scope::of(self.input.options, self.input.stack, &self.owned);
        let refresh = self.input.options.refresh_only;
        let all: Vec<&Resource> = self.input.stack.into_iter().flat_map(|s| s.resources.values()).collect();
        let desired_keys: BTreeMap<Address, ObjectKey> = if refresh {
            BTreeMap::new()
        } else {
            all.iter().map(|resource| (resource.address.clone(), resource.key())).collect()
        };
        let within = |resource: &&Resource| !refresh && scope.has(&resource.address);
        let resources: Vec<&Resource> = all.into_iter().filter(within).collect();
        let mut leaving = removal::leaving(&self.owned, &desired_keys);
        leaving.retain(|item| {
            let used = item.former && scope.leaves_a_user_of(&item.address, &self.owned);
            scope.has(&item.address) && (!used || order::uninstalls_first(&item.key))
        });
        let discovery = self.input.reader.discover(&self.kinds(&resources, &leaving)).await?;
        let wanted = self.wanted(&resources, &leaving, &discovery);
        let live =
            Live::read(self.input.reader, &discovery, &self.input.state.stack, &wanted, &BTreeSet::new())
                .await?;

        if !refresh {
            plan.problems.extend(self.existing(&live));
        }
        let mut changes = Vec::new();
        let graph;
        if let Some(stack) = self.input.stack {
            changes.extend(self.desired(stack, &resources, &discovery, &live, plan).await?);
            graph = stack.graph.clone();
        } else {
            graph = empty_graph();
        }
        let removed = self.input.stack.map_or(&[][..], |stack| &stack.removed);
        let judge = Remover { input: self.input, discovery: &discovery, live: &live, removed };
        let (removals, problems) = judge.judge(&leaving).await?;
        plan.problems.extend(problems);
        changes.extend(removals.into_iter().filter(|change| scope.makes(change)));
        plan.problems.extend(self.reach_of_replacements(&mut changes, &discovery, &live).await?);
        plan.left_behind = left_behind(&changes);
        self.check_options(&changes, &scope, plan);
        plan.only = scope.only;

        let recorded: BTreeMap<Address, Vec<Address>> =
            self.owned.iter().map(|(address, owned)| (address.clone(), owned.depends_on.clone())).collect();
        plan.changes = order::arrange(changes, &Dependencies { desired: &graph, recorded: &recorded });
        if let Some(stack) = self.input.stack {
            plan.outputs = Self::outputs(stack, &live, &plan.changes);
        }
        Ok(())
    }

    /// Every kind the plan talks about.
    fn kinds(&self, resources: &[&Resource], leaving: &[removal::Leaving<'_>]) -> BTreeSet<(String, String)> {
        let mut kinds: BTreeSet<(String, String)> = BTreeSet::new();
        kinds.extend(resources.iter().map(|r| (r.api_version.clone(), r.kind.clone())));
        kinds.extend(leaving.iter().map(|l| (l.api_version.clone(), l.key.kind.clone())));
        if let Some(stack) = self.input.stack {
            kinds.extend(stack.existing.values().map(|e| (e.api_version.clone(), e.kind.clone())));
        }
        kinds
    }

    fn wanted<'d>(
        &self,
        resources: &[&Resource],
        leaving: &[removal::Leaving<'_>],
        discovery: &'d Discovery,
    ) -> BTreeSet<Wanted<'d>> {
        let mut wanted = BTreeSet::new();
        let mut want = |api: Option<&'d Api>, key: ObjectKey| {
            if let Some(api) = api {
                wanted.insert(Wanted { api, key });
            }
        };
        for resource in resources {
            want(discovery.find(&resource.api_version, &resource.kind), resource.key());
        }
        for item in leaving {
            let api = discovery.find(&item.api_version, &item.key.kind);
            want(api.or_else(|| discovery.preferred(&item.key.group, &item.key.kind)), item.key.clone());
        }
        for existing in self.input.stack.into_iter().flat_map(|stack| stack.existing.values()) {
            want(discovery.find(&existing.api_version, &existing.kind), existing_key(existing));
        }
        wanted
    }

    /// What the stack refers to and is not there.
    fn existing(&self, live: &Live) -> Vec<Diagnostic> {
        let all = self.input.stack.into_iter().flat_map(|stack| stack.existing.values());
        all.filter(|existing| matches!(live.get(&existing_key(existing)), Ok(None)))
            .map(refuse::existing_absent)
            .collect()
    }

    async fn desired(
        &self,
        stack: &Stack,
        resources: &[&Resource],
        discovery: &Discovery,
        live: &Live,
        plan: &mut Plan,
    ) -> Result<Vec<Change>, Error> {
        let after_installer = after_installer(stack);
        let assessor = Assessor {
            input: self.input,
            stack,
            discovery,
            live,
            mark: &self.mark,
            after_installer: &after_installer,
        };
        let mut changes: BTreeMap<Address, Change> = BTreeMap::new();
        let mut absorb = |address: &Address, assessed: Assessed, changes: &mut BTreeMap<Address, Change>| {
            plan.problems.extend(assessed.problems);
            plan.not_ours.extend(assessed.not_ours);
            if let Some(change) = assessed.change {
                changes.insert(address.clone(), change);
            }
        };
        // What refers to no other object's live fields is judged side by side; the rest in order, since what
        // it refers to may change by this very plan.
        let wanted: BTreeSet<&Address> = resources.iter().map(|resource| &resource.address).collect();
        let (alone, referring): (Vec<&Address>, Vec<&Address>) = stack
            .graph
            .order()
            .iter()
            .filter(|address| wanted.contains(address))
            .partition(|address| !refers(&stack.resources[*address].manifest));
        let assessor = &assessor;
        let mut judged = futures::stream::iter(alone)
            .map(|address| async move {
                let subject = self.subject(stack, &stack.resources[address], live, &BTreeMap::new());
                (address, assessor.assess(&subject).await)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((address, assessed)) = judged.next().await {
            absorb(address, assessed?, &mut changes);
        }
        drop(judged);
        for address in referring {
            let subject = self.subject(stack, &stack.resources[address], live, &changes);
            let assessed = assessor.assess(&subject).await?;
            absorb(address, assessed, &mut changes);
        }
        ready::judge(self.input, discovery, live, &mut changes).await?;
        plan.problems
            .extend(rotated_notes(stack, &mut changes, |home, key| self.generated(stack, live, home, key)));
        plan.not_ours.sort_by(|a, b| (&a.address, &a.path).cmp(&(&b.address, &b.path)));
        Ok(changes.into_values().collect())
    }

    /// A replace deletes, and a reinstall uninstalls: both take along what a delete would, and neither is made where
    /// that must stay.
    pub(super) async fn reach_of_replacements(
        &self,
        changes: &mut Vec<Change>,
        discovery: &Discovery,
        live: &Live,
    ) -> Result<Vec<Diagnostic>, Error> {
        let keys = |action| changes.iter().filter(|c| c.action == action).map(|c| c.key.clone()).collect();
        let kept: BTreeSet<ObjectKey> = keys(Action::Keep);
        let survey = Survey::new(self.input.reader, discovery, keys(Action::Delete));
        let mut refused = BTreeMap::new();
        for change in changes.iter_mut().filter(|c| c.action == Action::Replace || c.reinstalls) {
            let Ok(Some(object)) = live.get(&change.key) else { continue };
            let taken = removal::add_reach(change, object, &survey).await?;
            let held = reach::held(&taken, &self.input.state.stack, &kept);
            let protected =
                object.is_protected() || self.owned.get(&change.address).is_some_and(|owned| owned.protect);
            let why = if change.reinstalls && protected { Some("it is protected".to_owned()) } else { None };
            if let Some(why) = why.or_else(|| reach::why_held(&change.key, &held)) {
                refused.insert(change.address.clone(), refuse::must_stay(change, &why));
            }
        }
        changes.retain(|change| change.former || !refused.contains_key(&change.address));
        Ok(refused.into_values().collect())
    }

    /// Options that name nothing, and changes that are not checked as far as was asked.
    fn check_options(&self, changes: &[Change], scope: &Scope, plan: &mut Plan) {
        plan.problems
            .extend(scope.unknown.iter().map(|(flag, address)| refuse::nothing_named(flag, address)));
        // What leaves, or is left out, is not made anew.
        let desired = self.input.stack.into_iter().flat_map(|stack| stack.resources.keys());
        let inside: Vec<&Address> = desired.filter(|address| scope.has(address)).collect();
        let nothing = |name: &&Address| {
            !inside.iter().any(|address| *address == *name || address.declaration() == **name)
        };
        plan.problems.extend(
            self.input
                .options
                .replace
                .iter()
                .filter(nothing)
                .map(|name| refuse::nothing_named("--replace", name)),
        );
        let known = |address: &Address| changes.iter().any(|change| change.address == *address);
        let options = self.input.options;
        let unknown_takes = options.take.iter().map(|take| ("--take", &take.address));
        let unknown_adopts = options.adopt.iter().map(|address| ("--adopt", address));
        for (flag, address) in unknown_takes.chain(unknown_adopts).filter(|(_, address)| !known(address)) {
            let in_stack = self.input.stack.is_some_and(|stack| stack.resources.contains_key(address));
            if !in_stack {
                plan.problems.push(refuse::nothing_named(flag, address));
            }
        }
        if let Some(least) = options.min_fidelity {
            let below =
                |c: &&Change| c.fidelity < least && !matches!(c.action, Action::Keep | Action::Forget);
            plan.problems.extend(changes.iter().filter(below).map(|change| {
                refuse::fidelity(&change.address, change.fidelity_reason.as_deref().unwrap_or_default())
            }));
        }
    }

    pub(super) fn outputs(stack: &Stack, live: &Live, changes: &[Change]) -> BTreeMap<String, Shown> {
        let by_address: BTreeMap<Address, Change> =
            changes.iter().filter(|c| !c.former).map(|c| (c.address.clone(), c.clone())).collect();
        let fields = |field: &FieldRef| Self::field(stack, field, live, &by_address);
        let secrets = |_: &str| SecretValue::NotRead;
        let known = Known { fields: &fields, secrets: &secrets };
        let shown = |val: &Val| manifest::value(val, &known).map_or(Shown::KnownAfterApply, Shown::Plain);
        stack.outputs.iter().map(|(name, output)| (name.clone(), shown(&output.value))).collect()
    }
}

/// Whether a value refers to a live field of another object.
fn refers(val: &Val) -> bool {
    match val {
        Val::Late(late) => late.parts.iter().any(|part| matches!(part, Part::Field(_))),
        Val::List(items) => items.iter().any(refers),
        Val::Map(map) => map.values().any(refers),
        _ => false,
    }
}

/// Resources that depend, directly or not, on something that installs kinds or makes namespaces.
pub(super) fn after_installer(stack: &Stack) -> BTreeSet<Address> {
    let installs = |r: &&Resource| {
        matches!(r.kind.as_str(), "HelmRelease" | "Kustomization" | "ApplicationDefinition" | "Tenant")
    };
    stack.resources.values().filter(installs).flat_map(|r| stack.graph.all_dependents(&r.address)).collect()
}

/// Says which generated secrets are drawn anew although their home was applied before, and who uses them.
fn rotated_notes(
    stack: &Stack,
    changes: &mut BTreeMap<Address, Change>,
    known: impl Fn(&Address, &str) -> Option<String>,
) -> Vec<Diagnostic> {
    for variable in stack.variables.values() {
        let VariableValue::Secret(SecretSource::Generate { home, .. }) = &variable.value else {
            continue;
        };
        let (address, key) = home.as_ref();
        let Some(change) = changes.get_mut(address) else {
            continue;
        };
        let lost = change.reason.as_deref() == Some("deleted outside") || change.action == Action::Adopt;
        if !lost || known(address, key).is_some() {
            continue;
        }
        let users: Vec<String> = stack.graph.dependents(address).iter().map(ToString::to_string).collect();
        let users = if users.is_empty() { "nothing in the stack".to_owned() } else { users.join(", ") };
        change.notes.push(format!("{key} is rotated: a new value is drawn; used by {users}"));
        change.notes.push("pods that read it at start keep the old value until they restart".to_owned());
    }
    Vec::new()
}

/// What nobody deletes: certificate Secrets and DNS records of the Ingresses that go (D8), and what a reach
/// says stays.
fn left_behind(changes: &[Change]) -> Vec<String> {
    let mut left: BTreeSet<String> = BTreeSet::new();
    for change in changes.iter().filter(|c| c.action == Action::Delete) {
        left.extend(change.reach.stays.iter().cloned());
        let ingresses = change.reach.items.iter().filter(|item| item.key.kind == "Ingress").count()
            + usize::from(change.key.kind == "Ingress");
        if ingresses > 0 {
            left.insert("certificate Secrets and DNS records of the Ingresses".to_owned());
        }
    }
    left.into_iter().collect()
}

pub(super) fn empty_graph() -> Graph<Address> {
    Graph::new([], []).unwrap_or_else(|_| unreachable!("a graph without nodes has no cycle"))
}

/// The key of an `existing` object.
pub(super) fn existing_key(existing: &Existing) -> ObjectKey {
    let (group, _) = crate::address::split_api_version(&existing.api_version);
    ObjectKey::new(group, &existing.kind, existing.namespace.as_deref(), &existing.name)
}
