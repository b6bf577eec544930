//! What the state file holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key::Digest;
use crate::address::{Address, ObjectKey};
use crate::cluster::ClusterIdentity;
use crate::object::Mark;
use crate::path::FieldPath;

/// Format of the state file, the journal and the revisions. Any other number is refused.
pub(super) const FORMAT_VERSION: u32 = 1;

/// How many durations an object remembers.
const DURATIONS: usize = 10;

/// All that a stack owns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Format of the file.
    pub format_version: u32,
    /// Identity of this state, for ever. Part of the mark on every object.
    pub lineage: String,
    /// Counts the changes of the content; 0 = never written.
    pub serial: u64,
    /// `[stack] name`.
    pub stack: String,
    /// The stack file, relative to the project. Not part of the content: a moved file is no change.
    pub stack_file: String,
    /// The version that wrote it last. Not part of the content.
    pub tool_version: String,
    /// The cluster it is about; `None` before the first apply.
    pub cluster: Option<ClusterIdentity>,
    /// [`super::HashKey::id`] of the key of all digests below.
    pub key_id: Option<String>,
    /// Owned objects by address.
    pub resources: BTreeMap<Address, Owned>,
    /// Outputs of the last apply.
    pub outputs: BTreeMap<String, Value>,
}

/// What is known about the object of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owned {
    /// The current object.
    pub key: ObjectKey,
    /// The version it was written with.
    pub api_version: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion right after our last write; `None` = unknown, which proves nothing.
    pub resource_version: Option<String>,
    /// [`super::HashKey::manifest`] of what was desired last; `None` = unknown.
    pub desired_hash: Option<Digest>,
    /// The fields we own, each with [`super::HashKey::field`] of its value as it was live after our last
    /// write; `None` = owned, but the value is unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owned: BTreeMap<FieldPath, Option<Digest>>,
    /// The fields whose value was a secret when we wrote them, and that are there still: what they hold is hidden,
    /// also when the stack no longer says so.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<FieldPath>,
    /// Fields we took back, with the manager we took them from: taken again, it is a fight.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fights: BTreeMap<FieldPath, String>,
    /// Objects that this address had before and that are still ours. Kept by [`super::record`] alone: what
    /// an [`super::Outcome::Owned`] says here is ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Former>,
    /// Whether it was protected.
    pub protect: bool,
    /// Dependencies as of the last apply: they order deletes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Address>,
    /// How long the last applies took, oldest first, in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub durations: Vec<u64>,
    /// Whether it was ready when it was last waited for.
    pub was_ready: bool,
    /// The serial of the last apply that wrote it.
    pub since_serial: u64,
}

/// An object an address had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Former {
    /// The object.
    pub key: ObjectKey,
    /// The version it was written with.
    pub api_version: String,
    /// Its uid.
    pub uid: String,
    /// What is to become of it.
    pub status: FormerStatus,
}

/// See [`Former::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormerStatus {
    /// It was protected: it stays, and stays ours.
    Kept,
    /// It is to be deleted, or is on its way.
    Deleting,
}

impl State {
    /// A state that owns nothing and was never written.
    #[must_use]
    pub fn new(lineage: impl Into<String>, stack: impl Into<String>, stack_file: impl Into<String>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            lineage: lineage.into(),
            serial: 0,
            stack: stack.into(),
            stack_file: stack_file.into(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: None,
            key_id: None,
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// Every object key with the address and uid that hold it, former objects included.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectKey, &Address, &str)> {
        self.resources.iter().flat_map(|(address, owned)| {
            let former = owned.former.iter().map(|f| (&f.key, f.uid.as_str()));
            std::iter::once((&owned.key, owned.uid.as_str()))
                .chain(former)
                .map(move |(key, uid)| (key, address, uid))
        })
    }

    /// Whether both say the same about the cluster. Serial, tool version and the stack file's place are
    /// about the file, not the cluster: they alone are no reason to write.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.format_version == other.format_version
            && self.lineage == other.lineage
            && self.stack == other.stack
            && self.cluster == other.cluster
            && self.key_id == other.key_id
            && self.resources == other.resources
            && self.outputs == other.outputs
    }

    /// The mark of everything it owns.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { stack: self.stack.clone(), lineage: self.lineage.clone() }
    }

    /// Drops every digest: nothing is known about values any more, everything about objects still is.
    pub fn forget_digests(&mut self) {
        self.key_id = None;
        for owned in self.resources.values_mut() {
            owned.desired_hash = None;
            owned.owned.values_mut().for_each(|digest| *digest = None);
        }
    }

    /// Checks what must hold for every state; the error says what does not.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.lineage.is_empty() {
            return Err("it has no lineage".to_owned());
        }
        let mut seen = BTreeMap::new();
        for (key, address, _) in self.objects() {
            if let Some(other) = seen.insert(key, address) {
                return Err(format!("both {other} and {address} own {}", key.human()));
            }
        }
        Ok(())
    }
}

impl Owned {
    /// What is known of an object when nothing but its identity is.
    #[must_use]
    pub fn new(key: ObjectKey, api_version: impl Into<String>, uid: impl Into<String>) -> Self {
        Self {
            key,
            api_version: api_version.into(),
            uid: uid.into(),
            resource_version: None,
            desired_hash: None,
            owned: BTreeMap::new(),
            secrets: BTreeSet::new(),
            fights: BTreeMap::new(),
            former: Vec::new(),
            protect: false,
            depends_on: Vec::new(),
            durations: Vec::new(),
            was_ready: false,
            since_serial: 0,
        }
    }

    /// Remembers how long an apply took; the oldest is forgotten.
    pub fn took(&mut self, duration: Duration) {
        self.durations.push(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let surplus = self.durations.len().saturating_sub(DURATIONS);
        self.durations.drain(..surplus);
    }

    /// The median duration of earlier applies.
    #[must_use]
    pub fn usual(&self) -> Option<Duration> {
        let mut sorted = self.durations.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().map(Duration::from_millis)
    }
}
