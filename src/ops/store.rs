//! Where a stack's state is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, World};
use crate::stack::Head;
use crate::state::{Store, locate, locate_in_sandbox};

/// Which state is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRequest {
    /// `--state`.
    pub file: Option<PathBuf>,
    /// `--sandbox`: the sandbox's own; `[state] path` does not count there.
    pub sandbox: bool,
}

/// The store of a stack.
pub(super) fn of_head(head: &Head, request: &StateRequest, world: &World) -> Result<Store, Error> {
    if request.sandbox {
        let location = locate_in_sandbox(&head.file, &head.name, head.env.as_deref())?;
        return Ok(Store::new(world.disk.clone(), location, &head.name));
    }
    let flag = request.file.as_ref().map(|file| world.cwd.join(file));
    let location =
        locate(&head.file, &head.name, head.env.as_deref(), flag.as_deref(), head.state.path.as_deref())?;
    Ok(Store::new(world.disk.clone(), location, &head.name))
}
