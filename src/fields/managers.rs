//! The entries of `metadata.managedFields`.

use serde_json::Value;

use super::set::{FieldSet, FieldsError};
use crate::object::Object;
use crate::path::FieldPath;

/// How a manager wrote its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Server-side apply: the manager owns what it last sent.
    Apply,
    /// Any other write: the manager owns what it changed.
    Update,
}

/// What one manager owns in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The manager's name.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// The subresource it wrote through, e.g. `status` or `scale`; `None` for the object itself.
    pub subresource: Option<String>,
    /// The version it wrote in; the paths belong to that version's structure.
    pub api_version: String,
    /// When it last changed what it owns, RFC 3339.
    pub time: Option<String>,
    /// What it owns.
    pub fields: FieldSet,
}

/// The entries of an object, in the server's order.
///
/// # Errors
/// Says what in `managedFields` cannot be read.
pub fn managers(object: &Object) -> Result<Vec<Entry>, FieldsError> {
    let entries = object.0.pointer("/metadata/managedFields");
    let entries = entries.and_then(Value::as_array).map(Vec::as_slice);
    entries.unwrap_or_default().iter().map(entry).collect()
}

fn entry(value: &Value) -> Result<Entry, FieldsError> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let operation = match text("operation") {
        Some("Apply") => Operation::Apply,
        Some("Update") => Operation::Update,
        other => {
            return Err(FieldsError { text: other.unwrap_or_default().to_owned(), problem: "no operation" });
        }
    };
    Ok(Entry {
        manager: text("manager").unwrap_or_default().to_owned(),
        operation,
        subresource: text("subresource").map(str::to_owned),
        api_version: text("apiVersion").unwrap_or_default().to_owned(),
        time: text("time").map(str::to_owned),
        fields: match value.get("fieldsV1") {
            None | Some(Value::Null) => FieldSet::default(),
            Some(fields) => FieldSet::from_fields_v1(fields)?,
        },
    })
}

/// Whether the server keeps no record of who wrote what: some aggregated APIs (Cozystack's, measured) never do.
#[must_use]
pub fn is_untracked(object: &Object) -> bool {
    let entries = object.0.pointer("/metadata/managedFields");
    entries.and_then(Value::as_array).is_none_or(Vec::is_empty)
}

/// The entry of what `manager` applied to the object itself. There is at most one: the server keeps appliers
/// apart by name and subresource alone.
#[must_use]
pub fn owned_by<'e>(entries: &'e [Entry], manager: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| {
        entry.manager == manager && entry.operation == Operation::Apply && entry.subresource.is_none()
    })
}

/// The entries that own the value at `path`.
pub fn owners<'e>(entries: &'e [Entry], path: &'e FieldPath) -> impl Iterator<Item = &'e Entry> {
    entries.iter().filter(|entry| entry.fields.covers(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_entries_and_owners() {
        let object = Object(json!({"metadata": {"managedFields": [
            {"manager": "arrplan", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z",
             "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:selector": {}}}},
            {"manager": "hpa", "operation": "Update", "apiVersion": "apps/v1", "subresource": "scale",
             "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "arrplan", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:paused": {}}}},
        ]}}));
        let entries = managers(&object).unwrap();
        assert_eq!(entries.len(), 3);
        let ours = owned_by(&entries, "arrplan").unwrap();
        assert_eq!(ours.time.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(ours.fields.len(), 2);
        assert_eq!(owned_by(&entries, "hpa"), None);
        let names = |path: &str| {
            let path = path.parse().unwrap();
            owners(&entries, &path).map(|e| e.manager.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("spec.replicas"), ["arrplan", "hpa"]);
        assert_eq!(names("spec.selector.matchLabels.app"), ["arrplan"]);
        assert!(names("spec.template").is_empty());
        assert_eq!(managers(&Object(json!({}))).unwrap(), []);
        let broken = json!({"metadata": {"managedFields": [{"manager": "x", "operation": "Create"}]}});
        assert!(managers(&Object(broken)).is_err());
    }
}
