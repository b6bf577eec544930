//! Proofs that nothing changes, without asking the server (design §5.3).
//!
//! *Invariant:* a proof never calls a change a no-op. Whatever is unclear is no proof, and a dry-run decides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fields;
use crate::manifest::Desired;
use crate::object::{FIELD_MANAGER, Object};
use crate::path::{FieldPath, Segment};
use crate::plan::owned;
use crate::schema::{self, Node, Type};
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
    wanted == owned::leaves(ours)
        && same_order(kind.root, &desired.body, &live.0)
        && wanted.iter().all(|path| {
            // The live object always spells a list map's keys out; the manifest may leave them to defaults.
            let (Some(live), Some(want)) =
                (path.get(&live.0), fields::value_at(kind.root, &desired.body, path))
            else {
                return false;
            };
            // A custom resource's quantities are stored as they are written.
            match schema::node_at(kind, path) {
                Some(node) if kind.is_built_in() => fields::same_value(node, want, live),
                _ => want == live,
            }
        })
}

/// Whether the elements of every list map and set that we want stand in `live` in the same order: an apply would
/// move them otherwise, and no path tells.
fn same_order(node: Node, want: &Value, live: &Value) -> bool {
    if node.is_atomic() {
        return true;
    }
    match (want, live) {
        (Value::Object(want), Value::Object(live)) => want.iter().all(|(key, want)| {
            let (Some(field), Some(live)) = (node.field(key), live.get(key)) else {
                return true;
            };
            same_order(field, want, live)
        }),
        (Value::Array(want), Value::Array(live)) => {
            let name = |item: &Value| match node.node_type() {
                Type::ListMap(keys) => fields::element_key(keys, item).map(Segment::Select),
                Type::Set => fields::scalar_text(item).map(Segment::Item),
                _ => None,
            };
            if !matches!(node.node_type(), Type::ListMap(_) | Type::Set) {
                return true;
            }
            let item_node = node.item().unwrap_or_else(Node::any);
            let places: BTreeMap<Segment, usize> =
                live.iter().enumerate().filter_map(|(at, item)| Some((name(item)?, at))).collect();
            let mut next = 0;
            want.iter().all(|want| {
                let Some(&at) = name(want).and_then(|name| places.get(&name)) else {
                    return false;
                };
                let in_order = at >= next;
                next = at + 1;
                in_order && same_order(item_node, want, &live[at])
            })
        }
        _ => true,
    }
}
