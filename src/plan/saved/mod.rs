//! A plan as it is kept in a file, to be applied later just as it was shown.
//!
//! *Invariants:* no secret value is in it: bodies are not kept but compiled again from the same files and
//! variables, and compared by their keyed digests; what the plan was decided by is kept with each change, and
//! a change whose ground moved is not made.

mod ground;
mod restore;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use restore::{Restored, restore};

use crate::address::{Address, ObjectKey};
use crate::cluster::Api;
use crate::path::{FieldPath, Segment};
use crate::plan::{
    Action, Change, Fidelity, FieldChange, Guard, NotOurs, NotReady, Only, Plan, Reach, Risk, Seen, Take,
    TargetCluster, Write,
};
use crate::stack::Wait;
use crate::state::{Digest, HashKey};

/// What is kept of a plan. Its order and outputs are worked out anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// [`Plan::stack`].
    pub stack: String,
    /// [`Plan::cluster`].
    pub cluster: TargetCluster,
    /// [`Plan::lineage`].
    pub lineage: String,
    /// [`Plan::serial`].
    pub serial: u64,
    /// [`Plan::destroy`].
    pub destroy: bool,
    /// [`Plan::returns_to`].
    pub returns_to: Option<u64>,
    /// [`Plan::forward_from`].
    pub forward_from: Option<u64>,
    /// [`Plan::only`].
    pub only: Option<Only>,
    /// The changes in order of apply.
    pub changes: Vec<SavedChange>,
    /// [`Plan::not_ours`].
    pub not_ours: Vec<NotOurs>,
    /// [`Plan::left_behind`].
    pub left_behind: Vec<String>,
    /// What was warned of.
    pub warnings: Vec<String>,
}

/// What is kept of a change; see [`Change`] for what is named as there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct SavedChange {
    pub address: Address,
    pub key: ObjectKey,
    /// The version of the kind that was served; `None` while nothing served it.
    pub api_version: Option<String>,
    pub moved_from: Option<Address>,
    pub action: Action,
    pub reason: Option<String>,
    pub fields: Vec<FieldChange>,
    pub risk: Risk,
    pub reach: Reach,
    pub reinstalls: bool,
    pub fidelity: Fidelity,
    pub fidelity_reason: Option<String>,
    pub guard: Guard,
    pub notes: Vec<String>,
    pub not_ready: Option<NotReady>,
    pub unchanged_since: Option<u64>,
    /// Whether the state lacked something about the unchanged object.
    pub unrecorded: bool,
    pub write: Option<SavedWrite>,
    pub wait: Wait,
    /// Seconds.
    pub timeout: u64,
    pub protect: bool,
    pub depends_on: BTreeMap<Address, String>,
    pub former: bool,
    pub location: Option<String>,
    pub seen: BTreeMap<FieldPath, Seen>,
}

/// What is kept of a [`Write`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedWrite {
    /// [`HashKey::manifest`] of the body without the unknown paths.
    pub body: Digest,
    /// [`Write::unknown`].
    pub unknown: BTreeSet<FieldPath>,
    /// [`Write::force`].
    pub force: Vec<Take>,
    /// [`Write::remove`].
    pub remove: Vec<FieldPath>,
    /// [`Write::adopt_managers`].
    pub adopt_managers: Vec<String>,
}

impl SavedPlan {
    /// What is kept of `plan`, which has no errors.
    #[must_use]
    pub fn of(plan: &Plan, key: &HashKey) -> Self {
        Self {
            stack: plan.stack.clone(),
            cluster: plan.cluster.clone(),
            lineage: plan.lineage.clone(),
            serial: plan.serial,
            destroy: plan.destroy,
            returns_to: plan.returns_to,
            forward_from: plan.forward_from,
            only: plan.only.clone(),
            changes: plan.changes.iter().map(|change| SavedChange::of(change, key)).collect(),
            not_ours: plan.not_ours.clone(),
            left_behind: plan.left_behind.clone(),
            warnings: plan.problems.0.iter().map(|problem| problem.message.clone()).collect(),
        }
    }
}

impl SavedChange {
    fn of(change: &Change, key: &HashKey) -> Self {
        Self {
            address: change.address.clone(),
            key: change.key.clone(),
            api_version: change.api.as_ref().map(Api::api_version),
            moved_from: change.moved_from.clone(),
            action: change.action,
            reason: change.reason.clone(),
            fields: change.fields.clone(),
            risk: change.risk,
            reach: change.reach.clone(),
            reinstalls: change.reinstalls,
            fidelity: change.fidelity,
            fidelity_reason: change.fidelity_reason.clone(),
            guard: change.guard.clone(),
            notes: change.notes.clone(),
            not_ready: change.not_ready.clone(),
            unchanged_since: change.unchanged_since,
            unrecorded: change.record.is_some(),
            write: change.write.as_ref().map(|write| SavedWrite::of(&change.address, write, key)),
            wait: change.wait.clone(),
            timeout: change.timeout,
            protect: change.protect,
            depends_on: change.depends_on.clone(),
            former: change.former,
            location: change.location.clone(),
            seen: change.seen.clone(),
        }
    }

