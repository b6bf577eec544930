//! The compiled manifests, as far as files know them.

use serde_json::{Map, Value};

use super::{Error, StackRequest, World, stack};
use crate::address::Address;
use crate::stack::{Late, Part, Target, Val};

/// Manifests in order of creation. A secret stands as `(secret)`, a value known only after apply as the
/// reference it comes from.
///
/// # Errors
/// An invalid stack.
pub fn render(request: &StackRequest, world: &World) -> Result<Vec<(Address, Value)>, Error> {
    let (stack, _) = stack::load(request, world)?;
    let order = stack.graph.order().iter();
    let found = order.filter_map(|address| stack.resources.get(address));
    Ok(found.map(|resource| (resource.address.clone(), value(&resource.manifest))).collect())
}

fn value(val: &Val) -> Value {
    match val {
        Val::Null => Value::Null,
        Val::Bool(bool) => Value::Bool(*bool),
        Val::Number(number) => Value::Number(number.clone()),
        Val::String(text) => Value::String(text.clone()),
        Val::List(list) => Value::Array(list.iter().map(value).collect()),
        Val::Map(map) => {
            Value::Object(map.iter().map(|(key, val)| (key.clone(), value(val))).collect::<Map<_, _>>())
        }
        Val::Late(late) => Value::String(placeholder(late)),
    }
}

fn placeholder(late: &Late) -> String {
    if late.parts.iter().any(|part| matches!(part, Part::Secret(_))) {
        return "(secret)".to_owned();
    }
    let parts = late.parts.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Secret(_) => "(secret)".to_owned(),
        Part::Field(field) => match &field.target {
            Target::Resource(address) => format!("${{{address}.{}}}", field.path),
            Target::Existing(address) => format!("${{existing.{address}.{}}}", field.path),
        },
    });
    parts.collect()
}
