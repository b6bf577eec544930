//! What every object of a kind needs, by the table that `validate` uses: beneath the rules of the kinds, which
//! say it first and in the API server's words where they look.

use serde_json::Value;

use crate::sandbox::error::Cause;
use crate::sandbox::fault;
use crate::schema::{self, Problem};

/// What the rules found, or, if that is nothing, the fields that are missing.
pub(super) fn or_missing(found: Vec<Cause>, object: &Value) -> Vec<Cause> {
    if found.is_empty() { missing(object) } else { found }
}

/// The table says nothing of status and the server's metadata.
fn missing(object: &Value) -> Vec<Cause> {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let Some(kind) = schema::lookup(text("apiVersion"), text("kind")) else { return Vec::new() };
    let mut object = object.clone();
    drop_empty(&mut object);
    let violations = schema::check(kind, &object).into_iter();
    let missing = violations.filter_map(|violation| match violation.problem {
        Problem::Missing { name } => Some(violation.path.key(name).to_string()),
        _ => None,
    });
    missing.map(|field| fault::required(field, "")).collect()
}

/// A needed field that a client left out is stored as an empty text or null.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !(value.is_null() || value == ""));
            map.values_mut().for_each(drop_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}
