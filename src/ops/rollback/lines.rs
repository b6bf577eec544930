//! Where the stack still says otherwise than the revision.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::recipe;
use crate::address::Address;
use crate::path::{FieldPath, Segment};
use crate::stack::{Late, Resource, Stack};
use crate::state::{Recipe, Revision};

/// One place where the stack says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillSays {
    /// `path:line`; none where the stack says nothing.
    pub location: Option<String>,
    /// The resource.
    pub address: Address,
    /// The field; `None` for the whole resource.
    pub path: Option<FieldPath>,
    /// What it says, where that is plain and short; `None` where it says nothing.
    pub says: Option<String>,
}

/// Longest value that is quoted.
const SHORT: usize = 60;

/// Every field that the stack has otherwise, by address and field.
pub(super) fn differences(stack: &Stack, revision: &Revision) -> Vec<StillSays> {
    let mut found = Vec::new();
    for (address, resource) in &stack.resources {
        match revision.resources.get(address) {
            Some(recorded) => {
                let ours = leaves(&recipe::of_value(&resource.manifest));
                let theirs = leaves(&recorded.manifest);
                let paths = ours.keys().chain(theirs.keys().filter(|path| !ours.contains_key(*path)));
                let mut paths: Vec<&FieldPath> =
                    paths.filter(|path| ours.get(*path) != theirs.get(*path)).collect();
                paths.sort();
                found.extend(paths.into_iter().map(|path| StillSays {
                    location: Some(location(stack, resource, path)),
                    address: address.clone(),
                    path: Some(path.clone()),
                    says: ours.get(path).map(quoted),
                }));
            }
            None => found.push(StillSays {
                location: Some(stack.sources_map.location(&resource.span)),
                address: address.clone(),
                path: None,
                says: Some("declared".to_owned()),
            }),
        }
    }
    let gone = revision.resources.keys().filter(|address| !stack.resources.contains_key(*address));
    found.extend(gone.map(|address| StillSays {
        location: None,
        address: address.clone(),
        path: None,
        says: None,
    }));
    found
}

/// The line of the field, or of the nearest thing around it that was written.
fn location(stack: &Stack, resource: &Resource, path: &FieldPath) -> String {
    let mut at = Some(path.clone());
    while let Some(path) = at {
        if let Some(span) = resource.spans.get(&path) {
            return stack.sources_map.location(span);
        }
        at = path.parent();
    }
    stack.sources_map.location(&resource.span)
}

#[derive(Debug, PartialEq)]
enum Leaf {
    Plain(Value),
    Late(Late),
}

fn quoted(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Plain(Value::String(text)) if text.len() <= SHORT && !text.contains('\n') => text.clone(),
        Leaf::Plain(value @ (Value::Bool(_) | Value::Number(_) | Value::Null)) => value.to_string(),
        Leaf::Plain(_) => "another value".to_owned(),
        Leaf::Late(_) => "a reference".to_owned(),
    }
}

fn leaves(recipe: &Recipe) -> BTreeMap<FieldPath, Leaf> {
    fn walk(value: &Value, at: &FieldPath, leaves: &mut BTreeMap<FieldPath, Leaf>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| walk(value, &at.key(key), leaves));
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &at.join(Segment::Index(index)), leaves);
                }
            }
            leaf => drop(leaves.insert(at.clone(), Leaf::Plain(leaf.clone()))),
        }
    }
    let mut found = BTreeMap::new();
    walk(&recipe.value, &FieldPath::default(), &mut found);
    found.extend(recipe.late.iter().map(|(path, late)| (path.clone(), Leaf::Late(late.clone()))));
    // A map or list whose parts are all late is no leaf, although it is empty without them.
    let around: Vec<FieldPath> = recipe.late.keys().filter_map(FieldPath::parent).collect();
    found.retain(|path, leaf| matches!(leaf, Leaf::Late(_)) || !around.contains(path));
    found
}
