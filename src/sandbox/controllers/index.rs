//! Who depends on whom, by uid.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::sandbox::storage::{Event, Key};

/// Objects by uid, and dependents by the uid of their owners. Built from events.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: HashMap<String, Key>,
    dependents: HashMap<String, BTreeSet<Key>>,
}

impl Index {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn take_in(&mut self, event: &Event) {
        if let Some(before) = &event.before {
            if event.after.is_none() {
                self.keys.remove(uid(&before.object));
            }
            for owner in owners(&before.object) {
                if let Some(dependents) = self.dependents.get_mut(uid_of_reference(owner)) {
                    dependents.remove(&event.key);
                    if dependents.is_empty() {
                        self.dependents.remove(uid_of_reference(owner));
                    }
                }
            }
        }
        if let Some(after) = &event.after {
            self.keys.insert(uid(&after.object).to_owned(), event.key.clone());
            for owner in owners(&after.object) {
                let dependents = self.dependents.entry(uid_of_reference(owner).to_owned()).or_default();
                dependents.insert(event.key.clone());
            }
        }
    }

    /// Where the object with this uid is.
    pub(super) fn key(&self, uid: &str) -> Option<Key> {
        self.keys.get(uid).cloned()
    }

    /// What names the object with this uid as an owner.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Key> {
        self.dependents.get(uid).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }
}

/// uid of an object.
pub(super) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

/// uid in an owner reference.
pub(super) fn uid_of_reference(reference: &Value) -> &str {
    reference["uid"].as_str().unwrap_or_default()
}

/// `ownerReferences` of an object.
pub(super) fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default()
}
