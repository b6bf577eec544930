//! Surgery on the state: what is known is moved or shown, and nothing in the cluster changes.
//!
//! *Invariants:* nothing is written without the lock; the state before stays beside it as its previous copy;
//! operations that an interrupted run left open are settled first, by a plan or an apply, never here.

use std::time::Duration;

use super::{Error, StackRequest, StateRequest, World, inspect, named, stack, store};
use crate::address::{Address, Named};
use crate::state::{Holder, LockWait, LockedStore, Owned, State, document};

/// What `state mv` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Old and new addresses.
    pub pairs: Vec<(Address, Address)>,
    /// The serial now.
    pub serial: u64,
    /// Where the state before is.
    pub backup: String,
}

/// Gives what the state has at `from` the address `to`; a declaration takes all its instances along.
///
/// # Errors
/// An address that is not in the state, one that is taken, an interrupted run that is not settled, a lock
/// that is held.
pub async fn state_mv(
    from: &Named,
    to: &Address,
    request: &StackRequest,
    state: &StateRequest,
    patience: Duration,
    waiting: &mut (dyn FnMut(&Holder) + Send),
    world: &World,
) -> Result<Moved, Error> {
    let head = stack::head(request, world)?;
    let place = store::of_head(&head, state, world)?;
    let holder = Holder::this_process("state mv", (world.now)());
    let wait = LockWait { timeout: patience, waiting };
    let locked = place.open_locked(&holder, wait, world.lineage).await?;
    settled(&locked)?;
    let from = named::in_state(from, &locked.state())?;
    let pairs = pairs(&locked.state(), &from, to)?;
    let renamed = pairs.clone();
    let committed = locked.commit(move |state| rename(state, &renamed)).await?;
    Ok(Moved { pairs, serial: committed.serial, backup: place.backup_place() })
}

/// The whole state with what its journal adds, as a state file has it.
///
/// # Errors
/// A state that cannot be read, or that does not exist.
pub async fn state_pull(
    request: &StackRequest,
    state: &StateRequest,
    world: &World,
) -> Result<String, Error> {
    let snapshot = inspect::snapshot(request, state, world).await?;
    if snapshot.state.serial == 0 && snapshot.state.resources.is_empty() {
        return Err(unknown("there is no state yet: nothing was applied", Vec::new()));
    }
    Ok(document(&snapshot.state))
}

/// Makes sure that nobody holds the lock.
///
/// # Errors
/// Somebody holds it: the kernel lets go of it with that process, and nothing else can.
pub async fn state_unlock(request: &StackRequest, state: &StateRequest, world: &World) -> Result<(), Error> {
    let head = stack::head(request, world)?;
    Ok(store::of_head(&head, state, world)?.check_unlocked().await?)
}

fn unknown(what: impl Into<String>, choices: Vec<String>) -> Error {
    Error::Unknown { what: what.into(), choices }
}

fn settled(locked: &LockedStore) -> Result<(), Error> {
    let open = locked.open_begins();
    if open.is_empty() {
        return Ok(());
    }
    let what = "an interrupted run is not settled yet: `arrplan apply` does that, then repeat this command";
    Err(unknown(what, open.iter().map(|one| one.begin.address.to_string()).collect()))
}

/// What moves where.
fn pairs(state: &State, from: &Address, to: &Address) -> Result<Vec<(Address, Address)>, Error> {
    let known = |address: &Address| state.resources.contains_key(address);
    let mut pairs: Vec<(Address, Address)> = Vec::new();
    if known(from) {
        pairs.push((from.clone(), to.clone()));
    } else if from.index.is_none() && to.index.is_none() {
        let instances = state.resources.keys().filter(|address| address.declaration() == *from);
        pairs.extend(
            instances
                .map(|address| (address.clone(), Address { index: address.index.clone(), ..to.clone() })),
        );
    }
    if pairs.is_empty() {
        let choices = state.resources.keys().map(ToString::to_string).collect();
        return Err(unknown(format!("the state has no {from}"), choices));
    }
    if from == to {
        return Err(unknown(format!("{from} has that address already"), Vec::new()));
    }
    if let Some((_, taken)) = pairs.iter().find(|(_, to)| known(to)) {
        let owned = &state.resources[taken].key;
        return Err(unknown(format!("the state has {taken} already: it owns {}", owned.human()), Vec::new()));
    }
    Ok(pairs)
}

/// Moves the entries. Digests are made over the address, so that those of a moved entry say nothing any more:
/// the next plan compares with the cluster.
fn rename(state: &mut State, pairs: &[(Address, Address)]) {
    for (from, to) in pairs {
        if let Some(owned) = state.resources.remove(from) {
            let unknown = owned.owned.into_keys().map(|path| (path, None)).collect();
            state.resources.insert(to.clone(), Owned { owned: unknown, desired_hash: None, ..owned });
        }
    }
    for owned in state.resources.values_mut() {
        for dependency in &mut owned.depends_on {
            if let Some((_, to)) = pairs.iter().find(|(from, _)| from == dependency) {
                dependency.clone_from(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ObjectKey;

    fn state() -> State {
        let mut state = State::new("L", "arr", "arr.toml");
        for (address, needs) in [("t.a", ""), ("t.b", "t.a"), ("t.c[\"x\"]", "t.a"), ("t.c[\"y\"]", "t.b")] {
            let key = ObjectKey::new("", "ConfigMap", Some("ns"), address);
            let mut owned = Owned::new(key, "v1", address);
            owned.depends_on = (!needs.is_empty()).then(|| needs.parse().unwrap()).into_iter().collect();
            owned.owned = [("data.k".parse().unwrap(), None)].into();
            state.resources.insert(address.parse().unwrap(), owned);
        }
        state
    }

    /// `address: object <- dependencies` of each, after the move; or why not.
    fn moved(from: &str, to: &str) -> Vec<String> {
        let mut state = state();
        match pairs(&state, &from.parse().unwrap(), &to.parse().unwrap()) {
            Ok(pairs) => {
                rename(&mut state, &pairs);
                let line = |(address, owned): (&Address, &Owned)| {
                    let needs: Vec<String> = owned.depends_on.iter().map(ToString::to_string).collect();
                    format!("{address}: {} <- {}", owned.key.name, needs.join(" "))
                };
                state.resources.iter().map(line).collect()
            }
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn an_entry_moves_with_everything_that_names_it() {
        let expected = [
            "t.b: t.b <- t.z",
            "t.c[\"x\"]: t.c[\"x\"] <- t.z",
            "t.c[\"y\"]: t.c[\"y\"] <- t.b",
            "t.z: t.a <- ",
        ];
        assert_eq!(moved("t.a", "t.z"), expected);
        let expected = [
            "t.a: t.a <- ",
            "t.b: t.b <- t.a",
            "u.d[\"x\"]: t.c[\"x\"] <- t.a",
            "u.d[\"y\"]: t.c[\"y\"] <- t.b",
        ];
        assert_eq!(moved("t.c", "u.d"), expected);
        assert_eq!(moved("t.c[\"x\"]", "t.x")[3], "t.x: t.c[\"x\"] <- t.a");
    }

    #[test]
    fn what_cannot_move_stays() {
        assert_eq!(moved("t.none", "t.z"), ["the state has no t.none"]);
        assert_eq!(moved("t.a", "t.a"), ["t.a has that address already"]);
        assert_eq!(moved("t.a", "t.b"), ["the state has t.b already: it owns ConfigMap ns/t.b"]);
        assert_eq!(moved("t.c", "t.d[\"z\"]"), ["the state has no t.c"]);
    }
}
