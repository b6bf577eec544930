//! JSON patch.

use serde_json::{Map, Value};

use crate::sandbox::error::ApiError;

/// A patch may have this many operations (`apiserver`, `maxJSONPatchOperations`).
const MOST_OPERATIONS: usize = 10_000;

/// Applies the operations of `patch` to `target`, in order, all or none.
///
/// # Errors
/// 400 if `patch` is no list of operations, 413 if they are too many, and the API server's 422, which does not say
/// why, if one of them does not apply.
pub(in crate::sandbox) fn json(target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let operations = operations(patch)?;
    if operations.len() > MOST_OPERATIONS {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}",
            operations.len(),
        );
        return Err(ApiError::new(413, "RequestEntityTooLarge", message));
    }
    let mut changed = target.clone();
    for operation in operations {
        if apply(&mut changed, operation).is_none() {
            let message = "the server rejected our request due to an error in our request";
            let mut error = ApiError::new(422, "Invalid", message);
            error.details = Some(Box::default());
            return Err(error);
        }
    }
    *target = changed;
    Ok(())
}

/// Fields of operations that do not exist, as `fieldValidation` names them.
pub(in crate::sandbox) fn unknown_fields(patch: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    for (at, operation) in patch.as_array().into_iter().flatten().enumerate() {
        let fields = operation.as_object().into_iter().flat_map(Map::keys);
        let is_known = |field: &String| matches!(field.as_str(), "op" | "path" | "from" | "value");
        for field in fields.filter(|field| !is_known(field)) {
            unknown.push(format!("json patch unknown field \"[{at}].{field}\""));
        }
    }
    unknown
}

fn operations(patch: &Value) -> Result<Vec<&Map<String, Value>>, ApiError> {
    let list = match patch {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        other => return Err(mistyped(other, "[]handlers.jsonPatchOp")),
    };
    list.iter().map(operation).collect()
}

fn operation(value: &Value) -> Result<&Map<String, Value>, ApiError> {
    let Value::Object(map) = value else { return Err(mistyped(value, "handlers.jsonPatchOp")) };
    let text = |field: &str| map.get(field).filter(|value| !value.is_string() && !value.is_null());
    match ["op", "path", "from"].into_iter().find_map(|field| Some((field, text(field)?))) {
        Some((field, value)) => {
            let message = format!(
                "error decoding patch: json: cannot unmarshal {} into Go struct field jsonPatchOp.{field} of type string",
                name(value),
            );
            Err(ApiError::bad_request(message))
        }
        None => Ok(map),
    }
}

fn mistyped(value: &Value, wanted: &str) -> ApiError {
    let found = name(value);
    ApiError::bad_request(format!(
        "error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}"
    ))
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `None`: it does not apply.
fn apply(target: &mut Value, operation: &Map<String, Value>) -> Option<()> {
    let text = |field: &str| operation.get(field).and_then(Value::as_str);
    let value = || operation.get("value").cloned().unwrap_or_default();
    match text("op")? {
        "add" => add(target, text("path")?, value()),
        "remove" => remove(target, text("path")?).map(drop),
        "replace" => replace(target, text("path")?, value()),
        "move" => {
            let moved = remove(target, text("from")?)?;
            add(target, text("path")?, moved)
        }
        "copy" => {
            let copied = get(target, text("from")?)?.clone();
            add(target, text("path")?, copied)
        }
        "test" => {
            let path = text("path")?;
            let found = if path.is_empty() { &*target } else { get(target, path)? };
            (*found == value()).then_some(())
        }
        _ => None,
    }
}

/// The container that the path's last step is in, and that step.
fn container<'v>(target: &'v mut Value, path: &str) -> Option<(&'v mut Value, String)> {
    let mut steps = path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps.next()?;
    let last = steps.next_back()?;
    let inner = steps.try_fold(target, |value, step| match value {
        Value::Object(map) => map.get_mut(&step),
        Value::Array(list) => {
            let at = position(&step, list.len())?;
            list.get_mut(at)
        }
        _ => None,
    })?;
    (inner.is_object() || inner.is_array()).then_some((inner, last))
}

/// A position in a list; a negative one counts from the end.
fn position(step: &str, len: usize) -> Option<usize> {
    let at: isize = step.parse().ok()?;
    if at < 0 { len.checked_sub(at.unsigned_abs()) } else { Some(at.unsigned_abs()) }
}

fn get<'v>(target: &'v mut Value, path: &str) -> Option<&'v Value> {
    static NULL: Value = Value::Null;
    let (inner, step) = container(target, path)?;
    match inner {
        // What a map does not have is `null`.
        Value::Object(map) => Some(map.get(&step).unwrap_or(&NULL)),
        Value::Array(list) => list.get(position(&step, list.len())?),
        _ => None,
    }
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    let (inner, step) = container(target, path)?;
    match inner {
        Value::Object(map) => {
            map.insert(step, value);
        }
        Value::Array(list) if step == "-" => list.push(value),
        Value::Array(list) => {
            let at = position(&step, list.len() + 1).filter(|at| *at <= list.len())?;
            list.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &str) -> Option<Value> {
    let (inner, step) = container(target, path)?;
    match inner {
        Value::Object(map) => map.remove(&step),
        Value::Array(list) => {
            let at = position(&step, list.len()).filter(|at| *at < list.len())?;
            Some(list.remove(at))
        }
        _ => None,
    }
}

/// A key that a map does not have is added, as in the API server.
fn replace(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = Some(value).filter(|value| value.is_object() || value.is_array())?;
        return Some(());
    }
    let (inner, step) = container(target, path)?;
    match inner {
        Value::Object(map) => {
            map.insert(step, value);
        }
        Value::Array(list) => {
            let at = position(&step, list.len())?;
            *list.get_mut(at)? = value;
        }
        _ => return None,
    }
    Some(())
}
