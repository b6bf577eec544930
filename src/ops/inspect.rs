//! Looking into the state.

use super::{Error, StackRequest, StateRequest, World, stack, store};
use crate::address::Address;
use crate::state::{Owned, Snapshot, State};

/// The state as it is now, without asking the cluster.
pub(super) async fn snapshot(
    request: &StackRequest,
    state: &StateRequest,
    world: &World,
) -> Result<Snapshot, Error> {
    let head = stack::head(request, world)?;
    let store = store::of_head(&head, state, world)?;
    Ok(store.open_read(world.lineage).await?)
}

/// Everything the stack owns.
///
/// # Errors
/// An invalid stack; a state that cannot be read.
pub async fn state_list(request: &StackRequest, state: &StateRequest, world: &World) -> Result<State, Error> {
    Ok(snapshot(request, state, world).await?.state)
}

/// What is known about one resource.
///
/// # Errors
/// As [`state_list`]; an address that the state does not have.
pub async fn state_show(
    address: &Address,
    request: &StackRequest,
    state: &StateRequest,
    world: &World,
) -> Result<Owned, Error> {
    let mut state = snapshot(request, state, world).await?.state;
    state.resources.remove(address).ok_or_else(|| Error::Unknown {
        what: format!("the state has no {address}"),
        choices: state.resources.keys().map(ToString::to_string).collect(),
    })
}
