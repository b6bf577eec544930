//! Who owns which field of a live object, as the plan asks it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fields::{self, Entry, Operation};
use crate::object::{FIELD_MANAGER, Object};
use crate::path::{FieldPath, Segment};
use crate::schema::{self, Node};

/// All entries. Where the server's record cannot be read nothing is ours and nothing is proven: the server's
/// own conflicts decide.
pub(super) fn entries(object: &Object) -> Vec<Entry> {
    fields::managers(object).unwrap_or_default()
}

/// Whether the entry is one of ours.
pub(super) fn is_ours(entry: &Entry) -> bool {
    entry.manager == FIELD_MANAGER
}

/// Whether the entry is an ordinary write to the object itself.
pub(super) fn is_plain_update(entry: &Entry) -> bool {
    entry.operation == Operation::Update && entry.subresource.is_none()
}

/// Whether the entry owns the value at `path`.
pub(super) fn holds(entry: &Entry, path: &FieldPath) -> bool {
    entry.fields.covers(path)
}

/// The leaves of an entry.
pub(super) fn leaves(entry: &Entry) -> BTreeSet<FieldPath> {
    entry.fields.leaves().cloned().collect()
}

/// The leaves of our own apply entry.
pub(super) fn ours(object: &Object) -> BTreeSet<FieldPath> {
    fields::owned_by(&entries(object), FIELD_MANAGER).map(leaves).unwrap_or_default()
}

/// The structure of a kind; free-form where it is not known.
pub(super) fn structure(api_version: &str, kind: &str) -> Node {
    schema::root_of(api_version, kind)
}

/// The leaves that a manifest sets.
pub(super) fn manifest_leaves(root: Node, body: &Value) -> BTreeSet<FieldPath> {
    fields::of_manifest(root, body).leaves().cloned().collect()
}

/// The place in `body` of a canonical path: elements by position.
pub(super) fn position(root: Node, body: &Value, path: &FieldPath) -> Option<FieldPath> {
    let mut place = FieldPath::default();
    for (at, segment) in path.0.iter().enumerate() {
        let segment = match segment {
            Segment::Key(_) | Segment::Index(_) => segment.clone(),
            Segment::Select(_) | Segment::Item(_) => {
                let element = fields::value_at(root, body, &FieldPath(path.0[..=at].to_vec()))?;
                let list = place.get(body)?.as_array()?;
                Segment::Index(list.iter().position(|item| std::ptr::eq(item, element))?)
            }
        };
        place = place.join(segment);
    }
    place.get(body).is_some().then_some(place)
}

/// A path as the server spells it in a conflict: every key after a dot, strings of selectors in quotes.
pub(super) fn server_spelling(path: &FieldPath) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for segment in &path.0 {
        // Writing to a String cannot fail.
        let _: std::fmt::Result = match segment {
            Segment::Key(key) => write!(text, ".{key}"),
            Segment::Index(index) => write!(text, "[{index}]"),
            Segment::Item(item) => write!(text, "[={item}]"),
            Segment::Select(keys) => {
                let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(text, "[{}]", keys.join(","))
            }
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conflicts_are_spelled_as_the_server_does() {
        for (path, spelled) in [
            ("spec.ports[port=80,protocol=TCP].name", ".spec.ports[port=80,protocol=\"TCP\"].name"),
            ("metadata.labels[\"app.kubernetes.io/name\"]", ".metadata.labels.app.kubernetes.io/name"),
            ("metadata.finalizers[=\"a/b\"]", ".metadata.finalizers[=\"a/b\"]"),
        ] {
            assert_eq!(server_spelling(&path.parse().unwrap()), spelled);
        }
    }

    #[test]
    fn a_place_is_found_although_a_key_is_left_to_its_default() {
        let body = json!({"spec": {"ports": [{"port": 1}, {"port": 80, "name": "http"}]}});
        let path: FieldPath = "spec.ports[port=80,protocol=TCP].name".parse().unwrap();
        let place = position(structure("v1", "Service"), &body, &path).unwrap();
        assert_eq!(place.to_string(), "spec.ports[1].name");
        assert_eq!(position(structure("v1", "Service"), &body, &"spec.type".parse().unwrap()), None);
    }
}
