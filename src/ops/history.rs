//! What was applied when.

use super::{Error, StackRequest, StateRequest, World, stack, store};
use crate::state::Revision;

/// The recorded revisions, the newest first, each with its serial; a damaged one is an error in its place.
///
/// # Errors
/// An invalid stack; a state that cannot be read.
pub async fn history(
    request: &StackRequest,
    state: &StateRequest,
    world: &World,
) -> Result<Vec<(u64, Result<Revision, crate::state::Error>)>, Error> {
    let head = stack::head(request, world)?;
    let mut revisions = store::of_head(&head, state, world)?.revisions().await?;
    revisions.reverse();
    Ok(revisions)
}
