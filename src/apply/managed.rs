//! Changes of `metadata.managedFields`: what moves to us on adoption, what we give up on forgetting.
//!
//! *Invariant:* entries of subresources, and of managers that were not named, stay as they are, byte for byte.

use serde_json::{Value, json};

use crate::fields::FieldSet;
use crate::object::{FIELD_MANAGER, Object};

/// The entries of an object.
fn entries(object: &Object) -> Vec<Value> {
    let list = object.0.pointer("/metadata/managedFields").and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

/// Whether the entry is of the main resource: an entry of a subresource never moves.
fn is_main(entry: &Value) -> bool {
    entry.get("subresource").and_then(Value::as_str).is_none_or(str::is_empty)
}

fn fields_of(entry: &Value) -> Option<FieldSet> {
    FieldSet::from_fields_v1(entry.get("fieldsV1")?).ok()
}

fn is_ours(entry: &Value) -> bool {
    entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER) && is_main(entry)
}

fn is_our_apply(entry: &Value) -> bool {
    is_ours(entry) && operation(entry) == "Apply"
}

fn operation(entry: &Value) -> &str {
    entry.get("operation").and_then(Value::as_str).unwrap_or_default()
}

/// The list to send instead of `entries`. The server takes an empty list as "not sent"; one empty entry is
/// how it is told that there are none.
fn as_patch(entries: Vec<Value>) -> Value {
    if entries.is_empty() { json!([{}]) } else { Value::Array(entries) }
}

/// Our own Apply entry.
pub(super) fn own_entry(object: &Object) -> Option<Value> {
    entries(object).into_iter().find(is_our_apply)
}

/// `managedFields` of `live` in which the fields of `wanted` (our Apply entry, as a forced dry-run shows it)
/// are ours and no longer held by an `Update` entry of `managers`. `None` when that changes nothing.
///
/// An object without any entry gets ours alone: otherwise the first apply would book all its fields to
/// `before-first-apply`, and what later leaves the manifest could never be removed.
pub(super) fn moved_to_us(live: &Object, wanted: &Value, managers: &[String]) -> Option<Value> {
    let ours = fields_of(wanted)?;
    let before = entries(live);
    if before.is_empty() {
        return Some(as_patch(vec![wanted.clone()]));
    }
    let mut moved = FieldSet::default();
    let mut after = Vec::with_capacity(before.len() + 1);
    for entry in before {
        let manager = entry.get("manager").and_then(Value::as_str).unwrap_or_default();
        let named =
            is_main(&entry) && operation(&entry) == "Update" && managers.iter().any(|name| name == manager);
        let held = if named { fields_of(&entry) } else { None };
        let Some(held) = held.filter(|held| !held.intersection(&ours).is_empty()) else {
            after.push(entry);
            continue;
        };
        moved = moved.union(&held.intersection(&ours));
        let rest = held.difference(&ours);
        if !rest.is_empty() {
            let mut entry = entry.clone();
            entry["fieldsV1"] = rest.to_fields_v1();
            after.push(entry);
        }
    }
    if moved.is_empty() {
        return None;
    }
    if let Some(entry) = after.iter_mut().find(|entry| is_our_apply(entry)) {
        let all = fields_of(entry).unwrap_or_default().union(&moved);
        entry["fieldsV1"] = all.to_fields_v1();
    } else {
        let mut entry = wanted.clone();
        entry["fieldsV1"] = moved.to_fields_v1();
        after.push(entry);
    }
    Some(as_patch(after))
}

/// `managedFields` without our entries; `None` when there is none of ours.
pub(super) fn without_ours(live: &Object) -> Option<Value> {
    let before = entries(live);
    let after: Vec<Value> = before.iter().filter(|entry| !is_ours(entry)).cloned().collect();
    (after.len() < before.len()).then(|| as_patch(after))
}

/// Other managers of the object's main resource, for saying who owns it from now on.
pub(super) fn other_managers(live: &Object) -> Vec<String> {
    let mut names: Vec<String> = entries(live)
        .iter()
        .filter(|entry| is_main(entry) && !is_ours(entry))
        .filter_map(|entry| entry.get("manager")?.as_str().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    fn object(entries: &[Value]) -> Object {
        Object(json!({"metadata": {"managedFields": entries}}))
    }

    #[test]
    fn adoption_moves_only_what_we_set() {
        let live = object(&[
            entry("kubectl-create", "Update", &json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}})),
            entry("flux", "Apply", &json!({"f:data": {"f:a": {}}})),
        ]);
        let wanted = entry(FIELD_MANAGER, "Apply", &json!({"f:data": {"f:a": {}, "f:c": {}}}));
        let moved = moved_to_us(&live, &wanted, &["kubectl-create".to_owned()]).unwrap();
        assert_eq!(
            moved,
            json!([
                entry("kubectl-create", "Update", &json!({"f:data": {".": {}, "f:b": {}}})),
                entry("flux", "Apply", &json!({"f:data": {"f:a": {}}})),
                entry(FIELD_MANAGER, "Apply", &json!({"f:data": {"f:a": {}}})),
            ])
        );
        assert_eq!(moved_to_us(&live, &wanted, &[]), None);
    }

    #[test]
    fn an_object_without_entries_gets_ours_alone() {
        let wanted = entry(FIELD_MANAGER, "Apply", &json!({"f:data": {"f:a": {}}}));
        assert_eq!(moved_to_us(&object(&[]), &wanted, &[]), Some(json!([wanted])));
    }

    #[test]
    fn the_last_entry_leaves_an_empty_one_behind() {
        let live = object(&[entry(FIELD_MANAGER, "Apply", &json!({"f:data": {"f:a": {}}}))]);
        assert_eq!(without_ours(&live), Some(json!([{}])));
        assert_eq!(without_ours(&object(&[])), None);
    }
}
