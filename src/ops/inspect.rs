//! Looking into the state.

use super::{Error, StackRequest, StateRequest, World, named, stack, store};
use crate::address::{Address, Named};
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

/// One resource of the state, and what is known about it.
///
/// # Errors
/// As [`state_list`]; an address that the state does not have.
pub async fn state_show(
    named: &Named,
    request: &StackRequest,
    state: &StateRequest,
    world: &World,
) -> Result<(Address, Owned), Error> {
    let mut state = snapshot(request, state, world).await?.state;
    let address = named::in_state(named, &state)?;
    let owned = state.resources.remove(&address).ok_or_else(|| Error::Unknown {
        what: format!("the state has no {address}"),
        choices: state.resources.keys().map(ToString::to_string).collect(),
    })?;
    Ok((address, owned))
}
