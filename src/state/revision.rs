//! Revisions: what was applied at each serial, to look back at and to return to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;
use super::key::{Digest, HashKey};
use super::model::FORMAT_VERSION;
use crate::address::Address;
use crate::path::FieldPath;

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
    /// [`HashKey::id`] of the key of the digests.
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
    /// What was desired.
    pub resources: BTreeMap<Address, RevisionManifest>,
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

/// A manifest without its secret values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionManifest {
    /// The manifest; secret fields are absent.
    pub manifest: Value,
    /// Digests of the secret fields' values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<FieldPath, Digest>,
}

impl RevisionManifest {
    /// Takes the values at `secret` out of the manifest and keeps their digests.
    pub fn new<'p>(
        key: &HashKey,
        address: &Address,
        mut manifest: Value,
        secret: impl IntoIterator<Item = &'p FieldPath>,
    ) -> Self {
        let mut secrets = BTreeMap::new();
        // Digests first: taking an element out of a list moves the ones behind it.
        let paths: Vec<_> = secret.into_iter().collect();
        for path in &paths {
            if let Some(value) = path.get(&manifest) {
                secrets.insert((*path).clone(), key.field(address, path, value));
            }
        }
        for path in &paths {
            // A list element stays in its place, empty, so that the other paths keep their meaning.
            if let Some(value) = path.get_mut(&mut manifest) {
                *value = Value::Null;
            }
        }
        for path in secrets.keys() {
            if matches!(path.0.last(), Some(crate::path::Segment::Key(_))) {
                path.remove(&mut manifest);
            }
        }
        Self { manifest, secrets }
    }
}

impl Revision {
    /// The format that this version writes.
    pub const FORMAT: u32 = FORMAT_VERSION;
}
