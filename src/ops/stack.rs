//! From what was asked for to a compiled stack.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, World};
use crate::diag::Diagnostics;
use crate::stack::{self, Head, LoadRequest, Stack};

/// Which stack is meant, and the values of its variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackRequest {
    /// A path, or the name of a file in `./stacks`; may be left out where there is only one.
    pub stack: Option<String>,
    /// `--env`.
    pub env: Option<String>,
    /// `--var`, each `NAME=VALUE`.
    pub vars: Vec<String>,
    /// `--var-file`.
    pub var_files: Vec<PathBuf>,
}

/// What is desired, and under which name.
#[derive(Debug)]
pub(super) struct Desired {
    /// Name and place.
    pub(super) head: Head,
    /// What is desired; `None`: nothing is.
    pub(super) stack: Option<Stack>,
    /// Warnings about the files.
    pub(super) warnings: Diagnostics,
}

impl Desired {
    /// Loads what is desired; for a destroy, which desires nothing, only name and place.
    pub(super) fn load(request: &StackRequest, destroy: bool, world: &World) -> Result<Self, Error> {
        if destroy {
            return Ok(Self { head: head(request, world)?, stack: None, warnings: Diagnostics::default() });
        }
        let (stack, warnings) = load(request, world)?;
        Ok(Self {
            head: Head {
                name: stack.name.clone(),
                file: stack.file.clone(),
                env: stack.env.clone(),
                cluster: stack.cluster.clone(),
                state: stack.state.clone(),
            },
            stack: Some(stack),
            warnings,
        })
    }
}

/// The compiled stack with the warnings about its files.
pub(super) fn load(request: &StackRequest, world: &World) -> Result<(Stack, Diagnostics), Error> {
    match stack::load(&load_request(request, world)?) {
        (Some(stack), diagnostics, _) => Ok((stack, diagnostics)),
        (None, diagnostics, sources) => Err(Error::Invalid(Box::new((diagnostics, sources)))),
    }
}

/// Name and place of a stack, whatever mistakes are in the rest of it.
pub(super) fn head(request: &StackRequest, world: &World) -> Result<Head, Error> {
    match stack::head(&load_request(request, world)?) {
        (Some(head), _, _) => Ok(head),
        (None, diagnostics, sources) => Err(Error::Invalid(Box::new((diagnostics, sources)))),
    }
}

fn load_request(request: &StackRequest, world: &World) -> Result<LoadRequest, Error> {
    let file = stack::find_stack(request.stack.as_deref(), &world.cwd).map_err(Error::Choose)?;
    Ok(LoadRequest {
        file: world.cwd.join(file),
        env: request.env.clone(),
        vars: request.vars.clone(),
        var_files: request.var_files.iter().map(|path| world.cwd.join(path)).collect(),
        environment: world.env.clone(),
    })
}
