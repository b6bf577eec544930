//! JSON merge patch.

use serde_json::{Map, Value};

use crate::sandbox::error::ApiError;

/// Lays `patch` over `target`; `null` takes a field away.
///
/// # Errors
/// 400 if `patch` is not a map.
pub(in crate::sandbox) fn merge(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let kind = match patch {
        Value::Object(patch) => {
            if let Value::Object(target) = target {
                merge_maps(target, patch);
            }
            return Ok(());
        }
        Value::Null => return Err(ApiError::bad_request("Invalid JSON Patch")),
        Value::Array(_) => "array",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    };
    let message = format!(
        "error decoding patch: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    );
    Err(ApiError::bad_request(message))
}

fn merge_maps(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
            continue;
        }
        match (target.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(patch)) => merge_maps(inner, patch),
            // A value in place of a map is taken as it is; anything else that is new loses what is `null` in it.
            (Some(Value::Object(_)), value) => {
                target.insert(key.clone(), value.clone());
            }
            (_, value) => {
                target.insert(key.clone(), without_nulls(value));
            }
        }
    }
}

/// Elements of a list that are `null` stay.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}
