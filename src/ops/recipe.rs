//! Compiled values on their way into a revision and back.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::path::{FieldPath, Segment};
use crate::stack::{Late, Val};
use crate::state::Recipe;

/// What files say of a value, and how the rest of it is had.
pub(super) fn of_value(val: &Val) -> Recipe {
    let mut late = BTreeMap::new();
    let value = plain(val, &FieldPath::default(), &mut late).unwrap_or(Value::Null);
    Recipe { value, late }
}

/// The plain part of `val`; `None` where it is late.
fn plain(val: &Val, path: &FieldPath, late: &mut BTreeMap<FieldPath, Late>) -> Option<Value> {
    Some(match val {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Number(number) => Value::Number(number.clone()),
        Val::String(text) => Value::String(text.clone()),
        Val::List(items) => {
            let item = |(at, item): (usize, &Val)| {
                plain(item, &path.join(Segment::Index(at)), late).unwrap_or(Value::Null)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        Val::Map(entries) => {
            let entry =
                |(key, item): (&String, &Val)| Some((key.clone(), plain(item, &path.key(key), late)?));
            Value::Object(entries.iter().filter_map(entry).collect::<Map<_, _>>())
        }
        Val::Late(found) => {
            late.insert(path.clone(), found.clone());
            return None;
        }
    })
}

/// The value that was recorded.
///
/// # Errors
/// A place of a late value that the plain part does not have.
pub(super) fn to_value(recipe: &Recipe) -> Result<Val, FieldPath> {
    let mut val = from_json(&recipe.value);
    for (path, late) in &recipe.late {
        put(&mut val, &path.0, Val::Late(late.clone())).ok_or_else(|| path.clone())?;
    }
    Ok(val)
}

fn from_json(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(value) => Val::Bool(*value),
        Value::Number(number) => Val::Number(number.clone()),
        Value::String(text) => Val::String(text.clone()),
        Value::Array(items) => Val::List(items.iter().map(from_json).collect()),
        Value::Object(entries) => {
            Val::Map(entries.iter().map(|(key, item)| (key.clone(), from_json(item))).collect())
        }
    }
}

/// Puts `new` in the place of what stands at `path`; the last key may be missing so far.
pub(super) fn put(val: &mut Val, path: &[Segment], new: Val) -> Option<()> {
    match (path, val) {
        ([], val) => *val = new,
        ([Segment::Key(key)], Val::Map(map)) => drop(map.insert(key.clone(), new)),
        ([Segment::Key(key), rest @ ..], Val::Map(map)) => return put(map.get_mut(key)?, rest, new),
        ([Segment::Index(at), rest @ ..], Val::List(items)) => return put(items.get_mut(*at)?, rest, new),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Part;
    use proptest::prelude::*;
    use serde_json::json;

    fn secret(name: &str) -> Val {
        Val::Late(Late { parts: vec![Part::Secret(name.to_owned())], base64: true })
    }

    fn map(entries: Vec<(&str, Val)>) -> Val {
        Val::Map(entries.into_iter().map(|(key, val)| (key.to_owned(), val)).collect())
    }

    #[test]
    fn late_values_are_told_apart_and_positions_stay() {
        let val = map(vec![
            ("data", map(vec![("a", secret("s")), ("b", Val::String("x".to_owned()))])),
            ("args", Val::List(vec![secret("t"), Val::Null, Val::Bool(true)])),
            ("only", map(vec![("late", secret("u"))])),
        ]);
        let recipe = of_value(&val);
        assert_eq!(recipe.value, json!({"data": {"b": "x"}, "args": [null, null, true], "only": {}}));
        let places: Vec<String> = recipe.late.keys().map(ToString::to_string).collect();
        assert_eq!(places, ["args[0]", "data.a", "only.late"]);
        assert_eq!(to_value(&recipe), Ok(val));
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        let path: FieldPath = "a.b".parse().unwrap();
        let late = Late { parts: Vec::new(), base64: false };
        let recipe = Recipe { value: json!({}), late: [(path.clone(), late)].into() };
        assert_eq!(to_value(&recipe), Err(path));
    }

    fn any_value() -> impl Strategy<Value = Val> {
        let leaf = prop_oneof![
            Just(Val::Null),
            any::<bool>().prop_map(Val::Bool),
            any::<i32>().prop_map(|n| Val::Number(n.into())),
            "[a-z \"]{0,4}".prop_map(Val::String),
            "[a-z]{1,3}".prop_map(|name| secret(&name)),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Val::List),
                proptest::collection::btree_map("[a-c./\\[\\]\"]{1,3}", inner, 0..4).prop_map(Val::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_recorded_comes_back_through_a_file(val in any_value()) {
            let text = serde_json::to_string(&of_value(&val)).unwrap();
            let read: Recipe = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(to_value(&read), Ok(val));
        }
    }
}
