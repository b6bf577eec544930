//! Reading and writing `metadata`.

use serde_json::{Map, Value, json};

/// A text of `metadata`; empty if it is not there.
pub(in crate::sandbox) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// `metadata.generation`; 0 if it is not there.
pub(super) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or_default()
}

/// Sets a field of `metadata`; null removes it. An object without `metadata` gets one.
pub(super) fn set(object: &mut Value, field: &str, value: Value) {
    let Value::Object(object) = object else { return };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Value::Object(metadata) = metadata else { return };
    if value.is_null() {
        metadata.remove(field);
    } else {
        metadata.insert(field.to_owned(), value);
    }
}

/// Gives `object` the value that `from` has in a field of `metadata`, or none.
pub(super) fn copy(object: &mut Value, field: &str, from: &Value) {
    set(object, field, from["metadata"][field].clone());
}

/// Removes what only the server sets.
pub(super) fn wipe(object: &mut Value) {
    for field in ["creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        set(object, field, Value::Null);
    }
}

/// `metadata.finalizers`.
pub(in crate::sandbox) fn finalizers(object: &Value) -> Vec<String> {
    let list = object["metadata"]["finalizers"].as_array();
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// Sets `metadata.finalizers`; an empty list removes it.
pub(in crate::sandbox) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let value = if finalizers.is_empty() { Value::Null } else { json!(finalizers) };
    set(object, "finalizers", value);
}

/// Whether a DELETE was accepted for it.
pub(in crate::sandbox) fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Removes owner references that stand there twice. Returns the warning if there were any.
pub(super) fn drop_duplicate_owners(object: &mut Value, when: When) -> Option<String> {
    let list = object.get_mut("metadata")?.get_mut("ownerReferences")?.as_array_mut()?;
    let mut seen: Vec<Value> = Vec::new();
    let mut uids = Vec::new();
    list.retain(|reference| {
        let is_new = !seen.contains(reference);
        if is_new {
            seen.push(reference.clone());
        } else {
            uids.push(reference["uid"].as_str().unwrap_or_default().to_owned());
        }
        is_new
    });
    if uids.is_empty() {
        return None;
    }
    let uids = uids.join(", ");
    Some(match when {
        When::Received => format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and \
             may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {uids}"
        ),
        When::Patched => format!(
            ".metadata.ownerReferences contains duplicate entries after mutating admission happens; API server \
             dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your \
             requests; duplicate UID(s) observed: {uids}"
        ),
    })
}

/// When owner references are looked at, which the warning tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// As they came in a POST or PUT.
    Received,
    /// After a patch.
    Patched,
}
