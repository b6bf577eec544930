//! What a survey came across, and what of it forbids the delete.

use std::collections::BTreeSet;

use crate::address::ObjectKey;
use crate::object::{Mark, Object};
use crate::plan::Reach;

/// All that goes with one delete.
#[derive(Debug, Default)]
pub struct Found {
    /// What the plan shows of it.
    pub reach: Reach,
    /// Everything, also what the plan deletes by itself.
    pub taken: Vec<Taken>,
    entered: BTreeSet<ObjectKey>,
}

/// One object that goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    key: ObjectKey,
    mark: Option<Mark>,
    protected: bool,
}

/// What stands in the way of a delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The object.
    pub key: ObjectKey,
    /// Why what would take it along has to stay.
    pub why: String,
}

impl Found {
    /// Whether an object is looked into for the first time.
    pub(super) fn enter(&mut self, object: &Object) -> bool {
        self.entered.insert(object.key())
    }

    /// It goes along.
    pub(super) fn take(&mut self, object: &Object) {
        self.taken.push(Taken { key: object.key(), mark: object.mark(), protected: object.is_protected() });
    }

    /// Sorted; what was met on several ways is there once, with the worst that was found.
    pub(super) fn in_order(mut self) -> Self {
        let reach = &mut self.reach;
        reach.items.sort_by(|a, b| (&a.key, &a.uid, b.risk).cmp(&(&b.key, &b.uid, a.risk)));
        reach.items.dedup_by(|a, b| (&a.key, &a.uid) == (&b.key, &b.uid));
        for list in [&mut reach.unreadable, &mut reach.stays] {
            list.sort();
            list.dedup();
        }
        self
    }
}

/// What forbids a delete that takes all of `taken` along: anything that is kept (`kept`), protected, or marked by
/// another stack than `stack`. It would go, protection or not (measured).
#[must_use]
pub fn held(taken: &[Taken], stack: &str, kept: &BTreeSet<ObjectKey>) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    for Taken { key, mark, protected } in taken {
        let why = match mark {
            _ if kept.contains(key) => "it is kept".to_owned(),
            _ if *protected => "it is protected".to_owned(),
            Some(mark) if mark.stack != stack => format!("it belongs to stack `{}`", mark.stack),
            _ => continue,
        };
        held.push(Held { key: key.clone(), why });
    }
    held.sort_by(|a, b| a.key.cmp(&b.key));
    held.dedup();
    held
}

/// Why the object at `key` stays, of what it holds.
pub(in crate::plan) fn why_held(key: &ObjectKey, held: &[Held]) -> Option<String> {
    let first = held.first()?;
    let has = match key.kind.as_str() {
        "Namespace" => "holds",
        "CustomResourceDefinition" => "defines",
        _ => "takes along",
    };
    let more = if held.len() > 1 { format!(", and {} more", held.len() - 1) } else { String::new() };
    Some(format!("it {has} {}: {}{more}", first.key.human(), first.why))
}
