//! The plan: what would happen, to what, in which order, with what risk, and how far that was checked.
//!
//! *Invariants:* data only, no colours, no rendered text; secrets are masked already; the order of
//! [`Plan::changes`] is the order of apply and deterministic; reasons are for people, never for decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::seen::Seen;
use super::write::Write;
use crate::address::{Address, ObjectKey};
use crate::cluster::{Api, ClusterIdentity};
use crate::diag::Diagnostics;
use crate::path::FieldPath;
use crate::stack::Wait;
use crate::state::Digest;

/// What one step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The object is made.
    Create,
    /// Fields of the object change in place.
    Update,
    /// The object is deleted and made anew.
    Replace,
    /// The object is deleted.
    Delete,
    /// An object we do not own yet becomes ours.
    Adopt,
    /// We stop owning the object; it stays.
    Forget,
    /// No longer desired but protected: it stays, and stays ours.
    Keep,
    /// Nothing to do.
    NoOp,
}

/// What can be lost by a change; the worst of all that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nothing.
    Safe,
    /// Something restarts or is away for a while.
    Disruptive,
    /// Cannot be taken back, but no data is lost.
    Irreversible,
    /// Data is lost.
    DataLoss,
}

/// How far a change was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Not checked by anything but the stack's own rules.
    Offline,
    /// Checked against the kind's schema.
    Schema,
    /// Dry-run in a stand-in namespace.
    #[serde(rename = "server*")]
    StandIn,
    /// Dry-run by the server, or proven unchanged.
    Server,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Where.
    pub path: FieldPath,
    /// The live value; absent when the field is added.
    pub before: Shown,
    /// The planned value; absent when the field is removed.
    pub after: Shown,
    /// Why it differs, when it is not the stack that changed.
    pub cause: FieldCause,
}

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "value")]
pub enum Shown {
    /// No such field.
    Absent,
    /// The value.
    Plain(Value),
    /// A secret.
    Masked,
    /// Drawn by the server, or taken from an object that is not there yet.
    KnownAfterApply,
    /// `--skip-secrets`.
    NotRead,
}

/// Why a field differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum FieldCause {
    /// The stack says something else now.
    Stack,
    /// Changed outside by a manager we may take it back from; forced.
    Drift {
        /// The manager.
        manager: String,
        /// When, RFC 3339.
        time: Option<String>,
    },
    /// Changed outside, by whom is not recorded; written without force.
    DriftUnrecorded,
    /// An ordinary update of a field that another manager owns too; forced.
    CoOwned {
        /// The other manager.
        manager: String,
    },
    /// `--take`: the field is taken from its owner; forced.
    Taken {
        /// The owner.
        manager: String,
    },
    /// The field leaves the stack but stays in the object: others own it too.
    Stays {
        /// The owners.
        managers: Vec<String>,
    },
    /// The server changes it by itself as an effect of this change (defaults, admission).
    Server,
    /// The value stays; we become an owner of the field as well.
    Owned,
}

/// What must still hold when the change is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Guard {
    /// There is no such object.
    Absent,
    /// The object with this uid is being deleted; once it is gone there is none.
    AfterGone {
        /// uid of the object that goes.
        uid: String,
    },
    /// The object is this one and our fields in it are as they were read.
    Object {
        /// uid.
        uid: String,
        /// resourceVersion last read.
        resource_version: String,
        /// Digest of the fields that decide: our owned fields and every path this plan forces, with values.
        digest: String,
    },
}

/// One thing that goes with a delete, replace or uninstall.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReachItem {
    /// The object.
    pub key: ObjectKey,
    /// Its uid, where the object could be read.
    pub uid: Option<String>,
    /// What it alone puts at risk.
    pub risk: Risk,
    /// Size, class and reclaim policy of a claim, or why it is listed.
    pub detail: String,
}

/// Everything that goes with a delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// What goes, sorted.
    pub items: Vec<ReachItem>,
    /// Kinds or inventories that could not be read: they count as data loss.
    pub unreadable: Vec<String>,
    /// What survives, and why (hook objects, StatefulSet claims, `keep` annotations).
    pub stays: Vec<String>,
}

/// A field of our object that another manager added and that this plan leaves alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotOurs {
    /// Whose object.
    pub address: Address,
    /// The field.
    pub path: FieldPath,
    /// Its value.
    pub value: Shown,
    /// Who holds it.
    pub manager: String,
    /// Since when.
    pub time: Option<String>,
    /// What it means for this plan (`spec.suspend`: while it stands this plan has no effect).
    pub effect: Option<String>,
}

/// Why something does not work, down to the object at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReady {
    /// The kind of state, e.g. `SourceNotReady`.
    pub reason: String,
    /// From the resource's object down to the one at fault: object, reason, message.
    pub chain: Vec<(ObjectKey, String, String)>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
}

/// What state remembers of an object, made anew from the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// resourceVersion as it was read.
    pub resource_version: String,
    /// Hash of what is desired, which the live object was found to be.
    pub desired_hash: Digest,
    /// The fields we own, with the digests of their live values.
    pub owned: BTreeMap<FieldPath, Option<Digest>>,
    /// The fields whose value is a secret.
    pub secrets: BTreeSet<FieldPath>,
}

