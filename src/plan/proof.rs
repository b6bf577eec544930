//! Proofs that nothing changes, without asking the server (design §5.3).
//!
//! *Invariant:* a proof never calls a change a no-op. Whatever is unclear is no proof, and a dry-run decides.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fields;
use crate::manifest::Desired;
use crate::object::{FIELD_MANAGER, Object};
use crate::path::FieldPath;
use crate::plan::owned;
use crate::schema::{self, Quantity, Type};
use crate::state::{Digest, Owned};

/// Whether `live` is proven to be what `desired` wants, and every field of it to be ours.
pub(super) fn unchanged(desired: &Desired, hash: &Digest, prior: &Owned, live: &Object) -> bool {
    prior.uid == live.uid()
        && desired.unknown.is_empty()
        && (same_version(hash, prior, live) || same_fields(desired, live))
}

/// (a) Nothing at all happened since our last write, which wrote the same.
fn same_version(hash: &Digest, prior: &Owned, live: &Object) -> bool {
    prior.resource_version.as_deref() == Some(live.resource_version())
        && prior.desired_hash.as_ref() == Some(hash)
}

/// (b) Our entry has exactly the fields we want, each with the very value we want. A foreign edit takes the
/// field out of our entry, so comparing the sets is what makes the values trustworthy.
fn same_fields(desired: &Desired, live: &Object) -> bool {
    let Some(kind) = schema::lookup(&desired.api_version, live.kind()) else {
        return false;
    };
    let entries = owned::entries(live);
    let Some(ours) = fields::owned_by(&entries, FIELD_MANAGER) else {
        return false;
    };
    if ours.api_version != desired.api_version {
        return false;
    }
    let wanted: BTreeSet<FieldPath> = owned::manifest_leaves(kind.root, &desired.body);
    let builtin = is_builtin(&desired.key.group);
    wanted == owned::leaves(ours)
        && wanted.iter().all(|path| {
            // The live object always spells a list map's keys out; the manifest may leave them to defaults.
            let (Some(live), Some(want)) = (
                path.get(&live.0),
                fields::value_at(kind.root, &desired.body, path),
            ) else {
                return false;
            };
            let quantity =
                builtin && schema::node_at(kind, path).is_some_and(|n| n.node_type() == Type::Quantity);
            live == want || (quantity && same_quantity(live, want))
        })
}

fn is_builtin(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

fn same_quantity(a: &Value, b: &Value) -> bool {
    let parse = |v: &Value| match v {
        Value::String(text) => text.parse::<Quantity>().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    };
    matches!((parse(a), parse(b)), (Some(a), Some(b)) if a == b)
}
