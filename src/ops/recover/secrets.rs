//! Which fields of a recovered object may hold a secret. Nobody says any more which did, so that a field counts as one
//! unless the stack itself sets it to something plain: what it held is not shown when it leaves.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifest::{self, Lookup, SecretValue};
use crate::object::Mark;
use crate::path::FieldPath;
use crate::stack::{FieldRef, Resource};
use crate::state::Owned;

/// The fields of ours, one by one, that the stack's declaration of the object does not set plainly.
pub(super) fn possible(owned: &Owned, declared: Option<&Resource>, mark: &Mark) -> BTreeSet<FieldPath> {
    let body = declared.map(|resource| manifest::desired(resource, mark, owned.protect, &Plain).body);
    let is_plain = |path: &&FieldPath| body.as_ref().and_then(|body| path.get(body)).is_some_and(is_whole);
    owned.owned.keys().filter(|path| !is_plain(path)).cloned().collect()
}

/// Whether nothing was left out of a value: in a list, that leaves a null.
fn is_whole(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| !item.is_null() && is_whole(item)),
        Value::Object(entries) => entries.values().all(is_whole),
        _ => true,
    }
}

/// Whatever is no secret.
struct Plain;

impl Lookup for Plain {
    fn field(&self, _: &FieldRef) -> Option<Value> {
        Some(Value::String(String::new()))
    }

    fn secret(&self, _: &str) -> SecretValue {
        SecretValue::NotRead
    }
}
