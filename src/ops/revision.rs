//! What a revision records.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::Address;
use crate::apply::End;
use crate::manifest::{self, Lookup, SecretValue};
use crate::object::Mark;
use crate::plan::{Action, Plan};
use crate::secrets::SecretValues;
use crate::stack::{FieldRef, Stack, VariableValue};
use crate::state::{ChangeCounts, HashKey, RevisionManifest};

/// The manifests that were desired, with keyed digests in the place of secrets. Fields taken from other
/// objects are left out: they are what they are when the manifest is applied again.
pub(super) fn manifests(
    stack: &Stack,
    plan: &Plan,
    secrets: &SecretValues,
    key: &HashKey,
) -> BTreeMap<Address, RevisionManifest> {
    let mark = Mark { stack: plan.stack.clone(), lineage: plan.lineage.clone() };
    let known = Known { stack, secrets };
    let one = |resource: &crate::stack::Resource| {
        let desired = manifest::desired(resource, &mark, resource.protect.unwrap_or(false), &known);
        RevisionManifest::new(key, &resource.address, desired.body, &desired.secret)
    };
    stack.resources.iter().map(|(address, resource)| (address.clone(), one(resource))).collect()
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
