//! Revisions: what was applied at each serial, to look back at and to return to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;
use super::key::Digest;
use super::model::FORMAT_VERSION;
use crate::address::{Address, ObjectKey};
use crate::path::FieldPath;
use crate::stack::{Late, Wait};

/// One recorded apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Format of the file.
    pub format_version: u32,
    /// Lineage of the state.
    pub lineage: String,
    /// The state's serial after this apply.
    pub serial: u64,
    /// `[stack] name`.
    pub stack: String,
    /// The version that wrote it.
    pub tool_version: String,
    /// [`super::HashKey::id`] of the key of the digests.
    pub key_id: String,
    /// `apply`, `destroy`, …
    pub operation: String,
    /// When it ended.
    pub at: Timestamp,
    /// `user@host`.
    pub by: String,
    /// What was done.
    pub changes: ChangeCounts,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// Whether everything worked at its end.
    pub ready: bool,
    /// The serial whose revision this apply returned to, if it was a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned_to: Option<u64>,
    /// What was desired.
    pub resources: BTreeMap<Address, RevisionManifest>,
    /// What that referred to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub existing: BTreeMap<Address, RevisionExisting>,
    /// The outputs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Recipe>,
}

/// A serial and its revision, or what is wrong with it.
pub type Recorded = (u64, Result<Revision, Error>);

/// How many changes of each kind were done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChangeCounts {
    /// Objects made.
    pub create: usize,
    /// Objects changed.
    pub update: usize,
    /// Objects deleted and made anew.
    pub replace: usize,
    /// Objects deleted.
    pub delete: usize,
    /// Foreign objects that became ours.
    pub adopt: usize,
    /// Objects that we let go of.
    pub forget: usize,
    /// Changes that failed or were not started.
    pub failed: usize,
}

/// A value as a stack compiles it: what files say, and how the rest is had. Never a secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What files say. A late value is absent from a map, and `null` in a list, so that positions stay.
    pub value: Value,
    /// Secrets, and fields of other objects: by place, how each is put together.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<FieldPath, Late>,
}

/// One resource as it was desired, all that is needed to desire it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionManifest {
    /// The manifest, without our mark.
    pub manifest: Recipe,
    /// [`super::HashKey::field`] of the values that involve a secret, as far as they were known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<FieldPath, Digest>,
    /// `protect`.
    pub protect: Option<bool>,
    /// `timeout`, in milliseconds.
    pub timeout: Option<u64>,
    /// `wait`.
    pub wait: Wait,
    /// `ignore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<FieldPath>,
    /// `on_immutable = "replace"`.
    pub replace_immutable: bool,
    /// Direct dependencies, `existing` objects included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Address>,
}

/// An object that was referred to and never written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionExisting {
    /// The object.
    pub key: ObjectKey,
    /// Its version.
    pub api_version: String,
    /// `wait`.
    pub wait: Wait,
    /// `timeout`, in milliseconds.
    pub timeout: Option<u64>,
}

impl Revision {
    /// The format that this version writes.
    pub const FORMAT: u32 = FORMAT_VERSION;
}
