//! What decides about a change, as one digest: planned and applied from the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::address::Address;
use crate::fields;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::{Take, owned};
use crate::state::HashKey;

/// Digest of the live fields that a change was decided by: those we own, and those it takes by force.
/// Status and other managers' fields do not move it; an edit of one of ours does, since the field leaves
/// our entry. An API that keeps no managedFields tells nobody's fields apart: there every field counts.
#[must_use]
pub fn digest(key: &HashKey, address: &Address, live: &Object, force: &[Take]) -> String {
    let values: BTreeMap<String, Value> = deciding(live, force)
        .iter()
        .map(|path| (path.to_string(), path.get(&live.0).cloned().unwrap_or(Value::Null)))
        .collect();
    let all = Value::Array(
        values.into_iter().map(|(path, value)| Value::Array(vec![path.into(), value])).collect(),
    );
    key.manifest(address, &all).0
}

/// The fields of `live` that decide about a change.
pub(super) fn deciding(live: &Object, force: &[Take]) -> BTreeSet<FieldPath> {
    let mut paths: BTreeSet<FieldPath> = if fields::is_untracked(live) {
        let fields = live.0.as_object().into_iter().flat_map(Map::keys);
        fields
            .filter(|field| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
            .map(|field| FieldPath::keys([field.as_str()]))
            .collect()
    } else {
        owned::ours(live)
    };
    paths.extend(force.iter().map(|take| take.path.clone()));
    paths
}
