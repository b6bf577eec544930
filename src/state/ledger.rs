//! A state that follows what is done to the cluster, record by record.

use std::collections::BTreeMap;

use super::journal::{Begin, Outcome};
use super::model::{Former, FormerStatus, Owned, State};
use crate::address::{Address, ObjectKey};
use crate::cluster::ClusterIdentity;

/// Records in `state` how an operation ended.
pub fn record(state: &mut State, begin: &Begin, outcome: &Outcome) {
    let mut ledger = Ledger::new(state.clone());
    ledger.record(begin, outcome);
    *state = ledger.into_state();
}

/// A [`State`] and where each object stands in it. *Invariant:* object keys stay unique, because an object
/// that goes to one address leaves the one it was at.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    state: State,
    /// Address of each object, former ones included.
    places: BTreeMap<ObjectKey, Address>,
}

impl Ledger {
    pub(super) fn new(state: State) -> Self {
        let places = state.objects().map(|(key, address, _)| (key.clone(), address.clone())).collect();
        Self { state, places }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn into_state(self) -> State {
        self.state
    }

    /// Which cluster the state is about, where it does not say so yet.
    pub(super) fn about(&mut self, cluster: &ClusterIdentity) {
        self.state.cluster.get_or_insert_with(|| cluster.clone());
    }

    pub(super) fn record(&mut self, begin: &Begin, outcome: &Outcome) {
        match outcome {
            Outcome::Owned(owned) => self.put(&begin.address, (**owned).clone()),
            Outcome::Gone => self.drop_object(&begin.key, begin.uid.as_deref()),
            // It may have been written all the same: what was a secret in it is one.
            Outcome::Unchanged => {
                if let Some(owned) = self.state.resources.get_mut(&begin.address)
                    && owned.key == begin.key
                {
                    owned.secrets.extend(begin.secrets.iter().cloned());
                }
            }
        }
    }

    /// Makes `owned` the current object of `address`. What the address had before becomes a former object,
    /// unless it is the same one; an object that stood at another address moves here with its former ones.
    fn put(&mut self, address: &Address, mut owned: Owned) {
        owned.former = match self.state.resources.remove(address) {
            Some(old) if old.key == owned.key => old.former,
            Some(old) => demote(old),
            None => Vec::new(),
        };
        let holder = self.places.get(&owned.key).filter(|holder| *holder != address);
        if let Some(holder) = holder.cloned() {
            match self.state.resources.get_mut(&holder) {
                Some(other) if other.key != owned.key => other.former.retain(|f| f.key != owned.key),
                _ => {
                    let moved = self.state.resources.remove(&holder);
                    owned.former.extend(moved.into_iter().flat_map(|o| o.former));
                }
            }
        }
        owned.former.retain(|former| former.key != owned.key);
        for key in std::iter::once(&owned.key).chain(owned.former.iter().map(|f| &f.key)) {
            self.places.insert(key.clone(), address.clone());
        }
        self.state.resources.insert(address.clone(), owned);
    }

    /// Takes one object out, wherever it stands by now; another uid is another object and stays. Where the
    /// current object goes and former ones remain, the first of them takes its place, so that they are not
    /// lost from view.
    fn drop_object(&mut self, key: &ObjectKey, uid: Option<&str>) {
        let Some(address) = self.places.get(key).cloned() else {
            return;
        };
        let Some(owned) = self.state.resources.get_mut(&address) else {
            return;
        };
        let same = |other: &str| uid.is_none_or(|uid| uid == other);
        if owned.key != *key {
            let before = owned.former.len();
            owned.former.retain(|f| f.key != *key || !same(&f.uid));
            if owned.former.len() < before {
                self.places.remove(key);
            }
        } else if same(&owned.uid) {
            self.places.remove(key);
            let former = std::mem::take(&mut owned.former);
            match promote(former) {
                Some(next) => *owned = next,
                None => {
                    self.state.resources.remove(&address);
                }
            }
        }
    }
}

/// The former objects of an address whose current object gives way to another one.
fn demote(old: Owned) -> Vec<Former> {
    let mut former = old.former;
    former.push(Former {
        key: old.key,
        api_version: old.api_version,
        uid: old.uid,
        status: if old.protect { FormerStatus::Kept } else { FormerStatus::Deleting },
    });
    former
}

/// The first former object as a current one: nothing is known of its fields, and `protect` keeps its status.
fn promote(mut former: Vec<Former>) -> Option<Owned> {
    if former.is_empty() {
        return None;
    }
    let first = former.remove(0);
    Some(Owned {
        protect: first.status == FormerStatus::Kept,
        former,
        ..Owned::new(first.key, first.api_version, first.uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::journal::Operation::{self, Create, Delete, Forget, Update};
    use crate::state::journal::tests::{begin, owned};

    type Step = (Operation, u8, u8, u8, bool);

    /// `address: object[, former status]…` for each address after the steps (operation, address, object, uid,
    /// protected).
    fn after(steps: &[Step]) -> String {
        let mut ledger = Ledger::new(State::new("L", "arr", "arr.toml"));
        for (operation, address, object, uid, protect) in steps.iter().copied() {
            let outcome = match operation {
                Delete | Forget => Outcome::Gone,
                _ => owned(object, uid, protect),
            };
            ledger.record(&begin(operation, address, object, uid), &outcome);
            assert_eq!(ledger.state().check(), Ok(()));
            let places: BTreeMap<_, _> =
                ledger.state().objects().map(|(key, address, _)| (key.clone(), address.clone())).collect();
            assert_eq!(ledger.places, places);
        }
        let lines = ledger.state().resources.iter().map(|(address, owned)| {
            let former = owned.former.iter().map(|f| format!(", {} {:?}", f.key.name, f.status));
            format!("{}: {}{}", address.name, owned.key.name, former.collect::<String>())
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_table() {
        let cases: &[(&[Step], &str)] = &[
            (&[(Create, 1, 1, 1, false)], "a1: o1"),
            (&[(Create, 1, 1, 1, false), (Update, 1, 1, 1, true)], "a1: o1"),
            // Another object under the address: the old one waits for its delete, or was protected.
            (&[(Create, 1, 1, 1, false), (Create, 1, 2, 2, false)], "a1: o2, o1 Deleting"),
            (&[(Create, 1, 1, 1, true), (Create, 1, 2, 2, false)], "a1: o2, o1 Kept"),
            (&[(Create, 1, 1, 1, false), (Create, 1, 2, 2, false), (Delete, 1, 1, 1, false)], "a1: o2"),
            // The current object goes first: the former one does not get lost.
            (&[(Create, 1, 1, 1, true), (Create, 1, 2, 2, false), (Delete, 1, 2, 2, false)], "a1: o1"),
            (
                &[
                    (Create, 1, 1, 1, true),
                    (Create, 1, 2, 2, false),
                    (Delete, 1, 2, 2, false),
                    (Create, 1, 3, 3, false),
                ],
                "a1: o3, o1 Kept",
            ),
            // And back to the first object.
            (
                &[(Create, 1, 1, 1, false), (Create, 1, 2, 2, false), (Update, 1, 1, 1, false)],
                "a1: o1, o2 Deleting",
            ),
            // An object that moves to another address.
            (&[(Create, 1, 1, 1, false), (Update, 2, 1, 1, false)], "a2: o1"),
            (
                &[(Create, 1, 1, 1, false), (Create, 1, 2, 2, false), (Update, 2, 2, 2, false)],
                "a2: o2, o1 Deleting",
            ),
            (
                &[(Create, 1, 1, 1, false), (Create, 1, 2, 2, false), (Update, 2, 1, 1, false)],
                "a1: o2; a2: o1",
            ),
            // Two that change places.
            (
                &[
                    (Create, 1, 1, 1, false),
                    (Create, 2, 2, 2, false),
                    (Update, 1, 2, 2, false),
                    (Update, 2, 1, 1, false),
                ],
                "a1: o2; a2: o1",
            ),
            // Another uid is another object; one that is recreated takes the place.
            (&[(Create, 1, 1, 1, false), (Delete, 1, 1, 9, false)], "a1: o1"),
            (&[(Create, 1, 1, 1, false), (Create, 1, 1, 2, false), (Delete, 1, 1, 1, false)], "a1: o1"),
            // A delete follows its object to the address it moved to.
            (&[(Create, 1, 1, 1, false), (Update, 2, 1, 1, false), (Delete, 1, 1, 1, false)], ""),
            (&[(Create, 1, 1, 1, false), (Forget, 1, 1, 1, false)], ""),
            (&[(Delete, 1, 1, 1, false)], ""),
        ];
        for (steps, expected) in cases {
            assert_eq!(after(steps), *expected, "{steps:?}");
        }
    }
}