    /// The change again, without what is to be written.
    fn change(&self, api: Option<&Api>) -> Change {
        Change {
            moved_from: self.moved_from.clone(),
            reason: self.reason.clone(),
            api: api.cloned(),
            fields: self.fields.clone(),
            risk: self.risk,
            reach: self.reach.clone(),
            reinstalls: self.reinstalls,
            fidelity: self.fidelity,
            fidelity_reason: self.fidelity_reason.clone(),
            guard: self.guard.clone(),
            notes: self.notes.clone(),
            not_ready: self.not_ready.clone(),
            unchanged_since: self.unchanged_since,
            wait: self.wait.clone(),
            timeout: self.timeout,
            protect: self.protect,
            depends_on: self.depends_on.clone(),
            former: self.former,
            location: self.location.clone(),
            seen: self.seen.clone(),
            ..Change::new(self.address.clone(), self.key.clone(), self.action)
        }
    }
}

impl SavedWrite {
    fn of(address: &Address, write: &Write, key: &HashKey) -> Self {
        Self {
            body: Self::digest(address, &write.body, &write.unknown, key),
            unknown: write.unknown.clone(),
            force: write.force.clone(),
            remove: write.remove.clone(),
            adopt_managers: write.adopt_managers.clone(),
        }
    }

    fn digest(
        address: &Address,
        body: &serde_json::Value,
        unknown: &BTreeSet<FieldPath>,
        key: &HashKey,
    ) -> Digest {
        let mut body = body.clone();
        for path in unknown {
            blank(&mut body, path);
        }
        key.manifest(address, &body)
    }

    /// What is written, if `body`, compiled anew, is what the plan was made for. What the plan did not know is
    /// taken out again, to be filled in when it is written.
    fn write(
        &self,
        address: &Address,
        mut body: serde_json::Value,
        secret: BTreeSet<FieldPath>,
        key: &HashKey,
    ) -> Option<Write> {
        for path in &self.unknown {
            blank(&mut body, path);
        }
        (key.manifest(address, &body) == self.body).then(|| Write {
            body,
            unknown: self.unknown.clone(),
            secret,
            force: self.force.clone(),
            remove: self.remove.clone(),
            adopt_managers: self.adopt_managers.clone(),
        })
    }
}

/// Makes the value at `path` unknown, as compiling leaves it: a key is absent, an element `null`, so that those
/// behind it keep their places.
fn blank(body: &mut serde_json::Value, path: &FieldPath) {
    match path.0.last() {
        Some(Segment::Index(_)) => {
            if let Some(element) = path.get_mut(body) {
                *element = serde_json::Value::Null;
            }
        }
        _ => drop(path.remove(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_not_known_does_not_decide_whether_a_body_is_the_planned_one() {
        let key = HashKey::from_bytes(&[1; 32]).unwrap();
        let address = Address::new("t", "a");
        let unknown: BTreeSet<FieldPath> = ["data.uid", "args[1]"].map(|p| p.parse().unwrap()).into();
        let planned = json!({"data": {"k": "1"}, "args": ["x", null, "z"]});
        let write = Write {
            body: planned.clone(),
            unknown,
            secret: BTreeSet::new(),
            force: Vec::new(),
            remove: Vec::new(),
            adopt_managers: vec!["m".to_owned()],
        };
        let saved = SavedWrite::of(&address, &write, &key);
        let text = serde_json::to_string(&saved).unwrap();
        assert!(!text.contains("\"1\""), "{text}");
        let saved: SavedWrite = serde_json::from_str(&text).unwrap();
        let again = |body| saved.write(&address, body, BTreeSet::new(), &key).map(|write| write.body);
        let known = json!({"data": {"k": "1", "uid": "U"}, "args": ["x", "y", "z"]});
        assert_eq!(again(planned.clone()), Some(planned.clone()));
        assert_eq!(again(known), Some(planned));
        assert_eq!(again(json!({"data": {"k": "2"}, "args": ["x", null, "z"]})), None);
        assert_eq!(again(json!({"data": {"k": "1"}, "args": ["x", null]})), None);
    }
}
