//! What a revision records: all that was desired, so that it can be desired again, and no secret value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::recipe;
use crate::address::{Address, ObjectKey, split_api_version};
use crate::apply::End;
use crate::manifest::{self, Lookup, SecretValue};
use crate::object::Mark;
use crate::plan::{Action, Plan};
use crate::secrets::SecretValues;
use crate::stack::{Existing, FieldRef, Part, Resource, Stack, Target, VariableValue};
use crate::state::{ChangeCounts, HashKey, Recipe, Revision, RevisionExisting, RevisionManifest};

/// What was desired, as a revision keeps it.
#[derive(Debug, Default)]
pub(super) struct Desires {
    pub(super) resources: BTreeMap<Address, RevisionManifest>,
    pub(super) existing: BTreeMap<Address, RevisionExisting>,
    pub(super) outputs: BTreeMap<String, Recipe>,
}

impl Desires {
    /// After an apply of a part: what was left out is desired as it was when it was applied last, with what it
    /// refers to. A destroy (`destroys`) has no outputs of its own: those that can still be had stay.
    pub(super) fn keep_left_out(
        &mut self,
        left_out: &BTreeSet<Address>,
        before: Option<Revision>,
        destroys: bool,
    ) {
        let Some(mut before) = before else {
            self.resources.retain(|address, _| !left_out.contains(address));
            return;
        };
        for address in left_out {
            match before.resources.remove(address) {
                Some(recorded) => drop(self.resources.insert(address.clone(), recorded)),
                None => drop(self.resources.remove(address)),
            }
        }
        for (address, existing) in before.existing {
            self.existing.entry(address).or_insert(existing);
        }
        if destroys {
            let had = |recipe: &Recipe| fields_of(recipe).all(|field| self.has(&field.target));
            self.outputs = before.outputs.into_iter().filter(|(_, recipe)| had(recipe)).collect();
        }
    }

    fn has(&self, target: &Target) -> bool {
        match target {
            Target::Resource(address) => self.resources.contains_key(address),
            Target::Existing(address) => self.existing.contains_key(address),
        }
    }
}

/// The fields of other objects in a recorded value.
fn fields_of(recipe: &Recipe) -> impl Iterator<Item = &FieldRef> {
    recipe.late.values().flat_map(|late| &late.parts).filter_map(|part| match part {
        Part::Field(field) => Some(field),
        Part::Text(_) | Part::Secret(_) => None,
    })
}

/// Everything the stack desired, with keyed digests of the secret values that were known.
pub(super) fn recorded(stack: &Stack, plan: &Plan, secrets: &SecretValues, key: &HashKey) -> Desires {
    let mark = Mark { stack: plan.stack.clone(), lineage: plan.lineage.clone() };
    let known = Known { stack, secrets };
    let resource = |(address, resource): (&Address, &Resource)| {
        let desired = manifest::desired(resource, &mark, false, &known);
        let digest = |path: &crate::path::FieldPath| {
            Some((path.clone(), key.field(address, path, path.get(&desired.body)?)))
        };
        let recorded = RevisionManifest {
            manifest: recipe::of_value(&resource.manifest),
            secrets: desired
                .secret
                .iter()
                .filter(|path| !desired.unknown.contains_key(*path))
                .filter_map(digest)
                .collect(),
            protect: resource.protect,
            timeout: resource.timeout.map(millis),
            wait: resource.wait.clone(),
            ignore: resource.ignore.clone(),
            replace_immutable: resource.replace_immutable,
            depends_on: stack.graph.dependencies(address).map(|(to, _)| to.clone()).collect(),
        };
        (address.clone(), recorded)
    };
    let existing = |(address, existing): (&Address, &Existing)| {
        let (group, _) = split_api_version(&existing.api_version);
        let recorded = RevisionExisting {
            key: ObjectKey::new(group, &existing.kind, existing.namespace.as_deref(), &existing.name),
            api_version: existing.api_version.clone(),
            wait: existing.wait.clone(),
            timeout: existing.timeout.map(millis),
        };
        (address.clone(), recorded)
    };
    let outputs = stack.outputs.iter();
    Desires {
        resources: stack.resources.iter().map(resource).collect(),
        existing: stack.existing.iter().map(existing).collect(),
        outputs: outputs.map(|(name, output)| (name.clone(), recipe::of_value(&output.value))).collect(),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Known<'a> {
    stack: &'a Stack,
    secrets: &'a SecretValues,
}

impl Lookup for Known<'_> {
    fn field(&self, _field: &FieldRef) -> Option<Value> {
        None
    }

    fn secret(&self, name: &str) -> SecretValue {
        match (self.secrets.get(name), self.stack.variables.get(name).map(|v| &v.value)) {
            (Some(value), _) => SecretValue::Known(value.to_owned()),
            (None, Some(VariableValue::Secret(crate::stack::SecretSource::Generate { length, .. }))) => {
                SecretValue::Drawn(*length)
            }
            (None, _) => SecretValue::NotRead,
        }
    }
}

/// How many changes of each kind were done, and how many were not.
pub(super) fn counts(ends: impl Iterator<Item = (Action, End)>) -> ChangeCounts {
    let mut counts = ChangeCounts::default();
    for (action, end) in ends {
        match (end, action) {
            (End::Done, Action::Create) => counts.create += 1,
            (End::Done, Action::Update) => counts.update += 1,
            (End::Done, Action::Replace) => counts.replace += 1,
            (End::Done, Action::Delete) => counts.delete += 1,
            (End::Done, Action::Adopt) => counts.adopt += 1,
            (End::Done, Action::Forget) => counts.forget += 1,
            (End::Unchanged, _) | (End::Done, Action::Keep | Action::NoOp) => {}
            (End::Failed | End::Skipped | End::Interrupted, _) => counts.failed += 1,
        }
    }
    counts
}
