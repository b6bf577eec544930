//! Maps and keyed lists of custom resources that become empty.
//!
//! When the last element of a map goes by the very apply that says `{}`, the API server stores `null` in its
//! place: a custom resource without structure keeps the `null`, one with structure refuses it with 422; of a
//! keyed list it drops the list (all measured on 1.37, sigs.k8s.io/structured-merge-diff). So the elements are
//! taken out by a patch first, as `--take` does, and the dry-run sees the object as if they stayed.

use serde_json::{Map, Value};

use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::plan::draft::set;
use crate::plan::owned;
use crate::schema;

/// Why the dry-run saw less than what is written.
pub(super) const REASON: &str =
    "a map or list of a custom resource is emptied by a write of its own, which cannot be tried";

/// A map or keyed list that is to be empty and holds only what is ours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Emptied {
    /// Where.
    pub(super) path: FieldPath,
    /// What is wanted: `{}` or `[]`.
    empty: Value,
    /// What is there.
    live: Value,
    /// Its elements.
    pub(super) elements: Vec<FieldPath>,
}

/// All of them, for an object that is not of a built-in kind.
pub(super) fn find(body: &Value, live: &Object) -> Vec<Emptied> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if schema::lookup(text("apiVersion"), text("kind")).is_some_and(schema::Kind::is_built_in) {
        return Vec::new();
    }
    let mut empty = Vec::new();
    for (key, value) in body.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "metadata" | "status") {
            walk(value, &mut FieldPath::keys([key.as_str()]), &mut empty);
        }
    }
    let entries = owned::entries(live);
    let below = |path: &FieldPath, ours: bool| -> Vec<FieldPath> {
        let of_them = entries.iter().filter(|entry| owned::is_ours(entry) == ours);
        of_them.flat_map(|entry| entry.fields.below(path).cloned().collect::<Vec<_>>()).collect()
    };
    empty
        .into_iter()
        .filter_map(|(path, empty)| {
            let live = path.get(&live.0).filter(|live| count(live) > 0)?.clone();
            let mut elements: Vec<FieldPath> = below(&path, true)
                .into_iter()
                .map(|member| FieldPath(member.0[..=path.0.len()].to_vec()))
                .collect();
            elements.dedup();
            // What nobody owns, as defaults, stays, and then the map does not become empty.
            let alone = elements.len() == count(&live) && below(&path, false).is_empty();
            alone.then_some(Emptied { path, empty, live, elements })
        })
        .collect()
}

impl Emptied {
    /// Leaves what is there in the body of a dry-run.
    pub(super) fn keep(&self, probe: &mut Value) {
        set(probe, &self.path, self.live.clone());
    }

    /// What the object will be, in the place of what a dry-run with [`Self::keep`] said.
    pub(super) fn empty(&self, result: &mut Value) {
        set(result, &self.path, self.empty.clone());
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

/// Empty maps and lists, reached by map keys alone: inside lists, elements are named by their keys, which the
/// structure of a custom resource would have to tell.
fn walk(value: &Value, path: &mut FieldPath, found: &mut Vec<(FieldPath, Value)>) {
    match value {
        Value::Object(map) if map.is_empty() => found.push((path.clone(), Value::Object(Map::new()))),
        Value::Array(items) if items.is_empty() => found.push((path.clone(), Value::Array(Vec::new()))),
        Value::Object(map) => {
            for (key, value) in map {
                path.0.push(Segment::Key(key.clone()));
                walk(value, path, found);
                path.0.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_ours_alone_is_emptied() {
        let live = Object(json!({
            "metadata": {"managedFields": [
                {"manager": "arrplan", "operation": "Apply", "fieldsV1": {"f:spec": {"f:values": {
                    "f:env": {"f:A": {}}, "f:shared": {"f:A": {}}, "f:list": {}, "f:filled": {"f:A": {}}}, "f:items": {"k:{\"name\":\"x\"}": {".": {}, "f:name": {}}}}}},
                {"manager": "other", "operation": "Update", "fieldsV1": {"f:spec": {"f:values": {"f:shared": {"f:B": {}}}}}},
            ]},
            "spec": {"values": {"env": {"A": "1"}, "shared": {"A": "1", "B": "2"}, "list": [1], "filled": {"A": "1", "default": 3}}, "items": [{"name": "x"}]},
        }));
        let body = json!({
            "apiVersion": "example.org/v1", "kind": "Thing",
            "spec": {"values": {"env": {}, "shared": {}, "list": [], "new": {}, "filled": {}}, "items": []},
        });
        let found: Vec<String> = find(&body, &live)
            .iter()
            .map(|emptied| {
                let elements: Vec<String> = emptied.elements.iter().map(ToString::to_string).collect();
                format!("{} {} by {}", emptied.path, emptied.empty, elements.join(" "))
            })
            .collect();
        assert_eq!(found, ["spec.items [] by spec.items[name=x]", "spec.values.env {} by spec.values.env.A"]);
        let built_in = json!({"apiVersion": "v1", "kind": "ConfigMap", "spec": body["spec"]});
        assert_eq!(find(&built_in, &live), []);
    }
}
