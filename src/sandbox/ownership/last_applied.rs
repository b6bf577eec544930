//! The annotation of `kubectl apply` without `--server-side`: kubectl's own server-side apply may take what it
//! says over, and keeps it up to date (`internal/lastappliedmanager.go`, `lastappliedupdater.go`).

use serde_json::{Map, Value};

use super::check::check;
use super::collect::fields_of;
use super::compare::compare;
use super::set::Set;
use crate::sandbox::fault::go_json;
use crate::sandbox::schema::Schema;

/// The only manager for whom the annotation counts.
pub(super) const KUBECTL: &str = "kubectl";

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// All annotations of an object together may have this many bytes.
const ANNOTATIONS_SIZE: usize = 256 << 10;

/// The fields that client-side apply wrote and that still are as it wrote them; `None` if the object has no such
/// annotation, or one that cannot be read.
pub(super) fn still_applied(schema: &Schema, live: &Value, api_version: &str) -> Option<Set> {
    let text = annotation(live)?;
    let last: Value = serde_json::from_str(text).ok()?;
    if last.get("apiVersion")?.as_str()? != api_version {
        return None;
    }
    let is_sound = |value: &Value| check(schema, value, false).message().is_none();
    if !is_sound(live) || !is_sound(&last) {
        return None;
    }
    let mut fields = fields_of(schema, &last);
    let difference = compare(schema, &last, live);
    for set in [&difference.modified, &difference.added, &difference.removed] {
        fields.remove_all(set);
    }
    Some(fields)
}

/// Writes `applied` into the annotation of `object`, if it has one.
pub(super) fn refresh(object: &mut Value, applied: &Value) {
    if annotation(object).is_none() {
        return;
    }
    let mut applied = applied.clone();
    if let Some(Value::Object(annotations)) = applied.pointer_mut("/metadata/annotations") {
        annotations.remove(ANNOTATION);
    }
    // Go's encoder ends with a newline and escapes what HTML gives a meaning.
    let text = go_json(&applied) + "\n";
    if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
        annotations.insert(ANNOTATION.into(), text.into());
        if size(annotations) > ANNOTATIONS_SIZE {
            annotations.remove(ANNOTATION);
        }
    }
}

fn annotation(object: &Value) -> Option<&str> {
    let text = object.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

fn size(annotations: &Map<String, Value>) -> usize {
    annotations.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum()
}
