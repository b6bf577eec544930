//! The outputs of the last apply.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Error, StackRequest, StateRequest, World, inspect};

/// The outputs by name.
///
/// # Errors
/// An invalid stack; a state that cannot be read.
pub async fn output(
    request: &StackRequest,
    state: &StateRequest,
    world: &World,
) -> Result<BTreeMap<String, Value>, Error> {
    Ok(inspect::snapshot(request, state, world).await?.state.outputs)
}
