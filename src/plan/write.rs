//! What a plan writes: the bodies, and the fields of others it may take.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::path::FieldPath;

/// What apply writes for a change. Never holds a secret value on its way to disk: it is not serialisable.
#[derive(Clone)]
pub struct Write {
    /// The manifest with our mark; secrets resolved, unknown paths absent.
    pub body: Value,
    /// Paths filled in at apply from other objects or by drawing a secret.
    pub unknown: BTreeSet<FieldPath>,
    /// Paths whose value is a secret, or was one when we wrote it.
    pub secret: BTreeSet<FieldPath>,
    /// (path, manager, live value's digest) that may be taken by force: exactly these.
    pub force: Vec<Take>,
    /// What is removed before, by one patch guarded by resourceVersion: fields of other managers that `--take`
    /// names, and the elements of maps and keyed lists of a custom resource that become empty.
    pub remove: Vec<FieldPath>,
    /// Managers' entries to move to us on adoption.
    pub adopt_managers: Vec<String>,
}

/// Bodies hold secrets.
impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write")
            .field("unknown", &self.unknown)
            .field("force", &self.force)
            .finish_non_exhaustive()
    }
}

/// A field that this plan takes by force, as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Take {
    /// The field.
    pub path: FieldPath,
    /// Its manager.
    pub manager: String,
    /// Keyed digest of its live value.
    pub digest: String,
}
