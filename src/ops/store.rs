//! Where a stack's state is.

use std::path::PathBuf;

use super::{Error, World};
use crate::stack::Head;
use crate::state::{Store, locate};

/// Which state is meant.
#[derive(Debug, Clone, Default)]
pub struct StateRequest {
    /// `--state`.
    pub file: Option<PathBuf>,
}

/// The store of a stack.
pub(super) fn of_head(head: &Head, request: &StateRequest, world: &World) -> Result<Store, Error> {
    let flag = request.file.as_ref().map(|file| world.cwd.join(file));
    let location =
        locate(&head.file, &head.name, head.env.as_deref(), flag.as_deref(), head.state.path.as_deref())?;
    Ok(Store::new(location, &head.name))
}
