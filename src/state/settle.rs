//! Operations whose end is not known: what the live object says about what we own now.
//!
//! Nothing else is asked: whether the object looks as it should is the next plan's question. `None` for the
//! live object means that its absence is proven (a typed 404 of that object), never that it could not be read.

use serde_json::Value;

use super::journal::{Begin, Operation, Outcome};
use super::model::{Owned, State};
use crate::fields::is_untracked;
use crate::object::{FIELD_MANAGER, Object};

/// How the operation ended, as far as what we own is concerned.
#[must_use]
pub fn settle(begin: &Begin, state: &State, live: Option<&Object>) -> Outcome {
    match begin.operation {
        Operation::Create => settle_create(begin, state, live),
        Operation::Adopt => settle_adopt(begin, state, live),
        Operation::Delete => settle_delete(begin, live),
        Operation::Forget => settle_forget(begin, state, live),
        Operation::Update => Outcome::Unchanged,
    }
}

/// A create happened if the live object carries our mark.
#[must_use]
pub fn settle_create(begin: &Begin, state: &State, live: Option<&Object>) -> Outcome {
    ours_if_marked(begin, state, live)
}

/// An adoption happened if the live object carries our mark.
#[must_use]
pub fn settle_adopt(begin: &Begin, state: &State, live: Option<&Object>) -> Outcome {
    ours_if_marked(begin, state, live)
}

/// A delete happened if the object with that uid is absent.
#[must_use]
pub fn settle_delete(begin: &Begin, live: Option<&Object>) -> Outcome {
    if is_other(begin, live) { Outcome::Gone } else { Outcome::Unchanged }
}

/// A forget happened if our entry among the field managers is gone; where the server keeps none, if our mark is.
#[must_use]
pub fn settle_forget(begin: &Begin, state: &State, live: Option<&Object>) -> Outcome {
    let is_in = |object: &Object| {
        if is_untracked(object) { object.mark() == Some(state.mark()) } else { has_our_entry(object) }
    };
    if is_other(begin, live) || live.is_none_or(|object| !is_in(object)) {
        Outcome::Gone
    } else {
        Outcome::Unchanged
    }
}

fn ours_if_marked(begin: &Begin, state: &State, live: Option<&Object>) -> Outcome {
    let Some(live) = live.filter(|object| object.mark() == Some(state.mark())) else {
        return Outcome::Unchanged;
    };
    // Known already, with more than can be read from here.
    let known = state.resources.get(&begin.address);
    if known.is_some_and(|owned| owned.key == begin.key && owned.uid == live.uid()) {
        return Outcome::Unchanged;
    }
    Outcome::Owned(Box::new(Owned {
        owned: begin.fields.iter().map(|path| (path.clone(), None)).collect(),
        secrets: begin.secrets.clone(),
        protect: begin.protect,
        depends_on: begin.depends_on.clone(),
        since_serial: state.serial + 1,
        ..Owned::new(begin.key.clone(), begin.api_version.clone(), live.uid())
    }))
}

fn is_other(begin: &Begin, live: Option<&Object>) -> bool {
    live.is_none_or(|object| begin.uid.as_deref() != Some(object.uid()))
}

fn has_our_entry(object: &Object) -> bool {
    let entries = object.0.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.is_some_and(|entries| {
        entries.iter().any(|entry| entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Address, ObjectKey};
    use serde_json::json;

    fn begin(operation: Operation) -> Begin {
        Begin {
            operation,
            address: Address::new("config_map", "a"),
            key: ObjectKey::new("", "ConfigMap", Some("ns"), "a"),
            api_version: "v1".to_owned(),
            uid: (operation != Operation::Create).then(|| "u1".to_owned()),
            fields: vec!["data.x".parse().unwrap()],
            secrets: ["data.x".parse().unwrap()].into(),
            protect: true,
            depends_on: vec![Address::new("namespace", "ns")],
        }
    }

    fn live(uid: &str, stack: &str, lineage: &str, manager: &str) -> Object {
        Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "a", "namespace": "ns", "uid": uid, "resourceVersion": "9",
            "labels": {"arrplan.dev/stack": stack}, "annotations": {"arrplan.dev/lineage": lineage},
            "managedFields": [{"manager": manager, "operation": "Apply"}],
        }}))
    }

    #[test]
    fn the_table() {
        use Operation::{Adopt, Create, Delete, Forget, Update};
        let state = State::new("L", "arr", "arr.toml");
        let ours = live("u1", "arr", "L", "arrplan");
        let other_uid = live("u2", "arr", "L", "arrplan");
        let other_lineage = live("u1", "arr", "M", "arrplan");
        let other_stack = live("u1", "x", "L", "arrplan");
        let handed_over = live("u1", "arr", "L", "kubectl");
        let cases = [
            (Create, Some(&ours), "owned u1"),
            (Create, Some(&other_uid), "owned u2"),
            (Create, Some(&other_lineage), "unchanged"),
            (Create, Some(&other_stack), "unchanged"),
            (Create, None, "unchanged"),
            (Adopt, Some(&ours), "owned u1"),
            (Adopt, Some(&other_lineage), "unchanged"),
            (Adopt, None, "unchanged"),
            (Update, Some(&ours), "unchanged"),
            (Update, None, "unchanged"),
            (Delete, Some(&ours), "unchanged"),
            (Delete, Some(&other_uid), "gone"),
            (Delete, None, "gone"),
            (Forget, Some(&ours), "unchanged"),
            (Forget, Some(&handed_over), "gone"),
            (Forget, Some(&other_uid), "gone"),
            (Forget, None, "gone"),
        ];
        for (operation, live, expected) in cases {
            let said = match settle(&begin(operation), &state, live) {
                Outcome::Owned(owned) => {
                    assert!(
                        owned.protect && owned.resource_version.is_none() && owned.desired_hash.is_none()
                    );
                    assert_eq!(owned.owned.values().collect::<Vec<_>>(), [&None]);
                    assert_eq!(owned.secrets.len(), 1);
                    assert_eq!((owned.since_serial, owned.depends_on.len()), (1, 1));
                    format!("owned {}", owned.uid)
                }
                Outcome::Gone => "gone".to_owned(),
                Outcome::Unchanged => "unchanged".to_owned(),
            };
            assert_eq!(said, expected, "{operation:?} {live:?}");
        }
    }

    #[test]
    fn a_copy_of_our_mark_is_none() {
        let mut copy = live("u1", "arr", "L", "arrplan");
        copy.0["metadata"]["ownerReferences"] = json!([{"controller": true, "uid": "x"}]);
        let state = State::new("L", "arr", "arr.toml");
        assert_eq!(settle(&begin(Operation::Create), &state, Some(&copy)), Outcome::Unchanged);
    }

    #[test]
    fn what_is_known_already_is_not_known_less_afterwards() {
        let mut state = State::new("L", "arr", "arr.toml");
        let begin = begin(Operation::Create);
        let owned = Owned::new(begin.key.clone(), "v1", "u1");
        state.resources.insert(begin.address.clone(), owned);
        let ours = live("u1", "arr", "L", "arrplan");
        assert_eq!(settle(&begin, &state, Some(&ours)), Outcome::Unchanged);
    }
}
