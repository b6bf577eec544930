//! A write that changes nothing but the times of `managedFields` changes nothing
//! (`apiserver`, `pkg/endpoints/handlers/fieldmanager/equality.go`).

use serde_json::Value;

use super::managers::entries_of;
use super::typed::same;

/// Gives the entries of `new`, as it would be stored, the times that they have in `old`, if nothing else is
/// different. `resourceVersion` does not count.
pub(in crate::sandbox) fn keep_times(new: &mut Value, old: &Value) {
    let entries = |object: &Value| entries_of(object).as_array().cloned().unwrap_or_default();
    let (new_entries, old_entries) = (entries(new), entries(old));
    if new_entries.len() != old_entries.len() || new_entries == old_entries {
        return;
    }
    let untimed =
        |entries: &[Value]| entries.iter().map(|entry| without(entry, &["time"])).collect::<Vec<_>>();
    if untimed(&new_entries) != untimed(&old_entries) || !same(&rest(new), &rest(old)) {
        return;
    }
    new["metadata"]["managedFields"] = old_entries.into();
}

fn rest(object: &Value) -> Value {
    let mut rest = without(object, &["metadata"]);
    if let Some(metadata) = object.get("metadata") {
        rest["metadata"] = without(metadata, &["managedFields", "resourceVersion"]);
    }
    rest
}

fn without(value: &Value, keys: &[&str]) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let kept = map.iter().filter(|(key, _)| !keys.contains(&key.as_str()));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}