/// One step of a plan.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where it is declared (or was, according to state).
    pub address: Address,
    /// The object.
    pub key: ObjectKey,
    /// The former address, when the resource moved.
    pub moved_from: Option<Address>,
    /// What is done.
    pub action: Action,
    /// Why, in a few words for people: `deleted outside`, `recreated outside`, `no longer in the stack`, …
    pub reason: Option<String>,
    /// The served kind; `None` while nothing serves it yet.
    pub api: Option<Api>,
    /// What differs; sorted by path.
    pub fields: Vec<FieldChange>,
    /// Worst risk of everything that goes with it.
    pub risk: Risk,
    /// What goes with it.
    pub reach: Reach,
    /// Shown as `-/+` although it is an update: the release is uninstalled and installed anew.
    pub reinstalls: bool,
    /// How far it was checked.
    pub fidelity: Fidelity,
    /// Why no further, where it is not [`Fidelity::Server`].
    pub fidelity_reason: Option<String>,
    /// What must hold at the moment it is written.
    pub guard: Guard,
    /// Facts to show under the change.
    pub notes: Vec<String>,
    /// An unchanged resource that does not work.
    pub not_ready: Option<NotReady>,
    /// Serial at which it was last known unchanged, when no dry-run was sent.
    pub unchanged_since: Option<u64>,
    /// What state lacks about an unchanged object: it moved, or an interrupted run wrote it.
    pub record: Option<Record>,
    /// What is written. `None` for delete, forget, keep and no-op.
    pub write: Option<Write>,
    /// When it counts as done.
    pub wait: Wait,
    /// Longest time it may take, seconds.
    pub timeout: u64,
    /// Whether it is or becomes protected.
    pub protect: bool,
    /// Direct dependencies according to the stack (state, for what is not desired), with the reason to
    /// show. Recorded in state; decides nothing at apply, [`Self::after`] does.
    pub depends_on: BTreeMap<Address, String>,
    /// Positions in [`Plan::changes`] of all changes that must be done before this one starts; each is
    /// smaller than this change's own. One address can have two changes (its object key changed), so
    /// positions name changes, not addresses.
    pub after: BTreeSet<usize>,
    /// The object in state under this address is another one (its key changed): this change deletes it
    /// and leaves the address's current object alone.
    pub former: bool,
    /// Where it is declared: `path:line`.
    pub location: Option<String>,
    /// The live fields that decided it, as they were read; of changes to an object that is there.
    pub seen: BTreeMap<FieldPath, Seen>,
    /// Of a saved plan: why this change is not made any more, the headline first.
    pub broken: Option<Vec<String>>,
}

impl Change {
    /// A change of which nothing is decided but what it does: no risk, no guard beyond absence, unchecked.
    #[must_use]
    pub fn new(address: Address, key: ObjectKey, action: Action) -> Self {
        Self {
            address,
            key,
            moved_from: None,
            action,
            reason: None,
            api: None,
            fields: Vec::new(),
            risk: Risk::Safe,
            reach: Reach::default(),
            reinstalls: false,
            fidelity: Fidelity::Offline,
            fidelity_reason: None,
            guard: Guard::Absent,
            notes: Vec::new(),
            not_ready: None,
            unchanged_since: None,
            record: None,
            write: None,
            wait: Wait::Ready,
            timeout: 0,
            protect: false,
            depends_on: BTreeMap::new(),
            after: BTreeSet::new(),
            former: false,
            location: None,
            seen: BTreeMap::new(),
            broken: None,
        }
    }
}

/// Which cluster, by all its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCluster {
    /// Context of the kubeconfig, if one was used.
    pub context: Option<String>,
    /// Server URL.
    pub server: String,
    /// Whether it is the sandbox.
    pub sandbox: bool,
    /// Identity recorded in state.
    pub identity: ClusterIdentity,
    /// Server version, `v1.37.1`.
    pub version: String,
}

/// What a plan is confined to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Only {
    /// `state rm`: the resources named are let go of.
    Release,
    /// `--refresh-only`: what is gone from the cluster leaves the state.
    Refresh,
    /// `--target` and `--exclude`.
    Part {
        /// What the targets need, and was not named.
        along: BTreeSet<Address>,
        /// What is not looked at.
        left_out: BTreeSet<Address>,
    },
}

/// A plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stack's name.
    pub stack: String,
    /// The cluster.
    pub cluster: TargetCluster,
    /// Lineage of the state it is based on.
    pub lineage: String,
    /// Serial of the state it is based on; 0 = no state yet.
    pub serial: u64,
    /// Nothing is desired: `destroy`.
    pub destroy: bool,
    /// What is desired is this recorded revision: a rollback.
    pub returns_to: Option<u64>,
    /// The last apply was a rollback to this revision, and this plan goes forward again.
    pub forward_from: Option<u64>,
    /// What it is confined to, if it is not about everything.
    pub only: Option<Only>,
    /// The steps in order of apply.
    pub changes: Vec<Change>,
    /// Fields of others, left alone.
    pub not_ours: Vec<NotOurs>,
    /// What will be left behind (certificate Secrets, DNS records, hook objects).
    pub left_behind: Vec<String>,
    /// What forbids the plan, and warnings. With errors nothing can be applied.
    pub problems: Diagnostics,
    /// Outputs as far as they are known.
    pub outputs: BTreeMap<String, Shown>,
}

impl Plan {
    /// Whether applying would write anything: to the cluster, or (a resource that moved) to the state.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.changes
            .iter()
            .any(|c| !matches!(c.action, Action::NoOp | Action::Keep) || c.moved_from.is_some())
    }

    /// The worst risk of all changes.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.changes.iter().map(|c| c.risk).max().unwrap_or(Risk::Safe)
    }
}
