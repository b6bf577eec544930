//! What a plan is made from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::cluster::{Reader, Target};
use crate::manifest::{Lookup, SecretValue};
use crate::path::FieldPath;
use crate::plan::Fidelity;
use crate::secrets::{Redactor, SecretValues};
use crate::stack::Stack;
use crate::state::{HashKey, State};

/// Everything a plan depends on; the same input gives the same plan.
#[derive(Debug)]
pub struct PlanInput<'a> {
    /// What is desired; `None`: nothing is (`destroy`).
    pub stack: Option<&'a Stack>,
    /// What we own, open journal records settled.
    pub state: &'a State,
    /// Key of the digests in `state`.
    pub key: &'a HashKey,
    /// The cluster.
    pub reader: &'a Reader,
    /// The cluster by its names.
    pub target: &'a Target,
    /// Secret values as far as they were resolved.
    pub secrets: &'a SecretValues,
    /// Filter for every text of the server.
    pub redactor: &'a Redactor,
    /// What was asked for.
    pub options: &'a Options,
}

/// What was asked for on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// `--take ADDRESS[.path]`.
    pub take: Vec<Take>,
    /// `--adopt ADDRESS`.
    pub adopt: BTreeSet<Address>,
    /// `--refresh=full`: no proof, a dry-run for every resource.
    pub refresh_full: bool,
    /// `--skip-secrets`.
    pub skip_secrets: bool,
    /// `--dry-run-namespace`; `default` where it is not given.
    pub dry_run_namespace: Option<String>,
    /// `--target`: only these, and what they need.
    pub target: BTreeSet<Address>,
    /// `--exclude`: not these, nor what needs them.
    pub exclude: BTreeSet<Address>,
    /// `--replace`: made anew, whether or not anything differs.
    pub replace: BTreeSet<Address>,
    /// `--refresh-only`: drop from the state what is gone from the cluster, and do nothing else.
    pub refresh_only: bool,
    /// `state rm`: let go of these, and do nothing else.
    pub release: BTreeSet<Address>,
    /// `--min-fidelity`.
    pub min_fidelity: Option<Fidelity>,
}

/// One `--take`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// The resource.
    pub address: Address,
    /// The field; the root takes everything contested of the resource.
    pub path: FieldPath,
}

impl Options {
    /// Whether `--take` names the field.
    #[must_use]
    pub fn takes(&self, address: &Address, path: &FieldPath) -> bool {
        self.take.iter().any(|take| take.address == *address && path.starts_with(&take.path))
    }
}

/// Late values from what planning knows.
pub(super) struct Known<'a> {
    pub(super) fields: &'a dyn Fn(&crate::stack::FieldRef) -> Option<serde_json::Value>,
    pub(super) secrets: &'a dyn Fn(&str) -> SecretValue,
}

impl Lookup for Known<'_> {
    fn field(&self, field: &crate::stack::FieldRef) -> Option<serde_json::Value> {
        (self.fields)(field)
    }

    fn secret(&self, name: &str) -> SecretValue {
        (self.secrets)(name)
    }
}
